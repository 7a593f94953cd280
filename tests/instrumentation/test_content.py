"""The content of a call as JSON: searched for secrets before it is written, and the same as any other JSON of ours."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentops_otel import secrets, semconv
from agentops_otel.instrumentation import _chat, _responses
from agentops_otel.instrumentation._content import Content
from agentops_otel.redaction import Redactor
from agentops_otel.secrets import scrub
from agentops_otel.text import MAX_LENGTH
from agentops_otel.values import to_json
from tests.fakes.secrets import BEFORE, NAMED, SECRETS, as_json
from tests.fakes.spans import span

KEY = SECRETS["openai"]


def recorded(values, max_length=MAX_LENGTH):
    """The attributes as they leave the process: what was searched is not searched again."""
    content = Content(max_length)
    encoded = content.encoded(values)
    others = {name: value for name, value in encoded.items() if name not in content.searched}
    return {**encoded, **Redactor(max_length=max_length).clean(span(attributes=others)).attributes}, content.searched


def everywhere(text):
    """A request with a text at every place that is recorded."""
    call = {"id": text, "function": {"name": text, "arguments": json.dumps({"query": text, text: [text]})}}
    picture = {"type": "image_url", "image_url": {"url": text}}
    parts = [{"type": "text", "text": text}, picture, {"type": "refusal", "refusal": text}]
    parameters = {"type": "object", "properties": {text: {"description": text, "enum": [text]}}}
    return {
        "messages": [
            {"role": text, "content": text, "name": text},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None, "tool_calls": [call], "refusal": text, "reasoning": text},
            {"role": "assistant", "content": "", "function_call": {"name": text, "arguments": text}},
            {"role": "tool", "tool_call_id": text, "content": text},
            text,
        ],
        "tools": [{"type": "function", "function": {"name": text, "description": text, "parameters": parameters}}],
    }


def prompt(body, endpoint=_chat):
    found = {}
    endpoint.prompt(body, Content(MAX_LENGTH), found)
    return found


def asked(text):
    return prompt({"messages": [{"role": "user", "content": text}]})


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_no_secret_is_left_at_any_place(before):
    """Whatever stands before it, and wherever in a request: it goes, its surroundings stay, and JSON stays JSON."""
    written = {name: (secret, "{}") for name, secret in SECRETS.items() if name != "pem"}
    written |= {name: ("correct7horse9battery1staple", form) for name, form in NAMED.items() if name != "shape"}
    for name, (secret, form) in written.items():
        body = everywhere(f"first{before}{form.format(secret)}\nlast")
        for attributes, _ in (
            recorded(prompt(body)),
            recorded(prompt(responses(body), _responses)),
        ):
            for value in attributes.values():
                if isinstance(value, str):
                    assert secret[-8:] not in value, (name, value)
            for attribute in (semconv.INPUT_MESSAGES, semconv.TOOL_DEFINITIONS):
                json.loads(attributes[attribute])
                assert "first" in attributes[attribute]
                assert "last" in attributes[attribute]


def responses(body):
    """The same texts as a request of the Responses API."""
    texts = [body["messages"][0]["name"]]
    call = {"type": "function_call", "call_id": texts[0], "name": texts[0], "arguments": json.dumps({"a": texts})}
    items = [{"role": "user", "content": texts[0]}, call, {"type": "reasoning", "summary": [{"text": texts[0]}]}]
    return {"instructions": texts[0], "input": items, "tools": body["tools"]}


ANY = st.characters(exclude_categories=()).filter(lambda found: not (found.isascii() and found.isalnum()))


@settings(max_examples=150, deadline=None, database=None)
@given(before=ANY, depth=st.integers(0, 2), ascii_only=st.booleans())
@example(before="\n", depth=1, ascii_only=False)
def test_a_key_is_found_behind_any_character(before, depth, ascii_only):
    """As it is, in JSON, in JSON of JSON, with and without escapes, as a message and as a tool's argument."""
    text = as_json(f"first{before}{KEY} last", depth, ascii_only=ascii_only)
    assert KEY[-8:] not in scrub(text)
    for values in (asked(text), prompt(everywhere(text))):
        attributes, searched = recorded(values)
        assert KEY[-8:] not in "".join(map(str, attributes.values()))
        assert searched or len(text) > 64 or "\ud800" <= before <= "\udfff"


