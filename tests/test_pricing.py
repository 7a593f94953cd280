"""Prices: against calculations by hand, the prices file, and what must have no cost."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from decimal import Decimal
from importlib.metadata import version

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentops_otel import pricing, semconv
from agentops_otel.pricing import Cost, Terms, cost, span_cost
from agentops_otel.usage import USAGE_ATTRIBUTES, Usage

MILLION = 1_000_000


@pytest.fixture(autouse=True)
def _no_prices_file(monkeypatch):
    monkeypatch.delenv("AGENTOPS_PRICES_FILE", raising=False)
    yield
    pricing._own_prices.cache_clear()


@pytest.fixture
def prices_file(tmp_path, monkeypatch):
    def write(content):
        path = tmp_path / "prices.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        monkeypatch.setenv("AGENTOPS_PRICES_FILE", str(path))
        return path

    return write


@pytest.mark.parametrize(
    ("provider", "model", "usage", "dollars"),
    [
        pytest.param("openai", "gpt-4o", Usage(1000, 100), (1000 * 2.5 + 100 * 10) / MILLION, id="plain"),
        pytest.param(
            "openai",
            "gpt-4o-2024-08-06",
            Usage(1000, 100, cache_read_tokens=400),
            (600 * 2.5 + 400 * 1.25 + 100 * 10) / MILLION,
            id="cached tokens are a part of the input",
        ),
        pytest.param(
            "openai",
            "o3-mini",
            Usage(1000, 500, reasoning_tokens=400),
            (1000 * 1.1 + 500 * 4.4) / MILLION,
            id="reasoning tokens are a part of the output",
        ),
        pytest.param(
            "anthropic",
            "claude-3-5-sonnet-20241022",
            Usage(3000, 100, cache_read_tokens=1000, cache_write_tokens=1500),
            (500 * 3 + 1000 * 0.3 + 1500 * 3.75 + 100 * 15) / MILLION,
            id="cache read and write",
        ),
        pytest.param("openai", "text-embedding-3-small", Usage(5000, 0), 5000 * 0.02 / MILLION, id="embeddings"),
        pytest.param(
            "gcp.gemini",
            "gemini-2.5-pro",
            Usage(200_000, 1000),
            (200_000 * 1.25 + 1000 * 10) / MILLION,
            id="below the tier",
        ),
        pytest.param(
            "gcp.vertex_ai",
            "gemini-2.5-pro",
            Usage(250_000, 1000),
            (250_000 * 2.5 + 1000 * 15) / MILLION,
            id="above the tier all tokens cost more",
        ),
        pytest.param(
            "openai",
            "gpt-4o-realtime-preview",
            Usage(1000, 100, cache_read_tokens=300, input_audio_tokens=600, output_audio_tokens=50),
            (100 * 5 + 600 * 40 + 300 * 2.5 + 50 * 20 + 50 * 80) / MILLION,
            id="audio",
        ),
        pytest.param(
            "openai",
            "gpt-image-1",
            Usage(1000, 100, input_text_tokens=400, input_image_tokens=600),
            (400 * 5 + 600 * 10 + 100 * 40) / MILLION,
            id="pictures",
        ),
        pytest.param(
            "openai",
            "gpt-image-1",
            Usage(1000, 100, cache_read_tokens=500, input_image_tokens=600),
            (400 * 5 - 0 + 500 * 10 + 400 * (1.25 - 5) + 100 * 2.5 + 100 * 40) / MILLION,
            id="cached pictures, as few as the totals allow",
        ),
        pytest.param(
            "gcp.gemini",
            "gemini-2.5-flash-image",
            Usage(1000, 1300, output_image_tokens=1290),
            (1000 * 0.3 + 10 * 2.5 + 1290 * 30) / MILLION,
            id="a picture as output",
        ),
        pytest.param(
            "openai",
            "gpt-4o",
            Usage(1000, 100, input_image_tokens=600),
            (1000 * 2.5 + 100 * 10) / MILLION,
            id="as text",
        ),
        pytest.param(
            "openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", Usage(1000, 0), 1000 * 0.3 / MILLION, id="fine-tuned"
        ),
        pytest.param("azure.ai.openai", "gpt-4o", Usage(1000, 0), 1000 * 2.5 / MILLION, id="azure"),
        pytest.param("groq", "llama-3.3-70b-versatile", Usage(1000, 0), 1000 * 0.59 / MILLION, id="groq"),
        pytest.param("x_ai", "grok-4", Usage(1000, 0), 1000 * 3 / MILLION, id="x_ai"),
        pytest.param("mistral_ai", "mistral-large-latest", Usage(1000, 0), 1000 * 2 / MILLION, id="mistral"),
        pytest.param("cohere", "command-r-plus", Usage(1000, 0), 1000 * 2.5 / MILLION, id="cohere"),
        pytest.param("moonshot_ai", "kimi-k2-0905-preview", Usage(1000, 0), 1000 * 0.6 / MILLION, id="moonshot"),
        pytest.param("aws.bedrock", "amazon.nova-lite-v1:0", Usage(1000, 0), 1000 * 0.06 / MILLION, id="bedrock"),
    ],
)
def test_costs_what_the_price_list_says(provider, model, usage, dollars):
    """Each kind of model costs what a calculation by hand says, to the last digit that matters."""
    priced = cost(provider, model, usage)

    assert priced is not None
    assert priced.amount == pytest.approx(dollars, rel=1e-9)
    assert (priced.source, priced.table) == ("local", version("genai-prices"))


def test_price_depends_on_the_time_of_day():
    """A model with off-peak prices costs what it cost when the call was made."""
    peak = cost("deepseek", "deepseek-chat", Usage(MILLION), Terms(datetime(2026, 1, 1, 12, tzinfo=timezone.utc)))
    night = cost("deepseek", "deepseek-chat", Usage(MILLION), Terms(datetime(2026, 1, 1, 20, tzinfo=timezone.utc)))

    assert peak is not None
    assert night is not None
    assert (peak.amount, night.amount) == pytest.approx((0.27, 0.135))


def test_what_is_billed_is_the_price():
    """A provider that bills less than the model has read and written is paid for what it bills."""
    counted = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
    span = {"gen_ai.provider.name": "cohere", "gen_ai.request.model": "command-a-03-2025", **counted}
    billed = {"agentops.usage.billed.input_tokens": 40, "agentops.usage.billed.output_tokens": 60}
    assert span_cost(span | billed).amount == pytest.approx((40 * 2.5 + 60 * 10) / MILLION, rel=1e-15)
    assert span_cost(span | {"agentops.usage.billed.input_tokens": 40}) == cost(
        "cohere", "command-a-03-2025", Usage(40, 100)
    )
    odd = {"agentops.usage.billed.input_tokens": True, "agentops.usage.billed.output_tokens": -1}
    assert span_cost(span | odd) == span_cost(span)


@pytest.mark.parametrize(
    ("provider", "model", "tier", "dollars"),
    [
        *[("openai", "gpt-4o", tier, 2.5) for tier in ("", "default", "auto", "Standard")],
        ("openai", "gpt-4o", "priority", 4.25),
        ("openai", "gpt-5", "flex", 0.625),
        ("openai", "gpt-4o", "scale", None),  # is paid for beforehand
        ("openai", "gpt-4o", "unheard of", None),
        ("anthropic", "claude-sonnet-4-5", "standard", 6),
        ("anthropic", "claude-sonnet-4-5", "fast", None),
        ("gcp.gemini", "gemini-2.5-flash", "on_demand", 0.3),
        ("gcp.gemini", "gemini-2.5-flash", "traffic_type_unspecified", 0.3),
        ("gcp.gemini", "gemini-2.5-flash", "flex", None),
        ("gcp.vertex_ai", "gemini-2.5-flash", "provisioned_throughput", None),
        ("azure.ai.openai", "gpt-4o", "default", 2.5),
        ("azure.ai.openai", "gpt-4o", "priority", None),  # Azure borrows OpenAI's model, but not its tiers
        ("aws.bedrock", "amazon.nova-lite-v1:0", "flex", None),
        ("groq", "llama-3.3-70b-versatile", "on_demand", 0.59),
        ("groq", "llama-3.3-70b-versatile", "flex", 0.59),  # costs the same there
        ("groq", "llama-3.3-70b-versatile", "performance", None),
    ],
)
def test_price_depends_on_the_service_tier(provider, model, tier, dollars):
    """A tier costs what the table says of it; one that the table does not know has no cost, not the default's."""
    priced = cost(provider, model, Usage(MILLION), Terms(service_tier=tier))

    assert (priced and priced.amount) == (dollars and pytest.approx(dollars))


