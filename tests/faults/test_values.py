"""Values: whatever somebody puts into a span, it is sent, in bounded time, and nothing reaches the user's code.

Each test has a row of the list of faults in its name: A1 to A10 are values, C2 is the user's redaction hook, S17 the
search for secrets. Spans go through the whole of it: `init()`, the real provider and batcher, OTLP over HTTP.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import sys
import threading
import time
from collections import UserList
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.version import __version__ as otel_version

import agentops_otel as agentops
from agentops_otel import redaction
from agentops_otel.media import PIECE, replaced
from agentops_otel.redaction import REDACTION_FAILED, Redactor
from agentops_otel.secrets import scrub
from agentops_otel.totals import kind_of
from agentops_otel.values import MAX_ITEMS, sanitize, to_json, to_text
from tests.fakes.fault_server import FaultServer
from tests.fakes.llm_server import LlmServer
from tests.fakes.objects import Scalar

LONE = "half of an emoji: \ud83d"
SHOWN = "half of an emoji: \\ud83d"
SIBLINGS = 50
# Values that OpenTelemetry's own span lets through or not, depending on its release.
TAKES_STRUCTURES = tuple(map(int, otel_version.split(".")[:2])) >= (1, 40)


class Backend:
    """A session that is recorded and what of it has arrived."""

    def __init__(self, server):
        self.server = server
        self.tracer = trace.get_tracer("somebody-else")

    def begin(self, **options):
        agentops.init(
            endpoint=self.server.url, summary=False, instrument_llm_calls=False, env_data_opt_out=True, **options
        )

    def siblings(self):
        for _ in range(SIBLINGS):
            self.tracer.start_span("sibling").end()

    def arrived(self):
        """The spans but the siblings, after the end of the session; all siblings must be there."""
        if agentops.current_session() is not None:
            agentops.end_session("Success")
        agentops.shutdown()
        spans = self.server.spans()
        assert sum(span.name == "sibling" for span in spans) % SIBLINGS == 0
        assert sum(span.name.startswith("session") for span in spans) == 1
        return [span for span in spans if span.name != "sibling" and not span.name.startswith("session")]

    def one(self):
        (span,) = self.arrived()
        return span


def values_of(span):
    """The attributes of a span (or an event) as they arrived."""
    return {pair.key: value_of(pair.value) for pair in span.attributes}


def value_of(value):
    kind = value.WhichOneof("value")
    return [value_of(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@pytest.fixture
def backend(caplog):
    """A backend, and the check that nothing was logged but what a test expects and removes."""
    with FaultServer() as server:
        yield Backend(server)
        agentops.shutdown()


@pytest.fixture
def silence(caplog):
    """Not one line of a warning, also not of the SDK or its encoder."""
    with caplog.at_level(logging.WARNING):
        yield
    assert caplog.messages == []


# ------------------------------------------------------------------------------------------------- A1, A2: surrogates


def _name(tracer):
    tracer.start_span(LONE).end()


def _status(tracer):
    with tracer.start_as_current_span("case") as span:
        span.set_status(Status(StatusCode.ERROR, LONE))


def _event(tracer):
    with tracer.start_as_current_span("case") as span:
        span.add_event(LONE, {LONE: LONE})


def _exception(tracer):
    with pytest.raises(ValueError, match="half"), tracer.start_as_current_span("case"):
        raise ValueError(LONE)


def _scope(tracer):
    trace.get_tracer(LONE, LONE, schema_url=f"http://{LONE}").start_span("case").end()


def _link(tracer):
    context = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    tracer.start_span("case", links=[Link(context, {LONE: LONE})]).end()


@pytest.mark.parametrize("make", [_name, _status, _event, _exception, _scope, _link])
def test_a1_a_lone_surrogate_costs_nothing(make, backend, silence):
    """A1: in a name, a status, an event, an exception, a scope, a link: the span and its siblings arrive, silently."""
    backend.begin()
    backend.siblings()
    make(backend.tracer)
    span = backend.one()
    texts = [span.name, span.status.message, *(event.name for event in span.events)]
    texts += [text for part in (*span.events, *span.links) for pair in values_of(part).items() for text in pair]
    assert any(SHOWN in text for text in texts) or make is _scope


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("k", LONE, SHOWN),
        (LONE, "v", "v"),
        ("k", [LONE, "b"], [SHOWN, "b"]),
        ("k", 2**70, str(2**70)),
        ("k", [2**70], f"[{2**70}]"),
    ],
    ids=["value", "key", "list", "large int", "list of a large int"],
)
def test_a2_an_attribute_that_cannot_be_encoded_is_kept(key, value, shown, backend, silence):
    """A2: a surrogate or a whole number beyond 64 bits in an attribute is kept as text, and nobody writes a line."""
    backend.begin()
    backend.siblings()
    with backend.tracer.start_as_current_span("case") as span:
        span.set_attribute(key, value)
    attributes = values_of(backend.one())
    assert attributes[key.replace("\ud83d", "\\ud83d")] == shown
    assert attributes.get("agentops.coerced", 0) == (1 if value == 2**70 or key == LONE else 0)


def nested(depth, value="deepest"):
    for _ in range(depth):
        value = [value]
    return value


def test_a2_deep_nesting_is_kept(backend, silence):
    """A2: nesting of 120, which protobuf refuses, is kept as JSON text, in an event and in another's attribute."""
    backend.begin()
    backend.siblings()
    agentops.record(agentops.ActionEvent("ours", params=nested(120)))
    if TAKES_STRUCTURES:
        with backend.tracer.start_as_current_span("theirs") as span:
            span.set_attribute("agentops.action.params", nested(120))
    spans = backend.arrived()
    assert len(spans) == 1 + TAKES_STRUCTURES
    for span in spans:
        assert json.loads(values_of(span)["agentops.action.params"])


