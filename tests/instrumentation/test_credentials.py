"""What a client lets itself in with leaves in no text, whatever it looks like, wherever a provider repeats it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from urllib.parse import parse_qsl, quote, urlsplit

import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

import agentops_otel as agentops
from agentops_otel import secrets
from agentops_otel.instrumentation import _credentials
from agentops_otel.secrets import learn, scrub
from tests.fakes.llm_server import LlmServer, Reply, Request, chat

KEY = "plain7gateway+key/of==us"
CALL = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": f"why is {KEY} refused, and {quote(KEY, safe='')}?"}],
}
AZURE = {"api_version": "2024-10-21", "max_retries": 0}


class Repeating(LlmServer):
    """Refuses every call and repeats what it was called with, as providers do."""

    def reply_to(self, request: Request) -> Reply:
        repeated = [value for name, value in request.headers.items() if not name.lower().startswith("user-agent")]
        repeated += [value for _, value in parse_qsl(urlsplit(request.path).query)]
        return Reply({"error": {"message": f"refused: {repeated}", "code": "invalid_api_key"}}, 401)


async def _token():
    return KEY


def _azure(client, url, **arguments):
    return client(azure_endpoint=url.removesuffix("/v1"), **AZURE, **arguments)


def _open(client, url, **arguments):
    return client(base_url=url, max_retries=0, **arguments)


CLIENTS = {
    "key": lambda url: _open(openai.OpenAI, url, api_key=KEY),
    "async key": lambda url: _open(openai.AsyncOpenAI, url, api_key=KEY),
    "header": lambda url: _open(openai.OpenAI, url, api_key="none", default_headers={"x-gateway": KEY}),
    "authorization": lambda url: _open(
        openai.OpenAI, url, api_key="none", default_headers={"Authorization": f"Token {KEY}"}
    ),
    "query": lambda url: _open(openai.OpenAI, url, api_key="none", default_query={"Subscription-Key": KEY}),
    "key of a query": lambda url: _open(openai.AsyncOpenAI, url, api_key="none", default_query={"key": KEY}),
    "azure": lambda url: _azure(openai.AzureOpenAI, url, api_key=KEY),
    "async azure": lambda url: _azure(openai.AsyncAzureOpenAI, url, api_key=KEY),
    "azure token": lambda url: _azure(openai.AzureOpenAI, url, azure_ad_token=KEY),
    "azure token provider": lambda url: _azure(openai.AzureOpenAI, url, azure_ad_token_provider=lambda: KEY),
    "async azure token provider": lambda url: _azure(openai.AsyncAzureOpenAI, url, azure_ad_token_provider=_token),
}


async def _called(client):
    if isinstance(client, openai.AsyncOpenAI):
        async with client:
            return await client.chat.completions.create(**CALL)
    with client:
        return client.chat.completions.create(**CALL)


def _sent(exporter):
    """All that the spans say."""
    return "\n".join(span.to_json() for span in exporter.get_finished_spans())


@pytest.mark.parametrize("mode", ["full", "off", "event_only"])
@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_the_keys_of_a_client_go_verbatim(make, mode):
    """A provider's refusal repeats the key; in no text of any span is it, in every mode of recording."""
    exporter = InMemorySpanExporter()
    agentops.init(exporter=exporter, summary=False, capture_content=mode)
    with Repeating() as server:
        client = make(server.url)
        try:
            asyncio.run(_called(client))
        except openai.AuthenticationError as error:
            assert KEY in str(error)  # noqa: PT017  (else the test would see nothing)
            agentops.record(error)
            agentops.record(agentops.ActionEvent("retry", logs=repr(error)))
            with trace.get_tracer("other").start_as_current_span("outer") as span:
                span.set_attribute("error", str(error))
                span.set_status(Status(StatusCode.ERROR, str(error)))
    agentops.end_session("Fail", f"{KEY} was refused")
    agentops.flush()

    sent = _sent(exporter)
    assert "chat gpt-4o" in sent
    assert KEY not in sent
    assert quote(KEY, safe="") not in sent


