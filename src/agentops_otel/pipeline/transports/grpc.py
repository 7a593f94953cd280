"""OTLP over gRPC."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from ...log import logger
from .. import outage
from ..address import is_loopback
from ..tls import NotPossible, TlsFiles, load_client_certificate
from .acknowledgement import from_protobuf
from .attempt import MAX_RETRY_AFTER, Reply, Verdict
from .headers import compression, refused_credentials, request_headers
from .otlp_logs import logs_request
from .request import request_body

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

    from ...config import Configuration
    from ..log_event import LogEvent

_TRACES_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_LOGS_METHOD: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_RETRYABLE_CODES: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED"}
)
_KEY_CODES: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_GRPC_COMPRESSION: Final = {"gzip": "Gzip", "deflate": "Deflate", "none": "NoCompression"}
# An outage must not grow the channel's own pause between attempts to connect: we have our own.
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class _Way(NamedTuple):
    """How the calls of one signal go."""

    target: str
    secure: bool
    is_near: bool
    headers: Mapping[str, str]
    packing: str

    @classmethod
    def of(cls, signal: str, config: Configuration) -> _Way:
        url = config._signal_endpoint(signal)
        parts = urlsplit(url)
        secure = parts.scheme != "http"
        authority = parts.netloc.rpartition("@")[2]
        target = authority if parts.port or secure else f"{authority.rstrip(':')}:4317"
        return cls(target, secure, is_loopback(parts.hostname), request_headers(config, url), compression(signal))


class GrpcTransport:
    """OTLP/gRPC: ``http://`` without, ``https://`` with TLS. ``grpc`` is imported at the first request."""

    box: str | None = None

    def __init__(self, config: Configuration) -> None:
        self._traces = _Way.of("traces", config)
        self._logs = _Way.of("logs", config._for_logs())
        self.name: str = f"{'https' if self._traces.secure else 'http'}://{self._traces.target}"
        self._credentials = refused_credentials(config, self._traces.headers)
        self._answered: set[str] = set()  # targets
        self._tls = TlsFiles.from_environment()
        self._channels: dict[tuple[str, bool], Any] = {}  # by target, and whether over TLS

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """One call of the trace service."""
        body = request_body(spans)
        return body if isinstance(body, Reply) else self._call(self._traces, _TRACES_METHOD, body, timeout)

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """One call of the logs service; UNIMPLEMENTED means that the backend takes no logs."""
        return self._call(self._logs, _LOGS_METHOD, logs_request(events, resource), timeout)

    def flush(self, timeout: float) -> bool:
        """Nothing is buffered."""
        return True

    def abandon(self) -> bool:
        """Closing its channel ends the call that hangs."""
        self.close()
        return True

    def reset(self) -> None:
        """Forget the channels: they do not survive a fork, and closing one in the child may hang."""
        self._channels = {}

    def close(self) -> None:
        """Close the channels."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.close()

    def _call(self, way: _Way, method: str, body: bytes, timeout: float) -> Reply:
        try:
            import grpc  # type: ignore[import-untyped]
        except ImportError:
            return Reply(Verdict.REFUSED, outage.NO_GRPC)
        try:
            channel = self._open_channel(grpc, way)
        except NotPossible as error:
            return Reply(Verdict.REFUSED, str(error))
        except OSError as error:
            return Reply(Verdict.REFUSED, f"{error.filename} cannot be read ({(error.strerror or '').lower()})")
        export = channel.unary_unary(method)  # bytes in, bytes out
        try:
            packing = getattr(grpc.Compression, _GRPC_COMPRESSION[way.packing])
            answer = export(body, timeout=timeout, metadata=tuple(way.headers.items()), compression=packing)
        except grpc.RpcError as error:
            if method == _LOGS_METHOD and error.code().name == "UNIMPLEMENTED":
                return Reply(Verdict.UNSUPPORTED, "UNIMPLEMENTED")
            return self._failure(error, way)
        self._answered.add(way.target)
        try:
            return from_protobuf(answer)
        except ValueError:
            return Reply(Verdict.RETRY, "the answer is not OTLP")

    def _failure(self, error: Any, way: _Way) -> Reply:
        code: str = error.code().name
        details = error.details() or ""
        if code == "RESOURCE_EXHAUSTED" and "larger than max" in details:
            # The client library says the same of a reply that is too large; then the request may have been stored.
            if "CLIENT:" in details:
                return Reply(Verdict.RETRY, "the answer is not OTLP")
            return Reply(Verdict.TOO_LARGE, code)
        if code in _KEY_CODES:
            return Reply(Verdict.REFUSED, f"{code}: {self._credentials}", key_refused=True)
        if code == "INVALID_ARGUMENT":
            return Reply(Verdict.REJECTED, code)
        answered = way.target in self._answered
        cause = outage.grpc_failed(code, details, way.target, secure=way.secure, answered=answered)
        if code in _RETRYABLE_CODES and not cause.lasting:
            return Reply(Verdict.RETRY, cause.text, retry_after=_retry_delay(error))
        return Reply(Verdict.FAILED if code in ("INTERNAL", "UNKNOWN") else Verdict.REFUSED, cause.text)

    def _open_channel(self, grpc: Any, way: _Way) -> Any:
        """The channel of a signal; one for both where they go to the same target."""
        channels, place = self._channels, (way.target, way.secure)
        if place not in channels:
            channels[place] = self._new_channel(grpc, way)
        return channels[place]

    def _new_channel(self, grpc: Any, way: _Way) -> Any:
        options = [*_CHANNEL_OPTIONS, ("grpc.primary_user_agent", "agentops-otel")]
        if way.is_near:
            options.append(("grpc.enable_http_proxy", 0))
        if not way.secure:
            return grpc.insecure_channel(way.target, options)
        trusted = self._tls.certificate or self._tls.authorities
        if not self._tls.certificate and not os.path.isfile(trusted or ""):  # a folder is of no use here
            trusted = None
        # gRPC takes a key that it cannot read for no error of the call, and writes about it to standard error.
        load_client_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self._tls)
        certificate = self._tls.client_certificate
        files = (trusted, certificate and (self._tls.client_key or certificate), certificate)
        credentials = grpc.ssl_channel_credentials(*(_content(file) for file in files))
        return grpc.secure_channel(way.target, credentials, options)


def _content(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def _retry_delay(error: Any) -> float | None:
    """Seconds from a google.rpc.RetryInfo in the trailing metadata."""
    try:
        from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
        from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

        packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
        if packed is None:
            return None
        for detail in Status.FromString(packed).details:
            info = RetryInfo()
            if detail.Unpack(info):
                seconds: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
                return min(max(seconds, 0.0), MAX_RETRY_AFTER)
    except Exception:
        logger.debug("the backend's RetryInfo cannot be read", exc_info=True)
    return None
