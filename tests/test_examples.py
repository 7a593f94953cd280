"""The examples, each run as a user would run it, against a stand-in for OpenAI and an OTLP backend on loopback."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path

import pytest
from openai import OpenAI

from examples.openai_server import OpenAIServer
from tests.fakes.fault_server import FaultServer, event_name

EXAMPLES = Path(__file__).parents[1] / "examples"
NO_PROGRAMS = {"span_tree"}
OK, ERROR = 1, 2  # opentelemetry.proto.trace.v1.Status


@pytest.fixture
def llm():
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def backend():
    with FaultServer() as server:
        yield server


@pytest.fixture
def run(tmp_path):
    """Runs an example to its end in an empty folder; `variables` are added to a clean environment."""

    def start(name, *arguments, before=(), **variables):
        command = [*before, sys.executable, str(EXAMPLES / name), *arguments]
        done = subprocess.run(
            command, env=_environ(**variables), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert "internal error" not in done.stderr
        return done

    return start


def _environ(**variables):
    ours = ("AGENTOPS_", "OTEL_", "OPENAI_", "TRACEPARENT", "BAGGAGE", "PYTHONWARNINGS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**clean, "PYTHONUTF8": "1", **variables}


def _openai(llm):
    return {"OPENAI_BASE_URL": llm.url, "OPENAI_API_KEY": "none"}


def _attributes(span):
    """The attributes of an OTLP span as a dictionary."""
    return {item.key: _value(item.value) for item in span.attributes}


def _value(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind)


def _roots(backend):
    return [span for span in backend.spans() if not span.parent_span_id]


def _named(backend, name):
    return [span for span in backend.spans() if span.name == name]


def test_every_example_has_a_test():
    """A new example is run here too."""
    tests = Path(__file__).read_text(encoding="utf-8")
    programs = {path.stem for path in EXAMPLES.glob("*.py")} - NO_PROGRAMS
    assert not [name for name in programs if f'"{name}.py"' not in tests]


def test_the_support_agent_needs_no_key_and_shows_its_session(run):
    """Without any variable it says what answers instead of OpenAI, and prints summary, session id and tree."""
    done = run("support_agent.py")
    assert done.stdout.startswith("No OPENAI_API_KEY is set")
    assert re.search(r"^session [0-9a-f-]{36}$", done.stdout, re.MULTILINE)
    tree = done.stdout.splitlines()[-12:]
    assert [len(line) - len(line.lstrip()) for line in tree] == [0, 2, 4, 6, 4, 4, 4, 4, 4, 4, 4, 4]
    assert tree[7].lstrip().startswith("execute_tool refund")
    assert tree[7].endswith("✗ TimeoutError: the payment service did not answer")
    assert all(re.search(r"\d+ in +\d+ out +\d+ cached +\$0\.\d+$", line) for line in tree if "chat gpt" in line)
    assert "Success" in done.stderr
    assert "1 recovered error" in done.stderr
    assert "12/12 spans delivered" in done.stderr


def test_the_support_agent_sends_to_a_backend(run, backend, llm):
    """With an endpoint its session is one trace there, whose id is the session's."""
    done = run("support_agent.py", OTEL_EXPORTER_OTLP_ENDPOINT=backend.url, **_openai(llm))
    session_id = re.search(r"^session (\S+)$", done.stdout, re.MULTILINE)[1]
    assert "stand-in on this machine" not in done.stdout
    spans = backend.spans()
    assert len(spans) == 12
    assert {span.trace_id.hex() for span in spans} == {session_id.replace("-", "")}
    [root] = _roots(backend)
    seen = _attributes(root)
    assert root.status.code == OK
    assert seen["agentops.session.tags"] == ["demo", "refund"]
    assert seen["agentops.session.recovered_errors"] == 1
    assert seen["agentops.session.usage.cache_read_tokens"] > 0
    calls = [_attributes(span) for span in _named(backend, "chat gpt-4.1-mini")]
    assert len(calls) == 6
    assert seen["agentops.session.cost"] == pytest.approx(sum(call["gen_ai.usage.cost.amount"] for call in calls))
    [streamed] = [call for call in calls if "agentops.stream.outcome" in call]
    assert streamed["agentops.stream.outcome"] == "completed"
    assert streamed["gen_ai.usage.output_tokens"] > 0
    assert [span.status.code for span in _named(backend, "execute_tool refund")].count(ERROR) == 1