@pytest.mark.parametrize(
    ("tiers", "dollars"),
    [
        ({semconv.OPENAI_REQUEST_SERVICE_TIER: "flex"}, 0.625),
        ({semconv.OPENAI_REQUEST_SERVICE_TIER: "auto"}, 1.25),
        ({semconv.OPENAI_REQUEST_SERVICE_TIER: "flex", semconv.OPENAI_RESPONSE_SERVICE_TIER: "default"}, 1.25),
        ({semconv.OPENAI_REQUEST_SERVICE_TIER: 1}, 1.25),
        ({semconv.REQUEST_SERVICE_TIER: "scale"}, None),
        ({semconv.REQUEST_SERVICE_TIER: "standard_only"}, 1.25),
    ],
)
def test_the_tier_that_was_asked_for_holds_where_none_is_said(tiers, dollars):
    """An answer that does not say its tier is not taken for one at the list's price."""
    span = {semconv.PROVIDER_NAME: "openai", semconv.RESPONSE_MODEL: "gpt-5", "gen_ai.usage.input_tokens": MILLION}
    priced = span_cost(span | tiers)

    assert (priced and priced.amount) == (dollars and pytest.approx(dollars))


PLACES = [
    ("anthropic", "claude-opus-4-6", "api.anthropic.com", "", 1),
    ("anthropic", "claude-opus-4-6", "api.anthropic.com", "global", 1),
    ("anthropic", "claude-3-5-haiku-latest", "api.anthropic.com", "not_available", 1),
    ("anthropic", "claude-opus-4-6", "api.anthropic.com", "us", 1.1),
    ("anthropic", "claude-opus-4-6", "api.anthropic.com", "the moon", None),
    ("openai", "gpt-5.4", "api.openai.com", "", 1),
    ("openai", "gpt-5.4", "eu.api.openai.com", "", 1.1),
    ("openai", "gpt-5.4-2026-03-05", "US.api.openai.com.", "", 1.1),
    ("openai", "gpt-5.4", "eu.api.openai.com.example.com", "", 1),
    ("openai", "gpt-4o", "eu.api.openai.com", "", 1),
    ("openai", "gpt-5", "eu.api.openai.com", "", 1),
    ("mistral_ai", "mistral-large-latest", "api.mistral.ai", "", 1),
    ("mistral_ai", "mistral-large-latest", "api.eu.mistral.ai", "", 1.1),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "api.together.xyz", "", 1),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "ca-api.together.ai", "", 1.25),
    ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "aiplatform.googleapis.com", "", 1),
    ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "us-east5-aiplatform.googleapis.com", "", 1.1),
    ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "aiplatform.eu.rep.googleapis.com", "", 1.1),
    ("gcp.vertex_ai", "claude-3-5-haiku@20241022", "us-east5-aiplatform.googleapis.com", "", 1),
    ("gcp.vertex_ai", "gemini-2.5-flash", "us-central1-aiplatform.googleapis.com", "", 1),
    ("gcp.vertex_ai", "google/gemini-2.5-flash", "us-central1-aiplatform.googleapis.com", "", 1),
]


