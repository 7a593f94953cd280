"""Delivery: every fault of a backend against one exporter, with exact counts, over HTTP and gRPC."""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentops_otel.config import Configuration
from agentops_otel.pipeline import transport as transport_module
from agentops_otel.pipeline.address import is_loopback
from agentops_otel.pipeline.exporters import DeliveryExporter, LogEvent, open_transport
from agentops_otel.pipeline.transport import HttpTransport, Verdict
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer, Mode

KEY = "ao-secret-key-4711"
# The back-off does not fit into the time, so export() ends with the first answer. A short time would do so too, but on
# a busy machine it leaves requests behind, which the server may store later: at-least-once, not meant by these tests.
ONE_ATTEMPT: dict[str, Any] = {"retry_for": 30.0, "backoff": 60.0}
BOTH = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine reaches a test."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged at warning level or above under our name."""
    caplog.set_level(logging.DEBUG, logger="agentops_otel")
    return lambda: [
        r.getMessage() for r in caplog.records if r.name == "agentops_otel" and r.levelno >= logging.WARNING
    ]


def make_spans(*names: str, count: int = 0, **attributes: Any) -> list[ReadableSpan]:
    """Real finished spans of a real provider."""
    provider = TracerProvider(resource=Resource({"service.name": "test"}), shutdown_on_exit=False)
    kept: list[ReadableSpan] = []

    tracer = provider.get_tracer("tests")
    for name in names or [f"span {n}" for n in range(count)]:
        span = tracer.start_span(name, attributes=attributes)
        span.end()
        kept.append(span._readable_span())  # type: ignore[attr-defined]
    provider.shutdown()
    return kept


def ids(spans: Sequence[ReadableSpan]) -> list[str]:
    """Span ids in hex, sorted."""
    return sorted(trace.format_span_id(span.context.span_id) for span in spans if span.context)


@contextmanager
def delivering(
    server: FaultServer | str, protocol: str = "http/protobuf", **arguments: Any
) -> Iterator[DeliveryExporter]:
    """An exporter into a server, with waits short enough for a test."""
    settings = arguments.pop("settings", {})
    url = server if isinstance(server, str) else server.url
    configuration = Configuration(KEY, endpoint=url, protocol=protocol, **settings)
    exporter = DeliveryExporter(open_transport(configuration), **{"retry_for": 20.0, "backoff": 0.05, **arguments})
    try:
        yield exporter
    finally:
        exporter.deadline = time.monotonic() + 0.3
        exporter.shutdown()


def times(*modes: Mode) -> Callable[[float], Mode]:
    """Each mode for one request, the last one for all that follow."""
    left = list(modes)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@BOTH
def test_spans_arrive_whole(protocol: str, lines: Callable[[], list[str]]) -> None:
    """Spans arrive with ids, times and attributes, are counted as acknowledged, and nothing is logged."""
    spans = make_spans("one", "two", answer=42)
    with FaultServer(protocol) as server, delivering(server, protocol) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)
        first = server.spans()[0]
        assert (first.name, first.start_time_unix_nano) == ("one", spans[0].start_time)
        assert first.attributes[0].value.int_value == 42
        assert (exporter.counts.acknowledged, exporter.counts.dropped, exporter.kept) == (2, {}, 0)
    assert lines() == []


def test_roots_go_first_at_the_end() -> None:
    """When the process ends, a root is in the first request, however much was kept before it."""
    children = make_spans(count=600)
    (root,) = make_spans("session")
    for child in children:
        child._parent = root.context
    with FaultServer() as server, delivering(server) as exporter:
        exporter.keep([*children, root])
        exporter.closing = True
        assert exporter.force_flush(10_000)
        assert [len(request.spans) for request in server.requests] == [512, 89]
        assert server.requests[0].spans[0].name == "session"


@BOTH
def test_unreachable_backend_keeps_spans_and_says_so_once(protocol: str, lines: Callable[[], list[str]]) -> None:
    """N1: with nobody listening all spans are kept, one line is logged, and shutdown drops and counts them."""
    url = f"http://127.0.0.1:{free_port()}"
    with delivering(url, protocol, **ONE_ATTEMPT) as exporter:
        for _ in range(3):
            assert exporter.export(make_spans("a")) is SpanExportResult.FAILURE
        assert (exporter.counts.acknowledged, exporter.counts.dropped, exporter.kept) == (0, {}, 3)
    assert exporter.counts.dropped == {"undelivered": 3}
    assert len(lines()) == 1
    assert lines()[0].startswith(f"agentops-otel: spans cannot be delivered to {url}")
    assert "connection refused" in lines()[0]
    assert "refused" in str(exporter.last_error)


@BOTH
def test_outage_loses_nothing(protocol: str, lines: Callable[[], list[str]]) -> None:
    """N2, N3: a backend that dies with live connections and returns gets every span once, in two log lines."""
    before, during, after = make_spans(count=5), make_spans(count=7), make_spans(count=3)
    with FaultServer(protocol) as server, delivering(server, protocol) as exporter:
        exporter.export(before)
        server.down()
        exporter.retry_for = 0.2
        for span in during:
            exporter.export([span])
        assert exporter.kept == 7
        server.up()
        exporter.retry_for = 20.0
        assert exporter.export(after) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids([*before, *during, *after])
        assert (exporter.counts.acknowledged, exporter.counts.dropped, exporter.kept) == (15, {}, 0)
    assert len(lines()) == 2
    assert "accepts spans again; spans lost in the meantime: 0" in lines()[1]


def test_a_backend_that_blinks_is_not_announced_each_time(lines: Callable[[], list[str]]) -> None:
    """A backend that fails most requests at random gets every span once, in two log lines."""
    spans = make_spans(count=40)
    with (
        FaultServer(mode=fault_server.chaos(0.7)) as server,
        delivering(server, backoff=0.005, retry_for=60) as exporter,
    ):
        for span in spans:
            exporter.export([span])
        assert sorted(server.span_ids()) == ids(spans)
        assert exporter.counts.acknowledged == 40
    assert len(lines()) == 2


@BOTH
def test_slow_backend_is_waited_for(protocol: str) -> None:
    """N4: an answer that takes its time counts."""
    with FaultServer(protocol, fault_server.slow(0.3)) as server, delivering(server, protocol) as exporter:
        assert exporter.export(make_spans(count=4)) is SpanExportResult.SUCCESS
        assert exporter.counts.acknowledged == 4


@BOTH
def test_stored_but_answered_too_late_is_sent_again(protocol: str) -> None:
    """N5: without an answer in time nothing is acknowledged; the spans go again and none is lost."""
    spans = make_spans(count=3)
    with (
        FaultServer(protocol, fault_server.slow_but_stored(5)) as server,
        delivering(server, protocol, retry_for=0.4) as exporter,
    ):
        exporter.export(spans)
        assert (exporter.counts.acknowledged, exporter.kept) == (0, 3)
        server.mode = fault_server.ok
        assert exporter.force_flush(20000) is True
        assert exporter.counts.acknowledged == 3
        assert set(server.span_ids()) == set(ids(spans))


@BOTH
def test_retry_after_is_kept(protocol: str) -> None:
    """N6a: no request comes earlier than the backend asked for."""
    mode = times(fault_server.status(429, {"Retry-After": "1"}), fault_server.ok)
    with FaultServer(protocol, mode) as server, delivering(server, protocol) as exporter:
        assert exporter.export(make_spans(count=2)) is SpanExportResult.SUCCESS
        first, second = server.requests
        assert second.time - first.time >= 1.0


def test_no_wait_that_leaves_no_time_for_an_answer() -> None:
    """N6a: where the time is up soon after what the backend asked for, the next delivery sends."""
    mode = times(fault_server.status(429, {"Retry-After": "1"}), fault_server.ok)
    with FaultServer(mode=mode) as server, delivering(server, retry_for=1.2) as exporter:
        assert exporter.export(make_spans(count=2)) is SpanExportResult.FAILURE
        assert exporter.kept == 2
        assert len(server.requests) == 1


@BOTH
def test_long_retry_after_is_kept_across_exports(protocol: str) -> None:
    """N6b: a Retry-After beyond the budget keeps the spans without a wait, and later exports and flushes respect it."""
    mode = fault_server.status(429, {"Retry-After": "30"})
    with FaultServer(protocol, mode) as server, delivering(server, protocol) as exporter:
        begin = time.monotonic()
        exporter.export(make_spans("a"))
        exporter.export(make_spans("b"))
        assert exporter.force_flush(1000) is False
        assert time.monotonic() - begin < 5.0
        assert len(server.requests) == 1
        assert (exporter.kept, exporter.counts.dropped) == (2, {})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("86400", 300.0, id="capped"),
        pytest.param("-5", 0.0, id="negative"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("nan", None, id="nan"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_retry_after_header(value: str | None, seconds: float | None) -> None:
    """A Retry-After header in seconds is read, bounded to 300 s, and nonsense is ignored."""
    assert transport_module._retry_after(value) == seconds


def test_retry_after_date() -> None:
    """A Retry-After header may be a date."""
    seconds = transport_module._retry_after(formatdate(time.time() + 60, usegmt=True))
    assert seconds is not None
    assert 57 < seconds <= 60


@BOTH
@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_overload_is_repeated(protocol: str, code: int) -> None:
    """N7: an overloaded backend is asked again, and every span arrives once."""
    spans = make_spans(count=10)
    mode = times(fault_server.status(code), fault_server.status(code), fault_server.ok)
    with FaultServer(protocol, mode) as server, delivering(server, protocol) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)
        assert len(server.requests) == 3


@BOTH
@pytest.mark.parametrize("place", [0, 37, 99])
def test_only_the_refused_span_is_lost(protocol: str, place: int, lines: Callable[[], list[str]]) -> None:
    """N8: when one span makes the backend refuse a batch, the others arrive once and that one is counted."""
    names = [f"good {n}" for n in range(100)]
    names[place] = "bad"
    spans = make_spans(*names)
    with FaultServer(protocol, fault_server.reject_if("bad")) as server, delivering(server, protocol) as exporter:
        assert exporter.export(spans) is SpanExportResult.FAILURE
        assert sorted(server.span_ids()) == ids([span for span in spans if span.name != "bad"])
        assert (exporter.counts.acknowledged, exporter.counts.dropped, exporter.kept) == (99, {"rejected": 1}, 0)
        assert len(server.requests) <= 1 + 2 * 7
        assert str(exporter.last_error).startswith("1 span rejected: ")
    (line,) = lines()
    assert "1 span dropped, rejected by " in line


def test_many_refused_spans() -> None:
    """Every tenth span of a full batch refused: exactly those are lost."""
    spans = make_spans(*("bad" if n % 10 == 0 else f"good {n}" for n in range(512)))
    with FaultServer(mode=fault_server.reject_if("bad")) as server, delivering(server, retry_for=20) as exporter:
        exporter.export(spans)
        assert sorted(server.span_ids()) == ids([span for span in spans if span.name != "bad"])
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (460, {"rejected": 52})


def test_a_backend_that_refuses_everything_is_not_asked_for_each_span() -> None:
    """A backend that says 400 to everything gets a bounded number of requests, and all spans are counted."""
    with FaultServer(mode=fault_server.status(400)) as server, delivering(server, retry_for=20) as exporter:
        exporter.export(make_spans(count=512))
        assert exporter.counts.dropped == {"rejected": 512}
        assert len(server.requests) < 300


@BOTH
def test_server_error_is_repeated(protocol: str) -> None:
    """N8: a 500 that goes away loses nothing."""
    spans = make_spans(count=10)
    with (
        FaultServer(protocol, times(fault_server.status(500), fault_server.ok)) as server,
        delivering(server, protocol) as exporter,
    ):
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)


