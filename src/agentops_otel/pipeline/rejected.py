"""Spans that a backend refused for good, as JSON lines for people: one span a line, with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, Final

import msgspec
from opentelemetry.sdk.trace import ReadableSpan

from .folder import Folder
from .records import tame

REJECTED: Final = "rejected"
MAX_BYTES: Final = 32 << 20  # of all files of a destination; the oldest are removed
_FILE_BYTES: Final = 4 << 20


def keep(directory: str, writer: str, spans: Iterable[tuple[ReadableSpan, str]]) -> None:
    """Add refused spans and the reasons to the files of a writer.

    Raises:
        OSError: they cannot be written.
    """
    with Folder(directory, create=True) as destination, Folder(REJECTED, destination, create=True) as folder:
        for span, reason in spans:
            folder.append(_file(folder, writer), msgspec.json.encode(tame(_readable(span, reason))) + b"\n")
        files = [(name, folder.stat(name)) for name in folder.names()]
        total = sum(status.st_size for _, status in files)
        for name, status in sorted(files, key=lambda file: file[1].st_mtime):
            if total <= MAX_BYTES:
                break
            folder.unlink(name)
            total -= status.st_size


def _file(folder: Folder, writer: str) -> str:
    number = 1
    with contextlib.suppress(FileNotFoundError):
        while folder.stat(f"{writer}-{number:03}.jsonl").st_size >= _FILE_BYTES:
            number += 1
    return f"{writer}-{number:03}.jsonl"


def _readable(span: ReadableSpan, reason: str) -> dict[str, Any]:
    context, parent = span.get_span_context(), span.parent
    return {
        "reason": reason,
        "rejected": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "trace_id": "" if context is None else f"{context.trace_id:032x}",
        "span_id": "" if context is None else f"{context.span_id:016x}",
        "parent_span_id": "" if parent is None else f"{parent.span_id:016x}",
        "name": span.name,
        "kind": span.kind.name,
        "start_time_unix_nano": span.start_time,
        "end_time_unix_nano": span.end_time,
        "status": span.status.status_code.name,
        "status_description": span.status.description,
        "scope": span.instrumentation_scope.name if span.instrumentation_scope else None,
        "attributes": span.attributes,
        "events": [
            {"name": event.name, "time_unix_nano": event.timestamp, "attributes": event.attributes}
            for event in span.events
        ],
        "links": [
            {
                "trace_id": f"{link.context.trace_id:032x}",
                "span_id": f"{link.context.span_id:016x}",
                "attributes": link.attributes,
            }
            for link in span.links
        ],
        "resource": span.resource.attributes,
    }
