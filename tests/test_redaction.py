"""Redaction: any object in, what OTLP carries out, and no secret with it."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from agentops_otel import secrets
from agentops_otel.redaction import REDACTION_FAILED, Redactor
from agentops_otel.secrets import REDACTED, learn, scrub
from agentops_otel.text import MAX_LENGTH, cut
from agentops_otel.values import sanitize, to_json, to_text

CONTEXT = SpanContext(0x1234, 0x56, is_remote=False, trace_flags=TraceFlags(1))
PARENT = SpanContext(0x1234, 0x57, is_remote=True, trace_flags=TraceFlags(1))
RESOURCE = Resource({"service.name": "tests"})
SCOPE = InstrumentationScope("tests", "1")


def span(**changes):
    given_fields = {
        "name": "chat gpt-4o",
        "context": CONTEXT,
        "parent": PARENT,
        "resource": RESOURCE,
        "attributes": {"session.id": "s", "agentops.span.kind": "llm", "gen_ai.usage.input_tokens": 10},
        "kind": SpanKind.CLIENT,
        "start_time": 1_000,
        "end_time": 2_000,
        "instrumentation_scope": SCOPE,
    }
    return ReadableSpan(**{**given_fields, **changes})


def on_the_wire(*spans):
    """The spans after the real encoder, as protobuf messages."""
    encoded = encode_spans(spans)
    return [each for group in encoded.resource_spans for scope in group.scope_spans for each in scope.spans]


# ---------------------------------------------------------------------------------------------------------------- text


def test_cut_says_how_much():
    """A cut text is as long as was asked for and says how many characters are missing."""
    text = cut("x" * 100_000, 1000)

    assert len(text) <= 1000
    kept = text.count("x")
    assert text == "x" * kept + f"… [{100_000 - kept:,} characters cut]"


@pytest.mark.parametrize("text", ["", "short", "x" * 1000])
def test_cut_leaves_what_fits(text):
    """A text that fits is the same object."""
    assert cut(text, 1000) is text


@pytest.mark.parametrize("length", [1, 2, 10, 33])
def test_cut_is_never_longer_than_asked(length):
    """Also where there is no room for the mark."""
    assert len(cut("x" * 100, length)) <= length


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("grün 🚀", "grün 🚀"),
        ("nul\x00byte", "nul\x00byte"),
        ("\ud83d", "\\ud83d"),
        ("grün \udfff!", "grün \\udfff!"),
    ],
)
def test_text_can_be_encoded(text, shown):
    """Text stays as it is; only a lone surrogate, which no UTF-8 can carry, becomes its escape."""
    assert sanitize(text) == to_text(text) == shown
    assert sanitize(text).encode()


# ------------------------------------------------------------------------------------------------------------- objects


class Unprintable:
    def __str__(self):
        raise RuntimeError("no")

    def __bool__(self):
        raise RuntimeError("no")

    def __len__(self):
        raise RuntimeError("no")


class HostileDict(dict):
    def items(self):
        raise RuntimeError("no")


class Liar:
    @property
    def __class__(self):
        raise RuntimeError("no")


class Scalar:
    """What a NumPy scalar looks like."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


class Array:
    """What a NumPy array looks like."""

    def __init__(self, *values, shape=None):
        self.values = values
        self.shape = shape or (len(values),)

    def tolist(self):
        return list(self.values)


