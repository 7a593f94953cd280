"""What a backend says of a request that it has taken: how much of it it has refused, and why.

https://opentelemetry.io/docs/specs/otlp/#full-success
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from ...secrets import one_line
from .attempt import Reply, Verdict

_REJECTED: Final = frozenset({"rejectedSpans", "rejected_spans", "rejectedLogRecords", "rejected_log_records"})
_TEXTS: Final = ("errorMessage", "error_message")
_LENGTHS: Final = {1: 8, 5: 4}  # of wire types that have one length


def from_protobuf(body: bytes) -> Reply:
    """Read an `ExportTraceServiceResponse` or an `ExportLogsServiceResponse`, which look the same on the wire.

    Raises:
        ValueError: it is none.
    """
    rejected, text = 0, ""
    for number, value in _fields(body):
        if number != 1 or not isinstance(value, bytes):  # what a later OTLP says
            continue
        for inner, said in _fields(value):
            if inner == 1 and isinstance(said, int):
                rejected = said - (1 << 64) if said >> 63 else said
            elif inner == 2 and isinstance(said, bytes):
                text = said.decode()
    return _accepted(rejected, text)


def from_json(body: bytes) -> Reply:
    """Read the same in OTLP's JSON, whose numbers of 64 bits may be texts.

    Raises:
        ValueError, TypeError, OverflowError, RecursionError: it is none.
    """
    answer = json.loads(body) if body.strip() else {}
    partial = answer.get("partialSuccess", answer.get("partial_success")) if isinstance(answer, dict) else answer
    if partial is None and isinstance(answer, dict):
        return _accepted(0, "")
    if not isinstance(partial, dict):
        raise TypeError("expected an object")
    rejected = [int(partial[name]) for name in _REJECTED & partial.keys() if partial[name] is not None]
    text = next((partial[name] for name in _TEXTS if partial.get(name) is not None), "")
    if not isinstance(text, str):
        raise TypeError("expected a text")
    return _accepted(max(rejected, default=0), text)


def _accepted(rejected: int, text: str) -> Reply:
    return Reply(Verdict.ACCEPTED, one_line(text), rejected=max(rejected, 0))


def _fields(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field that can be one of ours: an int, or bytes for what has a length."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError("expected the number of a field")
        if kind == 0:
            value, at = _varint(body, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(body, at)
        elif kind in _LENGTHS:
            length = _LENGTHS[kind]
        else:  # groups, which OTLP does not have
            raise ValueError("expected a field")
        if at + length > len(body):
            raise ValueError("the answer ends inside a field")
        if kind == 2:
            yield number, body[at : at + length]
        at += length


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(body):
            break
        byte = body[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & 0xFFFF_FFFF_FFFF_FFFF, at
    raise ValueError("expected a number")
