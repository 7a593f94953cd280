"""Session id, trace id and root span id are one number: the id alone names trace and parent in any process.

A session id is 128 random bits printed as a UUID. It is never a version-4 UUID: the bits fixed there sit where ratio
samplers look, so that a ratio of 0.1 would keep nothing
(https://www.w3.org/TR/trace-context-2/#randomness-of-trace-id).
"""

from __future__ import annotations

import hashlib
import os
import random
import uuid
from contextvars import ContextVar
from typing import Final

from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from .. import environment

# What identifies a project is derived from its key, so that the key itself is never in telemetry.
_PROJECT_NAMESPACE = "agentops-otel project "

# Of our own: those of the module are the program's, which may have seeded it.
_numbers: Final = random.Random()  # noqa: S311  (no secret)


def new_session_id() -> str:
    """128 random bits as UUID text; neither the trace id nor the root span id made from it is zero."""
    while True:
        number = int.from_bytes(os.urandom(16), "big")  # not of the module `secrets`: programs have a file of this name
        if number >> 64:
            return str(uuid.UUID(int=number))


def parse_session_id(text: object) -> str:
    """The canonical text of a session id given as any spelling of a UUID, or as a trace id of 32 hexadecimal digits.

    Raises:
        ValueError: the text is no UUID, or is all zeros.
    """
    try:
        parsed = text if isinstance(text, uuid.UUID) else uuid.UUID(str(text))
    except Exception:
        raise ValueError(
            f"{environment.shown(text)} is not a valid session id: expected a UUID such as {new_session_id()!r}"
        ) from None
    if parsed.int == 0:
        raise ValueError("a session id of zeros only is not valid")
    return str(parsed)


def trace_id(session_id: str) -> int:
    """The trace id of a session: the same 128 bits."""
    return uuid.UUID(session_id).int


def root_span_id(session_trace_id: int) -> int:
    """The span id of a session's root: the first 64 bits of its trace id, 1 if they are zero."""
    return session_trace_id >> 64 or 1


def session_id(session_trace_id: int) -> str:
    """The session id of a trace: the same 128 bits as UUID text."""
    return str(uuid.UUID(int=session_trace_id))


def project_id(api_key: str | None) -> str | None:
    """The project of a key: a UUID made of the key's SHA-256; None without a key."""
    if api_key is None:
        return None
    digest = hashlib.sha256((_PROJECT_NAMESPACE + api_key).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16]))


_next_root: ContextVar[int] = ContextVar("agentops_next_root", default=0)


class _RandomIds(RandomIdGenerator):
    """OpenTelemetry's default ids, but the program's random numbers stay what they are, and cannot repeat an id."""

    def generate_span_id(self) -> int:
        """64 random bits, not all of them zero."""
        return _numbers.getrandbits(64) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """128 random bits, not all of them zero."""
        return _numbers.getrandbits(128) or self.generate_trace_id()


def after_fork() -> None:
    """In a forked child: its ids are others than the parent's."""
    _numbers.seed()


class SessionIdGenerator(IdGenerator):
    """Gives a session's root span its ids, and leaves every other id to the generator it stands in for.

    For the default one, which takes the program's random numbers, it has its own.
    """

    def __init__(self, base: IdGenerator) -> None:
        self.base = _RandomIds() if type(base) is RandomIdGenerator else base

    def root(self, session_trace_id: int) -> _Root:
        """A block in which the next span without a parent becomes the root of this session."""
        return _Root(session_trace_id)

    def generate_trace_id(self) -> int:
        """The session's own for its root."""
        return _next_root.get() or self.base.generate_trace_id()

    def generate_span_id(self) -> int:
        """The first half of the session's id for its root."""
        pending = _next_root.get()
        if not pending:
            return self.base.generate_span_id()
        _next_root.set(0)  # a span that a processor starts while the root starts is not the root
        return root_span_id(pending)

    def is_trace_id_random(self) -> bool:
        """W3C's random flag (newer SDKs ask for it).

        A session id of ours is random, of another generator as it says.
        """
        ask = getattr(self.base, "is_trace_id_random", None)
        return bool(_next_root.get()) or bool(ask is not None and ask())


class _Root:
    def __init__(self, session_trace_id: int) -> None:
        self._trace_id = session_trace_id

    def __enter__(self) -> None:
        self._token = _next_root.set(self._trace_id)

    def __exit__(self, *_: object) -> None:
        _next_root.reset(self._token)
