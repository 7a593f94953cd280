"""Answers and streams of Cohere's API, in the shapes of its reference: https://docs.cohere.com/reference."""

from __future__ import annotations

USAGE = {
    "billed_units": {"input_tokens": 17.0, "output_tokens": 12.0},
    "tokens": {"input_tokens": 215.0, "output_tokens": 12.0},
    "cached_tokens": 176.0,
}
TOOL_USAGE = {
    "billed_units": {"input_tokens": 37, "output_tokens": 51},
    "tokens": {"input_tokens": 925, "output_tokens": 90},
}
META = {"api_version": {"version": "1"}, **USAGE}
WEATHER = '{"city":"Paris"}'
TIME = '{"zone":"CET"}'
CALLS = [
    {"id": "weather_1", "type": "function", "function": {"name": "weather", "arguments": WEATHER}},
    {"id": "time_2", "type": "function", "function": {"name": "time", "arguments": TIME}},
]


def chat(message=None, **more):
    """An answer of version 2."""
    usual = {"role": "assistant", "content": [{"type": "text", "text": "Paris"}]}
    head = {"id": "c14c80c3", "finish_reason": "COMPLETE"}
    return {**head, "message": usual if message is None else message, "usage": USAGE, **more}


def tools():
    """An answer with a plan and two tool calls."""
    message = {"role": "assistant", "tool_plan": "I look both up.", "tool_calls": CALLS}
    return chat(message, finish_reason="TOOL_CALL", usage=TOOL_USAGE)


def thinking():
    """An answer of a model that thinks first."""
    content = [{"type": "thinking", "thinking": "France, so Paris"}, {"type": "text", "text": "Paris"}]
    return chat({"role": "assistant", "content": content})


def content(index, **said):
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": said}}}


def chat_events(*texts, usage=USAGE, **end):
    """A stream of version 2, which thinks and answers."""
    start = {"type": "text", "text": ""}
    return [
        {"id": "c14c80c3", "type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "thinking", "thinking": ""}}}},
        content(0, thinking="France, "),
        content(0, thinking="so Paris"),
        {"type": "content-end", "index": 0},
        {"type": "content-start", "index": 1, "delta": {"message": {"content": start}}},
        *(content(1, text=text) for text in texts or ("Pa", "r", "is")),
        {
            "type": "citation-start",
            "index": 0,
            "delta": {"message": {"citations": {"start": 0, "end": 5, "text": "Paris", "sources": []}}},
        },
        {"type": "citation-end", "index": 0},
        {"type": "content-end", "index": 1},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage, **end}},
    ]


def call(kind, index, said):
    return {"type": f"tool-call-{kind}", "index": index, "delta": {"message": {"tool_calls": said}}}


def tool_events():
    """A stream with a plan and two tool calls."""
    events = [{"id": "c14c80c3", "type": "message-start", "delta": {"message": {"role": "assistant"}}}]
    events += [
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}} for piece in ("I look ", "both up.")
    ]
    for index, each in enumerate(CALLS):
        function = each["function"]
        events.append(call("start", index, {**each, "function": {**function, "arguments": ""}}))
        half = len(function["arguments"]) // 2
        for piece in (function["arguments"][:half], function["arguments"][half:]):
            events.append(call("delta", index, {"function": {"arguments": piece}}))
        events.append({"type": "tool-call-end", "index": index})
    return [*events, {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": TOOL_USAGE}}]


def v1_chat(**more):
    """An answer of version 1."""
    return {
        "response_id": "0385c7cf",
        "text": "Paris",
        "generation_id": "3e2f4b1a",
        "chat_history": [{"role": "USER", "message": "Capital?"}, {"role": "CHATBOT", "message": "Paris"}],
        "finish_reason": "COMPLETE",
        "meta": META,
        **more,
    }


def v1_tools():
    """An answer of version 1 that calls two tools."""
    calls = [{"name": "weather", "parameters": {"city": "Paris"}}, {"name": "time", "parameters": {"zone": "CET"}}]
    return v1_chat(text="I look both up.", tool_calls=calls)


def v1_chat_events():
    """A stream of version 1."""
    return [
        {"is_finished": False, "event_type": "stream-start", "generation_id": "3e2f4b1a"},
        *({"is_finished": False, "event_type": "text-generation", "text": text} for text in ("Pa", "r", "is")),
        {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": v1_chat()},
    ]


def v1_tool_events():
    """A stream of version 1 that calls two tools."""
    whole = v1_tools()
    delta = {"index": 0, "name": "weather"}
    return [
        {"is_finished": False, "event_type": "stream-start", "generation_id": "3e2f4b1a"},
        {"is_finished": False, "event_type": "tool-calls-chunk", "text": "I look "},
        {"is_finished": False, "event_type": "tool-calls-chunk", "tool_call_delta": delta},
        {
            "is_finished": False,
            "event_type": "tool-calls-generation",
            "text": whole["text"],
            "tool_calls": whole["tool_calls"],
        },
        {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": whole},
    ]


def generate(**more):
    """An answer with two texts."""
    texts = [{"id": "g1", "text": "Paris", "finish_reason": "COMPLETE"}, {"id": "g2", "text": "Lyon"}]
    return {"id": "1b6c6b3c", "generations": texts, "prompt": "Capital?", "meta": META, **more}


def generate_events():
    """A stream of one text; its last event has no usage."""
    last = {"id": "1b6c6b3c", "generations": [{"id": "g1", "index": 0, "text": "Paris", "finish_reason": "COMPLETE"}]}
    return [
        *({"text": text, "is_finished": False, "event_type": "text-generation"} for text in ("Pa", "ris")),
        {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": last},
    ]


def bedrock_generate_events():
    """The same as Bedrock sends it: without names, and without the whole answer."""
    return [
        {"index": 0, "is_finished": False, "text": "Pa"},
        {"index": 0, "is_finished": False, "text": "ris"},
        {"index": 0, "is_finished": True, "finish_reason": "COMPLETE"},
        {"is_finished": True, "finish_reason": "COMPLETE"},
    ]


def embed(vectors=None, **billed):
    """The vectors of two texts."""
    return {
        "id": "da6e531f",
        "embeddings": {"float": [[0.5, -0.25, 1.0, 0.0], [0.0, 1.0, 0.5, 0.25]]} if vectors is None else vectors,
        "texts": ["Paris", "Lyon"],
        "meta": {"api_version": {"version": "2"}, "billed_units": billed or {"input_tokens": 4}},
        "response_type": "embeddings_by_type",
    }


def rerank():
    """The best two of three documents."""
    return {
        "id": "07734bd2",
        "results": [{"index": 2, "relevance_score": 0.98}, {"index": 0, "relevance_score": 0.25}],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }
