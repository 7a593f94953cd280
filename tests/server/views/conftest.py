"""A box with a few sessions of which everything is known."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.fakes import plays
from tests.fakes.sessions import SECOND, Run
from tests.server.running import RunningBox

MINUTE = 60 * SECOND


def send(box: RunningBox, run: Run) -> Run:
    """Send a session as an exporter does."""
    box.send(run)
    return run


def page(box: RunningBox, address: str):
    """A page as JSON."""
    path, mark, query = address.partition("?")
    answer = box.get(f"{path}.json{mark}{query}")
    assert answer.status == 200, answer.text
    return json.loads(answer.body)


def html(box: RunningBox, address: str) -> str:
    """A page as HTML, which needs neither styles nor scripts inside."""
    answer = box.get(address, accept="text/html")
    assert answer.status == 200, answer.text
    assert not re.search(r"<style| style=|<script(?![^>]* src=)| on[a-z]+=\"", answer.text)
    return answer.text


def words(text: str) -> str:
    """What a person reads of HTML."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


class Shop:
    """The sessions, and the box that shows them."""

    def __init__(self, box: RunningBox, now_ns: int) -> None:
        self.box = box
        self.refund = send(box, plays.refund(now_ns - 5 * MINUTE))
        self.refused = send(box, plays.refused_refund(now_ns - 13 * MINUTE))
        self.refused_before = send(box, plays.refused_refund(now_ns - 3 * 24 * 60 * MINUTE, key="before"))
        self.unpriced = send(box, plays.unpriced(now_ns - 95 * MINUTE))
        self.medic = send(box, plays.ci_medic(now_ns))


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Shop]:
    """A refund that worked, two that were refused, one model without a price, one session that runs."""
    with RunningBox(tmp_path_factory.mktemp("shop")) as box:
        yield Shop(box, time.time_ns())


@pytest.fixture
def empty(tmp_path) -> Iterator[RunningBox]:
    """A box that nobody has sent anything."""
    with RunningBox(tmp_path) as box:
        yield box
