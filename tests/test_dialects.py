"""What other instrumentations sent, recorded by `tools/record_dialects.py` -> what a person sees.

Each recording is the same talk: a question, a tool's call and its result, an answer; a stream; a model that is not
there. So each test asserts the same things, as far as the dialect says them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from agentops_otel.dialects.counts import count, dollars, usage_of
from agentops_otel.normalize import ReceivedSpan, content_of, normalize, with_content
from agentops_otel.rows import Source
from agentops_otel.server.otlp import logs_from_protobuf, spans_from_json, spans_from_protobuf
from agentops_otel.server.otlp.to_json import to_otlp_json
from agentops_otel.summarize import summarize

FIXTURES = Path(__file__).parent / "fixtures" / "dialects"
ALL = sorted(path.name.partition(".")[0] for path in FIXTURES.glob("*.traces.pb"))
GRAPHS = {"pydantic-ai", "openinference-langchain"}  # frameworks that loop by themselves: a question, and no more
TALKING = sorted({*ALL} - {"anthropic", "genai-logs", "genai-events"})  # those with messages on their spans
QUESTION = "Who wrote the first program?"


def rows(name):
    spans, rejected = spans_from_protobuf((FIXTURES / f"{name}.traces.pb").read_bytes())
    assert rejected == []
    return [normalize(span) for span in spans]


def calls(name):
    """The LLM calls in the order of their start."""
    return sorted((row for row in rows(name) if row.kind == "llm"), key=lambda row: row.start_ns)


def talk(name):
    """The calls of the talk: the question, the answer, the stream, the failure."""
    found = [row for row in calls(name) if row.asked != "Hi"]
    return [row for row in found if row.status != "error"] + [row for row in found if row.status == "error"]


@pytest.mark.parametrize("name", [*{*ALL} - GRAPHS])
def test_the_calls_of_a_talk(name):
    """Four LLM calls with provider, model, label and the error of the last; a streamed one is one call."""
    found = talk(name)
    assert len(found) == 4
    assert {row.provider for row in found} == {"anthropic" if name == "anthropic" else "openai"}
    model = "claude-sonnet-4-5" if name == "anthropic" else "gpt-4o-2024-08-06"
    assert [row.label for row in found] == [model] * 3 + ["claude-none" if name == "anthropic" else "gpt-none"]
    failed = found[-1]
    assert failed.usage is None
    assert failed.cost is None
    if name not in {"langfuse", "openllmetry-old"}:  # which do not say it
        assert failed.error_type == ("not_found_error" if name == "anthropic" else "NotFoundError")
    if name != "anthropic":
        assert "there is no such model" in failed.error_message


@pytest.mark.parametrize("name", ALL)
def test_tokens_and_cost(name):
    """Cached and reasoning tokens are parts of the totals, as far as the dialect says them; nothing counts twice."""
    row = talk(name)[0]
    usage = row.usage
    seen = usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens
    expected = {
        "agentops04": (57, 0, 48, 0),
        "anthropic": (17, 5, 3, 0),
        "genai-logs": (57, 0, 48, 0),
        "openllmetry-old": (57, 32, 48, 0),
    }
    assert seen == expected.get(name, (57, 32, 48, 16))
    prices = {"agentops04": 0.0006225, "genai-logs": 0.0006225, "anthropic": 8.4e-05}
    assert row.cost == pytest.approx(prices.get(name, 0.0005825))
    assert row.cost_source == "local"


@pytest.mark.parametrize("name", TALKING)
def test_messages(name):
    """Question, tool call, result and answer are the same messages in every dialect, with the same digests."""
    first, second = talk(name)[:2]
    assert (first.asked, second.answered) == (QUESTION, "Ada Lovelace")
    ours = [message for message in second.body.input if message.role != "system"]
    assert [message.role for message in ours] == ["user", "assistant", "tool"]
    assert ours[1].parts == ({"type": "tool_call", "id": "call_1", "name": "search", "arguments": {"query": "Ada"}},)
    assert ours[2].parts == ({"type": "tool_call_response", "id": "call_1", "response": "3 papers about Ada"},)
    assert ours[0].digest == first.body.input[-1].digest
    assert [message.digest[:6] for message in ours] == ["04336b", "25a2e3", "0c37da"]
    if name != "agentops04":  # which loses what the model asked for
        assert first.calls == ("search",)
        assert first.body.output[0].digest == ours[1].digest
    assert not [key for key in second.body.attributes if "prompt.0" in key or "input_messages" in key]


@pytest.mark.parametrize("name", TALKING)
def test_system_and_tools(name):
    """What the model was told and which tools it was offered."""
    row = talk(name)[0]
    told = [
        *row.body.system,
        *(part for message in row.body.input if message.role == "system" for part in message.parts),
    ]
    assert told == [{"type": "text", "content": "Be brief."}]
    (tool,) = row.body.tools
    assert tool.get("function", tool)["name"] == "search"


@pytest.mark.parametrize("name", [*{*TALKING} - {"genai-spans"}])
def test_the_tool(name):
    """One tool call with its name and, where the dialect has them, arguments and result."""
    (tool,) = [row for row in rows(name) if row.kind == "tool"]
    assert tool.label == "search"
    if name != "logfire":
        assert "Ada" in tool.body.arguments
        assert (tool.body.result, tool.answered) == ("3 papers about Ada", "3 papers about Ada")
        assert tool.arguments_digest


@pytest.mark.parametrize("name", [*{*TALKING} - {"genai-spans", "logfire", "openinference-langchain"}])
def test_the_agent(name):
    """The agent has its name, what it was asked and what it answered."""
    (agent,) = [row for row in rows(name) if row.kind == "agent"]
    assert (agent.label, agent.agent) == ("planner", "planner")
    if name != "agentops04":  # which decorates classes, and of those records no call
        assert (agent.asked, agent.answered) == (QUESTION, "Ada Lovelace")


@pytest.mark.parametrize("name", ["openinference", "openllmetry", "openllmetry-old", "langfuse"])
def test_the_session(name):
    """All spans of a session say so."""
    assert {row.session_id for row in rows(name)} == {"visit-7"}


@pytest.mark.parametrize("name", ["openinference", "langfuse", "logfire", "agentops04"])
def test_tags(name):
    """The user's tags, and none that the instrumentation sets by itself."""
    assert {row.tags for row in rows(name)} <= {("museum", "nightly"), ()}
    assert ("museum", "nightly") in {row.tags for row in rows(name)}


