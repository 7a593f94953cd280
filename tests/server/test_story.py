"""The story of a session: each message once, what is new in each turn, errors and gaps as steps."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

import agentops_otel as agentops
from agentops_otel.normalize import normalize
from agentops_otel.rows import Message, SpanBody, SpanRow
from agentops_otel.server import otlp
from agentops_otel.server.views.run import Run
from agentops_otel.server.views.story import story
from agentops_otel.summarize import summarize
from agentops_otel.testing import captured_session
from tests.fakes import plays
from tests.fakes.sessions import Run as Play
from tests.server.played import NOW, SECOND, hostile, played, steps_of


def told(play, **more):
    return list(steps_of(story(played(play), **more).steps))


def step_of(steps, title, number=0):
    return [step for step in steps if step.title == title][number]


@pytest.fixture(scope="module")
def ci():
    return told(plays.ci_medic(NOW))


def test_a_question_stands_once(ci):
    """As a step of the user, with the system instructions folded; not again in each turn."""
    asks = [step for step in ci if step.kind == "user"]
    assert [step.id for step in asks] == ["ask"]
    assert asks[0].asked.startswith("Find out why test_checkout_retry fails")
    assert [fold.summary for fold in asks[0].folds] == ["System instructions, 1,120 characters"]
    assert not any(fold.messages for step in ci for fold in step.folds)


def test_a_turn_says_how_much_was_sent_again(ci):
    """And how much of it came from the cache; a link leads to where it stands in full."""
    again = step_of(ci, plays.CLAUDE, 1).folds[0]
    assert again.summary == "3 messages sent again, 4,612 of 6,214 tokens from the cache"
    assert again.link == "ask"
    assert again.messages == ()


def test_an_agent_has_its_steps_inside_and_their_sum(ci):
    """What it was asked is not said again by its first call."""
    agent = step_of(ci, "log-reader")
    assert agent.note == "agent, 2 LLM calls, 3 tools"
    assert agent.asked.startswith("Compare the red runs 88121")
    assert [step.kind for step in agent.children] == ["llm", "together", "llm"]
    assert agent.numbers.sums
    assert (agent.numbers.input_tokens, agent.numbers.output_tokens) == (1848 + 61400, 74 + 388)
    calls = [step.numbers.cost for step in agent.children if step.kind == "llm"]
    assert agent.numbers.cost == pytest.approx(sum(calls))


def test_calls_at_once_say_what_that_saved(ci):
    """Where it saved something worth to tell."""
    titles = [step.title for step in ci if step.kind == "together"]
    assert titles == ["2 calls at once", "3 calls at once, 2.89\u202fs instead of 6.57\u202fs", "2 calls at once"]


def test_a_long_result_is_folded_and_a_short_one_stands(ci):
    """The summary says what is inside and how much."""
    logs = sorted(step.folds[0].summary for step in ci if step.title == "fetch_ci_log")
    assert logs[0] == "assert 0.553 < 0.5, 240 lines"
    assert sorted(step.folds[0].summary for step in ci if step.title == "read_file") == ["112 lines", "64 lines"]
    assert [piece.text for piece in step_of(ci, "run_tests", 1).pieces] == ["4 passed in 4.91s"]


def test_a_patch_is_shown_as_a_diff(ci):
    """An argument of several lines stands below the call, not in it."""
    step = step_of(ci, "apply_patch")
    assert step.signature == 'path="tests/checkout/test_retry.py"'
    assert [piece.form for piece in step.pieces] == ["diff", "code"]


def test_thoughts_are_folded(ci):
    """With their tokens."""
    folds = step_of(ci, plays.CLAUDE, 2).folds
    assert [fold.summary for fold in folds][1:] == ["Thought, 412 tokens"]


def test_own_code_is_a_step(ci):
    """A gap of more than 2 % of the session."""
    gaps = [step for step in ci if step.kind == "gap"]
    assert [round((gap.end_ns - gap.start_ns) / SECOND, 1) for gap in gaps] == [5.5]
    assert gaps[0].title == "no span for 5.53\u202fs: own code, or waiting for something that is not instrumented"


def test_an_error_says_what_recovered_from_it(ci):
    """The stack, where it was raised, and the step that worked."""
    error = step_of(ci, "run_tests").error
    assert (error.type, error.fate, error.frames, error.raised_in) == ("TimeoutExpired", "recovered", 1, "agent.py:41")
    assert error.recovered_by == step_of(ci, "run_tests", 1).id
    assert error.recovery == "run_tests worked 10.0\u202fs later"


def test_a_running_step_has_no_end(ci):
    """It ticks; its arguments are those with which the model asked for it."""
    assert ci[-1].title == "run_tests"
    assert ci[-1].end_ns is None
    assert ci[-1].signature == 'path="tests/checkout/test_retry.py", count=50'


def test_the_costs_add_up(ci):
    """What the session cost so far at its last call is what the session cost."""
    row = played(plays.ci_medic(NOW)).row
    calls = [step for step in ci if step.kind == "llm"]
    assert len(calls) == row.llm_calls == 7
    assert calls[-1].numbers.so_far == pytest.approx(row.cost)
    assert sum(step.numbers.cost for step in calls) == pytest.approx(row.cost)


def test_the_same_call_again_is_said():
    """Its stack stands once."""
    refunds = [step for step in told(plays.refused_refund(NOW)) if step.title == "refund"]
    assert [step.note for step in refunds] == ["", "same arguments, 2nd time", "same arguments, 3rd time"]
    assert [bool(step.error.stack) for step in refunds] == [True, False, False]
    assert {step.error.fate for step in refunds} == {"fatal"}


def test_system_instructions_say_in_how_many_sessions_they_were_before():
    """As the store knows it."""
    ask = told(plays.refund(NOW), sessions_before=lambda parts: 36)[0]
    assert ask.folds[0].summary.endswith(", the same as in 36 sessions before")


def test_system_instructions_that_are_a_message_are_told_as_such():
    """As the API of OpenAI has them: once, however often they are sent."""
    play = Play("chat", NOW)
    play.history.append({"role": "system", "parts": [{"type": "text", "content": "Be kind"}]})
    play.ask("What is it?")
    play.llm("gpt-4.1", 1, answer="A kettle.")
    play.llm("gpt-4.1", 1, answer="It boils water.")
    steps = told(play.end())
    assert [[fold.summary for fold in step.folds] for step in steps] == [
        ["System instructions, 7 characters"],
        [],
        ["3 messages sent again"],
    ]


@agentops.tool
def look(order, *, deep=False):
    """A tool that fails when it looks deep."""
    if deep:
        raise PermissionError("needs approval")
    return {"order": order}


@agentops.agent(name="planner")
def plan(question):
    """An agent that goes on."""
    look(1842)
    with contextlib.suppress(PermissionError):
        look(1842, deep=True)
    agentops.record(agentops.ActionEvent(action_type="mail", params={"to": "x"}, returns="sent"))


def test_what_our_decorators_record_is_told():
    """The agent around all is no step; what it was asked, its tools and its action are."""
    with captured_session() as captured:
        plan("Refund order 1842, please")
    body = encode_spans(captured.spans).SerializeToString()
    spans = [normalize(span) for span in otlp.spans_from_protobuf(body).spans]
    row = summarize(spans[0].session_id, spans, [], now_ns=NOW)
    steps = story(Run(row, spans, NOW)).steps
    assert [(step.kind, step.title, step.signature or step.asked) for step in steps] == [
        ("user", "User", "Refund order 1842, please"),
        ("tool", "look", "order=1842, deep=false"),
        ("tool", "look", "order=1842, deep=true"),
        ("action", "mail", 'to="x"'),
    ]
    assert steps[2].error.raised_in.startswith("server/test_story.py:")
    assert steps[2].error.recovery == "planner ended well"
    assert [piece.text for piece in steps[1].pieces] == ['{"order": 1842}']


def test_a_short_gap_is_no_step():
    """2 % of a short session is nothing."""
    play = Play("chat", NOW)
    play.tool("t", {}, "ok", 0.1)
    play.wait(0.03)
    play.tool("t", {}, "ok", 0.1)
    assert [step.kind for step in told(play.end())] == ["tool", "tool"]


def test_a_later_question_is_a_step_of_its_own():
    """In a conversation of several turns."""
    play = Play("chat", NOW)
    play.ask("What is it?")
    play.llm("gpt-4.1", 1, answer="A kettle.")
    play.ask("And its price?")
    play.llm("gpt-4.1", 1, answer="19 EUR.")
    steps = told(play.end())
    assert [(step.kind, step.asked) for step in steps if step.kind != "llm"] == [
        ("user", "What is it?"),
        ("user", "And its price?"),
    ]
    assert steps[2].id == f"ask-{steps[3].id}"


def test_the_same_words_said_again_are_a_question_of_their_own():
    """A user may say yes twice: only what was in the conversation before is sent again."""
    play = Play("chat", NOW)
    for answer in ("Shall I?", "Really?", "Done."):
        play.ask("Yes")
        play.llm("gpt-4.1", 1, answer=answer)
    steps = told(play.end())
    assert [step.kind for step in steps] == ["user", "llm"] * 3
    assert [fold.summary for step in steps for fold in step.folds] == ["2 messages sent again", "4 messages sent again"]


def test_messages_that_are_sent_again_as_one_are_not_new():
    """As some programs join what a model said and what it asked for."""
    play = Play("chat", NOW)
    play.ask("Plan, then look")
    play.llm("gpt-4.1", 1, answer="I look")
    play.llm("gpt-4.1", 1, calls=[("look", {"at": 1})])
    play.tool("look", {"at": 1}, None, 1, error=("TimeoutError", "no answer in 30 s"))
    first, second, (tool,) = play.history[1], play.history[2], play.history[3:]
    tool["parts"][0]["response"] = "It failed with TimeoutError: no answer in 30 s"
    play.history[1:] = [{"role": "assistant", "parts": first["parts"] + second["parts"]}, tool]
    play.llm("gpt-4.1", 1, answer="It cannot be reached.")
    steps = told(play.end())
    assert [fold.summary for fold in steps[-1].folds] == ["3 messages sent again"]


def test_a_tool_does_not_say_again_what_the_model_inside_has_said():
    """A tool that is a call of a model has its answer as its result."""
    span = {"trace_id": "1" * 32, "session_id": None, "start_ns": NOW, "end_ns": NOW + SECOND}
    said = Message("assistant", ({"type": "text", "content": "1. Look"},))
    spans = [
        SpanRow(
            span_id="1" * 16,
            parent_id=None,
            kind="tool",
            name="plan",
            label="plan",
            body=SpanBody(result='"1. Look"'),
            **span,
        ),
        SpanRow(
            span_id="2" * 16,
            parent_id="1" * 16,
            kind="llm",
            name="chat m",
            label="m",
            body=SpanBody(output=(said,)),
            **span,
        ),
    ]
    (tool,) = story(Run(summarize("s", spans, [], now_ns=NOW), spans, NOW)).steps
    assert tool.pieces == ()
    assert [piece.text for piece in tool.children[0].pieces] == ["1. Look"]


def test_a_model_is_called_as_it_was_asked_for():
    """Without the date of its version."""
    span = SpanRow(
        "1" * 32, "2" * 16, None, None, "llm", "chat", "gpt-4.1-2025-04-14", NOW, NOW, request_model="gpt-4.1"
    )
    run = Run(summarize("s", [span], [], now_ns=NOW), [span], NOW)
    assert run.title(span) == "gpt-4.1"
    assert run.title(replace(span, label="gpt-4.1-mini")) == "gpt-4.1-mini"


def test_a_story_without_content_says_so():
    """As with capture_content = metadata: the numbers stand."""
    span = SpanRow("1" * 32, "2" * 16, None, None, "llm", "chat m", "m", NOW, NOW + SECOND)
    found = story(Run(summarize("s", [span], [], now_ns=NOW), [span], NOW))
    assert not found.content
    assert [step.kind for step in found.steps] == ["llm"]


def test_spans_without_their_parent_stand_under_a_placeholder():
    """Until it arrives."""
    spans = [
        SpanRow("1" * 32, f"{number:016x}", "f" * 16, None, "tool", "t", "t", NOW + number, NOW + number + 5)
        for number in (1, 6)
    ]
    steps = story(Run(summarize("s", spans, [], now_ns=NOW), spans, NOW)).steps
    assert [(step.kind, len(step.children)) for step in steps] == [("placeholder", 2)]
    assert steps[0].title == "2 spans have a parent that has not arrived"


def test_a_large_story_is_told_in_parts():
    """The first steps, and how many more there are."""
    run = played(plays.large(NOW, 400))
    part, whole = story(run, most=100), story(run, most=0)
    counted = [step for step in steps_of(part.steps) if step.span is not None]
    assert len(counted) == 100
    assert part.folded > 0
    assert whole.folded == 0
    assert len([step for step in steps_of(whole.steps) if step.span is not None]) == 400 - 1  # all but the root


def test_spans_as_deep_as_a_sender_likes_are_told():
    """Nothing recurses without a bound."""
    spans = [
        SpanRow(
            "1" * 32,
            f"{n:016x}",
            f"{n - 1:016x}" if n > 1 else None,
            None,
            "tool",
            "a",
            f"a{n}",
            NOW + n,
            NOW + 9000 - n,
        )
        for n in range(1, 3000)
    ]
    found = story(Run(summarize("s", spans, [], now_ns=NOW), spans, NOW), most=0)
    deepest = found.steps
    depth = 0
    while deepest:
        deepest, depth = max((step.children for step in deepest), key=len), depth + 1
    assert depth < 40
    assert len(list(steps_of(found.steps))) > 2900


def test_failed_spans_whose_parents_form_a_circle_are_told():
    """Their errors are said to have ended with the session, and the page comes."""
    spans = [
        SpanRow(
            "1" * 32,
            f"{n:016x}",
            f"{3 - n:016x}",
            None,
            "tool",
            "a",
            "a",
            NOW + n,
            NOW + 9,
            status="error",
            error_type="ValueError",
        )
        for n in (1, 2)
    ]
    spans.append(SpanRow("1" * 32, f"{3:016x}", None, None, "session", "s", "s", NOW, NOW + 10, end_state="success"))
    run = Run(summarize("s", spans, [], now_ns=NOW + 10), spans, NOW + 10)
    told = [step.error for step in steps_of(story(run, most=0).steps) if step.error]
    assert told
    assert {error.recovery for error in told} == {"the session ended well"}


@settings(max_examples=100, deadline=None)
@given(hostile())
def test_every_step_stands_once_whatever_was_sent(spans):
    """Ids are unique; each call, tool, action and error has one step."""
    run = Run(summarize("s", spans, [], now_ns=NOW + 70), spans, NOW + 70)
    ids = [step.id for step in steps_of(story(run, most=0).steps)]
    assert len(ids) == len(set(ids))
    for span in run.tree.spans:
        if span.kind in {"tool", "action", "error"} or run.is_call(span):
            assert run.id(span) in ids
