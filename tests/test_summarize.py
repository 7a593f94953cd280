from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from agentops_otel import semconv
from agentops_otel.normalize import normalize
from agentops_otel.rows import CELLS, Process, SessionEvent, SpanBody, SpanRow
from agentops_otel.server.otlp import spans_from_protobuf
from agentops_otel.summarize import summarize
from agentops_otel.totals import Totals
from agentops_otel.usage import Usage

TRACE = "01b6f2a49c1e7d308a553f0e6c21d9b7"
START = 1_763_730_000_000_000_000
SECOND = 1_000_000_000
PROCESS = Process(service="shop-api", host="build-07", pid=4121, runtime="python 3.12.4", instance="i1")


def span(number, kind, label, start, end, *, parent=1, **more):
    """A span; times in seconds from the start, an `end` of None is open."""
    more.setdefault("name", {"llm": f"chat {label}", "tool": f"execute_tool {label}"}.get(kind, label))
    return SpanRow(
        trace_id=more.pop("trace", TRACE),
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        session_id="s",
        kind=kind,
        label=label,
        start_ns=START + round(start * SECOND),
        end_ns=None if end is None else START + round(end * SECOND),
        process=PROCESS,
        **more,
    )


def root(end=10, state="success", **more):
    return span(1, "session", "session", 0, end, parent=None, end_state=state, **more)


