"""OTLP over gRPC: the same answers as over HTTP, as codes of gRPC."""

from __future__ import annotations

import time

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agentops_otel.server.store import StoreFull
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.otlp_requests import TRACE, logs, spans
from tests.server.running import TOKEN, RunningBox


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path, grpc=True) as box:
        yield box


@pytest.fixture
def channel(box):
    with grpc.insecure_channel(f"127.0.0.1:{box.grpc_port}") as channel:
        yield channel


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_python_sdk_exporter_delivers(box, compression):
    """The exporter of OpenTelemetry's SDK sends to it as it is."""
    exporter = OTLPSpanExporter(f"127.0.0.1:{box.grpc_port}", insecure=True, compression=compression)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("run") as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"
    provider.shutdown()
    assert box.store.session(trace_id).spans == 1


def test_a_sender_at_the_port_for_http_is_told(box):
    """It gets an answer by which a client library knows that HTTP is spoken there."""
    with grpc.insecure_channel(f"127.0.0.1:{box.port}") as channel, pytest.raises(grpc.RpcError) as raised:
        LogsServiceStub(channel).Export(ExportLogsServiceRequest.FromString(logs()), timeout=20)
    assert "http1.x" in raised.value.details()


def test_logs_and_metrics_are_accepted_and_counted(box, channel):
    """A sender of all three signals meets no error."""
    LogsServiceStub(channel).Export(ExportLogsServiceRequest.FromString(logs()), timeout=20)
    MetricsServiceStub(channel).Export(ExportMetricsServiceRequest(), timeout=20)
    accepted = {each.signal: each for each in box.box.counts.read(time.time_ns()).accepted}
    assert accepted["logs"].records == 1
    assert accepted["metrics"].requests == 1


def test_a_span_that_is_not_valid_is_left_out_alone(box, channel):
    """Partial success, with the reason."""
    request = spans(3)
    request.resource_spans[0].scope_spans[0].spans[1].span_id = b""
    partial = TraceServiceStub(channel).Export(request, timeout=20).partial_success
    assert partial.rejected_spans == 1
    assert "span_id" in partial.error_message
    assert box.store.session(TRACE).spans == 2


def test_what_is_no_otlp_is_refused(channel):
    """INVALID_ARGUMENT: not to be sent again."""
    export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    with pytest.raises(grpc.RpcError) as refused:
        export(b"\xff\xff", timeout=20)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_s9_s10_what_is_too_large_is_refused(box, channel, compression):
    """The bound holds for what is unpacked, too."""
    export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    with pytest.raises(grpc.RpcError) as refused:
        export(bytes(17 << 20), timeout=20, compression=compression)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_key_is_asked_for_as_over_http(tmp_path):
    """UNAUTHENTICATED without a key that is known; with one the spans land in its project."""
    with RunningBox(tmp_path, grpc=True, token=TOKEN, is_local=False) as box:
        key = box.store.create_key("team", time.time_ns())
        with grpc.insecure_channel(f"127.0.0.1:{box.grpc_port}") as channel:
            stub = TraceServiceStub(channel)
            for metadata in ((), (("authorization", "Bearer wrong"),)):
                with pytest.raises(grpc.RpcError) as refused:
                    stub.Export(spans(), timeout=20, metadata=metadata)
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            stub.Export(spans(), timeout=20, metadata=(("authorization", f"Bearer {key}"),))
        assert box.store.session(TRACE, "team").spans == 1


def test_a_full_store_is_told_as_a_state_that_passes(tmp_path):
    """UNAVAILABLE with a RetryInfo: a sender keeps the spans and tries again."""

    class Full(SqliteStore):
        def add(self, batch, now_ns):
            raise StoreFull("no space left")

    with (
        RunningBox(tmp_path, grpc=True, store=Full(tmp_path / "sessions.db")) as box,
        grpc.insecure_channel(f"127.0.0.1:{box.grpc_port}") as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        TraceServiceStub(channel).Export(spans(), timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    info = RetryInfo()
    assert Status.FromString(details).details[0].Unpack(info)
    assert info.retry_delay.seconds > 0
