"""Streamed chat completions whose pieces are put together again, over the real client."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._models import construct_type
from openai.types.chat import ChatCompletionChunk

from agentops_otel import semconv
from agentops_otel.instrumentation.readers.chat_fold import ChatFold
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome"}'


def streamed(client, server, spans, chunks):
    """The parts of the answer that came in these chunks, and its span."""
    server.then(Reply([*chunks, llm_server.chunk({}, "tool_calls"), "[DONE]"]))
    list(client.chat.completions.create(**CHAT, stream=True))
    span = spans.one()
    return json.loads(span.attributes[semconv.OUTPUT_MESSAGES])[0]["parts"], span


def calls(parts):
    return [(part["id"], part["name"], part["arguments"]) for part in parts if part["type"] == "tool_call"]


def piece(name=None, arguments=None, **said):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"type": "function", "function": function, **said}


TWO = [("a", "weather", {"city": "Paris"}), ("b", "weather", {"city": "Rome"})]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param(
            [
                [piece("weather", "", index=0, id="a")],
                [piece("weather", "", index=1, id="b")],
                [piece(arguments=PARIS[:5], index=0)],
                [piece(arguments=ROME, index=1)],
                [piece(arguments=PARIS[5:], index=0)],
            ],
            TWO,
            id="by index",
        ),
        pytest.param(
            [
                [piece("weather", "", index=0, id="a")],
                [piece(arguments=PARIS, index=0)],
                [piece("weather", "", index=0, id="b")],
                [piece(arguments=ROME, index=0)],
            ],
            TWO,
            id="another id at the same index",
        ),
        pytest.param(
            [
                [piece("weather", "", id="a")],
                [piece(arguments=PARIS)],
                [piece("weather", "", id="b")],
                [piece(arguments=ROME)],
            ],
            TWO,
            id="another id without an index",
        ),
        pytest.param(
            [
                [piece("weather", PARIS[:5], index=0, id="a")],
                [piece("weather", ROME[:5], index=0, id="b")],
                [piece(None, PARIS[5:], index=0, id="a")],
                [piece(None, ROME[5:], index=0, id="b")],
            ],
            TWO,
            id="the id in every piece, one index",
        ),
        pytest.param(
            [
                [piece("weather", "", index=0, id="a")],
                [piece(arguments=PARIS[:5], index=0)],
                [piece(arguments=PARIS[5:], index=0, id="")],
                [piece("weather", ROME, index=1, id="b")],
            ],
            TWO,
            id="an empty id",
        ),
        pytest.param(
            [[piece("weather", PARIS, id="a"), piece("weather", ROME, id="b")]], TWO, id="whole calls in one chunk"
        ),
        pytest.param(
            [[piece("weather", PARIS), piece("time", ROME)]],
            [(None, "weather", {"city": "Paris"}), (None, "time", {"city": "Rome"})],
            id="whole calls in one chunk, without id and index",
        ),
        pytest.param(
            [[piece("weather", PARIS, index=0, id="")], [piece("weather", ROME, index=0, id="")]],
            [(None, "weather", {"city": "Paris"}), (None, "weather", {"city": "Rome"})],
            id="whole calls in a chunk each, without ids, all of index 0",
        ),
        pytest.param(
            [[piece("weather", '{"a":{}', index=0)], [piece("weather", "}", index=0)]],
            [(None, "weather", {"a": {}})],
            id="the name in every piece",
        ),
        pytest.param(
            [[piece("weather", "", index=0)], [piece(arguments=PARIS, index=0, id="a")]],
            TWO[:1],
            id="an id that comes late",
        ),
        pytest.param(
            [
                [piece("weather", "", index="0", id="a")],
                [piece(arguments=PARIS, index="0")],
                [piece("weather", ROME, index="1", id="b")],
            ],
            TWO,
            id="an index in digits",
        ),
        pytest.param(
            [[piece("weather", {"city": "Paris"}, index=0, id="a")]], TWO[:1], id="arguments that are an object"
        ),
        pytest.param(
            [
                [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "shell", "input": "l"}}],
                [{"index": 0, "custom": {"input": "s"}}],
            ],
            [("a", "shell", "ls")],
            id="a custom tool",
        ),
    ],
)
def test_tool_calls_are_told_apart(pieces, expected, client, server, spans):
    """By their id first, then by their index; what has neither goes on with the last one."""
    parts, _ = streamed(client, server, spans, [llm_server.chunk({"tool_calls": pieces_}) for pieces_ in pieces])
    assert calls(parts) == expected


@settings(deadline=None, database=None)
@given(
    st.lists(st.lists(st.text(max_size=5), min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from(["index", "id", "both", "position"]),
    st.randoms(use_true_random=False),
)
def test_pieces_in_any_order(arguments, told_by, random):
    """However the pieces of several calls are mixed, each call gets its own, in their order."""
    queues = [
        [_piece(number, place, text, told_by) for place, text in enumerate(texts)]
        for number, texts in enumerate(arguments)
    ]
    fold = ChatFold()
    if told_by == "position":  # neither index nor a repeated id: they come one after the other
        pieces = [[piece] for queue in queues for piece in queue]
    else:
        pieces = []
        while any(queues):
            pieces.append([random.choice([queue for queue in queues if queue]).pop(0)])
    for calls_ in pieces:
        fold.add(llm_server.chunk({"tool_calls": calls_}))
    found = fold.response()["choices"][0]["message"]["tool_calls"]
    assert {call["id"]: call["function"]["arguments"] or "" for call in found} == {
        f"call_{number}": "".join(texts) for number, texts in enumerate(arguments)
    }


def _piece(number, place, text, told_by):
    said = {"function": {"arguments": text, **({"name": f"tool_{number}"} if place == 0 else {})}}
    if place == 0 or told_by in ("id", "both"):
        said["id"] = f"call_{number}"
    if told_by in ("index", "both"):
        said["index"] = number
    elif told_by == "id":
        said["index"] = 0
    return said


def test_a_legacy_function_call_in_pieces(client, server, spans):
    """The pieces of a `function_call` are one call, whose message ends as one with a call."""
    chunks = [llm_server.chunk({"function_call": said}) for said in ({"name": "weather"}, {"arguments": PARIS[:4]})]
    server.then(
        Reply([*chunks, llm_server.chunk({"function_call": {"arguments": PARIS[4:]}}, "function_call"), "[DONE]"])
    )
    list(client.chat.completions.create(**CHAT, stream=True))
    span = spans.one()
    assert json.loads(span.attributes[semconv.OUTPUT_MESSAGES]) == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": None, "name": "weather", "arguments": {"city": "Paris"}}],
            "finish_reason": "tool_call",
        }
    ]
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("function_call",)


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (["Pa", "ris"], [("text", "Paris")]),
        (
            [
                [{"type": "thinking", "thinking": [{"type": "text", "text": "two "}]}],
                [{"type": "thinking", "thinking": [{"type": "text", "text": "and two"}]}],
                [{"type": "text", "text": "fo"}],
                "ur",
            ],
            [("reasoning", "two and two"), ("text", "four")],
        ),
        ([[{"type": "text", "text": "Pa"}], [{"type": "text", "text": "ris"}]], [("text", "Paris")]),
        (["Pa", 5, "ris"], [("text", "Pa5ris")]),
        ([{"city": "Paris"}], [("text", '{"city":"Paris"}')]),
        ([{"text": "Pa"}, "ris"], [("text", "Paris")]),
        ([["Pa", "ris"]], [("text", "Pa"), ("text", "ris")]),
    ],
)
def test_content_of_any_kind_in_pieces(contents, expected, client, server, spans):
    """Texts, lists of parts, and other values, mixed: what goes on is one part, in the order in which it came."""
    parts, _ = streamed(client, server, spans, [llm_server.chunk({"content": content}) for content in contents])
    assert [(part["type"], part["content"]) for part in parts] == expected


def test_a_choice_without_a_reason_keeps_its_place(client, server, spans):
    """With n > 1 reasons and messages stand in the order of the choices, whichever came first or not at all."""
    chunks = [
        llm_server.chunk({"content": "Rome"}, "length", index=2),
        llm_server.chunk({"content": "Paris"}, index=0),
        llm_server.chunk({"content": "Bern"}, "stop", index=1),
    ]
    server.then(Reply([*chunks, "[DONE]"]))
    list(client.chat.completions.create(**CHAT, n=3, stream=True))
    span = spans.one()
    assert span.attributes[semconv.RESPONSE_FINISH_REASONS] == ("error", "stop", "length")
    messages = json.loads(span.attributes[semconv.OUTPUT_MESSAGES])
    assert [(m["parts"][0]["content"], m["finish_reason"]) for m in messages] == [
        ("Paris", "error"),
        ("Bern", "stop"),
        ("Rome", "length"),
    ]


def test_the_head_may_come_late(client, server, spans):
    """Ids that the first chunks leave empty, as Azure's do, are taken from a later one; each field on its own."""
    first = llm_server.chunk({"content": "Pa"}, id="", model="", system_fingerprint=None)
    second = llm_server.chunk({"content": "ris"}, id="chatcmpl-1", model="", system_fingerprint=None)
    third = llm_server.chunk({}, "stop", id="another", system_fingerprint="fp_1")
    server.then(Reply([first, second, third, "[DONE]"]))
    list(client.chat.completions.create(**CHAT, stream=True))
    seen = spans.one().attributes
    assert seen[semconv.RESPONSE_ID] == "chatcmpl-1"
    assert seen[semconv.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert seen[semconv.OPENAI_SYSTEM_FINGERPRINT] == "fp_1"


TEXTS = st.text(max_size=4)
FUNCTION = st.fixed_dictionaries({}, optional={"name": st.none() | TEXTS, "arguments": st.none() | TEXTS})
TOOL_CALL = st.fixed_dictionaries(
    {"index": st.integers(0, 2)},
    optional={"id": st.none() | st.sampled_from(["", "a", "b"]), "type": st.just("function"), "function": FUNCTION},
)
DELTA = st.fixed_dictionaries(
    {},
    optional={
        "role": st.none() | st.just("assistant"),
        "content": st.none() | TEXTS,
        "refusal": st.none() | TEXTS,
        "tool_calls": st.none() | st.lists(TOOL_CALL, max_size=2),
        "function_call": st.none() | FUNCTION,
        "reasoning_content": st.none() | TEXTS,
        "reasoning": st.none() | TEXTS,
        "annotations": st.none() | st.just([]),
    },
)
DELTAS = DELTA | st.builds(lambda name, text: {name: text}, st.sampled_from(["content", "reasoning_content"]), TEXTS)


def _chunk(delta, index, reason, more, rare):
    """A chunk; what hosts say of themselves is not asked for beside a piece."""
    has_piece = any(value for name, value in delta.items() if name != "role")
    return llm_server.chunk(delta, reason, index=index, **more, **({"service_tier": None} if has_piece else rare))


CHUNKS = st.lists(
    st.builds(
        _chunk,
        DELTAS,
        st.integers(0, 1),
        st.sampled_from([None, None, None, "stop"]),
        st.fixed_dictionaries(
            {},
            optional={
                "id": st.sampled_from(["", "chatcmpl-1"]),
                "usage": st.none(),
                "obfuscation": st.just("xyz"),
            },
        ),
        st.fixed_dictionaries(
            {},
            optional={
                "service_tier": st.none() | st.sampled_from(["", "default"]),
                "time_info": st.just({"queue_time": 0.5}),
                "error": st.just({"code": "overloaded"}),
            },
        ),
    ),
    max_size=8,
)


@settings(deadline=None, database=None, max_examples=150)
@given(CHUNKS)
def test_many_chunks_at_once_are_the_same_as_one_by_one(chunks):
    """The short ways that most of the SDK's chunks take lead where the long way does."""
    models = [construct_type(type_=ChatCompletionChunk, value=chunk) for chunk in chunks]
    quick, slow = ChatFold(), ChatFold()
    quick.extend(models)
    for model in models:
        slow.add(model)
    assert quick.response() == slow.response()
    assert quick.done == slow.done


SEARCH = {"index": 0, "type": "search", "arguments": '{"query": "capital of France"}'}
CODE = {"index": 1, "type": "python", "arguments": '{"code": "1 + 1"}'}
PAGES = {"output": "Title: France ...", "search_results": {"results": [{"title": "France"}]}}
EXECUTED = [
    {"type": "server_tool_call", "name": tool["type"], "arguments": tool["arguments"]} for tool in (SEARCH, CODE)
]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([[SEARCH], [{**SEARCH, **PAGES}], [CODE]], id="begun and done"),
        pytest.param([[CODE], [SEARCH]], id="in any order"),
        pytest.param([[SEARCH, CODE]], id="at once"),
        pytest.param([[{**tool, "index": None} for tool in (SEARCH, CODE)]], id="without an index"),
    ],
)
def test_tools_that_the_provider_has_run_in_pieces(chunks, client, server, spans):
    """Groq's compound systems say which tools they run, and again when they have; what was found is not recorded."""
    deltas = [llm_server.chunk({"executed_tools": tools}) for tools in chunks]
    parts, span = streamed(client, server, spans, [*deltas, llm_server.chunk({"content": "Paris"})])
    assert parts == [{"type": "text", "content": "Paris"}, *EXECUTED]
    assert "Title: France" not in str(dict(span.attributes))