@BOTH
def test_server_error_caused_by_one_span(protocol: str) -> None:
    """A span that always makes the backend fail with 500 does not hold the others back, and is kept."""
    spans = make_spans(*(f"good {n}" for n in range(20)), "bad")
    more = make_spans("later")
    with (
        FaultServer(protocol, fault_server.reject_if("bad", 500)) as server,
        delivering(server, protocol) as exporter,
    ):
        exporter.export(spans)
        exporter.export(more)
        assert sorted(server.span_ids()) == ids([*spans[:-1], *more])
        assert (exporter.counts.acknowledged, exporter.kept) == (21, 1)
    assert exporter.counts.dropped == {"undelivered": 1}


def test_server_errors_without_end_are_bounded() -> None:
    """A backend that only says 500 is asked a bounded number of times, and the spans are kept."""
    with FaultServer(mode=fault_server.status(500)) as server, delivering(server) as exporter:
        exporter.export(make_spans(count=100))
        assert (exporter.counts.dropped, exporter.kept) == ({}, 100)
        assert len(server.requests) < 60


@BOTH
@pytest.mark.parametrize("mode", [fault_server.garbage(), fault_server.not_http()], ids=["body", "protocol"])
def test_garbage_acknowledges_nothing(protocol: str, mode: Mode) -> None:
    """N9: an answer that is not OTLP is no acknowledgement; the spans go again."""
    spans = make_spans(count=4)
    with FaultServer(protocol, times(mode, fault_server.ok)) as server, delivering(server, protocol) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("kind", "body", "accepted"),
    [
        pytest.param("application/x-protobuf", b"", True, id="empty"),
        pytest.param("application/json", b"{}", True, id="json"),
        pytest.param("application/json", b'{"partialSuccess": {}, "extra": 1}', True, id="json-with-more"),
        pytest.param("text/html", b"<html>Please log in</html>", False, id="captive-portal"),
        pytest.param("application/json", b"not json", False, id="bad-json"),
    ],
)
def test_what_counts_as_an_acknowledgement(kind: str, body: bytes, accepted: bool) -> None:
    """A 2xx acknowledges only with an OTLP answer or an empty one."""
    mode = Mode(body=body, headers={"content-type": kind})
    with FaultServer(mode=mode) as server, delivering(server, **ONE_ATTEMPT) as exporter:
        assert (exporter.export(make_spans("a")) is SpanExportResult.SUCCESS) is accepted
        assert exporter.counts.acknowledged == int(accepted)


@BOTH
def test_connection_reset(protocol: str) -> None:
    """N10: a reset connection loses nothing."""
    spans = make_spans(count=4)
    mode = times(fault_server.reset(), fault_server.reset(), fault_server.reset(), fault_server.ok)
    with FaultServer(protocol, mode) as server, delivering(server, protocol) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)


@BOTH
def test_partial_success(protocol: str, lines: Callable[[], list[str]]) -> None:
    """N11: rejected spans of a partial success are counted, not sent again, and one line is logged."""
    mode = fault_server.partial(3, "three were too old")
    with FaultServer(protocol, mode) as server, delivering(server, protocol) as exporter:
        exporter.export(make_spans(count=10))
        exporter.export(make_spans(count=10))
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (14, {"rejected": 6})
        assert len(server.requests) == 2
    (line,) = lines()
    assert "3 spans dropped, rejected by " in line
    assert "three were too old" in line


@BOTH
@pytest.mark.parametrize("rejects", [-1, 0, 1, 2, 3, 2**40])
def test_partial_success_of_any_number(protocol: str, rejects: int) -> None:
    """A backend that claims to reject more than it was sent has refused all of it; a number below zero is none.

    What is stored and what is acknowledged is the same in every case, and nothing is sent again.
    """
    spans = make_spans(count=2)
    with FaultServer(protocol, fault_server.partial(rejects)) as server, delivering(server, protocol) as exporter:
        exporter.export(spans)
        refused = min(max(rejects, 0), 2)
        assert (exporter.counts.acknowledged, exporter.counts.dropped.get("rejected", 0)) == (2 - refused, refused)
        assert server.span_ids() == [trace.format_span_id(span.context.span_id) for span in spans[: 2 - refused]]
        assert (exporter.kept, len(server.requests)) == (0, 1)


@pytest.mark.parametrize("code", [301, 302, 304, 307, 308])
def test_redirect_is_a_failure(code: int, lines: Callable[[], list[str]]) -> None:
    """N12: a redirect is not followed and acknowledges nothing; one line names its target, without the query."""
    with FaultServer() as elsewhere:
        mode = fault_server.redirect(f"{elsewhere.url}/login?token=t0k3n", code)
        with FaultServer(mode=mode) as server, delivering(server) as exporter:
            exporter.export(make_spans("a"))
            exporter.export(make_spans("b"))
            assert (exporter.counts.acknowledged, exporter.kept) == (0, 2)
            assert elsewhere.requests == []
            assert len(server.requests) == 2
    assert len(lines()) == 1
    assert f"{elsewhere.url}/login" in lines()[0]
    assert "t0k3n" not in lines()[0]