class Color(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no")


@dataclass
class Point:
    x: int
    label: str


CYCLIC: list[object] = [1]
CYCLIC.append(CYCLIC)
CYCLIC_DICT: dict[str, object] = {}
CYCLIC_DICT["me"] = CYCLIC_DICT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(True, True, id="bool"),
        pytest.param(2**63 - 1, 2**63 - 1, id="int64"),
        pytest.param(2**63, "9223372036854775808", id="int above 64 bits"),
        pytest.param(-(2**63) - 1, "-9223372036854775809", id="int below 64 bits"),
        pytest.param(10**5000, "<int of 16610 bits>", id="int too long for text"),
        pytest.param(0.1, 0.1, id="float"),
        pytest.param(math.inf, math.inf, id="inf"),
        pytest.param(None, "null", id="None"),
        pytest.param(b"text", "text", id="bytes of text"),
        pytest.param(b"\xff\xfe", "//4=", id="other bytes"),
        pytest.param(Decimal("1.5"), 1.5, id="Decimal"),
        pytest.param(Decimal("0.1234567890123456789"), "0.1234567890123456789", id="long Decimal"),
        pytest.param(Decimal("NaN"), "NaN", id="Decimal NaN"),
        pytest.param(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "2026-01-02T03:04:05+00:00", id="datetime"),
        pytest.param(date(2026, 1, 2), "2026-01-02", id="date"),
        pytest.param(UUID(int=1), "00000000-0000-0000-0000-000000000001", id="UUID"),
        pytest.param(Path("a") / "b", str(Path("a") / "b"), id="Path"),
        pytest.param(Color.RED, "red", id="Enum"),
        pytest.param(Number.ONE, 1, id="IntEnum"),
        pytest.param(Text("sub"), "sub", id="str subclass"),
        pytest.param(Scalar(3), 3, id="scalar"),
        pytest.param(Scalar(2.5), 2.5, id="float scalar"),
        pytest.param(Array(1, 2, 3), "[1,2,3]", id="array"),
        pytest.param(Array(shape=(1000, 1000)), "<Array of shape (1000, 1000)>", id="large array"),
        pytest.param([], (), id="empty list"),
        pytest.param(["a", "b"], ("a", "b"), id="texts"),
        pytest.param((1, 2), (1, 2), id="ints"),
        pytest.param([1, 2.5], (1.0, 2.5), id="int and float"),
        pytest.param([True, False], (True, False), id="bools"),
        pytest.param([1, "a", None], '[1,"a",null]', id="mixed list"),
        pytest.param([1, 2**64], "[1,18446744073709551616]", id="list with a large int"),
        pytest.param({"b", "a"}, '["a","b"]', id="set"),
        pytest.param({"a": {"b": [1, None]}}, '{"a":{"b":[1,null]}}', id="dict"),
        pytest.param(OrderedDict(a=1), '{"a":1}', id="OrderedDict"),
        pytest.param(MappingProxyType({"a": 1}), '{"a":1}', id="mapping"),
        pytest.param(deque([1, "a"]), '[1,"a"]', id="deque"),
        pytest.param(range(3), "[0,1,2]", id="range"),
        pytest.param({1: "a", None: "b"}, '{"1":"a","None":"b"}', id="other keys"),
        pytest.param({"n": math.nan, "i": -math.inf}, '{"n":"NaN","i":"-Infinity"}', id="NaN inside JSON"),
        pytest.param(Point(1, "here"), '{"x":1,"label":"here"}', id="dataclass"),
        pytest.param([Point(1, "here")], '[{"x":1,"label":"here"}]', id="dataclass in a list"),
        pytest.param(ValueError("bad"), "ValueError: bad", id="exception"),
        pytest.param(int, "<type int>", id="class"),
        pytest.param(len, "<builtin_function_or_method len>", id="function"),
        pytest.param(CYCLIC, '[1,"<cyclic>"]', id="cyclic list"),
        pytest.param(CYCLIC_DICT, '{"me":"<cyclic>"}', id="cyclic dict"),
        pytest.param(Unprintable(), "<unprintable Unprintable>", id="raising __str__"),
        pytest.param({"a": Unprintable()}, '{"a":"<unprintable Unprintable>"}', id="raising __str__ inside"),
        pytest.param({Unprintable(): 1}, '{"<unprintable Unprintable>":1}', id="raising __str__ of a key"),
        pytest.param(HostileDict(a=1), '"<unprintable HostileDict>"', id="raising items()"),
        pytest.param(Liar(), "<unprintable Liar>", id="raising __class__"),
        pytest.param(
            ValueError(Unprintable()), "ValueError: <unprintable ValueError>", id="exception that cannot be shown"
        ),
        pytest.param({"\ud83d": "\udfff"}, '{"\\\\ud83d":"\\\\udfff"}', id="surrogates inside JSON"),
    ],
)
def test_sanitize(value, expected):
    """Every kind of object has one plain form, with the type of that form."""
    shown = sanitize(value)

    assert shown == expected
    assert type(shown) is type(expected)


def test_sanitize_keeps_nan():
    """NaN stays a float in an attribute."""
    assert math.isnan(sanitize(math.nan))


def test_pydantic_model_is_its_fields():
    """A pydantic model is shown by its fields, without calling its methods."""
    pydantic = pytest.importorskip("pydantic")

    class Order(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")
        number: int
        customer: str

        def model_dump(self, **kwargs):
            raise RuntimeError("no")

        def __str__(self):
            raise RuntimeError("no")

    assert sanitize(Order(number=1842, customer="Ada", note="x")) == '{"number":1842,"customer":"Ada","note":"x"}'


def test_iterators_are_not_consumed():
    """A generator is named, never run: the user still gets all of it."""
    numbers = (n for n in range(3))
    pairs = zip("ab", "cd", strict=True)

    assert sanitize(numbers) == "<generator>"
    assert sanitize([numbers, 1]) == '["<generator>",1]'
    assert sanitize(pairs) == "<zip>"
    assert list(numbers) == [0, 1, 2]
    assert list(pairs) == [("a", "c"), ("b", "d")]


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["list", "dict"])
def test_depth_is_cut(make):
    """Nesting of 5,000 is cut at 16, with a mark, and without a RecursionError."""
    value = make("deepest")
    for _ in range(5000):
        value = make(value)

    shown = sanitize(value)

    assert "deepest" not in shown
    assert json.loads(shown)
    assert "<1 item>" in shown
    assert shown.count("[") + shown.count("{") == 16


def test_long_lists_are_cut():
    """A list of a million is cut at 1,000 items and says how many are missing."""
    numbers = sanitize(list(range(1_000_000)))
    texts = sanitize(["x"] * 1_000_000)

    assert json.loads(numbers)[-2:] == [999, "… 999,000 more items"]
    assert (len(texts), texts[-1]) == (1000, "… 999,001 more items")
    assert json.loads(sanitize(list(range(1001))))[-1] == "… 1 more item"
    assert sanitize(texts) == texts