def call(number, start, end, *, model="gpt-4.1", tokens=100, cost=0.01, **more):
    usage = None if tokens is None else Usage(tokens, 10, cache_read_tokens=tokens // 2)
    more.setdefault("provider", "openai")
    return span(number, "llm", model, start, end, model=model, usage=usage, cost=cost, **more)


def failed(number, kind, label, start, end, **more):
    more.setdefault("error_type", "ValueError")
    more.setdefault("error_message", "no order 1907")
    return span(number, kind, label, start, end, status="error", **more)


def event(name, at, **more):
    return SessionEvent(name, "s", TRACE, START + round(at * SECOND), process=PROCESS, **more)


def row(*spans, events=(), now=3600.0):
    return summarize("s", spans, events, now_ns=START + round(now * SECOND))


def errors(found):
    return found.fatal_errors, found.recovered_errors, found.open_errors


# ------------------------------------------------------------------------------------------------------------- totals


def test_totals_are_those_of_the_calls():
    """Agents that carry the sums of their calls, and LLM spans around LLM spans, are not added again."""
    found = row(
        root(),
        span(2, "agent", "planner", 0, 9, usage=Usage(200, 20), cost=0.02),
        call(3, 1, 5, parent=2, tokens=100),  # a wrapper
        span(4, "step", "POST", 1, 5, parent=3),
        call(5, 1, 4, parent=4, tokens=100),
        call(6, 5, 8, parent=2, tokens=100),
    )
    assert found.usage == Usage(200, 20, cache_read_tokens=100)
    assert found.cost == pytest.approx(0.02)
    assert (found.llm_calls, found.priced_calls, found.unpriced_calls) == (2, 2, 0)
    assert found.agent_names == ("planner",)
    assert sum(use.calls for use in found.models) == 2


@pytest.mark.parametrize("kind", ["tool", "agent", "workflow", "session"])
def test_a_call_that_asks_for_what_makes_the_next_one_counts(kind):
    """Google's Agent Development Kit leaves a call's span open around the tool or agent that it asks for."""
    found = row(
        root(),
        call(2, 1, 9, tokens=100, cost=0.03),
        span(3, "step", "handle", 2, 8, parent=2),
        span(4, kind, "helper", 2, 8, parent=3),
        call(5, 3, 7, parent=4, tokens=100, cost=0.01),
        call(6, 4, 6, parent=5, tokens=100, cost=0.01),  # which 5 wraps
    )
    assert (found.llm_calls, found.usage.input_tokens) == (2, 200)
    assert found.cost == pytest.approx(0.04)


def test_small_costs_do_not_get_lost():
    """The cost is the exact sum, in whatever order the calls come."""
    spans = [call(n, n, n + 0.5, cost=0.1) for n in range(2, 12)]
    assert row(root(20), *spans).cost == row(root(20), *reversed(spans)).cost == 1.0


@pytest.mark.parametrize(
    ("more", "unpriced"),
    [
        pytest.param({}, 1, id="ended"),
        pytest.param({"status": "error"}, 0, id="failed"),
        pytest.param({"status": "error", "tokens": 100}, 1, id="failed-with-usage"),
    ],
)
def test_a_call_without_price_is_unpriced(more, unpriced):
    """A failed call costs nothing, so its price is not missing; one that runs has none yet."""
    found = row(root(), call(2, 1, 2, cost=None, **({"tokens": None} | more)))
    assert (found.llm_calls, found.unpriced_calls) == (1, unpriced)
    assert found.known_cost == (None if unpriced else 0.0)
    assert row(root(), call(2, 1, None, cost=None, tokens=None)).unpriced_calls == 0


def test_an_answer_that_is_fetched_later_counts_once():
    """The call that begins it brings no usage; the fetch does, and each further one the same again."""
    found = row(
        root(),
        call(2, 1, 2, tokens=None, cost=None, response_id="resp_1"),
        call(3, 3, 4, response_id="resp_1", operation="fetch_response"),
        call(4, 5, 6, response_id="resp_1", operation="fetch_response"),
    )
    assert (found.llm_calls, found.unpriced_calls, found.usage.input_tokens) == (1, 0, 100)


def test_two_instrumentations_of_one_call_count_once():
    """The same answer, seen by two instrumentations side by side."""
    found = row(
        root(),
        call(2, 1, 3, response_id="r"),
        call(3, 1.1, 2.9, response_id="r", dialect="openinference"),
        call(4, 4, 5),
    )
    assert (found.llm_calls, found.usage.input_tokens) == (2, 200)


def test_a_server_that_gives_ids_twice_loses_no_call():
    """Small servers draw ids from a thousand: two answers with one id are two calls."""
    calls = [call(n, n, n + 0.5, response_id="chatcmpl-7", finish_reasons=("stop",)) for n in range(2, 6)]
    assert row(root(), *calls).llm_calls == 4


def test_models_are_told_apart_by_hour():
    """What was used of one model stands in the hour in which the call began."""
    found = row(root(9000), call(2, 1, 2), call(3, 2, 4, model="o3"), call(4, 4000, 4001))
    assert [(use.model, use.calls, use.duration_ns // SECOND) for use in found.models] == [
        ("gpt-4.1", 1, 1),
        ("gpt-4.1", 1, 1),
        ("o3", 1, 2),
    ]
    assert {use.hour for use in found.models} == {START // 3600 // SECOND, START // 3600 // SECOND + 1}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param(["openai", "openai"], [("openai", 3)], id="one"),
        pytest.param(["openai", "azure"], [("", 1), ("azure", 1), ("openai", 1)], id="two"),
        pytest.param([], [("", 1)], id="none"),
    ],
)
def test_an_open_call_has_the_provider_of_its_model(others, expected):
    """A heartbeat says the model alone; where several providers have it, none is guessed."""
    calls = [call(number, number, number + 1, provider=provider) for number, provider in enumerate(others, 2)]
    another = call(8, 8, 9, provider="anthropic", model="claude")
    beat = event("heartbeat", 9, open_spans=(call(9, 9, None, provider=None, tokens=None, cost=None),))
    found = row(*calls, another, events=[event("start", 0), beat], now=10)
    assert [(use.provider, use.calls) for use in found.models if use.model == "gpt-4.1"] == expected


def test_a_call_that_ended_without_a_provider_has_none():
    """It is what it says; and a call without a model has no provider of another."""
    found = row(root(), call(2, 1, 2), call(3, 3, 4, provider=None), call(4, 4, None, model=None, provider=None))
    assert [(use.provider, use.model) for use in found.models] == [("", ""), ("", "gpt-4.1"), ("openai", "gpt-4.1")]


def test_tools_are_counted_with_what_they_repeat():
    """Calls, failures, what was recovered from, and the same call again."""
    found = row(
        root(),
        failed(2, "tool", "search", 1, 2, arguments_digest="a"),
        span(3, "tool", "search", 3, 4, arguments_digest="a"),
        span(4, "tool", "search", 4, 6, arguments_digest="b"),
        span(5, "tool", "read", 6, 7),
    )
    assert found.tool_calls == 4
    read, search = found.tools
    assert (read.tool, read.calls, read.failed, read.repeated) == ("read", 1, 0, 0)
    assert (search.tool, search.calls, search.failed, search.recovered, search.repeated) == ("search", 3, 1, 1, 1)
    assert search.duration_ns == 4 * SECOND


# ------------------------------------------------------------------------------------------------------------- errors


def test_an_error_counts_once_where_it_happened():
    """However many spans around it fail with it."""
    found = row(
        root(state="fail"),
        failed(2, "agent", "planner", 0, 9),
        failed(3, "tool", "refund", 1, 8, parent=2),
        failed(4, "step", "POST", 2, 7, parent=3, error_type="HTTPError", error_message="503"),
    )
    assert errors(found) == (1, 0, 0)
    assert [(e.span_id[-1], e.kind, e.label, e.type) for e in found.errors] == [("4", "tool", "refund", "HTTPError")]


def test_an_error_is_recovered_when_the_same_tool_works_later():
    """Under the same parent, even though the session failed in the end."""
    found = row(root(state="fail"), failed(2, "tool", "tests", 1, 2), span(3, "tool", "tests", 3, 4))
    assert errors(found) == (0, 1, 0)
    assert found.errors[0].recovered_by == f"{3:016x}"


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(span(3, "tool", "lint", 3, 4), id="another-tool"),
        pytest.param(span(3, "tool", "tests", 3, 4, parent=9), id="another-parent"),
        pytest.param(span(3, "tool", "tests", 1.5, 4), id="at-the-same-time"),
        pytest.param(span(3, "tool", "tests", 3, None), id="not-ended"),
        pytest.param(failed(3, "tool", "tests", 3, 4), id="failed-too"),
    ],
)
def test_what_does_not_recover_an_error(later):
    """Only a later call of the same tool under the same parent that has ended well."""
    assert row(root(state="fail"), failed(2, "tool", "tests", 1, 2), later).recovered_errors == 0


