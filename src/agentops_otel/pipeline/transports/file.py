"""OTLP JSON lines in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from . import otlp
from .attempt import Reply, Verdict
from .local import LocalTransport
from .otlp_json import json_line
from .request import not_encodable

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

DEFAULT_FILE: Final = "agentops-traces.jsonl"


def file_path(endpoint: str | None) -> str:
    """The path that an endpoint of protocol `file` names."""
    if not endpoint or endpoint.startswith(("http://", "https://")):
        return DEFAULT_FILE
    parts = urlsplit(endpoint)
    return os.path.expanduser(unquote(parts.path) if parts.scheme == "file" else endpoint)


class FileTransport(LocalTransport):
    """OTLP JSON lines, one ``{"resourceSpans": [...]}`` per line, appended.

    A file holds one signal only, so log events are not written:
    https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = path
        self._torn = False  # the last write stopped inside a line

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """Append one line and leave nothing in a buffer."""
        try:
            line = json_line(otlp.request(spans))
        except Exception as error:
            return not_encodable(error)
        try:
            self._append(line)
        except OSError as error:
            return Reply(Verdict.RETRY, f"{self._path}: {(error.strerror or type(error).__name__).lower()}")
        return Reply(Verdict.ACCEPTED)

    def _append(self, line: bytes) -> None:
        directory = os.path.dirname(self._path)
        if directory:
            os.makedirs(directory, exist_ok=True)
        # Opened each time, so that the file may be rotated; for the owner only, because it holds prompts.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            rest = memoryview(b"\n" + line if self._torn else line)
            self._torn = True
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            self._torn = False
        finally:
            os.close(descriptor)
