"""How one request leaves the process: OTLP over HTTP or gRPC, console, OTLP JSON lines in a file, or a user's exporter.

A transport makes exactly one attempt and says what came of it (`Reply`); waiting, repeating, splitting and counting
belong to `exporters.py`. ``grpc``, protobuf and what speaks HTTP are imported at the first request, not with the
package.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
import re
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .. import environment, semconv
from ..clock import monotonic
from ..config import authorization, insecure
from ..figures import format_cost
from ..log import logger
from ..text import encodable
from . import outage
from .address import is_loopback, shown_url
from .ids import project_id
from .tls import TlsFiles

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.util.types import AttributeValue

    from ..config import Configuration
    from .connection import Answer, Connections


MAX_REQUEST_BYTES: Final = 3 * 1024 * 1024  # before gzip; gRPC servers refuse 4 MiB by default
MAX_RETRY_AFTER: Final = 300.0
DEFAULT_FILE: Final = "agentops-traces.jsonl"
SEVERITY_INFO: Final = 9  # SEVERITY_NUMBER_INFO

_TRACES_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_LOGS_METHOD: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


class Verdict(Enum):
    """What one attempt came to."""

    ACCEPTED = "accepted"  # acknowledged; `Reply.rejected` spans of it were refused for good
    REJECTED = "rejected"  # something in this request is refused for good; the rest of it may be fine
    TOO_LARGE = "too large"  # the same, because of the size
    RETRY = "retry"  # the same request may be taken later
    FAILED = "failed"  # an error inside the backend, which the content may have caused
    REFUSED = "refused"  # the backend accepts nothing from us (wrong key, wrong address); do not repeat at once
    DROPPED = "dropped"  # the whole request is refused for good, and must not be repeated
    UNSUPPORTED = "unsupported"  # the backend does not know this signal


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of one attempt. `reason` is one short line without payload or secret; `retry_after` is in seconds."""

    verdict: Verdict
    reason: str = ""
    rejected: int = 0
    retry_after: float | None = None
    reached: bool = True  # False: decided here, nothing is known of the backend
    key_refused: bool = False


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event of the logs signal. `time_ns` is Unix time in nanoseconds, `severity` an OTLP severity number."""

    name: str
    time_ns: int
    trace_id: int
    span_id: int
    attributes: Mapping[str, AttributeValue]
    severity: int = SEVERITY_INFO


class Transport(Protocol):
    """One attempt at a time, at most `timeout` seconds as far as the transport can help it."""

    name: str  # where spans go, for messages; without secrets
    box: str | None  # where the pages are of the box of ours that has acknowledged something

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """Try to deliver spans once."""

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """Try to deliver log events once."""

    def flush(self, timeout: float) -> bool:
        """Wait until what was accepted has really left, for a transport that buffers."""

    def abandon(self) -> bool:
        """Called when an attempt is left behind unanswered; True when another one may start beside it."""

    def reset(self) -> None:
        """Called in a forked child: give up the parent's connections, and say nothing on them."""

    def close(self) -> None:
        """Give up connections and files."""


def open_transport(config: Configuration) -> Transport:
    """The transport for a configuration; nothing is connected or imported yet."""
    if config.exporter is not None:
        return CustomTransport(config.exporter)
    if config.protocol == "console":
        return ConsoleTransport()
    if config.protocol == "file":
        return FileTransport(file_path(config.endpoint))
    if config.protocol == "grpc":
        return GrpcTransport(config)
    return HttpTransport(config)


# What goes on the wire ------------------------------------------------------------------------------------------------