@pytest.mark.parametrize(
    "name", ["openinference", "openllmetry", "openllmetry-old", "langfuse", "agentops04", "genai-spans"]
)
def test_the_first_token(name):
    """A stream says when its first token came, in each dialect's own way."""
    (first,) = [row.first_token_ns for row in talk(name) if row.first_token_ns]
    assert 1_000_000 < first < 10_000_000_000


def test_names_of_dialects():
    """Each recording is called by its dialect, the spans of a plain tracer beside them by none."""
    names = {name: {row.dialect for row in rows(name)} - {"other"} for name in ALL}
    expected = {
        **{name: name.partition("-")[0] for name in ALL},
        "anthropic": "genai",
        "pydantic-ai": "logfire",
    }
    assert names == {name: {dialect} for name, dialect in expected.items()}


def test_kinds():
    """What is none of the known kinds is a step, and no dialect has two calls for one."""
    kinds = {name: Counter(row.kind for row in rows(name)) for name in ALL}
    assert kinds["openllmetry"] == {"llm": 4, "tool": 1, "agent": 1, "workflow": 1, "action": 1}
    assert kinds["agentops04"] == {"llm": 4, "tool": 1, "agent": 1, "action": 1, "session": 1, "step": 1}
    assert kinds["openinference"] == {"llm": 4, "tool": 1, "agent": 1, "step": 1}
    assert kinds["langfuse"] == {"llm": 5, "tool": 1, "agent": 1, "step": 2}
    assert kinds["logfire"] == {"llm": 4, "tool": 1, "step": 2}
    assert kinds["pydantic-ai"] == {"llm": 2, "tool": 1, "agent": 1}


def test_a_session_of_agentops():
    """Its root has a name and an end state."""
    (root,) = [row for row in rows("agentops04") if row.kind == "session"]
    assert (root.label, root.session_name, root.end_state) == ("visit", "visit", "success")


def test_a_graph_of_langchain():
    """Its nodes say what was asked and answered, out of whatever state of messages they were given."""
    found = rows("openinference-langchain")
    (root,) = [row for row in found if row.parent_id is None]
    assert (root.kind, root.label, root.asked, root.answered) == ("step", "planner", QUESTION, "Ada Lovelace")
    agents = [row for row in found if row.kind == "agent"]
    assert {row.asked for row in agents} == {QUESTION}
    assert agents[-1].answered == "Ada Lovelace"


