"""Tokens and costs, wherever and however a host says them, over the real client."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation.readers.usage import count, write_usage
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
PLAIN = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}


def chunks(*later, usage=None):
    return [llm_server.chunk({"content": "Paris"}), llm_server.chunk({}, "stop", usage=usage), *later, "[DONE]"]


def in_choice(said):
    last = llm_server.chunk({}, "stop")
    last["choices"][0]["usage"] = said
    return last


def tokens(span):
    names = (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS)
    return tuple(span.attributes.get(name) for name in names)


def ask(client, server, reply, mode):
    """One call whose answer is `reply`, a list of events or a document; read in one of the ways that there are."""
    stream = isinstance(reply, list)
    server.then(Reply(reply))
    target = client.chat.completions
    if mode == "raw":
        answer = target.with_raw_response.create(**CHAT, stream=stream).parse()
    elif mode == "streaming-raw":
        with target.with_streaming_response.create(**CHAT, stream=stream) as raw:
            raw.read()
        return
    else:
        answer = target.create(**CHAT, stream=stream)
    if stream:
        list(answer)


@pytest.mark.parametrize("mode", ["plain", "raw", "streaming-raw"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(llm_server.chat(usage=PLAIN), id="top"),
        pytest.param(llm_server.chat(usage=None, x_groq={"id": "r", "usage": PLAIN}), id="x_groq"),
        pytest.param(llm_server.chat(usage=None, choices=[{**llm_server.choice(), "usage": PLAIN}]), id="choice"),
        pytest.param(llm_server.chat(usage={}, x_groq={"usage": PLAIN}), id="beside an empty one"),
        pytest.param(
            llm_server.chat(usage={"prompt_tokens": 0, "completion_tokens": 0}, x_groq={"usage": PLAIN}),
            id="beside one of zeros",
        ),
        pytest.param(llm_server.chat(usage=PLAIN, x_groq={"usage": PLAIN}), id="twice"),
        pytest.param(llm_server.chat(usage={"input_tokens": 100, "output_tokens": 7}), id="other names"),
        pytest.param(
            llm_server.chat(usage={"prompt_tokens": None, "input_tokens": 100, "completion_tokens": 7}), id="a null"
        ),
        pytest.param(chunks(usage=PLAIN), id="stream: top"),
        pytest.param(chunks(llm_server.chunk(usage=PLAIN)), id="stream: chunk without choices"),
        pytest.param(chunks(llm_server.chunk(x_groq={"usage": PLAIN})), id="stream: x_groq"),
        pytest.param(chunks(in_choice(PLAIN)), id="stream: choice"),
        pytest.param(
            [llm_server.chunk({"content": "x"}, usage={**PLAIN, "completion_tokens": 3}), *chunks(usage=PLAIN)],
            id="stream: every chunk has it",
        ),
        pytest.param(chunks(llm_server.chunk(usage={}), usage=PLAIN), id="stream: an empty one later"),
        pytest.param(chunks(llm_server.chunk(usage=dict.fromkeys(PLAIN, 0)), usage=PLAIN), id="stream: zeros later"),
        pytest.param(
            chunks(llm_server.chunk(usage={**PLAIN, "completion_tokens": 0}), usage=PLAIN), id="stream: one zero later"
        ),
        pytest.param(
            chunks(llm_server.chunk(x_groq={"usage": dict.fromkeys(PLAIN, 0)}), usage=PLAIN),
            id="stream: zeros elsewhere later",
        ),
    ],
)
def test_usage_is_found_wherever_it_stands(answer, mode, client, server, spans):
    """At the top, at Groq's place, in a choice, in any chunk: what is empty or 0 wins over nothing."""
    ask(client, server, answer, mode)
    assert tokens(spans.one()) == (100, 7)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("said", "read", "written"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8}}, 64, 8),
        ({"input_tokens_details": {"cached_tokens": 64}}, 64, None),
        ({"cached_tokens": 64}, 64, None),
        ({"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}, 64, None),
        ({"cache_read_input_tokens": 64, "cache_creation_input_tokens": 8}, 64, 8),
        ({"prompt_tokens_details": {"cache_creation_tokens": 8}}, None, 8),
        (
            {
                "prompt_tokens_details": {"cached_tokens": 64, "cache_creation_tokens": 8},
                "cached_tokens": 64,
                "cache_read_input_tokens": 64,
                "cache_creation_input_tokens": 8,
                "prompt_cache_hit_tokens": 64,
            },
            64,
            8,
        ),
        ({"prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 64}, 64, None),
        ({"prompt_tokens_details": "none", "cached_tokens": 64}, 64, None),
    ],
)
def test_the_cache_has_many_names(said, read, written, stream, client, server, spans):
    """Cached tokens are known under every name that hosts have for them, and counted once."""
    usage = {**PLAIN, **said}
    ask(client, server, chunks(usage=usage) if stream else llm_server.chat(usage=usage), "plain")
    span = spans.one()
    assert tokens(span) == (100, 7)
    assert span.attributes.get(semconv.USAGE_CACHE_READ_TOKENS) == read
    assert span.attributes.get(semconv.USAGE_CACHE_WRITE_TOKENS) == written


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            {"completion_tokens_details": {"reasoning_tokens": 50}, "total_tokens": 157},
            (100, 57),
            id="reasoning beside",
        ),
        pytest.param({"reasoning_tokens": 50, "total_tokens": 157}, (100, 57), id="reasoning beside, at the top"),
        pytest.param(
            {"completion_tokens": 57, "completion_tokens_details": {"reasoning_tokens": 50}, "total_tokens": 157},
            (100, 57),
            id="reasoning inside",
        ),
        pytest.param(
            {"completion_tokens": 57, "completion_tokens_details": {"reasoning_tokens": 50}, "total_tokens": None},
            (100, 57),
            id="no total",
        ),
        pytest.param({"total_tokens": 200}, (100, 100), id="only the total knows of more output"),
        pytest.param({"completion_tokens": None, "total_tokens": 130}, (100, 30), id="no output"),
        pytest.param({"prompt_tokens": None, "total_tokens": 130}, (123, 7), id="no input"),
        pytest.param({"prompt_tokens": 0, "total_tokens": 130}, (123, 7), id="an input of 0"),
        pytest.param({"total_tokens": 50}, (100, 7), id="a total that is too small"),
        pytest.param(
            {"cache_read_input_tokens": 400, "cache_creation_input_tokens": 20, "total_tokens": 527},
            (520, 7),
            id="cache beside",
        ),
        pytest.param({"cached_tokens": 64, "total_tokens": 107}, (100, 7), id="cache inside"),
        pytest.param(
            {"cache_read_input_tokens": 400, "cache_creation_input_tokens": 20, "total_tokens": None},
            (520, 7),
            id="more cache than input",
        ),
        pytest.param(
            {"cache_read_input_tokens": 400}, (500, 7), id="more cache than input, which the total leaves out"
        ),
        pytest.param(
            {"cache_read_input_tokens": 60, "cache_creation_input_tokens": 50},
            (210, 7),
            id="more cache than input in all",
        ),
        pytest.param({"reasoning_tokens": 50, "total_tokens": None}, (100, 57), id="more reasoning than output"),
        pytest.param({"cached_tokens": 100, "reasoning_tokens": 7}, (100, 7), id="all of both"),
    ],
)
def test_the_total_decides_the_arithmetic(said, expected, client, server, spans):
    """What only the total counts is added to output, or to input where it is the cache; never twice."""
    ask(client, server, llm_server.chat(usage={**PLAIN, **said}), "plain")
    assert tokens(spans.one()) == expected


