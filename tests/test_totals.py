"""Totals: leaf calls only, errors once, prices where there are any."""

from __future__ import annotations

import threading
import weakref

import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from agentops_otel import semconv, totals
from agentops_otel.totals import Totals

CHAT = {
    semconv.OPERATION_NAME: "chat",
    semconv.PROVIDER_NAME: "openai",
    semconv.REQUEST_MODEL: "gpt-4o-mini",
}
USAGE = {semconv.USAGE_INPUT_TOKENS: 1000, semconv.USAGE_OUTPUT_TOKENS: 100}
COST = 1000 * 0.15e-6 + 100 * 0.6e-6


class Feed(SpanProcessor):
    def __init__(self):
        self.totals = Totals()

    def on_start(self, span, parent_context=None):
        self.totals.on_start(span)

    def on_end(self, span):
        self.totals.on_end(span)


@pytest.fixture
def feed():
    return Feed()


@pytest.fixture
def start(feed):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(feed)

    def start(name, parent=None, tracer="ours", **attributes):
        context = None if parent is None else set_span_in_context(parent)
        return provider.get_tracer(tracer).start_span(name, context, attributes=attributes.pop("attributes", None))

    return start


def end(span, attributes=None, *, failed=False):
    span.set_attributes(attributes or {})
    if failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def test_one_call(feed, start):
    """Calls, tokens, cost and the model's share of one LLM span."""
    end(
        start("chat", attributes=CHAT),
        {**USAGE, semconv.USAGE_CACHE_READ_TOKENS: 0, semconv.USAGE_REASONING_TOKENS: 30},
    )
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.unpriced_calls, found.errors) == (1, 0, 0)
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.reasoning_tokens) == (1000, 100, 30)
    assert found.cost == pytest.approx(COST)
    assert [(name, m.calls, m.cost) for name, m in found.models.items()] == [("gpt-4o-mini", 1, pytest.approx(COST))]


def test_a_call_that_is_paid_by_its_length(feed, start):
    """A transcription without tokens has a cost all the same, where the price of its length is known."""
    for model, seconds in (("whisper-1", 90.0), ("whisper-9", 90.0)):
        end(
            start("generate_content"),
            {
                semconv.SPAN_KIND: semconv.KIND_LLM,
                semconv.PROVIDER_NAME: "openai",
                semconv.REQUEST_MODEL: model,
                semconv.USAGE_AUDIO_SECONDS: seconds,
            },
        )
    snapshot = feed.totals.snapshot()
    assert (snapshot.llm_calls, snapshot.cost, snapshot.unpriced_calls) == (2, pytest.approx(0.009), 1)


def test_what_waits_to_be_counted_is_small(feed, start):
    """A span that has ended is not held until it is counted, which may be a while after a burst of large prompts."""
    span = start("chat", attributes=CHAT)
    end(span, {**USAGE, "prompt": "x" * 1000})
    held = weakref.ref(span)
    del span
    assert held() is None
    assert feed.totals.snapshot().cost == pytest.approx(COST)


def test_an_agent_span_with_sums_is_not_counted(feed, start):
    """An agent span that carries the sums of its calls adds nothing."""
    agent = start("invoke_agent", attributes={semconv.OPERATION_NAME: "invoke_agent"})
    for _ in range(2):
        end(start("chat", agent, attributes=CHAT), USAGE)
    end(agent, {semconv.USAGE_INPUT_TOKENS: 2000, semconv.USAGE_OUTPUT_TOKENS: 200})
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.usage.input_tokens, found.cost) == (2, 2000, pytest.approx(2 * COST))


def test_a_span_with_usage_that_is_no_llm_call_is_not_counted(feed, start):
    """Usage on a span of no known kind is somebody's sum."""
    end(start("chain"), USAGE)
    assert feed.totals.snapshot().usage.input_tokens == 0


