"""The list of sessions in a real browser: what moves by itself, and what waits."""

from __future__ import annotations

import re
import time

from playwright.sync_api import expect

from tests.fakes import plays
from tests.fakes.sessions import SECOND, Run

MINUTE = 60 * SECOND


def _ended(asked: str, ago: float = 5.0) -> Run:
    run = Run("docs-bot", time.time_ns() - int(ago * SECOND), key=asked)
    run.ask(asked)
    run.llm("gpt-4.1-mini", 1.0, answer="Yes.", tokens=(100, 2))
    return run.end("Success")


def _fill(box) -> None:
    box.post(*(_ended(f"question {number}", 600 + 60 * number) for number in range(40)))


def test_an_empty_box_turns_into_its_first_session(box, open_page):
    """Nobody has to load the page again: it goes to the session that has arrived."""
    page = open_page(box.url)
    expect(page.locator("#pulse")).to_have_text("Waiting")
    run = _ended("is this on?")
    box.post(run)
    page.wait_for_url(re.compile(f"/s/{run.session_id}"))
    expect(page.locator("main")).to_contain_text("is this on?")


def test_rows_come_at_the_top_and_wait_while_one_reads(box, open_page):
    """A new row stands at the top of the list; a person who has scrolled gets a number to click instead."""
    _fill(box)
    page = open_page(box.url)
    rows = page.locator("#rows > tr")
    expect(page.locator("#pulse")).to_have_text("Live")
    box.post(_ended("the first new one"))
    expect(rows.first).to_contain_text("the first new one")
    expect(page.locator("#states > a").first).to_contain_text("41")
    page.mouse.wheel(0, 600)
    while page.evaluate("scrollY") <= 300:  # (`wait_for_function` needs eval, which the policy forbids)
        page.wait_for_timeout(50)
    box.post(_ended("the second new one", 4), _ended("the third new one", 3))
    expect(page.locator("#fresh")).to_have_text("2 new")
    expect(rows.first).to_contain_text("the first new one")
    page.locator("#fresh").click()
    expect(rows.first).to_contain_text("the third new one")
    expect(page.locator("#fresh")).to_be_hidden()
    assert page.evaluate("scrollY") == 0


def test_focus_and_selection_survive_what_arrives(box, open_page):
    """A row that is focused and one that is selected stay so, where they are, with what is new in them."""
    _fill(box)
    running = Run("ci-medic", time.time_ns() - 10 * SECOND)
    running.ask("find it")
    running.llm("gpt-4.1", 1.0, answer="I look.", tokens=(100, 10))
    running.heartbeat(("tool", "search", 2.0))
    box.post(running)
    page = open_page(box.url)
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#selection output")).to_have_text("1 selected")
    focused = page.evaluate("document.activeElement.closest('tr').id")
    box.post(_ended("one more"))
    expect(page.locator("#fresh")).to_have_text("1 new")
    assert page.evaluate("document.activeElement.closest('tr').id") == focused
    running.llm("gpt-4.1", 1.0, answer="Found it in the cache.", tokens=(100, 10))
    box.post(running.end("Success"))
    expect(page.locator("#rows > tr").first).to_contain_text("Found it in the cache.")
    assert page.evaluate("document.activeElement.closest('tr').id") == focused
    expect(page.locator("#rows > tr[aria-selected=true]")).to_have_count(1)


def test_two_that_are_selected_are_compared_the_older_one_first(box, open_page):
    """x selects, c compares."""
    older, newer = _ended("the older", 900), _ended("the newer", 300)
    box.post(older, newer)
    page = open_page(box.url)
    for key in "jxjxc":
        page.keyboard.press(key)
    page.wait_for_url(re.compile(f"/compare\\?a={older.session_id}&b={newer.session_id}"))


def test_the_palette_finds_a_session(box, open_page):
    """Ctrl-K, some words, Enter."""
    box.post(plays.refund(time.time_ns() - MINUTE), _ended("something else"))
    page = open_page(box.url)
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("blender")
    option = page.get_by_role("option").filter(has_text="Refund order 1842")
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/s/"))


def test_a_menu_shows_the_values_of_its_field_and_filters(box, open_page):
    """A menu is filled when it is opened, stays on the screen, closes with Esc, and its values are links."""
    box.post(plays.refund(time.time_ns() - MINUTE), _ended("something else"))
    page = open_page(box.url, width=1024)
    menu = page.locator("#menu-tag")
    menu.locator("summary").click()
    expect(menu.get_by_role("link", name="prod")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="prod")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    menu.get_by_role("link", name="prod").click()
    page.wait_for_url(re.compile(r"\?tag=prod"))
    expect(page.locator("#rows > tr")).to_have_count(1)
    expect(menu.locator("summary")).to_contain_text("prod")


def test_a_duration_ticks_by_the_clock_of_the_server(box, open_page):
    """Also on a machine whose clock is wrong."""
    run = Run("ci-medic", time.time_ns() - 5 * SECOND)
    run.ask("find it")
    run.heartbeat(("tool", "search", 1.0))
    box.post(run)
    page = open_page(box.url)
    page.clock.install(time=time.time() - 3600)
    page.reload()
    shown = page.locator("#rows > tr td.n [data-since]")
    page.clock.run_for(1000)
    seconds = float(re.match(r"[\d.]+", shown.inner_text())[0])
    assert 5 <= seconds < 60


def test_the_way_back_from_a_session_keeps_the_filter(box, open_page):
    """Esc leads from a session to the list as it was."""
    box.post(plays.refund(time.time_ns() - MINUTE), _ended("something else"))
    page = open_page(f"{box.url}/?tag=prod&sort=cost")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/s/"))
    page.keyboard.press("Escape")
    page.wait_for_url(f"{box.url}/?tag=prod&sort=cost")