@pytest.mark.parametrize(("provider", "model", "host", "geo", "times"), PLACES)
def test_price_depends_on_the_place(provider, model, host, geo, times):
    """Where a provider takes more for calls that stay in a region, tokens cost more, and searches do not."""
    plain = cost(provider, model, Usage(1000, 100)).amount
    priced = cost(provider, model, Usage(1000, 100), Terms(host=host, geo=geo))

    assert (priced and priced.amount) == (times and pytest.approx(plain * times))


def test_a_search_costs_the_same_everywhere():
    """What a region adds is added to tokens alone."""
    terms = Terms(web_searches=3, geo="us")
    plain = cost("anthropic", "claude-sonnet-4-5", Usage(1000, 100)).amount

    assert cost("anthropic", "claude-sonnet-4-5", Usage(1000, 100), terms).amount == pytest.approx(plain * 1.1 + 0.03)


@pytest.mark.parametrize(
    ("provider", "model", "tokens", "models", "is_known"),
    [
        ("anthropic", "claude-opus-4-6", 5000, ("claude-opus-4-6", "claude-opus-4-6"), True),
        ("anthropic", "claude-opus-4-6", 5000, ("claude-opus-4-6", "claude-haiku-4-5"), False),
        ("anthropic", "claude-opus-4-6", 5000, ("no model",), False),
        ("anthropic", "claude-opus-4-6", 5000, ("",), False),
        ("gcp.gemini", "gemini-2.5-pro", 200_000, ("gemini-2.5-pro", "gemini-2.5-pro"), True),
        # Alone each of them may have been short enough for the lower price.
        ("gcp.gemini", "gemini-2.5-pro", 200_001, ("gemini-2.5-pro", "gemini-2.5-pro"), False),
    ],
)
def test_tokens_of_several_requests(provider, model, tokens, models, is_known):
    """An answer that took several requests has a cost when all were the same model's, and short."""
    usage = Usage(tokens, 100)
    priced = cost(provider, model, usage, Terms(iterations=models))

    assert priced == (cost(provider, model, usage) if is_known else None)


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("openai", "gpt-4o-audio-preview", Usage(1000, 500, input_audio_tokens=800)),
        ("openai", "gpt-4o-audio-preview", Usage(1000, 500, output_audio_tokens=400)),
        ("azure.ai.openai", "gpt-4o-audio-preview", Usage(1000, 500, output_audio_tokens=400)),
        ("cohere", "embed-v4.0", Usage(3010, 0, input_image_tokens=3000)),
    ],
)
def test_sound_and_pictures_do_not_cost_what_text_costs(provider, model, usage):
    """Where the table has no price for what is never priced as text, the call has no cost."""
    assert cost(provider, model, usage) is None
    assert cost(provider, model, Usage(usage.input_tokens, usage.output_tokens)) is not None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        pytest.param("openai", "gpt-9-ultra", id="unknown model"),
        pytest.param("openai", "my-gpt-4o", id="similar name"),
        pytest.param("openai", "llama3.2", id="a local model behind an OpenAI-compatible server"),
        pytest.param("openai", "", id="no name"),
        pytest.param("azure.ai.openai", "prod-chat", id="azure deployment"),
        pytest.param("ibm.watsonx.ai", "gpt-4o", id="provider without prices"),
        pytest.param("my-openai-proxy", "gpt-4o", id="provider with a similar name"),
        pytest.param("openai", "whisper-1", id="priced by the hour"),
        pytest.param("openai", "gpt-oss-120b", id="open weights, which OpenAI does not serve"),
    ],
)
def test_unknown_has_no_cost(provider, model):
    """What the table does not know has no cost: not 0, and not another model's."""
    assert cost(provider, model, Usage(1000, 100)) is None


