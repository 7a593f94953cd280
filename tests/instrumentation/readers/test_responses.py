"""The Responses API: items of every kind, and streams that break off, over the real client."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._models import construct_type
from openai.types.responses import ResponseStreamEvent

from agentops_otel import semconv
from agentops_otel.instrumentation.readers import responses_fold
from agentops_otel.instrumentation.readers.responses_fold import ResponsesFold
from agentops_otel.pricing import span_cost
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

ASK = {"model": "gpt-4o", "input": "Capital of France?"}
FUNCTION = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city":"Paris"}',
}
CUSTOM = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_1", "name": "shell", "input": "ls"}
COMPUTER = {
    "type": "computer_call",
    "id": "cu_1",
    "call_id": "call_1",
    "action": {"type": "screenshot"},
    "pending_safety_checks": [],
    "status": "completed",
}
LOCAL_SHELL = {
    "type": "local_shell_call",
    "id": "ls_1",
    "call_id": "call_1",
    "action": {"type": "exec", "command": ["ls"]},
}
PATCH = {
    "type": "apply_patch_call",
    "id": "ap_1",
    "call_id": "call_1",
    "operation": {"type": "delete_file", "path": "x"},
}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "France"}]}
ENCRYPTED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAB"}
COMPACTION = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAB"}


def received(span):
    return json.loads(span.attributes[semconv.OUTPUT_MESSAGES])


def answered(client, server, spans, output, **said):
    server.then(Reply(llm_server.response(output=output, **said)))
    client.responses.create(**ASK)
    return spans.one()


@pytest.mark.parametrize(
    ("item", "part"),
    [
        (FUNCTION, {"name": "weather", "arguments": {"city": "Paris"}}),
        ({**FUNCTION, "arguments": {"city": "Paris"}}, {"name": "weather", "arguments": {"city": "Paris"}}),
        (CUSTOM, {"name": "shell", "arguments": "ls"}),
        (COMPUTER, {"name": "computer", "arguments": {"action": {"type": "screenshot"}}}),
        (LOCAL_SHELL, {"name": "local_shell", "arguments": {"type": "exec", "command": ["ls"]}}),
        (PATCH, {"name": "apply_patch", "arguments": {"type": "delete_file", "path": "x"}}),
    ],
    ids=lambda item: item.get("type"),
)
def test_calls_that_the_program_has_to_answer(item, part, client, server, spans):
    """Calls of functions, of custom tools, of the computer and the like end an answer as `tool_calls`."""
    server.then(Reply(llm_server.response(output=[item])))
    client.responses.with_raw_response.create(**ASK)  # parsed, the SDK's model adds a null for each field left out
    span = spans.one()
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("tool_calls",)
    assert received(span) == [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", **part}], "finish_reason": "tool_call"}
    ]


def test_calls_that_the_provider_has_made_itself(client, server, spans):
    """A search at the provider, or a call whose output stands beside it, leaves the answer an ordinary one."""
    shell = {"type": "shell_call", "id": "sh_1", "call_id": "call_1", "action": {"commands": ["ls"]}}
    output = {"type": "shell_call_output", "id": "so_1", "call_id": "call_1", "output": [{"stdout": "x", "stderr": ""}]}
    span = answered(client, server, spans, [SEARCH, shell, output])
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("stop",)
    assert received(span)[0]["parts"][0] == {"type": "web_search_call", "id": "ws_1"}
    assert span.attributes[semconv.USAGE_WEB_SEARCHES] == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_searches_are_counted_and_priced(stream, client, server, spans):
    """Each search of the web is a part of the cost; to open a page that was found costs its tokens alone."""
    opened = {**SEARCH, "action": {"type": "open_page", "url": "https://example.com"}}
    output = [SEARCH, {**SEARCH, "action": {"type": "search", "query": "Paris"}}, opened]
    whole = llm_server.response(output=output, model="gpt-5")
    server.then(Reply([{"type": "response.completed", "response": whole}]) if stream else Reply(whole))
    answer = client.responses.create(model="gpt-5", input="hi", stream=stream)
    if stream:
        list(answer)
    seen = spans.one().attributes
    assert seen[semconv.USAGE_WEB_SEARCHES] == 2
    tokens = {name: value for name, value in seen.items() if name != semconv.USAGE_WEB_SEARCHES}
    assert span_cost(seen).amount == pytest.approx(span_cost(tokens).amount + 0.02)


@pytest.mark.parametrize("action", [{"type": "open_page"}, {"type": "find_in_page"}])
def test_no_search_is_no_count(action, client, server, spans):
    """An answer without a search has no count of them, not 0."""
    span = answered(client, server, spans, [{**SEARCH, "action": action}])
    assert semconv.USAGE_WEB_SEARCHES not in span.attributes


@pytest.mark.parametrize(
    ("said", "reason", "finish"),
    [
        ({}, "stop", "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length", "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": None}, "incomplete", "incomplete"),
        ({"status": "cancelled"}, "cancelled", "error"),
        ({"status": "failed", "error": {"code": "server_error", "message": "no"}}, "error", "error"),
        ({"status": None}, None, "error"),
        ({"status": "in_progress"}, None, "error"),
    ],
)
def test_how_an_answer_ends(said, reason, finish, client, server, spans):
    """The message says how it ended in the schema's words, and `error` when nobody has said it."""
    span = answered(client, server, spans, llm_server.response()["output"], **said)
    assert span.attributes.get(semconv.RESPONSE_FINISH_REASONS) == (reason and (reason,))
    assert received(span)[0]["finish_reason"] == finish


