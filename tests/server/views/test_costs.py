"""The page of costs."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from agentops_otel.tree import Tree
from tests.fakes.sessions import SECOND, Run
from tests.server.running import RunningBox
from tests.server.views.conftest import html, page, send, words

NOON = 1_790_000_000 * SECOND
HERE = {"X-AgentOps-Otel": "1"}


def change(box, path, **fields):
    return box.ask("POST", path, json.dumps(fields).encode(), **{"content-type": "application/json", **HERE})


@pytest.mark.parametrize("by", ["model", "name", "day"])
def test_every_total_is_the_sum_of_the_leaf_calls(shop, by):
    """Figure, rows, last line, columns, division by class, the list of sessions and the spans are one number."""
    found = page(shop.box, f"/costs?by={by}")
    listed = page(shop.box, "/sessions")["sessions"]
    spans = [span for row in listed for span in Tree(shop.box.store.spans(row["session_id"])).calls()]
    total = pytest.approx(sum(span.cost or 0 for span in spans))
    assert found["figures"]["cost"] == total
    assert found["total"]["cost"] == total
    assert sum(row["cost"] for row in found["rows"]) == total
    assert sum(column["cost"] for column in found["columns"]) == total
    assert sum(sum(column["parts"]) for column in found["columns"]) == total
    assert sum(share["cost"] for share in found["split"]["shares"]) + found["split"]["unknown"] == total
    assert sum(row["cost"] or 0 for row in listed) == total
    tokens = sum(span.usage.input_tokens + span.usage.output_tokens for span in spans if span.usage)
    assert sum(share["tokens"] for share in found["split"]["shares"]) == tokens
    assert found["total"]["calls"] == len(spans)
    assert shop.box.store.sql("SELECT total(cost) FROM session").rows[0][0] == total


def test_what_an_agent_repeats_of_its_children_is_not_added(tmp_path):
    """An agent span with tokens and a cost of its own, and a wrapper around the call, change no total."""
    run = Run("repeats", NOON)
    run.ask("Add nothing twice")
    with run.agent("adder", "Add"):
        run.llm("gpt-4.1", 1.0, tokens=(1000, 100, 400))
    for span in run.spans:
        if span.name.startswith("invoke_agent"):
            for name, value in (("gen_ai.usage.input_tokens", 1000), ("gen_ai.usage.output_tokens", 100)):
                span.attributes.add(key=name).value.int_value = value
            span.attributes.add(key="gen_ai.usage.cost").value.double_value = 9.0
    with RunningBox(tmp_path) as box:
        send(box, run.end())
        found = page(box, "/costs")
    assert found["total"]["usage"]["input_tokens"] == 1000
    assert found["total"]["usage"]["cache_read_tokens"] == 400
    assert found["figures"]["cost"] == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6)


def test_tags_overlap_and_say_so(shop):
    """Two tags of one session each have its whole cost; the last line has it once."""
    found = page(shop.box, "/costs?by=tag")
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["prod"]["cost"] == pytest.approx(rows["v2"]["cost"])
    assert rows["prod"]["sessions"] == rows["v2"]["sessions"] == 3
    assert found["overlaps"]
    assert found["total"]["cost"] == pytest.approx(found["figures"]["cost"])
    assert "counts with its whole cost in each of them" in words(html(shop.box, "/costs?by=tag"))


def test_rows_come_in_the_order_that_is_asked_for(shop):
    """By cost, the dearest first; a click on a head sorts by it."""
    rows = page(shop.box, "/costs")["rows"]
    assert [row["cost"] for row in rows] == sorted((row["cost"] for row in rows), reverse=True)
    rows = page(shop.box, "/costs?sort=calls&order=asc")["rows"]
    assert [row["calls"] for row in rows] == sorted(row["calls"] for row in rows)
    text = html(shop.box, "/costs?sort=calls")
    assert 'aria-sort="descending"><a href="?sort=calls&amp;order=asc">Calls</a>' in text


def test_small_costs_are_shown_exactly(shop):
    """No amount is $0.00: the exact value stands beside three digits that matter."""
    text = html(shop.box, "/costs")
    assert not re.search(r"\$0\.00(?!\d)|&lt;\$", words(text))
    cost = page(shop.box, "/costs")["figures"]["cost"]
    assert f'<data class="usd" value="{cost:.12g}"' in text


def test_a_column_is_a_link_to_its_sessions(shop):
    """The sessions behind the link cost what the column says."""
    found = page(shop.box, "/costs?since=7d")
    columns = [column for column in found["columns"] if column["cost"]]
    assert len(columns) >= 2
    for column in columns:
        link = f"since={column['start_ns']}"
        if column["until_ns"]:
            link += f"&until={column['until_ns']}"
        assert f'"/?{link}"'.replace("&", "&amp;") in html(shop.box, "/costs?since=7d")
        listed = page(shop.box, f"/sessions?{link}")["sessions"]
        assert sum(row["cost"] or 0 for row in listed) == pytest.approx(column["cost"])


def test_calls_without_a_price_are_in_no_sum_and_can_be_priced(tmp_path):
    """They are named with a form; a price changes every total at once, and counts for calls to come."""
    run = Run("local", NOON)
    run.llm("qwen3-coder-local", 1.0, tokens=(1_000_000, 1_000_000))
    later = Run("local", NOON + 60 * SECOND)
    later.llm("qwen3-coder-local", 1.0, tokens=(1_000_000, 0))
    with RunningBox(tmp_path) as box:
        send(box, run.end())
        found = page(box, "/costs")
        assert [(one["model"], one["calls"], one["tokens"]) for one in found["unpriced"]] == [
            ("qwen3-coder-local", 1, 2_000_000)
        ]
        text = html(box, "/costs")
        assert "1 call of qwen3-coder-local has no price and is not in the sums" in words(text)
        assert "no price" in words(text)
        assert found["figures"]["cost"] == 0

        answer = change(box, "/prices", provider="openai", model="qwen3-coder-local", input=0.5, output="2")
        assert answer.status in {200, 204, 303}, answer.text
        send(box, later.end())
        found = page(box, "/costs")
    assert found["unpriced"] == []
    assert found["figures"]["cost"] == pytest.approx(0.5 + 2 + 0.5)
    shares = {share["name"]: share["cost"] for share in found["split"]["shares"]}
    assert (shares["input"], shares["output"]) == (pytest.approx(1.0), pytest.approx(2.0))
    assert [price["model"] for price in found["prices"]] == ["qwen3-coder-local"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"input": 1, "output": 1}, "names no model", id="no model"),
        pytest.param({"model": "m", "input": 1}, "not whole", id="no output"),
        pytest.param({"model": "m", "input": -1, "output": 1}, "input=-1 is not a price", id="below zero"),
        pytest.param({"model": "m", "input": "nan", "output": 1}, "is not a price", id="not a number"),
        pytest.param({"model": "m", "input": "1e999", "output": 1}, "is not a price", id="without end"),
    ],
)
def test_a_price_that_is_not_valid_changes_nothing(empty, fields, said):
    """The answer says what is wrong with it."""
    answer = change(empty, "/prices", **fields)
    assert answer.status == 400
    assert said in answer.text
    assert empty.store.prices() == []


def test_a_page_of_another_site_sets_no_price(tmp_path):
    """A form cannot send the header that a change needs."""
    with RunningBox(tmp_path, token="t" * 43) as box:
        answer = box.post("/prices", b"model=m&input=1&output=1", "application/x-www-form-urlencoded")
        assert answer.status in {401, 403}
        assert box.store.prices() == []


def test_a_table_of_the_rows(shop):
    """CSV has each row with exact numbers."""
    answer = shop.box.get("/costs.csv?by=model")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    found = page(shop.box, "/costs")
    assert [row["name"] for row in rows] == [row["name"] for row in found["rows"]]
    assert sum(float(row["cost_usd"] or 0) for row in rows) == pytest.approx(found["figures"]["cost"])
    assert {row["cost_usd"] for row in rows if row["unpriced_calls"] == row["calls"]} == {""}


def test_nothing_is_said_in_words(empty):
    """A box without a session has a page of costs."""
    assert "No session here" in words(html(empty, "/costs"))
    assert page(empty, "/costs")["figures"]["cost"] == 0