@pytest.mark.parametrize("usage", [Usage(100, 0, cache_read_tokens=200), Usage(100, 10, reasoning_tokens=20)])
def test_impossible_usage_has_no_cost(usage):
    """Classes larger than their total cannot be priced."""
    assert cost("openai", "gpt-4o", usage) is None


@pytest.mark.parametrize("tokens", [1000, 200_000, 200_001, 272_001, 5_000_000])
def test_quick_way_equals_the_table(tokens):
    """For every model of the table, the short calculation gives what the table's own calculation gives."""
    at = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
    usage = Usage(tokens, 100, 400, 200, 50)
    compared = 0
    for provider in pricing._snapshot().providers:
        for model in provider.models:
            found = pricing._find(provider.id, model.id)
            prices = pricing._prices_in(provider.id, model.id, int(at.timestamp() // 60), None)
            if found and prices.for_tokens and tokens <= prices.flat_until and not any(prices.special(usage)):
                compared += 1
                table = pricing._calculated(*found, usage, at, None)
                assert prices.flat.amount(usage) == pytest.approx(table, rel=1e-9), model.id

    assert compared > 500


@pytest.mark.parametrize("tokens", [1000, 250_000])
@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("anthropic", "claude-sonnet-4-5", 0.03),
        ("openai", "gpt-5", 0.03),
        ("openai", "o3", 0.03),
        # Without reasoning it depends on the tool, which nobody says.
        ("openai", "gpt-4o", None),
        ("openai", "gpt-4.1-mini-2025-04-14", None),
        ("azure.ai.openai", "gpt-4o", None),
        ("x_ai", "grok-4", None),
    ],
)
def test_searches_have_a_price_of_their_own(provider, model, dollars, tokens):
    """Three searches cost what the list says; where it says nothing, the call has no cost instead of half of one."""
    attributes = {semconv.PROVIDER_NAME: provider, semconv.RESPONSE_MODEL: model, semconv.OPERATION_NAME: "chat"}
    attributes |= {semconv.USAGE_INPUT_TOKENS: tokens, semconv.USAGE_OUTPUT_TOKENS: 100}
    plain = span_cost(attributes).amount
    found = span_cost({**attributes, semconv.USAGE_WEB_SEARCHES: 3})
    if dollars is None:
        assert found is None
    else:
        assert found.amount == pytest.approx(plain + dollars)
        assert span_cost({**attributes, semconv.USAGE_WEB_SEARCHES: 0}).amount == plain


