"""OpenAI's own endpoints in the contract of all SDKs; `tests/instrumentation` has all the rest about them."""

from __future__ import annotations

import openai

from tests.fakes import llm_server
from tests.sdks.case import Case

ASK = [{"role": "user", "content": "Capital of France?"}]


def _client(address):
    return openai.OpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0)


def _async_client(address):
    return openai.AsyncOpenAI(api_key="sk-test", base_url=f"{address}/v1", max_retries=0)


BOTH = {"provider": "openai", "client": _client, "async_client": _async_client}
REFUSED = {"refusal": llm_server.error("model_not_found"), "code": "model_not_found"}
CASES = [
    Case(
        name="openai chat",
        span="chat gpt-4o",
        model="gpt-4o",
        tokens=(57, 48),
        call=lambda client: client.chat.completions.create(model="gpt-4o", messages=ASK),
        answer=llm_server.chat(),
        stream=lambda client: client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True),
        events=llm_server.chat_chunks(usage=True),
        **BOTH,
        **REFUSED,
    ),
    Case(
        name="openai responses",
        span="chat gpt-4o",
        model="gpt-4o",
        tokens=(57, 48),
        call=lambda client: client.responses.create(model="gpt-4o", input="Capital of France?"),
        answer=llm_server.response(),
        stream=lambda client: client.responses.create(model="gpt-4o", input="Capital of France?", stream=True),
        events=llm_server.response_events(),
        **BOTH,
        **REFUSED,
    ),
    Case(
        name="openai embeddings",
        span="embeddings ada",
        model="ada",
        tokens=(8, None),
        call=lambda client: client.embeddings.create(model="ada", input="Paris"),
        answer=llm_server.embeddings(),
        said="",
        **BOTH,
        **REFUSED,
    ),
]


def test_every_endpoint_has_its_own_tests():
    """The cases here are those that the contract needs of each SDK: a call, a stream, embeddings."""
    assert [case.name for case in CASES] == ["openai chat", "openai responses", "openai embeddings"]