@pytest.mark.parametrize("tracer", ["ours", "langchain"])
@pytest.mark.parametrize("between", [False, True], ids=["direct", "with-a-span-between"])
@pytest.mark.parametrize("known", ["at-start", "at-end"])
@pytest.mark.parametrize("first", ["inner", "outer"])
def test_a_wrapper_of_a_call_counts_once(feed, start, tracer, between, known, first):
    """A framework's LLM span around a client's LLM span is one call, whoever made it, knew it or ended first."""
    at_start = CHAT if known == "at-start" else None
    outer = start("ChatOpenAI", tracer=tracer, attributes=at_start)
    middle = start("retry", outer) if between else outer
    inner = start("chat", middle, attributes=at_start)
    spans = [inner, *([middle] if between else []), outer]
    for span in spans if first == "inner" else reversed(spans):
        if span in (inner, outer):
            end(span, {**CHAT, **USAGE})
        else:
            end(span)
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.usage.input_tokens, found.usage.output_tokens) == (1, 1000, 100)


@pytest.mark.parametrize("between", [False, True], ids=["direct", "with-a-span-between"])
def test_a_stream_that_outlives_its_wrapper_counts_once(feed, start, between):
    """A wrapper that has ended is not counted while the stream in it is still read."""
    outer = start("ChatOpenAI", attributes=CHAT)
    inner = start("chat", start("retry", outer) if between else outer, attributes=CHAT)
    end(outer)
    assert feed.totals.snapshot().llm_calls == 0
    end(inner, USAGE)
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.unpriced_calls, found.usage.input_tokens) == (1, 0, 1000)


def test_two_calls_side_by_side_in_a_wrapper(feed, start):
    """A wrapper over two calls, such as a retry, counts as the two."""
    outer = start("wrapper", attributes=CHAT)
    for _ in range(2):
        end(start("chat", outer, attributes=CHAT), USAGE)
    end(outer, {semconv.USAGE_INPUT_TOKENS: 2000, semconv.USAGE_OUTPUT_TOKENS: 200})
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.usage.input_tokens) == (2, 2000)


@pytest.mark.parametrize("operation", ["execute_tool", "invoke_agent", "invoke_workflow"])
@pytest.mark.parametrize("first", ["inner", "outer"])
def test_a_call_in_a_tool_in_a_call(feed, start, operation, first):
    """A call that stays open while the tool or agent that it asked for calls a model is no wrapper of that call."""
    outer = start("call_llm", attributes=CHAT)
    step = start("step", outer)
    tool = start(operation, step, attributes={semconv.OPERATION_NAME: operation})
    inner = start("chat", start("http", tool), attributes=CHAT)
    for span in [inner, tool, step, outer] if first == "inner" else [outer, step, tool, inner]:
        end(span, USAGE if span in (inner, outer) else {})
    found = feed.totals.snapshot()
    assert (found.tool_calls, found.llm_calls) == (operation == "execute_tool", 2)
    assert (found.usage.input_tokens, found.cost) == (2000, pytest.approx(2 * COST))


def test_a_wrapper_of_a_call_whose_tool_calls(feed, start):
    """The call right below it makes it a wrapper."""
    outer = start("ChatOpenAI", attributes=CHAT)
    end(start("chat", outer, attributes=CHAT), USAGE)
    tool = start("execute_tool", outer, attributes={semconv.OPERATION_NAME: "execute_tool"})
    end(start("chat", tool, attributes=CHAT), USAGE)
    end(tool)
    end(outer, USAGE)
    assert feed.totals.snapshot().llm_calls == 2


def test_an_error_counts_once(feed, start):
    """A tool fails, and with it the action, the agent and the workflow around it: one error, not recovered."""
    spans = [start("workflow")]
    for name in ("agent", "action", "tool"):
        spans.append(start(name, spans[-1]))
    for span in reversed(spans):
        end(span, failed=True)
    found = feed.totals.snapshot()
    assert (found.errors, found.recovered_errors) == (1, 0)


