"""The list of sessions, as a person and a program get it from a running box."""

from __future__ import annotations

import json
import re
import time
from html import unescape

import pytest

from agentops_otel.server.format import iso
from agentops_otel.server.store import Filter
from tests.fakes import plays
from tests.fakes.sessions import SECOND, Run
from tests.server.running import RunningBox

MINUTE = 60 * SECOND
FIELDS = {
    *("session_id", "trace_id", "name", "state", "reason", "start", "duration", "llm_calls", "tool_calls"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cost", "errors", "recovered_errors", "tags"),
}


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as running:
        yield running


@pytest.fixture
def filled(box):
    """One of each state, and a few more."""
    now = time.time_ns()
    box.send(
        plays.ci_medic(now),
        plays.refund(now - 5 * MINUTE),
        plays.refused_refund(now - 13 * MINUTE),
        plays.unpriced(now - 95 * MINUTE),
        plays.killed(now - 400 * MINUTE),
    )
    return box


def _rows(html: str) -> list[str]:
    return re.findall(r'<tr id="s-.*?</tr>', html, re.DOTALL)


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", html))).strip()


def _parsed(link: str) -> dict[str, str]:
    return dict(part.split("=") for part in link.lstrip("?").split("&"))


def _listed(box: RunningBox, query: str = "") -> dict:
    answer = box.get(f"/sessions.json{query}")
    assert answer.status == 200
    return json.loads(answer.body)


def test_a_row_says_what_was_asked_and_how_it_ended(filled):
    """The failed session's row has its prompt, its error, its numbers and its marks."""
    row = next(row for row in _rows(filled.get("/").text) if "1907" in row)
    assert "Refund order 1907, two chairs, both with scratches" in _text(row)
    assert "PermissionError" in _text(row)
    assert 'aria-label="Fail"' in row
    assert "3 fatal" in _text(row)
    assert re.search(r'aria-label="LLM [\d.]+ %, tools [\d.]+ %, own code [\d.]+ %"', row)
    assert re.search(r'<data class="usd" value="0\.0\d+"', row)


def test_a_running_row_says_for_how_long_it_does_what_it_does(filled):
    """With a clock that the page lets tick; a session that has ended has none."""
    running, *ended = _listed(filled)["sessions"]
    row, *rows = _rows(filled.get("/").text)
    assert re.search(r"now run_tests, \d+\.\d+ s", _text(row))
    assert re.search(r'now run_tests</bdi>, <span data-since="([^"]*)"', row)[1] == iso(running["ending_since_ns"])
    assert not [row for row in rows if "data-since" in row]
    assert not [each for each in ended if each["ending_since_ns"]]


def test_json_has_the_same_sessions_in_the_same_order(filled):
    """A program reads what a person sees; a time is ISO 8601, a duration seconds."""
    page = _listed(filled)
    ids = re.findall(r'<tr id="s-([^"]+)"', filled.get("/").text)
    assert [each["session_id"] for each in page["sessions"]] == ids
    assert len(ids) == page["total"] == 5
    for each in page["sessions"]:
        assert set(each) >= FIELDS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each["start"])
    refund = next(each for each in page["sessions"] if "1842" in each["asked"])
    assert (refund["state"], refund["errors"], refund["recovered_errors"]) == ("success", 1, 1)
    assert refund["duration"] == pytest.approx(6.3, abs=0.5)


def test_the_figures_are_the_sums_of_the_rows(filled):
    """Sessions, cost and errors above the list are those in it."""
    page = _listed(filled)
    figures, rows = page["figures"], page["sessions"]
    assert figures["sessions"] == len(rows)
    assert figures["cost"] == pytest.approx(sum(each["cost"] or 0 for each in rows))
    assert figures["fatal_errors"] == sum(each["fatal_errors"] for each in rows)
    assert figures["recovered_errors"] == sum(each["recovered_errors"] for each in rows)


def test_points_of_costs_stand_in_one_line(filled):
    """Every cost of the page has as many characters behind its point as the longest."""
    html = " ".join(_rows(filled.get("/").text))
    lengths = set()
    for padding, shown in re.findall(r'<data class="usd" value="[^"]*"(?: data-pad="([^"]*)")?>(.*?)</data>', html):
        lengths.add(len((_text(shown) + padding).partition(".")[2]))
    assert len(lengths) == 1
    assert "no price" in html


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?state=fail", {"support-desk"}),
        ("?state=running&state=fail", {"support-desk", "ci-medic"}),
        ("?tag=cron", {"nightly-index"}),
        ("?model=text-embedding-3-small", {"nightly-index"}),
        ("?tool=run_tests", {"ci-medic"}),
        ("?q=blender", {"support-desk"}),
        ("?since=1h", {"ci-medic", "support-desk"}),
    ],
)
def test_a_filter_in_the_address_filters_list_figures_and_json(filled, query, names):
    """The whole state of the page is its address."""
    page = _listed(filled, query)
    assert {each["name"] for each in page["sessions"]} == names
    assert page["figures"]["sessions"] == page["total"] == len(_rows(filled.get(f"/{query}").text))


def test_chips_of_states_count_what_each_would_show(filled):
    """Also while another one is on."""
    html = filled.get("/?state=fail").text
    states = html[html.index('id="states"') : html.index("</nav>", html.index('id="states"'))]
    counts = dict(re.findall(r"(All|Running|Success|Fail|Indeterminate) (\d+)", _text(states)))
    assert counts == {"All": "5", "Running": "1", "Success": "2", "Fail": "1", "Indeterminate": "1"}


