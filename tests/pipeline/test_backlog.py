"""What is in the journal and no longer in memory: it arrives, once, and nobody waits for it."""

from __future__ import annotations

import glob
import json
import os
import time

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import agentops_otel as agentops
from agentops_otel import api
from agentops_otel.config import Configuration
from agentops_otel.pipeline import backlog
from agentops_otel.pipeline.claim import claims
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import run


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


def died(endpoint, spans=3, service="the dead one"):
    """The session id of a process that recorded and was killed."""
    ended = run(
        f"""
        import os, signal
        import agentops_otel as agentops
        print(agentops.init(endpoint={endpoint!r}, summary=False, service_name={service!r}), flush=True)
        for number in range({spans}):
            agentops.record(agentops.ActionEvent(f"action {{number}}"))
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    return ended.out.strip()


def names(server):
    return [span.name for span in server.spans()]


def test_more_spans_than_memory_takes(server):
    """What the queue has no room for stays on disk and arrives: nothing is dropped, nothing comes twice."""
    server.mode = fault_server.slow(1.0)
    agentops.init(endpoint=server.url, summary=False, max_queue_size=50, max_wait_time=60_000)
    for number in range(500):
        agentops.record(agentops.ActionEvent(f"action {number}"))
    pipeline = api._client.provider.pipelines[0]
    assert pipeline.backlog.waiting >= 300
    server.mode = fault_server.ok
    assert agentops.flush(20)
    assert sorted(names(server)) == sorted(f"action {number}" for number in range(500))
    assert pipeline.dropped() == {}
    assert pipeline.kept == 0


def test_memory_is_bounded_in_bytes(server):
    """Large spans leave memory long before their number fills the queue."""
    server.mode = fault_server.status(503)
    agentops.init(endpoint=server.url, summary=False, max_content_length=1_000_000)
    for number in range(80):
        agentops.record(agentops.ActionEvent(f"action {number}", params={"text": "x" * 900_000}))
    pipeline = api._client.provider.pipelines[0]
    assert pipeline._bytes <= 32 * 1024 * 1024
    assert pipeline.backlog.waiting > 30
    server.mode = fault_server.ok
    assert server.wait_for(lambda: agentops.flush(1.0), timeout=50)
    assert len(set(server.span_ids())) == 80


@pytest.mark.parametrize("journal", ["memory", "off"])
def test_without_a_disk(server, journal):
    """In memory the spans of an outage wait for its end; switched off, they are dropped and counted."""
    server.mode = fault_server.status(503)
    agentops.init(endpoint=server.url, summary=False, journal=journal)
    agentops.record(agentops.ActionEvent("first"))
    assert not agentops.flush(0.5)
    server.mode = fault_server.ok
    agentops.record(agentops.ActionEvent("second"))
    agentops.flush(5.0)
    pipeline = api._client.provider.pipelines[0]
    assert pipeline.journal is None
    if journal == "memory":
        assert names(server) == ["first", "second"]
        assert pipeline.dropped() == {}
    else:
        assert names(server) == ["second"]
        assert pipeline.dropped() == {"undelivered": 1}


def test_what_a_dead_process_left_is_sent_by_the_next(server, make):
    """In the background, with the ids of the dead one, its log events too."""
    server.mode = fault_server.status(503)
    session_id = died(server.url)
    server.mode = fault_server.ok
    make().pipeline(Configuration(endpoint=server.url, service_name="the living one"))
    assert server.wait_for(lambda: len(server.spans()) == 4 and len(server.logs()) >= 2)
    assert {span.trace_id.hex() for span in server.spans()} == {session_id.replace("-", "")}
    assert [span.name for span in server.spans() if not span.parent_span_id] == ["session"]


def test_an_outage_at_the_start_is_waited_out(server, make):
    """A process that records nothing itself still sends what another one left, when the backend is back."""
    server.mode = fault_server.status(503)
    died(server.url)
    before = len(server.requests)
    make().pipeline(Configuration(endpoint=server.url))
    assert server.wait_for(lambda: len(server.requests) > before)
    server.mode = fault_server.ok
    assert server.wait_for(lambda: len(server.spans()) == 4, timeout=30)


def test_a_search_that_takes_longer_than_the_time_for_sending(server, make, monkeypatch):
    """A large journal takes more than a second to read: each search is worth a batch all the same."""
    server.mode = fault_server.status(503)
    for _ in range(3):
        died(server.url)
    server.mode = fault_server.ok
    monkeypatch.setattr(backlog, "_SLICE", 0.0)
    make().pipeline(Configuration(endpoint=server.url))
    assert server.wait_for(lambda: len(server.spans()) == 12, timeout=30)


def test_a_long_search_is_not_repeated_while_the_backend_is_down(server, monkeypatch):
    """The program needs its processor for itself; with the first span that arrives the search goes on."""
    server.mode = fault_server.status(503)
    died(server.url)
    searches = []
    monkeypatch.setattr(backlog, "claims", lambda directory: searches.append(directory) or claims(directory))
    monkeypatch.setattr(backlog, "_REST", 1e9)
    before = len(server.requests)
    agentops.init(endpoint=server.url, summary=False, auto_start_session=False, require_session=False)
    provider = api._client.provider
    assert server.wait_for(lambda: len(server.requests) > before)
    for _ in range(3):
        assert provider.worker.call(provider.pipelines[0].backlog.work, 30)
    assert len(searches) == 1
    server.mode = fault_server.ok
    agentops.record(agentops.ActionEvent("alive"))
    assert server.wait_for(lambda: len(server.spans()) == 5, timeout=30)


def test_what_was_left_keeps_its_resource(tmp_path, make):
    """Spans of a dead process say which process they come from; here on their way into a file."""
    folder = tmp_path / "folder"
    folder.write_text("a file where a folder should be")
    died((folder / "traces.jsonl").as_uri())
    folder.unlink()
    make().pipeline(Configuration(endpoint=(folder / "traces.jsonl").as_uri(), service_name="the living one"))
    deadline = time.monotonic() + 20
    while not (folder / "traces.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    lines = [json.loads(line) for line in (folder / "traces.jsonl").read_text().splitlines()]
    services = {
        attribute["value"]["stringValue"]
        for line in lines
        for group in line["resourceSpans"]
        for attribute in group["resource"]["attributes"]
        if attribute["key"] == "service.name"
    }
    assert services == {"the dead one"}


def test_nothing_waits_for_the_backlog(server, make):
    """While what others left goes to a backend that hangs, a flush of our own gets its whole time."""
    server.mode = fault_server.status(503)
    died(server.url)
    hangs = fault_server.blackhole()
    server.mode = hangs
    agentops.init(endpoint=server.url, summary=False)
    assert server.wait_for(lambda: any(request.path == "/v1/traces" for request in server.requests[-3:]))
    server.mode = fault_server.ok
    agentops.record(agentops.ActionEvent("mine"))
    started = time.monotonic()
    assert agentops.flush(10.0)
    assert time.monotonic() - started < 9.0  # (the request that hangs has ten seconds)
    assert "mine" in names(server)


def test_a_damaged_record_is_counted(server):
    """A span whose record was overwritten on disk is lost, and the books say so."""
    server.mode = fault_server.status(503)
    agentops.init(endpoint=server.url, summary=False, max_queue_size=1, max_wait_time=60_000)
    for number in range(20):
        agentops.record(agentops.ActionEvent(f"action {number}"))
    pipeline = api._client.provider.pipelines[0]
    ((_, span),) = pipeline.journal.read([pipeline.backlog._left[-2]])
    for segment in glob.glob(os.path.join(pipeline.journal.directory, "*", "*.seg")):
        with open(segment, "rb+") as file:
            content = file.read()
            file.seek(content.index(span.name.encode()))
            file.write(span.name.upper().encode())
    server.mode = fault_server.ok
    assert server.wait_for(lambda: pipeline.exporter.due)
    agentops.flush(10.0)
    assert sorted(names(server)) == sorted({f"action {number}" for number in range(20)} - {span.name})
    assert pipeline.dropped() == {"unreadable": 1}


def test_losses_are_a_metric(server, monkeypatch):
    """A program with a MeterProvider sees how many spans were lost, by reason."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)  # the global one can be set only once
    server.mode = fault_server.reject_if("bad")
    agentops.init(endpoint=server.url, summary=False)
    for name in ("good", "bad", "good", "bad"):
        agentops.record(agentops.ActionEvent(name))
    agentops.flush(5.0)
    agentops.flush(5.0)
    (scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
    (metric,) = scope.metrics
    points = {point.attributes["error.type"]: point.value for point in metric.data.data_points}
    assert (metric.name, points) == ("agentops.spans.dropped", {"rejected": 2})
    provider.shutdown()