def _models():
    return [(provider.id, model.id) for provider in pricing._snapshot().providers for model in provider.models]


def test_prices_that_change_are_asked_for_each_minute():
    """Of a model whose prices depend on the time, they are those of the call; of any other they are looked up once."""
    changing = [names for names in _models() if pricing._find(*names) and not pricing._is_constant(*names)]
    assert changing
    compared = 0
    for names in changing:
        model, owner = pricing._find(*names)
        for at in (datetime(2024, 6, 1, 4, tzinfo=timezone.utc), datetime(2026, 6, 1, 20, 59, tzinfo=timezone.utc)):
            found = cost(*names, Usage(1000, 100), Terms(at))
            if found is not None:
                table = pricing._calculated(model, owner, Usage(1000, 100), at, None)
                assert found.amount == pytest.approx(table, rel=1e-9)
                compared += 1
    assert compared > 10


def _looked_up(provider, model, usage, tier):
    """The price by the table as it is at this moment, without any cache; None where the table calculates it."""
    found = pricing._find(provider, model)
    if found is None or pricing._ALWAYS_SEARCHING.search(model):
        return None
    own = any(found[0] is each for each in found[1].models)
    context = {"service_tier": tier} if tier and tier != "default" else None
    known = [variant for variant in found[0].price_variants or () if variant.when == context]
    if context and not (own and known):
        return None
    listed = vars(found[0].get_prices(datetime.now(timezone.utc), context))
    prices = {name: price for name, price in listed.items() if price is not None}
    flat = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"} & prices.keys()
    if "requests_kcount" in prices or not all(isinstance(prices[name], Decimal) for name in flat):
        return None
    pictures = any(
        getattr(usage, f"{name}_tokens") and f"{name}_mtok" in prices
        for name in ("input_image", "input_video", "output_image")
    )
    if usage and not prices.keys() & {"input_mtok", "output_mtok"}:
        return None
    if pictures or (usage.reasoning_tokens and any("reasoning" in name for name in prices)):
        return None
    rates = {name: float(prices[name]) for name in flat}
    rate_in = rates.get("input_mtok", 0.0)
    return (
        math.fsum(
            (
                usage.input_tokens * rate_in,
                usage.output_tokens * rates.get("output_mtok", 0.0),
                usage.cache_read_tokens * (rates.get("cache_read_mtok", rate_in) - rate_in),
                usage.cache_write_tokens * (rates.get("cache_write_mtok", rate_in) - rate_in),
            )
        )
        / MILLION
    )


TOKENS = st.integers(0, 10**7)
USAGES = st.builds(
    lambda read, written, fresh, thought, said, pictures: Usage(
        read + written + fresh, thought + said, read, written, thought, output_image_tokens=pictures
    ),
    *[TOKENS] * 5,
    st.just(0) | TOKENS,
)


