"""OTLP over HTTP."""

from __future__ import annotations

import contextlib
import gzip
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from ...clock import monotonic
from ...secrets import one_line
from .. import outage
from ..address import is_loopback, shown_url
from ..tls import TlsFiles
from .acknowledgement import from_json, from_protobuf
from .attempt import MAX_RETRY_AFTER, Reply, Verdict
from .headers import compression, refused_credentials, request_headers
from .otlp_logs import logs_request
from .request import request_body

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

    from ...config import Configuration
    from ..connection import Answer, Connections
    from ..log_event import LogEvent

_RETRYABLE_STATUS: Final = frozenset({408, 429, 502, 503, 504})
_CONTENT_STATUS: Final = frozenset({400, 422})
_NO_SIGNAL_STATUS: Final = frozenset({404, 405, 501})
_KEY_STATUS: Final = frozenset({401, 403})
_PACKED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda body: gzip.compress(body, 1),  # level 5 takes three times as long, and saves an eighth
    "deflate": lambda body: zlib.compress(body, 1),  # HTTP's "deflate" is zlib's format (RFC 9110, 8.4.1.2)
    "none": bytes,
}
_OF_EACH_REQUEST: Final = {
    "content-type": "application/x-protobuf",
    "accept-encoding": "identity",
    "user-agent": "agentops-otel",
}
# What Go's and nginx's servers say, in plain text, to a request without TLS.
_HTTPS_WANTED: Final = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS", re.IGNORECASE)
_BOX_HEADER: Final = "x-agentops-otel"
_BOX_URL: Final = re.compile(r'url="(https?://[0-9A-Za-z.:\[\]-]+)"')


class _Way(NamedTuple):
    """How the requests of one signal go."""

    url: str
    headers: Mapping[str, str]
    packing: str

    @classmethod
    def of(cls, signal: str, config: Configuration) -> _Way:
        url, packing = config._signal_endpoint(signal), compression(signal)
        headers = {**request_headers(config, url), **_OF_EACH_REQUEST}
        if packing != "none":
            headers["content-encoding"] = packing
        return cls(_without_user(url), headers, packing)


class HttpTransport:
    """OTLP/HTTP with protobuf bodies and kept connections.

    Redirects are not followed, ``.netrc`` is never read, and this machine's own addresses are never reached through a
    proxy.
    """

    def __init__(self, config: Configuration) -> None:
        self._traces = _Way.of("traces", config)
        self._logs = _Way.of("logs", config._for_logs())
        self.name: str = shown_url(self._traces.url)
        self.box: str | None = None
        self._credentials = refused_credentials(config, self._traces.headers)
        self._tls = TlsFiles.from_environment()
        self._connections: Connections | None = None
        self._answered = False  # this process has had an answer: a connection may be kept, and stale

    def send(self, spans: Sequence[ReadableSpan], timeout: float) -> Reply:
        """One POST to the traces endpoint."""
        body = request_body(spans)
        return body if isinstance(body, Reply) else self._exchange(self._traces, body, timeout)

    def send_events(self, events: Sequence[LogEvent], resource: Resource, timeout: float) -> Reply:
        """One POST to the logs endpoint; 404 and its kind mean that the backend takes no logs."""
        return self._exchange(self._logs, logs_request(events, resource), timeout, _NO_SIGNAL_STATUS)

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

    def _exchange(self, way: _Way, body: bytes, timeout: float, unsupported: frozenset[int] = frozenset()) -> Reply:
        until = monotonic() + timeout
        may_be_stale = self._answered
        body = _PACKED[way.packing](body)
        try:
            answer = self._post(way, body, until)
        except Exception as error:
            # A server may close a kept connection in the moment we use it; that is no outage.
            if not may_be_stale or isinstance(error, TimeoutError):
                return self._unanswered(error, way.url)
            self.reset()
            try:
                answer = self._post(way, body, until)
            except Exception as second:
                return self._unanswered(second, way.url)
        self._answered = True
        if answer.status in unsupported:
            return Reply(Verdict.UNSUPPORTED, str(answer.status))
        if 200 <= answer.status < 300:
            reply = _acknowledgement(answer)
            if reply.verdict is Verdict.ACCEPTED:
                self.box = _box(answer.headers.get(_BOX_HEADER), way.url)
            return reply
        return _http_failure(answer, way.url, self._credentials)

    def _post(self, way: _Way, body: bytes, until: float) -> Answer:
        if self._connections is None:
            from ..connection import Connections

            self._connections = Connections(self._tls)
        return self._connections.post(way.url, body, way.headers, until)

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


def _acknowledgement(answer: Answer) -> Reply:
    """Read a 2xx answer; one that is not an OTLP answer acknowledges nothing (a captive portal says 200 too)."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    read = from_json if kind == "application/json" else from_protobuf
    try:
        if answer.body is None:
            raise ValueError("the answer is too long for OTLP")
        return read(answer.body)
    except Exception:  # whatever a page of somebody else's is
        return Reply(Verdict.RETRY, f"{answer.status} with an answer that is not OTLP")


def _http_failure(answer: Answer, url: str, credentials: str) -> Reply:
    reason = f"{answer.status} {one_line(answer.phrase)}".strip()
    parts = urlsplit(url)
    if answer.status in _KEY_STATUS:
        return Reply(Verdict.REFUSED, f"{reason}: {credentials}", key_refused=True)
    if answer.status in _NO_SIGNAL_STATUS:
        return Reply(
            Verdict.REFUSED, f"{reason}: nothing takes spans at {parts.path or '/'}; check the endpoint's path"
        )
    if answer.status == 400 and parts.scheme == "http" and _HTTPS_WANTED.search(answer.body or b""):
        return Reply(Verdict.REFUSED, outage.expects_tls(parts.netloc))
    if 300 <= answer.status < 400 and (location := answer.headers.get("location")):
        target = one_line(shown_url(location))
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
            when = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
            seconds = (when - datetime.now(timezone.utc)).total_seconds()
        except (ValueError, OverflowError):  # the latter of a year or a zone that is too large
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if not math.isnan(seconds) else None