def test_encrypted_reasoning_has_no_part(client, server, spans):
    """Reasoning that cannot be read makes no empty part, neither in the answer nor in the next request."""
    message = llm_server.response()["output"][0]
    server.then(Reply(llm_server.response(output=[ENCRYPTED, REASONING, message])))
    client.responses.create(model="gpt-4o", input=[{"role": "user", "content": "hi"}, ENCRYPTED, REASONING])
    span = spans.one()
    assert [part["type"] for part in received(span)[0]["parts"]] == ["reasoning", "text"]
    sent = json.loads(span.attributes[semconv.INPUT_MESSAGES])
    assert [message["parts"] for message in sent] == [
        [{"type": "text", "content": "hi"}],
        [{"type": "reasoning", "content": "France"}],
    ]


@pytest.mark.parametrize("where", ["request", "answer", "stream", "broken stream"])
def test_a_compacted_conversation(where, client, server, spans):
    """A compaction item, sent or received, is noted on the span, and its content is not recorded."""
    output = [COMPACTION, *llm_server.response()["output"]] if where != "request" else llm_server.response()["output"]
    whole = llm_server.response(output=output)
    events = [
        {"type": "response.created", "response": llm_server.response("in_progress")},
        {"type": "response.output_item.done", "output_index": 0, "item": COMPACTION},
        {"type": "response.completed", "response": whole},
    ]
    streamed = "stream" in where
    server.then(Reply(events[:2] if where == "broken stream" else events) if streamed else Reply(whole))
    given = [{"role": "user", "content": "hi"}, *([COMPACTION] if where == "request" else [])]
    answer = client.responses.create(model="gpt-4o", input=given, stream=streamed)
    if streamed:
        list(answer)
    span = spans.one()
    assert span.attributes[semconv.CONVERSATION_COMPACTED] is True
    assert "gAAAAB" not in str(span.attributes)


def test_what_the_request_says_of_thinking_and_of_the_past(client, spans):
    """The effort and the id of the previous response are attributes; an ordinary request has neither."""
    client.responses.create(**ASK, previous_response_id="resp_0", reasoning={"effort": "low", "summary": "auto"})
    client.chat.completions.create(model="o3", messages=[{"role": "user", "content": "hi"}], reasoning_effort="high")
    client.responses.create(**ASK)
    seen, chat, plain = (span.attributes for span in spans())
    assert seen[semconv.REQUEST_PREVIOUS_RESPONSE_ID] == "resp_0"
    assert (seen[semconv.REQUEST_REASONING_LEVEL], chat[semconv.REQUEST_REASONING_LEVEL]) == ("low", "high")
    names = {semconv.REQUEST_PREVIOUS_RESPONSE_ID, semconv.REQUEST_REASONING_LEVEL, semconv.CONVERSATION_COMPACTED}
    assert not names & set(plain)


