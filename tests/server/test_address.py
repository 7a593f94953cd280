"""Links of a page: each changes one thing of its query."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.server.address import PERIODS, Address, segment
from agentops_otel.server.query import where

HERE = Address({"tag": ["prod"], "since": ["7d"], "cursor": ["x"], "at": ["51"], "project": ["shop"]})


def _query(link: str) -> dict[str, list[str]]:
    assert link.startswith("?")
    return parse_qs(link[1:])


def test_a_link_changes_one_thing_and_goes_back_to_the_first_page():
    """Another filter is another list: the place in this one means nothing there."""
    assert _query(HERE.having(state="fail")) == {
        "tag": ["prod"],
        "since": ["7d"],
        "project": ["shop"],
        "state": ["fail"],
    }
    assert _query(HERE.having(since=None)) == {"tag": ["prod"], "project": ["shop"]}
    assert _query(HERE.having(cursor="y", at="101"))["cursor"] == ["y"]


def test_a_value_is_added_and_taken_away():
    """The link of a value that is on takes it off."""
    assert _query(HERE.toggled("tag", "v2"))["tag"] == ["prod", "v2"]
    assert "tag" not in _query(HERE.toggled("tag", "prod"))


def test_another_page_is_of_the_same_period_and_project():
    """What a person looks at stays when they go to another page."""
    assert HERE.to("/costs") == "/costs?since=7d&project=shop"
    assert Address({}).to("/costs") == "/costs"


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_survives_a_link(name, value):
    """Names and values of sessions are anything; a link carries them whole and nothing else."""
    assert _query(Address({}).having(tag=value or "x"))["tag"] == [value or "x"]
    kept = parse_qs(Address({"tag": [name]}).having(q="z")[1:], keep_blank_values=True)
    assert kept == {"tag": [name], "q": ["z"]}


@given(st.text(max_size=40))
def test_a_segment_of_a_path_is_one(text):
    """An id with slashes, dots or spaces is one part of a path."""
    assert unquote(segment(text)) == text
    assert not set(segment(text)) & set("/?#% ".replace("%", ""))


@pytest.mark.parametrize("period", PERIODS, ids=lambda period: period.label)
def test_every_period_of_the_menu_is_a_time(period):
    """What the menu links to is valid, and says its own name."""
    asked = where({"since": [period.name]}, 10**18)
    assert (asked.since_ns is None) == (not period.name)
    assert Address({"since": [period.name]}).period == period


def test_a_period_that_is_not_in_the_menu_says_its_moments():
    """A link to one day reads as that day."""
    there = Address({"since": ["2026-11-20T00:00:00"], "until": ["2026-11-21"]})
    assert there.period.label == "2026-11-20T00:00 to 2026-11-21"
