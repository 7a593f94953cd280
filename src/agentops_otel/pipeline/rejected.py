"""Spans that a backend refused for good, for people to read: a line of OTLP JSON each, with the reason in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from .folder import Folder
from .transports import otlp
from .transports.otlp_json import json_line

REJECTED: Final = "rejected"
_FILE_BYTES: Final = 4 << 20
_MOST_BYTES: Final = 32 << 20  # of all files of a destination; beyond it the oldest are removed


def keep(directory: str, writer: str, spans: Iterable[tuple[ReadableSpan, str]]) -> None:
    """Add spans and why they were refused to the files of a writer.

    Raises:
        OSError: they cannot be written.
    """
    with Folder(directory, create=True) as destination, Folder(REJECTED, destination, create=True) as folder:
        for span, reason in spans:
            folder.append(_name(folder, writer), _line(span, reason))
        files = sorted((folder.stat(name).st_mtime_ns, name, folder.stat(name).st_size) for name in folder.names())
        total = sum(size for _, _, size in files)
        for _, name, size in files:
            if total > _MOST_BYTES:
                folder.unlink(name)
                total -= size


def _name(folder: Folder, writer: str) -> str:
    """The newest file of a writer, or a new one when that is full."""
    newest = max((name for name in folder.names() if name.startswith(f"{writer}-")), default=f"{writer}-000000.jsonl")
    if newest in folder.names() and folder.stat(newest).st_size < _FILE_BYTES:
        return newest
    return f"{writer}-{int(newest[-12:-6]) + 1:06}.jsonl"


def _line(span: ReadableSpan, reason: str) -> bytes:
    try:
        content = json_line(otlp.request([span]))
    except Exception:  # that may be why it was refused
        content = json.dumps({"name": str(span.name), "context": str(span.get_span_context())}).encode() + b"\n"
    return b'{"reason":%b,%b' % (json.dumps(reason).encode(), content[1:])
