"""Errors of our own: logged once, without their text, and raised when the tests ask for it."""

from __future__ import annotations

import logging

import pytest

from agentops_otel import guard


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
