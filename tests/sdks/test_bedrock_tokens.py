"""Bedrock's tokens by class, and what they cost to the last digit: each answer against the price table's own reader."""

from __future__ import annotations

import json
from decimal import Decimal

import genai_prices
import pytest

from agentops_otel import pricing, semconv
from agentops_otel.instrumentation import _bedrock_models
from agentops_otel.instrumentation.readers import invoke_model
from agentops_otel.instrumentation.readers.converse import model_of, response, write_counts
from agentops_otel.instrumentation.readers.converse_fold import ConverseFold
from tests.sdks import answers_bedrock as answers
from tests.sdks.answers_bedrock import CLAUDE, INVOKED, LLAMA, NOVA, TITAN, TITAN_EMBED, USAGE

ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012:"
NAMES = {
    CLAUDE: CLAUDE,
    "anthropic.claude-opus-5": "anthropic.claude-opus-5",
    f"{ACCOUNT}inference-profile/us.anthropic.claude-opus-5": "us.anthropic.claude-opus-5",
    f"{ACCOUNT}inference-profile/{CLAUDE}": CLAUDE,
    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0": "amazon.nova-lite-v1:0",
    "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/meta.llama3-1-8b-instruct-v1:0": LLAMA,
}


def converse(**usage):
    return answers.converse(usage=usage)


# Of an answer of Converse: input, output, cache read, written, written for an hour; dollars by hand.
CONVERSE = {
    "plain": (CLAUDE, converse(inputTokens=1000, outputTokens=100, totalTokens=1100), (1000, 100, 0, 0, 0), "0.00495"),
    "cached": (CLAUDE, answers.converse(usage=USAGE), (57, 48, 20, 12, 8), "0.0009504"),
    "written for 5 minutes": (
        CLAUDE,
        converse(inputTokens=10, outputTokens=20, totalTokens=1030, cacheWriteInputTokens=1000, cacheReadInputTokens=0),
        (1010, 20, 0, 1000, 0),
        "0.004488",
    ),
    "everything cached": (
        NOVA,
        converse(inputTokens=0, outputTokens=10, totalTokens=1010, cacheReadInputTokens=1000),
        (1000, 10, 1000, 0, 0),
        "0.0000174",
    ),
    "llama": (LLAMA, converse(inputTokens=57, outputTokens=48, totalTokens=105), (57, 48, 0, 0, 0), "0.0000231"),
    "no output yet": (CLAUDE, converse(inputTokens=57, outputTokens=0, totalTokens=57), (57, 0, 0, 0, 0), "0.0001881"),
}


def written(endpoint, answer, model):
    """What the readers write of an answer."""
    attributes = {semconv.PROVIDER_NAME: "aws.bedrock", semconv.REQUEST_MODEL: model}
    attributes[semconv.OPERATION_NAME] = endpoint.operation
    assert endpoint.response(answer, attributes) is None
    return attributes


def classes(attributes):
    names = (
        semconv.USAGE_INPUT_TOKENS,
        semconv.USAGE_OUTPUT_TOKENS,
        semconv.USAGE_CACHE_READ_TOKENS,
        semconv.USAGE_CACHE_WRITE_TOKENS,
        semconv.USAGE_CACHE_WRITE_1H_TOKENS,
    )
    return tuple(attributes.get(name, 0) for name in names)


def dollars(attributes):
    return Decimal(repr(round(pricing.span_cost(attributes).amount, 15))).normalize()


@pytest.mark.parametrize("name", CONVERSE)
def test_the_tokens_and_the_cost_of_converse(name):
    """The classes and the cost are those of the price table's own reader, and those made by hand."""
    model, answer, expected, cost = CONVERSE[name]
    seen = written(_bedrock_models.CONVERSE, answer, model)
    assert classes(seen) == expected
    found = genai_prices.extract_usage({**answer, "model": model}, provider_id="aws").usage
    assert (found.input_tokens, found.output_tokens) == expected[:2]
    assert (found.cache_read_tokens or 0, found.cache_write_tokens or 0) == expected[2:4]
    assert dollars(seen) == Decimal(cost).normalize()


def test_the_price_of_a_region_is_in_the_request():
    """An answer names a model without the profile that decides its price: the request's name counts."""
    prices = []
    for profile in ("global", "us"):
        model = f"{profile}.anthropic.claude-sonnet-4-5-20250929-v1:0"
        seen = written(_bedrock_models.MESSAGES, answers.MESSAGE, model)
        assert seen[semconv.RESPONSE_MODEL] == "claude-sonnet-4-5-20250929"
        prices.append(dollars(seen))
    assert prices == [Decimal("0.000864"), Decimal("0.0009504")]