def test_values_of_a_filter_ignore_the_filter_itself(filled):
    """Beside the tag that is on stand the others that could be."""
    answer = filled.get("/facets?field=tag&tag=cron")
    assert answer.status == 200
    chips = re.findall(r'<a class="chip"[^>]*>(\w+) <small>(\d+)', answer.text)
    assert {"cron", "prod", "ci"} <= {tag for tag, _ in chips}
    assert re.findall(r'aria-current="true">(\w+)', answer.text) == ["cron"]
    assert filled.get("/facets?field=nothing").status == 404
    page = json.loads(filled.get("/facets.json?field=model&state=fail").body)
    assert page["field"] == "model"
    assert all(value["sessions"] == 1 for value in page["values"])


def test_what_hides_every_session_is_said(filled):
    """When nothing is left, each part of the filter says how many it hides."""
    html = filled.get("/?state=fail&tag=cron").text
    assert "No session has all of: state fail, tag cron." in _text(html)
    assert "without state 1" in _text(html)
    assert "without tag 1" in _text(html)
    assert not _rows(html)


def test_heads_of_columns_sort_both_ways(filled):
    """The head says the order, and its link is the other one."""
    html = filled.get("/?sort=cost").text
    head = re.search(r'<th [^>]*aria-sort="descending"><a href="([^"]+)">Cost', html)
    assert head
    costs = [each["cost"] or 0 for each in _listed(filled, "?sort=cost")["sessions"]]
    assert costs == sorted(costs, reverse=True)
    turned = unescape(head[1])
    assert _parsed(turned) == {"sort": "cost", "order": "asc"}
    costs = [each["cost"] or 0 for each in _listed(filled, turned)["sessions"]]
    assert costs == sorted(costs)


def test_pages_of_the_list_hold_each_session_once(box):
    """Next leads through all of them, and says which ones these are; what is not valid is no reason to fail."""
    box.send(*plays.many(time.time_ns(), 7, 4))
    seen, link = [], "?limit=3"
    for first, last in ((1, 3), (4, 6), (7, 7)):
        html = box.get(f"/{link}").text
        assert f"{first} to {last} of 7" in _text(html)
        seen += re.findall(r'<tr id="s-([^"]+)"', html)
        following = re.search(r'rel="next" href="([^"]+)"', html)
        link = unescape(following[1]) if following else ""
    assert len(set(seen)) == len(seen) == 7
    assert not link
    for odd in ("?limit=-1", "?limit=x&at=9999999&sort=nothing&order=up", "?at=2"):
        assert box.get(f"/{odd}").status == 200


def test_a_box_without_sessions_says_what_to_do(box):
    """The real endpoint, a way to begin, and what was refused so far, with its reason."""
    box.post("/v1/traces", b"not a span")
    html = box.get("/").text
    assert "Waiting for the first span" in html
    assert f"{box.address}/v1/traces" in html
    assert f'agentops.init(endpoint="{box.address}")' in unescape(html)
    assert "1 request" in _text(html)
    assert not _rows(html)
    assert "Waiting for the first span" in box.get("/?state=fail").text


def test_projects_have_a_menu_when_there_are_several(filled):
    """One project needs no menu; of two, each is a filter, and one without sessions says so."""
    assert 'id="project"' not in filled.get("/").text
    filled.store.create_key("shop", time.time_ns())
    html = filled.get("/?since=7d").text
    menu = html[html.index('id="project"') : html.index("</details>", html.index('id="project"'))]
    assert re.findall(r'aria-current="true">([^<]+)', menu) == ["All projects"]
    assert 'href="?since=7d&amp;project=shop"' in menu
    there = filled.get("/?project=shop").text
    assert "No session has project shop." in _text(there)
    assert 'href="/costs?project=shop"' in there


@pytest.mark.parametrize(
    ("query", "label"), [("", "All"), ("?since=today", "Today"), ("?since=2026-01-02", "2026-01-02")]
)
def test_the_bar_says_the_period(filled, query, label):
    """The menu of periods says which one is on."""
    html = filled.get(f"/{query}").text
    assert f'<summary aria-label="Period: {label}">{label}</summary>' in html


def test_the_demo_is_loaded_by_a_click(box):
    """The button's request stores the recorded sessions and leads to one that is there."""
    answer = box.ask("POST", "/demo", b"", X_AgentOps_Otel="1", Accept="application/json")
    assert answer.status == 200
    target = json.loads(answer.body)["go"]
    assert box.get(target).status == 200
    assert box.store.sessions(Filter()).total > 1
    assert _rows(box.get("/").text)


def test_hostile_names_are_text(box):
    """What a session is called, asked and tagged is never markup, and its link is one."""
    run = Run('<img src=x onerror="alert(1)">', time.time_ns() - MINUTE, tags=["</a><script>alert(2)</script>", "a&b"])
    run.ask('"><svg onload=alert(3)>')
    run.llm("<b>gpt</b>", 1.0, answer="{{ 7 * 7 }}", tokens=(10, 2))
    box.send(run.end("Fail", "<script>alert(4)</script>"))
    html = box.get("/").text
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert "<svg onload" not in html
    assert '<img src=x onerror="alert(1)">' in unescape(re.sub(r"<[^>]*>", "", _rows(html)[0]))
    links = re.findall(r'href="(\?tag=[^"]+)"', html)
    assert any(box.get(f"/{unescape(link)}").text.count('<tr id="s-') == 1 for link in links)
