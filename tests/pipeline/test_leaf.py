"""A leaf is one of the SDK's spans for everybody who meets it, and is made only where it can be."""

from __future__ import annotations

import json
import logging
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    use_span,
)

from agentops_otel import secrets, semconv
from agentops_otel.config import Configuration
from agentops_otel.context import Scope
from agentops_otel.pipeline import leaf
from agentops_otel.pipeline.leaf import Leaf
from agentops_otel.redaction import Redactor
from agentops_otel.testing import SequentialClock, SpanCapture
from tests.fakes.house import SESSION, House

LINKED = SpanContext(7, 8, True, TraceFlags(1))
CALL = {semconv.SPAN_KIND: "llm", semconv.OPERATION_NAME: "chat", semconv.REQUEST_MODEL: "gpt-4o"}
DONE = {
    semconv.RESPONSE_FINISH_REASONS: ("stop",),
    semconv.RESPONSE_MODEL: "gpt-4o-2024",
    semconv.USAGE_INPUT_TOKENS: 7,
    semconv.REQUEST_TEMPERATURE: 0.5,
    semconv.REQUEST_STREAM: True,
}


def start(house, attributes=CALL, name="chat gpt-4o", **more):
    scope = Scope(
        house.tracer,
        Configuration(),
        session_id=SESSION,
        trace_id=house.session.trace_id,
        root=house.root,
    )
    return scope.start_span(name, kind=SpanKind.CLIENT, attributes=attributes, leaf=True, **more)


def described(span):
    """All that can be asked of a finished span, but the ids and times that no two spans share."""
    context, found = span.get_span_context(), json.loads(span.to_json())
    assert context.span_id
    for name in ("start_time", "end_time"):
        assert found.pop(name)
    found["context"].pop("span_id")
    for event in found["events"]:
        event.pop("timestamp")
    return {
        **found,
        "order": list(span.attributes),
        "types": [(name, type(value)) for name, value in span.attributes.items()],
        "flags": context.trace_flags,
        "state": context.trace_state,
        "remote": context.is_remote,
        "parent": span.parent,
        "kind": span.kind,
        "status": span.status.status_code,
        "links": [(link.context, dict(link.attributes or {})) for link in span.links],
        "events": [(event.name, dict(event.attributes)) for event in span.events],
        "dropped": (span.dropped_attributes, span.dropped_events, span.dropped_links),
        "scope": (span.instrumentation_scope.name, span.instrumentation_scope.version),
        "resource": dict(span.resource.attributes),
    }


def plain(span):
    span.set_attributes(DONE)


def filled(span):
    getattr(span, "fill", span.set_attributes)(DONE)


def filled_again(span):
    filled(span)
    span.set_attribute("by", "a hook of the program's")


def set_again(span):
    span.set_attributes({semconv.REQUEST_MODEL: "other", "first": 1})
    span.set_attribute("first", 2)
    span.set_attributes({**DONE, "second": "text"})


def odd_values(span):
    span.set_attributes({"list": ["a", "b"], "numbers": (1, 2), "mixed": (1, "a"), "": "no name", "empty": ()})
    span.set_attribute("bytes", b"text")
    span.set_attributes({"none": None, "mapping": {"a": 1}})


def too_many(span):
    span.set_attributes({f"a{number}": number for number in range(1000)})
    span.set_attributes({f"b{number}": number for number in range(200)})


def events(span):
    for number in range(200):
        span.add_event(f"event {number}", {"number": number})
    span.add_link(LINKED, {"why": "test"})


def fails(span):
    span.set_attributes(DONE)
    span.record_exception(ValueError("broken"))
    span.set_status(Status(StatusCode.ERROR, "broken"))
    span.set_status(StatusCode.UNSET)
    span.update_name("renamed")


def as_a_block(span):
    with pytest.raises(KeyError), use_span(span, end_on_exit=True):
        assert get_current_span() is span
        assert span.is_recording()
        raise KeyError("inside")


def ends_late(span):
    span.end()
    span.end()
    span.set_attributes({"late": True})
    span.set_attribute("late", True)
    span.add_event("late")
    span.add_link(LINKED)
    span.set_status(StatusCode.ERROR)
    span.update_name("late")