def encode(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """Spans as an OTLP request; raises whatever the encoder raises for a span that cannot be encoded."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    return encode_spans(spans)


def encode_events(events: Sequence[LogEvent], resource: Resource) -> ExportLogsServiceRequest:
    """Log events as an OTLP request, made from the messages themselves: the SDK's logs API changed between releases."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage

    names_itself = "event_name" in LogRecord.DESCRIPTOR.fields_by_name  # OTLP 1.5; before it the name was an attribute

    def record(event: LogEvent) -> LogRecord:
        attributes = dict(event.attributes) if names_itself else {"event.name": event.name, **event.attributes}
        message = LogRecord(
            time_unix_nano=event.time_ns,
            observed_time_unix_nano=event.time_ns,
            severity_number=event.severity,  # type: ignore[arg-type]
            severity_text="INFO" if event.severity == SEVERITY_INFO else "",
            attributes=_key_values(attributes),
            trace_id=event.trace_id.to_bytes(16, "big"),
            span_id=event.span_id.to_bytes(8, "big"),
        )
        if names_itself:
            message.event_name = event.name
        return message

    scope = ScopeLogs(
        scope=InstrumentationScope(name=semconv.SCOPE_NAME), log_records=[record(event) for event in events]
    )
    about = ResourceMessage(attributes=_key_values(resource.attributes))
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=about, scope_logs=[scope], schema_url=resource.schema_url)]
    )


def _key_values(attributes: Mapping[str, Any]) -> list[Any]:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    return [
        KeyValue(key=encodable(key), value=_any_value(value)) for key, value in attributes.items() if value is not None
    ]


def _any_value(value: Any) -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, (list, tuple)):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    return AnyValue(string_value=encodable(value if isinstance(value, str) else str(value)))


def _not_encodable(error: Exception) -> Reply:
    return Reply(Verdict.REJECTED, f"not encodable: {type(error).__name__}", reached=False)


def _encoded(spans: Sequence[ReadableSpan]) -> bytes | Reply:
    """The request body, or why it is not sent: one span may have any size, several share `MAX_REQUEST_BYTES`."""
    try:
        body: bytes = encode(spans).SerializeToString()
    except Exception as error:
        return _not_encodable(error)
    if len(body) > MAX_REQUEST_BYTES and len(spans) > 1:
        return Reply(Verdict.TOO_LARGE, f"{len(body)} bytes in one request", reached=False)
    return body


def _partial(response: Any, field: str) -> Reply:
    """An answer to an OTLP request: accepted, less what the partial success says."""
    rejected = max(0, int(getattr(response.partial_success, field)))
    return Reply(Verdict.ACCEPTED, _line(response.partial_success.error_message), rejected=rejected)


