"""Scores in the pages of a running box: shown where they belong, given by a thumb, and an order of the list."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import urlencode

import pytest

from agentops_otel.rows import Score
from agentops_otel.server.page import Asked
from agentops_otel.server.store import Batch
from agentops_otel.server.views.thumbs import thumb
from agentops_otel.server.words import score_value, short_number
from tests.fakes import plays
from tests.fakes.sessions import SECOND
from tests.server.running import RunningBox
from tests.server.store.rows import session


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as running:
        yield running


@pytest.fixture
def runs(box):
    """Two sessions, the newer one first."""
    now = time.time_ns()
    made = [plays.refund(now - 60 * SECOND), plays.refused_refund(now - 120 * SECOND)]
    box.send(*made)
    return made


def score(run, name, value=None, label=None, *, comment=None, span=None, after=0):
    """A score of a session that was sent."""
    span_id = span and span.span_id.hex()
    return Score(run.session_id, run.trace_id.hex(), span_id, name, run.now_ns + after, value, label, comment)


def press(box, run, thumb, **more):
    """The answer to a thumb that is sent as the page does."""
    form = urlencode({"thumb": thumb, **more}).encode()
    named = {"X_AgentOps_Otel": "1", "accept": "application/json"}
    return box.post(f"/s/{run.session_id}/thumb", form, "application/x-www-form-urlencoded", **named)


def pressed(html):
    """The judgements that are pressed, in order."""
    return re.findall(r'<button[^>]*value="(\w+)"[^>]*aria-pressed="true"', html)


def heads(html):
    """The heads of the list's columns."""
    return re.findall(r'<th class="[^"]*"[^>]*><a href="[^"]*">(\w+)</a>', html)


def test_the_last_score_of_each_name_stands_in_the_head(box, runs):
    """With its comment; those of spans stand with their spans."""
    run = runs[0]
    step = run.spans[2]
    box.store.add(
        Batch(
            scores=[
                score(run, "correct", 0.0),
                score(run, "correct", 1.0, "true", comment="the <right> order", after=1),
                score(run, "style", 0.825, "fair", after=2),
                score(run, "useful", 0.25, span=step, comment="late", after=3),
            ]
        ),
        time.time_ns(),
    )
    head = box.get(f"/s/{run.session_id}").text.partition('id="facts"')[2].partition("</header>")[0]
    assert "<dt>correct</dt><dd>true <i>the &lt;right&gt; order</i></dd>" in head
    assert "<dt>style</dt><dd>0.82 fair</dd>" in head
    assert "useful" not in head
    panel = box.get(f"/s/{run.session_id}/panel?span={step.span_id.hex()}").text
    assert "<dt>useful</dt><dd>0.25 <i>late</i></dd>" in panel
    assert "correct" not in panel


def test_a_thumb_is_a_score_and_the_last_one_holds(box, runs):
    """Pressing the other one changes it; it is pressed in the page, and no other session's is."""
    run, other = runs
    assert pressed(box.get(f"/s/{run.session_id}").text) == []
    for judgement, value in (("good", 1.0), ("bad", 0.0)):
        assert json.loads(press(box, run, judgement).body) == {"go": f"/s/{run.session_id}"}
        last = box.store.session(run.session_id).last_scores()
        assert [(each.name, each.value, each.label) for each in last] == [("thumb", value, judgement)]
        assert pressed(box.get(f"/s/{run.session_id}").text) == [judgement]
    assert pressed(box.get(f"/s/{other.session_id}").text) == []


def test_a_thumb_of_a_span_is_not_the_sessions(box, runs):
    """It is pressed in the panel of that span alone."""
    run = runs[0]
    one, another = (span.span_id.hex() for span in run.spans[1:3])
    assert press(box, run, "bad", span=one).status == 200
    panel = f"/s/{run.session_id}/panel?span="
    assert pressed(box.get(panel + one).text) == ["bad"]
    assert pressed(box.get(panel + another).text) == []
    assert pressed(box.get(f"/s/{run.session_id}?span={one}").text) == ["bad"]
    assert box.store.session(run.session_id).score is None