@BOTH
@pytest.mark.parametrize("mode", [fault_server.blackhole(), fault_server.drip(0.3)], ids=["blackhole", "drip"])
def test_a_silent_backend_holds_nobody(protocol: str, mode: Mode) -> None:
    """N13: neither silence nor a drip of bytes holds an export beyond its time, nor the exporter afterwards."""
    first, spans = make_spans("first"), make_spans(count=3)
    with FaultServer(protocol) as server, delivering(server, protocol) as exporter:
        exporter.export(first)
        server.mode, exporter.retry_for = mode, 0.5
        begin = time.monotonic()
        exporter.export(spans)
        assert time.monotonic() - begin < 5.0
        assert exporter.kept == 3
        assert server.wait_for(lambda: len(server.requests) == 2)
        assert len(server.requests) == 2
        server.mode = fault_server.ok
        # Far less than the drip would go on: the attempt that hangs was left behind.
        assert exporter.force_flush(10000) is True
        assert sorted(server.span_ids()) == ids([*first, *spans])


@BOTH
def test_deadline_ends_a_request_and_a_wait(protocol: str) -> None:
    """A deadline set while a request is under way ends it, and after it nothing blocks."""
    with (
        FaultServer(protocol, fault_server.blackhole()) as server,
        delivering(server, protocol, retry_for=30) as exporter,
    ):
        worker = threading.Thread(target=exporter.export, args=(make_spans("a"),))
        worker.start()
        assert server.wait_for(lambda: len(server.requests) == 1)
        exporter.deadline = time.monotonic() + 0.1
        worker.join(5.0)
        assert not worker.is_alive()
        begin = time.monotonic()
        exporter.export(make_spans("b"))
        assert time.monotonic() - begin < 3.0
        assert exporter.kept == 2


def test_a_new_deadline_ends_the_back_off() -> None:
    """A flush does not sit out a long back-off: the next attempt is made at once."""
    with (
        FaultServer(mode=times(fault_server.status(503), fault_server.ok)) as server,
        delivering(server, retry_for=60, backoff=30) as exporter,
    ):
        worker = threading.Thread(target=exporter.export, args=(make_spans("a"),))
        worker.start()
        assert server.wait_for(lambda: len(server.requests) == 1)
        time.sleep(0.05)
        exporter.deadline = time.monotonic() + 10
        worker.join(10.0)
        assert not worker.is_alive()
        assert exporter.counts.acknowledged == 1


def test_closing_with_a_known_outage_makes_one_attempt() -> None:
    """At the end of the process a backend that is known to be down costs one attempt and no wait."""
    with FaultServer(mode=fault_server.status(503)) as server, delivering(server, **ONE_ATTEMPT) as exporter:
        exporter.export(make_spans("a"))
        asked = len(server.requests)
        exporter.closing, exporter._backoff = True, 0.05
        begin = time.monotonic()
        exporter.export(make_spans("b"))
        assert time.monotonic() - begin < 5.0
        assert len(server.requests) == asked + 1


def test_shutdown_is_bounded_and_settles_the_books() -> None:
    """shutdown() while a request hangs returns in time; every span is then acknowledged or dropped."""
    with FaultServer(mode=fault_server.blackhole()) as server, delivering(server, retry_for=30) as exporter:
        worker = threading.Thread(target=exporter.export, args=(make_spans(count=5),))
        worker.start()
        assert server.wait_for(lambda: len(server.requests) == 1)
        begin = time.monotonic()
        exporter.deadline = begin + 0.2
        exporter.shutdown()
        assert time.monotonic() - begin < 5.0
        worker.join(5.0)
        assert not worker.is_alive()
        assert exporter.export(make_spans("late")) is SpanExportResult.FAILURE
        assert (exporter.counts.dropped, exporter.kept) == ({"undelivered": 6}, 0)


def test_shutdown_delivers_what_was_kept() -> None:
    """Spans kept from an outage go out at shutdown when the backend is back."""
    spans = make_spans(count=5)
    with FaultServer(mode=fault_server.status(503)) as server, delivering(server, **ONE_ATTEMPT) as exporter:
        exporter.export(spans)
        server.mode = fault_server.ok
        exporter.shutdown()
        assert sorted(server.span_ids()) == ids(spans)
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (5, {})


def test_the_oldest_kept_spans_go_first() -> None:
    """More undelivered spans than may be kept: the oldest are dropped and counted."""
    spans = make_spans(count=10)
    with (
        FaultServer(mode=fault_server.status(503)) as server,
        delivering(server, max_kept=4, **ONE_ATTEMPT) as exporter,
    ):
        exporter.export(spans)
        assert (exporter.counts.dropped, exporter.kept) == ({"undelivered": 6}, 4)
        server.mode = fault_server.ok
        assert exporter.force_flush(20000) is True
        assert sorted(server.span_ids()) == ids(spans[6:])


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_loopback_never_goes_through_a_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """N14: a proxy in the environment does not see what is sent to this machine."""
    with FaultServer() as proxy, FaultServer() as server:
        monkeypatch.setenv(variable, proxy.url)
        with delivering(server) as exporter:
            assert exporter.export(make_spans("a")) is SpanExportResult.SUCCESS
        assert (proxy.connections, len(server.requests)) == (0, 1)