def _line(text: object) -> str:
    """Foreign text as one short printable line."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:200]).strip()


# Where it goes, and what may go along ---------------------------------------------------------------------------------


_KEYS: Final = ("authorization", "x-agentops-parent-key")
_told: set[str] = set()  # hosts that were warned about once


def _headers(config: Configuration, url: str) -> dict[str, str]:
    """The request headers, names in lower case. Keys do not go over plain HTTP to another machine.

    User and password in the URL are sent where nothing else authorizes. ``OTEL_EXPORTER_OTLP_INSECURE=true`` says that
    the way there is trusted. Headers that the user wrote are sent as they are.
    """
    keys = {}
    basic = authorization(url)
    if config.api_key:
        keys["authorization"] = f"Bearer {config.api_key}"
    elif basic and "authorization" not in config.headers:
        keys["authorization"] = basic
    if config.parent_key:
        keys["x-agentops-parent-key"] = config.parent_key
    parts = urlsplit(url)
    if keys and parts.scheme == "http" and not is_loopback(parts.hostname) and not insecure():
        keys.clear()
        if shown_url(url) not in _told:
            _told.add(shown_url(url))
            logger.warning(
                "%s not sent to %s because the connection is not encrypted: use https, or set "
                "OTEL_EXPORTER_OTLP_INSECURE=true if the network is trusted",
                "the API key is" if config.api_key or config.parent_key else "user and password of the endpoint are",
                shown_url(url),
            )
    return {**keys, **config.headers}


def _credentials(config: Configuration, sent: Mapping[str, str]) -> str:
    """What a backend refuses that says 401 or 403, in words."""
    if "authorization" in config.headers or (config.headers and not config.api_key):
        return f"the key in the headers{_origin(config, 'headers')} was refused"
    if not config.api_key and "authorization" in sent:
        return "user and password of the endpoint were refused"
    if not config.api_key:
        return "no key is set: set AGENTOPS_API_KEY"
    if "authorization" not in sent:
        return (
            "the API key was not sent because the connection is not encrypted: use https, or set "
            "OTEL_EXPORTER_OTLP_INSECURE=true if the network is trusted"
        )
    return f"the API key{_origin(config, 'api_key')}, of project {project_id(config.api_key)}, was refused"


def _origin(config: Configuration, setting: str) -> str:
    variable = config._sources.get(setting)
    return f" from {variable}" if variable and setting not in config._given else ""


def _compression(signal: str) -> str:
    """How request bodies of a signal are packed: gzip, if the environment does not say ``deflate`` or ``none``.

    https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options
    """
    own = environment.value(f"OTEL_EXPORTER_OTLP_{signal.upper()}_COMPRESSION")
    return (own or environment.value("OTEL_EXPORTER_OTLP_COMPRESSION") or "gzip").lower()


# OTLP over HTTP -------------------------------------------------------------------------------------------------------

_RETRYABLE_STATUS: Final = frozenset({408, 429, 502, 503, 504})
_CONTENT_STATUS: Final = frozenset({400, 422})
_NO_SIGNAL_STATUS: Final = frozenset({404, 405, 501})
_KEY_STATUS: Final = frozenset({401, 403})
# What Go's and nginx's servers say, in plain text, to a request without TLS.
_PACKED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda body: gzip.compress(body, 5),
    "deflate": lambda body: zlib.compress(body, 5),  # HTTP's "deflate" is zlib's format (RFC 9110, 8.4.1.2)
    "none": bytes,
}
_HTTPS_WANTED: Final = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS", re.IGNORECASE)


_BOX_HEADER: Final = "x-agentops-otel"
_BOX_URL: Final = re.compile(r'url="(https?://[0-9A-Za-z.:\[\]-]+)"')


class HttpTransport:
    """OTLP/HTTP with protobuf bodies and kept connections.

    Redirects are not followed, ``.netrc`` is never read, and this machine's own addresses are never reached through a
    proxy.
    """

    def __init__(self, config: Configuration) -> None:
        self._traces = _without_user(config._signal_endpoint("traces"))
        self._logs = _without_user(config._signal_endpoint("logs"))
        self.name: str = shown_url(self._traces)
        self.box: str | None = None
        self._sent_headers = {
            **_headers(config, config._signal_endpoint("traces")),
            "content-type": "application/x-protobuf",
            "accept-encoding": "identity",
            "user-agent": "agentops-otel",
        }
        # Keys and the like are for one backend: where logs go elsewhere, what is sent there depends on that way.
        elsewhere = urlsplit(self._traces)[:2] != urlsplit(self._logs)[:2]
        keys = _headers(config, config._signal_endpoint("logs")) if elsewhere else {}
        own = {name: text for name, text in self._sent_headers.items() if not elsewhere or name not in _KEYS}
        self._sent_with_logs = {**own, **keys}
        self._compression = {
            url: _compression(signal) for signal, url in (("logs", self._logs), ("traces", self._traces))
        }
        self._credentials = _credentials(config, self._sent_headers)
        self._tls = TlsFiles.from_environment()
        self._connections: Connections | None = None
        self._answered = False  # this process has had an answer: a connection may be kept, and stale

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """One POST to the traces endpoint."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        body = _encoded(spans)
        if isinstance(body, Reply):
            return body

        def read(answer: Answer) -> Reply:
            return _http_partial(answer, ExportTraceServiceResponse, "rejected_spans")

        return self._exchange(self._traces, body, timeout, read)

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """One POST to the logs endpoint; 404 and its kind mean that the backend takes no logs."""
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

        body = encode_events(events, resource).SerializeToString()

        def read(answer: Answer) -> Reply:
            return _http_partial(answer, ExportLogsServiceResponse, "rejected_log_records")

        return self._exchange(self._logs, body, timeout, read, _NO_SIGNAL_STATUS)

    def flush(self, timeout: float) -> bool:
        """Nothing is buffered."""
        return True

    def abandon(self) -> bool:
        """The connection stays with the attempt that hangs; the next one gets a new one."""
        left, self._connections, self._answered = self._connections, None, False
        if left is not None:
            left.retire()
        return True

    def reset(self) -> None:
        """Give up this process's descriptors of the parent's connections, which tells the backend nothing."""
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        if self._connections is not None:
            self._connections.close()
        self._connections, self._answered = None, False

    def _exchange(
        self,
        url: str,
        body: bytes,
        timeout: float,
        read: Callable[[Answer], Reply],
        unsupported: frozenset[int] = frozenset(),
    ) -> Reply:
        until = monotonic() + timeout
        may_be_stale = self._answered
        body = _PACKED[self._compression[url]](body)
        try:
            answer = self._post(url, body, until)
        except Exception as error:
            # A server may close a kept connection in the moment we use it; that is no outage.
            if not may_be_stale or isinstance(error, TimeoutError):
                return self._unanswered(error, url)
            self.reset()
            try:
                answer = self._post(url, body, until)
            except Exception as second:
                return self._unanswered(second, url)
        self._answered = True
        if answer.status in unsupported:
            return Reply(Verdict.UNSUPPORTED, str(answer.status))
        if 200 <= answer.status < 300:
            reply = read(answer)
            if reply.verdict is Verdict.ACCEPTED:
                self.box = _box(answer.headers.get(_BOX_HEADER), url)
            return reply
        return _http_failure(answer, url, self._credentials)

    def _post(self, url: str, body: bytes, until: float) -> Answer:
        if self._connections is None:
            from .connection import Connections

            self._connections = Connections(self._tls)
        headers = self._sent_with_logs if url == self._logs else self._sent_headers
        if (compression := self._compression[url]) != "none":
            headers = {**headers, "content-encoding": compression}
        return self._connections.post(url, body, headers, until)

    def _unanswered(self, error: Exception, url: str) -> Reply:
        place = self._connections.place if self._connections is not None else shown_url(url)
        secure = url.startswith("https:")
        cause = outage.connection_failed(error, place, secure=secure, answered=self._answered)
        return Reply(Verdict.REFUSED if cause.lasting else Verdict.RETRY, cause.text)


