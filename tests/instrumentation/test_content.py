"""The content of a call as JSON: searched for secrets before it is written, and the same as any other JSON of ours."""

from __future__ import annotations

import json
import math
from enum import Enum
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentops_otel import secrets, semconv
from agentops_otel.instrumentation import _clean_texts
from agentops_otel.instrumentation._content import Content
from agentops_otel.instrumentation.readers import chat, embeddings, responses
from agentops_otel.redaction import Redactor
from agentops_otel.secrets import scrub
from agentops_otel.text import MAX_LENGTH
from agentops_otel.values import to_json, to_text
from tests.fakes.secrets import BEFORE, NAMED, SECRETS, as_json
from tests.fakes.spans import span

KEY = SECRETS["openai"]


def recorded(values, max_length=MAX_LENGTH):
    """The attributes as they leave the process: what was searched is not searched again.

    Args:
        values: or a function that makes them with the `Content` that it is given.
    """
    content = Content(max_length)
    encoded = content.encoded(values(content) if callable(values) else values)
    others = {name: value for name, value in encoded.items() if name not in content.searched}
    return {**encoded, **Redactor(max_length=max_length).clean(span(attributes=others)).attributes}, {*content.searched}


def everywhere(text):
    """A request with a text at every place that is recorded, behind a number that is another at each."""
    numbers = count()

    def place():
        return f"{next(numbers)} {text}"

    arguments = json.dumps({"query": place(), place(): [place()]})
    call = {"id": place(), "function": {"name": place(), "arguments": arguments}}
    custom = {"id": place(), "custom": {"name": place(), "input": place()}}
    parts = [
        {"type": "text", "text": place()},
        {"type": "image_url", "image_url": {"url": place()}},
        {"type": "refusal", "refusal": place()},
        {"type": "thinking", "thinking": place()},
        {"type": "file", "file": {"file_id": place(), "filename": place()}},
        {"type": "file", "file": {"file_url": f"https://{place()}", "filename": place()}},
        {"type": "input_audio", "input_audio": {"data": "", "format": place()}},
        {"type": "image", "data": "aGVsbG8=", "mimeType": place()},
        {"type": place()},
        place(),
    ]
    parameters = {"type": "object", "properties": {place(): {"description": place(), "enum": [place()]}}}
    return {
        "messages": [
            {"role": place(), "content": place(), "name": place()},
            {"role": "user", "content": place(), "name": place()},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None, "tool_calls": [call, custom], "refusal": place()},
            {
                "role": "assistant",
                "content": None,
                "reasoning": place(),
                "audio": {"id": place(), "transcript": place()},
            },
            {"role": "assistant", "content": "", "function_call": {"name": place(), "arguments": place()}},
            {"role": "tool", "tool_call_id": place(), "content": place()},
            {"role": "tool", "tool_call_id": place(), "content": parts},
            place(),
        ],
        "tools": [
            {"type": "function", "function": {"name": place(), "description": place(), "parameters": parameters}}
        ],
    }


def items_everywhere(text):
    """The same of the Responses API."""
    body = everywhere(text)
    parts = body["messages"][2]["content"]
    numbers = count(1000)

    def place():
        return f"{next(numbers)} {text}"

    items = [
        {"role": place(), "content": parts},
        {"type": "function_call", "call_id": place(), "name": place(), "arguments": json.dumps({"a": place()})},
        {"type": "function_call_output", "call_id": place(), "output": place()},
        {"type": "custom_tool_call", "call_id": place(), "name": place(), "input": place()},
        {"type": "reasoning", "summary": [{"text": place()}]},
        {"type": "web_search_call", "id": place()},
        {"type": place(), "id": place()},
        place(),
    ]
    return {"instructions": place(), "input": items, "tools": body["tools"]}


def answers_everywhere(text):
    """An answer of chat completions and one of the Responses API."""
    choices = [
        {"message": message, "finish_reason": f"{text} {n}"} for n, message in enumerate(everywhere(text)["messages"])
    ]
    return {"choices": choices}, {"output": items_everywhere(text)["input"], "status": f"so {text}"}


def strings_in(value):
    """All texts of a value, and the names in its objects."""
    if isinstance(value, str):
        yield value
    for each in value.items() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from strings_in(each)