# ---------------------------------------------------------------------------------------------------- A3: wrong types

START = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("fields", "name", "start", "end"),
    [
        ({"name": 7}, "7", START, START + 5),
        ({"name": None}, "None", START, START + 5),
        ({"end_time": str(START + 7)}, "case", START, START + 7),
        ({"end_time": "tomorrow"}, "case", START, START),
        ({"start_time": float(START)}, "case", START, START + 5),
        ({"start_time": "yesterday"}, "case", START + 5, START + 5),
        ({"start_time": -5}, "case", 0, START + 5),
        ({"kind": "client"}, "case", START, START + 5),
        ({"status": Status(3)}, "case", START, START + 5),
    ],
    ids=[
        "name int",
        "no name",
        "end text",
        "end junk",
        "start float",
        "start junk",
        "start negative",
        "kind",
        "status",
    ],
)
def test_a3_a_wrong_type_is_coerced(fields, name, start, end, backend, silence):
    """A3: a field of a wrong type costs neither the span nor the batch; the span counts what was changed."""
    backend.begin()
    backend.siblings()
    given_fields = {"name": "case", "start_time": START, "end_time": START + 5, "kind": SpanKind.CLIENT, **fields}
    options = {field: given_fields[field] for field in ("start_time", "kind")}
    span = backend.tracer.start_span(given_fields["name"], **options)
    if "status" in fields:
        span.set_status(fields["status"])
    span.end(given_fields["end_time"])
    arrived = backend.one()
    assert (arrived.name, arrived.start_time_unix_nano, arrived.end_time_unix_nano) == (name, start, end)
    assert values_of(arrived)["agentops.coerced"] == 1


def test_a3_the_totals_survive_any_attribute(backend, caplog):
    """A3: nonsense in the attributes that are counted is not counted, and heartbeat and end of the session work."""
    backend.begin()
    odd = {"agentops.span.kind": ["llm"], "gen_ai.operation.name": ["chat"], "gen_ai.usage.input_tokens": "many"}
    odd |= {"gen_ai.request.model": [1], "agentops.cost.amount": "much"}
    for name in odd:
        backend.tracer.start_span("odd", attributes={"gen_ai.operation.name": "chat", name: odd[name]}).end()
    backend.tracer.start_span(9, start_time="x", attributes={"gen_ai.operation.name": "execute_tool"}).end("y")
    open_span = backend.tracer.start_span(LONE, start_time="x", attributes=odd)
    agentops.current_session()._beat()
    open_span.end()
    assert agentops.current_session().totals.tool_calls == 1
    assert kind_of({"agentops.span.kind": {"a": 1}}) is kind_of({"gen_ai.operation.name": {"a": 1}}) is None
    assert len(backend.arrived()) == len(odd) + 2


# ------------------------------------------------------------------------------- A4, A5: what user's objects can do


class Bad:
    """Raises from everything that is asked of it."""

    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __bool__ = __len__ = __iter__ = __call__ = __str__

    def __eq__(self, other):
        raise RuntimeError("no")

    def __hash__(self):
        return 1

    def __format__(self, spec):
        raise RuntimeError("no")


class Liar:
    @property
    def __class__(self):
        raise RuntimeError("no")


class BadDict(dict):
    def items(self):
        raise RuntimeError("no")

    keys = values = get = __len__ = __iter__ = __getitem__ = __contains__ = items


class BadError(Exception):
    def __str__(self):
        raise RuntimeError("no")