@pytest.mark.parametrize("length", [960, 1000, 1008, 1009, 1600])
def test_lists_of_long_texts_are_cut(length):
    """A list of texts is as long as 16 texts may be, with a mark, and cutting it again changes nothing."""
    shown = sanitize(["x" * length] * 20, max_length=1000)

    assert sum(map(len, shown)) <= 16_000
    assert shown[-1].endswith("more items")
    assert sanitize(shown, max_length=1000) == shown
    assert sanitize(["x" * 799] * 20, max_length=1000) == ("x" * 799,) * 20


def test_large_trees_are_cut():
    """What is many lists of many things is bounded as a whole, and stays valid JSON."""
    shown = to_json([["x" * 100] * 1000] * 1000, max_length=1000)

    assert len(shown) < 1000 * 16 * 2
    assert json.loads(shown)[-1].endswith("more items")


def test_each_text_inside_is_cut():
    """A long text in a structure is cut, the structure stays whole."""
    shown = json.loads(to_json({"long": "x" * 10_000, "short": "y"}, max_length=100))

    assert shown["short"] == "y"
    assert 60 < len(shown["long"]) <= 100
    assert shown["long"].endswith("characters cut]")


def test_to_text_leaves_text_and_makes_json_of_the_rest():
    """Text is not quoted; everything else is JSON."""
    assert to_text("text") == "text"
    assert to_text({"a": 1}) == '{"a":1}'
    assert to_text(None) == "null"
    assert to_json("text") == '"text"'


@pytest.mark.parametrize(
    "value",
    [{"a": [1, 2.5, True, None, 'ü\n"\\']}, [], {}, "text", 1, [{"role": "user", "parts": [{"type": "text"}]}] * 10],
    ids=repr,
)
@pytest.mark.parametrize("with_pydantic", [True, False])
def test_quick_and_slow_json_are_the_same(monkeypatch, value, with_pydantic):
    """Plain JSON is the same whichever encoder writes it."""
    if with_pydantic:
        pytest.importorskip("pydantic_core")
    else:
        monkeypatch.delitem(sys.modules, "pydantic_core", raising=False)

    assert to_json(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_program_passes(raised):
    """Ctrl-C in the middle of an object's code still stops the program."""

    class Stopping:
        def __str__(self):
            raise raised

    with pytest.raises(raised):
        sanitize({"a": Stopping()})


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
)
KEYS = st.text(st.characters(exclude_categories=()), max_size=5) | st.integers() | st.none() | st.tuples(st.integers())
ODD = st.one_of(
    *(st.builds(kind) for kind in (Unprintable, Liar)),
    st.builds(HostileDict, a=st.integers()),
    st.builds(Scalar, st.integers()),
    st.builds(Point, st.integers(), st.just("\ud83d")),
    st.sampled_from([CYCLIC, CYCLIC_DICT, Color.RED, object]),
)
TREES = st.recursive(
    PLAIN | st.decimals() | st.datetimes() | st.uuids() | ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_anything_can_be_sent(value):
    """Whatever the object: OTLP encodes what it becomes, doing it twice changes nothing, and JSON is JSON."""
    shown = sanitize(value)
    (sent,) = on_the_wire(span(attributes={"value": shown}))

    assert [each.key for each in sent.attributes] == ["value"]
    again = sanitize(shown)
    assert again == shown or (math.isnan(shown) and math.isnan(again))
    json.loads(to_json(value), parse_constant=pytest.fail)


@pytest.mark.parametrize("max_length", [100, 1000, 65536])
@pytest.mark.parametrize(
    "value",
    [
        {str(n): n for n in range(3000)},
        [{str(n): n for n in range(900)}] * 50,
        [["\x00" * 5000, '"' * 5000]] * 50,
        [2**1000] * 3000,
        [0.1234567890123456] * 3000,
        [Unprintable()] * 3000,
        [[[[]]]] * 3000,
        [type("N" * 10_000, (), {})] * 3000,
    ],
    ids=["dict", "dicts", "escapes", "large ints", "floats", "unprintable", "empty lists", "long names"],
)
def test_json_is_bounded_as_it_is_written(value, max_length):
    """JSON is never longer than 16 texts, whatever it is made of, so that nothing has to cut it afterwards."""
    written = to_json(value, max_length=max_length)
    shown = sanitize(value, max_length=max_length)

    assert len(written) <= 16 * max_length
    assert json.loads(written)
    assert sanitize(shown, max_length=max_length) == shown
    assert Redactor(max_length=max_length).clean(span(attributes={"json": written})).attributes["json"] == written


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TREES)
def test_any_span_can_be_sent(name, value):
    """Whatever somebody put into a span, the redactor makes it one that is sent whole."""
    given_span = span(name=name, attributes={"value": value, "a\ud83d": value}, start_time=value, end_time=name)
    (sent,) = on_the_wire(Redactor().clean(given_span))

    assert {each.key for each in sent.attributes} - {"agentops.coerced"} == {"value", "a\\ud83d"}


# ------------------------------------------------------------------------------------------------------------- secrets