def test_a_header_of_one_call_goes_verbatim(agentops_session):
    """What only one request was sent with is learnt from that request."""
    with (
        Repeating() as server,
        openai.OpenAI(api_key="none", base_url=server.url, max_retries=0) as client,
        pytest.raises(openai.AuthenticationError, match="plain7"),
    ):
        client.chat.completions.create(**CALL, extra_headers={"x-token": KEY})
    assert KEY not in str([dict(span.attributes) for span in agentops_session.spans])
    assert KEY not in str([span.status.description for span in agentops_session.spans])


def test_a_key_in_the_query_of_one_call_goes_verbatim(agentops_session):
    """It is learnt from the request, each time; a version, a model and a place in a list stay what they are."""
    secrets.forget()
    ordinary = {"api-version": "2024-05-01-preview", "model": "gpt-4o-mini-2024-07-18", "after": "msg_abc123def456ghi7"}
    keys = [f"{KEY}{number}" for number in range(2)]
    with LlmServer() as server, _open(openai.OpenAI, server.url, api_key="none") as client:
        for key in keys:
            server.then(Reply(chat({"content": f"the key is {key}"})))
            client.chat.completions.create(**CALL, extra_query={**ordinary, "api_key": key})
    said = str([dict(span.attributes) for span in agentops_session.spans])
    assert said.count("the key is [redacted]") == 2
    assert scrub(text := " ".join(ordinary.values())) is text


async def _key():
    return KEY


def _is_called(callable_key, kind=openai.OpenAI):
    return lambda url: _open(kind, url, api_key=callable_key)


MADE_FOR_A_CALL = {
    "azure token provider": CLIENTS["azure token provider"],
    "async azure token provider": CLIENTS["async azure token provider"],
    "header of the call": lambda url: _open(openai.OpenAI, url, api_key="none").with_options(
        default_headers={"X-Key": KEY}
    ),
}
if int(openai.__version__.split(".")[0]) >= 2:
    MADE_FOR_A_CALL["callable key"] = _is_called(lambda: KEY)
    MADE_FOR_A_CALL["async callable key"] = _is_called(_key, openai.AsyncOpenAI)


@pytest.mark.parametrize("make", MADE_FOR_A_CALL.values(), ids=MADE_FOR_A_CALL)
def test_a_key_that_is_made_for_a_call_goes_from_its_answer(make, agentops_session):
    """The first call already, which succeeds: what it was sent with is in the prompt and in the answer."""
    secrets.forget()
    with LlmServer() as server:
        server.then(Reply(chat({"content": f"the key is {KEY}"})))
        asyncio.run(_called(make(server.url)))
    said = str([dict(span.attributes) for span in agentops_session.spans])
    assert "the key is [redacted]" in said
    assert KEY not in said


def test_a_key_that_others_have_displaced_is_learnt_again(agentops_session):
    """A header of a call comes again after the keys of many others."""
    call = {**CALL, "extra_headers": {"X-Key": KEY}}
    with LlmServer() as server, openai.OpenAI(api_key="none", base_url=server.url, max_retries=0) as client:
        client.chat.completions.create(**call)
        for number in range(100):
            learn(f"tenant-{number:04}-key")
        client.chat.completions.create(**call)
    assert KEY not in str([dict(span.attributes) for span in agentops_session.spans])


def test_a_new_key_is_learnt_and_the_old_one_kept(agentops_session):
    """A client whose key is exchanged: both keys go, also from what was looked at before."""
    keys = [f"rotating{number}key-of-ours" for number in range(3)]
    with Repeating() as server, openai.OpenAI(api_key=keys[0], base_url=server.url, max_retries=0) as client:
        for key in keys:
            agentops.record(agentops.ActionEvent("log", logs=keys[0]))
            client.api_key = key
            with pytest.raises(openai.AuthenticationError):
                client.chat.completions.create(**CALL)
    assert scrub(" ".join(keys)) == "[redacted] [redacted] [redacted]"
    logs = [span.attributes["agentops.action.logs"] for span in agentops_session.spans if span.name == "log"]
    assert logs[1:] == ["[redacted]", "[redacted]"]