def test_other_hosts_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is used for another host; the API key stays home when that way is not encrypted."""
    with FaultServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with delivering("http://collector.invalid:4318") as exporter:
            exporter.export(make_spans("a"))
        assert proxy.requests[0].path == "http://collector.invalid:4318/v1/traces"
        assert "authorization" not in proxy.requests[0].headers


def test_netrc_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S18: credentials of .netrc do not reach the backend, not even in place of a key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(make_spans("a"))
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


COMPRESSION = [
    ({}, "gzip", "gzip"),
    ({"": "none"}, None, None),
    ({"": "GZIP"}, "gzip", "gzip"),
    ({"": "deflate"}, "deflate", "deflate"),
    ({"": "deflate", "TRACES_": "none"}, None, "deflate"),
    ({"LOGS_": "none"}, "gzip", None),
    ({"": "zip", "LOGS_": "zip"}, "gzip", "gzip"),
]


@pytest.mark.parametrize(("variables", "traces", "logs"), COMPRESSION)
def test_compression(
    variables: dict[str, str], traces: str | None, logs: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are packed as the environment says, each signal by its own variable first."""
    for signal, compression in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION", compression)
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(make_spans("a"))
        exporter.send_events([EVENT], Resource({}))
        assert [(request.path, request.headers.get("content-encoding")) for request in server.requests] == [
            (fault_server.TRACES, traces),
            (fault_server.LOGS, logs),
        ]
        assert len(server.span_ids()) == len(server.logs()) == 1


@contextmanager
def overheard(port: int) -> Iterator[tuple[str, bytearray]]:
    """An address in front of a port, and all bytes that are sent there."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def carry(source: socket.socket, target: socket.socket, into: bytearray | None) -> None:
            while data := source.recv(65536):
                if into is not None:
                    into.extend(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

        def serve() -> None:
            with listener.accept()[0] as near, socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=carry, args=(far, near, None))
                back.start()
                carry(near, far, heard)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join()


@pytest.mark.parametrize(("variables", "traces", "logs"), COMPRESSION)
def test_compression_of_grpc(
    variables: dict[str, str], traces: str | None, logs: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gRPC packs its messages by the same variables: its header names the coding, or is not there."""
    for signal, compression in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION", compression)
    with FaultServer("grpc") as server, overheard(int(server.url.rpartition(":")[2])) as (url, heard):
        with delivering(url, "grpc") as exporter:
            exporter.export(make_spans("a", text="a" * 1000))
            of_traces = bytes(heard)
            exporter.send_events([EVENT], Resource({"text": "a" * 1000}))
        of_logs = bytes(heard[len(of_traces) :])
        for sent, coding in ((of_traces, traces), (of_logs, logs)):
            assert (b"a" * 1000 in sent) is (coding is None)
        # A header that was sent before on a connection is sent again as a number, so only the first one is read.
        if traces is not None:
            assert bytes([len(traces)]) + traces.encode() in of_traces
        assert len(server.span_ids()) == len(server.logs()) == 1


