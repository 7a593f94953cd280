"""Any object as what OTLP carries, and JSON of ours below the limits of attributes: the SDK would cut it anywhere."""

from __future__ import annotations

import json
import math
from collections import ChainMap, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from types import GeneratorType, MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import wrapt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.local import LocalProxy

from agentops_otel import text, values
from agentops_otel.decorators import tool
from agentops_otel.media import KEYS
from agentops_otel.redaction import Redactor
from agentops_otel.secrets import is_secret_name, scrub
from agentops_otel.testing import captured_session
from agentops_otel.text import MAX_LENGTH
from agentops_otel.values import sanitize, to_json, to_text
from tests.fakes.fault_server import FaultServer
from tests.fakes.llm_server import LlmServer
from tests.fakes.objects import (
    CYCLIC,
    CYCLIC_DICT,
    TREES,
    Array,
    Color,
    HostileDict,
    Liar,
    Number,
    Point,
    Scalar,
    Text,
    Unprintable,
)
from tests.fakes.program import run
from tests.fakes.spans import on_the_wire, span


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
        pytest.param(HostileDict(a=1), '{"a":1}', id="raising items()"),
        pytest.param(Liar(), "<Liar>", id="raising __class__"),
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


def lazies(make):
    """Objects of all kinds that stand for what they make when they are asked for anything."""
    yield LocalProxy(make)
    if hasattr(wrapt, "LazyObjectProxy"):
        yield wrapt.LazyObjectProxy(make)
    yield Lazy(make)
    yield CallableLazy(make)


class Lazy:
    """As Django's."""

    def __init__(self, make):
        vars(self)["made"] = make

    __class__ = property(lambda self: type(self.made()))

    def __getattr__(self, name):
        return getattr(self.made(), name)

    def __repr__(self):
        return repr(self.made())


class CallableLazy(Lazy):
    def __call__(self):
        return self.made()()


def test_a_lazy_object_is_named_and_not_made():
    """It may cost a connection or a query, and the program may never need it."""
    for lazy in lazies(lambda: pytest.fail("made")):
        name = f"<{type(lazy).__name__}>"
        assert sanitize(lazy) == name
        assert json.loads(to_json({"a": [lazy]})) == {"a": [name]}


def test_a_proxy_of_ours_is_what_it_stands_for():
    """What it stands for is there."""
    size = tool(len)
    assert type(size) is not type(len)
    assert sanitize(size) == sanitize(len)

    @tool
    def numbers():
        return (n for n in range(3))

    with captured_session():
        made = numbers()
    assert type(made) is not GeneratorType
    assert sanitize(made) == "<generator>"


class Ordered(UserDict):
    """A mapping that is no dict."""


class Pair(NamedTuple):
    """A tuple with names."""

    a: int
    b: str


class Rows(UserList):
    """Items of a class of its own."""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Ordered(a=1), '{"a":1}'), (defaultdict(int, a=1), '{"a":1}'), (ChainMap({"a": 1}), '{"a":1}'),
        (Rows([1]), "[1]"), (frozenset({1}), "[1]"), (Pair(1, "x"), '{"a":1,"b":"x"}'),
        (type("Yes", (int,), {})(1), 1), (type("Odd", (list,), {})([1]), (1,)),
    ],
)  # fmt: skip
def test_ordinary_subclasses_are_shown_as_what_they_are(value, shown):
    """Mappings, lists, numbers, whatever their own class."""
    assert sanitize(value) == shown


class Credentials(NamedTuple):
    """As the SDK of AWS hands them out."""

    access_key: str
    secret_key: str
    token: str