def test_an_error_is_recovered_when_the_span_around_it_ends_well():
    """The agent went on and ended; the session failed for another reason."""
    found = row(root(state="fail"), span(2, "agent", "a", 0, 5), failed(3, "tool", "t", 1, 2, parent=2))
    assert errors(found) == (0, 1, 0)
    assert found.errors[0].recovered_by is None


def test_a_span_that_ended_before_an_error_recovered_from_nothing():
    """A background task fails after the span that started it."""
    spans = span(2, "agent", "a", 0, 2), failed(3, "tool", "t", 1, 5, parent=2)
    assert errors(row(root(state="fail"), *spans)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("state", "counts"), [("success", (0, 1, 0)), ("fail", (1, 0, 0)), ("indeterminate", (1, 0, 0))]
)
def test_the_end_of_a_session_decides_about_errors_that_nothing_caught(state, counts):
    """A session that ended well has recovered from all."""
    assert errors(row(root(state=state), failed(2, "tool", "t", 1, 2))) == counts


def test_an_error_is_open_while_the_session_runs():
    """It counts neither as fatal nor as recovered."""
    found = row(failed(2, "tool", "t", 1, 2), events=[event("start", 0)], now=3)
    assert (found.state, errors(found)) == ("running", (0, 0, 1))


def test_a_recorded_error_belongs_to_the_span_that_triggered_it():
    """Its tool is that of the trigger, and a later success of that tool recovers from it."""
    found = row(
        root(state="fail"),
        span(2, "tool", "pay", 1, 2, arguments_digest="x"),
        failed(3, "error", "error ValueError", 2, 2, trigger_id=f"{2:016x}"),
        span(4, "tool", "pay", 3, 4),
    )
    assert [(e.kind, e.label, e.fate, e.recovered_by) for e in found.errors] == [
        ("tool", "pay", "recovered", f"{4:016x}")
    ]
    assert [(tool.failed, tool.recovered) for tool in found.tools] == [(1, 1)]


def test_the_same_failed_call_is_told_in_the_ending():
    """Equal tool and equal arguments."""
    refunds = [
        failed(n, "tool", "refund", n, n + 0.5, arguments_digest="a", error_type="PermissionError") for n in (2, 3, 4)
    ]
    found = row(root(state="fail"), *refunds, call(5, 6, 7))
    assert [e.repeated for e in found.errors] == [0, 1, 2]
    assert found.ending == "PermissionError: no order 1907. Same call three times"
    assert [e.cost_after for e in found.errors] == [0.01, 0.01, 0.01]


