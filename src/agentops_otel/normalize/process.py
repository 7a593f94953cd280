"""The process that made a span, and the server that it called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .. import semconv
from ..rows import Process
from .said import INT64, MESSAGE_LENGTH, Said, text_of_value


def server_of(said: Said) -> str | None:
    """The address of the server that was called, and its port when it is not 443."""
    address, port = said.text("server_address"), said.count("server_port")
    if address is None:
        url = said.text("server_url", MESSAGE_LENGTH)
        address, port = _address(url) if url else (None, 0)
    if address is None:
        return None
    return f"{address}:{port}" if port not in (0, 443) else address


def _address(url: str) -> tuple[str | None, int]:
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return None, 0


def process_of(resource: Mapping[str, Any]) -> Process:
    """The process that a resource describes; the spans of a request share one, so the last is kept."""
    global _last  # noqa: PLW0603
    last = _last
    if last[0] is not resource:
        last = _last = (resource, _process(resource))
    return last[1]


def _process(resource: Mapping[str, Any]) -> Process:
    text = resource.get
    pid = text("process.pid")
    return Process(
        service=text_of_value(text("service.name")) or "",
        host=text_of_value(text("host.name")) or "",
        pid=pid if type(pid) is int and 0 <= pid < INT64 else None,
        runtime=_runtime(resource),
        instance=text_of_value(text("service.instance.id")) or "",
        sdk=_sdk(resource),
    )


def _runtime(resource: Mapping[str, Any]) -> str:
    name = (
        text_of_value(resource.get("process.runtime.name"))
        or text_of_value(resource.get("telemetry.sdk.language"))
        or ""
    )
    version = text_of_value(resource.get("process.runtime.version")) or ""
    return f"{'python' if name == 'cpython' else name} {version}".strip()


def _sdk(resource: Mapping[str, Any]) -> str:
    version = text_of_value(resource.get(semconv.SDK_VERSION))
    if version is not None:
        return f"agentops-otel {version}"
    name = text_of_value(resource.get("telemetry.sdk.name")) or ""
    return f"{name} {text_of_value(resource.get('telemetry.sdk.version')) or ''}".strip()


_last: tuple[Mapping[str, Any], Process] = ({}, Process())