def test_the_quickstart_records_one_call(run, backend, llm):
    """Two lines around a program: a session with the call, its messages and its tokens."""
    run("quickstart.py", AGENTOPS_ENDPOINT=backend.url, **_openai(llm))
    [root] = _roots(backend)
    [call] = _named(backend, "chat gpt-4.1-mini")
    assert call.parent_span_id == root.span_id
    assert "Why is the sky blue?" in _attributes(call)["gen_ai.input.messages"]
    assert _attributes(root)["agentops.session.tags"] == ["quickstart"]


def test_the_snippets_of_the_agentops_documentation_work(run, backend):
    """Each documented way to start, join, tag, configure and end a session, and to record, has its effect."""
    done = run("agentops_snippets.py", AGENTOPS_ENDPOINT=backend.url)
    assert "Traceback" not in done.stderr
    roots = [_attributes(span) for span in _roots(backend)]
    states = [root["agentops.session.end_state"] for root in roots]
    assert states == ["Success", "Success", "Indeterminate", "Success", "Fail", "Success"]
    assert roots[3]["agentops.session.tags"] == ["test new tag", "appended tag"]
    assert roots[4]["agentops.session.end_state_reason"] == "only an example"
    joins = [log for log in backend.logs() if event_name(log) == "agentops.session.join"]
    assert [log.trace_id for log in joins] == [_roots(backend)[2].trace_id] * 2
    [action] = _named(backend, "sample function being recorded")
    [tool] = _named(backend, "execute_tool SampleToolName")
    assert tool.parent_span_id == action.span_id
    [agent] = _named(backend, "invoke_agent SomeCustomName")
    [inner] = _named(backend, "some_action")
    assert inner.parent_span_id == agent.span_id
    assert _attributes(inner)["agentops.event.agent_id"] == _attributes(agent)["gen_ai.agent.id"]
    assert _named(backend, "event_type1")
    [scraped] = _named(backend, "execute_tool scrape_website")
    [error] = _named(backend, "error ConnectionError")
    assert [link.span_id for link in error.links] == [scraped.span_id]
    assert _attributes(_named(backend, "chat gpt-4.1-mini")[0])["gen_ai.usage.input_tokens"] == 5


def test_concurrent_sessions_do_not_mix(run, backend, llm):
    """Three tasks are three traces, each with its own tool and its own streamed call."""
    run("async_and_streaming.py", AGENTOPS_ENDPOINT=backend.url, **_openai(llm))
    roots = _roots(backend)
    assert sorted(root.name for root in roots) == [f"session customer {name}" for name in ("Ada", "Edsger", "Grace")]
    for root in roots:
        customer = root.name.rpartition(" ")[2]
        own = [span for span in backend.spans() if span.trace_id == root.trace_id and span is not root]
        assert sorted(span.name for span in own if span.span_id != root.span_id) == [
            "chat gpt-4.1-mini",
            "execute_tool look_up",
        ]
        [call] = [_attributes(span) for span in own if span.name.startswith("chat")]
        assert customer in call["gen_ai.output.messages"]
        assert call["gen_ai.usage.output_tokens"] > 0


def test_a_child_process_joins_the_session(run, backend):
    """Both processes' tools hang below the one root, and the child's joining is an event."""
    done = run("two_processes.py", AGENTOPS_ENDPOINT=backend.url)
    session_id = re.search(r"^session (\S+)$", done.stdout, re.MULTILINE)[1]
    assert re.search(rf"^worker \d+ is part of {session_id}$", done.stdout, re.MULTILINE)
    [root] = _roots(backend)
    assert root.trace_id.hex() == session_id.replace("-", "")
    tools = _named(backend, "execute_tool count_words")
    assert [tool.parent_span_id for tool in tools] == [root.span_id] * 2
    assert {_attributes(tool)["gen_ai.tool.call.result"] for tool in tools} == {"2", "3"}
    assert [event_name(log) for log in backend.logs()].count("agentops.session.join") == 1


def test_an_existing_provider_keeps_its_exporter(run, backend):
    """The program's own spans and ours are one trace in its own exporter, and nothing is sent besides."""
    done = run("existing_tracer_provider.py", OTEL_EXPORTER_OTLP_ENDPOINT=backend.url)
    spans = {span["name"]: span for span in _json_documents(done.stdout)}
    names = ["SELECT products", "execute_tool search", "GET /search", "session beside OpenTelemetry"]
    assert list(spans) == names
    for child, parent in pairwise(names):
        assert spans[child]["parent_id"] == spans[parent]["context"]["span_id"]
    assert len({span["attributes"]["session.id"] for span in spans.values()}) == 1
    assert {span["resource"]["attributes"]["service.name"] for span in spans.values()} == {"shop"}
    assert backend.spans() == []


def _json_documents(text):
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        document, end = decoder.raw_decode(text, at)
        yield document
        at = end + len(text[end:]) - len(text[end:].lstrip())