def test_fingerprints_leave_out_what_differs_each_time():
    """Numbers and ids; the tool and the type stay."""
    first, second, third = (
        row(root(), failed(2, "tool", tool, 1, 2, error_message=message)).errors[0].fingerprint
        for tool, message in (
            ("pay", "order 1907 at 0x7f3a of 01b6f2a4-9c1e-7d30-8a55-3f0e6c21d9b7"),
            ("pay", "order 22 at 0x11 of 5a1c44e0-9c1e-7d30-8a55-3f0e6c21d9b7"),
            ("refund", "order 1907 at 0x7f3a of 01b6f2a4-9c1e-7d30-8a55-3f0e6c21d9b7"),
        )
    )
    assert first == second != third
    assert len(first) == 16


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        pytest.param([], ("nothing", "", None, None), id="nothing"),
        pytest.param(
            [call(3, 2.5, 3), failed(4, "tool", "pay", 4, 5, arguments_digest="a")],
            ("same call", "pay", False, 2),
            id="same",
        ),
        pytest.param(
            [span(4, "tool", "pay", 4, 5, arguments_digest="b")], ("other arguments", "pay", True, 2), id="arguments"
        ),
        pytest.param([span(4, "tool", "mail", 4, None)], ("other tool", "mail", None, 2), id="other"),
        pytest.param([call(3, 3, 4)], ("answer", "gpt-4.1", True, 1), id="answer"),
        pytest.param(
            [span(4, "tool", "pay", 4, 5, parent=7), span(7, "agent", "b", 0, 9)],
            ("nothing", "", None, None),
            id="of-another-agent",
        ),
    ],
)
def test_an_error_says_what_was_done_next(spans, told):
    """By the same agent: the next call of a tool, else the next call of a model."""
    pay = failed(2, "tool", "pay", 1, 2, parent=6, arguments_digest="a")
    others = [
        replace(one, parent_id=f"{6:016x}") if one.parent_id == f"{1:016x}" and one.kind != "agent" else one
        for one in spans
    ]
    error = row(root(state="fail"), span(6, "agent", "a", 0, 9), pay, *others).errors[0]
    after = None if error.next_after_ns is None else error.next_after_ns // SECOND
    assert (error.next, error.next_label, error.next_worked, after) == told
    assert error.agent == "a"


def test_the_root_is_no_error():
    """A session that was ended as failed, with nothing that raised, has none."""
    found = row(root(state="fail", status="error", end_reason="no refund"))
    assert errors(found) == (0, 0, 0)
    assert found.ending == "no refund"


# ------------------------------------------------------------------------------------------------------------- state


def test_an_end_is_taken_from_root_or_event():
    """Whichever has come; a process that was thought dead and then ended well, ended well."""
    ended = event("end", 10, end_state="fail", end_reason="Interrupted (SIGINT)")
    assert row(root()).state == "success"
    found = row(call(2, 1, 2), events=[event("start", 0), ended])
    assert (found.state, found.reason, found.ended, found.duration_ns) == (
        "fail",
        "Interrupted (SIGINT)",
        True,
        10 * SECOND,
    )
    assert row(root(state="indeterminate"), events=[ended]).state == "fail"


def test_the_end_of_a_member_is_not_that_of_the_session():
    """A worker process that leaves with an end state of its own."""
    member = event("end", 5, end_state="fail", role="member")
    assert row(events=[event("start", 0), event("heartbeat", 8), member], now=10).state == "running"


def test_a_session_without_sign_of_life_is_indeterminate():
    """30 seconds after its last heartbeat; what was open then is its last act."""
    beat = event("heartbeat", 20, open_spans=(span(7, "tool", "kmeans", 19, None),))
    at_first, later = (row(call(2, 1, 2), events=[event("start", 0), beat], now=now) for now in (49.9, 50))
    assert (at_first.state, at_first.ending) == ("running", "now kmeans")
    assert at_first.ending_since_ns == START + 19 * SECOND
    assert (later.state, later.ending) == ("indeterminate", "No end recorded; last was execute_tool kmeans")
    assert (later.ended, later.open_spans, later.heartbeat_ns) == (False, 1, START + 20 * SECOND)


