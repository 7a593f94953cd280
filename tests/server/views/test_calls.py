"""The pages of tools and of models."""

from __future__ import annotations

import pytest

from tests.server.views.conftest import html, page, words


def rows(found):
    return {row["name"]: row for row in found["rows"]}


def test_tools_are_counted_with_what_failed_and_what_was_repeated(shop):
    """Of eight refunds one worked, one failed and was made good, six failed; five were the same call again."""
    refund = rows(page(shop.box, "/tools"))["refund"]
    assert (refund["sessions"], refund["calls"], refund["failed"], refund["recovered"]) == (3, 8, 7, 1)
    assert refund["repeated"] == 5
    assert refund["spread"]["p50_ns"] == pytest.approx(0.4e9, rel=0.01)
    assert refund["spread"]["longest_ns"] == pytest.approx(0.62e9, rel=0.01)
    assert sum(refund["counts"]) == refund["measured"] == 8


def test_calls_are_those_of_the_list(shop):
    """The sums of the rows are the columns of the list of sessions."""
    listed = page(shop.box, "/sessions")["sessions"]
    for path, name in (("/tools", "tool_calls"), ("/models", "llm_calls")):
        found = page(shop.box, path)
        assert sum(row["calls"] for row in found["rows"]) == found["figures"][name] == sum(row[name] for row in listed)


def test_the_slowest_calls_say_what_they_were_and_link_to_their_span(shop):
    """Longest first, with the arguments of a tool, and the answer of a model."""
    slowest = page(shop.box, "/tools?show=refund")["slowest"]
    durations = [one["span"]["end_ns"] - one["span"]["start_ns"] for one in slowest["examples"]]
    assert durations == sorted(durations, reverse=True)
    assert slowest["examples"][0]["said"] == "refund(order=1842, amount=61.9)"
    link = f"/s/{shop.refund.session_id}?span={slowest['examples'][0]['span']['span_id']}"
    assert link in html(shop.box, "/tools?show=refund")
    slowest = page(shop.box, "/models?show=gpt-4.1")["slowest"]
    assert slowest["examples"][0]["said"].startswith("Refund of 61.90 EUR is on its way")


def test_the_first_row_is_open_until_another_is_or_none(shop):
    """The address says which one."""
    found = page(shop.box, "/tools")
    assert found["slowest"]["name"] == found["rows"][0]["name"]
    assert page(shop.box, "/tools?show=refund")["slowest"]["name"] == "refund"
    assert page(shop.box, "/tools?show=-")["slowest"] is None


def test_models_have_rates_and_costs(shop):
    """Time to the first token, tokens a second and cost; a model without a price has none."""
    found = rows(page(shop.box, "/models"))
    assert found["gpt-4.1"]["first_token_ns"] == pytest.approx(0.4e9, rel=0.3)
    assert found["gpt-4.1"]["output_per_second"] > 0
    assert found["qwen3-coder-local"]["cost"] is None
    assert found["gpt-4.1"]["recovered"] is None
    costs = {row["name"]: row["cost"] for row in page(shop.box, "/costs")["rows"]}
    assert all(row["cost"] == pytest.approx(costs[name]) for name, row in found.items() if row["cost"] is not None)


def test_rows_come_in_the_order_that_is_asked_for(shop):
    """Most calls first; a click on a head sorts by it."""
    found = page(shop.box, "/tools")["rows"]
    assert [row["calls"] for row in found] == sorted((row["calls"] for row in found), reverse=True)
    found = page(shop.box, "/tools?sort=p95&order=asc")["rows"]
    longest = [row["spread"]["p95_ns"] or 0 for row in found]
    assert longest == sorted(longest)


def test_a_filter_holds_and_can_be_taken_away(shop):
    """Only the tools of sessions with the tag are there."""
    assert set(rows(page(shop.box, "/tools?tag=v2"))) == {"find_order", "refund"}
    assert "Tag: v2" in words(html(shop.box, "/tools?tag=v2"))
    assert "state fail \u00d7" in words(html(shop.box, "/tools?state=fail"))


@pytest.mark.parametrize("path", ["/tools", "/models"])
def test_nothing_is_said_in_words(empty, path):
    """A box without a session has these pages."""
    assert "No session here." in words(html(empty, path))
    assert page(empty, path)["rows"] == []