def test_a_generation_made_by_hand_in_langfuse():
    """Its counts stand beside each other, its cost is stated; a level of ERROR is a failure."""
    found = rows("langfuse")
    (call,) = [row for row in found if row.asked == "Hi"]
    assert (call.usage.input_tokens, call.usage.cache_read_tokens, call.usage.output_tokens) == (40, 30, 4)
    assert (call.cost, call.cost_source, call.provider) == (0.75, "provider", "anthropic")
    (broken,) = [row for row in found if row.label == "broken"]
    assert (broken.status, broken.error_message) == ("error", "the door is locked")


@pytest.mark.parametrize("name", ALL)
def test_export_and_import_give_the_same_rows(name):
    """Whatever dialect a span was, what is exported of it makes the same row again."""
    found = rows(name)
    again, rejected = spans_from_json(to_otlp_json(found))
    assert rejected == []
    by_id = {span.span_id: normalize(span) for span in again}
    for row in found:
        assert by_id[row.span_id] == row
        assert by_id[row.span_id].body == row.body


@pytest.mark.parametrize("name", ["genai-logs", "genai-events"])
def test_messages_in_log_records(name):
    """They are joined to their span, in order, whether a record has a call's messages or one of them; once."""
    logs = logs_from_protobuf((FIXTURES / f"{name}.logs.pb").read_bytes()).logs
    contents = [content for log in logs if (content := content_of(log)) is not None]
    assert len(contents) == len(logs)
    second = next(row for row in talk(name) if row.response_id == "chatcmpl-2")
    of_span = [content for content in contents if content.span_id == second.span_id]
    whole = with_content(second, [*reversed(of_span), *of_span])
    (same,) = [row for row in talk("openinference") if row.answered == "Ada Lovelace"]
    assert [each.digest for each in whole.body.input] == [each.digest for each in same.body.input]
    assert [each.digest for each in whole.body.output] == [each.digest for each in same.body.output]
    assert (whole.asked, whole.answered, whole.finish_reasons) == (QUESTION, "Ada Lovelace", ("stop",))
    first = next(row for row in talk(name) if row.response_id == "chatcmpl-1")
    assert with_content(first, [each for each in contents if each.span_id == first.span_id]).calls == ("search",)
    assert with_content(whole, []) == whole


@pytest.mark.parametrize("name", ALL)
def test_the_session_of_a_stranger(name):
    """Its row is as useful as ours: a name, what was asked, its calls, tokens and cost, each once."""
    found = rows(name)
    now = max(row.end_ns for row in found) + 3600 * 10**9
    session = summarize(found[0].session_id or found[0].trace_id, found, (), (), now_ns=now)
    assert session.name in {"visit", "planner", "museum", "agent"}
    calls = {"pydantic-ai": 2, "openinference-langchain": 2, "langfuse": 5}.get(name, 4)
    assert (session.llm_calls, session.ended, session.state) == (calls, True, "success")
    assert session.asked == (QUESTION if name in TALKING else "")
    paid = {
        "pydantic-ai": 114,
        "openinference-langchain": 114,
        "openllmetry-old": 114,
        "langfuse": 211,
        "anthropic": 51,
    }
    assert session.usage.input_tokens == paid.get(name, 171)
    assert session.unpriced_calls == (name == "openllmetry-old")  # which has no usage of a stream


# What no recording has ----------------------------------------------------------------------------------------------


def row_of(attributes, scope=""):
    return normalize(
        ReceivedSpan("a" * 32, "b" * 16, None, "span", 10**18, 2 * 10**18, attributes, source=Source({}, scope))
    )