def test_an_open_span_that_ends_later_is_one_span():
    """The heartbeat's row gives way to the span's own."""
    beat = event("heartbeat", 5, open_spans=(span(2, "tool", "t", 1, None),))
    found = row(root(), span(2, "tool", "t", 1, 6), events=[beat])
    assert (found.spans, found.open_spans, found.tool_calls, found.tool_ns) == (2, 0, 1, 5 * SECOND)


@pytest.mark.parametrize(
    ("spans", "now", "state"),
    [
        pytest.param([call(2, 0, 5, parent=None)], 6, "success", id="ended"),
        pytest.param([failed(2, "step", "GET", 0, 5, parent=None)], 6, "fail", id="failed"),
        pytest.param([call(2, 0, 5, parent=9)], 6, "running", id="root-missing"),
        pytest.param([call(2, 0, 5, parent=9)], 60, "indeterminate", id="root-never-came"),
        pytest.param(
            [span(2, "step", "x", 0, None, parent=None), call(3, 1, 5, parent=2)], 6, "running", id="root-open"
        ),
        pytest.param(
            [failed(2, "step", "x", 0, 1, parent=None), call(3, 2, 5, parent=None, trace="2" * 32)],
            9,
            "success",
            id="turns",
        ),
        pytest.param(
            [call(2, 0, 1, parent=None), call(3, 2, 5, parent=9, trace="2" * 32)], 9, "running", id="next-turn"
        ),
    ],
)
def test_traces_of_others_end_with_their_first_spans(spans, now, state):
    """A trace without a session root is a session of its own."""
    assert row(*spans, now=now).state == state


def test_nothing_is_a_session_too():
    """Whatever asks for it: the row of no spans and of a start alone."""
    assert row(now=0).duration_ns == 0
    assert row(events=[event("start", 0)], now=1).state == "running"


# ------------------------------------------------------------------------------------------------------------- texts


def test_a_row_says_what_was_asked_and_answered():
    """The root's words, else those of the first that was asked and the last that answered."""
    calls = call(2, 1, 2, asked="Refund 1842", answered="I look"), call(3, 3, 4, asked="again", answered="Done.")
    assert (row(root(), *calls).asked, row(root(), *calls).ending) == ("Refund 1842", "Done.")
    own = row(root(asked="Refund order 1842", answered="Refund of 61.90 EUR is on its way."), *calls)
    assert (own.asked, own.ending) == ("Refund order 1842", "Refund of 61.90 EUR is on its way.")


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ('["Who wrote it?"]', "Who wrote it?"),
        ('{"question": "Who wrote it?"}', "Who wrote it?"),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ("[not json", "[not json"),
    ],
)
def test_what_was_asked_is_read_out_of_arguments(said, asked):
    """Of an agent that was called with one text."""
    assert row(root(asked=said)).asked == asked


def test_a_success_without_words_says_its_last_act():
    """As when no content is captured."""
    assert row(root(), call(2, 1, 2), span(3, "tool", "save", 3, 4)).ending == "execute_tool save"


@pytest.mark.parametrize(
    ("more", "name"),
    [({"session_name": "nightly"}, "nightly"), ({}, "ci-medic")],
)
def test_a_session_is_called_by_its_name_or_its_first_agent(more, name):
    """And else by its service."""
    assert row(root(**more), span(2, "agent", "ci-medic", 0, 9), span(3, "agent", "x", 1, 9)).name == name
    assert row(root(**more)).name == ("shop-api" if not more else name)


def test_sdks_are_those_that_were_called():
    """Of the packages that the start lists, those of the providers of its calls."""
    packages = "anthropic==2.11.0\nhttpx==0.28.1\nopenai==3.52.1"
    start = event("start", 0, attributes={semconv.PYTHON_PACKAGES: packages})
    assert row(root(), call(2, 1, 2), events=[start]).sdks == ("openai 3.52",)
    both = row(root(), call(2, 1, 2), call(3, 1, 2, provider="anthropic"), events=[start])
    assert both.sdks == ("anthropic 2.11", "openai 3.52")