def test_a_recovered_error_is_told_apart(feed, start):
    """An error that a span around it has survived is recovered; another one is not."""
    agent = start("agent")
    end(start("tool", agent), failed=True)
    end(start("tool", agent), failed=True)
    end(agent)
    end(start("tool"), failed=True)
    found = feed.totals.snapshot()
    assert (found.errors, found.recovered_errors) == (3, 2)


def test_an_error_is_recovered_when_the_same_tool_works_later(feed, start):
    """Under the same parent: not another tool, and not a call that was already under way."""
    kind = {semconv.SPAN_KIND: "tool"}
    early = start("search", attributes=kind)
    end(start("search", attributes=kind), failed=True)
    end(early)
    end(start("read", attributes=kind))
    end(start("search", start("agent"), attributes=kind))
    assert feed.totals.snapshot().recovered_errors == 0
    end(start("search", attributes=kind))
    found = feed.totals.snapshot(survived=True)
    assert (found.errors, found.recovered_errors) == (1, 1)


def test_a_recorded_error_is_recovered_when_its_tool_works_later(feed, start):
    """An error that was recorded about a call of a tool belongs to that tool."""
    kind = {semconv.SPAN_KIND: "tool"}
    tool = start("search", attributes=kind)
    end(tool)
    about = {semconv.SPAN_KIND: "error", semconv.ERROR_TRIGGER_SPAN_ID: f"{tool.get_span_context().span_id:016x}"}
    end(start("error ValueError", attributes=about), failed=True)
    assert feed.totals.snapshot().recovered_errors == 0
    end(start("search", attributes=kind))
    found = feed.totals.snapshot()
    assert (found.errors, found.recovered_errors) == (1, 1)


def test_a_span_that_fails_after_it_has_recovered_has_an_error_of_its_own(feed, start):
    """What it had recovered from is not why it failed."""
    kind = {semconv.SPAN_KIND: "tool"}
    agent = start("agent")
    end(start("search", agent, attributes=kind), failed=True)
    end(start("search", agent, attributes=kind))
    end(agent, failed=True)
    found = feed.totals.snapshot()
    assert (found.errors, found.recovered_errors) == (2, 1)


def test_a_session_that_ends_well_has_survived_all(feed, start):
    """Errors right below the root are recovered when the session is a success."""
    end(start("tool"), failed=True)
    assert feed.totals.snapshot(survived=True).recovered_errors == 1
    assert feed.totals.snapshot().recovered_errors == 0


@pytest.mark.parametrize("tracer", ["ours", "langchain"])
def test_a_call_that_outlives_its_session_is_a_call(feed, start, tracer):
    """A stream that was left, and which nobody has closed, counts when the session ends; with its own end, it costs."""
    end(start("chat", attributes=CHAT), USAGE)
    wrapper = start("ChatOpenAI", tracer=tracer, attributes=CHAT)
    left = start("chat", wrapper, attributes={**CHAT, semconv.REQUEST_STREAM: True})
    feed.totals.close()
    closed = feed.totals.snapshot()
    assert (closed.llm_calls, closed.unpriced_calls, closed.usage.input_tokens) == (2, 1, 1000)
    assert [(name, model.calls) for name, model in closed.models.items()] == [("gpt-4o-mini", 2)]
    feed.totals.close()
    end(left, USAGE)
    end(wrapper, USAGE)
    later = feed.totals.snapshot()
    assert (later.llm_calls, later.unpriced_calls, later.streams_without_usage) == (2, 0, 0)
    assert (later.usage.input_tokens, later.cost) == (2000, pytest.approx(2 * COST))