def test_every_text_of_a_message_is_known():
    """Messages are complete when each text in them was given to the object that searches; our readers say so."""
    completion, response = answers_everywhere("canary")
    for make in (
        lambda content: read(chat.prompt, {"messages": everywhere("canary")["messages"]}, content),
        lambda content: read(chat.completion_prompt, {"prompt": ["canary", "more canary"]}, content),
        lambda content: read(responses.prompt, items_everywhere("canary") | {"tools": []}, content),
        lambda content: read(responses.prompt, {"input": "canary"}, content),
        lambda content: read(embeddings.prompt, {"input": ["canary", "more canary"]}, content),
        lambda content: {"output": chat.output(completion, content)},
        lambda content: {"output": responses.output(response, content)},
        lambda content: {
            "output": chat.completion_output({"choices": [{"text": "canary", "finish_reason": "canary"}]}, content)
        },
    ):
        content = Content(MAX_LENGTH)
        values = make(content)
        found = [text for text in strings_in(values) if "canary" in text]
        assert found
        assert set(found) <= set(content._texts)
        assert all(any(value is complete for complete in content._complete) for value in values.values())


def test_messages_that_nobody_says_are_complete_are_looked_through():
    """A reader of another package may make messages itself."""
    content = Content(MAX_LENGTH)
    own = {"mine": [{"role": "user", "parts": [{"type": "text", "content": f"it is {KEY}"}]}]}
    encoded = content.encoded({**asked("hello", content), **own})
    assert encoded["mine"] == '[{"role":"user","parts":[{"type":"text","content":"it is sk-…[redacted]"}]}]'
    assert {*content.searched} == {semconv.INPUT_MESSAGES, "mine"}


def test_ids_are_searched_with_the_content():
    """They are new for each call; they are not changed here, and not called searched when there is a secret."""
    content = Content(MAX_LENGTH)
    content.encoded(asked("hello", content), {semconv.RESPONSE_ID: "resp_1", semconv.RESPONSE_MODEL: "gpt", "n": 1})
    assert {*content.searched} == {semconv.INPUT_MESSAGES, semconv.RESPONSE_ID}
    content = Content(MAX_LENGTH)
    content.encoded(asked("hello", content), {semconv.RESPONSE_ID: KEY})
    assert {*content.searched} == {semconv.INPUT_MESSAGES}


def read(reader, body, content=None):
    """What a reader of requests finds."""
    found = {}
    reader(body, content or Content(MAX_LENGTH), found)
    return found


def asked(text, content=None):
    return read(chat.prompt, {"messages": [{"role": "user", "content": text}]}, content)


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_no_secret_is_left_at_any_place(before):
    """Whatever stands before it, and wherever in a request: it goes, its surroundings stay, and JSON stays JSON."""
    written = {name: (secret, "{}") for name, secret in SECRETS.items() if name != "pem"}
    written |= {name: ("correct7horse9battery1staple", form) for name, form in NAMED.items() if name != "shape"}
    for name, (secret, form) in written.items():
        text = f"first{before}{form.format(secret)}\nlast"
        for read in (chat_of(text), responses_of(text)):
            attributes, _ = recorded(read)
            for value in attributes.values():
                if isinstance(value, str):
                    assert secret[-8:] not in value, (name, value)
            for attribute in (semconv.INPUT_MESSAGES, semconv.TOOL_DEFINITIONS):
                json.loads(attributes[attribute])
                assert "first" in attributes[attribute]
                assert "last" in attributes[attribute]


def chat_of(text):
    return lambda content: read(chat.prompt, everywhere(text), content)


def responses_of(text):
    return lambda content: read(responses.prompt, items_everywhere(text), content)


ANY = st.characters(exclude_categories=()).filter(lambda found: not (found.isascii() and found.isalnum()))


@settings(max_examples=150, deadline=None, database=None)
@given(before=ANY, depth=st.integers(0, 2), ascii_only=st.booleans())
@example(before="\n", depth=1, ascii_only=False)
def test_a_key_is_found_behind_any_character(before, depth, ascii_only):
    """As it is, in JSON, in JSON of JSON, with and without escapes, as a message and as a tool's argument."""
    text = as_json(f"first{before}{KEY} last", depth, ascii_only=ascii_only)
    assert KEY[-8:] not in scrub(text)
    for values in (lambda content: asked(text, content), chat_of(text)):
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
def test_content_is_the_text_that_anything_else_becomes(values, max_length):
    """Where there is no secret, searching first changes nothing of what is written."""
    attributes, searched = recorded(values, max_length)
    for name, value in values.items():
        written = to_text(value, max_length=max_length)
        if name in searched:
            assert attributes[name] == written or "[redacted]" in attributes[name]
        else:
            clean = Redactor(max_length=max_length).clean(span(attributes={name: written}))
            assert attributes[name] == clean.attributes[name]


