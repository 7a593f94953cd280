"""One call of one SDK, as the contract of all SDKs tries it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sdks.conftest import collect_ignore


@dataclass(frozen=True)
class Case:
    """A call, what the server answers, and what is to be recorded.

    A call and a stream get the client, and give a result or something to await. A stream is an iterable, or a context
    manager that gives one. A test file of `tests/sdks` lists its cases in `CASES`.

    Args:
        name: of the call, after the SDK's: `groq chat`.
        span: the name of the span.
        tokens: of input and output.
        client: makes a synchronous client for `http://127.0.0.1:PORT`, without retries.
        answer: the body of the answer.
        stream: the same call, streamed; None when there is none.
        events: the body of its answer.
        headers: of that answer.
        finishes: whether the answer says why it ended.
        said: a word of the answer that is recorded; empty when none is.
        refusal: the body of an answer with status 400.
        code: the `error.type` of that.
        held: whether the SDK holds a stream that its caller has let go of, until the process ends.
    """

    name: str
    span: str
    provider: str
    model: str
    tokens: tuple[int | None, int | None]
    client: Callable[[str], Any]
    async_client: Callable[[str], Any] | None
    call: Callable[[Any], Any]
    answer: Any
    refusal: Any
    code: str
    stream: Callable[[Any], Any] | None = None
    events: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    said: str = "Paris"
    held: bool = False
    finishes: bool = True

    def __str__(self) -> str:
        return self.name


def cases(*sdks: str) -> Iterator[Case]:
    """The cases of every SDK that is installed, or of those that are named: no other's test file is imported then."""
    beginnings = ("test_compatible", *(f"test_{re.split('[-_]', sdk)[0]}" for sdk in sdks))
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.name in collect_ignore or path.name == "test_contract.py":
            continue
        if sdks and not path.name.startswith(beginnings):
            continue
        for case in getattr(importlib.import_module(f"tests.sdks.{path.stem}"), "CASES", ()):
            if isinstance(case, Case) and (not sdks or case.name.partition(" ")[0] in sdks):
                yield case
