"""What the root span says was asked and answered."""

from __future__ import annotations

import json

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentops_otel as agentops
from agentops_otel.conversation import Conversation
from agentops_otel.testing import SpanCapture
from tests.fakes.llm_server import LlmServer

VALUES = ("input.value", "output.value")


def text(role, *texts):
    return {"role": role, "parts": [{"type": "text", "content": each} for each in texts]}


def call(asked=None, answered=None, **attributes):
    messages = {"gen_ai.input.messages": asked, "gen_ai.output.messages": answered}
    given = {name: json.dumps(value) for name, value in messages.items() if value is not None}
    return {"agentops.span.kind": "llm", **given, **attributes}


IMAGE = {"role": "user", "parts": [{"type": "blob", "modality": "image"}]}
TOOL_CALL = {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {"type": "text"}}]}
CASES = {
    "one call": ([call([text("system", "s"), text("user", "q")], [text("assistant", "a")])], "q", "a"),
    "the first user, the last answer": (
        [
            call([text("user", "q1")], [text("assistant", "a1")]),
            call([text("user", "q1"), text("assistant", "a1"), text("user", "q2")], [text("assistant", "a2")]),
        ],
        "q1",
        "a2",
    ),
    "several parts": ([call([text("user", "a", "b")], [text("assistant", "c", "", "d")])], "a\nb", "c\nd"),
    "a picture first": ([call([IMAGE, text("user", "what?")])], "what?", None),
    "a call without a user": ([call([text("system", "s")]), call([text("user", "q")])], "q", None),
    "a tool call last": ([call(None, [text("assistant", "a")]), call(None, [TOOL_CALL])], None, "a"),
    "two choices": ([call(None, [text("assistant", ""), text("assistant", "second")])], None, "second"),
    "a failed call": ([call([text("user", "q")])], "q", None),
    "of another instrumentation": (
        [
            {
                **call([text("user", "q")], [text("assistant", "a")]),
                "agentops.span.kind": None,
                "gen_ai.operation.name": "chat",
            }
        ],
        "q",
        "a",
    ),
    "an agent with messages": ([call([text("user", "q")], **{"agentops.span.kind": "agent"})], None, None),
    "no JSON": ([{**call(), "gen_ai.input.messages": "<redaction failed>"}], None, None),
    "nothing": ([{}, None], None, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_question_and_the_last_answer(case):
    """Texts of LLM calls only, whatever else they carry."""
    calls, asked, answered = CASES[case]
    conversation = Conversation()
    for each in calls:
        conversation.note(each)
    assert conversation.attributes() == {
        name: value for name, value in zip(VALUES, (asked, answered), strict=True) if value is not None
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "parts", "type", "content", "user", "text"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_no_message_breaks_it(asked, answered):
    """Any JSON in the place of messages."""
    conversation = Conversation()
    conversation.note(call(asked, answered))
    conversation.note(call([{"role": "user", "parts": asked}], [{"parts": [{"type": "text", "content": answered}]}]))
    assert all(type(value) is str and value for value in conversation.attributes().values())


def talk(capture, *turns, **settings):
    """The root span of a session with these questions; the server answers each by its own words."""
    with LlmServer() as server:
        agentops.init(exporter=capture, summary=False, **settings)
        client = openai.OpenAI(api_key="none", base_url=server.url, max_retries=0)
        for turn in turns:
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": turn}])
        client.close()
        agentops.end_session("Success")
        agentops.shutdown()
    return next(span for span in capture.spans if span.parent is None)


@pytest.mark.parametrize("mode", ["full", "metadata", "off", "event_only"])
def test_the_root_has_them_where_content_is_captured(mode):
    """Under their own names, and never as messages, which a reader would take for a call."""
    capture = SpanCapture(agentops.flush)
    root = talk(capture, "What is it?", "And why?", capture_content=mode)
    assert root.attributes["openinference.span.kind"] == "CHAIN"
    assert root.attributes.get("input.value") == ("What is it?" if mode == "full" else None)
    assert bool(root.attributes.get("output.value")) is (mode == "full")
    assert not any(name.startswith("gen_ai.") for name in root.attributes)


def test_the_root_shows_nothing_that_the_calls_do_not():
    """Not a secret, and not what the user's hook takes out under the name that it has on the call."""
    key = "sk-proj-" + "aB3dE6gH9" * 5
    capture = SpanCapture(agentops.flush)
    root = talk(capture, f"My key is {key}")
    assert root.attributes["input.value"].startswith("My key is ")
    assert key[10:16] not in root.attributes["input.value"]
    capture = SpanCapture(agentops.flush)
    hook = lambda value, path: None if path == "gen_ai.input.messages" else value  # noqa: E731
    root = talk(capture, "My name is Alice", redact=hook)
    assert "input.value" not in root.attributes
    assert root.attributes["output.value"]


def test_a_long_question_is_cut():
    """At 4 KiB, and no key is cut in two."""
    capture = SpanCapture(agentops.flush)
    root = talk(capture, "word " * 810 + "sk-proj-" + "aB3dE6gH9" * 5 + " word" * 900)
    value = root.attributes["input.value"]
    assert 4000 < len(value.encode()) <= 4096
    assert "aB3dE" not in value


def test_a_hook_that_changes_a_value_changes_its_short_copy():
    """Removed with it, replaced with it."""

    def hook(value, path):
        if path == "agentops.entity.input":
            return None
        return value.replace("Alice", "N.N.") if path in ("agentops.entity.output", "agentops.action.params") else value

    capture = SpanCapture(agentops.flush)
    agentops.init(exporter=capture, summary=False, redact=hook)
    agentops.agent("a")(lambda name: name)("Alice")
    agentops.record(agentops.ActionEvent("b", params={"name": "Alice"}, returns="Bob"))
    agentops.end_session("Success")
    one, other = capture.find("invoke_agent a").attributes, capture.find("b").attributes
    assert "input.value" not in one
    assert one["output.value"] == "N.N."
    assert json.loads(other["input.value"]) == {"name": "N.N."}
    assert other["output.value"] == "Bob"


def test_few_calls_are_looked_at_for_the_question():
    """Of an agent whose calls have no text of a user, not every prompt is read for it."""
    conversation = Conversation()
    for _ in range(8):
        conversation.note(call([text("system", "s")]))
    conversation.note(call([text("user", "late")]))
    assert "input.value" not in conversation.attributes()
