"""What is imported is declared, and a base install, without gRPC and without `requests`, does everything but gRPC."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.fakes.fault_server import FaultServer
from tests.fakes.program import ROOT, run

SOURCES = sorted((ROOT / "src").rglob("*.py"))
# Imported only where the program, or a newer Python, has it.
OPTIONAL = {"IPython", "annotationlib", "fsspec", "pytest"}
HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("grpc", "requests", "urllib3") or name.startswith(
            ("google.rpc", "opentelemetry.exporter.otlp.proto.grpc", "opentelemetry.exporter.otlp.proto.http")
        ):
            raise ModuleNotFoundError(f"{name} is hidden", name=name)
sys.meta_path.insert(0, Hidden())
"""


def declared(extra: str | None = None) -> set[str]:
    """Names of the distributions that pyproject.toml names, normalised."""
    found = set()
    for line in metadata.requires("agentops-otel") or ():
        name = re.split(r"[^A-Za-z0-9._-]", line)[0].lower().replace("_", "-")
        if "extra ==" not in line or extra is not None:
            found.add(name)
    return found


def distribution_of(module: str) -> str | None:
    """The distribution that has a module; None for the standard library and ourselves."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top.startswith("agentops_otel") or top in OPTIONAL:
        return None
    path = module.replace(".", "/")
    for beginnings in ((f"{path}/__init__.py", f"{path}."), (f"{path}/",)):  # (a namespace has no file of its own)
        for distribution in metadata.distributions():
            if any(str(file).startswith(beginnings) for file in distribution.files or ()):
                return distribution.metadata["Name"].lower().replace("_", "-")
    return f"<nobody has {module}>"


def imports(file: Path) -> set[str]:
    """Modules that a file imports absolutely, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            namespace = node.module == "opentelemetry"  # shared by many distributions
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if namespace else {node.module}
    return found


def test_what_is_imported_is_declared():
    """Every package that the source imports is a dependency or in an extra, and every dependency is imported."""
    modules = {module for file in SOURCES for module in imports(file)}
    used = {distribution_of(module) for module in modules} - {None}
    assert used - declared("grpc") == set()
    # typing-extensions is imported for type checkers, protobuf by what OpenTelemetry generates.
    assert declared("grpc") - used <= {"typing-extensions"}


def test_a_base_install_exports():
    """Without gRPC and `requests` a session is delivered, and the command sends what a killed process left."""
    with FaultServer() as server:
        ended = run(
            f"""
            {HIDE}
            import agentops_otel as agentops
            agentops.init(endpoint={server.url!r}, summary=False)
            agentops.record(agentops.ActionEvent("x"))
            agentops.end_session("Success")
            assert not set(sys.modules) & {{"grpc", "requests", "urllib3"}}
            agentops.start_session()
            agentops.record(agentops.ActionEvent("y"))
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)
            """.replace(HIDE, HIDE.replace("\n", "\n            "))
        )
        assert (ended.code, ended.err) == (-9, "")
        assert {span.name for span in server.spans()} >= {"session", "x"}
        command = run(HIDE + "from agentops_otel import cli; sys.exit(cli.main(['flush']))")
        assert command.code == 0, command.err
        assert sorted(span.name for span in server.spans()) == ["session", "session", "x", "y"]


def test_a_base_install_that_is_asked_for_grpc():
    """One line says what to install, nothing is lost, and the spans arrive when the package is there."""
    with FaultServer("grpc") as server:
        variables = {"AGENTOPS_ENDPOINT": server.url, "AGENTOPS_PROTOCOL": "grpc", "AGENTOPS_SUMMARY": "false"}
        ended = run(
            HIDE + "import agentops_otel as agentops\nagentops.init()\nagentops.end_session('Success')\n",
            variables,
        )
        assert ended.code == 0
        assert "pip install 'agentops-otel[grpc]'" in ended.err
        assert "Traceback" not in ended.err
        assert server.spans() == []
        command = run("import sys; from agentops_otel import cli; sys.exit(cli.main(['flush']))", variables)
        assert command.code == 0, command.out
        assert len(server.spans()) == 1


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_programs_own_exporter_works_beside_ours(protocol):
    """`opentelemetry-exporter-otlp`, where it is installed, sends the program's spans while we send ours."""
    kind = "grpc" if protocol == "grpc" else "http"
    with FaultServer(protocol) as theirs, FaultServer(protocol) as ours:
        endpoint = theirs.url if protocol == "grpc" else f"{theirs.url}/v1/traces"
        ended = run(
            f"""
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.{kind}.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            provider = TracerProvider()
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint={endpoint!r})))
            trace.set_tracer_provider(provider)
            import agentops_otel as agentops
            agentops.init(endpoint={ours.url!r}, protocol={protocol!r}, summary=False)
            agentops.record(agentops.ActionEvent("x"))
            agentops.end_session("Success")
            provider.force_flush()
            """
        )
        assert ended.code == 0, ended.err
        assert {span.name for span in theirs.spans()} == {span.name for span in ours.spans()} == {"session", "x"}
