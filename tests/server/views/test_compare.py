"""The page of a comparison."""

from __future__ import annotations

import re

import pytest

from tests.server.views.conftest import html, page, words


def address(a, b):
    return f"/compare?a={a.session_id}&b={b.session_id}"


def test_the_first_difference_is_marked(shop):
    """The first tool was called with another order; only what differs is marked."""
    found = page(shop.box, address(shop.refund, shop.refused))["sides"]
    first = found["steps"][found["first"]]
    assert first["difference"] == "arguments"
    assert first["a"]["label"] == "find_order"
    text = html(shop.box, address(shop.refund, shop.refused))
    assert re.search(
        r'class="first" id="first".*?<i>id=</i><del>1842</del>.*?<i>id=</i><ins>1907</ins>', text, re.DOTALL
    )
    assert "First difference: the arguments" in words(text)
    assert "B was asked Refund order 1907" in words(text)


def test_two_runs_that_did_the_same_have_no_difference(shop):
    """All steps are one line."""
    found = page(shop.box, address(shop.refused, shop.refused_before))["sides"]
    assert found["first"] is None
    (alike,) = found["steps"]
    assert len(alike["pairs"]) == 8
    text = words(html(shop.box, address(shop.refused, shop.refused_before)))
    assert "8 steps alike" in text
    assert "Both did the same" in text


def test_the_sides_can_be_swapped(shop):
    """The other way round has the same steps, with plus for minus."""
    one = page(shop.box, address(shop.refund, shop.refused))["sides"]
    other = page(shop.box, address(shop.refused, shop.refund))["sides"]
    assert (one["a"], one["b"]) == (other["b"], other["a"])
    assert one["first"] == other["first"]
    assert [(step["a"], step["b"]) for step in one["steps"] if "a" in step] == [
        (step["b"], step["a"]) for step in other["steps"] if "a" in step
    ]
    swap = f'href="?a={shop.refused.session_id}&amp;b={shop.refund.session_id}"'
    assert swap in html(shop.box, address(shop.refund, shop.refused))


def test_heads_are_the_rows_of_the_list(shop):
    """Cost, tokens and errors of both sides are those of the list."""
    found = page(shop.box, address(shop.refund, shop.refused))["sides"]
    listed = {row["session_id"]: row for row in page(shop.box, "/sessions")["sessions"]}
    for side in ("a", "b"):
        row = listed[found[side]["session_id"]]
        assert found[side]["cost"] == pytest.approx(row["cost"])
        assert found[side]["fatal_errors"] == row["fatal_errors"]


def test_two_that_were_picked_are_compared_the_older_one_first(shop):
    """As a form without a script sends them."""
    found = page(shop.box, f"/compare?pick={shop.refund.session_id}&pick={shop.refused.session_id}")["sides"]
    assert found["a"]["session_id"] == shop.refused.session_id


def test_one_session_asks_for_the_other(shop):
    """Those of the same name stand first."""
    found = page(shop.box, f"/compare?a={shop.refund.session_id}")
    assert found["sides"] is None
    assert found["chosen"]["session_id"] == shop.refund.session_id
    assert [row["name"] for row in found["choices"]][:2] == ["support-desk", "support-desk"]
    assert "Compare with which session?" in html(shop.box, f"/compare?a={shop.refund.session_id}")
    assert "Compare which session?" in html(shop.box, "/compare")


def test_a_session_that_is_not_there_is_not_found(shop):
    """The answer says what to do."""
    answer = shop.box.get("/compare?a=00000000000&b=11111111111", accept="text/html")
    assert answer.status == 404
    assert "There is no session 00000000000 here" in answer.text


def test_what_both_were_given_is_compared(shop):
    """Two agents have other instructions; two runs of one agent have the same."""
    found = page(shop.box, address(shop.refund, shop.medic))["sides"]
    assert [change["name"] for change in found["given"]] == ["instructions"]
    text = words(html(shop.box, address(shop.refund, shop.medic)))
    assert "You are the support desk of a shop." in text
    assert page(shop.box, address(shop.refund, shop.refused))["sides"]["given"] == []
