"""Records what other instrumentations send, for the tests of `normalize()`: `tests/fixtures/dialects/`.

    python tools/record_dialects.py [NAME ...]

Each program of `tools/dialects/` runs in a virtual environment of its own, in the user's cache, with the newest
release of its package; it talks to the fake LLM server of the tests, and its real exporter to a sink on loopback.
A request of OTLP is a protobuf message with one repeated field, so requests one after the other are one request.
What OpenTelemetry's SDK for JavaScript sends is OTLP JSON; its one request is kept as it came. It needs node and npm.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.fakes.otlp_sink import OtlpSink

TOOLS: Final = Path(__file__).resolve().parent
ROOT: Final = TOOLS.parent
FIXTURES: Final = ROOT / "tests" / "fixtures" / "dialects"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentops-otel" / "dialects"
EXPORTER: Final = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
# AgentOps 0.4 reads a private field of the exporter, which newer ones do not have.
OLD_EXPORTER: Final = ("opentelemetry-sdk<1.36", "opentelemetry-exporter-otlp-proto-http<1.36")
# Of the resource; the rest describes the machine.
KEPT: Final = ("service.name", "telemetry.", "agentops.", "process.runtime.", "process.pid")
CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"

# Name of the recording -> program, packages, environment.
RECORDINGS: Final[dict[str, tuple[str, tuple[str, ...], dict[str, str]]]] = {
    "openinference": ("openinference_sdk", ("openai", "openinference-instrumentation-openai", *EXPORTER), {}),
    "openinference-langchain": (
        "openinference_langchain_sdk",
        ("langchain-openai", "langgraph", "openinference-instrumentation-langchain", *EXPORTER),
        {},
    ),
    "openllmetry": (
        "openllmetry_sdk",
        ("openai", "httpx", "traceloop-sdk", "opentelemetry-instrumentation-openai", *EXPORTER),
        {},
    ),
    # Numbered prompts and completions, before they became messages in JSON.
    "openllmetry-old": (
        "openllmetry_sdk",
        (
            *("openai<2", "httpx", "traceloop-sdk>=0.40,<0.41", "opentelemetry-instrumentation-openai<0.41"),
            *("setuptools<81", *OLD_EXPORTER),
        ),
        {},
    ),
    "langfuse": ("langfuse_sdk", ("openai", "langfuse"), {}),
    "logfire": ("logfire_sdk", ("openai", "logfire"), {}),
    "agentops04": ("agentops04_sdk", ("openai", "agentops>=0.4,<0.5", *OLD_EXPORTER), {}),
    "genai-logs": (
        "genai_v2_sdk",  # followed by the next; it does not say that it needs an old `opentelemetry-util-genai`
        ("openai", "httpx", "opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai<1", *EXPORTER),
        {CAPTURE: "true"},
    ),
    "genai-spans": (
        "genai_sdk",
        ("openai", "httpx", "opentelemetry-instrumentation-genai-openai", *EXPORTER),
        {CAPTURE: "SPAN_ONLY", OPT_IN: "gen_ai_latest_experimental"},
    ),
    "genai-events": (
        "genai_sdk",
        ("openai", "httpx", "opentelemetry-instrumentation-genai-openai", *EXPORTER),
        {CAPTURE: "EVENT_ONLY", OPT_IN: "gen_ai_latest_experimental"},
    ),
    "pydantic-ai": ("pydantic_ai_sdk", ("pydantic-ai-slim[openai]", *EXPORTER), {}),
    "anthropic": ("anthropic_sdk", ("anthropic>=2", *EXPORTER), {CAPTURE: "true"}),
}
JAVASCRIPT: Final = (
    "@opentelemetry/api",
    "@opentelemetry/exporter-trace-otlp-http",
    "@opentelemetry/resources",
    "@opentelemetry/sdk-trace-node",
)


def main(names: list[str]) -> int:
    """Record the named ones, or all."""
    sys.path.insert(0, str(ROOT))
    named = names or [*RECORDINGS, "javascript"]
    failed = [name for name in named if not (_record_javascript() if name == "javascript" else _record(name))]
    if failed:
        print(f"not recorded: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _record(name: str) -> bool:
    from tests.fakes.llm_server import LlmServer
    from tests.fakes.otlp_sink import OtlpSink

    program, packages, environment = RECORDINGS[name]
    python = _environment(name, packages)
    with LlmServer() as llm, OtlpSink() as sink:
        llm.then(*(_anthropic() if program == "anthropic_sdk" else _openai()))
        variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "AGENTOPS_"))},
            "DIALECT_LLM_URL": llm.url,
            "DIALECT_OTLP_URL": sink.url,
            **environment,
        }
        command = [python, str(TOOLS / "dialects" / f"{program}.py")]
        with tempfile.TemporaryDirectory() as folder:  # AgentOps writes a log file where it runs
            done = subprocess.run(command, env=variables, cwd=folder, timeout=120, check=False)
    _write(name, sink)
    print(f"{name}: {len(sink.traces)} requests with spans, {len(sink.logs)} with log records, {_versions(python)}")
    return done.returncode == 0 and bool(sink.traces)


def _record_javascript() -> bool:
    from tests.fakes.otlp_sink import OtlpSink

    folder = CACHE / "javascript"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *JAVASCRIPT], cwd=folder, check=True)
    program = folder / "javascript_sdk.mjs"  # modules are looked for beside the program
    program.write_bytes((TOOLS / "dialects" / program.name).read_bytes())
    variables = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    with OtlpSink() as sink:
        variables["DIALECT_OTLP_URL"] = sink.url
        done = subprocess.run(["node", program.name], cwd=folder, env=variables, timeout=120, check=False)
    if done.returncode or len(sink.traces) != 1:
        return False
    (FIXTURES / "javascript.traces.json").write_bytes(sink.traces[0])
    listed = subprocess.run(["npm", "ls", "--depth=0"], cwd=folder, capture_output=True, text=True, check=True)
    print(f"javascript: {' '.join(each for each in listed.stdout.split() if each.startswith('@'))}")
    return True


def _write(name: str, sink: OtlpSink) -> None:
    """Write the requests down, without what they say of this machine."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    FIXTURES.mkdir(parents=True, exist_ok=True)
    traces = ExportTraceServiceRequest.FromString(b"".join(sink.traces))
    logs = ExportLogsServiceRequest.FromString(b"".join(sink.logs))
    for signal, request, groups in (
        ("traces", traces, traces.resource_spans),
        ("logs", logs, logs.resource_logs),
    ):
        for group in groups:
            kept = [each for each in group.resource.attributes if each.key.startswith(KEPT)]
            del group.resource.attributes[:]
            group.resource.attributes.extend(kept)
        _forget_paths(request)
        if groups:
            (FIXTURES / f"{name}.{signal}.pb").write_bytes(request.SerializeToString(deterministic=True))