def _same_as_looked_up(provider, model, usage, tier):
    """Whether there is a price; what is remembered of it is then the same, and is so a second time."""
    expected = _looked_up(provider, model, usage, tier)
    if expected is None:
        return False
    for _ in range(2):
        priced = cost(provider, model, usage, Terms(service_tier=tier))
        assert priced is not None, (provider, model)
        assert priced.amount == max(0.0, expected)
    return True


def test_each_model_has_the_price_of_the_table():
    """What is remembered gives the very number that a look into the table gives, for most of its models."""
    found = [_same_as_looked_up(*names, Usage(1200, 100, 200), "") for names in _models()]
    assert sum(found) > len(found) / 2


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 5000), USAGES, st.sampled_from(["", "default", "flex", "priority", "batch"]))
def test_a_remembered_price_is_the_price_to_the_last_digit(number, usage, tier):
    """The same for any usage and tier."""
    models = _models()
    assume(_same_as_looked_up(*models[number % len(models)], usage, tier))


def test_span_cost_prefers_the_providers_word():
    """A cost that came with the response wins over the table."""
    attributes = {
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cost.amount": 0.5,
        "gen_ai.usage.cost.source": "provider",
    }

    assert span_cost(attributes) == Cost(0.5, "provider", None)


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf"), "0.5", True])
def test_span_cost_ignores_an_amount_that_is_none(amount):
    """An amount that cannot be one is computed instead."""
    attributes = {
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o",
        "gen_ai.usage.input_tokens": MILLION,
        "gen_ai.usage.cost.amount": amount,
    }

    priced = span_cost(attributes)

    assert priced is not None
    assert priced.amount == pytest.approx(2.5)


def test_span_cost_takes_the_model_that_answered():
    """The response's model is what was paid for, not the one that was asked for."""
    attributes = {
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "prod-chat",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": MILLION,
    }

    priced = span_cost(attributes)

    assert priced is not None
    assert priced.amount == pytest.approx(2.5)