def test_a_custom_exporter_gets_finished_spans_with_cost(run, llm):
    """The exporter sees the session and the price of each call."""
    done = run("custom_exporter.py", **_openai(llm))
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert len(rows) == 2
    assert len({row["session.id"] for row in rows}) == 1
    assert all(float(row["gen_ai.usage.cost.amount"]) > 0 for row in rows)


@pytest.mark.parametrize("variables", [{}, {"OPENAI_BASE_URL": "http://127.0.0.1:9", "OPENAI_API_KEY": "none"}])
def test_the_research_team_works_at_the_same_time_and_recovers(run, backend, variables):
    """Two researchers overlap, a page fails and is read again, the critic objects, and the session succeeds."""
    run("research_team.py", AGENTOPS_ENDPOINT=backend.url, **variables)
    [root] = _roots(backend)
    assert _attributes(root)["agentops.session.end_state"] == "Success"
    assert _attributes(root)["agentops.session.recovered_errors"] == 1
    first, second, third = sorted(
        _named(backend, "invoke_agent researcher"), key=lambda span: span.start_time_unix_nano
    )
    assert second.start_time_unix_nano < first.end_time_unix_nano < third.start_time_unix_nano
    assert len(_named(backend, "invoke_agent critic")) == 2
    failed = [span for span in _named(backend, "execute_tool read_page") if span.status.code == ERROR]
    assert [_attributes(span)["error.type"] for span in failed] == ["TimeoutError"]
    models = {_attributes(span)["gen_ai.request.model"] for span in backend.spans() if span.name.startswith("chat ")}
    assert models == {"gpt-4.1", "gpt-4.1-mini", "o4-mini"}


def test_sessions_have_settings_of_their_own(run, tmp_path):
    """Each session's spans are in its own file, with content or without."""
    done = run("per_session_configuration.py", str(tmp_path / "out"))
    assert done.stdout.split() == [str(tmp_path / "out" / name) for name in ("bank.jsonl", "tea-shop.jsonl")]
    files = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}
    assert set(files) == {"tea-shop", "bank"}
    for customer, text in files.items():
        spans = [
            span
            for line in text.splitlines()
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        assert sorted(span["name"] for span in spans) == ["execute_tool find_order", f"session order of {customer}"]
    assert "one teapot" in files["tea-shop"]
    assert "one teapot" not in files["bank"]


@pytest.mark.skipif(
    not entry_points(group="opentelemetry_instrumentor", name="agentops_otel"),
    reason="agentops-otel is not installed here, and opentelemetry-instrument finds what is installed",
)
def test_a_program_is_recorded_without_a_change(run, backend, llm):
    """`opentelemetry-instrument` starts the session and the end of the program ends it."""
    program = Path(sys.executable).parent / "opentelemetry-instrument"
    run("zero_code.py", before=[str(program)], OTEL_EXPORTER_OTLP_ENDPOINT=backend.url, **_openai(llm))
    [root] = _roots(backend)
    [call] = _named(backend, "chat gpt-4.1-mini")
    assert call.parent_span_id == root.span_id
    assert _attributes(root)["agentops.session.end_state"] == "Indeterminate"


def test_the_stand_in_is_a_program_of_its_own():
    """It prints the variables that make any OpenAI program use it, and serves until it is ended."""
    command = [sys.executable, str(EXAMPLES / "openai_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environ()) as server:
        try:
            line = server.stdout.readline()
            url = re.fullmatch(r"export OPENAI_BASE_URL=(\S+) OPENAI_API_KEY=none\n", line)[1]
            assert _ask(url, "Hello?").choices[0].message.content.startswith("You asked: Hello?")
        finally:
            server.terminate()
            server.wait(10)


def test_the_stand_in_streams_what_it_says_plainly(llm):
    """The pieces of a stream are the plain answer; usage is the last chunk, and only when it was asked for."""
    plain = _ask(llm.url, "Hello?")
    without = list(_ask(llm.url, "Hello?", stream=True))
    with_usage = list(_ask(llm.url, "Hello?", stream=True, stream_options={"include_usage": True}))
    assert len(with_usage) == len(without) + 1
    assert with_usage[-1].usage == plain.usage
    assert all(chunk.usage is None for chunk in without)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in without)
    assert text == plain.choices[0].message.content


def _ask(url, question, **options):
    client = OpenAI(base_url=url, api_key="none", max_retries=0)
    messages = [{"role": "user", "content": question}]
    with client:
        answer = client.chat.completions.create(model="gpt-4.1-mini", messages=messages, **options)
        return list(answer) if options.get("stream") else answer