@pytest.mark.parametrize("text", ["enter your password:", "token=", 'say "password": ', "my api_key: '"])
def test_a_name_at_the_end_of_a_text_takes_nothing_of_what_follows(text):
    """The quote that ends a text in JSON is none that opens a secret."""
    messages = [{"role": "user", "content": text}, {"role": "user", "content": "and then"}]
    attributes, searched = recorded(lambda content: read(chat.prompt, {"messages": messages}, content))
    shown = json.loads(attributes[semconv.INPUT_MESSAGES])
    assert [message["parts"][0]["content"] for message in shown] == [text, "and then"]
    assert searched == {semconv.INPUT_MESSAGES}


def test_only_the_secret_of_many_texts_is_taken():
    """Each text is cleaned by itself."""
    message = {"role": KEY, "content": f"the key is {KEY}.", "name": "untouched"}
    attributes, searched = recorded(lambda content: read(chat.prompt, {"messages": [message]}, content))
    clean = {"type": "text", "content": "the key is sk-…[redacted]."}
    assert json.loads(attributes[semconv.INPUT_MESSAGES]) == [
        {"role": "sk-…[redacted]", "parts": [clean], "name": "untouched"}
    ]
    assert searched == {semconv.INPUT_MESSAGES}


def test_a_secret_that_goes_on_in_the_next_text_goes():
    """The lines of a private key as a list."""
    lines = SECRETS["pem"].split("\n")
    attributes, searched = recorded({"tools": [{"lines": lines}], "messages": ["hello"]})
    assert json.loads(attributes["tools"]) == [{"lines": [lines[0], "[redacted]", "[redacted]"]}]
    assert searched == {"messages", "tools"}


def test_who_speaks_of_private_keys_is_recorded():
    """The messages behind a mention of one stay; a key that goes on in the next text goes."""
    first, line = SECRETS["pem"].partition("\n")[0], SECRETS["azure"]
    texts = [f"what does {first} mean?", f"it begins a key\n{first}", f"{first}\n{line[:40]}", line[40:], "the last"]
    messages = [{"role": "user", "content": text} for text in texts]
    attributes, _ = recorded(lambda content: read(chat.prompt, {"messages": messages}, content))
    shown = [message["parts"][0]["content"] for message in json.loads(attributes[semconv.INPUT_MESSAGES])]
    assert shown == [texts[0], f"it begins a key\n{first}[redacted]", f"{first}[redacted]", "[redacted]", "the last"]
    attributes, _ = recorded({"tools": [texts[2], line[:40], "the last"]})
    assert json.loads(attributes["tools"]) == [f"{first}[redacted]", "[redacted]", "the last"]


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
    attributes, searched = recorded(lambda content: asked(f"look: {picture} there", content))
    assert not searched
    assert "iVBOR" not in attributes[semconv.INPUT_MESSAGES]
    assert "<image/png of " in attributes[semconv.INPUT_MESSAGES]


def test_media_beside_a_long_text_is_no_text():
    """The long one is looked through when it is cut, the others with each other: none is left out."""
    picture = "iVBORw0KGgo" * 100
    texts = ["word " * 100, f"look: {picture} there", f"{picture} {'word ' * 300}"]

    def three(content):
        messages = [content.message("user", [content.text(text)]) for text in texts]
        return {semconv.INPUT_MESSAGES: content.complete(messages)}

    attributes, _ = recorded(three, max_length=1200)
    assert "iVBOR" not in attributes[semconv.INPUT_MESSAGES]
    assert "characters cut]" in attributes[semconv.INPUT_MESSAGES]


def test_known_secrets_are_those_that_were_looked_for():
    """What is learnt later has not been looked for."""
    content = Content(MAX_LENGTH)
    try:
        secrets.learn("our*own*key*1")
        assert content.known is not secrets.forms
        content = Content(MAX_LENGTH)
        assert content.encoded(asked("it is our*own*key*1!", content)) == asked_as_json("it is [redacted]!")
        assert content.known is secrets.forms
    finally:
        secrets.forget()


def asked_as_json(text):
    return {name: to_json(value) for name, value in asked(text).items()}