def test_our_own_keys_and_headers_go_verbatim():
    """The key of the project and the values of headers that may be secrets; not what any header says."""
    headers = {"x-scope": "0123team4567secret", "x-tenant": "production1", "accept-version": "2024-10-21"}
    agentops.init(
        exporter=InMemorySpanExporter(),
        summary=False,
        api_key="ours-7777-key",
        parent_key="parent-8888",
        headers=headers,
    )
    text = "ours-7777-key parent-8888 0123team4567secret production1 2024-10-21"
    assert scrub(text) == "[redacted] [redacted] [redacted] production1 2024-10-21"


@pytest.mark.parametrize(
    "ordinary", ["", "none", "EMPTY", "ollama", "lm-studio", "not-needed", "anthropic", "12345678", "key 1", None, 5]
)
def test_ordinary_words_are_not_taken_for_keys(ordinary):
    """What stands for a key where none is needed stays in sentences and numbers."""
    learn(ordinary)
    text = f"the {ordinary} model"
    assert scrub(text) is text


def test_a_known_secret_is_found_in_every_form():
    """As it is, within JSON, percent-encoded, behind its scheme, within another word, and as Basic authorization."""
    secret = 'ours"7777\\key/é='
    learn(f"Bearer {secret}")
    basic = base64.b64encode(f"user:{secret}".encode()).decode()
    for text in (
        secret,
        f"x{secret}y",
        json.dumps({"a": secret}),
        json.dumps({"a": secret}, ensure_ascii=False),
        quote(secret, safe=""),
        f"Basic {basic}",
    ):
        assert "7777" not in scrub(text), text
        assert basic not in scrub(text)


def test_a_key_is_looked_for_once():
    """Alone and behind its scheme, it is one text to look for; the search takes time for each."""
    secrets.forget()
    for value in ("tenant-0001-key", "Bearer tenant-0001-key", "token tenant-0001-key"):
        learn(value)
    assert secrets.forms == ("tenant-0001-key",)
    learn("my own tenant-0002")  # no scheme: all of it
    assert scrub("is my own tenant-0002, or own tenant-0002") == "is [redacted], or [redacted]"


def test_memory_of_secrets_is_bounded():
    """Only the latest are kept: a call learns its own key again."""
    for number in range(300):
        learn(f"tenant-{number:04}-key")
    assert len(secrets.forms) <= 64
    assert scrub("tenant-0299-key tenant-0000-key") == "[redacted] tenant-0000-key"
    learn("tenant-0000-key")
    assert scrub("tenant-0299-key tenant-0000-key") == "[redacted] [redacted]"


def test_the_headers_of_an_own_class_of_clients_go_verbatim(agentops_session):
    """Headers that a subclass adds are learnt like any other."""

    class Odd(openai.OpenAI):
        @property
        def default_headers(self):
            return {**super().default_headers, "x-key": KEY}

    with LlmServer() as server, contextlib.closing(Odd(api_key="none", base_url=server.url)) as client:
        client.chat.completions.create(**CALL)
    assert KEY not in str([dict(span.attributes) for span in agentops_session.spans])


def test_few_ordinary_headers_are_remembered(client, spans, monkeypatch):
    """A program that sends another header with each request does not fill memory, and its keys are still found."""
    monkeypatch.setattr(_credentials, "_MOST_PLAIN", 4)
    monkeypatch.setattr(_credentials, "_plain", set())
    try:
        for number in range(6):
            key = f"{KEY}{number}"
            client.chat.completions.create(**CALL, extra_headers={"x-step": f"step {number}", "x-gateway": key})
            assert len(_credentials._plain) <= 4
            assert scrub(key) == "[redacted]"
    finally:
        secrets.forget()
