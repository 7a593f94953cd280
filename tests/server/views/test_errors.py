"""The page of errors."""

from __future__ import annotations

import csv
import io

import pytest

from agentops_otel.server.store import ErrorGroup, Moved
from agentops_otel.server.views.errors import what_next
from tests.fakes.sessions import SECOND, Run
from tests.server.running import RunningBox
from tests.server.views.conftest import html, page, send, words

HOSTILE = "<img src=x onerror=alert(1)>"


def causes(found):
    return {(cause["group"]["type"], cause["group"]["label"]): cause for cause in found["causes"]}


def test_errors_are_grouped_by_cause(shop):
    """The three refusals of two sessions are one cause, and the recovered ones are told apart."""
    found = page(shop.box, "/errors")
    refused = causes(found)["PermissionError", "refund"]
    assert (refused["group"]["count"], refused["group"]["fatal"], refused["group"]["sessions"]) == (6, 6, 2)
    assert refused["next"] == "same call again, 4 of 4 failed"
    assert sum(sum(piece) for piece in refused["pieces"]) == 6
    reset = causes(found)["ConnectionError", "refund"]
    assert (reset["group"]["fatal"], reset["group"]["recovered"]) == (0, 1)
    assert reset["next"] == "same call again, worked 1 of 1"


def test_the_numbers_are_those_of_the_list(shop):
    """Fatal and recovered errors, and what the failed sessions cost, are the sums of the list."""
    found, listed = page(shop.box, "/errors"), page(shop.box, "/sessions")["sessions"]
    for name in ("fatal_errors", "recovered_errors"):
        assert found["figures"][name] == sum(row[name] for row in listed)
        fate = name.partition("_")[0]
        assert found["figures"][name] == sum(cause["group"][fate] for cause in found["causes"])
    failed = [row for row in listed if row["state"] == "fail"]
    assert found["failed"]["cost"] == pytest.approx(sum(row["cost"] for row in failed))
    assert found["failed"]["duration_ns"] == sum(row["duration_ns"] for row in failed)
    assert (found["fatal_sessions"], found["recovered_sessions"]) == (2, 2)


def test_the_last_error_is_shown_whole(shop):
    """Its call, its stack, who asked for it, and the sessions with it; the first cause is open by itself."""
    sample = page(shop.box, "/errors")["sample"]
    assert sample["session_id"] == shop.refused.session_id
    assert sample["span"]["error_message"] == "refund of 412.90 EUR needs approval"
    assert "Traceback" in sample["stack"]
    assert sample["span"]["body"] is None
    assert (sample["asked_by"]["label"], sample["turn"]) == ("gpt-4.1", 4)
    assert [row["session_id"] for row in sample["sessions"]] == [
        shop.refused.session_id,
        shop.refused_before.session_id,
    ]
    text = words(html(shop.box, "/errors"))
    assert "refund(order=1907, amount=412.9)" in text
    assert "asked for by gpt-4.1, turn 4" in text


def test_a_cause_can_be_opened_and_closed(shop):
    """The address says which one is open."""
    found = page(shop.box, "/errors")
    other = causes(found)["ConnectionError", "refund"]["group"]["fingerprint"]
    assert page(shop.box, f"/errors?show={other}")["sample"]["fingerprint"] == other
    assert page(shop.box, "/errors?show=-")["sample"] is None
    assert f'href="?show={other}"' in html(shop.box, "/errors")


def test_a_fate_leaves_out_the_other_causes_and_no_number(shop):
    """The chips keep their counts."""
    everything, fatal = page(shop.box, "/errors"), page(shop.box, "/errors?fate=fatal")
    assert set(causes(fatal)) == {("PermissionError", "refund")}
    assert fatal["figures"] == everything["figures"]


def test_a_cause_links_to_its_sessions(shop):
    """The list behind the link has as many sessions as the row says."""
    cause = causes(page(shop.box, "/errors"))["PermissionError", "refund"]["group"]
    assert f'href="/?error={cause["fingerprint"]}"' in html(shop.box, "/errors")
    assert page(shop.box, f"/sessions?error={cause['fingerprint']}")["total"] == cause["sessions"]


def test_what_is_new_was_not_there_before_the_period(shop):
    """A cause that was seen earlier is not new; all time has nothing new."""
    found = page(shop.box, "/errors?since=1d")
    assert not causes(found)["PermissionError", "refund"]["new"]
    assert causes(found)["ConnectionError", "refund"]["new"]
    assert page(shop.box, "/errors")["new_causes"] == []


def test_numbers_and_ids_in_messages_are_quiet(shop):
    """What differs from time to time is told from the cause."""
    assert "refund of <i>412.90</i> EUR needs approval" in html(shop.box, "/errors")


def test_hostile_texts_are_text(tmp_path):
    """Markup in types, messages, arguments and names is shown, not obeyed; CSV has no formula."""
    run = Run(HOSTILE, 1_790_000_000 * SECOND, tags=[HOSTILE])
    run.ask(HOSTILE)
    run.llm("gpt-4.1", 1.0, calls=[("=tool", {"x": HOSTILE})])
    run.tool("=tool", {"x": HOSTILE}, None, 1.0, error=("=1+1", HOSTILE))
    with RunningBox(tmp_path) as box:
        send(box, run.end("Fail", HOSTILE))
        for path in ("/errors", "/tools", "/models", "/costs?by=tag", "/search?q=onerror", "/compare"):
            text = html(box, path)
            assert "<img" not in text
        rows = list(csv.DictReader(io.StringIO(box.get("/errors.csv").text)))
    assert rows[0]["type"] == "'=1+1"


@pytest.mark.parametrize(
    ("kind", "moves", "sentence"),
    [
        pytest.param("tool", [], "", id="nothing is known"),
        pytest.param("tool", [("same call", "t", 8, 0, 0)], "same call again, 8 of 8 failed", id="in vain"),
        pytest.param("tool", [("other arguments", "t", 22, 17, 0)], "other arguments, worked 17 of 22", id="mostly"),
        pytest.param(
            "tool",
            [("answer", "m", 1, 1, 0), ("other tool", "grep", 3, 2, 0)],
            "grep instead, worked 2 of 3",
            id="most",
        ),
        pytest.param("tool", [("answer", "m", 3, 3, 0)], "answered without it, 3 of 3", id="answer"),
        pytest.param(
            "llm", [("same call", "m", 41, 38, 4_100_000_000)], "retry, worked 38 of 41, 4.1\u202fs later", id="retry"
        ),
        pytest.param("llm", [("nothing", "", 2, 0, 0)], "nothing more, 2 of 2", id="nothing"),
    ],
)
def test_what_was_done_next_is_one_sentence(kind, moves, sentence):
    """It is made of the move that was made most often."""
    moved = tuple(Moved(*each) for each in moves)
    group = ErrorGroup("f", "E", "m", kind, "t", 9, 9, 0, 0, 1, 1, 0, 0, 0.0, "s", "p", moves=moved)
    assert what_next(group) == sentence


def test_nothing_is_said_in_words(empty):
    """No session is not the same as no error."""
    assert "No session here, so no error." in words(html(empty, "/errors"))
    send(empty, Run("calm", 1_790_000_000 * SECOND).end())
    assert "No error in 1 session." in words(html(empty, "/errors"))