def test_unpriced_calls(feed, start):
    """An unknown model has no price, which is not a price of zero; a call that failed needs none."""
    end(start("chat", attributes={**CHAT, semconv.REQUEST_MODEL: "no-such-model"}), USAGE)
    end(start("chat", attributes={**CHAT, semconv.REQUEST_STREAM: True}))
    end(start("chat", attributes=CHAT), failed=True)
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.unpriced_calls, found.streams_without_usage, found.cost) == (3, 2, 1, None)
    assert semconv.SESSION_COST not in found.attributes()
    assert found.attributes()[semconv.SESSION_UNPRICED_CALLS] == 2


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ({}, 1),
        ({semconv.PROVIDER_NAME: "vllm", semconv.OPENAI_API_TYPE: "chat_completions"}, 1),
        ({semconv.PROVIDER_NAME: "aws.bedrock"}, 0),
    ],
)
def test_a_stream_whose_host_cannot_be_asked_for_its_usage(said, counted, feed, start):
    """Only streams of OpenAI's API, whoever speaks it, have their usage on request, and are told apart for that."""
    end(start("chat", attributes={**CHAT, semconv.REQUEST_STREAM: True, **said}))
    assert feed.totals.snapshot().streams_without_usage == counted


BEGUN = {**CHAT, semconv.RESPONSE_ID: "resp_1", semconv.RESPONSE_STATUS: "queued"}
ENDED = {**CHAT, semconv.RESPONSE_ID: "resp_1"}


