"""Events and scores as bytes and as columns, and back."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from ...rows import Score, SessionEvent
from .encoding import UNWRITABLE, clean, column, deflate, digest_of, encode, encoded, inflate

_events: Final = msgspec.msgpack.Decoder(SessionEvent)


def encode_event(event: SessionEvent) -> tuple[bytes, bytes]:
    """The key and the bytes of an event. Of a process' heartbeats the last one is kept, so they share a key."""
    plain = _event(event)
    process = event.process
    who = encoded((process.service, process.host, process.pid, process.instance))
    if event.name == "heartbeat":
        return digest_of(b"heartbeat", who), deflate(plain)
    return digest_of(plain), deflate(plain)


def _event(event: SessionEvent) -> bytes:
    try:
        return encode(event)
    except UNWRITABLE:
        return encode(clean(msgspec.to_builtins(event, enc_hook=str)))


def decode_event(data: bytes) -> SessionEvent:
    """The event of the bytes."""
    return _events.decode(inflate(data))


def score_columns(score: Score) -> tuple[Any, ...]:
    """A score's columns from ``session_id`` on."""
    return tuple(
        column(value)
        for value in (
            score.session_id,
            score.trace_id,
            score.span_id,
            score.name,
            score.time_ns,
            None if score.value is None or math.isnan(score.value) else float(score.value),
            score.label,
            score.comment,
        )
    )


def score_digest(columns: tuple[Any, ...]) -> bytes:
    """Equal for equal scores."""
    return digest_of(encode(columns))