@pytest.mark.parametrize("mode", ["plain", "raw"])
@pytest.mark.parametrize(
    ("value", "count"),
    [
        (100, 100),
        (100.0, 100),
        ("100", 100),
        (" 100 ", 100),
        ("100.0", 100),
        (100.4, None),
        ("100.4", None),
        ("many", None),
        ("", None),
        (-100, None),
        (-100.0, None),
        ("-100", None),
        (None, None),
        ([100], None),
        ({"value": 100}, None),
        (2**70, None),
        ("9" * 30, None),
        (float("1e300"), None),
        ("१००", None),
    ],
)
def test_what_is_a_count(value, count, mode, client, server, spans):
    """Whole numbers of at least 0 are counts, in every spelling; anything else leaves its attribute out."""
    usage = {"prompt_tokens": value, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": value}}
    ask(client, server, llm_server.chat(usage=usage), mode)
    span = spans.one()
    assert tokens(span) == (count, 7)
    assert span.attributes.get(semconv.USAGE_CACHE_READ_TOKENS) == count


def test_true_is_no_count():
    """`true` is no 1. (The SDK's own models make one of it, before anything is read.)"""
    assert count(True) is None


@pytest.mark.parametrize("usage", [{"prompt_tokens": 100, "completion_tokens": "?"}, {"completion_tokens": 7}])
def test_half_a_usage_has_no_price(usage, client, server, spans):
    """A call whose input or output is not known is not priced by the other one."""
    ask(client, server, llm_server.chat(usage=usage), "plain")
    assert pricing.span_cost(spans.one().attributes) is None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_usage_of_zeros_is_none(stream, client, server, spans):
    """A placeholder, all zeros, is no usage."""
    usage = dict.fromkeys(PLAIN, 0)
    ask(client, server, chunks(usage=usage) if stream else llm_server.chat(usage=usage), "plain")
    assert not [name for name in spans.one().attributes if name.startswith("gen_ai.usage")]


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": 8, "total_tokens": 8}, {"prompt_tokens": 8, "completion_tokens": 0}, {"total_tokens": 8}],
)
def test_embeddings_have_no_output(usage, client, server, spans):
    """Embeddings say how much they have read, and no output, not even 0; they have a price."""
    server.then(Reply({**llm_server.embeddings(), "usage": usage}))
    client.embeddings.create(model="text-embedding-3-small", input="Paris")
    span = spans.one()
    assert tokens(span) == (8, None)
    assert pricing.span_cost(span.attributes).amount == pytest.approx(8 * 0.02 / 1e6)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("said", "dollars"),
    [
        ({"cost": 0.0125}, 0.0125),
        ({"cost": 0}, 0.0),
        ({"cost": "0.0125"}, 0.0125),
        ({"cost": {"input_tokens_cost": 0.005, "output_tokens_cost": 0.0075, "total_cost": 0.0125}}, 0.0125),
        ({"cost_in_usd_ticks": 250_000_000}, 0.025),
        ({"cost_in_usd_ticks": "250000000"}, 0.025),
        ({"cost": 0.5, "cost_in_usd_ticks": 1}, 0.5),
        ({"cost": "much", "cost_in_usd_ticks": 0}, 0),
        ({"cost_in_usd_ticks": -1}, None),
        ({"cost_in_usd_ticks": 0.5}, None),
        ({"cost": {"total": "0.0125", "currency": "usd"}}, 0.0125),
        ({"cost": {"total": 0.0125, "currency": "EUR"}}, None),
        ({"estimated_cost": 0.0125}, 0.0125),
        ({"cost": {"request_cost": 0.1}}, None),
        # With a key of the caller's own, the host of the model is paid apart; without one, this says what is in `cost`.
        ({"cost": 0.0005, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.012}}, 0.0125),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0125}}, 0.0125),
        ({"cost": 0.0125, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0125}}, 0.0125),
        ({"cost": 0.0125, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, 0.0125),
        ({"cost": 0.0125, "is_byok": True, "cost_details": "none"}, 0.0125),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "free"}, None),
        ({"cost": ["0.0125"]}, None),
        ({"cost": 10**400}, None),
        ({"cost": "nan"}, None),
    ],
)
def test_cost_that_the_provider_states(said, dollars, stream, client, server, spans):
    """A host that says what a call has cost is believed, as a number or an object with a total; else not."""
    usage = {**PLAIN, **said}
    ask(client, server, chunks(usage=usage) if stream else llm_server.chat(usage=usage), "plain")
    seen = spans.one().attributes
    assert seen.get(semconv.COST_AMOUNT) == dollars
    if dollars is not None:
        assert (seen[semconv.COST_SOURCE], seen[semconv.COST_CURRENCY]) == ("provider", "USD")