def test_facts_come_from_spans_and_events():
    """Tags, processes, the video, what was dropped."""
    worker = Process(service="worker", pid=7)
    joined = SessionEvent("join", "s", TRACE, START, role="member", process=worker, tags=("batch",))
    found = row(root(tags=("prod", "v2"), video="https://v", dropped_spans=3), events=[joined])
    assert found.tags == ("prod", "v2", "batch")
    assert found.processes == (PROCESS, worker)
    assert (found.video, found.dropped_spans) == ("https://v", 3)


# ------------------------------------------------------------------------------------------------------------- times


def test_each_instant_belongs_to_one_kind():
    """LLM before tool before own code."""
    found = row(root(), call(2, 1, 4), span(3, "tool", "t", 3, 6), span(4, "tool", "u", 5, 7), call(5, 8, 12))
    assert [found.llm_ns, found.tool_ns, found.own_ns] == [5 * SECOND, 3 * SECOND, 2 * SECOND]
    assert found.strip.llm == ((20, 80), (160, 200))
    assert found.strip.tool == ((80, 140),)


def test_what_took_hardly_any_time_has_a_cell():
    """A tool of 20 ms in a session of an hour is seen."""
    found = row(root(3600), span(2, "tool", "t", 1800, 1800.02), failed(3, "tool", "u", 1800, 1800.02))
    assert found.strip.tool == ((100, 101),)
    assert found.strip.errors == ((100, "recovered"),)


# -------------------------------------------------------------------------------------------------------- properties


@st.composite
def programs(draw):
    """What a program does: spans that begin below others that are open, and end in any order, some with an error."""
    steps, opened, count = [], [], 0
    for _ in range(draw(st.integers(1, 24))):
        if opened and draw(st.booleans()):
            ended = opened.pop(draw(st.integers(0, len(opened) - 1)))
            steps.append(("end", ended, draw(st.booleans())))
        else:
            count += 1
            kind = draw(st.sampled_from(["agent", "tool", "llm", "action", "workflow", "error", None]))
            parent = draw(st.sampled_from([0, *opened]))
            steps.append(("start", count, (parent, kind, draw(st.sampled_from("ab")), draw(st.booleans()))))
            opened.append(count)
    steps += [("end", number, False) for number in reversed(opened)]
    return steps


def run_program(steps, state):
    """The totals of our SDK, and the spans as a box receives them."""
    totals, sent, spans = Totals(), InMemorySpanExporter(), {}
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(sent))
    tracer, clock = provider.get_tracer("agentops_otel"), itertools.count(START, 1000)
    end_state = {semconv.SESSION_END_STATE: state.capitalize()}
    spans[0] = tracer.start_span(
        "session", start_time=next(clock), attributes={semconv.SPAN_KIND: "session"} | end_state
    )
    for verb, number, what in steps:
        if verb == "end":
            if what:
                spans[number].set_status(Status(StatusCode.ERROR, "ValueError: no"))
            spans[number].end(next(clock))
            totals.on_end(spans[number])
            continue
        parent, kind, name, priced = what
        attributes = {} if kind is None else {semconv.SPAN_KIND: kind}
        if kind == "llm":
            model = "gpt-4o-mini" if priced else "no-such-model"
            attributes |= {
                semconv.OPERATION_NAME: "chat",
                semconv.PROVIDER_NAME: "openai",
                semconv.REQUEST_MODEL: model,
            }
            attributes |= {semconv.USAGE_INPUT_TOKENS: 100, semconv.USAGE_OUTPUT_TOKENS: 7} if name == "a" else {}
            name = f"chat {model}"
        elif kind in {"tool", "agent"}:
            attributes |= {semconv.TOOL_NAME if kind == "tool" else semconv.AGENT_NAME: name}
        elif kind == "error" and number > 1:
            attributes |= {semconv.ERROR_TRIGGER_SPAN_ID: f"{spans[number - 1].get_span_context().span_id:016x}"}
        below = set_span_in_context(spans[parent])
        spans[number] = tracer.start_span(name, below, start_time=next(clock), attributes=attributes)
        totals.on_start(spans[number])
    spans[0].end(next(clock))
    body = encode_spans(sent.get_finished_spans()).SerializeToString()
    return totals, [normalize(one) for one in spans_from_protobuf(body).spans]