@pytest.mark.parametrize("status", ["queued", "in_progress"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("look", [False, True])
def test_a_call_whose_answer_comes_later_counts_once(look, streamed, status, feed, start):
    """The call that begins an answer and the one that shows its end are one call, whenever somebody looks."""
    end(start("chat", attributes={**BEGUN, semconv.RESPONSE_STATUS: status, semconv.REQUEST_STREAM: streamed}))
    if look:
        found = feed.totals.snapshot()
        assert (found.llm_calls, found.unpriced_calls, found.streams_without_usage) == (1, 1, int(streamed))
    end(start("chat", attributes=ENDED), USAGE)
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.unpriced_calls, found.streams_without_usage) == (1, 0, 0)
    assert (found.usage.input_tokens, found.cost) == (1000, pytest.approx(COST))
    assert [model.calls for model in found.models.values()] == [1]


def test_an_answer_that_comes_later_and_failed_counts_once(feed, start):
    """A call in the background that failed is one call, and nothing is missing."""
    end(start("chat", attributes=BEGUN))
    end(start("chat", attributes=ENDED), failed=True)
    found = feed.totals.snapshot()
    assert (found.llm_calls, found.unpriced_calls, found.errors) == (1, 0, 1)


def test_calls_with_the_same_response_id_are_calls(feed, start):
    """Hosts that repeat their ids have made as many calls as they were asked for."""
    for _ in range(3):
        end(start("chat", attributes=ENDED), USAGE)
    assert feed.totals.snapshot().llm_calls == 3


def test_few_begun_calls_are_remembered(feed, start, monkeypatch):
    """Answers that nobody asks for again do not fill the memory."""
    monkeypatch.setattr(totals, "_MOST_BEGUN", 8)
    for number in range(20):
        end(start("chat", attributes={**BEGUN, semconv.RESPONSE_ID: f"resp_{number}"}))
    assert feed.totals.snapshot().llm_calls == 20
    assert len(feed.totals._begun) == 8


def test_a_free_call_costs_zero_not_nothing(feed, start):
    """A cost that the provider says is used as it is, zero too."""
    end(start("chat", attributes={**CHAT, semconv.REQUEST_MODEL: "no-such-model"}), {**USAGE, semconv.COST_AMOUNT: 0.0})
    found = feed.totals.snapshot()
    assert (found.cost, found.unpriced_calls) == (0.0, 0)


def test_open_spans(feed, start):
    """The spans that have not ended, oldest first, with what a heartbeat says of them."""
    outer = start("outer", attributes={semconv.SPAN_KIND: "agent"})
    inner = start("inner", outer)
    end(start("gone", outer))
    found = feed.totals.open_spans()
    assert [(s.name, s.kind, s.parent_id) for s in found] == [
        ("outer", "agent", 0),
        ("inner", None, outer.get_span_context().span_id),
    ]
    assert found[1].start_time == inner.start_time
    assert len(feed.totals.open_spans(1)) == 1


def test_spans_that_nobody_ends_do_not_fill_the_memory(feed, start, monkeypatch):
    """The number of open spans that are remembered is limited."""
    monkeypatch.setattr(totals, "_MOST_OPEN", 10)
    for n in range(30):
        start(f"span {n}")
    assert [s.name for s in feed.totals.open_spans()] == [f"span {n}" for n in range(20, 30)]


def test_the_slowest_call(feed, start):
    """The name and the seconds of the slowest call."""
    span = start("slow", attributes=CHAT)
    span.end(span.start_time + 3_000_000_000)
    fast = start("fast", attributes=CHAT)
    fast.end(fast.start_time + 1)
    assert feed.totals.snapshot().slowest == ("slow", 3.0)


def test_a_thread_that_stands_still_while_it_counts_is_not_waited_for():
    """A signal handler stops the main thread wherever it is, and the session must end all the same."""
    totals = Totals()
    totals.longest_wait = 0.05
    totals._settling.acquire()
    found = []
    asking = threading.Thread(target=lambda: found.append(totals.snapshot()))
    asking.start()
    asking.join(10)
    totals._settling.release()
    assert [snapshot.llm_calls for snapshot in found] == [0]


def test_what_ends_without_being_asked_for_does_not_fill_the_memory(feed, start, monkeypatch):
    """Ended spans are counted in between, when many wait for it; the sum is right whenever somebody asks."""
    monkeypatch.setattr(totals, "_MOST_UNSETTLED", 10)
    for number in range(1, 36):
        end(start("chat", attributes=CHAT))
        assert len(feed.totals._ended) == number % 10
    assert feed.totals.snapshot().llm_calls == 35


def test_a_tool_that_fails_all_the_time_fills_no_memory(feed, start, monkeypatch):
    """Its errors are counted, all are recovered when it works at last, and what waits for that is bounded."""
    monkeypatch.setattr(totals, "_MOST_FAILURES", 10)
    root = start("root")
    above = root.get_span_context().span_id
    for _ in range(100):
        end(start("flaky", root, attributes={semconv.SPAN_KIND: "tool"}), failed=True)
        end(start("steady", root, attributes={semconv.SPAN_KIND: "tool"}))
        assert feed.totals.snapshot().recovered_errors == 0
        assert all(len(failures) <= 10 for failures in feed.totals._failures[above].values())
        assert len(feed.totals._unhandled[above]) <= 20
    end(start("flaky", root, attributes={semconv.SPAN_KIND: "tool"}))
    end(root)
    snapshot = feed.totals.snapshot()
    assert (snapshot.errors, snapshot.recovered_errors) == (100, 100)


def test_many_tools_that_fail_fill_no_memory(feed, start, monkeypatch):
    """Each fails once: all are counted, and all are recovered when the span around them ends well."""
    monkeypatch.setattr(totals, "_MOST_FAILURES", 10)
    root = start("root")
    step = start("step", root)
    for number in range(100):
        end(start(f"tool {number}", step, attributes={semconv.SPAN_KIND: "tool"}), failed=True)
        feed.totals.settle()
        assert len(feed.totals._unhandled[step.get_span_context().span_id]) <= 20
    end(step)
    snapshot = feed.totals.snapshot()
    assert (snapshot.errors, snapshot.recovered_errors) == (100, 100)


def test_an_error_about_a_call_is_recovered_when_that_call_works_later(feed, start):
    """Also when it was recorded below another span than the call itself."""
    root = start("root")
    first = start("step", root, attributes={semconv.SPAN_KIND: "agent"})
    trigger = f"{first.get_span_context().span_id:016x}"
    about = {semconv.SPAN_KIND: "error", semconv.ERROR_TRIGGER_SPAN_ID: trigger}
    error = start("error", first, attributes=about)
    end(first)
    end(error, failed=True)
    assert feed.totals.snapshot().recovered_errors == 0
    end(start("step", root, attributes={semconv.SPAN_KIND: "agent"}))
    snapshot = feed.totals.snapshot()
    assert (snapshot.errors, snapshot.recovered_errors) == (1, 1)