@pytest.mark.parametrize(
    ("name", "expected", "cost"),
    [
        ("claude", (57, 48, 20, 12, 8), "0.0009504"),
        ("nova", (45, 48, 20, 0, 0), "0.00001332"),
        ("llama", (57, 48, 0, 0, 0), "0.0000231"),
        ("titan", (57, 48, 0, 0, 0), "0.0000402"),
        ("titan-embed", (8, 0, 0, 0, 0), "1.6E-7"),
    ],
)
def test_the_tokens_and_the_cost_of_an_invoked_model(name, expected, cost):
    """Each body says its tokens in its own words."""
    model, body, answer, _ = INVOKED[name]
    seen = written(_bedrock_models.endpoint_of(model, body), answer, model)
    assert classes(seen) == expected
    assert dollars(seen) == Decimal(cost).normalize()
    assert model in (CLAUDE, NOVA, LLAMA, TITAN, TITAN_EMBED)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_found_by_its_arn(name):
    """The ARN of a model or of an inference profile is that model, and has its price."""
    assert model_of(name) == NAMES[name]
    attributes = {semconv.PROVIDER_NAME: "aws.bedrock", semconv.REQUEST_MODEL: model_of(name)}
    attributes |= {semconv.USAGE_INPUT_TOKENS: 1000, semconv.USAGE_OUTPUT_TOKENS: 0}
    assert pricing.span_cost(attributes).amount > 0


@pytest.mark.parametrize(
    "arn", ["application-inference-profile/a1b2", "provisioned-model/a1b2", f"custom-model/{CLAUDE}/a1b2", "prompt/P:1"]
)
def test_an_arn_that_does_not_say_the_model_stays(arn):
    """Of a deployment the model is not known, and neither is a price; its name may stand in a prices file."""
    assert model_of(ACCOUNT + arn) == ACCOUNT + arn
    for endpoint, answer in (
        (_bedrock_models.CONVERSE, converse(inputTokens=9, outputTokens=9, totalTokens=18)),
        (_bedrock_models.MESSAGES, answers.MESSAGE),  # which names the base model
    ):
        assert pricing.span_cost(written(endpoint, answer, ACCOUNT + arn)) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        ({"outputTokens": 5}, {semconv.USAGE_OUTPUT_TOKENS: 5}),
        ({"inputTokens": None, "outputTokens": 5, "cacheReadInputTokens": 3}, {semconv.USAGE_OUTPUT_TOKENS: 5}),
        ({"inputTokens": 7, "outputTokens": "many"}, {semconv.USAGE_INPUT_TOKENS: 7}),
        ({"inputTokens": 0, "outputTokens": 0}, {}),
    ],
)
def test_what_cannot_be_read_is_left_out(said, expected):
    """A count that is not there is no 0, and a cache does not stand for the whole input."""
    attributes = {}
    write_counts(said, attributes)
    totals = (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS)
    assert {name: attributes[name] for name in totals if name in attributes} == expected


def test_a_stream_without_its_end_has_no_output_count():
    """The placeholder of an answer's beginning, and counts that go on, are no output count."""
    for name in ("claude", "llama"):
        model, body, _, chunks = INVOKED[name]
        endpoint = _bedrock_models.endpoint_of(model, body)
        fold = endpoint.fold()
        fold.extend([{"chunk": {"bytes": json.dumps(chunk).encode()}} for chunk in chunks[:2]])
        seen = written(endpoint, fold.response(), model)
        assert semconv.USAGE_OUTPUT_TOKENS not in seen
        assert seen[semconv.USAGE_INPUT_TOKENS] == 57


def test_the_head_of_a_result():
    """Id, retries, tokens and tier stand beside the answer of an invoked model."""
    attributes = {}
    headers = {"x-amzn-bedrock-input-token-count": "57", "x-amzn-bedrock-output-token-count": "48"}
    metadata = {"RequestId": "req-1", "RetryAttempts": 2, "HTTPHeaders": headers}
    invoke_model.head({"ResponseMetadata": metadata, "serviceTier": "flex"}, attributes)
    assert attributes == {
        semconv.REQUEST_ID: "req-1",
        semconv.RESEND_COUNT: 2,
        semconv.USAGE_INPUT_TOKENS: 57,
        semconv.USAGE_OUTPUT_TOKENS: 48,
        semconv.RESPONSE_SERVICE_TIER: "flex",
    }


@pytest.mark.parametrize(
    ("tier", "latency", "served"),
    [
        (None, None, None),
        ("default", None, "default"),
        ("default", "standard", "default"),
        (None, "optimized", "optimized"),
        ("default", "optimized", "optimized"),
        ("flex", "optimized", "flex"),
        (7, "standard", None),
    ],
)
def test_less_latency_is_a_tier(tier, latency, served):
    """It has prices of its own, in each way to call a model."""
    said = {"output": {}, "serviceTier": {"type": tier}, "performanceConfig": {"latency": latency}}
    fold = ConverseFold()
    fold.extend([{"metadata": {name: said[name] for name in ("serviceTier", "performanceConfig")}}])
    for answer in (said, fold.response()):
        seen = {}
        response(answer, seen)
        assert seen.get(semconv.RESPONSE_SERVICE_TIER) == served
    seen = {}
    invoke_model.head({"serviceTier": tier, "performanceConfigLatency": latency}, seen)
    assert seen.get(semconv.RESPONSE_SERVICE_TIER) == served
