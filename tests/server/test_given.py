"""What the first call of a session was given."""

from __future__ import annotations

from agentops_otel.rows import Message, SpanBody, SpanRow
from agentops_otel.server.given import differences, given

SECOND = 10**9


def call(number, body, kind="llm"):
    return SpanRow(
        "t" * 32,
        f"{number:016x}",
        None,
        "s",
        kind,
        "chat",
        "gpt-4.1",
        number * SECOND,
        (number + 1) * SECOND,
        body=body,
    )


def text(content):
    return {"type": "text", "content": content}


def test_instructions_tools_and_settings_of_the_first_call():
    """Instructions also from messages; the model and what only continues a conversation are no settings."""
    body = SpanBody(
        system=(text("Be brief."),),
        input=(Message("developer", (text("Answer in French."),)), Message("user", (text("Hi"),))),
        tools=[{"type": "function", "function": {"name": "search"}}, {"name": "fetch"}, "odd", {"function": None}],
        attributes={
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.stop_sequences": ["a"],
            "gen_ai.request.model": "gpt-4.1",
            "gen_ai.usage.input_tokens": 5,
        },
    )
    later = SpanBody(system=(text("Something else."),))
    assert given([call(2, later), call(1, body), call(0, SpanBody())]) == {
        "instructions": "Be brief.\nAnswer in French.",
        "tools": "fetch, search",
        "stop_sequences": '["a"]',
        "temperature": "0.5",
    }


def test_no_call_or_no_content_is_nothing():
    """A session of tools alone, and one whose content was not captured."""
    assert given([]) == {}
    assert given([call(1, SpanBody(system=(text("x"),)), kind="tool"), call(2, SpanBody()), call(3, None)]) == {}


def test_only_what_differs_is_told():
    """With the words marked; what only one has stands beside nothing."""
    a = {"instructions": "Be very brief.", "temperature": "0.5", "tools": "fetch"}
    b = {"instructions": "Be brief.", "temperature": "0.5", "seed": "7"}
    found = {change.name: (change.a, change.b) for change in differences(a, b)}
    assert list(found) == ["instructions", "tools", "seed"]
    assert [piece for piece in found["instructions"][0] if piece[1]] == [("very ", True)]
    assert found["tools"] == ((("fetch", True),), None)
    assert found["seed"] == (None, (("7", True),))
    assert differences(a, a) == ()
