"""Errors of our own: logged once, without their text, and raised when the tests ask for it."""

from __future__ import annotations

import functools
import logging
import signal

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from agentops_otel import guard
from agentops_otel.redaction import Redactor
from agentops_otel.text import shown
from agentops_otel.values import to_text


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(guard, "reraise", False)
    monkeypatch.setattr(guard, "_reported", set())


def fail(where):
    try:
        raise ValueError("the-secret")
    except ValueError:
        guard.report(where)


def test_an_error_is_logged_once_for_each_place(caplog):
    """The line names place, type and line of code, and nothing that the error quotes."""
    for where in ("@tool a", "@tool a", "@tool b"):
        fail(where)
    first, second = (entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING)
    assert "@tool a: ValueError at" in first
    assert "test_guard.py" in first
    assert "@tool b" in second
    assert "the-secret" not in first


def test_an_error_is_raised_under_our_own_tests(monkeypatch):
    """A bug of ours is not to be missed there."""
    monkeypatch.setattr(guard, "reraise", True)
    with pytest.raises(ValueError, match="the-secret"):
        fail("@tool a")


def test_a_raising_log_handler_stays_inside():
    """The host's logging is the host's code."""

    class Rude(logging.Handler):
        def emit(self, record):
            raise RuntimeError("no")

    handler = Rude()
    guard.logger.addHandler(handler)
    try:
        fail("@tool a")
    finally:
        guard.logger.removeHandler(handler)


def test_without_an_error_there_is_nothing_to_report(caplog):
    """Outside of an `except` block it does nothing."""
    guard.report("nowhere")
    assert caplog.records == []


class Handler:
    """A handler of a signal that is no function."""

    def __call__(self, number, frame):
        raise TimeoutError("time is up")

    method = __call__


def time_is_up(number, frame):
    raise TimeoutError("time is up")


def inner(number, frame):
    time_is_up(number, frame)


@pytest.mark.parametrize(
    "handler",
    [time_is_up, inner, Handler(), Handler().method, functools.partial(time_is_up)],
    ids=["plain", "inner", "object", "method", "partial"],
)
@pytest.mark.parametrize(
    "work",
    [
        guard.run,
        lambda kick: guard.logged("there", None)(kick)(),
        lambda kick: shown(type("T", (), {"__str__": lambda self: kick()})()),
        lambda kick: to_text([type("T", (), {"__str__": lambda self: kick()})()]),
        lambda kick: Redactor(lambda value, path: kick()).clean(ReadableSpan("s", attributes={"a": "b"})),
    ],
    ids=["run", "logged", "shown", "to_text", "redact"],
)
def test_what_a_signal_handler_raises_passes(handler, work):
    """A time limit that comes while work of ours is done is the program's, not an error of ours."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(TimeoutError, match="time is up"):
            work(lambda: signal.raise_signal(signal.SIGALRM))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert guard.run(time_is_up, 0, None) is None  # called by hand, it is an error as any other