SECRETS = {
    "openai": "sk-abcdefghijklmnop1234567890ABCDEF",
    "openai project": "sk-proj-Zm9vYmFy_Zm9vYmFy-1234567890",
    "openai masked": "sk-ab12****************************wxyz",
    "anthropic": "sk-ant-api03-AbCdEfGhIjKl-MnOpQr_StUvWx",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "groq": "gsk_abcdefghijklmnop1234567890ABCDEF",
    "hugging face": "hf_AbCdEfGhIjKlMnOpQrStUvWxYz12345678",
    "github": "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "github oauth": "gho_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "github fine-grained": "github_pat_11ABCDEFG0abcdefghijkl_MNOPQRSTUVWXYZ",
    "slack": "xoxb-123456789012-abcdefghijkl",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "xai": "xai-AbCdEfGhIjKlMnOpQrSt1234567890",
    "gitlab": "glpat-AbCdEfGhIj1234567890",
    "stripe": "sk_live_AbCdEfGhIj1234567890",
    "nvidia": "nvapi-AbCdEfGhIjKl-MnOpQr_StUvWx1234567890",
    "cerebras": "csk-abcdefghij1234567890klmnopqrst",
    "fireworks": "fw_AbCdEfGhIjKlMnOpQrSt1234",
    "replicate": "r8_AbCdEfGhIjKlMnOpQrStUvWxYz123456789",
    "npm": "npm_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "tavily": "tvly-dev-AbCdEfGhIjKlMnOpQrStUvWxYz12",
    "digitalocean": "dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "perplexity": "pplx-AbCdEfGhIjKlMnOpQrSt1234567890",
    "sendgrid": "SG.AbCdEfGhIjKlMnOpQr12Aw.AbCdEfGhIjKlMnOpQrStUvWxYz1234567890AbCdEfG",
    "stripe webhook": "whsec_AbCdEfGhIj1234567890",
    "square": "sq0atp-AbCdEfGhIj_1234567890A",
    "shopify": "shpat_0123456789abcdef0123456789abcdef",
    "linear": "lin_api_AbCdEfGhIjKlMnOpQrStUvWxYz1234567890",
    "google oauth": "ya29.a0AbCdEfGhIjKlMnOp-QrStUv_WxYz1234567890",
    "aws temporary": "ASIAIOSFODNN7EXAMPLE",
    "slack app": "xapp-1-A0123456789-0123456789-abcdef",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+IBAAKC/AQEA\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "around",
    ["{}", "Incorrect key provided: {}.", '[{{"content": "my key is {}"}}]', "a={}&b", "x\n{}\ny"],
    ids=["alone", "sentence", "json", "query", "lines"],
)
def test_keys_are_taken_out_by_their_shape(secret, around):
    """A key is recognised wherever it stands; what is around it stays, also valid JSON."""
    text = around.format(secret)
    clean = scrub(text)

    assert REDACTED in clean
    assert secret[len(secret) // 2 :][:8] not in clean
    if text.startswith("["):
        assert json.loads(clean.replace("\n", "\\n"))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("sk-abcdefghijklmnop1234567890ABCDEF", "sk-…[redacted]"),
        ("key sk-proj-Zm9vYmFy1234567890 end", "key sk-proj-…[redacted] end"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer [redacted]"),
        ('{"authorization": "Basic dXNlcjpwYXNz"}', '{"authorization": "[redacted]"}'),
        ("authorization: basic dXNlcjpwYXNz", "authorization: [redacted]"),
        ("https://user:pass@host/path?q=1", "https://[redacted]@host/path?q=1"),
        ("postgres://:pass@host/db", "postgres://[redacted]@host/db"),
        ("OPENAI_API_KEY=abcd1234", "OPENAI_API_KEY=[redacted]"),
        ("https://host/blob?sv=1&sig=abcd1234%2B&se=2", "https://host/blob?sv=1&sig=[redacted]&se=2"),
        ("https://host/x?X-Amz-Signature=abcdef0123", "https://host/x?X-Amz-Signature=[redacted]"),
        ("run --api-key abcdefgh -v", "run --api-key [redacted] -v"),
        ("--db-password hunter2hunter2", "--db-password [redacted]"),
        ("https://host/?api_key=abcd1234&x=1", "https://host/?api_key=[redacted]&x=1"),
        ('{"api_key": "abcd"}', '{"api_key": "[redacted]"}'),
        ('{"apiKey":"abcd","x":"y"}', '{"apiKey":"[redacted]","x":"y"}'),
        ('{"a": "{\\"password\\": \\"hunter2\\"}"}', '{"a": "{\\"password\\": \\"[redacted]\\"}"}'),
        ('{"password" : "hunter2"}', '{"password" : "[redacted]"}'),
        ('{"a": "{\\"password\\" : \\"hunter2\\"}"}', '{"a": "{\\"password\\" : \\"[redacted]\\"}"}'),
        (
            json.dumps({"a": json.dumps({"b": '{"password" : "hunter2"}'})}),
            json.dumps({"a": json.dumps({"b": '{"password" : "[redacted]"}'})}),
        ),
        ("{'secret': 'abc', 'y': 1}", "{'secret': '[redacted]', 'y': 1}"),
        ("password: hunter2", "password: [redacted]"),
        ('passwd = "pa ss"', 'passwd = "[redacted]"'),
        ('{"accessToken": "abc"}', '{"accessToken": "[redacted]"}'),
        ('{"refresh_token": "abc"}', '{"refresh_token": "[redacted]"}'),
        ('{"x-api-key": "abc"}', '{"x-api-key": "[redacted]"}'),
        ('{"Set-Cookie": "sid=abc"}', '{"Set-Cookie": "[redacted]"}'),
        ('{"private_key": "a\\nb", "c": "d"}', '{"private_key": "[redacted]", "c": "d"}'),
        ('{"aws_secret_access_key": "a\\"b"}', '{"aws_secret_access_key": "[redacted]"}'),
        ('{"password": "a", "secret": "b"}', '{"password": "[redacted]", "secret": "[redacted]"}'),
    ],
)
def test_secrets_leave_their_surroundings(text, clean):
    """Exactly the secret is replaced, and doing it twice changes nothing more."""
    assert scrub(text) == clean
    assert scrub(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        '{"max_tokens": 1000, "input_tokens": 123456, "total_tokens":"1234567"}',
        '{"token_count": "abc", "tokenizer": "cl100k_base", "keyword": "search term", "key": "value"}',
        '{"primary_key": "id", "monkey": "banana", "sort_key": "created_at"}',
        '{"token": 5, "password": null, "secret": true}',
        "The password must be changed every month. Your token: none yet.",
        "risk-adjusted task-management sk-learn sk-SK",
        "hf_hub_download_settings_for_a_model gsk_ gh_ hf_",
        "xai-grok-4-fast-reasoning-latest jina_embeddings_v2_base_en_model fw_1 r8_of_something_long npm_config_2",
        "mail ada@example.com or see http://example.com/a@b and ssh://git@github.com/x.git",
        "a bearer of bad news; Bearer of the ring",
        "eyJ is how it begins. AIza too. AKIA three.",
        "token = next_token(stream)",
        "sort --key name --key=value and --tokens many --password",
        "the signature=of(x) and design=blue; a?design=sig-nature",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "chatcmpl-9abcDEF1234567890 req_0123456789abcdef0123456789abcdef resp_67ccd2bed1ec8190b14f964abc054267",
        "4f2a1c7e-9b3d-4c5e-8f6a-7b8c9d0e1f2a",
    ],
)
def test_what_is_no_secret_stays(text):
    """Token counts, ids and words that look like keys are the same object afterwards."""
    assert scrub(text) is text