def _box(about: str | None, url: str) -> str | None:
    """Where the pages are of a box of ours, which says so of itself; None when another backend has answered.

    Args:
        about: its header, such as ``0.9.0; url="http://127.0.0.1:4318"``.
        url: where it was reached. What it says of its address is followed on this machine alone, where the name that
            it goes by matters to its cookie.
    """
    if about is None:
        return None
    parts = urlsplit(url)
    said = _BOX_URL.search(about)
    with contextlib.suppress(ValueError):  # what it says is no URL
        if said and is_loopback(parts.hostname) and is_loopback(urlsplit(said[1]).hostname):
            return said[1]
    return f"{parts.scheme}://{parts.netloc}"


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _http_partial(answer: Answer, message: Any, field: str) -> Reply:
    """Read a 2xx answer; one that is not an OTLP answer acknowledges nothing (a captive portal says 200 too)."""
    response = message()
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if answer.body is None:
            raise ValueError("the answer is too long for OTLP")
        if kind == "application/json" and answer.body.strip():
            from google.protobuf.json_format import Parse  # type: ignore[import-untyped]

            Parse(answer.body, response, ignore_unknown_fields=True)
        elif kind != "application/json":
            response.ParseFromString(answer.body)
    except Exception:
        return Reply(Verdict.RETRY, f"{answer.status} with an answer that is not OTLP")
    return _partial(response, field)


