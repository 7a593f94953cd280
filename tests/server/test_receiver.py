"""OTLP over HTTP into the store: every way to send it, and what each answer says."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agentops_otel.server.store import StoreFull
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.otlp_requests import TRACE, logs, spans, traces, traces_json
from tests.server.running import RunningBox


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as box:
        yield box


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", ["protobuf", "json"])
def test_an_accepted_span_is_stored_when_the_answer_comes(box, kind, packed):
    """200 is said after the commit: the store has the session at once."""
    body = traces() if kind == "protobuf" else traces_json()
    headers = {"content_encoding": "gzip"} if packed else {}
    media_type = "application/x-protobuf" if kind == "protobuf" else "application/json; charset=utf-8"
    answer = box.post("/v1/traces", gzip.compress(body) if packed else body, media_type, **headers)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(media_type.partition(";")[0])
    assert box.store.session(TRACE).spans == 1


def test_an_accepted_request_says_who_took_it(box):
    """A sender learns from a header where the page of its session is."""
    answer = box.post("/v1/traces", traces())
    assert answer.headers["x-agentops-otel"].endswith(f'; url="{box.address}"')


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_python_sdk_exporter_delivers(box, compression):
    """The exporter of OpenTelemetry's SDK sends to it as it is."""
    exporter = OTLPSpanExporter(f"{box.address}/v1/traces", compression=compression)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("run") as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
    provider.shutdown()
    assert box.store.session(trace_id).spans == 1


def test_logs_and_metrics_are_accepted_and_counted(box):
    """A sender of all three signals meets no error."""
    assert box.post("/v1/logs", logs()).status == 200
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="a")
    assert box.post("/v1/metrics", metrics.SerializeToString()).status == 200
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a"}, {"name": "b"}]}]}]}
    assert box.post("/v1/metrics", json.dumps(document).encode(), "application/json").status == 200
    accepted = {each.signal: each for each in box.box.counts.read(time.time_ns()).accepted}
    assert accepted["logs"].records == 1
    assert (accepted["metrics"].requests, accepted["metrics"].records) == (2, 3)


def test_a_span_that_is_not_valid_is_left_out_alone(box):
    """Partial success: the others are stored, and the sender is told how many were not, and why."""
    request = spans(3)
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    answer = box.post("/v1/traces", request.SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert answer.status == 200
    assert partial.rejected_spans == 1
    assert "trace_id" in partial.error_message
    assert box.store.session(TRACE).spans == 2


def test_partial_success_in_json_has_its_names(box):
    """OTLP JSON has camel case names, and 64-bit numbers as text."""
    answer = box.post("/v1/traces", traces_json(traceId="zz"), "application/json")
    assert json.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "1"


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        pytest.param(b"\xff\xff", {}, 400, "not", id="garbage"),
        pytest.param(b"{", {"content_type": "application/json"}, 400, "JSON", id="bad-json"),
        pytest.param(b"[" * 100_000, {"content_type": "application/json"}, 400, "JSON", id="deep-json"),
        pytest.param(b"not gzip", {"content_encoding": "gzip"}, 400, "gzip", id="not-gzip"),
        pytest.param(gzip.compress(b"a" * 5000)[:-9], {"content_encoding": "gzip"}, 400, "gzip", id="cut-gzip"),
        pytest.param(b"", {"content_encoding": "zstd"}, 415, "send gzip or none", id="zstd"),
        pytest.param(b"", {"content_encoding": "gzip, gzip"}, 415, "send gzip or none", id="packed-twice"),
        pytest.param(b"", {"content_type": "application/xml"}, 415, "application/x-protobuf or", id="xml"),
        pytest.param(b"x" * (16 << 20) + b"x", {}, 413, "16 MiB", id="too-large"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(box, body, headers, status, words):
    """The status says whether to send again, the words what to change."""
    answer = box.post("/v1/traces", body, **headers)
    assert answer.status == status
    media_type = headers.get("content_type", "application/x-protobuf")
    if media_type == "application/x-protobuf":
        assert words in Status.FromString(answer.body).message
    elif media_type == "application/json":
        assert words in json.loads(answer.body)["message"]
    else:
        assert words in answer.text
    refused = box.box.counts.read(time.time_ns()).refused
    assert refused[0].requests == 1


@pytest.mark.parametrize("path", ["/", "/v1/trace", "/v1/traces/", "/api/public/otel/v1/traces", "/opentelemetry"])
def test_a_wrong_address_is_answered_with_the_right_one(box, path):
    """A sender with a wrong path finds the right one in its log, and the System page counts it."""
    answer = box.post(path, traces())
    assert answer.status == 404
    assert f"{box.address}/v1/traces" in Status.FromString(answer.body).message
    assert path in box.box.counts.read(time.time_ns()).refused[0].reason


def test_a_get_says_that_it_takes_posts(box):
    """Somebody who opens the address in a browser is told what it is for."""
    answer = box.get("/v1/traces")
    assert answer.status == 405
    assert "POST" in answer.text


@pytest.mark.parametrize("error", [StoreFull("no space left"), OSError("disk I/O error")], ids=["full", "broken"])
def test_a_store_that_takes_nothing_is_told_as_a_state_that_passes(tmp_path, error):
    """503 with Retry-After: a sender keeps the spans and tries again."""

    class Failing(SqliteStore):
        def add(self, batch, now_ns):
            raise error

    with RunningBox(tmp_path, store=Failing(tmp_path / "sessions.db")) as box:
        answer = box.post("/v1/traces", traces())
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0


def test_s13_a_store_at_its_limit_says_later(tmp_path):
    """429 with Retry-After: above its limit nothing is taken until old sessions are removed."""
    store = SqliteStore(tmp_path / "sessions.db")
    store.retain(0, max_age_ns=None, max_bytes=10_000)
    with RunningBox(tmp_path, store=store) as box:
        answer = box.post("/v1/traces", traces())
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) > 0
        store.retain(0, max_age_ns=None, max_bytes=None)
        assert box.post("/v1/traces", traces()).status == 200


def test_a_span_that_comes_twice_is_one(box):
    """A sender that had no answer sends again."""
    body = traces(3)
    assert [box.post("/v1/traces", body).status for _ in range(2)] == [200, 200]
    assert box.store.session(TRACE).spans == 3
