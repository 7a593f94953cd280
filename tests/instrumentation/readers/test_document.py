"""An answer says the same, read from its bytes or from the SDK's model of it."""

from __future__ import annotations

import json
import math
from importlib import import_module

import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel import semconv
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import embeddings
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply
from tests.fakes.odd_json import ODD, paths, replaced
from tests.instrumentation.readers.test_odd_fields import ANSWERS, ANY, ENDPOINTS

HTTP = import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
DOCUMENTS = {kind: answer for kind, answer in ANSWERS.items() if isinstance(answer, dict)}
CALLS = {
    "chat": lambda client: client.chat.completions.create(model="m", messages=[]),
    "responses": lambda client: client.responses.create(model="m", input="x"),
    "completions": lambda client: client.completions.create(model="m", prompt="x"),
    "embeddings": lambda client: client.embeddings.create(model="m", input="x", encoding_format="float"),
}


class Answering:
    """A client whose every call is answered with `body`."""

    def __init__(self):
        self.body = b""
        transport = HTTP.MockTransport(
            lambda request: HTTP.Response(200, headers={"content-type": "application/json"}, content=self.body)
        )
        self.client = openai.OpenAI(
            api_key="none", base_url="http://name.invalid", max_retries=0, http_client=HTTP.Client(transport=transport)
        )

    def model(self, kind, body):
        """What the SDK makes of a body; None where it fails."""
        self.body = body
        try:
            return CALLS[kind](self.client)
        except (openai.OpenAIError, ValueError, TypeError, AttributeError):
            return None


@pytest.fixture(scope="module")
def answering():
    return Answering()


def said(endpoint, answer):
    """What the readers find in an answer."""
    attributes = {}
    failure = endpoint.response(answer, attributes)
    content = Content(65536)
    written = content.encoded({semconv.OUTPUT_MESSAGES: endpoint.output(answer, content)})
    return attributes, without_nulls(failure), without_nulls(written[semconv.OUTPUT_MESSAGES])


def without_nulls(value):
    """A value without the fields that are null, also in a text that is the JSON of an odd part, in any order."""
    if isinstance(value, str) and "\n" in value:  # parts that were put together
        return [*map(without_nulls, value.splitlines())]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return without_nulls(json.loads(value))
        except ValueError:  # (a text that begins like that)
            return value
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_bytes_and_model_say_the_same(kind, answering):
    """With any JSON in the place of any field.

    Not where the SDK says what the host did not: it makes counts of truth values, adds fields that an odd part does
    not have, and so makes something of an empty object.
    """
    endpoint, whole = ENDPOINTS[kind], DOCUMENTS[kind]
    usual = said(endpoint, whole)
    assert usual[0]
    assert usual[2] or kind == "embeddings"

    @ANY
    @given(
        st.sampled_from(list(paths(whole))),
        ODD.filter(lambda odd: not isinstance(odd, bool) and "{}" not in json.dumps(odd)),
    )
    def check(path, odd):
        body = json.dumps(replaced(whole, path, odd)).encode()
        model = answering.model(kind, body)
        if model is not None:
            assert said(endpoint, endpoint.document(body)) == said(endpoint, model)

    check()


@pytest.mark.parametrize("vector", [[], [1], [1, 2.5, -3e5], [[1, 2], 3], [{"a": [1, 2]}], ["1,2", 3], None, 5, {}, "",
    "AACAPgAAAL8AAIA/AAAAAA==", "a\\b\u00e9", "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"])  # fmt: skip
@pytest.mark.parametrize("space", [None, 2])
def test_the_length_of_a_vector(vector, space):
    """It is that of the list or text which it is, without any number being made."""
    whole = llm_server.embeddings()
    whole["data"][0]["embedding"] = vector
    body = json.dumps(whole, indent=space).encode()
    attributes, expected = {}, {}
    embeddings.response(embeddings.document(body), attributes)
    embeddings.response(json.loads(body), expected)
    assert isinstance(embeddings.document(body)["data"][0]["embedding"], msgspec.Raw)
    assert attributes == expected


@pytest.mark.parametrize("reading", ["plain", "raw"])
@pytest.mark.parametrize(
    "body",
    [
        json.dumps(llm_server.chat(seed=math.nan)).encode(),
        json.dumps(llm_server.chat({"content": "\ud800"})).encode(),
        json.dumps(llm_server.chat()).encode("utf-16"),
        json.dumps(llm_server.chat(big=10**400)).encode(),
        b"\xef\xbb\xbf" + json.dumps(llm_server.chat()).encode(),
    ],
    ids=["not a number", "half a character", "utf-16", "a large number", "byte order mark"],
)
def test_json_that_only_the_sdk_reads(body, reading, client, server, spans):
    """What the SDK takes for JSON is read, although it is none by the letter."""
    server.then(Reply(body, headers={"content-type": "application/json"}))
    target = client.chat.completions
    target = target.with_raw_response if reading == "raw" else target
    answer = target.create(model="gpt-4o", messages=[{"role": "user", "content": "Capital of France?"}])
    assert (answer.parse() if reading == "raw" else answer).id == "chatcmpl-1"
    attributes = spans.one().attributes
    assert attributes[semconv.USAGE_INPUT_TOKENS] == 57
    assert attributes[semconv.RESPONSE_ID] == "chatcmpl-1"


def test_other_json_than_vectors():
    """An answer without vectors is read like any other."""
    for other in ({"error": {"code": "busy"}}, {"data": None}, {"data": [1]}, [], "x", None):
        assert embeddings.document(json.dumps(other).encode()) == other
    with pytest.raises((ValueError, msgspec.DecodeError), match="JSON"):  # (which is none in older releases)
        embeddings.document(b"<html>")