PIECES = {
    "text": (
        {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
        [("response.output_text.delta", "Pa"), ("response.output_text.delta", "ris")],
        {"type": "text", "content": "Paris"},
    ),
    "refusal": (
        {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
        [("response.refusal.delta", "I can"), ("response.refusal.delta", "not")],
        {"type": "refusal", "content": "I cannot"},
    ),
    "function": (
        {**FUNCTION, "arguments": ""},
        [
            ("response.function_call_arguments.delta", '{"city":'),
            ("response.function_call_arguments.delta", '"Paris"}'),
        ],
        {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}},
    ),
    "custom": (
        {**CUSTOM, "input": ""},
        [("response.custom_tool_call_input.delta", "l"), ("response.custom_tool_call_input.delta", "s")],
        {"type": "tool_call", "id": "call_1", "name": "shell", "arguments": "ls"},
    ),
    "reasoning": (
        {"type": "reasoning", "id": "rs_1", "summary": []},
        [("response.reasoning_text.delta", "Fran"), ("response.reasoning_text.delta", "ce")],
        {"type": "reasoning", "content": "France"},
    ),
    "summary": (
        {"type": "reasoning", "id": "rs_1", "summary": []},
        [("response.reasoning_summary_text.delta", "Fran"), ("response.reasoning_summary_text.delta", "ce")],
        {"type": "reasoning", "content": "France"},
    ),
}


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("kind", PIECES)
def test_pieces_of_a_stream_that_broke_off(kind, announced, client, server, spans):
    """A stream whose last event never came keeps what was in its pieces, item by item, in their order."""
    item, deltas, part = PIECES[kind]
    events = [{"type": "response.created", "response": llm_server.response("in_progress")}]
    events += [{"type": "response.output_item.done", "output_index": 0, "item": REASONING}]
    if announced:
        events += [{"type": "response.output_item.added", "output_index": 1, "item": item}]
    events += [{"type": name, "output_index": 1, "item_id": item["id"], "delta": delta} for name, delta in deltas]
    server.then(Reply(events))
    list(client.responses.create(**ASK, stream=True))
    span = spans.one()
    first, second = received(span)[0]["parts"]
    assert first == {"type": "reasoning", "content": "France"}
    if not announced and part["type"] == "tool_call":
        part = {**part, "id": None, "name": ""}
    assert second == part
    assert received(span)[0]["finish_reason"] == "error"
    assert span.attributes[semconv.RESPONSE_ID] == "resp_1"


def test_an_end_without_its_output(client, server, spans):
    """A host whose last event leaves out the output is read by the items before it, and its usage by its end."""
    item = llm_server.response()["output"][0]
    server.then(
        Reply(
            [
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": llm_server.response(output=[])},
            ]
        )
    )
    list(client.responses.create(**ASK, stream=True))
    span = spans.one()
    assert received(span)[0]["parts"] == [{"type": "text", "content": '{"city": "Paris"}'}]
    assert span.attributes[semconv.USAGE_INPUT_TOKENS] == 57


def test_a_later_event_takes_nothing_away(client, server, spans):
    """Fields that the last event leaves out stay as an earlier one said them; the tier is that of the end."""
    server.then(
        Reply(
            [
                {"type": "response.created", "response": llm_server.response("in_progress", service_tier="auto")},
                {
                    "type": "response.completed",
                    "response": {
                        "status": "completed",
                        "service_tier": "flex",
                        "usage": llm_server.response()["usage"],
                    },
                },
            ]
        )
    )
    list(client.responses.create(**ASK, stream=True))
    seen = spans.one().attributes
    assert (seen[semconv.RESPONSE_ID], seen[semconv.RESPONSE_MODEL]) == ("resp_1", "gpt-4o-2024-08-06")
    assert seen[semconv.OPENAI_RESPONSE_SERVICE_TIER] == "flex"


def test_results_of_tools(client, spans):
    """Results of functions, of the computer and of a shell are responses to their calls; a picture is a reference."""
    data = b"\x89PNG" * 100
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    client.responses.create(
        model="gpt-4o",
        input=[
            {"type": "function_call_output", "call_id": "a", "output": "sunny"},
            {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_image", "image_url": url}]},
            {
                "type": "computer_call_output",
                "call_id": "c",
                "output": {"type": "computer_screenshot", "image_url": url},
            },
            {"type": "local_shell_call_output", "id": "d", "output": "x"},
        ],
    )
    digest = hashlib.sha256(data).hexdigest()
    picture = {
        "type": "file",
        "modality": "image",
        "mime_type": "image/png",
        "file_id": f"sha256:{digest}",
        "bytes": 400,
        "sha256": digest,
    }
    span = spans.one()
    assert json.loads(span.attributes[semconv.INPUT_MESSAGES]) == [
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": call_id, "response": response}]}
        for call_id, response in (("a", "sunny"), ("b", [picture]), ("c", [picture]), ("d", "x"))
    ]


TEXTS = st.text(max_size=4)
WHERE = st.fixed_dictionaries(
    {}, optional={"output_index": st.integers(0, 2) | st.none() | st.just("1"), "item_id": st.sampled_from(["a", "b"])}
)
DELTAS = st.builds(
    lambda where, kind, text: {**where, "type": kind, "delta": text},
    WHERE,
    st.sampled_from([*responses_fold._PIECES, "response.audio.delta"]),
    TEXTS,
)
ITEM_EVENTS = st.builds(
    lambda where, kind, item: {**where, "type": f"response.output_item.{kind}", "item": item},
    WHERE,
    st.sampled_from(["added", "done"]),
    st.sampled_from([FUNCTION, CUSTOM, {}]),
)
ENDS = st.sampled_from(llm_server.response_events())


@settings(deadline=None, database=None, max_examples=150)
@given(st.lists(DELTAS | DELTAS | ITEM_EVENTS | ENDS, max_size=10))
def test_many_events_at_once_are_the_same_as_one_by_one(events):
    """The short way of a piece that goes on with the one before leads where the long way does."""
    models = [construct_type(type_=ResponseStreamEvent, value=event) for event in events]
    quick, slow = ResponsesFold(), ResponsesFold()
    quick.extend(models)
    for model in models:
        slow.add(model)
    assert quick.response() == slow.response()
    assert quick.done == slow.done