def _forget_paths(message: Any) -> None:
    """Put a stand-in where the path of an environment or of the project stands in a text."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if field.has_presence else value:
                _forget_paths(each)
        elif field.name == "string_value":
            for path, name in ((CACHE.resolve(), "/venv"), (CACHE, "/venv"), (ROOT, "/app"), (Path.home(), "/home")):
                value = value.replace(str(path), name)  # noqa: PLW2901
            message.string_value = value


def _environment(name: str, packages: tuple[str, ...]) -> str:
    folder = CACHE / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", str(folder)], check=True)
    subprocess.run(["uv", "pip", "install", "-q", "-p", str(python), *packages], check=True)
    return str(python)


def _versions(python: str) -> str:
    listed = subprocess.run(["uv", "pip", "list", "-q", "-p", python], capture_output=True, text=True, check=True)
    known = [line.split()[:2] for line in listed.stdout.splitlines()[2:]]
    wanted = (
        "openinference",
        "traceloop",
        "langfuse",
        "logfire",
        "agentops",
        "pydantic-ai",
        "anthropic",
        "opentelemetry-instr",
    )
    return ", ".join(" ".join(each) for each in known if each and each[0].startswith(wanted))


def _openai() -> list[Any]:
    """A tool call, an answer, a stream, a refusal."""
    from tests.fakes.llm_server import Reply, chat, chat_chunks, choice, error

    call = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"query": "Ada"}'}}
    asks = chat(choices=[choice({"content": None, "tool_calls": [call]}, finish_reason="tool_calls")])
    says = chat({"content": "Ada Lovelace"}, id="chatcmpl-2")
    refuses = Reply(error("model_not_found", "there is no such model"), status=404)
    return [Reply(asks), Reply(says), Reply(chat_chunks(usage=True)), refuses]


def _anthropic() -> list[Any]:
    from tests.fakes.llm_server import Reply

    usage = {"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2}
    said = {"type": "text", "text": "I will search."}
    call = {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"query": "Ada"}}
    usual = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "usage": usage}
    asks = {**usual, "content": [said, call], "stop_reason": "tool_use", "stop_sequence": None}
    says = {**usual, "id": "msg_2", "content": [{"type": "text", "text": "Ada Lovelace"}], "stop_reason": "end_turn"}
    events = [
        {"type": "message_start", "message": {**usual, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ada"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    refusal = {"type": "error", "error": {"type": "not_found_error", "message": "there is no such model"}}
    return [Reply(asks), Reply({**says, "stop_sequence": None}), Reply(events), Reply(refusal, status=404)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
