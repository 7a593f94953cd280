"""The resource: what is in it, what never is, and that nothing waits for it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource, get_aggregated_resources
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentops_otel.pipeline import resource
from agentops_otel.pipeline.backlog import priced
from agentops_otel.pipeline.resource import HostResource, HostResourceDetector


def collected(*, opt_out: bool = False) -> dict[str, Any]:
    """Everything that is known of this process."""
    host = HostResource()
    host.start(opt_out=opt_out)
    return dict(host.get(20).attributes)


def complete(host: HostResource, span: ReadableSpan) -> ReadableSpan:
    """The span as a pipeline completes it before it is sent."""
    return priced(span, host.merge_into(span.resource))


def one_span(resource: Resource, **limits: int) -> ReadableSpan:
    """A finished span of a provider with this resource."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=resource, span_limits=SpanLimits(**limits), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with provider.get_tracer("tests").start_as_current_span("work", attributes={"a": 1, "b": 2}) as span:
        span.add_event("first")
        span.add_event("second")
    provider.shutdown()
    return memory.get_finished_spans()[0]


def test_everything_is_described() -> None:
    """Service, SDK, runtime, process, operating system and host are all there, with the right types."""
    found = collected()
    assert found["process.pid"] == os.getpid()
    assert found["process.runtime.name"] == sys.implementation.name
    assert found["process.runtime.version"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert found["process.executable.name"] == os.path.basename(sys.executable)
    assert found["telemetry.sdk.name"] == "opentelemetry"
    assert uuid.UUID(found["service.instance.id"])
    for name in (
        "host.name",
        "host.arch",
        "os.type",
        "os.version",
        "os.description",
        "process.owner",
        "agentops.sdk.version",
    ):
        assert found[name], name
        assert isinstance(found[name], str), name
    for name in ("cpu.count", "memory.total", "disk.total", "disk.free"):
        assert isinstance(found[f"agentops.host.{name}"], int), name
        assert found[f"agentops.host.{name}"] > 0, name


def test_the_installed_packages_are_known_beside_the_resource() -> None:
    """Sorted, a line for each; none with the opt-out, and nothing before they are known."""
    host = HostResource()
    assert host.packages() == {}
    host.start()
    assert "agentops.python.packages" not in host.get(20).attributes
    packages = (host.packages() or {})["agentops.python.packages"].splitlines()
    opted_out = HostResource()
    opted_out.start(opt_out=True)
    opted_out.get(20)
    assert opted_out.packages() == {}
    assert any(line.startswith("opentelemetry-sdk==") for line in packages)
    assert packages == sorted(packages, key=lambda line: line.partition("==")[0].lower())
    first: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        first.setdefault(name.lower(), f"{name}=={distribution.version}")
    assert packages == [first[name] for name in sorted(first)]


def test_opt_out() -> None:
    """With env_data_opt_out only service, SDK and runtime are left."""
    found = collected(opt_out=True)
    allowed = ("service.", "telemetry.sdk.", "process.runtime.", "agentops.sdk.version")
    assert [name for name in found if not name.startswith(allowed)] == []
    assert found["process.runtime.name"]
    assert found["agentops.sdk.version"]


def test_arguments_and_environment_stay_out() -> None:
    """S16: neither command-line arguments nor values of environment variables are in the resource."""
    code = (
        "from agentops_otel.pipeline.resource import HostResource\n"
        "host = HostResource(); host.start(); print(dict(host.get(20).attributes))"
    )
    secret = {"OPENAI_API_KEY": "sk-canary-1", "LOGNAME": "canary-2", "USER": "canary-2", "SECRET": "canary-3"}
    done = subprocess.run(
        [sys.executable, "-c", code, "--api-key=canary-4"],
        env={**os.environ, **secret},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "process.pid" in done.stdout
    assert "canary" not in done.stdout


def test_service_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over the environment, that wins over OpenTelemetry's default."""
    host = HostResource()
    assert str(host.identity().attributes["service.name"]).startswith("unknown_service:python")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-attributes,team=blue")
    assert host.identity().attributes["service.name"] == "from-attributes"
    assert host.identity().attributes["team"] == "blue"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-variable")
    assert host.identity().attributes["service.name"] == "from-variable"
    assert host.identity("mine").attributes["service.name"] == "mine"


def test_one_failing_piece_costs_only_itself() -> None:
    """Each piece fails alone, whatever it raises."""

    def broken() -> dict[str, Any]:
        raise OSError("no such disk")

    host = HostResource((lambda: {"host.name": "a"}, broken, lambda: {"os.type": "b"}))
    host.start()
    found = host.get(10).attributes
    assert (found["host.name"], found["os.type"]) == ("a", "b")


def test_a_piece_that_hangs_delays_nobody() -> None:
    """What is known comes in time, however long a piece takes; the rest follows when it is there."""
    free = threading.Event()

    def slow() -> dict[str, Any]:
        free.wait(20)
        return {"os.type": "late"}

    host = HostResource((lambda: {"host.name": "known"}, slow))
    begin = time.monotonic()
    host.start()
    host.identity()
    assert time.monotonic() - begin < 1.0
    try:
        early = host.get(0.2).attributes
        assert (early["host.name"], "os.type" in early) == ("known", False)
        assert host.get().attributes["service.instance.id"] == early["service.instance.id"]
    finally:
        free.set()
    assert host.get(10).attributes["os.type"] == "late"


def test_spans_are_completed_when_they_are_exported() -> None:
    """A span gets what is known by then; its provider's attributes win, and everything else of it stays."""
    host = HostResource((lambda: {"host.name": "h", "service.namespace": "ours"},))
    host.start()
    host.get(10)
    span = one_span(Resource({"service.name": "shop", "service.namespace": "theirs"}))
    done = complete(host, span)
    assert (
        dict(done.resource.attributes).items()
        >= {
            "service.name": "shop",
            "service.namespace": "theirs",
            "host.name": "h",
        }.items()
    )
    before, after = encode_spans([span]), encode_spans([done])
    assert before.resource_spans[0].scope_spans == after.resource_spans[0].scope_spans


def test_a_batch_shares_one_resource() -> None:
    """Spans of one provider share one resource object, until more is known; so a batch is one group on the wire."""
    free = threading.Event()
    host = HostResource((lambda: {"host.name": "h"}, lambda: {"os.type": "late"} if free.wait(20) else {}))
    host.start()
    mine = Resource({"service.name": "shop"})
    spans = [one_span(mine) for _ in range(3)]
    try:
        assert host.get(0.2).attributes["host.name"] == "h"
        assert len({id(complete(host, span).resource) for span in spans}) == 1
    finally:
        free.set()
    host.get(10)
    late = [complete(host, span) for span in spans]
    assert len({id(span.resource) for span in late}) == 1
    assert late[0].resource.attributes["os.type"] == "late"
    assert len(encode_spans(late).resource_spans) == 1


def test_an_unknown_service_is_named_by_a_detector() -> None:
    """A name found later replaces the one that only says it is unknown, and no other."""
    host = HostResource((lambda: {"service.name": "found"},))
    host.start()
    host.get(10)
    assert host.merge_into(host.identity()).attributes["service.name"] == "found"
    assert host.merge_into(host.identity("mine")).attributes["service.name"] == "mine"


def test_as_a_detector_of_the_sdk() -> None:
    """The entry point's class works in the SDK's own aggregation, and does not ask the SDK in turn."""
    found = get_aggregated_resources([HostResourceDetector()], Resource({"service.name": "x"})).attributes
    assert found["process.pid"] == os.getpid()
    assert found["service.name"] == "x"


def _in_child(check: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_forked_child_has_its_own_identity() -> None:
    """A child has its own process id and instance id, also on a span that began in the parent."""
    host = HostResource()
    host.start()
    parent = host.get(20)
    span = one_span(parent)

    def check() -> bool:
        mine, own = host.get(1).attributes, complete(host, span).resource.attributes
        return (
            own["process.pid"] == mine["process.pid"] == os.getpid()
            and own["service.instance.id"] == mine["service.instance.id"] != parent.attributes["service.instance.id"]
            and own["host.name"] == parent.attributes["host.name"]
        )

    assert _in_child(check)
    assert host.get().attributes["service.instance.id"] == parent.attributes["service.instance.id"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_forked_child_collects_what_the_parent_had_not() -> None:
    """A fork in the middle of the collection leaves the child with a complete resource."""
    free = threading.Event()
    me = os.getpid()
    host = HostResource((lambda: {"host.name": "h"} if os.getpid() != me or free.wait(20) else {},))
    host.start()
    try:
        assert _in_child(lambda: host.get(10).attributes.get("host.name") == "h")
    finally:
        free.set()
    host.get(10)


def test_an_instance_id_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """service.instance.id from the environment is not replaced."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-7")
    host = HostResource()
    host.start(opt_out=True)
    assert host.get(5).attributes["service.instance.id"] == "pod-7"


@pytest.mark.parametrize(
    ("machine", "arch"),
    [
        ("x86_64", "amd64"),
        ("AMD64", "amd64"),
        ("aarch64", "arm64"),
        ("arm64", "arm64"),
        ("i386", "x86"),
        ("i686", "x86"),
        ("riscv64", "riscv64"),
    ],
)
def test_an_architecture_has_the_name_of_the_conventions(
    monkeypatch: pytest.MonkeyPatch, machine: str, arch: str
) -> None:
    """Whatever the system calls it, backends see one word for one architecture."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert collected()["host.arch"] == arch


def test_the_host_is_asked_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads while the collection begins waits for it: a second thread would be there at a fork."""
    begun: list[object] = []
    collection = resource._Collection

    def slow(pieces: Any) -> Any:
        begun.append(pieces)
        time.sleep(0.05)
        return collection(pieces)

    monkeypatch.setattr(resource, "_Collection", slow)
    host = HostResource(())
    starting = threading.Thread(target=host.start)
    starting.start()
    while starting.is_alive():
        host.get()
    assert host.get(20)
    assert len(begun) == 1
