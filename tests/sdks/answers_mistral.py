"""Answers and streams of Mistral's API, in the shapes of its reference: https://docs.mistral.ai/api."""

from __future__ import annotations

USAGE = {
    "prompt_tokens": 57,
    "completion_tokens": 48,
    "total_tokens": 105,
    "prompt_tokens_details": {"cached_tokens": 32},
    "service_tier": "default",
}
CALLS = [
    {"id": "D681PevKs", "index": 0, "function": {"name": "weather", "arguments": '{"city":"Paris"}'}},
    {"id": "4vhGKyYu5", "index": 1, "function": {"name": "time", "arguments": '{"zone":"CET"}'}},
]
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "France, so Paris"}]}
CONVERSATION = "conv_06835b734cc47dec"


def chat(message=None, finish_reason="stop", **more):
    """A chat completion, or one of an agent, or of fill-in-the-middle."""
    said = {"role": "assistant", "tool_calls": None, "content": "Paris", **(message or {})}
    return {
        "id": "cf79f7daaee244b1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "mistral-large-2512",
        "choices": [{"index": 0, "message": said, "finish_reason": finish_reason}],
        "usage": USAGE,
        **more,
    }


def tools():
    """A chat completion that calls two tools."""
    return chat({"content": "", "tool_calls": CALLS}, "tool_calls")


def thinking():
    """A chat completion of a model that thinks first."""
    return chat({"content": [THOUGHT, {"type": "text", "text": "Paris"}]})


def chunk(delta=None, finish_reason=None, **more):
    """One chunk of a streamed chat completion."""
    head = {"id": "cf79f7daaee244b1", "object": "chat.completion.chunk", "created": 1760000000}
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish_reason}
    return {**head, "model": "mistral-large-2512", "choices": [choice], **more}


def chunks(*texts, usage=USAGE):
    """The streamed form of `chat()`; the last chunk has the usage, without being asked."""
    said = [chunk({"content": text}) for text in texts or ("Pa", "r")]
    return [chunk({"role": "assistant", "content": ""}), *said, chunk({"content": "is"}, "stop", usage=usage), "[DONE]"]


def tool_chunks():
    """Tool calls come whole."""
    last = chunk({"content": "", "tool_calls": CALLS}, "tool_calls", usage=USAGE)
    return [chunk({"role": "assistant", "content": ""}), last, "[DONE]"]


def thinking_chunks():
    """Thoughts come as parts."""
    halves = [{"type": "thinking", "thinking": [{"type": "text", "text": text}]} for text in ("France, ", "so Paris")]
    deltas = [{"role": "assistant", "content": ""}, *({"content": [half]} for half in halves)]
    deltas.append({"content": [{"type": "text", "text": "Par"}]})
    return [*map(chunk, deltas), chunk({"content": "is"}, "stop", usage=USAGE), "[DONE]"]


def embeddings():
    """The vector of one text."""
    return {
        "id": "aad6fc62b17349b1",
        "object": "list",
        "model": "mistral-embed",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 1.0, 0.0]}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 0, "total_tokens": 8},
    }


def entry(kind, **said):
    """One entry of a conversation."""
    times = {"created_at": "2026-05-27T11:46:36Z", "completed_at": "2026-05-27T11:46:40Z"}
    return {"object": "entry", "type": kind, **times, **said}


def conversation(*outputs, **more):
    """An answer in a conversation, which has searched the web."""
    usual = (
        entry("tool.execution", id="tool_exec_1", name="web_search", arguments='{"query":"Paris"}'),
        entry(
            "message.output",
            id="msg_1",
            model="mistral-medium-2508",
            agent_id="ag_1",
            role="assistant",
            content=[{"type": "text", "text": "Paris"}, {"type": "tool_reference", "tool": "web_search", "title": "P"}],
        ),
    )
    return {
        "object": "conversation.response",
        "conversation_id": CONVERSATION,
        "outputs": list(outputs or usual),
        "usage": {
            "prompt_tokens": 188,
            "completion_tokens": 55,
            "total_tokens": 7355,
            "connector_tokens": 7112,
            "connectors": {"web_search": 1},
        },
        **more,
    }


def function_call():
    """An answer in a conversation that calls a tool of the program."""
    said = {"id": "fc_1", "tool_call_id": "D681PevKs", "name": "weather", "arguments": '{"city":"Paris"}'}
    return conversation(entry("function.call", model="mistral-medium-2508", **said))


def events(*later, usage=None):
    """The streamed form of `conversation()`."""
    whole = conversation()
    tool, message = whole["outputs"]
    said = {"id": message["id"], "model": message["model"], "agent_id": message["agent_id"], "role": "assistant"}
    delta = {"type": "message.output.delta", "output_index": 1, "content_index": 0, **said}
    run = {"id": tool["id"], "name": tool["name"], "output_index": 0}
    return [
        {"type": "conversation.response.started", "conversation_id": CONVERSATION},
        {"type": "tool.execution.started", "arguments": '{"query":', **run},
        {"type": "tool.execution.delta", "arguments": '"Paris"}', **run},
        {"type": "tool.execution.done", "info": {}, **run},
        *({**delta, "content": text} for text in ("Pa", "ris")),
        {**delta, "content": message["content"][1], "content_index": 1},
        *(later or [{"type": "conversation.response.done", "usage": usage or whole["usage"]}]),
    ]


def function_call_events():
    """The streamed form of `function_call()`."""
    (call,) = function_call()["outputs"]
    names = ("id", "tool_call_id", "name", "model")
    said = {"type": "function.call.delta", "output_index": 0, **{name: call[name] for name in names}}
    return [
        {"type": "conversation.response.started", "conversation_id": CONVERSATION},
        {**said, "arguments": '{"city":'},
        {**said, "arguments": '"Paris"}'},
        {"type": "conversation.response.done", "usage": function_call()["usage"]},
    ]


def ocr():
    """The text of two pages, one of which has a picture."""
    corners = {"top_left_x": 0, "top_left_y": 0, "bottom_right_x": 9, "bottom_right_y": 9}
    picture = {"id": "img-0.jpeg", "image_base64": "data:image/jpeg;base64,/9j/4AAQSkZJRg==", **corners}
    size = {"dpi": 200, "height": 2200, "width": 1700}
    return {
        "pages": [
            {"index": 0, "markdown": "# Paris", "images": [], "dimensions": size},
            {"index": 1, "markdown": "![img-0.jpeg](img-0.jpeg)", "images": [picture], "dimensions": size},
        ],
        "model": "mistral-ocr-2512",
        "document_annotation": None,
        "usage_info": {"pages_processed": 2, "doc_size_bytes": 3002783},
    }


def error(message="Requests rate limit exceeded", code="1300", kind="rate_limited"):
    """What a refused call gets."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}