@pytest.mark.parametrize(
    "value",
    [
        Credentials("id", "Zq8Tn2Lw9Xb4Vc7", "Zq8Tn2Lw9Xb4Vc7"),
        [Credentials("id", "Zq8Tn2Lw9Xb4Vc7", "Zq8Tn2Lw9Xb4Vc7")],
        {"a": ({"b": Credentials("id", "Zq8Tn2Lw9Xb4Vc7", "Zq8Tn2Lw9Xb4Vc7")},)},
        namedtuple("Login", "user password")("ada", "Zq8Tn2Lw9Xb4Vc7"),  # noqa: PYI024
        urlsplit("postgres://app:Zq8Tn2Lw9Xb4Vc7@db:5432/x?token=Zq8Tn2Lw9Xb4Vc7"),
        {"headers": [(b"x-api-key", b"Zq8Tn2Lw9Xb4Vc7"), (b"cookie", b"sid=Zq8Tn2Lw9Xb4Vc7"), (b"accept", b"*/*")]},
        [*{"x-api-key": "Zq8Tn2Lw9Xb4Vc7", "accept": "*/*"}.items()],
        [{"name": "OPENAI_API_KEY", "value": "Zq8Tn2Lw9Xb4Vc7"}],
    ],
)
def test_names_beside_a_value_say_that_it_is_a_secret(value):
    """Those of a named tuple's fields, of a header in a pair, of an object with a name and a value."""
    for shown in (to_json(value), to_json({"result": to_json(value)})):
        clean = scrub(shown)
        assert "Zq8Tn2" in shown
        assert "Zq8Tn2" not in clean
        assert json.loads(clean)


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
def test_quick_and_slow_json_are_the_same(value):
    """Plain JSON is the same whether it goes to the encoder as it is or is walked through first."""
    assert values.plain_texts(value) is not None
    assert (
        to_json(value)
        == values._walked(value, MAX_LENGTH)
        == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


def test_usual_names_need_no_look():
    """The names that are taken for harmless without a look are no secrets' names, and hold no media."""
    assert not any(map(is_secret_name, values._USUAL))
    assert values._USUAL.isdisjoint(KEYS)


@pytest.mark.parametrize(
    "value",
    [{"api_key": "x"}, {"a": [{"x-auth-token": 1}]}, {'password"': 1}, {1: 2}, {"n" * 65: 1}, (1,), [1e16], [math.nan]],
    ids=str,
)
def test_what_is_not_plain_is_walked(value):
    """What needs a second look has no texts to search, and is written all the same."""
    assert values.plain_texts(value) is None
    assert json.loads(to_json(value))


def test_all_texts_of_a_plain_value():
    """The texts of all depths, and the names that are unusual."""
    value = [{"role": "user", "parts": [{"type": "text", "content": "a"}, {"x": [True, None, 0.5, "b"]}]}]
    assert sorted(values.plain_texts(value)) == ["a", "b", "text", "user", "x"]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_program_passes(raised):
    """Ctrl-C in the middle of an object's code still stops the program."""

    class Stopping:
        def __str__(self):
            raise raised

    with pytest.raises(raised):
        sanitize({"a": Stopping()})


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


# -------------------------------------------------------------------------------------------- limits of the environment

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=20), inner, max_size=20),
    max_leaves=80,
)


@pytest.fixture
def unbound():
    yield
    text.bound(None)


class Thing:
    """No JSON by itself."""

    def __init__(self, value):
        self.value = value

    def __str__(self):
        return "thing " * 40


@given(
    value=JSON | JSON.map(Thing) | st.lists(JSON.map(Thing), max_size=5),
    longest=st.integers(3, 400),
    most=st.integers(1, 400),
)
def test_json_is_json_below_any_limit(value, longest, most):
    """Whatever the value, what is written is valid and not longer than the limit."""
    text.bound(longest)
    try:
        written = to_json(value, max_length=min(most, longest))
        attribute = sanitize({"a": value}, max_length=min(most, longest))
    finally:
        text.bound(None)
    for each in (written, attribute):
        json.loads(each)
        assert len(each) <= longest


def test_what_fits_is_whole(unbound):
    """A limit that is not reached changes nothing, also close to it."""
    value = [{"role": "user", "parts": [{"type": "text", "content": "no " * 300}]}]
    whole = to_json(value)
    text.bound(len(whole))
    assert to_json(value, max_length=len(whole)) == whole
    text.bound(len(whole) - 1)
    shorter = json.loads(to_json(value, max_length=len(whole) - 1))
    assert shorter[0]["parts"][0]["content"].startswith("no " * 60)
    assert "characters cut]" in shorter[0]["parts"][0]["content"]


PROGRAM = """
import openai
import agentops_otel as agentops
from opentelemetry import trace
agentops.init()
messages = [{"role": "user", "content": "y" * 3000}]
openai.OpenAI(api_key="none").chat.completions.create(model="gpt-4o", messages=messages)
@agentops.tool
def dig(rows): return rows
dig([{"n": n, "text": "\\n" * 20} for n in range(400)])
agentops.record(agentops.ActionEvent("x", params={"a": ["b" * 50] * 50}, returns="r" * 5000))
other = trace.get_tracer("other").start_span("another library's span")
other.set_attribute("text", "t" * 5000)
other.set_status(trace.StatusCode.ERROR, "what that library says of it")
other.end()
agentops.end_session("Fail", "why " * 2000)
"""


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000"},
        {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000"},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "5000", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000"},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000", "AGENTOPS_MAX_CONTENT_LENGTH": "70000"},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "20"},
    ],
)
def test_the_length_limit_of_the_environment(variables):
    """Every text is below it, JSON is valid, a session's id is whole, and nobody is told of cuts."""
    limit = min(int(value) for name, value in variables.items() if name.startswith("OTEL_"))
    with FaultServer() as server, LlmServer() as llm:
        places = {"AGENTOPS_ENDPOINT": server.url, "OPENAI_BASE_URL": llm.url, "AGENTOPS_SUMMARY": "0"}
        ended = run(PROGRAM, {**places, **variables})
        assert ended.code == 0, ended.err
        if limit > 36:
            assert len(ended.err.splitlines()) <= 1, ended.err  # the SDK's own, of the other library's text
        spans = server.spans()
    assert len(spans) == 5
    (other,) = [each for each in spans if each.name == "another library's span"]  # its name is no attribute
    assert other.status.message == "what that library says of it"
    structured = 0
    for each in spans:
        attributes = {pair.key: pair.value.string_value for pair in each.attributes if pair.value.string_value}
        assert len(attributes.pop("session.id")) == 36
        assert {name: len(value) for name, value in attributes.items() if len(value) > limit} == {}
        for value in attributes.values():
            if value.startswith(("[", "{")):
                json.loads(value)
                structured += 1
    assert structured >= 3