def test_ours_is_believed_before_others():
    """Of several dialects on one span the first that says a thing says it: ours, GenAI, OpenInference, the rest."""
    row = row_of(
        {
            "agentops.span.kind": "tool",
            "openinference.span.kind": "LLM",
            "gen_ai.request.model": "a",
            "llm.model_name": "b",
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.usage.output_tokens": 1,
            "llm.token_count.prompt": 900,
            "tool.name": "c",
        }
    )
    assert (row.kind, row.label, row.usage.input_tokens) == ("tool", "c", 5)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ('{"input": 10, "output": 4}', (10, 0, 0, 4, 0)),
        ('{"input": 10, "output": 4, "input_cached_tokens": 5}', (15, 5, 0, 4, 0)),
        ('{"input": 10, "input_cache_creation": 3, "output": 4, "output_reasoning_tokens": 2}', (13, 0, 3, 6, 2)),
        ('{"input": 10, "input_cached_tokens": 5, "output": 4, "total": 14}', (10, 5, 0, 4, 0)),
        (
            '{"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}}',
            (10, 5, 0, 4, 0),
        ),
        ('{"total": 14}', None),
        ('{"input": "10"}', None),
        ("[]", None),
    ],
)
def test_counts_of_langfuse(details, expected):
    """Names count beside each other unless the total says otherwise; those of OpenAI count inside."""
    usage = row_of({"langfuse.observation.usage_details": details}).usage
    seen = usage and (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )
    assert seen == expected


def test_cached_tokens_beside_the_input_of_anthropic():
    """AgentOps 0.4 passes on Anthropic's counts, in which the input is what was not cached."""
    said = {
        "gen_ai.system": "Anthropic",
        "gen_ai.request.type": "chat",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 4,
        "gen_ai.usage.cache_read_input_tokens": 5,
    }
    row = row_of(said, "anthropic")
    assert (row.dialect, row.usage.input_tokens, row.usage.cache_read_tokens) == ("agentops04", 15, 5)


def test_cached_tokens_that_do_not_fit_are_beside_the_input():
    """A part is never larger than its whole."""
    row = row_of(
        {"llm.token_count.prompt": 10, "llm.token_count.completion": 1, "llm.token_count.prompt_details.cache_read": 90}
    )
    assert row.usage.input_tokens == 100


def test_a_picture_in_a_message_of_openinference():
    """Parts of a message are numbered, too."""
    head = "llm.input_messages.0.message."
    row = row_of(
        {
            f"{head}role": "user",
            f"{head}contents.0.message_content.type": "text",
            f"{head}contents.0.message_content.text": "What is it?",
            f"{head}contents.1.message_content.type": "image",
            f"{head}contents.1.message_content.image.image.url": "https://example.com/a.png",
        }
    )
    assert row.body.input[0].parts == (
        {"type": "text", "content": "What is it?"},
        {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
    )


def test_numbers_that_are_none_stay_attributes():
    """Names of attributes are texts: nothing is looked up by them, and what is no message stays where it was."""
    said = {"llm.input_messages.__proto__.message.role": "x", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.²": "y"}
    row = row_of(said)
    assert "llm.input_messages.__proto__.message.role" in row.body.attributes
    assert "gen_ai.prompt.²" in row.body.attributes


def test_messages_on_the_events_of_a_span():
    """The conventions once put each message into an event of the span."""
    from agentops_otel.rows import SpanEvent

    events = (
        SpanEvent("gen_ai.user.message", 1, {"content": "Hi"}),
        SpanEvent("gen_ai.choice", 2, {"finish_reason": "stop", "message": '{"content": "Hello"}'}),
    )
    span = ReceivedSpan("a" * 32, "b" * 16, None, "s", 1, 2, {"gen_ai.operation.name": "chat"}, events=events)
    row = normalize(span)
    assert (row.asked, row.answered, row.finish_reasons) == ("Hi", "Hello", ("stop",))


def test_older_pydantic_ai():
    """Its first format had the messages as events in JSON, and a tool's span no operation."""
    asks = {"event.name": "gen_ai.user.message", "role": "user", "content": "Hi"}
    says = {"event.name": "gen_ai.choice", "message": {"content": "Yo"}}
    call = row_of({"gen_ai.operation.name": "chat", "events": json.dumps([asks, says])})
    assert (call.asked, call.answered) == ("Hi", "Yo")
    tool = row_of(
        {"gen_ai.tool.name": "search", "tool_arguments": '{"q": 1}', "tool_response": "2", "logfire.msg": "running"}
    )
    assert (tool.kind, tool.label, tool.body.arguments, tool.body.result) == ("tool", "search", '{"q": 1}', "2")


@pytest.mark.parametrize("value", [True, -1, float("nan"), float("inf"), "5", None, [5]])
def test_what_is_no_count(value):
    """It is as if it were not there."""
    assert count(value) is None
    assert dollars(value) is None
    assert usage_of(None, None) is None
