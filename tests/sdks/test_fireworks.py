"""Fireworks: the API in Anthropic's shape, which its SDK has beside the one in OpenAI's."""

from __future__ import annotations

import json

import pytest
from opentelemetry.trace import StatusCode

from agentops_otel import pricing, semconv
from tests.fakes.llm_server import Reply
from tests.sdks import answers_anthropic as answers
from tests.sdks.compatible import BOTH, MESSAGES, done

MODEL = "accounts/fireworks/models/deepseek-v3p2"
USAGE = {"input_tokens": 500, "cache_read_input_tokens": 3500, "cache_creation_input_tokens": 0, "output_tokens": 120}
ANSWER = answers.tools(model=MODEL, usage=USAGE)
ASKED = {"model": MODEL, "max_tokens": 200, "messages": MESSAGES, "temperature": 0.5}


@BOTH
@pytest.mark.parametrize("way", ["plain", "streamed", "raw"])
async def test_messages_of_anthropics_shape(way, asynchronous, connect, server, spans):
    """A call is one span with its parts, tokens and price, also where the SDK gives its stream as one text."""
    streamed = way != "plain"
    server.then(Reply([*answers.events(ANSWER)] if streamed else ANSWER))
    target = connect("fireworks", asynchronous=asynchronous).messages
    asked = {**ASKED, **({"stream": True} if streamed else {})}
    if way == "raw" and asynchronous:
        async with target.with_streaming_response.create(**asked) as raw:
            text = await raw.text()
    elif way == "raw":
        with target.with_streaming_response.create(**asked) as raw:
            text = raw.text()
    else:
        answer = await done(target.create(**asked))
        text = answer if streamed else answer.to_json()
    assert "toolu_1" in text
    span = spans.one()
    seen = span.attributes
    assert (span.name, span.status.status_code) == (f"chat {MODEL}", StatusCode.UNSET)
    assert seen[semconv.PROVIDER_NAME] == "fireworks"
    assert (seen[semconv.REQUEST_MAX_TOKENS], seen[semconv.REQUEST_TEMPERATURE]) == (200, 0.5)
    assert seen[semconv.RESPONSE_FINISH_REASONS] == ("tool_use",)
    assert (seen[semconv.USAGE_INPUT_TOKENS], seen[semconv.USAGE_OUTPUT_TOKENS]) == (4000, 120)
    assert seen[semconv.USAGE_CACHE_READ_TOKENS] == 3500
    # 500 * 0.56 + 3500 * 0.28 + 120 * 1.68 dollars per million
    assert pricing.span_cost(seen).amount == pytest.approx(0.0014616, rel=1e-12)
    (message,) = json.loads(seen[semconv.OUTPUT_MESSAGES])
    assert [part["type"] for part in message["parts"]] == ["reasoning", "text", "tool_call", "tool_call"]
    assert "Capital of France?" in seen[semconv.INPUT_MESSAGES]


@BOTH
async def test_a_refusal_in_anthropics_shape(asynchronous, connect, server, spans):
    """A refused call has the kind of its error."""
    import fireworks

    server.then(Reply({"type": "error", "error": {"type": "not_found_error", "message": "no"}}, status=404))
    with pytest.raises(fireworks.NotFoundError):
        await done(connect("fireworks", asynchronous=asynchronous).messages.create(**ASKED))
    assert spans.one().attributes[semconv.ERROR_TYPE] == "not_found_error"


@BOTH
async def test_a_stream_that_breaks_off(asynchronous, connect, server, spans):
    """A stream without its end has no output tokens: what its beginning says of them is a placeholder."""
    server.then(Reply(answers.events(ANSWER)[:4]))
    await done(connect("fireworks", asynchronous=asynchronous).messages.create(**ASKED, stream=True))
    seen = spans.one().attributes
    assert seen[semconv.USAGE_INPUT_TOKENS] == 4000
    assert semconv.USAGE_OUTPUT_TOKENS not in seen