@pytest.mark.parametrize(
    "what",
    [plain, filled, filled_again, set_again, odd_values, too_many, events, fails, as_a_block, ends_late],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("flags", [1, 3])
def test_a_leaf_and_a_span_of_the_sdks_are_the_same_to_who_gets_them(what, flags):
    """Whatever is done to it: attributes and their order, events, links, status, limits, flags, state, resource."""
    found = []
    for leaves in (True, False):
        house = House(capture := SpanCapture(), leaves=leaves, flags=flags, state=TraceState([("vendor", "1")]))
        span = start(house, links=[Link(LINKED, {"a": 1})])
        assert isinstance(span, Leaf) is leaves
        assert isinstance(span, Span)
        assert isinstance(span, ReadableSpan)
        before = described_open(span)
        what(span)
        if span.is_recording():
            span.end()
        assert not span.is_recording()
        (finished,) = capture.spans
        assert finished.end_time >= finished.start_time
        found.append(
            (before, described(finished), house.session.totals.snapshot().attributes(), house.session.recorded)
        )
    assert found[0] == found[1]


def described_open(span):
    return dict(span.attributes), span.name, span.kind, span.end_time, span.is_recording(), span.parent


def test_without_attributes_of_a_call_a_leaf_has_the_sessions_id():
    """What every span of ours has."""
    house = House(capture := SpanCapture())
    start(house, attributes=None).end()
    assert dict(capture.spans[0].attributes) == {semconv.SESSION_ID: SESSION}


def test_times_that_are_given_are_kept():
    """As by the SDK, and none ends before it starts."""
    house = House(capture := SpanCapture())
    start(house, start_time=1_000).end(5_000)
    start(house, start_time=1_000).end(500)
    assert [(span.start_time, span.end_time) for span in capture.spans] == [(1_000, 5_000), (1_000, 1_000)]


def test_both_ends_come_from_the_clock_of_the_testing_tools():
    """The same in every run, whichever kind of span a call has."""
    times = []
    for leaves in (True, False):
        house = House(capture := SpanCapture(), leaves=leaves)
        with SequentialClock(start_ns=5_000_000_000, step_ns=1_000_000_000):
            start(house).end()
        times.append((capture.spans[0].start_time, capture.spans[0].end_time))
    assert times == [(5_000_000_000, 6_000_000_000)] * 2


@pytest.mark.parametrize("given", [True, False])
def test_a_clock_that_is_set_meanwhile_makes_no_call_longer(monkeypatch, given):
    """Also where the end of a call was noted before its span ends."""
    house = House(capture := SpanCapture())
    span = start(house)
    real, hour = time.time_ns, 3_600_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: real() + hour)
    monkeypatch.setattr("opentelemetry.sdk.trace.time_ns", time.time_ns)
    span.end(time.time_ns() if given else None)
    assert 0 <= capture.spans[0].end_time - span.start_time < hour // 2


def test_a_span_whose_parent_is_not_sampled_is_not_recorded():
    """The sampler has decided when the session began."""
    house = House(capture := SpanCapture(), flags=0)
    span = start(house)
    span.end()
    assert not isinstance(span, Leaf)
    assert capture.spans == []


def test_outside_the_traces_of_sessions_the_sdk_makes_the_span():
    """A leaf belongs to a session."""
    house = House(SpanCapture())
    assert not isinstance(Scope(house.tracer, Configuration()).start_span("chat", parent=Context(), leaf=True), Leaf)


class Seen(SpanProcessor):
    def __init__(self):
        self.started, self.ended = [], []

    def on_start(self, span, parent_context=None):
        self.started.append(span)

    def on_end(self, span):
        self.ended.append(span)


def test_another_processor_gets_the_sdks_spans_at_once():
    """It is told of the end of a call that is under way, and of both ends of the next one."""
    house = House(capture := SpanCapture())
    under_way = start(house)
    seen = Seen()
    house.provider.add_span_processor(seen)
    under_way.set_attributes(DONE)
    under_way.end()
    after = start(house)
    assert not isinstance(after, Leaf)
    after.end()
    assert seen.started == [after]
    assert len(seen.ended) == len(capture.spans) == 2
    assert not isinstance(seen.ended[0], Leaf)
    assert seen.ended[0].attributes == {**CALL, semconv.SESSION_ID: SESSION, **DONE}
    assert house.session.totals.snapshot().llm_calls == 2


def test_a_second_exporter_of_the_program_gets_calls():
    """With whatever processor."""
    house = House(SpanCapture())
    own = SpanCapture()
    house.provider.add_span_processor(SimpleSpanProcessor(own))
    start(house).end()
    assert own.find("chat gpt-4o").attributes[semconv.REQUEST_MODEL] == "gpt-4o"


@pytest.mark.parametrize(
    "variable",
    ["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"],
)
def test_the_limits_of_the_environment_hold(monkeypatch, variable):
    """Whether by a leaf or not: both give the same span."""
    monkeypatch.setenv(variable, "5")
    found = []
    for leaves in (True, False):
        house = House(capture := SpanCapture(), leaves=leaves)
        span = start(house)
        span.set_attributes(DONE)
        span.end()
        found.append(described(capture.spans[0]))
    assert found[0] == found[1]


def test_another_sampler_is_asked(monkeypatch):
    """It may decide otherwise."""
    house = House(SpanCapture())
    monkeypatch.setattr(house.tracer, "sampler", ALWAYS_ON)
    assert not isinstance(start(house), Leaf)


def test_the_spans_that_newer_sdks_count_are_counted(monkeypatch):
    """With their variable set they count each span that starts."""
    if not hasattr(House(SpanCapture()).tracer, "_tracer_metrics"):
        pytest.skip("this release counts nothing")
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    assert not isinstance(start(House(SpanCapture())), Leaf)