@pytest.mark.parametrize(
    ("start", "characters", "least"),
    [(start, characters, least) for starts, characters, least in secrets._KEYS for start in starts.split()],
)
def test_each_row_of_the_table_of_keys_finds_its_key(start, characters, least):
    """A row is all that a new kind of key needs: it is found where a word begins, and not inside of one."""
    possible = re.compile(f"[{characters}]")
    body = "".join(each for each in "a1bC2dE3fG4h5A6B7C8D9E0F" * 4 if possible.match(each))[: least + 2]
    assert scrub(f"key\n{start}{body} end") == f"key\n{start}…[redacted] end"
    assert scrub(json.dumps(f"\t{start}{body}\n")) == f'"\\t{start}…[redacted]\\n"'
    for text in (f"x{start}{body}", f"the {start} begins"):
        assert scrub(text) is text


VALUES = ['{{"{}": "abcdef12345678"}}', "{}: abcdef12345678", "{}=abcdef12345678", "{{'{}': 'abcdef'}}"]
NO_SECRETS = [
    "max_tokens", "token_count", "next_page_token", "page_token", "nextPageToken", "pageToken", "sync_token",
    "nextSyncToken", "cursor_token", "continuation_token", "continuationToken", "x-continuation-token", "NextToken",
    "PAGE_TOKEN", "eos_token", "pad_token", "pagination_token", "prompt_token", "total_tokens", "deltaToken",
    "resume_token", "time_per_output_token",
]  # fmt: skip
TOKENS = [
    "token", "access_token", "refresh_token", "id_token", "session_token", "api token", "bot_token", "auth_token",
    "accessToken", "GITHUB_TOKEN", "x-auth-token", "X-Amz-Security-Token", "slack_bot_token", "csrfToken",
    "next_access_token", "api_token", "AuthToken", "TOKEN", "request.token", "Ocp-Apim-Subscription-Key", "AccountKey",
    "SharedAccessKey", "api key",
]  # fmt: skip


@pytest.mark.parametrize("form", VALUES)
@pytest.mark.parametrize("name", NO_SECRETS)
def test_a_token_that_marks_a_place_is_no_secret(name, form):
    """Where a list goes on, or how many tokens there are, is what a trace is read for."""
    text = form.format(name)
    assert scrub(text) is text
    assert Redactor().clean(given := span(attributes={name: "abcdef12345678"})) is given


@pytest.mark.parametrize("form", VALUES)
@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_lets_in_is_a_secret(name, form):
    """However it is named and written, its value goes."""
    assert "abcdef" not in scrub(form.format(name))
    assert Redactor().clean(span(attributes={name: "abcdef12345678"})).attributes[name] == REDACTED


