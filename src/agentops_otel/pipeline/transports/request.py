"""The body of an OTLP request, or why it is not sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import otlp
from .attempt import Reply, Verdict

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MAX_REQUEST_BYTES: Final = 3 * 1024 * 1024  # before gzip; gRPC servers refuse 4 MiB by default


def not_encodable(error: Exception) -> Reply:
    """What is said of a request that the encoder does not take."""
    return Reply(Verdict.REJECTED, f"not encodable: {type(error).__name__}", reached=False)


def request_body(spans: Sequence[ReadableSpan]) -> bytes | Reply:
    """The request body, or why it is not sent: one span may have any size, several share `MAX_REQUEST_BYTES`."""
    try:
        body = otlp.request(spans)
    except Exception as error:
        return not_encodable(error)
    if len(body) > MAX_REQUEST_BYTES and len(spans) > 1:
        return Reply(Verdict.TOO_LARGE, f"{len(body)} bytes in one request", reached=False)
    return body