@BOTH
def test_key_and_headers(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    """The key travels as the Authorization header and nowhere else; no line, name, error or repr holds it."""
    caplog.set_level(logging.DEBUG)
    settings = {"parent_key": "parent-secret-1", "headers": {"X-Tenant": "acme"}}
    with FaultServer(protocol) as server, delivering(server, protocol, settings=settings) as exporter:
        exporter.export(make_spans("a"))
        headers = dict(server.requests[0].headers)
        server.mode = fault_server.status(401)
        exporter.export(make_spans("b"))
        seen = (exporter.last_error, repr(exporter), repr(exporter.transport), exporter.transport.name, caplog.text)
    assert headers.pop("authorization") == f"Bearer {KEY}"
    assert headers.pop("x-agentops-parent-key") == "parent-secret-1"
    assert headers["x-tenant"] == "acme"
    assert KEY not in repr(headers)
    assert "401" in caplog.text or "UNAUTHENTICATED" in caplog.text
    assert KEY not in str(seen)
    assert "parent-secret-1" not in str(seen)


def test_key_needs_an_encrypted_way(monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]) -> None:
    """S18: a key is not sent over plain HTTP to another host, unless the network is said to be trusted."""

    def sent(url: str) -> dict[str, str]:
        transport = HttpTransport(Configuration(KEY, endpoint=url))
        return transport._sent_headers

    assert "authorization" not in sent("http://collector-a:4318")
    assert "authorization" not in sent("http://collector-a:4318")
    assert len([line for line in lines() if "not encrypted" in line]) == 1
    assert sent("https://collector-a:4318")["authorization"] == f"Bearer {KEY}"
    assert sent("http://localhost:4318")["authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
    assert sent("http://collector-a:4318")["authorization"] == f"Bearer {KEY}"


ADA = "Basic " + base64.b64encode(b"ada:p@ss/w1").decode()


@pytest.mark.parametrize(
    ("arguments", "url", "authorization"),
    [
        ({}, "http://ada:p%40ss%2Fw1@{}", ADA),
        ({}, "http://ada:p@ss%2Fw1@{}", ADA),
        ({}, "http://ada@{}", "Basic " + base64.b64encode(b"ada:").decode()),
        ({}, "http://:key@{}", "Basic " + base64.b64encode(b":key").decode()),
        ({"headers": {"Authorization": "Bearer t"}}, "http://ada:x@{}", "Bearer t"),
        ({"headers": "authorization=Bearer t"}, "http://ada:x@{}", "Bearer t"),
        ({"api_key": KEY}, "http://ada:x@{}", f"Bearer {KEY}"),
    ],
)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_user_and_password_of_the_endpoint(protocol: str, arguments: Any, url: str, authorization: str) -> None:
    """They become Basic authorization, of both signals, unless something else authorizes; no name has them in it."""
    with FaultServer(protocol) as server:
        endpoint = url.format(server.url.partition("//")[2])
        transport = open_transport(Configuration(endpoint=endpoint, protocol=protocol, **arguments))
        assert transport.send(make_spans("a"), 5.0).verdict is Verdict.ACCEPTED
        transport.send_events([LogEvent("x", 1, 2, 3, {})], Resource({}), 5.0)
        assert [request.headers["authorization"] for request in server.requests] == [authorization] * 2
        assert transport.name.removesuffix("/v1/traces") == server.url
        transport.close()


def test_user_and_password_need_an_encrypted_way(
    monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    """As a key they are not sent over plain HTTP to another host, unless the network is said to be trusted."""

    def sent(url: str) -> dict[str, str]:
        return HttpTransport(Configuration(endpoint=url))._sent_headers

    assert "authorization" not in sent("http://ada:geheim@collector-d:4318")
    (line,) = lines()
    assert "user and password of the endpoint are not sent to http://collector-d:4318/v1/traces" in line
    assert "geheim" not in line
    assert "authorization" in sent("https://ada:geheim@collector-d:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
    assert "authorization" in sent("http://ada:geheim@collector-d:4318")


def test_logs_that_go_elsewhere_get_no_key_that_was_not_meant_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which credentials go along is decided by the address of the signal."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://ada:geheim@one/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://two/v1/logs")
    transport = HttpTransport(Configuration(headers={"x": "1"}))
    assert transport._sent_headers["authorization"].startswith("Basic ")
    assert "authorization" not in transport._sent_with_logs
    assert transport._sent_with_logs["x"] == "1"
    assert transport._sent_with_logs["content-type"] == "application/x-protobuf"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("agent.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("localhost.evil.com", False),
        ("127.0.0.1.evil.com", False),
        ("10.0.0.1", False),
        (None, False),
    ],
)
def test_is_loopback(host: str | None, loopback: bool) -> None:
    """Only names and addresses of this machine count as loopback."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("code", [200, 400])
def test_endless_reply(code: int) -> None:
    """N15: of a huge reply only a piece is read, the rest is left with the server, and it acknowledges nothing."""
    size = 400 * 1024 * 1024
    with FaultServer(mode=fault_server.big_body(size, code)) as server, delivering(server) as exporter:
        outcome = exporter.send(make_spans("a"), time.monotonic() + 20)
        assert outcome.acknowledged == []
        assert len(outcome.rejected) == (code == 400)
        # What the kernel's buffers took is counted by the server too.
        assert server.body_bytes_sent < 32 * 1024 * 1024


@BOTH
def test_large_batches_are_split(protocol: str) -> None:
    """N16: a batch beyond 3 MiB goes in several requests, none of them larger, each span once."""
    spans = make_spans(count=10, text="x" * 900_000)
    with FaultServer(protocol) as server, delivering(server, protocol, retry_for=10) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)
        assert max(request.size for request in server.requests) <= 3 * 1024 * 1024
        assert len(server.requests) == 4


@BOTH
def test_one_span_too_large(protocol: str, lines: Callable[[], list[str]]) -> None:
    """N16, N17: a span that is too large for the backend arrives with its value cut, and its siblings arrive whole."""
    mode = fault_server.too_large(4 * 1024 * 1024) if protocol == "http/protobuf" else fault_server.ok
    spans = [*make_spans(count=5), *make_spans("big", text="x" * 10_000_000, small="y"), *make_spans(count=5)]
    with FaultServer(protocol, mode) as server, delivering(server, protocol, retry_for=20) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)
        big = next(span for span in server.spans() if span.name == "big")
        values = {pair.key: pair.value.string_value for pair in big.attributes}
        assert values["small"] == "y"
        assert values["text"] == "x" * 65504 + f"… [{10_000_000 - 65504:,} characters cut]"
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (11, {})
    assert [line for line in lines() if "cut" in line]


def test_span_too_large_even_when_cut() -> None:
    """A span that is refused again after the cut is counted, and nothing else is lost."""
    spans = [*make_spans("a"), *make_spans("big", text="x" * 1_000_000), *make_spans("b")]
    with FaultServer(mode=fault_server.too_large(20_000)) as server, delivering(server) as exporter:
        exporter.export(spans)
        assert [span.name for span in server.spans()] == ["a", "b"]
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (2, {"too large": 1})


def test_span_that_cannot_be_encoded() -> None:
    """A span that the encoder refuses is counted; its batch arrives."""
    spans = [*make_spans("a"), *make_spans("half an emoji \ud83d"), *make_spans("b")]
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(spans)
        assert [span.name for span in server.spans()] == ["a", "b"]
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (2, {"not encodable": 1})


def test_many_spans_that_cannot_be_encoded() -> None:
    """However many spans the encoder refuses, those that it takes arrive."""
    spans = make_spans(*(f"span {n}" if n % 2 else "half an emoji \ud83d" for n in range(400)))
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(spans)
        assert sorted(server.span_ids()) == ids([span for span in spans if span.name.isascii()])
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (200, {"not encodable": 200})


def test_connections_are_kept() -> None:
    """Requests share one connection."""
    with FaultServer() as server, delivering(server) as exporter:
        for _ in range(5):
            exporter.export(make_spans("a"))
        assert (len(server.requests), server.connections) == (5, 1)


def test_a_kept_connection_that_breaks_is_no_outage(lines: Callable[[], list[str]]) -> None:
    """A server that closes a kept connection under a request is reached over a new one at once, without a word."""
    mode = times(fault_server.ok, fault_server.reset(), fault_server.ok)
    with FaultServer(mode=mode) as server, delivering(server, backoff=20) as exporter:
        exporter.export(make_spans("a"))
        assert exporter.export(make_spans("b")) is SpanExportResult.SUCCESS
        assert [span.name for span in server.spans()] == ["a", "b"]
        assert [request.connection for request in server.requests] == [1, 1, 2]
    assert lines() == []


def test_prepare_completes_spans_once() -> None:
    """Each span is prepared once, however often it is sent; when that raises, the span goes as it is."""
    seen: list[str] = []

    def prepare(span: ReadableSpan) -> ReadableSpan:
        seen.append(span.name)
        if span.name == "broken":
            raise ValueError("no price")
        return make_spans(f"{span.name} prepared")[0]

    mode = times(fault_server.status(503), fault_server.ok)
    with FaultServer(mode=mode) as server, delivering(server, prepare=prepare) as exporter:
        exporter.export(make_spans("a", "broken"))
        assert seen == ["a", "broken"]
        assert [span.name for span in server.spans()] == ["a prepared", "broken"]


class _Own(SpanExporter):
    """A user's exporter that does what it is told."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act
        self.names: list[str] = []
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.names += [span.name for span in spans]
        result: SpanExportResult = self.act()
        return result

    def shutdown(self) -> None:
        self.closed = True


def _raising(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "counts"),
    [
        pytest.param(lambda: SpanExportResult.SUCCESS, (2, {}), id="success"),
        pytest.param(lambda: None, (2, {}), id="none"),
        pytest.param(lambda: SpanExportResult.FAILURE, (0, {"exporter failed": 2}), id="failure"),
        pytest.param(_raising(ValueError("v")), (0, {"exporter failed": 2}), id="error"),
        pytest.param(_raising(SystemExit(3)), (0, {"exporter failed": 2}), id="system-exit"),
        pytest.param(_raising(KeyboardInterrupt()), (0, {"exporter failed": 2}), id="interrupt"),
    ],
)
def test_custom_exporter(act: Callable[[], Any], counts: tuple[int, dict[str, int]]) -> None:
    """Q3: whatever a user's exporter returns or raises is counted, once, and later spans still reach it."""
    own = _Own(act)
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)))
    exporter.export(make_spans("a", "b"))
    assert (exporter.counts.acknowledged, exporter.counts.dropped) == counts
    own.act = lambda: SpanExportResult.SUCCESS
    assert exporter.export(make_spans("c")) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert own.names == ["a", "b", "c"]
    assert own.closed


