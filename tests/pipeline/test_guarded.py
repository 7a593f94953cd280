"""A tracer of another library on our provider, and exceptions whose own code raises."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode, use_span

from agentops_otel.decorators import tool


class Base(Exception):
    """An exception that cannot be looked at in one way or another."""

    looked = 0


def raiser(*args):
    raise ZeroDivisionError("in the exception's own code")


class NoText(Base):
    __str__ = raiser


class NoTextAtAll(Base):
    __str__ = raiser
    __repr__ = raiser


class WrongText(Base):
    def __str__(self):
        return 7  # noqa: PLE0307


class NoFormat(Base):
    __format__ = raiser


class NoCause(Base):
    __cause__ = property(raiser)
    __context__ = property(raiser)


class NoTraceback(Base):
    __traceback__ = property(raiser, lambda self, value: None)  # (`contextlib` sets it)


class NoNotes(Base):
    __notes__ = property(raiser)


class NoAttributes(Base):
    def __getattribute__(self, name):
        raise ZeroDivisionError(name)


class NoClass(Base):
    __class__ = property(raiser)


class NoTextButSurrogates(Base):
    def __str__(self):
        return "\ud800"


ERRORS = [
    Base, NoText, NoTextAtAll, WrongText, NoFormat, NoCause, NoTraceback, NoNotes, NoAttributes, NoClass,
    NoTextButSurrogates,
]  # fmt: skip


def current_block(tracer, error):
    with tracer.start_as_current_span("theirs"):
        raise error


def span_block(tracer, error):
    with tracer.start_span("theirs"):
        raise error


def use_block(tracer, error):
    with use_span(tracer.start_span("theirs"), end_on_exit=True):
        raise error


def decorated(tracer, error):
    @tracer.start_as_current_span("theirs")
    def f():
        raise error

    f()


def in_a_coroutine(tracer, error):
    @tracer.start_as_current_span("theirs")
    async def f():
        raise error

    f().send(None)  # (`asyncio.run()` asks for the `repr` of an exception itself)


def nested(tracer, error):
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("theirs"):
        raise error


def under_a_decorator_of_ours(tracer, error):
    @tool
    def f():
        current_block(tracer, error)

    f()


def by_hand(tracer, error):
    span = tracer.start_span("theirs")
    try:
        raise error
    except Base:
        span.record_exception(error, {"own": 1})
        span.set_status(StatusCode.ERROR)
        assert span.is_recording()
        span.end()
        raise


WAYS = [
    current_block, span_block, use_block, decorated, in_a_coroutine, nested, under_a_decorator_of_ours, by_hand
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_exception_reaches_the_program_as_itself(agentops_session, kind, way):
    """Through every kind of span of another tracer; it is recorded with what can be read, and the span has failed."""
    error = kind("text")
    caught = None
    try:
        way(trace.get_tracer("another.library"), error)
    except BaseException as raised:
        caught = raised
    assert caught is error
    span = agentops_session.find("theirs")
    assert span.status.status_code is StatusCode.ERROR
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes["exception.type"].endswith(kind.__name__)
    assert type(event.attributes["exception.message"]) is str
    assert (event.attributes.get("own") == 1) is (way is by_hand)


@pytest.mark.parametrize("kind", [Base, NoText], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("set_status", [False, True])
def test_what_the_tracer_asked_for_is_kept(agentops_session, kind, record, set_status):
    """Neither the event nor the status where it wants none."""
    tracer = trace.get_tracer("another.library")
    asked = {"record_exception": record, "set_status_on_exception": set_status}
    with pytest.raises(kind), tracer.start_as_current_span("block", **asked):
        raise kind("text")
    with pytest.raises(kind), tracer.start_span("span", **asked):
        raise kind("text")
    for name in ("block", "span"):
        span = agentops_session.find(name)
        assert len(span.events) == record
        assert (span.status.status_code is StatusCode.ERROR) is set_status


def test_a_span_says_that_it_records(agentops_session):
    """Inside and outside of an ``except`` block, until it ends."""
    span = trace.get_tracer("another.library").start_span("theirs")
    assert span.is_recording()
    try:
        raise NoText
    except NoText:
        assert span.is_recording()
    span.end()
    assert not span.is_recording()
