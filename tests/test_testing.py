"""The test tools that the package ships."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, use_span

import agentops_otel.testing
from agentops_otel.events import ActionEvent
from agentops_otel.testing import SequentialClock, SequentialIdGenerator, SpanCapture

SOURCE = str(Path(agentops_otel.testing.__file__).parents[1])


@pytest.fixture
def capture():
    return SpanCapture()


@pytest.fixture
def tracer(capture):
    provider = TracerProvider(id_generator=SequentialIdGenerator(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(capture))
    yield provider.get_tracer("tests")
    provider.shutdown()


def test_the_capture_keeps_spans_in_the_order_of_their_ends(tracer, capture):
    """`spans` is a copy that the reader may change."""
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass
    assert [span.name for span in capture.spans] == ["inner", "outer"]
    capture.spans.clear()
    assert len(capture.spans) == 2
    capture.clear()
    assert capture.spans == []


def test_find_returns_the_first_span_of_a_name_or_says_what_there_is(tracer, capture):
    """The error names the spans that were captured."""
    for number in (1, 2):
        tracer.start_span("a", attributes={"number": number}).end()
    assert capture.find("a").attributes["number"] == 1
    with pytest.raises(LookupError, match=r"no span 'b' among \['a', 'a'\]"):
        capture.find("b")


def test_the_tree_shows_names_kinds_status_and_chosen_attributes(tracer, capture):
    """Children are indented under their parents, in the order in which they started."""
    with tracer.start_as_current_span("root", attributes={"agentops.span.kind": "session"}) as root:
        with tracer.start_as_current_span("first", kind=SpanKind.CLIENT, attributes={"n": 1, "tags": ["a"]}):
            tracer.start_span("leaf").end()
        with tracer.start_as_current_span("second") as second:
            second.set_status(Status(StatusCode.ERROR, "bad"))
        root.set_status(Status(StatusCode.OK))
    started_first = tracer.start_span("first")
    tracer.start_span("second").end()
    started_first.end()
    assert capture.tree().splitlines()[-2:] == ["first [internal]", "second [internal]"]
    assert capture.tree(["n", "tags"]).partition("\nfirst")[0] == textwrap.dedent(
        """\
        root [session] OK
          first [client] n=1 tags=['a']
            leaf [internal]
          second [internal] ERROR"""
    )


def test_the_tree_shows_a_span_whose_parent_is_not_captured(tracer, capture):
    """It is a root of the tree, such as everything in a session that is still open."""
    open_span = tracer.start_span("open")
    with use_span(open_span):
        tracer.start_span("inside").end()
    assert capture.tree() == "inside [internal]"
    open_span.end()
    assert capture.tree() == "open [internal]\n  inside [internal]"


def test_durations_are_shown_on_request(tracer, capture):
    """In milliseconds."""
    tracer.start_span("a", start_time=1_000_000_000).end(1_001_500_000)
    assert capture.tree() == "a [internal]"
    assert capture.tree(durations=True) == "a [internal] 1.500ms"


def test_reading_brings_in_spans_that_wait_in_a_batch(capture):
    """A capture with a flush is never behind."""
    provider = TracerProvider(shutdown_on_exit=False)
    batched = SpanCapture(provider.force_flush)
    provider.add_span_processor(BatchSpanProcessor(batched))
    try:
        provider.get_tracer("tests").start_span("a").end()
        assert batched.find("a").name == "a"
    finally:
        provider.shutdown()


def test_ids_count_up(tracer, capture):
    """Trace and span ids are 1, 2, 3..."""
    for name in ("a", "b"):
        tracer.start_span(name).end()
    assert [(span.context.trace_id, span.context.span_id) for span in capture.spans] == [(1, 1), (2, 2)]


def test_times_come_from_the_clock_while_it_is_in_use(tracer, capture):
    """Each reading is a step later; afterwards the real time is back."""
    clock = SequentialClock(start_ns=5_000_000_000, step_ns=1_000_000_000)
    with clock:
        tracer.start_span("a").end()
        event = ActionEvent("e")
    tracer.start_span("b").end()
    assert (capture.find("a").start_time, capture.find("a").end_time) == (5_000_000_000, 6_000_000_000)
    assert event.init_timestamp == "1970-01-01T00:00:07+00:00"
    assert capture.find("b").start_time > 1_700_000_000_000_000_000


def run_pytest(tmp_path, source, *options):
    (tmp_path / "test_sample.py").write_text(textwrap.dedent(source), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([SOURCE, *sys.path]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "pytest",
        "-p",
        "agentops_otel_pytest",
        "-p",
        "no:cacheprovider",
        *options,
    ]
    environment["HOME"] = str(tmp_path)
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_fixture_is_a_session_for_each_test(tmp_path):
    """Each test sees its own spans; afterwards nothing is left, and no warning was raised on the way."""
    finished = run_pytest(
        tmp_path,
        """
        import os
        import threading
        import time

        import pytest

        import agentops_otel as agentops

        @agentops.tool
        def search(query):
            return query

        @pytest.mark.parametrize("number", [1, 2])
        def test_a(agentops_session, number):
            assert agentops.current_session() is not None
            search("cats")
            assert agentops_session.tree(["gen_ai.tool.call.result"]) == (
                "execute_tool search [tool] gen_ai.tool.call.result='cats'"
            )

        def test_root(agentops_session):
            search("cats")
            agentops.end_session("Fail", "because")
            assert agentops_session.tree() == "session [session] ERROR\\n  execute_tool search [tool]"

        def test_nothing_is_left():
            assert agentops.current_session() is None
            deadline = time.monotonic() + 10
            while threading.active_count() > 1 and time.monotonic() < deadline:
                time.sleep(0.01)  # the thread that looked at the host may still have its last words
            assert threading.active_count() == 1
            assert "AGENTOPS_JOURNAL" not in os.environ

        def test_a_client_of_the_tested_program_is_replaced(request):
            agentops.init(endpoint="http://127.0.0.1:9", summary=False, auto_start_session=False)
            capture = request.getfixturevalue("agentops_session")
            search("cats")
            assert capture.find("execute_tool search")
        """,
        "-Werror",
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "5 passed" in finished.stdout
    assert "Warning" not in finished.stdout + finished.stderr


def run_python(program):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([SOURCE, *sys.path])}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_loading_the_plugin_does_not_load_the_package():
    """pytest loads it in every project, so a run that does not use it must not pay for it."""
    finished = run_python(
        """
        import sys
        import agentops_otel_pytest
        print("agentops_otel" in sys.modules, any(name.startswith("opentelemetry") for name in sys.modules))
        """
    )
    assert finished.stdout.strip() == "False False", finished.stderr


def test_the_tools_work_without_pytest():
    """Only the fixture needs it."""
    finished = run_python(
        """
        import sys
        sys.modules["pytest"] = None
        import agentops_otel as agentops
        from agentops_otel.testing import captured_session
        with captured_session() as capture:
            agentops.record(agentops.ActionEvent("search"))
        print(capture.tree())
        print(agentops.current_session())
        """
    )
    assert finished.stdout == "session [session] OK\n  search [action]\nNone\n", finished.stderr