def test_an_interrupt_is_for_the_main_thread() -> None:
    """Ctrl-C while the main thread waits ends no other thread that delivers then, and is not lost."""
    exporter = DeliveryExporter(open_transport(Configuration(exporter=_Own(lambda: SpanExportResult.SUCCESS))))
    exporter._interrupted = True
    thread = threading.Thread(target=exporter.export, args=(make_spans("a"),))
    thread.start()
    thread.join()
    assert exporter.counts.acknowledged == 1
    with pytest.raises(KeyboardInterrupt):
        exporter.export(make_spans("b"))
    exporter.shutdown()


def test_custom_exporter_that_hangs() -> None:
    """A user's exporter that never returns holds nobody, and is never called twice at a time."""
    free = threading.Event()
    own = _Own(lambda: SpanExportResult.SUCCESS if free.wait(30) else SpanExportResult.FAILURE)
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)), retry_for=0.2)
    try:
        begin = time.monotonic()
        exporter.export(make_spans("a"))
        exporter.export(make_spans("b"))
        assert time.monotonic() - begin < 5.0
        assert own.names == ["a"]
        assert exporter.kept == 2
    finally:
        free.set()
        exporter.shutdown()
    assert exporter.counts.acknowledged == 2


def test_the_worker_thread_survives() -> None:
    """Q3: a BatchSpanProcessor keeps exporting after an exporter that raised SystemExit."""
    own = _Own(_raising(SystemExit(1)))
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)))
    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=10)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("tests")
    tracer.start_span("first").end()
    end = time.monotonic() + 5
    while not exporter.counts.dropped and time.monotonic() < end:
        time.sleep(0.005)
    own.act = lambda: SpanExportResult.SUCCESS
    tracer.start_span("second").end()
    while not exporter.counts.acknowledged and time.monotonic() < end:
        time.sleep(0.005)
    provider.shutdown()
    assert (exporter.counts.acknowledged, exporter.counts.dropped) == (1, {"exporter failed": 1})