@settings(max_examples=150, deadline=None)
@given(programs(), st.sampled_from(["success", "fail", "indeterminate"]))
def test_a_reader_counts_as_our_sdk_does(steps, state):
    """What the summary of a program says at its end, and what its page says."""
    totals, spans = run_program(steps, state)
    told, found = totals.snapshot(survived=state == "success"), row(*spans)
    assert (len(found.errors), found.recovered_errors) == (told.errors, told.recovered_errors)
    assert found.open_errors == 0
    assert (found.llm_calls, found.tool_calls, found.actions) == (told.llm_calls, told.tool_calls, told.actions)
    assert (found.usage, found.unpriced_calls) == (told.usage, told.unpriced_calls)
    assert (found.cost if found.priced_calls else None) == (
        told.cost if told.cost is None else pytest.approx(told.cost)
    )


@st.composite
def sessions(draw):
    """Spans in any tree, with any times, and events."""
    count = draw(st.integers(0, 12))
    spans = []
    for number in range(1, count + 1):
        start = draw(st.integers(0, 100))
        end = draw(st.none() | st.integers(start, 120))
        kind = draw(st.sampled_from(["session", "agent", "tool", "llm", "error", "step", "action", "workflow"]))
        spans.append(
            span(
                number,
                kind,
                draw(st.sampled_from("ab")),
                start,
                end,
                parent=draw(st.none() | st.integers(1, 13)),
                trace=draw(st.sampled_from([TRACE, "2" * 32])),
                status=draw(st.sampled_from(["unset", "ok", "error"])) if end is not None else "unset",
                model=draw(st.sampled_from([None, "m"])),
                provider=draw(st.sampled_from([None, "openai"])),
                usage=draw(st.none() | st.builds(Usage, st.integers(0, 99), st.integers(0, 99))),
                cost=draw(st.none() | st.floats(0, 9)),
                response_id=draw(st.sampled_from([None, "r"])),
                arguments_digest=draw(st.sampled_from([None, "d"])),
                trigger_id=draw(st.none() | st.integers(1, 13).map("{:016x}".format)) if kind == "error" else None,
                end_state=draw(st.sampled_from([None, "success", "fail"])) if kind == "session" else None,
                asked=draw(st.sampled_from([None, "q"])),
                answered=draw(st.sampled_from([None, f"answer {number}"])),
                body=SpanBody(result="x"),
            )
        )
    events = [
        event(
            draw(st.sampled_from(["start", "join", "heartbeat"])),
            draw(st.integers(0, 130)),
            open_spans=tuple(replace(one, end_ns=None, status="unset") for one in spans[:2]),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    return spans, events


@settings(max_examples=100, deadline=None)
@given(sessions(), st.randoms(use_true_random=False), st.integers(0, 200))
def test_order_duplicates_and_bodies_make_no_difference(session, shuffled: random.Random, now):
    """Spans that come before, after or without their root, twice, or read without their bodies."""
    spans, events = session
    expected = row(*spans, events=events, now=now)
    again = [replace(one, body=None) for one in spans] + shuffled.sample(spans, len(spans) // 2)
    shuffled.shuffle(again)
    beats = [*events, *events[:1]]
    shuffled.shuffle(beats)
    assert row(*again, events=beats, now=now) == expected


@settings(max_examples=100, deadline=None)
@given(sessions(), st.integers(0, 200))
def test_parts_add_up_to_the_whole(session, now):
    """Time by kind to the duration, models to the totals, fates to the errors; strips have no overlap."""
    spans, events = session
    found = row(*spans, events=events, now=now)
    assert found.llm_ns + found.tool_ns + found.own_ns == found.duration_ns
    assert min(found.llm_ns, found.tool_ns, found.own_ns) >= 0
    assert sum((use.usage for use in found.models), Usage()) == found.usage
    assert sum(use.cost for use in found.models) == pytest.approx(found.cost)
    assert sum(use.calls for use in found.models) == found.llm_calls
    assert sum(use.unpriced for use in found.models) == found.unpriced_calls
    assert sum(use.calls for use in found.tools) == found.tool_calls
    assert found.fatal_errors + found.recovered_errors + found.open_errors == len(found.errors)
    taken = sorted([*found.strip.llm, *found.strip.tool])
    assert all(0 <= first < last <= CELLS for first, last in taken)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(taken))
    assert all(tool.recovered <= tool.failed <= tool.calls for tool in found.tools)
