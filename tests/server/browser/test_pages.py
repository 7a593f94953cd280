"""Costs, Errors, Tools, Compare and System in a browser: keys, forms, and what changes while one looks."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from agentops_otel.server.store import Filter
from tests.fakes import plays
from tests.fakes.sessions import SECOND
from tests.server.running import RunningBox
from tests.server.views.conftest import send

LONG = 20_000


@pytest.fixture
def shop(tmp_path):
    """A refund, one that was refused, and a model without a price."""
    now_ns = time.time_ns()
    with RunningBox(tmp_path) as box:
        send(box, plays.refund(now_ns - 300 * SECOND))
        send(box, plays.refused_refund(now_ns - 800 * SECOND))
        send(box, plays.unpriced(now_ns - 3600 * SECOND))
        yield box


def session_with(box, word):
    """The id of the session that has a word."""
    (row,) = box.store.sessions(Filter(text=word)).rows
    return row.session_id


def test_a_price_is_set_while_sessions_arrive(shop, open_page):
    """What is typed stays when the page is brought up to date; the new price counts at once."""
    page = open_page(f"{shop.address}/costs")
    cost = page.locator("dl.figures dd").first
    before = cost.inner_text()
    page.locator("details.price summary").click()
    page.fill("input[name=input]", "0.5")
    send(shop, plays.refund(time.time_ns() - 10 * SECOND, key="live"))
    expect(cost).not_to_have_text(before, timeout=LONG)
    assert page.input_value("input[name=input]") == "0.5"

    page.fill("input[name=output]", "2")
    page.get_by_role("button", name="Set the price of qwen3-coder-local").click()
    expect(page.locator("details.price")).to_have_count(0, timeout=LONG)
    expect(page.get_by_text("Prices set here")).to_contain_text("qwen3-coder-local $0.500 in, $2.00 out")
    expect(page.locator("tbody tr", has_text="qwen3-coder-local")).not_to_contain_text("no price")


def test_a_price_that_is_not_valid_is_said(shop, open_page):
    """The browser asks for what is missing, and nothing is sent."""
    page = open_page(f"{shop.address}/costs")
    page.locator("details.price summary").click()
    page.fill("input[name=input]", "1")
    page.get_by_role("button", name="Set the price of").click()
    expect(page.locator("input[name=output]:invalid")).to_be_focused()
    assert shop.store.prices() == []


def test_keys_find_the_first_difference_and_swap(shop, open_page):
    """d goes to it, s shows the other side first."""
    refund, refused = session_with(shop, "blender"), session_with(shop, "scratches")
    page = open_page(f"{shop.address}/compare?a={refund}&b={refused}")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile("#first$"))
    expect(page.locator("#first")).to_be_in_viewport()
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile(f"a={refused}&b={refund}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Refund order 1907, two chairs, both with scratches")


def test_steps_that_are_alike_unfold_without_a_script(shop, browser):
    """They are one line until it is opened."""
    session_id = session_with(shop, "blender")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{shop.address}/compare?a={session_id}&b={session_id}")
    steps = page.locator("tbody.folded tr")
    expect(steps.first).not_to_be_visible()
    page.get_by_text("7 steps alike").click()
    expect(steps.first).to_be_visible()
    expect(steps).to_have_count(7)
    context.close()


def test_keys_open_and_close_a_row(shop, open_page):
    """j goes from row to row and leaves out what is open between them; Enter opens and closes."""
    page = open_page(f"{shop.address}/tools")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("table[data-rows] tbody tr:not(.more)").nth(1).locator("a.clip")
    expect(second).to_be_focused()
    name = second.inner_text().strip()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"show={name}"))
    expect(page.locator("tr.more")).to_have_count(1)
    page.locator('a[aria-expanded="true"]').click()
    expect(page.locator("tr.more")).to_have_count(0)


def test_a_new_cause_opens_in_place_of_the_first(shop, open_page):
    """When another cause becomes the first one, the row that was open is shut."""
    page = open_page(f"{shop.address}/errors")
    expect(page.locator("tr.first")).to_contain_text("PermissionError")
    for number in range(2):
        run = plays.Run("worse", time.time_ns() - 60 * SECOND, key=str(number))
        for _ in range(3):
            run.tool("pay", {"amount": 1}, None, 0.1, error=("OSError", "no route to host"))
        send(shop, run.end("Fail", "OSError: no route to host"))
    expect(page.locator("tr.first")).to_contain_text("OSError", timeout=LONG)
    expect(page.locator("tr.first")).to_have_count(1)
    expect(page.locator("tr.more")).to_have_count(1)
    expect(page.locator('a[aria-expanded="true"]')).to_have_count(1)


def test_what_is_refused_is_seen_at_once(shop, open_page):
    """A sender that sends garbage is on the page of the box without a reload."""
    page = open_page(f"{shop.address}/system")
    refused = page.locator("dl.figures div", has_text="Refused")
    expect(refused).to_contain_text("nothing was refused")
    assert shop.post("/v1/traces", b"\xff garbage").status == 400
    expect(refused).to_contain_text("1", timeout=LONG)
    expect(refused).to_contain_text("request", timeout=LONG)