# What may stand right before a secret in a text, and what that becomes when the text is put into JSON.
BEFORE = {
    "line break": "\n",
    "carriage return": "\r",
    "tab": "\t",
    "form feed": "\f",
    "backspace": "\b",
    "quote": '"',
    "backslash and quote": '\\"',
    "space": " ",
    "space as JSON may write it": "\\u0020",
    "line break as JSON writes it": "\\n",
    "tab as JSON in JSON writes it": "\\\\t",
    "letter that is not ASCII": "é",
    "emoji": "\U0001f511",
    "lone surrogate": "\ud83d",
    "control character": "\x1b",
    "colour of a terminal": "\x1b[1;32m",
    "percent encoding": "?q=%0A",
}
# `{}` is the secret: it has to go, and the words around it have to stay.
NAMED = {
    "shape": "{}",
    "password": "password: {}",
    "password, tab": "password:\t{}",
    "quoted password": 'password: "{}"',
    "quoted words": 'password = "correct {}"',
    "assignment": "api_key={}",
    "JSON": '{{"api_key": "{}"}}',
    "JSON with a quote inside": '{{"client_secret": "a\\"{}"}}',
    "Python": "{{'secret': '{}'}}",
    "bearer": "Bearer {}",
    "bearer, tab": "Bearer\t{}",
    "header": "Authorization: Bearer {}",
    "basic": "authorization: basic {}",
    "option": "--api-key {}",
    "URL": "https://user:{}@host/",
    "URL as PHP writes it": "https:\\/\\/user:{}@host\\/",
    "signature": "https://host/?sig={}",
}


def as_json(text, depth, *, ascii_only):
    """`text` in JSON, in JSON, ..."""
    for _ in range(depth):
        text = json.dumps({"content": text, "role": "user"}, ensure_ascii=ascii_only)
    return text


def from_json(text, depth):
    for _ in range(depth):
        text = json.loads(text)["content"]
    return text