def test_a_request_that_cannot_be_read_whole_is_written():
    """An object that raises is a word in angle brackets, and takes nothing else with it."""

    class Broken:
        def __str__(self):
            raise RuntimeError

    attributes, searched = recorded({"tools": [Broken()], "messages": ["hello"]})
    assert attributes["tools"] == '["<unprintable Broken>"]'
    assert searched == {"messages"}


# ---- what comes again ----

PICTURE = "iVBORw0KGgo" * 100
AGAIN = st.sampled_from([
    *SECRETS["pem"].split("\n"), KEY, f"it is {KEY}", 'password: "', "correct7horse9battery1staple", "token=", PICTURE,
    "data:image/png;base64,", f"look: {PICTURE} there", "hello", "", "\n\x1f \n", "Bearer", "word " * 300,
])  # fmt: skip


@pytest.fixture
def nothing_is_clean(monkeypatch):
    """No text has come before."""

    def forget():
        monkeypatch.setattr(_clean_texts, "_last", _clean_texts.CleanTexts(secrets.forms))

    forget()
    return forget


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(st.lists(AGAIN | WORDS, max_size=3), max_size=4), texts=st.lists(AGAIN | WORDS, max_size=5))
@example(before=[[line] for line in SECRETS["pem"].split("\n")[1:]], texts=SECRETS["pem"].split("\n")[:-1])
@example(before=[["hello"]], texts=["hello", f"it is {KEY}"])
def test_what_was_searched_before_changes_nothing(nothing_is_clean, before, texts):
    """A text that comes again is recorded as if it came for the first time, whatever stands beside it now."""

    def said(content):
        return read(chat.prompt, {"messages": [{"role": "user", "content": text} for text in texts]}, content)

    for max_length in (400, MAX_LENGTH):
        nothing_is_clean()
        first = recorded(said, max_length)[0]
        nothing_is_clean()
        for each in before:
            recorded(lambda content, each=each: {"messages": content.complete([asked_one(each, content)])}, max_length)
        assert recorded(said, max_length)[0] == first
        assert recorded(said, max_length)[0] == first


def asked_one(texts, content):
    return content.message("user", [content.text(text) for text in texts])


def test_a_text_that_comes_again_is_not_searched_again(nothing_is_clean, monkeypatch):
    """Of a conversation only what is new is searched; all of it, as soon as another secret is known."""
    searched = []
    monkeypatch.setattr(secrets, "scrub", lambda text: searched.append(text) or scrub(text))
    recorded(lambda content: asked("hello", content))
    recorded(lambda content: asked("hello", content))
    assert searched == ["hello", ""]
    searched.clear()
    recorded(lambda content: {"messages": content.complete([asked_one(["hello", "and more"], content)])})
    assert searched == ["and more"]
    try:
        secrets.learn("and*more*12")
        searched.clear()
        recorded(lambda content: asked("hello", content))
        assert searched == ["hello"]
    finally:
        secrets.forget()


class Odd(str):
    """A text of a program's own class, which has no hash."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other):
        return self.casefold() == other


class Role(str, Enum):
    """As SDKs have them: its hash is another one than that of its text."""

    USER = "user"


@pytest.mark.parametrize("text", ["nothing", f"it is {KEY}"])
def test_a_text_that_is_more_than_that_is_recorded(nothing_is_clean, text):
    """What a class of texts is besides them, its messages do not show, and it costs nobody else's text."""

    def said(content, kind=str):
        given = kind(text)
        parts = [content.text(given), content.tool_call(given, given, given), content.tool_response(given, given)]
        return {"messages": content.complete([content.message("user", parts, name=given)])}

    expected = recorded(said)
    for _ in range(2):
        assert recorded(lambda content: said(content, Odd)) == expected
    values, _ = recorded(lambda content: {"messages": content.complete([content.message(Role.USER, [])])})
    assert values == {"messages": '[{"role":"user","parts":[]}]'}


def test_clean_texts_take_little_memory(nothing_is_clean):
    """A program that never says the same twice keeps a bounded part of it, and no long text."""
    for number in range(1200):
        recorded(lambda content, number=number: asked(f"{number} " * 200, content))
        recorded(lambda content, number=number: asked(f"{number} " * 8000, content))
    texts = _clean_texts._last.texts
    assert 0 < sum(map(len, texts)) <= _clean_texts.MOST
    assert max(map(len, texts)) <= _clean_texts.LONGEST