class Stop(BaseException):
    """Nobody's signal: a class of the user's own."""


class Stopping:
    def __str__(self):
        raise Stop

    __repr__ = __str__


class Endless(list):
    def __iter__(self):
        return itertools.count()


class EndlessMapping(dict):
    def items(self):
        return ((n, n) for n in itertools.count())


def cyclic_list():
    value = [1]
    value.append(value)
    return value


def cyclic_dict():
    value = {}
    value["me"] = value
    return value


def deep_dict(depth=5000):
    value = "deepest"
    for _ in range(depth):
        value = {"a": value}
    return value


NASTY = {
    "cyclic list": cyclic_list,
    "cyclic dict": cyclic_dict,
    "deep list": lambda: nested(5000),
    "deep dict": deep_dict,
    "raises": Bad,
    "raises inside": lambda: {"a": [Bad()], "b": Bad()},
    "lies": Liar,
    "raises items": lambda: BadDict(content=1),
    "raises as a message": lambda: [{"role": Bad(), "content": Bad(), "tool_calls": Bad()}],
    "raises as a tool call": lambda: {"content": [Bad()], "tool_calls": [Bad(), {"function": Bad()}]},
    "cannot be printed": lambda: BadError("x"),
    "BaseException": Stopping,
    "endless list": lambda: Endless([1]),
    "endless dict": lambda: EndlessMapping(a=1),
    "generator": lambda: (n for n in range(3)),
    "large int": lambda: 10**5000,
    "class": lambda: Bad,
    "surrogate": lambda: LONE,
}
nasty = pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)