def test_span_cost_without_usage_is_none():
    """A call without usage has no cost."""
    assert span_cost({"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}) is None


def test_span_cost_reads_older_names():
    """A span of another instrumentation, with `gen_ai.system`, is priced too."""
    attributes = {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": MILLION}

    priced = span_cost(attributes)

    assert priced is not None
    assert priced.amount == pytest.approx(2.5)


class Noted(dict):
    """Attributes that note which of them are read."""

    def __init__(self, **attributes):
        super().__init__(attributes)
        self.read = set()

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)


def test_names_all_that_span_cost_reads():
    """What is counted later is kept by these names only, so a name that is missing would be a price that is wrong."""
    usage = {"gen_ai.usage.input_tokens": 1}
    spans = [
        Noted(**{"gen_ai.usage.cost.amount": 0.5}),
        Noted(**usage),
        Noted(
            **usage,
            **{"gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o", semconv.USAGE_WEB_SEARCHES: 1},
        ),
    ]
    for span in spans:
        span_cost(span)
    assert set().union(*(span.read for span in spans)) | USAGE_ATTRIBUTES == pricing.PRICED_BY


def test_attributes_survive_the_way_back():
    """What is written on a span is what is read from it."""
    priced = Cost(0.0043, "local", "0.1.2")
    written = pricing.attributes(priced)

    assert written == {
        "gen_ai.usage.cost.amount": 0.0043,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "agentops.price_table": "0.1.2",
    }
    assert span_cost(written) == priced


def test_prices_file_knows_a_model_by_either_name(prices_file):
    """The name that was asked for, as that of a deployment, is in the file; the answer says the model behind it."""
    span = {"gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "prod-chat"}
    span |= {"gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": MILLION}
    prices_file({"azure.ai.openai/prod-chat": {"input": 2}, "gpt-4o-2024-08-06": {"input": 1}})
    assert span_cost(span) == Cost(2.0, "local", "override:prices.json")

    pricing._own_prices.cache_clear()
    prices_file({"prod-chat": {"input": 3}, "azure.ai.openai/gpt-4o-2024-08-06": {"input": 1}})
    assert span_cost(span) == Cost(1.0, "local", "override:prices.json")

    pricing._own_prices.cache_clear()
    prices_file({"prod-chat": {"input": 3}})
    assert span_cost(span) == Cost(3.0, "local", "override:prices.json")
    assert span_cost(span | {"gen_ai.request.model": ["prod-chat"]}).table == version("genai-prices")


def test_prices_file_wins(prices_file):
    """A price in the user's file wins over the table, for one provider or for all."""
    prices_file(
        {"azure.ai.openai/prod-chat": {"input": 2, "output": 8, "cache_read": 1}, "gpt-4o": {"input": 1, "output": 1}}
    )

    own = cost("azure.ai.openai", "prod-chat", Usage(MILLION, MILLION, cache_read_tokens=MILLION // 2))

    assert own == Cost(0.5 * 2 + 0.5 * 1 + 8, "local", "override:prices.json")
    assert cost("openai", "gpt-4o", Usage(MILLION, MILLION)) == Cost(2.0, "local", "override:prices.json")
    assert cost("openai", "prod-chat", Usage(1)) is None


def test_prices_file_may_say_free(prices_file):
    """A price of 0 that somebody wrote down is a cost of 0."""
    prices_file({"my-local-model": {"input": 0, "output": 0}})

    assert cost("openai", "my-local-model", Usage(10, 10)) == Cost(0.0, "local", "override:prices.json")


def test_prices_file_without_output_price(prices_file):
    """Output without a price is unknown, not free."""
    prices_file({"embedder": {"input": 1}})

    assert cost("openai", "embedder", Usage(MILLION)) == Cost(1.0, "local", "override:prices.json")
    assert cost("openai", "embedder", Usage(MILLION, 1)) is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("{", "Expecting property name", id="no JSON"),
        pytest.param("[]", "it is not a JSON object", id="a list"),
        pytest.param({"m": {"output": 1}}, """'m' is not an object with at least "input\"""", id="no input"),
        pytest.param({"m": {"input": 1, "cached": 1}}, "'m' has 'cached'; expected input, output", id="unknown class"),
        pytest.param({"m": {"input": -1}}, "'input' of 'm' is not a number of at least 0", id="negative"),
        pytest.param({"m": {"input": "1"}}, "'input' of 'm' is not a number of at least 0", id="text"),
    ],
)
def test_wrong_prices_file_is_one_warning(prices_file, caplog, content, complaint):
    """A wrong file is named, with what is wrong in it, once, and the table is used."""
    path = prices_file(content)

    with caplog.at_level(logging.WARNING, "agentops_otel"):
        priced = [cost("openai", "gpt-4o", Usage(MILLION)) for _ in range(3)]

    assert [each and each.amount for each in priced] == pytest.approx([2.5] * 3)
    assert len(caplog.messages) == 1
    assert str(path) in caplog.messages[0]
    assert complaint in caplog.messages[0]


def test_missing_prices_file_is_one_warning(monkeypatch, tmp_path, caplog):
    """A file that is not there is a warning, not an error."""
    monkeypatch.setenv("AGENTOPS_PRICES_FILE", str(tmp_path / "nowhere.json"))

    assert cost("openai", "gpt-4o", Usage(1)) is not None
    assert cost("openai", "gpt-4o", Usage(1)) is not None
    assert ["nowhere.json" in message for message in caplog.messages] == [True]


def test_threads_see_the_same_price():
    """Many threads that ask for the first price at once all get it."""
    pricing._snapshot.cache_clear()
    pricing._find.cache_clear()
    pricing._prices_in.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        priced = set(pool.map(lambda _: cost("openai", "gpt-4o", Usage(MILLION)), range(64)))

    assert {each and each.amount for each in priced} == {2.5}


def test_loading_the_table_does_not_load_its_updater():
    """openai 2 looks for httpx2 in `sys.modules` while it reads a response; half imported by us it would break that."""
    program = """
import sys
from agentops_otel import pricing
from agentops_otel.usage import USAGE_ATTRIBUTES, Usage
assert pricing.cost("openai", "gpt-4o", Usage(1)) is not None
assert "httpx2" not in sys.modules
from genai_prices import UpdatePrices
import genai_prices.update_prices
assert UpdatePrices is genai_prices.update_prices.UpdatePrices is genai_prices.UpdatePrices
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_import_does_not_load_the_table():
    """Importing the module loads no price table; the first cost does, without opening a socket."""
    program = """
import socket, sys
def forbidden(*args, **kwargs):
    raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = forbidden
from agentops_otel import pricing
assert "genai_prices" not in sys.modules and "pydantic" not in sys.modules
from agentops_otel.usage import USAGE_ATTRIBUTES, Usage
assert pricing.cost("openai", "gpt-4o", Usage(1)) is not None
assert "genai_prices" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_rates_are_those_of_the_table():
    """Tokens at the rates cost what the price of a call says; an unknown model has none."""
    rates = pricing.rates("anthropic", "claude-sonnet-4-5")
    usage = Usage(3000, 1000, cache_read_tokens=1000, cache_write_tokens=1000)
    assert cost("anthropic", "claude-sonnet-4-5", usage).amount == pytest.approx(sum(rates.values()) / 1000)
    assert pricing.rates("anthropic", "no-such-model") is None


def test_the_rates_are_those_of_the_prices_file(prices_file):
    """A class without a price of its own costs what its direction costs."""
    prices_file({"own": {"input": 2, "output": 8}})
    assert pricing.rates("any", "own") == pytest.approx({"input": 2, "cache_read": 2, "cache_write": 2, "output": 8})


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("perplexity", "sonar"),  # the table has the price of a request with the largest search
        ("openai", "gpt-4o-search-preview"),
        ("openai", "gpt-4o-mini-search-preview-2025-03-11"),  # the table takes it for gpt-4o-mini
        ("openai", "gpt-5-search-api"),
        ("azure.ai.openai", "gpt-4o-search-preview"),
    ],
)
def test_a_model_that_always_searches_has_no_price_of_its_own(provider, model, prices_file):
    """How much it searches is a part of the price, and is not said; a prices file may say one."""
    assert cost(provider, model, Usage(1000, 100)) is None
    assert pricing.rates(provider, model) is None
    free = cost(provider, model, Usage())
    assert free is None or free.amount == 0  # (Azure has no price for it)
    prices_file({model: {"input": 1, "output": 1}})
    assert cost(provider, model, Usage(MILLION)).amount == 1


def test_the_price_of_an_inference_profile_is_in_the_request():
    """Bedrock's answer names a model without the profile in front of it, which has a price of its own."""
    usage = {"gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 0}
    answered = {"gen_ai.provider.name": "aws.bedrock", "gen_ai.response.model": "claude-sonnet-4-5-20250929"}
    names = ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "mine")
    costs = [span_cost({**usage, **answered, "gen_ai.request.model": name}).amount for name in names]
    assert costs == [pytest.approx(3), pytest.approx(3.3), pytest.approx(3.3)]


ARNS = {
    ":foundation-model/anthropic.claude-3-haiku-20240307-v1:0": 0.25,
    "123456789012:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0": 0.25,
    "123456789012:custom-model/anthropic.claude-3-haiku-20240307-v1:0/abcdef": None,
    "123456789012:custom-model/anthropic.claude-3-haiku-20240307-v1:0:200k/abcdef": None,
    "123456789012:provisioned-model/abc123def456": None,
    "123456789012:imported-model/abc123def456": None,
    "123456789012:custom-model-deployment/abc123def456": None,
    "123456789012:application-inference-profile/abc123def456": None,
}


@pytest.mark.parametrize("name", ARNS)
@pytest.mark.parametrize("answered", ["claude-3-haiku-20240307", None])
def test_an_arn_that_does_not_say_the_model_has_no_price(name, answered, prices_file):
    """What is bought or trained on Bedrock does not cost what its base model does, whatever the answer says."""
    arn = f"arn:aws:bedrock:us-east-1:{name}"
    span = {"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": arn, "gen_ai.usage.input_tokens": MILLION}
    if answered:
        span["gen_ai.response.model"] = answered
    priced, dollars = span_cost(span), ARNS[name]
    assert (priced and priced.amount) == (dollars and pytest.approx(dollars))
    prices_file({arn: {"input": 7}})
    assert span_cost(span).amount == 7
