"""Delivery: every fault of a backend against one exporter, with exact counts, over HTTP and gRPC."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer, Mode
from tests.pipeline.exporting import BOTH, ONE_ATTEMPT, delivering, free_port, ids, make_spans, times


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
        assert str(exporter.last_error).startswith("rejected: ")
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


@pytest.mark.parametrize("attempt", [0.0, 1.0], ids=["while it waits", "while it tries"])
def test_a_new_deadline_ends_the_back_off(attempt: float) -> None:
    """A flush does not sit out a long back-off: the next attempt is made at once."""
    refused = replace(fault_server.status(503), delay=attempt)
    with (
        FaultServer(mode=times(refused, fault_server.ok)) as server,
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


@BOTH
def test_large_batches_are_split(protocol: str) -> None:
    """N16: a batch beyond 3 MiB goes in several requests, none of them larger, each span once."""
    spans = make_spans(count=10, text="x" * 900_000)
    with FaultServer(protocol) as server, delivering(server, protocol, retry_for=10) as exporter:
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        assert sorted(server.span_ids()) == ids(spans)
        assert max(request.size for request in server.requests) <= 3 * 1024 * 1024
        assert len(server.requests) == 4


def test_span_that_cannot_be_encoded() -> None:
    """A span for which there are no bytes is counted; its batch arrives."""
    spans = [*make_spans("a"), ReadableSpan("no context"), *make_spans("b")]
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(spans)
        assert [span.name for span in server.spans()] == ["a", "b"]
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (2, {"not encodable": 1})
        assert str(exporter.last_error).count("not encodable") == 1


def test_many_spans_that_cannot_be_encoded() -> None:
    """However many spans there are no bytes for, the others arrive."""
    spans = [span if n % 2 else ReadableSpan("no context") for n, span in enumerate(make_spans(count=400))]
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(spans)
        assert sorted(server.span_ids()) == ids(spans)
        assert (exporter.counts.acknowledged, exporter.counts.dropped) == (200, {"not encodable": 200})


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
