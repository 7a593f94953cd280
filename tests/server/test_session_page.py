"""The page of a session over a real store and real sockets: the numbers of its row, sentences, addresses."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import pytest

from agentops_otel.rows import SessionRow, SpanRow
from agentops_otel.server.store import Batch, Filter, Price
from agentops_otel.server.views.run import Run
from agentops_otel.server.views.session_page import errors_so_far, first_sentence, how_computed, verdict
from agentops_otel.summarize import summarize
from agentops_otel.usage import Usage
from tests.fakes import plays
from tests.fakes.sessions import Run as Play
from tests.server.played import NOW, played
from tests.server.running import RunningBox

TABS = ["story", "waterfall", "replay", "calls", "errors", "raw"]


@pytest.fixture(scope="module")
def runs():
    hour = 3_600_000_000_000
    return {
        "refund": plays.refund(NOW - hour),
        "refused": plays.refused_refund(NOW),
        "killed": plays.killed(NOW - 9 * hour),
        "large": plays.large(NOW - 5 * hour, 2600),
    }


@pytest.fixture(scope="module")
def box(tmp_path_factory, runs):
    with RunningBox(tmp_path_factory.mktemp("box")) as box:
        for run in [*runs.values(), plays.refund(NOW - 7_200_000_000_000)]:
            plays.post(box.address, run)
        yield box


def asked(box, path):
    answer = box.get(path, accept="application/json")
    assert answer.status == 200, answer.text[:500]
    return json.loads(answer.text)


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("name", ["refund", "refused", "killed", "large"])
def test_every_view_of_every_session_is_drawn(box, runs, name, tab):
    """As HTML and as JSON, whose row is that of the list."""
    path = f"/s/{runs[name].session_id}"
    html = box.get(f"{path}?tab={tab}")
    assert html.status == 200, html.text[:2000]
    assert "<script>" not in html.text
    page = asked(box, f"{path}.json?tab={tab}")
    listed = next(row for row in asked(box, "/sessions.json")["sessions"] if row["session_id"] == runs[name].session_id)
    assert page["row"]["cost"] == pytest.approx(listed["cost"])
    assert page["row"]["usage"]["input_tokens"] == listed["input_tokens"]
    assert page["row"]["llm_calls"] == listed["llm_calls"]


def test_the_views_agree_on_what_it_cost(box, runs):
    """The last line of the ledger, the sum of the calls, the root of the tree and the ribbon."""
    path = f"/s/{runs['refused'].session_id}.json"
    cost = asked(box, path)["row"]["cost"]
    steps = asked(box, path)["view"]["steps"]
    assert [step["numbers"]["so_far"] for step in steps if step["kind"] == "llm"][-1] == pytest.approx(cost)
    assert asked(box, f"{path}?tab=calls")["view"]["total"]["cost"] == pytest.approx(cost)
    assert asked(box, f"{path}?tab=waterfall")["view"]["rows"][0]["numbers"]["cost"] == pytest.approx(cost)
    assert sum(band["cost"] for band in asked(box, path)["ribbon"]["money"]) == pytest.approx(cost)


def test_a_span_is_opened_by_its_address(box, runs):
    """In the page, alone, and as a fragment; one that is not there is a plain 404."""
    session = runs["refund"]
    path, span_id = f"/s/{session.session_id}", session.spans[0].span_id.hex()
    assert asked(box, f"{path}.json?tab=waterfall&span={span_id}")["panel"]["span"]["span_id"] == span_id
    assert box.get(f"{path}/panel?span={span_id}").status == 200
    assert asked(box, f"{path}/spans/{span_id}.json")["panel"]["turn"] == 1
    assert box.get(f"{path}/panel?span=nothing").status == 404
    assert asked(box, f"{path}.json?span=nothing")["selected"] is None


def test_a_folded_row_is_loaded_when_it_is_unfolded(box, runs):
    """Of a large session."""
    path = f"/s/{runs['large'].session_id}"
    folded = next(row for row in asked(box, f"{path}.json?tab=waterfall")["view"]["rows"] if row["collapsed"])
    inside = asked(box, f"{path}/rows.json?under={folded['id']}")["view"]["rows"]
    assert {row["parent"] for row in inside} == {folded["id"]}
    assert next(row["detail"] for row in inside if row["kind"] == "tool").startswith("url=")


def test_only_what_is_shown_of_a_large_session_is_read(box, runs):
    """And it is what a small one shows: arguments, messages, the text of the panel."""
    path = f"/s/{runs['large'].session_id}.json"
    story = asked(box, path)["view"]
    assert story["folded"] > 1000
    assert story["steps"][0]["asked"].startswith("Read the catalogue") or story["steps"][0]["kind"] == "agent"
    shown = asked(box, f"{path}?tab=replay&at=40")["view"]
    assert shown["steps"][39]["context"]
    assert sum(bool(step["context"]) for step in shown["steps"]) == 1
    span = [span for span in box.store.spans(runs["large"].session_id) if span.kind == "llm"][30]
    fragment = asked(box, f"/s/{runs['large'].session_id}/panel.json?span={span.span_id}")["panel"]
    whole = asked(box, f"{path}?tab=waterfall&span={span.span_id}")["panel"]
    assert fragment == whole
    assert len(fragment["sent_again"]) > 10
    last = asked(box, f"{path}?tab=raw&from=2400")["view"]["spans"]
    assert all(raw["attributes"] for raw in last)


def test_a_whole_text_is_had_by_its_place(box, tmp_path):
    """What a page shows cut."""
    play = Play("long", NOW)
    play.ask("x" * 70_000, system="s" * 70_000)
    play.llm("gpt-4.1", 1, answer="ok")
    plays.post(box.address, play.end())
    path = f"/s/{play.session_id}"
    ask = asked(box, f"{path}.json")["view"]["steps"][0]
    assert ask["folds"][0]["pieces"][0]["whole"] == "system.0"
    assert box.get(f"{path}/text?span=ask&part=system.0").text == "s" * 70_000
    assert box.get(f"{path}/text?span=ask&part=input.0.0").text == "x" * 70_000
    assert box.get(f"{path}/text?span=ask&part=../../etc/passwd").status == 404


def test_instructions_say_how_often_they_were_sent_before(box, runs):
    """In sessions before this one."""
    ask = asked(box, f"/s/{runs['refund'].session_id}.json")["view"]["steps"][0]
    assert ask["folds"][0]["summary"] == "System instructions, 35 characters, the same as in 1 session before"


def test_a_price_that_was_set_is_told_in_the_sum(box):
    """The panel of a call says with which price it was computed."""
    play = plays.unpriced(NOW)
    plays.post(box.address, play)
    box.store.set_price(Price("", "qwen3-coder-local", 0.5, 2.0))
    span = next(span for span in box.store.spans(play.session_id) if span.kind == "llm")
    found = asked(box, f"/s/{play.session_id}.json?span={span.span_id}")["panel"]
    assert [(price["tokens"], price["per_million"]) for price in found["prices"]] == [("input", 0.5), ("output", 2.0)]
    assert sum(price["cost"] for price in found["prices"]) == pytest.approx(span.cost)


def test_a_session_that_is_not_there_says_what_to_do(box):
    """404, in words."""
    answer = box.get("/s/no-such-session", accept="text/html")
    assert answer.status == 404
    assert "Look for it in the list of sessions" in answer.text


# --------------------------------------------------------------------------------------------------------- sentences


def said(run):
    return "".join(text for text, _ in verdict(run))


def test_a_verdict_is_one_sentence():
    """What it does, how it ended, what is known of it."""
    running = played(plays.ci_medic(NOW))
    assert (said(running), errors_so_far(running.row)) == ("Running run_tests", "One error so far, recovered.")
    assert said(played(plays.refund(NOW))) == "Success after 1 recovered error"
    assert said(played(plays.refused_refund(NOW))) == "Failed: PermissionError: refund of 412.90 EUR needs approval"
    killed = said(played(plays.killed(NOW), NOW + 3_600_000_000_000))
    assert killed.startswith("Indeterminate: no end recorded. Last sign of life ")


def test_a_reason_that_is_not_an_error_is_said():
    """As when somebody pressed Ctrl-C."""
    play = Play("x", NOW)
    play.tool("t", {}, None, 1, error=("ValueError", "no"))
    assert said(played(play.end("Fail", "Interrupted (SIGINT)"))) == "Failed: Interrupted (SIGINT)"


def test_a_cost_says_how_it_is_computed():
    """How many calls, with which table, and what is not in it."""
    text = how_computed(played(plays.refund(NOW)))
    assert text.startswith("Sum of 4 LLM calls, priced one by one with the price table ")
    assert text.endswith(". Agents are not added again.")
    assert "7 calls without a price are not in it." in how_computed(played(plays.unpriced(NOW)))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Refund order 1907", "Refund order 1907"),
        ("Find out why it fails, and fix it. " + "More. " * 30, "Find out why it fails, and fix it"),
        ("Why does version 1.2 of the parser fail? " + "More. " * 30, "Why does version 1.2 of the parser fail?"),
        ("x" * 300, "x" * 300),
    ],
)
def test_the_title_is_the_first_sentence(text, title):
    """Of what was asked, when that is long."""
    assert first_sentence(text) == title


def test_a_row_without_spans_has_a_page():
    """As right after the start of a session."""
    row = replace(summarize("s", [], [], now_ns=NOW), state="running", started_ns=NOW, last_ns=NOW)
    run = Run(row, [], NOW + 5_000_000_000)
    assert isinstance(row, SessionRow)
    assert (run.length_ns, run.row.own_ns) == (5_000_000_000, 5_000_000_000)
    assert said(run).startswith("Running")
    assert how_computed(run) == "No call of a model, so no cost."
    assert run.row.usage == Usage()


HOSTILE = 'a"><b>&x={0}'
VIEWER = "http://jaeger:16686/trace/{trace_id}?session={session_id}"


def test_pages_link_to_a_trace_in_another_viewer(tmp_path):
    """A session to its first trace, a span to its own; what a stranger calls a session is only text in the address."""
    now = time.time_ns()
    rows = [
        SpanRow(f"{number:032x}", f"{number:016x}", None, HOSTILE, "action", "step", "step", now + number, now + 9)
        for number in (1, 2)
    ]
    with RunningBox(tmp_path, trace_url=VIEWER) as box:
        box.store.add(Batch(spans=rows), now)
        here = f"/s/{rows[0].trace_id}"
        asked = box.get(f"{here}?span={rows[1].span_id}", accept="text/html").text
        fragment = box.get(f"{here}/panel?span={rows[1].span_id}", accept="text/html").text
    links = re.findall(r'href="(http://jaeger:16686[^"]*)"', asked)
    quoted = "a%22%3E%3Cb%3E%26x%3D%7B0%7D"
    assert links == [f"http://jaeger:16686/trace/{row.trace_id}?session={quoted}" for row in rows]
    assert f'href="{links[1]}" target="_blank" rel="noreferrer"' in fragment


def test_pages_link_to_no_viewer_that_was_not_named(tmp_path):
    """Without a template there is no link."""
    with RunningBox(tmp_path) as box:
        box.send(plays.refund(time.time_ns()))
        assert "Trace viewer" not in box.get("/s/" + box.store.sessions(Filter()).rows[0].session_id).text