def test_our_requests_are_not_traced() -> None:
    """Instrumentation is suppressed while we send, whoever called us."""
    seen: list[object] = []
    own = _Own(lambda: seen.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY)))
    exporter = DeliveryExporter(open_transport(Configuration(exporter=own)))
    exporter.export(make_spans("a"))
    exporter.shutdown()
    assert seen == [True]


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    """The console shows a line per span, children indented, with tokens, cost, errors, and no control characters."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("session") as root:
        usage = {"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 45, "gen_ai.usage.cost.amount": 0.0012}
        tracer.start_span("chat gpt-4o\x1b[31m", attributes=usage).end()
        root.set_status(trace.StatusCode.ERROR, "it broke")
    exporter = DeliveryExporter(open_transport(Configuration(protocol="console")))
    assert exporter.export(memory.get_finished_spans()) is SpanExportResult.SUCCESS
    exporter.shutdown()
    provider.shutdown()
    first, second = capsys.readouterr().out.splitlines()
    assert "session" in first
    assert first.endswith("ERROR it broke")
    assert second.startswith("  ")
    assert "120 in, 45 out  $0.0012" in second
    assert "\x1b" not in second


def test_file(tmp_path: Path) -> None:
    """A file holds OTLP JSON lines with hex ids and numeric enumerations, appended, readable by the owner only."""
    path = tmp_path / "deep" / "spans.jsonl"
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("root") as root:
        tracer.start_span("child", kind=trace.SpanKind.CLIENT, links=[trace.Link(root.get_span_context())]).end()
    child, parent = memory.get_finished_spans()
    exporter = DeliveryExporter(open_transport(Configuration(endpoint=f"file://{path}")))
    exporter.export([child])
    exporter.export([parent])
    exporter.shutdown()
    provider.shutdown()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    first, second = (line["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in lines)
    assert child.context
    assert parent.context
    trace_id = trace.format_trace_id(parent.context.trace_id)
    assert (first["traceId"], first["spanId"]) == (trace_id, trace.format_span_id(child.context.span_id))
    assert first["parentSpanId"] == second["spanId"] == trace.format_span_id(parent.context.span_id)
    assert first["links"][0]["traceId"] == trace_id
    assert first["kind"] == 3
    assert first["startTimeUnixNano"] == str(child.start_time)
    assert "parentSpanId" not in second
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_file_that_cannot_be_written(tmp_path: Path, lines: Callable[[], list[str]]) -> None:
    """A path that cannot be written keeps the spans, says so once, and never raises."""
    (tmp_path / "blocked").write_text("")
    configuration = Configuration(endpoint=f"file://{tmp_path}/blocked/spans.jsonl")
    exporter = DeliveryExporter(open_transport(configuration), retry_for=0.2, backoff=0.05)
    assert exporter.export(make_spans("a")) is SpanExportResult.FAILURE
    assert exporter.kept == 1
    exporter.shutdown()
    assert exporter.counts.dropped == {"undelivered": 1}
    assert len(lines()) == 1


EVENT = LogEvent("session.start", time.time_ns(), 0xABC, 0xDEF, {"session.id": "s1", "n": 2, "tags": ("a", "b")})


@BOTH
def test_log_events(protocol: str) -> None:
    """Log events arrive on the logs signal with name, ids, severity and attributes."""
    with FaultServer(protocol) as server, delivering(server, protocol) as exporter:
        assert exporter.send_events([EVENT], Resource({"service.name": "x"})) is True
        (record,) = server.logs()
        attributes = {pair.key: pair.value for pair in record.attributes}
        name = record.event_name if hasattr(record, "event_name") else attributes["event.name"].string_value
        assert name == "session.start"
        assert (record.trace_id.hex(), record.span_id.hex()) == (f"{0xABC:032x}", f"{0xDEF:016x}")
        assert (record.severity_number, record.time_unix_nano) == (9, EVENT.time_ns)
        assert attributes["n"].int_value == 2
        assert [item.string_value for item in attributes["tags"].array_value.values] == ["a", "b"]
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert exporter.counts.acknowledged == 0


@BOTH
def test_backend_without_logs(protocol: str, lines: Callable[[], list[str]]) -> None:
    """A backend that knows no logs signal is asked once, then never again, without a word; spans are not concerned."""
    mode = fault_server.status(404, signal=fault_server.LOGS)
    with FaultServer(protocol, mode) as server, delivering(server, protocol) as exporter:
        for _ in range(3):
            assert exporter.send_events([EVENT], Resource({})) is True
        assert exporter.export(make_spans("a")) is SpanExportResult.SUCCESS
        assert len([request for request in server.requests if request.path == fault_server.LOGS]) == 1
    assert lines() == []


def test_events_while_the_backend_is_down(lines: Callable[[], list[str]]) -> None:
    """A log event that cannot be sent says so by its result and logs nothing."""
    with delivering(f"http://127.0.0.1:{free_port()}") as exporter:
        assert exporter.send_events([EVENT], Resource({})) is False
    assert lines() == []


def test_nothing_heavy_is_imported_early() -> None:
    """Making a transport imports neither what speaks HTTP nor grpc nor protobuf."""
    import subprocess

    code = (
        "import sys; from agentops_otel.config import Configuration; from agentops_otel.pipeline.exporters import *;"
        "[open_transport(Configuration(protocol=p)) for p in ('http/protobuf', 'grpc', 'console', 'file')];"
        "print([m for m in ('http.client', 'grpc', 'google.protobuf', 'psutil') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() in ("[]", "['psutil']")  # newer SDK releases import psutil themselves


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_forked_child_delivers_its_own_spans() -> None:
    """K16: a child sends what it exports over a connection of its own, and nothing of what its parent kept."""
    with FaultServer() as server, delivering(server, **ONE_ATTEMPT) as exporter:
        exporter.export(make_spans("first"))
        server.mode = fault_server.status(503)
        exporter.export(make_spans("parent's"))
        server.mode = fault_server.ok
        child = os.fork()
        if child == 0:
            result = exporter.export(make_spans("child's"))
            os._exit(0 if result is SpanExportResult.SUCCESS and exporter.counts.acknowledged == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert [span.name for span in server.spans()] == ["first", "child's"]
        before = {request.connection for request in server.requests[:-1]}
        assert server.requests[-1].connection not in before
        assert exporter.force_flush(20000) is True
        assert [span.name for span in server.spans()] == ["first", "child's", "parent's"]