WORDS = st.text(st.characters(exclude_categories=()) | st.sampled_from(":=\"'{}[],.- \n\t\\"), max_size=30)
NAMES = st.sampled_from(["role", "parts", "content", "data", "mimeType", "password", "token_count"]) | WORDS
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from("abc"), TREES), st.sampled_from([40, 1000, MAX_LENGTH]))
def test_content_is_the_json_that_anything_else_becomes(values, max_length):
    """Where there is no secret, searching first changes nothing of what is written."""
    attributes, searched = recorded(values, max_length)
    for name, value in values.items():
        written = to_json(value, max_length=max_length)
        if name in searched:
            assert attributes[name] == written or "[redacted]" in attributes[name]
            assert json.loads(attributes[name]) == json.loads(written) or "[redacted]" in attributes[name]
        else:
            clean = Redactor(max_length=max_length).clean(span(attributes={name: written}))
            assert attributes[name] == clean.attributes[name]


@pytest.mark.parametrize("text", ["enter your password:", "token=", 'say "password": ', "my api_key: '"])
def test_a_name_at_the_end_of_a_text_takes_nothing_of_what_follows(text):
    """The quote that ends a text in JSON is none that opens a secret."""
    messages = [{"role": "user", "content": text}, {"role": "user", "content": "and then"}]
    attributes, searched = recorded(prompt({"messages": messages}))
    shown = json.loads(attributes[semconv.INPUT_MESSAGES])
    assert [message["parts"][0]["content"] for message in shown] == [text, "and then"]
    assert searched == {semconv.INPUT_MESSAGES}


def test_only_the_secret_of_many_texts_is_taken():
    """Each text is cleaned by itself; the same text is cleaned wherever it stands."""
    attributes, searched = recorded(prompt(everywhere(f"the key is {KEY}.")) | {"other": ["untouched"]})
    assert attributes["other"] == '["untouched"]'
    assert searched >= {semconv.INPUT_MESSAGES, semconv.TOOL_DEFINITIONS, "other"}
    clean = "the key is sk-…[redacted]."
    first = json.loads(attributes[semconv.INPUT_MESSAGES])[0]
    assert first == {"role": clean, "parts": [{"type": "text", "content": clean}], "name": clean}


def test_a_secret_that_goes_on_in_the_next_text_goes():
    """The lines of a private key as a list."""
    lines = SECRETS["pem"].split("\n")
    attributes, searched = recorded({"tools": [{"lines": lines}], "messages": ["hello"]})
    assert "MIIE" not in attributes["tools"]
    assert searched == {"messages"}


@pytest.mark.parametrize(
    "value",
    [{"password": KEY}, {"a": {"data": "aGVsbG8gd29ybGQgb2YgbWVkaWE0", "mimeType": "image/png"}}, {"n": math.nan}],
    ids=["a secret's name", "media", "not a number"],
)
def test_what_is_not_plain_text_is_searched_as_json(value):
    """It is not called searched, so that the redactor looks at it; what stands beside it is."""
    attributes, searched = recorded({"tools": [value], "messages": ["hello"]})
    assert searched == {"messages"}
    assert KEY[-8:] not in attributes["tools"]
    assert "aGVsbG8" not in attributes["tools"]


def test_media_in_a_text_is_no_text():
    """A picture within a sentence becomes a reference."""
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 20
    attributes, searched = recorded(asked(f"look: {picture} there"))
    assert not searched
    assert "iVBOR" not in attributes[semconv.INPUT_MESSAGES]
    assert "<image/png of " in attributes[semconv.INPUT_MESSAGES]


def test_known_secrets_are_those_that_were_looked_for():
    """What is learnt later has not been looked for."""
    content = Content(MAX_LENGTH)
    try:
        secrets.learn("our*own*key*1")
        assert content.known is not secrets.forms
        content = Content(MAX_LENGTH)
        assert content.encoded(asked("it is our*own*key*1!")) == asked_as_json("it is [redacted]!")
        assert content.known is secrets.forms
    finally:
        secrets.forget()


def asked_as_json(text):
    return {name: to_json(value) for name, value in asked(text).items()}


def test_a_request_that_cannot_be_read_whole_is_written():
    """An object that raises is a word in angle brackets, and takes nothing else with it."""

    class Broken(dict):
        def items(self):
            raise RuntimeError

    attributes, searched = recorded({"tools": [Broken(a=1)], "messages": ["hello"]})
    assert attributes["tools"] == '["<unprintable Broken>"]'
    assert searched == {"messages"}
