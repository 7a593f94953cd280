"""The tokens and the cost of Gemini's answers, checked against the extractor of the price table."""

from __future__ import annotations

from decimal import Decimal

import pytest
from genai_prices import extract_usage

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation.readers import generate
from agentops_otel.usage import Usage
from tests.sdks import answers_google as google


def modalities(**tokens):
    return [{"modality": name.upper(), "tokenCount": count} for name, count in tokens.items()]


# name -> model, what the answer says, the tokens by class, US dollars
ANSWERS = {
    "plain": (
        "gemini-2.5-flash",
        {
            "promptTokenCount": 12,
            "candidatesTokenCount": 34,
            "totalTokenCount": 46,
            "promptTokensDetails": modalities(text=12),
            "candidatesTokensDetails": modalities(text=34),
        },
        Usage(12, 34, input_text_tokens=12, output_text_tokens=34),
        "0.0000886",
    ),
    "cached, with thoughts": (
        "gemini-2.5-pro",
        {
            "promptTokenCount": 1200,
            "candidatesTokenCount": 340,
            "thoughtsTokenCount": 660,
            "cachedContentTokenCount": 1024,
            "totalTokenCount": 2200,
        },
        Usage(1200, 1000, cache_read_tokens=1024, reasoning_tokens=660),
        "0.010348",
    ),
    "a tool at the provider": (
        "gemini-2.5-flash",
        {
            "promptTokenCount": 120,
            "candidatesTokenCount": 40,
            "toolUsePromptTokenCount": 800,
            "thoughtsTokenCount": 60,
            "totalTokenCount": 1020,
            "promptTokensDetails": modalities(text=120),
            "toolUsePromptTokensDetails": modalities(text=800),
        },
        Usage(920, 100, reasoning_tokens=60, input_text_tokens=920),
        "0.000526",
    ),
    "sound": (
        "gemini-2.5-flash",
        {
            "promptTokenCount": 1050,
            "candidatesTokenCount": 25,
            "totalTokenCount": 1075,
            "promptTokensDetails": modalities(text=50, audio=1000),
        },
        Usage(1050, 25, input_text_tokens=50, input_audio_tokens=1000),
        "0.0010775",
    ),
    "sound, a part of it cached": (
        "gemini-2.5-flash",
        {
            "promptTokenCount": 2000,
            "cachedContentTokenCount": 1000,
            "candidatesTokenCount": 25,
            "totalTokenCount": 2025,
            "promptTokensDetails": modalities(text=1500, audio=500),
            "cacheTokensDetails": modalities(text=600, audio=400),
        },
        Usage(
            2000,
            25,
            cache_read_tokens=1000,
            cache_read_audio_tokens=400,
            input_text_tokens=1500,
            input_audio_tokens=500,
        ),
        "0.0004905",
    ),
    "a picture that was made": (
        "gemini-2.5-flash-image",
        {
            "promptTokenCount": 300,
            "candidatesTokenCount": 1300,
            "totalTokenCount": 1600,
            "promptTokensDetails": modalities(text=42, image=200, document=58),
            "candidatesTokensDetails": modalities(image=1290),
        },
        Usage(300, 1300, input_text_tokens=42, input_image_tokens=258, output_image_tokens=1290),
        "0.038815",
    ),
    "a long prompt": (
        "gemini-2.5-pro",
        {"promptTokenCount": 250_000, "candidatesTokenCount": 1000, "totalTokenCount": 251_000},
        Usage(250_000, 1000),
        "0.64",
    ),
    "only thoughts": (
        "gemini-2.5-flash",
        {"promptTokenCount": 8, "thoughtsTokenCount": 97, "totalTokenCount": 105},
        Usage(8, 97, reasoning_tokens=97),
        "0.0002449",
    ),
}


def attributes_of(usage, model="gemini-2.5-flash"):
    attributes = {semconv.PROVIDER_NAME: "gcp.gemini", semconv.OPERATION_NAME: semconv.OPERATION_GENERATE_CONTENT}
    generate.response(google.generated(usageMetadata=usage, modelVersion=model), attributes)
    return attributes


@pytest.mark.parametrize("name", ANSWERS)
def test_tokens_and_cost(name):
    """Each class of tokens, and their price to the last digit, which the price table's own extractor finds as well."""
    model, usage, expected, dollars = ANSWERS[name]
    attributes = attributes_of(usage, model)
    found = Usage.from_attributes(attributes)
    assert found == expected
    assert not found.missing
    cost = pricing.span_cost(attributes)
    assert Decimal(str(cost.amount)) == Decimal(dollars)
    answer = google.generated(usageMetadata=usage, modelVersion=model)
    assert extract_usage(answer, provider_id="google").calc_price().total_price == Decimal(dollars)


def totals(usage):
    attributes = attributes_of(usage)
    return attributes.get(semconv.USAGE_INPUT_TOKENS), attributes.get(semconv.USAGE_OUTPUT_TOKENS)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param({}, (None, None), id="nothing"),
        pytest.param({"promptTokenCount": 8}, (8, None), id="no output, no total"),
        pytest.param({"promptTokenCount": 8, "totalTokenCount": 8}, (8, 0), id="a count of 0 is left out of the JSON"),
        pytest.param({"promptTokenCount": 8, "totalTokenCount": 20}, (8, 12), id="only the total has the output"),
        pytest.param({"promptTokenCount": 8, "totalTokenCount": 5}, (8, None), id="a total that is too small"),
        pytest.param({"candidatesTokenCount": 8}, (None, 8), id="no input"),
        pytest.param(
            {"promptTokenCount": 8, "candidatesTokenCount": 30, "thoughtsTokenCount": 20, "totalTokenCount": 38},
            (8, 30),
            id="thoughts inside",
        ),
        pytest.param(
            {"promptTokenCount": 8, "candidatesTokenCount": 30, "thoughtsTokenCount": 20}, (8, 50), id="no total"
        ),
        pytest.param({"prompt_token_count": 8, "candidates_token_count": 3}, (8, 3), id="the SDK's names"),
        pytest.param({"promptTokenCount": "8", "candidatesTokenCount": 3.0}, (8, 3), id="digits, and a float"),
        pytest.param({"promptTokenCount": -8, "candidatesTokenCount": True}, (None, None), id="no counts"),
        pytest.param({"promptTokenCount": 8, "responseTokenCount": 3}, (8, 3), id="the older name of the output"),
    ],
)
def test_totals(usage, expected):
    """A total is what its parts say; one that is not known is left out."""
    assert totals(usage) == expected


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"serviceTier": "flex"}, "flex"),
        ({"serviceTier": "PRIORITY"}, "priority"),
        ({"trafficType": "ON_DEMAND"}, "on_demand"),
        ({"trafficType": "ON_DEMAND_FLEX"}, "flex"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput"),
        ({"trafficType": 5}, None),
    ],
)
def test_the_tier_that_served_the_call(said, tier):
    """Google AI's service tier and Vertex AI's traffic type are one attribute."""
    assert attributes_of({"promptTokenCount": 8, **said}).get(semconv.RESPONSE_SERVICE_TIER) == tier