@pytest.mark.parametrize(
    ("name", "mark"),
    [(name, mark) for mark, kind in (("<cyclic>", "cyclic"), ("<1 item>", "deep")) for name in NASTY if kind in name],
)
def test_a4_cycles_and_depth_are_cut(name, mark, backend, silence):
    """A4: what goes in circles or 5,000 deep is cut with a mark, whichever door it comes through."""
    value = NASTY[name]()
    backend.begin()
    agentops.record(agentops.ActionEvent("event", params=value))
    agentops.record(agentops.LLMEvent(model="m", prompt=value))

    @agentops.tool
    def passed_on(given):
        return given

    assert passed_on(value) is value
    spans = backend.arrived()
    keys = ("agentops.action.params", "gen_ai.input.messages", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
    texts = [text for span in spans for key, text in values_of(span).items() if key in keys]
    assert len(texts) == 4
    assert all(mark in text and json.loads(text) and "deepest" not in text for text in texts)


def _record_every_event(value):
    agentops.record(agentops.Event(value, params=value, returns=value, agent_id=value))
    action = agentops.ActionEvent(value, params=value, returns=value, logs=value, screenshot=value, id=value)
    agentops.record(action)
    agentops.record(agentops.ToolEvent(value, params=value, returns=value, logs=value, agent_id=value))
    llm = {"model": value, "prompt": value, "completion": value, "thread_id": value, "params": value}
    agentops.record(agentops.LLMEvent(**llm, prompt_tokens=value, completion_tokens=value, cost=value))
    agentops.record(agentops.ErrorEvent(error_type=value, code=value, details=value, logs=value))
    agentops.record(agentops.ErrorEvent(exception=BadError(value), trigger_event=action))
    agentops.record(agentops.ErrorEvent(exception=value, trigger_event=value, timestamp=value))
    agentops.record(agentops.ActionEvent("timed", init_timestamp=value, end_timestamp=value))
    agentops.record(value)


@nasty
def test_a5_no_event_raises(value, backend):
    """A5: every field of every event takes any object; nothing raises, and every span arrives."""
    backend.begin()
    given = value()
    _record_every_event(given)
    spans = backend.arrived()
    assert len(spans) == 8 + isinstance(given, BaseException) if type(given) is not Liar else 8


@nasty
def test_a5_no_decorator_raises(value, backend, silence):
    """A5: a decorated function gets and gives what it did without us, exceptions too, and each call has its span."""
    given, failure = value(), BadError(value())

    class Agent:
        @agentops.action
        def act(self, *args, **kwargs):
            return kwargs["last"]

    @agentops.tool
    def failing(argument):
        raise failure

    backend.begin()
    assert Agent().act(given, given, last=given) is given
    with pytest.raises(BadError) as caught:
        failing(given)
    assert caught.value is failure
    acted, failed = backend.arrived()
    assert json.loads(values_of(acted)["agentops.action.params"]).keys() == {"args", "last"}
    assert values_of(failed.events[0])["exception.message"] == "<unprintable BadError>"
    assert failed.status.message == "BadError: <unprintable BadError>"


@nasty
def test_a5_no_session_call_raises(value, backend):
    """A5: names, tags, reasons, videos and exceptions of a session can be anything."""
    backend.begin(name=value(), tags=value())
    agentops.add_tags(value())
    agentops.add_tags([value()])
    agentops.current_session().set_tags(["kept"])
    agentops.set_tags([value()])
    agentops.end_session("Fail", value(), video=value())
    (root,) = backend.server.spans()
    assert values_of(root)["agentops.session.end_state"] == "Fail"
    assert root.status.message == to_text(values_of(root)["agentops.session.end_state_reason"])
    with pytest.raises(BadError), agentops.session(name=value(), tags=[value()]):
        raise BadError(value())
    agentops.flush(5)
    reasons = [values_of(span)["agentops.session.end_state_reason"] for span in backend.server.spans()[1:]]
    assert reasons == ["BadError: <unprintable BadError>"]


@pytest.mark.parametrize("state", [Bad, Liar, Stopping, cyclic_list])
def test_a5_a_wrong_end_state_is_a_value_error(state, backend):
    """A5: an object that is no end state is refused as every other wrong one, and the session stays open."""
    backend.begin()
    with pytest.raises(ValueError, match="is not a valid end state"):
        agentops.end_session(state())
    assert agentops.current_session().is_running


def test_a5_an_llm_call_that_fails_with_an_unprintable_exception(backend, caplog):
    """A5: what comes out of a patched call is the very exception, even one that cannot be printed."""
    openai = pytest.importorskip("openai")
    failure = BadError()

    class Refuses(BaseException):  # an Exception would be wrapped by the SDK
        def __str__(self):
            raise failure

    raised = Refuses()

    def hook(request):
        raise raised

    agentops.init(endpoint=backend.server.url, summary=False, env_data_opt_out=True)
    http_client = openai.DefaultHttpxClient(event_hooks={"request": [hook]})
    with LlmServer() as server, openai.OpenAI(api_key="none", base_url=server.url, http_client=http_client) as client:
        with pytest.raises(Refuses) as caught:
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
        assert caught.value is raised
    span = backend.one()
    assert span.status.message.endswith("<unprintable Refuses>")
    assert values_of(span.events[0])["exception.message"] == "<unprintable Refuses>"
    assert caplog.messages == []


# ------------------------------------------------------------------------------------------------------- A6: amounts


class Counting(UserList):
    """A list that counts how many of its items are looked at."""

    read = 0

    def __getitem__(self, place):
        type(self).read += 1
        return super().__getitem__(place)


class CountingMapping(dict):
    read = 0

    def items(self):
        for pair in super().items():
            type(self).read += 1
            yield pair


def quickest(work, times=7):
    seconds = []
    for _ in range(times):
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
    return min(seconds)


LARGE = {
    "ints": lambda n: list(range(n)),
    "texts": lambda n: ["x"] * n,
    "floats": lambda n: [0.5] * n,
    "lists": lambda n: [[1]] * n,
    "lists of lists": lambda n: [[1] * 1000] * (n // 1000),
    "dict": lambda n: dict.fromkeys(range(n), 1),
    "dict of texts": lambda n: dict.fromkeys(map(str, range(n)), 1),
    "set": lambda n: set(range(n)),
    "text": lambda n: "x" * (n * 100),
    "bytes": lambda n: b"\xff" * (n * 200 + 3 * PIECE),  # of which three pieces are looked at
    "texts of 64 KiB": lambda n: ["x" * 65_536] * n,
}


def redacted(value):
    return Redactor()._value("k", value)


@pytest.mark.parametrize("turned", [sanitize, to_json, redacted])
@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_a6_a_million_items_take_no_time(make, turned):
    """A6: a million items cost what some thousand cost, in every form; and the result is small."""
    large, small = make(1_000_000), make(20_000)
    assert len(str(turned(large))) <= 1.2 * 16 * 65_536
    for attempt in range(4):  # another process may take our caches; what looks at all is slow every time
        if quickest(lambda: turned(large)) < 8 * quickest(lambda: turned(small)) + 0.0002:
            return
        time.sleep(0.05 * attempt)
    pytest.fail("fifty times the items take more than eight times as long")


def test_a6_not_more_than_a_thousand_items_are_looked_at():
    """A6: of a list or mapping that does something for each item, no more is asked than is shown."""
    sanitize(Counting(range(5000)))
    sanitize({"a": CountingMapping(dict.fromkeys(range(5000)))})
    assert Counting.read == 0  # (no list, only something like it: shown as it shows itself)
    assert CountingMapping.read <= MAX_ITEMS + 1


def test_a6_what_is_left_out_is_counted(backend, silence):
    """A6: an event and a decorated call with a million items arrive with 1,000 of them and the number of the others."""
    numbers = list(range(1_000_000))
    backend.begin()

    @agentops.tool
    def search(numbers):
        return len(numbers)

    assert search(numbers) == 1_000_000
    agentops.record(agentops.ActionEvent("act", params=numbers))
    agentops.record(agentops.LLMEvent(prompt=numbers))
    tool, action, llm = map(values_of, backend.arrived())
    shown = [json.loads(tool["gen_ai.tool.call.arguments"])["numbers"], json.loads(action["agentops.action.params"])]
    assert [(len(each), each[-1]) for each in shown] == [(1001, "… 999,000 more items")] * 2
    messages = json.loads(llm["gen_ai.input.messages"])
    assert len(messages) == 1000
    assert "999,001 more items" in json.dumps(messages[-1], ensure_ascii=False)


# ---------------------------------------------------------------------------------------------------- A7: attributes


@pytest.mark.parametrize("amount", [200, 5000])
def test_a7_identity_outlives_any_number_of_attributes(amount, backend):
    """A7: a span keeps 1,024 attributes; the oldest go first, but never those that say whose span it is."""
    backend.begin()
    span = backend.tracer.start_span("case", attributes={"gen_ai.operation.name": "execute_tool"})
    for number in range(amount):
        span.set_attribute(f"n{number}", number)
    span.end()
    session_id = agentops.current_session().session_id
    arrived = backend.one()
    attributes = values_of(arrived)
    assert attributes["session.id"] == session_id
    kept = [name for name in attributes if name[0] == "n"]
    if amount == 200:
        assert (len(kept), arrived.dropped_attributes_count) == (200, 0)
    else:
        assert 1000 <= len(kept) <= 1024
        assert arrived.dropped_attributes_count >= amount - 1024
        assert f"n{amount - 1}" in attributes


# ------------------------------------------------------------------------------------------------- A8, A9: odd values


def test_a8_numbers_stay_numbers(backend):
    """A8: a number of any make is a number in an attribute and in JSON; NaN and infinity stay, but not bare in JSON."""
    values = [True, 3, 2.5, Decimal("1.5"), Scalar(7), Scalar(0.5), None, {1}, MappingProxyType({"a": 1})]
    plain = [True, 3, 2.5, 1.5, 7, 0.5, None, [1], {"a": 1}]
    assert [sanitize(value) for value in values[:6]] == plain[:6]
    assert [type(sanitize(value)) for value in values[:6]] == [bool, int, float, float, int, float]
    backend.begin()
    agentops.record(agentops.ActionEvent("act", params=[*values, math.nan, -math.inf]))
    span = backend.tracer.start_span("floats", attributes={"nan": math.nan, "inf": math.inf, "list": [1.0, math.nan]})
    span.end()
    action, floats = map(values_of, backend.arrived())
    assert json.loads(action["agentops.action.params"], parse_constant=pytest.fail) == [*plain, "NaN", "-Infinity"]
    assert math.isnan(floats["nan"])
    assert floats["inf"] == math.inf
    assert floats["list"][0] == 1.0
    assert math.isnan(floats["list"][1])


def test_a8_numpy_numbers_are_numbers():
    """A8: NumPy's own scalars and small arrays, where NumPy is installed."""
    numpy = pytest.importorskip("numpy")
    assert [sanitize(numpy.int64(3)), sanitize(numpy.float32(0.5)), sanitize(numpy.bool_(1))] == [3, 0.5, True]
    assert (
        to_json({"a": numpy.arange(3), "b": numpy.zeros((100, 100))})
        == '{"a":[0,1,2],"b":"<ndarray of shape (100, 100)>"}'
    )


def test_a8_a_generator_is_never_consumed(backend, silence):
    """A8: what can be read only once is the user's to read, wherever it is passed."""
    backend.begin()
    readers = [(n for n in range(3)), iter([0, 1, 2]), map(abs, [0, 1, 2]), itertools.islice(range(9), 3)]

    @agentops.tool
    def read(*readers, more):
        return [list(reader) for reader in readers]

    for reader in readers:
        event = {"params": reader, "returns": [reader]}
        agentops.record(agentops.ActionEvent("act", **event, logs={"a": reader}))
        agentops.record(agentops.LLMEvent(prompt=reader, completion={"content": reader, "tool_calls": reader}, **event))
        agentops.record(agentops.ErrorEvent(details=reader, logs=reader))
    assert read(*readers, more=readers) == [[0, 1, 2]] * 4
    assert len(backend.arrived()) == 13


def test_a9_nul_bytes_are_kept(backend, silence):
    """A9: a NUL byte in a name, an attribute, an event and JSON arrives as it is."""
    backend.begin()
    with backend.tracer.start_as_current_span("a\x00b", attributes={"k\x00": "v\x00"}) as span:
        span.add_event("e\x00", {"x": "\x00"})
    agentops.record(agentops.ActionEvent("act", params={"a": "\x00"}))
    span, action = backend.arrived()
    assert (span.name, values_of(span)["k\x00"], span.events[0].name) == ("a\x00b", "v\x00", "e\x00")
    assert json.loads(values_of(action)["agentops.action.params"]) == {"a": "\x00"}


# ------------------------------------------------------------------------------------------------------ A10: anything

ANY_TEXT = st.text(st.characters(exclude_categories=()))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary()
ODD = st.one_of(
    st.decimals(),
    st.datetimes(),
    st.uuids(),
    st.complex_numbers(),
    st.integers(min_value=2**62, max_value=2**80),
    *(st.builds(make) for name, make in NASTY.items() if not name.startswith("deep")),
    st.builds(Scalar, st.integers() | st.floats()),
)
KEYS = ANY_TEXT | st.integers() | st.none() | st.tuples(st.integers()) | st.builds(Stopping)
TREES = st.recursive(
    PLAIN | ODD,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.tuples(inner, inner)
        | st.lists(st.floats() | st.integers())
        | st.lists(ANY_TEXT)
    ),
    max_leaves=15,
)
CONTEXT = SpanContext(0x1234, 0x56, is_remote=False, trace_flags=TraceFlags(1))


def check_a_tree(tree):
    """`sanitize()` does not raise, OTLP carries what it returns, and doing it twice changes nothing."""
    shown = sanitize(tree)
    again = sanitize(shown)
    assert repr(again) == repr(shown)  # (NaN is not equal to itself)
    span = ReadableSpan(
        "case", CONTEXT, attributes={"value": shown}, resource=Resource.get_empty(), start_time=1, end_time=2
    )
    message = encode_spans([span]).resource_spans[0].scope_spans[0].spans[0]
    assert [pair.key for pair in message.attributes] == ["value"]
    assert message.SerializeToString()
    json.loads(to_json(tree), parse_constant=pytest.fail)


ANY = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


@settings(ANY, max_examples=300)
@given(TREES)
def test_a10_any_tree_of_objects_can_be_sent(tree):
    """A10: some hundred trees of anything."""
    check_a_tree(tree)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(ANY, max_examples=100_000)
@given(TREES)
def test_a10_a_hundred_thousand_trees(tree):
    """A10: the long form."""
    check_a_tree(tree)


SECRET_TEXT = st.text(st.sampled_from("sk-_:=@\"'\\ \nBearer/token.AKIAeyJ1xo?&g"), max_size=40)


@settings(ANY, max_examples=300)
@given(st.lists(SECRET_TEXT, max_size=6))
def test_a10_one_search_finds_what_many_find(texts):
    """A10: the quick look at all attributes together misses nothing that a look at each one finds."""
    attributes = {f"a{number}": text for number, text in enumerate(texts)}
    redactor = Redactor()
    for _ in range(2):  # the second time with names and texts that are known
        span = ReadableSpan("case", CONTEXT, attributes=attributes, resource=Resource.get_empty())
        assert list(redactor.clean(span).attributes.values()) == [scrub(text) for text in texts]


# ------------------------------------------------------------------------------------------- C2: the user's own hook


def _raises(value, path):
    raise ValueError("my diary")


def _raises_base_exception(value, path):
    raise Stop("my diary")


def _returns_an_object(value, path):
    return object()


def _returns_a_liar(value, path):
    return Liar()


def _returns_an_endless_list(value, path):
    return Endless([1])


def _returns_a_dict(value, path):
    return {"a": value}


def _returns_a_generator(value, path):
    return (each for each in value)


def _changes_its_argument(value, path):
    value.append("x")
    return value


def _is_deep(value, path):
    return _is_deep(value, path)


FAILING = [
    _raises,
    _raises_base_exception,
    _returns_an_object,
    _returns_a_liar,
    _returns_an_endless_list,
    _returns_a_dict,
    _returns_a_generator,
    _changes_its_argument,
    _is_deep,
]


@pytest.mark.parametrize("hook", FAILING, ids=lambda hook: hook.__name__.strip("_"))
def test_c2_a_failing_hook_hides_content_and_nothing_else(hook, backend, caplog):
    """C2: the user's call works, every span arrives with its numbers and without content; one line says so."""
    backend.begin(redact=hook)

    @agentops.tool
    def search(what):
        raise KeyError("my diary")

    with pytest.raises(KeyError):
        search("my diary")
    agentops.record(agentops.LLMEvent(model="gpt-4o", prompt="my diary", prompt_tokens=3))
    tool, llm = backend.arrived()
    assert values_of(tool)["gen_ai.tool.call.arguments"] == REDACTION_FAILED
    assert (values_of(tool)["gen_ai.tool.name"], values_of(tool)["error.type"]) == (REDACTION_FAILED, "KeyError")
    assert (values_of(llm)["gen_ai.request.model"], values_of(llm)["gen_ai.usage.input_tokens"]) == ("gpt-4o", 3)
    sent = b"".join(message.SerializeToString() for message in (*backend.server.spans(), *backend.server.logs()))
    assert b"diary" not in sent
    assert [hook.__name__ in message for message in caplog.messages] == [True]
    assert "diary" not in caplog.text


def test_c2_a_slow_hook_is_not_called_for_the_rest_of_its_span(monkeypatch, backend, caplog):
    """C2: after its time for a span is over, the hook is asked no more, and that span has no content."""
    monkeypatch.setattr(redaction, "MAX_HOOK_SECONDS", 0.02)
    calls = []

    def slow(value, path):
        if path.startswith("slow"):
            calls.append(path)
            time.sleep(0.03)
        return value

    backend.begin(redact=slow)
    with backend.tracer.start_as_current_span("case") as span:
        span.set_attributes({f"slow{number}": "my diary" for number in range(20)})
    assert values_of(backend.one())["slow7"] == REDACTION_FAILED
    assert calls == ["slow0"]
    assert "slow" in caplog.messages[0]


def test_c2_a_hook_that_records_does_not_run_in_circles(backend):
    """C2: spans, events, decorated calls and sessions' calls in a hook work, and are not given to the hook again."""
    paths = []

    @agentops.tool
    def looked_up(value):
        return value

    def hook(value, path):
        paths.append(path)
        if path != "a":
            return value
        with trace.get_tracer("hook").start_as_current_span("in the hook", attributes={"said": str(value)}):
            agentops.record(agentops.ActionEvent("event in the hook", params=value))
        agentops.add_tags(["from the hook"])
        agentops.flush(0.5)
        agentops.init(tags=["again"])
        agentops.start_session()
        return looked_up(value)

    backend.begin(redact=hook)
    with backend.tracer.start_as_current_span("case", attributes={"a": "my diary"}):
        pass
    spans = backend.arrived()
    (case,) = [span for span in spans if span.name == "case"]
    assert values_of(case)["a"] == "my diary"
    own = [values_of(span) for span in spans if span.name in ("in the hook", "event in the hook")]
    assert len(own) == 2
    assert {attributes.get("said", attributes.get("agentops.action.params")) for attributes in own} == {
        REDACTION_FAILED
    }
    assert not [path for path in paths if path in ("said", "agentops.action.params")]


def test_c2_a_hook_that_ends_the_session_does_no_harm(backend):
    """C2: even `end_session()` and `shutdown()` in a hook return, and what was recorded arrives."""
    done = []

    def hook(value, path):
        if path == "a":
            done.append(path)
            agentops.end_session("Success")
            agentops.shutdown(1.0)
        return value

    backend.begin(redact=hook)
    with backend.tracer.start_as_current_span("case", attributes={"a": "b"}):
        pass
    assert agentops.current_session() is None
    assert backend.server.wait_for(lambda: any(span.name == "session" for span in backend.server.spans()))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_c2_what_stops_the_program_passes_and_the_span_is_kept(raised, backend):
    """C2: Ctrl-C while the hook runs reaches the user's code; the span it hit arrives, without content."""
    stopping = [True]

    def hook(value, path):
        if path == "a" and stopping:
            stopping.pop()
            raise raised
        return value

    backend.begin(redact=hook)
    span = backend.tracer.start_span("case", attributes={"a": "my diary", "n": 7})
    with pytest.raises(raised):
        span.end()
    backend.tracer.start_span("next", attributes={"a": "my diary"}).end()
    hit, after = map(values_of, backend.arrived())
    assert (hit["a"], hit["n"]) == (REDACTION_FAILED, 7)
    assert after["a"] == "my diary"


def test_c2_a_cancelled_task_passes_through_the_hook(backend):
    """C2: a cancellation is no fault of the hook."""
    asyncio = pytest.importorskip("asyncio")

    def hook(value, path):
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        Redactor(hook).clean(ReadableSpan("case", CONTEXT, attributes={"a": "b"}, resource=Resource.get_empty()))


def test_c2_hooks_of_two_threads_do_not_meet(backend):
    """C2: that a hook runs on one thread does not hide the spans of another."""
    inside, free = threading.Event(), threading.Event()

    def hook(value, path):
        if value == "waits":
            inside.set()
            assert free.wait(30)
        return value

    backend.begin(redact=hook)
    waiting = threading.Thread(target=lambda: backend.tracer.start_span("slow", attributes={"a": "waits"}).end())
    waiting.start()
    try:
        assert inside.wait(30)
        backend.tracer.start_span("quick", attributes={"a": "seen"}).end()
    finally:
        free.set()
        waiting.join(30)
    assert {span.name: values_of(span)["a"] for span in backend.arrived()} == {"slow": "waits", "quick": "seen"}


# ------------------------------------------------------------------------------------------------ S17: linear searches

ADVERSARIAL = {
    "sk-": "sk-",
    "sk- without a digit": "sk-" + "a" * 62,
    "dashes": "-",
    "underscores": "gsk_",
    "AIza": "AIza",
    "eyJ": "eyJa.",
    "eyJ without a dot": "eyJaaaaaaaa",
    "Bearer": "Bearer ",
    "users": "://a:b",
    "at signs": "a@",
    "pem": "-----BEGIN PRIVATE KEY-----",
    "pem and lines": "-----BEGIN PRIVATE KEY-----\\nA1",
    "pem and hyphens": "-----BEGIN PRIVATE KEY-----a-",
    "lines of a key": "-----BEGIN PRIVATE KEY-----" + ("A" * 63 + "1\n") * 20,
    "gaps of a key": "-----BEGIN PRIVATE KEY-----" + '\n", "' * 20,
    "pydantic": "\napi_key\n  a [type=a, input_value=",
    "Azure": "JQQJ99AZDO",
    "escaped ampersands": "\\u0026sig=",
    "annotated": "password: str = ",
    "curl": "curl -ua:",
    "types of values": 'password","Type":"a","Value":',
    "any keys": "A_KEY=a1.b2.c3.d4.",
    "names": 'password: "',
    "names with =": "password=",
    "names without a value": '"api_key":',
    "escaped quotes": '\\"token\\": \\"',
    "backslashes": "\\",
    "quotes of JSON in JSON": '\\\\\\"token\\\\\\":\\\\\\"a',
    "quotes that close nothing": 'token:\\"' + '\\\\\\"' * 120,
    "long escapes": 'token:\\"' + "\\" * 127 + '"',
    "Bearer and backslashes": "Bearer" + "\\" * 8 + "t",
    "escaped slashes": ":\\/\\/a:b",
    "escaped blanks": "password:\\t\\u0020%20",
    "options": "--api-key ",
    "option names": "--a-a-a-a-key",
    "signatures": "?sig=&signature=",
    "keys": "sk-aaaaaaa1 ",
    "options with too many words": " --a-b-c-d-e-key",
    "letters and dashes": "x-",
    "letters and underscores": "k_",
    "equals signs": "=",
    "last letters of names": "ee:",
    "colons": ":",
    "spaces": " ",
}


@pytest.mark.parametrize("piece", ADVERSARIAL.values(), ids=ADVERSARIAL)
@pytest.mark.parametrize("prefix", ["", "password: ", 'password: "', "sk-", "eyJ", "://", "--"], ids=repr)
def test_s17_twice_the_text_takes_about_twice_the_time(prefix, piece):
    """S17: no text makes the search slower than its length does. (Quadratic would be four times, and 16 for four.)"""
    check_time(scrub, prefix, piece)


@pytest.mark.parametrize(
    "piece",
    [
        "data:a/b;base64,",
        "data:",
        "A" * 59 + "!",
        "A/" * 40 + "\\n",
        "data:image/svg+xml,<svg",
        "\\" * 9,
        "Aa1" * 400 + " ",
    ],
)
@pytest.mark.parametrize("prefix", ["", "iVBO", "data:image/png;base64,"])
def test_s17_media_are_looked_for_in_linear_time(prefix, piece):
    """S17: the same of the search for pictures, sound and files."""
    check_time(replaced, prefix, piece)


def check_time(scrub, prefix, piece):
    """Quadratic would be four times, and 16 for four."""
    size = 32_000
    short, long = (prefix + piece * (length // len(piece)) for length in (size, 4 * size))
    for attempt in range(4):  # another process may take our time: quadratic is slow every time
        if quickest(lambda: scrub(long), 3) < 9 * quickest(lambda: scrub(short), 3) + 0.0005:
            return
        time.sleep(0.05 * attempt)
    pytest.fail(f"{sys.version_info}: four times the text takes more than nine times as long")