def test_spans_of_an_unknown_sdk_are_its_own(monkeypatch):
    """A release whose spans have a field that a leaf does not know of."""
    leaf._is_known.cache_clear()
    monkeypatch.setattr(leaf, "_FIELDS", leaf._FIELDS - {"_resource"})
    assert not isinstance(start(House(SpanCapture())), Leaf)
    monkeypatch.undo()
    leaf._is_known.cache_clear()
    assert isinstance(start(House(SpanCapture())), Leaf)


def test_calls_on_a_leaf_that_has_ended_are_told_on_debug_level(caplog):
    """As on every span of our provider."""
    house = House(SpanCapture())
    span = start(house)
    with caplog.at_level(logging.DEBUG):
        ends_late(span)
    assert caplog.records
    assert {record.levelname for record in caplog.records} == {"DEBUG"}


def test_a_leaf_that_ends_inside_the_end_of_another_waits():
    """A garbage collection may end a call while a lock of the batcher is held; both arrive, one after the other."""
    house = House(SpanCapture())
    inner, outer = start(house), start(house)
    inside = []

    class Nested(SpanCapture):
        def export(self, spans):
            inside.append(None)
            if spans[0] is outer:
                inner.end()
                assert len(inside) == 1
            return super().export(spans)

    house.exporter = Nested()
    outer.end()
    assert house.exporter.spans == [outer, inner]


def test_a_call_of_the_parent_process_is_not_the_childs():
    """After a fork the child has the leaf too, and must not hand it over a second time."""
    house = House(capture := SpanCapture())
    before = start(house)
    house.session.after_fork()
    before.end()
    after = start(house)
    after.end()
    assert capture.spans == [after]
    assert house.session.totals.snapshot().llm_calls == 1


def test_what_is_found_out_after_the_end_is_added_in_place():
    """A price and the host's resource; who is reading the attributes at that time is not disturbed."""
    house = House(capture := SpanCapture())
    span = start(house)
    span.end()
    held = capture.spans[0].attributes
    resource = Resource({"host.name": "here"})
    capture.spans[0].complete({"price": 1.5}, resource)
    assert span.attributes == {**held, "price": 1.5}
    assert "price" not in held
    assert span.resource is resource


TEXTS = st.sampled_from(
    ["stop", "gpt-4o", "-x", "sk-proj-" + "a1B2" * 10, "AKIAIOSFODNN7EXAMPLE", "x" * 2_000, "\ud800", ""]
)
VALUES = st.one_of(
    TEXTS, st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.lists(TEXTS, max_size=3).map(tuple)
)
NAMES = st.sampled_from([semconv.RESPONSE_MODEL, semconv.RESPONSE_ID, semconv.RESPONSE_FINISH_REASONS, "other"])


@settings(max_examples=150, deadline=None)
@given(attributes=st.dictionaries(NAMES, VALUES), status=st.none() | TEXTS, name=TEXTS, again=st.booleans())
def test_nothing_leaves_a_leaf_that_does_not_leave_a_span_of_the_sdks(attributes, status, name, again):
    """Secrets, what OTLP cannot carry and what is too long, wherever it is."""
    found = []
    for leaves in (True, False):
        redactor = Redactor(max_length=1_000)
        house = House(capture := SpanCapture(), leaves=leaves, redactor=redactor)
        for _ in range(2 if again else 1):  # what has been seen once is remembered
            span = start(house, {**CALL, semconv.REQUEST_MODEL: name}, name=name)
            messages = {semconv.INPUT_MESSAGES: "clean", semconv.OUTPUT_MESSAGES: "sk-proj-" + "c3D4" * 10}
            if leaves:
                span.searched, span.known = {semconv.INPUT_MESSAGES}, secrets.forms
                span.fill({**attributes, **messages})
            else:
                span.set_attributes({**attributes, **messages})
            if status is not None:
                span.set_status(Status(StatusCode.ERROR, status))
            span.end()
        found.append(repr([described(span) for span in capture.spans]))
    assert found[0] == found[1]


def test_messages_that_were_searched_are_not_searched_again():
    """Unless a secret was learnt since, or a hook wants to see them."""
    secret = "sk-proj-" + "e5F6" * 10
    house = House(capture := SpanCapture())

    def end():
        span = start(house)
        span.searched, span.known = {semconv.OUTPUT_MESSAGES}, forms
        span.fill({semconv.OUTPUT_MESSAGES: secret})
        span.end()
        return capture.spans[-1].attributes[semconv.OUTPUT_MESSAGES]

    forms = secrets.forms
    assert secrets.REDACTED in end()  # what has never been seen is looked at with care
    assert end() == secret
    secrets.learn("another-secret-of-ours")
    assert secrets.REDACTED in end()
    forms = secrets.forms
    house.session.redactor = Redactor(lambda value, path: "hooked")
    assert end() == "hooked"