@pytest.mark.parametrize("ascii_only", [False, True], ids=["", "ascii"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_a_secret_is_found_behind_whatever_stands_before_it(before, depth, ascii_only):
    """A word begins behind an escape too, also in JSON within JSON; what is searched stays JSON."""
    shaped = {name: (secret, "{}") for name, secret in SECRETS.items()}
    named = {name: ("correct7horse9battery1staple", form) for name, form in NAMED.items() if name != "shape"}
    for name, (secret, form) in (shaped | named).items():
        text = f"first{before}{form.format(secret)}\nlast"
        clean = scrub(as_json(text, depth, ascii_only=ascii_only))

        assert secret[8:].partition("\n")[2] or secret[-8:] not in clean, (name, clean)
        assert "MIIEow" not in clean
        shown = from_json(clean, depth)
        assert shown.startswith("first"), name
        assert shown.endswith("\nlast"), (name, shown)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("write", [repr, json.dumps], ids=["repr", "json"])
def test_a_secret_is_found_in_what_repr_makes_of_json(depth, write):
    """SDKs put the `repr()` of an answer into their errors: each quote has more or other backslashes than in JSON."""
    for name, form in NAMED.items():
        if name == "shape":
            continue
        text = as_json(f"it's\n{form.format('correct7horse9battery1staple')}\nlast", depth, ascii_only=False)
        for shown in (
            f"Error code: 400 - { ({'error': {'message': text}}) }",
            write(repr([text])),
            repr(write([text])),
        ):
            assert "battery1" not in scrub(shown), (name, shown)


@pytest.mark.parametrize("left", [1, 5, 12, 20, 35])
@pytest.mark.parametrize("secret", [secret for name, secret in SECRETS.items() if name != "pem"])
def test_a_key_that_a_cut_falls_into_goes_whole(secret, left):
    """The beginning of a key is too short to be known as one: the cut takes the whole word."""
    text = ("word " * 13107 + "end ")[: MAX_LENGTH - 32 - left - 1] + " " + secret + " more" * 100
    shown = Redactor().clean(span(attributes={"text": text, "json": to_json([text])})).attributes

    for written in shown.values():
        assert secret[:3] not in written or REDACTED in written
        assert secret[12:20] not in written
        assert len(written) > MAX_LENGTH - 200


@settings(max_examples=100, deadline=None, database=None)
@given(st.text(st.sampled_from("sk-_:=@\"'\\ Bearer/token.AKIAeyJ\n1xo"), max_size=300))
def test_scrubbing_twice_is_scrubbing_once(text):
    """What was taken out is not taken out again, whatever the text is made of."""
    once = scrub(text)

    assert scrub(once) == once


# --------------------------------------------------------------------------------------------------------------- spans


def test_clean_span_is_the_same_object():
    """A span in which nothing has to change is handed on as it is."""
    clean = span(
        attributes={"gen_ai.input.messages": '[{"role":"user"}]', "tags": ("a", "b"), "n": 1, "f": 0.5, "b": True},
        events=(Event("exception", {"exception.message": "bad"}, 5),),
        links=(Link(PARENT, {"why": "because"}),),
        status=Status(StatusCode.ERROR, "bad"),
    )

    assert Redactor().clean(clean) is clean


def test_secrets_leave_every_part_of_a_span():
    """Name, attributes, lists, events, links and the status: what the encoder sends has the secret nowhere."""
    secret = SECRETS["openai"]
    dirty = span(
        name=f"call {secret}",
        attributes={
            "a": secret,
            "list": (secret, "x"),
            "password": "hunter2",
            "http.request.header.cookie": ("sid=1",),
        },
        events=(Event("exception", {"exception.message": secret, "exception.stacktrace": f"raise E('{secret}')"}, 5),),
        links=(Link(PARENT, {"why": secret}),),
        status=Status(StatusCode.ERROR, f"E: {secret}"),
    )
    clean = Redactor().clean(dirty)
    wire = encode_spans([clean]).SerializeToString()

    assert secret[8:].encode() not in wire
    assert b"hunter2" not in wire
    assert b"sid=1" not in wire
    assert clean.attributes["list"] == ("sk-…[redacted]", "x")
    assert clean.status.description == "E: sk-…[redacted]"
    assert dirty.attributes["a"] == secret


@pytest.mark.parametrize(
    ("given_values", "clean_values"),
    [
        (("stop", SECRETS["openai"]), ("stop", "sk-…[redacted]")),
        (("run", "--api-key", "hunter2", "-v"), ("run", "--api-key", REDACTED, "-v")),
        (("run", "--password=hunter2"), ("run", f"--password={REDACTED}")),
        (("--no-password", "-t", "x"), ("--no-password", "-t", "x")),
    ],
)
def test_lists_of_texts_are_searched_every_time(given_values, clean_values):
    """A list under a known name is looked at anew, and so is what stands behind an option of a command line."""
    redactor = Redactor()
    for values in (("stop",), ("hunter2",), given_values, given_values):
        clean = redactor.clean(span(attributes={"args": values}))
    assert clean.attributes["args"] == clean_values


def test_a_changed_span_keeps_the_rest():
    """The copy has the same ids, times, kind, resource, scope and status code, and the counts of what was dropped."""
    provider = TracerProvider(resource=RESOURCE)
    with provider.get_tracer("tests", "1").start_as_current_span("chat") as started:
        started.set_attribute("a", SECRETS["openai"])
        for n in range(200):
            started.set_attribute(f"n{n}", n)
        started.set_attribute("b", SECRETS["openai"])
        started.add_event("e", {"x": 1})
    clean = Redactor().clean(started)

    assert clean is not started
    for part in ("name", "context", "parent", "resource", "kind", "start_time", "end_time", "instrumentation_scope"):
        assert getattr(clean, part) == getattr(started, part), part
    assert clean.status.status_code is StatusCode.UNSET
    assert clean.dropped_attributes == started.dropped_attributes == 74
    assert clean.attributes["b"] == "sk-…[redacted]"
    assert clean.events == tuple(started.events)


def test_a_lone_surrogate_does_not_lose_the_batch():
    """A surrogate in the name, an event, the status, a key or a value: every span of the batch is sent."""
    broken = span(
        name="\ud83d",
        attributes={"k\ud83d": "v\udfff", "list": ("\ud83d",)},
        events=(Event("e\ud83d", {"x": "\ud83d"}, 5),),
        status=Status(StatusCode.ERROR, "\ud83d"),
    )
    sent = on_the_wire(Redactor().clean(broken), Redactor().clean(span()))

    assert [each.name for each in sent] == ["\\ud83d", "chat gpt-4o"]
    assert sent[0].attributes[0].key == "k\\ud83d" or sent[0].attributes[1].key == "k\\ud83d"
    assert (sent[0].events[0].name, sent[0].status.message) == ("e\\ud83d", "\\ud83d")


def test_wrong_types_are_coerced_and_counted():
    """A name that is a number, an end that is text, a start before 1970: the span is sent, and says so."""
    (sent,) = on_the_wire(Redactor().clean(span(name=7, start_time=-5, end_time="2000")))

    assert (sent.name, sent.start_time_unix_nano, sent.end_time_unix_nano) == ("7", 0, 2000)
    assert {each.key: each.value.int_value for each in sent.attributes}["agentops.coerced"] == 3


def test_unusual_attribute_values_are_made_plain():
    """What newer OpenTelemetry lets in and older does not encode becomes text, and nothing is lost."""
    (sent,) = on_the_wire(Redactor().clean(span(attributes={"d": {"a": [1]}, "n": None, "big": 2**70, "m": ("a", 1)})))

    values = {each.key: each.value.string_value or each.value.int_value for each in sent.attributes}
    assert values.pop("agentops.coerced") == 1  # the whole number: OTLP has no room for it
    assert values == {"d": '{"a":[1]}', "n": "null", "big": str(2**70), "m": '["a",1]'}


def test_forbidden_texts_never_leave():
    """Our own key is taken out wherever it turns up, whatever it looks like."""
    redactor = Redactor()
    seen = span(attributes={"a": "it is our*own*key*1!"})
    assert redactor.clean(seen) is seen
    learn("our*own*key*1")
    clean = redactor.clean(seen)

    assert clean.attributes["a"] == "it is [redacted]!"


def test_long_text_is_cut_and_json_is_not_broken():
    """Plain text is cut at the limit; JSON, whose texts were cut before, may be longer."""
    messages = json.dumps([{"content": "x" * 90}] * 10)
    clean = Redactor(max_length=100).clean(span(attributes={"text": "x" * 1000, "json": messages}))

    assert 60 < len(clean.attributes["text"]) <= 100
    assert clean.attributes["json"] == messages


# ---------------------------------------------------------------------------------------------------------------- hook


def content_span():
    return span(
        attributes={
            "session.id": "s",
            "agentops.span.kind": "llm",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.input.messages": "my diary",
            "gen_ai.usage.input_tokens": 10,
            "tags": ("private",),
        },
        events=(Event("exception", {"exception.type": "ValueError", "exception.message": "my diary"}, 5),),
        links=(Link(PARENT, {"why": "my diary"}),),
        status=Status(StatusCode.ERROR, "my diary"),
    )


def test_hook_sees_every_value_with_its_path():
    """The hook gets each value and its path, but neither the identity of the span nor a secret."""
    seen = {}

    def hook(value, path):
        seen[path] = value
        return value

    Redactor(hook).clean(content_span())

    assert seen == {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": "my diary",
        "gen_ai.usage.input_tokens": 10,
        "tags": ("private",),
        "exception.exception.type": "ValueError",
        "exception.exception.message": "my diary",
        "link.why": "my diary",
        "status.description": "my diary",
    }


def test_hook_changes_and_removes():
    """What the hook returns is sent; None removes the value."""

    def hook(value, path):
        if path == "tags":
            return None
        return value.replace("diary", "***") if isinstance(value, str) else value

    clean = Redactor(hook).clean(content_span())

    assert clean.attributes == {
        "session.id": "s",
        "agentops.span.kind": "llm",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": "my ***",
        "gen_ai.usage.input_tokens": 10,
    }
    assert clean.events[0].attributes["exception.message"] == "my ***"
    assert clean.status.description == "my ***"
    assert clean.links[0].attributes == {"why": "my ***"}


def test_hook_cannot_bring_a_secret_back():
    """What the hook returns is looked through too."""
    clean = Redactor(lambda value, path: SECRETS["openai"]).clean(span(attributes={"a": "b"}))

    assert clean.attributes == {"a": "sk-…[redacted]"}


def raising(value, path):
    raise ValueError("my diary")


def junk(value, path):
    return object()


def junk_list(value, path):
    return [object()]


@pytest.mark.parametrize("hook", [raising, junk, junk_list])
def test_a_failing_hook_hides_all_content(hook, caplog):
    """Fail closed: the span keeps its structure and numbers and loses its content; one line says so."""
    redactor = Redactor(hook)
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        clean = [redactor.clean(content_span()) for _ in range(3)][-1]

    assert clean.attributes == {
        "session.id": "s",
        "agentops.span.kind": "llm",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": REDACTION_FAILED,
        "gen_ai.usage.input_tokens": 10,
        "tags": REDACTION_FAILED,
    }
    assert clean.events[0].attributes == {"exception.type": "ValueError", "exception.message": REDACTION_FAILED}
    assert clean.status.description == REDACTION_FAILED
    assert b"diary" not in encode_spans([clean]).SerializeToString()
    assert len(caplog.messages) == 1
    assert hook.__name__ in caplog.messages[0]
    assert "diary" not in caplog.messages[0]


def test_a_hook_that_makes_spans_does_not_run_in_circles():
    """A span made by the hook is not given to the hook again, and its content is hidden."""
    inner = []

    def hook(value, path):
        inner.append(redactor.clean(span(attributes={"prompt": value})))
        return value

    redactor = Redactor(hook)
    outer = redactor.clean(span(attributes={"prompt": "my diary"}))

    assert outer.attributes == {"prompt": "my diary"}
    assert [each.attributes for each in inner] == [{"prompt": REDACTION_FAILED}]
    assert redactor.clean(span(attributes={"n": "x"})).attributes == {"n": "x"}


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_program_passes_through_the_hook(raised):
    """Ctrl-C while the hook runs still stops the program, and the next span is redacted as before."""
    stopping = [True]

    def hook(value, path):
        if stopping:
            stopping.pop()
            raise raised
        return "seen"

    redactor = Redactor(hook)
    with pytest.raises(raised):
        redactor.clean(span(attributes={"a": "b"}))

    assert redactor.clean(span(attributes={"a": "b"})).attributes == {"a": "seen"}


def test_a_span_that_cannot_be_read_leaves_without_content(caplog):
    """When even reading a span fails, its place in the trace is kept and nothing else."""

    class Broken(ReadableSpan):
        @property
        def attributes(self):
            raise RuntimeError("my diary")

    broken = Broken("name", context=CONTEXT, parent=PARENT, resource=RESOURCE, start_time=1, end_time=2)
    clean = Redactor().clean(broken)

    assert (clean.name, clean.context, clean.parent, clean.attributes or {}) == (REDACTION_FAILED, CONTEXT, PARENT, {})
    assert ["RuntimeError" in message and "diary" not in message for message in caplog.messages] == [True]


# Bounds ---------------------------------------------------------------------------------------------------------------


def test_behind_too_many_named_secrets_all_goes(monkeypatch):
    """An attack with names of secrets costs a bounded time, and what is not looked at is not let out."""
    monkeypatch.setattr(secrets, "_MOST_NAMED", 3)
    text = " ".join(f"password=word{number}x" for number in range(10))
    scrubbed = scrub(text)
    assert not re.search(r"word[0-9]x", scrubbed)
    assert scrubbed.count("password=") <= 5


def test_the_latest_known_secrets_are_kept(monkeypatch):
    """Keys that rotate do not fill memory: the oldest go first, and one that is used again is learnt again."""
    monkeypatch.setattr(secrets, "_MOST_KNOWN", 3)
    keys = [f"our*own*key*{number}" for number in range(5)]
    try:
        for key in keys:
            learn(key)
        assert [scrub(key) == key for key in keys] == [True, True, False, False, False]
        assert len(secrets._known) == 3
        learn(keys[0])
        assert scrub(keys[0]) == "[redacted]"
    finally:
        secrets.forget()