def test_the_price_is_that_of_the_tier_that_served(client, server, spans):
    """A stream whose end names another service tier than its beginning costs what that tier costs."""
    model = "gpt-5-2025-08-07"
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    first = llm_server.chunk({"content": "Paris"}, model=model, service_tier="auto")
    last = llm_server.chunk({}, "stop", model=model, service_tier="flex", usage=usage)
    server.then(Reply([first, last, llm_server.chunk(model=model, service_tier=None), "[DONE]"]))
    list(client.chat.completions.create(**CHAT, stream=True))
    seen = spans.one().attributes
    assert seen[semconv.OPENAI_RESPONSE_SERVICE_TIER] == "flex"
    price = pricing.span_cost(seen).amount
    assert price == pytest.approx(pricing.span_cost({**seen, semconv.OPENAI_RESPONSE_SERVICE_TIER: "auto"}).amount / 2)


def test_tokens_by_modality(client, server, spans):
    """Text, pictures, sound and video have counts of their own, inside the totals."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 70,
        "prompt_tokens_details": {"text_tokens": 10, "image_tokens": 20, "audio_tokens": 30, "video_tokens": 40},
        "completion_tokens_details": {"text_tokens": 10, "image_tokens": 20, "audio_tokens": 40},
    }
    ask(client, server, llm_server.chat(usage=usage), "plain")
    seen = spans.one().attributes
    assert {name: value for name, value in seen.items() if name.startswith("gen_ai.usage")} == {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 70,
        "gen_ai.usage.text.input_tokens": 10,
        "gen_ai.usage.image.input_tokens": 20,
        "gen_ai.usage.audio.input_tokens": 30,
        "gen_ai.usage.video.input_tokens": 40,
        "gen_ai.usage.text.output_tokens": 10,
        "gen_ai.usage.image.output_tokens": 20,
        "gen_ai.usage.audio.output_tokens": 40,
    }


@pytest.mark.parametrize("cut", [1, 2])
def test_a_stream_that_was_left_has_the_counts_that_came(cut, client, server, spans):
    """A placeholder before the end is no count; running counts are the last that came."""
    running = [
        llm_server.chunk({"content": "Pa"}, usage=dict.fromkeys(PLAIN, 0)),
        llm_server.chunk({"content": "ris"}, usage={**PLAIN, "completion_tokens": 2, "total_tokens": 102}),
    ]
    server.then(Reply([*running, *chunks(usage=PLAIN)]))
    stream = client.chat.completions.create(**CHAT, stream=True)
    for _ in range(cut):
        next(stream)
    stream.close()
    assert tokens(spans.one()) == ((None, None) if cut == 1 else (100, 2))


TOKENS = st.one_of(st.integers(0, 40), st.none(), st.sampled_from([-1, True, 2.0, "7", 2**63, {}]))


def details(*names):
    return st.one_of(st.none(), st.dictionaries(st.sampled_from(names), TOKENS))


@st.composite
def usages(draw):
    """Usages of the shape that OpenAI sends, most of which add up."""
    made, given = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    said = {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": draw(
            details("cached_tokens", "audio_tokens", "text_tokens", "image_tokens", "cache_write_tokens")
        ),
        "completion_tokens_details": draw(
            details("reasoning_tokens", "audio_tokens", "text_tokens", "accepted_prediction_tokens", "thinking_tokens")
        ),
    }
    odd = draw(st.dictionaries(st.sampled_from([*said]), TOKENS, max_size=1))
    missing = draw(st.sets(st.sampled_from([*said]), max_size=1))
    return {name: value for name, value in {**said, **odd}.items() if name not in missing}


@given(usages())
def test_the_usual_usage_is_read_as_any_other(said):
    """It is read by its type; one with a field that only one host has is not."""
    usual, other = {}, {}
    write_usage(said, usual)
    write_usage({**said, "of_this_host": 1}, other)
    event("has tokens" if usual else "has none")
    assert [*usual.items()] == [*other.items()]
