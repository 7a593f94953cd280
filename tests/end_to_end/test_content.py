"""What a trace says of prompts, answers and keys: as much as the user allowed, and never a key."""

from __future__ import annotations

import pytest

from tests.end_to_end.program import OPENAI_KEY
from tests.fakes.llm_server import Reply, chat, chunk, embeddings, error, response

API_KEY = "agentops-key-4711-0815"
PARENT_KEY = "agentops-parent-key-2342"
PROGRAM = """
import os

import openai

import agentops_otel as agentops

client = openai.OpenAI(max_retries=0)
TOOLS = [{"type": "function", "function": {"name": "look_up", "description": "SECRET-schema", "parameters": {}}}]


@agentops.tool
def look_up(key):
    return {"found": "SECRET-result"}


@agentops.tool
def break_down(key):
    raise ValueError("QUOTED-by-tool " + key)


@agentops.action
def act(what):
    client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "system", "content": "SECRET-system"}, {"role": "user", "content": "SECRET-prompt"}],
        tools=TOOLS,
    )
    for chunk in client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "SECRET-streamed-prompt"}], stream=True
    ):
        pass
    client.responses.create(model="gpt-4o", instructions="SECRET-instructions", input="SECRET-input")
    client.embeddings.create(model="text-embedding-3-small", input="SECRET-embedded")
    return "SECRET-returned"


@agentops.agent
def work(task):
    act("SECRET-action")
    look_up("SECRET-argument")
    try:
        break_down("SECRET-broken")
    except ValueError:
        pass
    try:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "SECRET-refused"}])
    except openai.BadRequestError:
        pass
    return "SECRET-done"


agentops.init(auto_start_session=False)
try:
    with agentops.session(name="content") as session:
        print(session.session_id)
        work("SECRET-task")
        agentops.record(agentops.ActionEvent("noted", "SECRET-params", "SECRET-event", logs="SECRET-logs"))
        agentops.record(agentops.ToolEvent("used", params="SECRET-used", returns="SECRET-got", logs="SECRET-tool-logs"))
        said = agentops.LLMEvent(model="gpt-4o", prompt="SECRET-asked", completion="SECRET-said", prompt_tokens=1)
        agentops.record(said)
        agentops.record(agentops.ErrorEvent(error_type="Odd", details="QUOTED-details", logs="SECRET-error-logs"))
        raise RuntimeError("QUOTED-at-the-end")
except RuntimeError:
    pass
"""
SECRETS = [
    "SECRET-system", "SECRET-prompt", "SECRET-schema", "SECRET-answer", "SECRET-call-argument",
    "SECRET-streamed-prompt", "SECRET-streamed-answer", "SECRET-instructions", "SECRET-input", "SECRET-responded",
    "SECRET-argument", "SECRET-result", "SECRET-broken", "SECRET-action", "SECRET-returned", "SECRET-task",
    "SECRET-done", "SECRET-refused", "SECRET-params", "SECRET-event", "SECRET-logs", "SECRET-used", "SECRET-got",
    "SECRET-tool-logs", "SECRET-asked", "SECRET-said", "SECRET-error-logs",
]  # fmt: skip
QUOTES = ["QUOTED-by-tool", "QUOTED-by-api", "QUOTED-details", "QUOTED-at-the-end"]
SPANS = 14


@pytest.fixture
def content(programs, llm, read):
    """Runs the program with a setting of `capture_content` and reads its session."""

    def run(capture: str):
        function = {"name": "f", "arguments": '{"a": "SECRET-call-argument"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        streamed = [chunk({"role": "assistant", "content": "SECRET-streamed"}), chunk({"content": "-answer"}, "stop")]
        message = response()["output"][0]
        part = {**message["content"][0], "text": "SECRET-responded"}
        llm.then(
            Reply(chat({"content": "SECRET-answer", "tool_calls": [call]})),
            Reply([*streamed, "[DONE]"]),
            Reply(response(output=[{**message, "content": [part]}])),
            Reply(embeddings()),
            Reply(error("bad", "QUOTED-by-api"), status=400),
        )
        keys = {"AGENTOPS_API_KEY": API_KEY, "AGENTOPS_PARENT_KEY": PARENT_KEY}
        done = programs.run(PROGRAM, AGENTOPS_CAPTURE_CONTENT=capture, **keys)
        assert done.warnings == []
        return read(done.stdout.strip(), spans=SPANS)

    return run


def _found(texts, trace):
    return [text for text in texts if text in trace.text]


def test_everything_is_there_by_default(content):
    """With `full`, the default, messages, arguments, results, logs and exception texts are in the trace; keys never."""
    trace = content("full")
    assert _found([*SECRETS, *QUOTES], trace) == [*SECRETS, *QUOTES]
    assert _found([API_KEY, PARENT_KEY, OPENAI_KEY], trace) == []
    assert len(trace.spans) == SPANS
    (first,) = [span for span in trace.spans if "SECRET-prompt" in span.attributes.get("gen_ai.input.messages", "")]
    (answer,) = first.json("gen_ai.output.messages")
    assert [part["type"] for part in answer["parts"]] == ["text", "tool_call"]
    assert answer["parts"][1]["arguments"] == {"a": "SECRET-call-argument"}


@pytest.mark.parametrize(
    ("capture", "hidden", "shown"), [("metadata", SECRETS, QUOTES), ("off", [*SECRETS, *QUOTES], [])]
)
def test_content_can_be_kept_out(content, capture, hidden, shown):
    """With `metadata` nothing said or passed is in the trace, with `off` no exception text either; the rest is."""
    trace = content(capture)
    # A tool's exception says what its author put in: with `metadata` that is recorded, quote and all.
    hidden = ["SECRET-embedded", *(text for text in hidden if capture == "off" or text != "SECRET-broken")]
    assert _found(hidden, trace) == []
    assert _found(shown, trace) == shown
    assert _found([API_KEY, PARENT_KEY, OPENAI_KEY], trace) == []
    assert len(trace.spans) == SPANS
    calls = [span for span in trace.spans if span.kind == "llm"]
    assert {span.attributes["gen_ai.request.model"] for span in calls} == {"gpt-4o", "text-embedding-3-small"}
    assert trace.root.attributes["agentops.session.usage.input_tokens"] == 57 + 57 + 8 + 1
    assert trace.root.attributes["agentops.session.end_state"] == "Fail"
    assert trace.span("execute_tool break_down").attributes["error.type"] == "ValueError"


def test_a_key_that_the_program_passes_around_is_taken_out(programs, read):
    """Our own key is not in the trace, even where the program itself hands it to a tool, names it and fails with it."""
    done = programs.run(
        """
        import os
        import agentops_otel as agentops

        key = os.environ["AGENTOPS_API_KEY"]

        @agentops.tool
        def log_in(key):
            raise PermissionError(f"{key} was refused")

        agentops.init(tags=["with " + key], name=key)
        session = agentops.current_session()
        try:
            log_in(key)
        except PermissionError as error:
            agentops.record(error)
            agentops.end_session("Fail", str(error))
        print(session.session_id)
        """,
        AGENTOPS_API_KEY=API_KEY,
    )
    trace = read(done.stdout.strip(), spans=3)
    assert API_KEY not in trace.text
    assert trace.span("execute_tool log_in").json("gen_ai.tool.call.arguments") == {"key": "[redacted]"}
    assert trace.root.attributes["agentops.session.end_state_reason"] == "[redacted] was refused"
