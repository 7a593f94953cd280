"""`collector-config.yaml` in a real Collector: what comes in over OTLP arrives in Jaeger."""

from __future__ import annotations

import re
import secrets
import subprocess

import psutil
import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.backends.collector import CONFIG, Collector
from tests.backends.jaeger import attributes


def _exporter(collector, protocol):
    if protocol == "grpc":
        return GrpcExporter(endpoint=collector.otlp_grpc, insecure=True)
    return HttpExporter(endpoint=f"{collector.otlp_http}/v1/traces")


@pytest.fixture(params=["http", "grpc"])
def provider(request, collector):
    """A plain SDK provider that sends to the Collector."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"plain-{request.param}"}))
    provider.add_span_processor(SimpleSpanProcessor(_exporter(collector, request.param)))
    yield provider
    provider.shutdown()


def test_the_collector_accepts_the_file(collector_program):
    """`otelcol validate` finds nothing wrong with the file and its defaults."""
    done = subprocess.run(
        [collector_program, "validate", "--config", CONFIG], capture_output=True, text=True, check=False, env={}
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_a_broken_file_is_refused(collector_program, tmp_path):
    """`otelcol validate` does look: a pipeline that names a missing exporter is refused."""
    broken = tmp_path / "broken.yaml"
    broken.write_text(CONFIG.read_text(encoding="utf-8").replace("exporters: [otlp_grpc/jaeger]", "exporters: [gone]"))
    done = subprocess.run(
        [collector_program, "validate", "--config", broken], capture_output=True, text=True, check=False, env={}
    )
    assert done.returncode != 0
    assert "gone" in done.stderr


def test_a_span_reaches_jaeger(provider, jaeger):
    """A span of the plain OpenTelemetry SDK is in Jaeger, by its trace id and by its attributes."""
    mark = secrets.token_hex(8)
    with provider.get_tracer("test").start_as_current_span("checkout", attributes={"session.id": mark}) as span:
        trace_id = f"{span.get_span_context().trace_id:032x}"

    (found,) = jaeger.trace(trace_id, spans=1)["spans"]
    assert found["operationName"] == "checkout"
    assert attributes(found)["session.id"] == mark
    (by_attribute,) = jaeger.search(provider.resource.attributes["service.name"], {"session.id": mark})
    assert by_attribute["traceID"] == trace_id


def test_more_than_one_grpc_message_of_prompts_reaches_jaeger(provider, jaeger):
    """Spans with long prompts, together more than the 4 MiB a gRPC server takes at once, all arrive."""
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("session") as root:
        for number in range(90):
            tracer.start_span("chat", attributes={"number": number, "prompt": "x" * 65_536}).end()
        trace_id = f"{root.get_span_context().trace_id:032x}"

    spans = jaeger.trace(trace_id, spans=91, wait=30.0)["spans"]
    assert len({span["spanID"] for span in spans}) == 91


def test_logs_and_metrics_are_accepted(collector):
    """The Collector takes session events and metrics, for which Jaeger has no place."""
    log = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "session.start", "body": {}}]}]}]}
    assert _post(f"{collector.otlp_http}/v1/logs", log) == 200
    assert _post(f"{collector.otlp_http}/v1/metrics", {"resourceMetrics": []}) == 200


def _post(url, document):
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, json=document, timeout=10).status_code


def test_defaults_are_addresses_of_this_machine():
    """Without any variable, every address in the file is a loopback address."""
    defaults = re.findall(r"endpoint: \$\{env:\w+:-([^}]*)\}", CONFIG.read_text(encoding="utf-8"))
    assert len(defaults) == 4
    assert all(default.startswith("127.0.0.1:") for default in defaults), defaults


@pytest.mark.backend
@pytest.mark.parametrize("name", ["collector", "jaeger"])
def test_nothing_listens_where_it_was_not_told_to(name, request):
    """A server under test opens its own loopback ports and no other: no fixed port, no other interface."""
    server = request.getfixturevalue(name)
    connections = psutil.Process(server.pid).net_connections(kind="inet")
    listening = {tuple(one.laddr) for one in connections if one.status == psutil.CONN_LISTEN}
    assert listening
    assert listening <= {("127.0.0.1", port) for port in server.ports.values()}


def test_the_collector_ends_with_its_block(collector_program, tmp_path):
    """The starter ends its process, also when the block fails."""
    with pytest.raises(RuntimeError, match="inside"), Collector(collector_program, tmp_path) as server:
        process = server._process
        raise RuntimeError("inside")
    assert process.poll() is not None