def _http_failure(answer: Answer, url: str, credentials: str) -> Reply:
    reason = f"{answer.status} {_line(answer.phrase)}".strip()
    parts = urlsplit(url)
    if answer.status in _KEY_STATUS:
        return Reply(Verdict.REFUSED, f"{reason}: {credentials}", key_refused=True)
    if answer.status in _NO_SIGNAL_STATUS:
        return Reply(
            Verdict.REFUSED, f"{reason}: nothing takes spans at {parts.path or '/'}; check the endpoint's path"
        )
    if answer.status == 400 and parts.scheme == "http" and _HTTPS_WANTED.search(answer.body or b""):
        return Reply(Verdict.REFUSED, outage.expects_tls(parts.netloc))
    if 300 <= answer.status < 400:
        target = _line(shown_url(answer.headers.get("location") or "nowhere"))
        return Reply(Verdict.REFUSED, f"{reason}, a redirect to {target!r}, which is not followed")
    if answer.status in _RETRYABLE_STATUS:
        return Reply(Verdict.RETRY, reason, retry_after=_retry_after(answer.headers.get("retry-after")))
    if answer.status == 413:
        return Reply(Verdict.TOO_LARGE, reason)
    if answer.status in _CONTENT_STATUS:
        return Reply(Verdict.REJECTED, reason)
    return Reply(Verdict.FAILED if answer.status >= 500 else Verdict.REFUSED, reason)


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        when = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
        seconds = (when - datetime.now(timezone.utc)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if not math.isnan(seconds) else None


# OTLP over gRPC -------------------------------------------------------------------------------------------------------

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


class GrpcTransport:
    """OTLP/gRPC: ``http://`` without, ``https://`` with TLS. ``grpc`` is imported at the first request."""

    box: str | None = None

    def __init__(self, config: Configuration) -> None:
        url = config._signal_endpoint("traces")
        parts = urlsplit(url)
        self._secure = parts.scheme != "http"
        self._loopback = is_loopback(parts.hostname)
        authority = parts.netloc.rpartition("@")[2]
        self._target = authority if parts.port or self._secure else f"{authority.rstrip(':')}:4317"
        self.name: str = f"{parts.scheme}://{self._target}"
        headers = _headers(config, url)
        self._metadata = tuple(headers.items())
        self._credentials = _credentials(config, headers)
        self._compression = {_TRACES_METHOD: _compression("traces"), _LOGS_METHOD: _compression("logs")}
        self._answered = False
        self._tls = TlsFiles.from_environment()
        self._channel: Any = None

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """One call of the trace service."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        body = _encoded(spans)
        if isinstance(body, Reply):
            return body
        return self._call(_TRACES_METHOD, body, timeout, ExportTraceServiceResponse, "rejected_spans")

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """One call of the logs service; UNIMPLEMENTED means that the backend takes no logs."""
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

        body = encode_events(events, resource).SerializeToString()
        return self._call(_LOGS_METHOD, body, timeout, ExportLogsServiceResponse, "rejected_log_records")

    def flush(self, timeout: float) -> bool:
        """Nothing is buffered."""
        return True

    def abandon(self) -> bool:
        """Closing the channel ends the call that hangs."""
        self.close()
        return True

    def reset(self) -> None:
        """Forget the channel: it does not survive a fork, and closing it in the child may hang."""
        self._channel = None

    def close(self) -> None:
        """Close the channel."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _call(self, method: str, body: bytes, timeout: float, message: Any, field: str) -> Reply:
        try:
            import grpc  # type: ignore[import-untyped]
        except ImportError:
            return Reply(Verdict.REFUSED, outage.NO_GRPC)
        try:
            channel = self._open_channel(grpc)
        except OSError as error:
            return Reply(Verdict.REFUSED, f"{error.filename} cannot be read ({(error.strerror or '').lower()})")
        export = channel.unary_unary(method)  # bytes in, bytes out
        try:
            compression = getattr(grpc.Compression, _GRPC_COMPRESSION[self._compression[method]])
            answer = export(body, timeout=timeout, metadata=self._metadata, compression=compression)
        except grpc.RpcError as error:
            if method == _LOGS_METHOD and error.code().name == "UNIMPLEMENTED":
                return Reply(Verdict.UNSUPPORTED, "UNIMPLEMENTED")
            return self._failure(error)
        self._answered = True
        response = message()
        try:
            response.ParseFromString(answer)
        except Exception:
            return Reply(Verdict.RETRY, "the answer is not OTLP")
        return _partial(response, field)

    def _failure(self, error: Any) -> Reply:
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
        cause = outage.grpc_failed(code, details, self._target, secure=self._secure, answered=self._answered)
        if code in _RETRYABLE_CODES and not cause.lasting:
            return Reply(Verdict.RETRY, cause.text, retry_after=_retry_delay(error))
        return Reply(Verdict.FAILED if code in ("INTERNAL", "UNKNOWN") else Verdict.REFUSED, cause.text)

    def _open_channel(self, grpc: Any) -> Any:
        if self._channel is not None:
            return self._channel
        options = [*_CHANNEL_OPTIONS, ("grpc.primary_user_agent", "agentops-otel")]
        if self._loopback:
            options.append(("grpc.enable_http_proxy", 0))
        if not self._secure:
            self._channel = grpc.insecure_channel(self._target, options)
            return self._channel
        trusted = self._tls.certificate or self._tls.authorities
        if not self._tls.certificate and not os.path.isfile(trusted or ""):  # a folder is of no use here
            trusted = None
        files = (trusted, self._tls.client_key, self._tls.client_certificate)
        credentials = grpc.ssl_channel_credentials(*(_content(file) for file in files))
        self._channel = grpc.secure_channel(self._target, credentials, options)
        return self._channel


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


# Without a network ----------------------------------------------------------------------------------------------------


class ConsoleTransport:
    """One readable line per span on standard output, indented under its parent: time, name, duration, tokens, cost."""

    box: str | None = None

    name = "the console"

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """Write the spans in the order they started."""
        own = {span.context.span_id: span for span in spans if span.context}
        lines = [
            f"{'  ' * _depth(span, own)}{_summary(span)}\n"
            for span in sorted(spans, key=lambda span: span.start_time or 0)
        ]
        try:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError) as error:  # closed, or None under pythonw
            return Reply(Verdict.REFUSED, f"standard output: {type(error).__name__}")
        return Reply(Verdict.ACCEPTED)

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """Not shown: the spans say it all."""
        return Reply(Verdict.UNSUPPORTED)

    def flush(self, timeout: float) -> bool:
        """Nothing is buffered."""
        return True

    def abandon(self) -> bool:
        """Lines must not mix."""
        return False

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Standard output is not ours to close."""


def _depth(span: ReadableSpan, own: Mapping[int, ReadableSpan]) -> int:
    """Distance to the root; a parent that is not here (it ends later) counts as one step."""
    depth = 0
    parent = span.parent
    while parent is not None and depth < 32:
        depth += 1
        parent = own[parent.span_id].parent if parent.span_id in own else None
    return depth


def _summary(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    start, end = span.start_time or 0, span.end_time or 0
    parts = [
        datetime.fromtimestamp(start / 1e9, timezone.utc).astimezone().strftime("%H:%M:%S.%f")[:-3],
        _line(span.name),
        f"{(end - start) / 1e9:.3f} s",
    ]
    tokens_in, tokens_out = attributes.get(semconv.USAGE_INPUT_TOKENS), attributes.get(semconv.USAGE_OUTPUT_TOKENS)
    if tokens_in is not None or tokens_out is not None:
        parts.append(f"{tokens_in or 0} in, {tokens_out or 0} out")
    cost = attributes.get(semconv.COST_AMOUNT, attributes.get(semconv.SESSION_COST))
    if isinstance(cost, (int, float)):
        parts.append(format_cost(cost))
    state = attributes.get(semconv.SESSION_END_STATE)
    if state:
        parts.append(_line(state))
    if span.status.status_code.name == "ERROR":
        parts.append(f"ERROR {_line(span.status.description or '')}".strip())
    return "  ".join(parts)


def file_path(endpoint: str | None) -> str:
    """The path that an endpoint of protocol `file` names."""
    if not endpoint or endpoint.startswith(("http://", "https://")):
        return DEFAULT_FILE
    parts = urlsplit(endpoint)
    return os.path.expanduser(unquote(parts.path) if parts.scheme == "file" else endpoint)


class FileTransport:
    """OTLP JSON lines, one ``{"resourceSpans": [...]}`` per line, appended.

    A file holds one signal only, so log events are not written:
    https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
    """

    box: str | None = None

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = path
        self._torn = False  # the last write stopped inside a line

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """Append one line and leave nothing in a buffer."""
        try:
            line = json_line(encode(spans))
        except Exception as error:
            return _not_encodable(error)
        try:
            self._append(line)
        except OSError as error:
            return Reply(Verdict.RETRY, f"{self._path}: {(error.strerror or type(error).__name__).lower()}")
        return Reply(Verdict.ACCEPTED)

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """Not written: a file holds one signal."""
        return Reply(Verdict.UNSUPPORTED)

    def flush(self, timeout: float) -> bool:
        """Nothing is buffered."""
        return True

    def abandon(self) -> bool:
        """Lines must not mix."""
        return False

    def reset(self) -> None:
        """Nothing is kept open."""

    def close(self) -> None:
        """Nothing is kept open."""

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


def json_line(request: ExportTraceServiceRequest) -> bytes:
    """A request as one line of OTLP JSON: ids as lower-case hex (not protobuf's base64), enumerations as numbers.

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    from google.protobuf.json_format import MessageToDict

    data = MessageToDict(request, use_integers_for_enums=True)
    for resource_spans, resource_data in zip(request.resource_spans, data.get("resourceSpans", ()), strict=True):
        for scope_spans, scope_data in zip(
            resource_spans.scope_spans, resource_data.get("scopeSpans", ()), strict=True
        ):
            for span, span_data in zip(scope_spans.spans, scope_data.get("spans", ()), strict=True):
                _set_hex_ids(span, span_data)
                for link, link_data in zip(span.links, span_data.get("links", ()), strict=True):
                    _set_hex_ids(link, link_data)
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def _set_hex_ids(message: Any, data: dict[str, Any]) -> None:
    data["traceId"], data["spanId"] = message.trace_id.hex(), message.span_id.hex()
    if "parentSpanId" in data:
        data["parentSpanId"] = message.parent_span_id.hex()


class CustomTransport:
    """Any `SpanExporter` of the user.

    Repeating is that exporter's own business, and a batch that it failed is dropped:
    https://opentelemetry.io/docs/specs/otel/trace/sdk/#exportbatch
    """

    box: str | None = None

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        kind = type(exporter)
        self.name: str = getattr(kind, "_agentops_destination", None) or kind.__name__

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """One call of `export()`; what it raises, whatever it is, means that the spans did not arrive."""
        try:
            result = self._exporter.export(tuple(spans))
        except BaseException as error:
            return Reply(Verdict.DROPPED, f"export() raised {type(error).__name__}")
        if result is SpanExportResult.FAILURE:
            return Reply(Verdict.DROPPED, "export() returned FAILURE")
        return Reply(Verdict.ACCEPTED)

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """A span exporter takes no logs."""
        return Reply(Verdict.UNSUPPORTED)

    def flush(self, timeout: float) -> bool:
        """The exporter's own force_flush()."""
        return self._exporter.force_flush(int(timeout * 1000)) is not False

    def abandon(self) -> bool:
        """export() of one exporter is never called twice at a time."""
        return False

    def reset(self) -> None:
        """The user's exporter looks after itself."""

    def close(self) -> None:
        """The exporter's own shutdown()."""
        self._exporter.shutdown()