def test_tools_that_the_provider_has_run(client, server, spans):
    """The same for an answer that comes at once, whatever its host leaves out."""
    tools = [{**SEARCH, **PAGES}, CODE, {}, "odd", None]
    server.then(Reply(llm_server.chat({"executed_tools": tools})))
    client.chat.completions.create(**CHAT)
    (message,) = json.loads(spans.one().attributes[semconv.OUTPUT_MESSAGES])
    nameless = {"type": "server_tool_call", "name": "", "arguments": ""}
    assert message["parts"] == [{"type": "text", "content": "Paris"}, *EXECUTED, *[nameless] * 3]


SECONDS = {"queue_time": 0.0625, "prompt_time": 0.25, "completion_time": 1, "total_time": 1.25}


@pytest.mark.parametrize(
    "said",
    [
        {"usage": {**llm_server.USAGE, **SECONDS}},
        {"x_groq": {"id": "req_2", "usage": {**llm_server.USAGE, **SECONDS}}},
        {"usage": llm_server.USAGE, "time_info": SECONDS},
    ],
    ids=["in the usage", "at Groq's place", "beside it"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_seconds_that_the_provider_took(said, stream, client, server, spans):
    """How long a call waited, read and wrote at the provider, where it says so."""
    chunks = [llm_server.chunk({"content": "Paris"}), llm_server.chunk({}, "stop", **said), "[DONE]"]
    server.then(Reply(chunks if stream else llm_server.chat(**{"usage": None, **said})))
    result = client.chat.completions.create(**CHAT, stream=stream)
    if stream:
        list(result)
    seen = spans.one().attributes
    names = (semconv.SERVER_QUEUE_TIME, semconv.SERVER_PROMPT_TIME, semconv.SERVER_COMPLETION_TIME)
    assert [seen[name] for name in names] == [0.0625, 0.25, 1.0]
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (57, 48)


@pytest.mark.parametrize("odd", [None, True, -1, 10**400, "0.5", [0.5], {}])
def test_odd_seconds_are_left_out(odd, client, server, spans):
    """A time that is no number of seconds costs itself."""
    server.then(Reply(llm_server.chat(time_info={**SECONDS, "queue_time": odd})))
    client.chat.completions.create(**CHAT)
    seen = spans.one().attributes
    assert semconv.SERVER_QUEUE_TIME not in seen
    assert seen[semconv.SERVER_PROMPT_TIME] == 0.25


def test_a_failure_at_groqs_place(client, server, spans):
    """A stream that Groq breaks off says why in a field of its own."""
    server.then(Reply([llm_server.chunk({"content": "Pa"}), llm_server.chunk(x_groq={"id": "req_2", "error": "over"})]))
    list(client.chat.completions.create(**CHAT, stream=True))
    span = spans.one()
    assert (span.attributes[semconv.ERROR_TYPE], span.status.description) == ("error", "over")