@pytest.mark.parametrize(
    ("sent", "status"),
    [({"thumb": "5"}, 400), ({"thumb": ""}, 400), ({"thumb": "good", "span": "0" * 16}, 404)],
)
def test_what_is_no_thumb_changes_nothing(box, runs, sent, status):
    """A judgement that is none, and a span that is not there."""
    assert press(box, runs[0], **sent).status == status
    assert box.store.session(runs[0].session_id).scores == ()


def test_another_site_cannot_send_a_thumb(box, runs):
    """A form of another page has no header of its own."""
    path = f"/s/{runs[0].session_id}/thumb"
    assert box.post(path, b"thumb=good", "application/x-www-form-urlencoded").status == 403
    assert box.store.session(runs[0].session_id).scores == ()


def test_a_thumb_lands_in_the_project_of_its_session(box):
    """Also when the page is of all projects."""
    box.store.add(Batch(session(1), project="shop"), time.time_ns())
    asked = Asked(box.store, {"key": "session-1"}, {}, time.time_ns(), form={"thumb": ["good"]})
    assert thumb(asked) == "/s/session-1"
    assert [each.label for each in box.store.session("session-1", "shop").scores] == ["good"]
    assert box.store.project_of("session-1") == "shop"
    assert box.store.project_of("session-2") is None


def test_the_list_has_a_column_of_scores_when_there_are_some(box, runs):
    """It sorts by the mean of the last scores, and a row says what they are."""
    good, bad = runs
    assert heads(box.get("/").text)[-1] == "Errors"
    assert heads(box.get("/?sort=score").text)[-1] == "Score"
    scores = [score(good, "correct", 1.0), score(good, "style", 0.5), score(bad, "correct", 0.25, "poor")]
    box.store.add(Batch(scores=[*scores, score(good, "step", 0.0, span=good.spans[1])]), time.time_ns())
    press(box, bad, "bad")
    html = box.get("/").text
    assert heads(html)[-1] == "Score"
    assert '<span title="correct 1, style 0.5">0.75</span>' in html
    assert 'aria-label="thumb bad"' in html
    assert '<span title="correct 0.25 poor, thumb bad">0.12</span>' in html
    for order, expected in (("desc", [good, bad]), ("asc", [bad, good])):
        listed = json.loads(box.get(f"/sessions.json?sort=score&order={order}").body)["sessions"]
        assert [row["session_id"] for row in listed] == [run.session_id for run in expected]
        assert {row["session_id"]: row["score"] for row in listed} == {good.session_id: 0.75, bad.session_id: 0.125}


def test_a_score_of_one_word_is_shown_and_not_counted(box, runs):
    """A word has no mean."""
    box.store.add(Batch(scores=[score(runs[0], "style", label="good <enough>")]), time.time_ns())
    assert '<span title="style good &lt;enough&gt;">good <enough>'.replace("<enough>", "") in box.get("/").text
    assert box.store.session(runs[0].session_id).score is None


@pytest.mark.parametrize(
    ("value", "label", "said"),
    [
        (1.0, "true", "true"),
        (0.0, "bad", "bad"),
        (None, "fair", "fair"),
        (0.4, "poor", "0.4 poor"),
        (0.82, None, "0.82"),
        (0.0, None, "0"),
        (None, None, ""),
    ],
)
def test_what_a_score_says(value, label, said):
    """The word of a yes or no, the number else, and both where both say something."""
    assert score_value(Score("s", "a" * 32, None, "n", 1, value, label)) == said


def test_numbers_of_any_scale_are_short():
    """No number makes a column wide."""
    numbers = (0, 3, -0.5, 0.001234, 1240, 98.765, 2.5e9, -1e300)
    assert [*map(short_number, numbers)] == ["0", "3", "-0.5", "0.00123", "1,240", "98.77", "2.5e+09", "-1e+300"]
