"""Scores: how good a session was, or one of its spans."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import trace

import agentops_otel as agentops
from tests.fakes.fault_server import FaultServer, event_name


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.fixture
def scores(server):
    """Starts a session; the value gives the scores that a backend got, as (attributes, trace id, span id)."""
    agentops.init(endpoint=server.url, summary=False, journal="off", name="order 1842")

    def found():
        agentops.flush(10)
        logs = [log for log in server.logs() if event_name(log) == "gen_ai.evaluation.result"]
        return [(_attributes(log), log.trace_id.hex(), log.span_id.hex()) for log in logs]

    return found


def _attributes(log):
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in log.attributes}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, {"gen_ai.evaluation.score.value": 0.5}),
        (3, {"gen_ai.evaluation.score.value": 3.0}),
        (True, {"gen_ai.evaluation.score.value": 1.0, "gen_ai.evaluation.score.label": "true"}),
        (False, {"gen_ai.evaluation.score.value": 0.0, "gen_ai.evaluation.score.label": "false"}),
        (" good ", {"gen_ai.evaluation.score.label": "good"}),
    ],
    ids=repr,
)
def test_a_score_of_the_session(scores, value, said):
    """It carries the conventions' names, the root's ids, and the session's id."""
    session = agentops.current_session()
    agentops.score("correct", value, "as in the order")
    [(attributes, trace_id, span_id)] = scores()
    assert attributes.pop("session.id") == session.session_id
    assert attributes == {
        "gen_ai.evaluation.name": "correct",
        "gen_ai.evaluation.explanation": "as in the order",
        **said,
    }
    assert (trace_id, span_id) == (session.trace_id, session.trace_id[:16])


def test_a_score_of_a_span(scores):
    """A span is named by itself, by its context, or by its id."""
    seen = []

    @agentops.tool
    def search():
        span = trace.get_current_span()
        context = span.get_span_context()
        seen.append(f"{context.span_id:016x}")
        for each in (span, context, seen[0]):
            agentops.score("useful", 1, span=each)

    search()
    assert [span_id for _, _, span_id in scores()] == seen * 3


def test_a_score_after_the_end(scores):
    """What is only known when the session has ended is said of the session itself."""
    session = agentops.current_session()
    agentops.end_session("Success")
    session.score("correct", "no")
    [(attributes, _, _)] = scores()
    assert attributes["gen_ai.evaluation.score.label"] == "no"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("", 1), "name='' is not valid"),
        ((5, 1), "name="),
        (("correct", float("nan")), "value=nan"),
        (("correct", None), "value=None"),
        (("correct", ""), "value='' is not valid"),
        (("correct", 1, None, "xyz"), "expected 16 hex digits"),
        (("correct", 1, None, 7), "expected a span or its id"),
        (("correct", 1, None, trace.INVALID_SPAN), "expected a span or its id"),
    ],
)
def test_what_is_no_score_is_a_warning(scores, caplog, arguments, why):
    """Nothing is recorded, nothing is raised, and a line says what was expected."""
    with caplog.at_level(logging.WARNING, "agentops_otel"):
        agentops.score(*arguments)
    assert why in caplog.text
    assert scores() == []


def test_a_span_of_another_trace(scores, caplog):
    """A score of a foreign span would be shown nowhere."""
    other = trace.SpanContext(1, 2, is_remote=False)
    agentops.score("correct", 1, span=other)
    assert "not one of this session" in caplog.text
    assert scores() == []


def test_without_a_session(caplog):
    """There is nothing that could be scored."""
    agentops.score("correct", 1)
    assert "score(): no session is active" in caplog.text


def test_a_secret_in_a_comment_is_hidden(scores):
    """Comments are cleaned like everything else that leaves."""
    agentops.score("correct", 1, "the key was sk-proj-" + "a1B2" * 12)
    [(attributes, _, _)] = scores()
    assert "a1B2" not in attributes["gen_ai.evaluation.explanation"]
