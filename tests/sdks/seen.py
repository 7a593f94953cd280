"""What a program and a server see of a call: the same with us and without us."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from agentops_otel import semconv
from tests.fakes.llm_server import LlmServer, Reply


def seen(server: LlmServer, replies: Sequence[Reply], do: Callable[[], Any]) -> tuple[Any, ...]:
    """The type and the content of a result, or of an exception; and the requests."""
    server.requests.clear()
    server.then(*replies)
    try:
        result = do()
        got = [type(each) for each in result] if isinstance(result, list) else type(result), repr(result)
    except Exception as error:
        got = type(error), re.sub(r"'date': '[^']*'", "'date': ''", str(error))
    return got, [(request.method, request.path, request.raw, sorted(request.headers)) for request in server.requests]


async def ask(client: Any, name: str, **arguments: Any) -> Any:
    """What the user gets of a call: the answer, or all pieces of a stream."""
    result = getattr(client, name)(**arguments)
    if inspect.isawaitable(result):
        result = await result
    if inspect.isasyncgen(result):
        return [piece async for piece in result]
    return list(result) if inspect.isgenerator(result) else result


def tokens(span: Any) -> tuple[int | None, int | None]:
    """The tokens of input and output that a span has."""
    return span.attributes.get(semconv.USAGE_INPUT_TOKENS), span.attributes.get(semconv.USAGE_OUTPUT_TOKENS)
