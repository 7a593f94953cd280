"""Who answers at a port that is taken, and what to do about it."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import Final, Literal

from .gate import ABOUT

_PATIENCE: Final = 1.0  # seconds
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who answers there."""

    kind: Literal["box", "otlp", "other"]
    """Another box; an OTLP receiver such as the OpenTelemetry Collector; anything else."""
    address: str = ""
    """Of a box."""
    version: str = ""
    """Of a box."""

    def advice(self, port: int) -> str:
        """What is there and what to do, in one or two sentences."""
        other = f"agentops-otel up --port {port + 1 if port < 65_535 else port - 1}"
        if self.kind == "box":
            command = f"agentops-otel open --url {self.address}"
            return f"agentops-otel {self.version} is running already at {self.address}: {command} shows it."
        if self.kind == "otlp":
            return (
                f"Port {port} is taken by an OTLP receiver, such as an OpenTelemetry Collector. Stop it, or let it "
                f"send to a box at another port: {other}"
            )
        return f"Port {port} is taken by another program. Stop it, or use another port: {other}"


def neighbour(host: str, port: int) -> Neighbour:
    """Ask at a port; the answer comes within about two seconds."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        status, body, _ = _ask(host, port, "GET", ABOUT)
        said = json.loads(body) if status == 200 else None
        if isinstance(said, dict) and said.get("name") == "agentops-otel":
            return Neighbour("box", _printable(said.get("address")), _printable(said.get("version")))
    with contextlib.suppress(OSError, http.client.HTTPException):
        # A request without a span: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
        status, _, media_type = _ask(host, port, "POST", "/v1/traces")
        if status in (200, 401, 403) and media_type.startswith("application/x-protobuf"):
            return Neighbour("otlp")
    return Neighbour("other")


def _ask(host: str, port: int, method: str, path: str) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        headers = {"content-type": "application/x-protobuf"} if method == "POST" else {}
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST), answer.getheader("content-type") or ""
    finally:
        connection.close()


def _printable(text: object) -> str:
    return "".join(each for each in str(text)[:200] if each.isprintable())
