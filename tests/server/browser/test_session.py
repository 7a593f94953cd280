"""The page of a session in the hands of a reader: keys, clicks, Back and Forward."""

from __future__ import annotations

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.backends.box import Box
from tests.fakes.plays import ci_medic, refused_refund
from tests.fakes.sessions import SECOND, Run

LONG = "A long answer. " * 6_000 + "The very end."


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A box with three sessions: one that failed, one with agents, one whose answer is long."""
    box = Box(tmp_path_factory.mktemp("box"), ()).start()
    yield box
    box.stop()


@pytest.fixture(scope="module")
def team(shown):
    """The path of a session with an agent, in which tools and calls follow each other."""
    run = Run("team", time.time_ns() - 600 * SECOND)
    run.ask("Sum up the report")
    with run.agent("reader", "Read the report"):
        run.llm("gpt-4.1-mini", 1.0, calls=[("read_file", {"path": "a.txt"})], tokens=(1000, 100, 400))
        run.tool("read_file", {"path": "a.txt"}, "\n".join(f"line {number}" for number in range(60)), 0.5)
        run.llm("gpt-4.1-mini", 1.0, answer="It is about tea.", tokens=(1100, 50, 900))
    run.llm("gpt-4.1", 2.0, answer="Tea.", tokens=(1200, 20, 900))
    shown.post(run.end("Success"))
    return f"/s/{run.session_id}"


@pytest.fixture(scope="module")
def long(shown):
    """The path of a session whose answer is longer than a page shows."""
    run = Run("long", time.time_ns() - 500 * SECOND)
    run.ask("Tell me all")
    run.llm("gpt-4.1", 2.0, answer=LONG, tokens=(100, 20_000, 0))
    shown.post(run.end("Success"))
    return f"/s/{run.session_id}"


def focused(page):
    """What the row with the focus says first, or the id of what has it."""
    return page.evaluate(
        "document.activeElement.querySelector?.('.clip')?.innerText.trim() ?? document.activeElement.id"
    )


def test_arrows_move_through_the_waterfall_and_fold_it(shown, team, open_page):
    """Down and Up go from row to row, Left folds or goes to the parent, Right unfolds or goes inside."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    rows = page.locator(".wf tbody tr")
    every = rows.count()
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == "reader"
    assert page.locator(".wf tr[tabindex='0']").count() == 1
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".wf tbody tr:visible")).to_have_count(every - 3)
    expect(page.locator(".wf tr:focus")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "gpt-4.1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wf tbody tr:visible")).to_have_count(every)
    page.keyboard.press("ArrowRight")
    assert focused(page) == "gpt-4.1-mini"
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "reader"
    page.keyboard.press("End")
    assert focused(page) == "gpt-4.1"
    page.keyboard.press("Home")
    assert focused(page) == "team"


def test_a_row_that_stays_folded_is_not_unfolded_with_its_parent(shown, team, open_page):
    """What a reader has folded stays so when all around it is folded and unfolded."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    page.locator(".wf tbody tr", has_text="reader").focus()
    page.keyboard.press("ArrowLeft")
    some = page.locator(".wf tbody tr:visible").count()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".wf tbody tr:visible")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wf tbody tr:visible")).to_have_count(some)


def test_enter_opens_the_details_and_back_closes_them(shown, team, open_page):
    """The address says which span is open, so that Back, Forward and a copy of the address show the same."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    page.locator(".wf tbody tr", has_text="read_file").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_contain_text("read_file")
    assert "span=" in page.url
    assert focused(page).startswith("read_file")
    page.go_back()
    expect(page.locator("#panel")).to_have_count(0)
    assert "span=" not in page.url
    page.go_forward()
    expect(page.locator("#panel h2")).to_contain_text("read_file")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/s/[^?]+\?tab=waterfall$"))


def test_parts_of_the_panel_come_without_leaving_the_page(shown, team, open_page):
    """Params, Attributes and Events are fetched into the panel; the tab that was pressed keeps the focus."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    page.evaluate("window.here = true")
    page.locator(".wf tbody tr a", has_text="gpt-4.1-mini").first.click()
    page.locator("#panel [data-part=attributes]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel [data-part=attributes]")).to_have_attribute("aria-current", "page")
    expect(page.locator("#panel")).to_contain_text("gen_ai.request.model")
    expect(page.locator("#panel [data-part=attributes]")).to_be_focused()
    assert page.evaluate("window.here")


def test_z_zooms_to_a_span_and_escape_shows_all_again(shown, team, open_page):
    """The bar of the row is as wide as its lane, and the scale says the times that are seen."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    row = page.locator(".wf tbody tr", has_text="read_file")
    row.focus()
    before = page.locator(".wf thead text").all_text_contents()
    page.keyboard.press("z")
    lane, bar = row.locator(".lane").bounding_box(), row.locator(".lane rect").first.bounding_box()
    assert bar["width"] > 0.7 * lane["width"]
    assert page.locator(".wf thead text").all_text_contents() != before
    page.keyboard.press("Escape")
    assert row.locator(".lane rect").first.bounding_box()["width"] < 0.4 * lane["width"]
    assert page.locator(".wf thead text").all_text_contents() == before


def drag(page, place, start, stop):
    """Drags from one share of the width of a place to another."""
    box = place.bounding_box()
    across = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], across)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + stop) / 2 * box["width"], across)
    page.mouse.move(box["x"] + stop * box["width"], across)
    page.mouse.up()


def range_of(page):
    """What the address says of the range of time, in seconds."""
    said = re.search(r"[?&]range=([\d.]+)-([\d.]+)", page.evaluate("location.search"))
    return said and tuple(map(float, said.groups()))


def scale(page):
    """The texts of the time line."""
    return page.locator(".wf thead text").all_text_contents()


def whole(page):
    """Seconds that the time line stands for."""
    return float(page.locator("table.wf").get_attribute("data-seconds"))


def test_a_drag_over_the_minimap_chooses_a_range_of_time(shown, team, open_page):
    """The lanes show it alone, the address says it, and a copy of the address shows the same."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    everything, length = scale(page), whole(page)
    bar = page.locator(".wf tbody tr", has_text="read_file").locator(".lane rect").first
    width = bar.bounding_box()["width"]
    drag(page, page.locator("#range"), 0.2, 0.6)
    assert range_of(page) == pytest.approx((0.2 * length, 0.6 * length), abs=0.02 * length)
    assert bar.bounding_box()["width"] == pytest.approx(width / 0.4, rel=0.1)
    assert scale(page) != everything
    copied = open_page(page.url)
    assert scale(copied) == scale(page)
    drag(page, page.locator("#range"), 0.4, 0.5)
    assert range_of(page) == pytest.approx((0.3 * length, 0.7 * length), abs=0.02 * length), "inside of it: moved"
    drag(page, page.locator("#range"), 0.9, 0.8)
    assert range_of(page) == pytest.approx((0.8 * length, 0.9 * length), abs=0.02 * length), "outside: another one"
    page.get_by_role("button", name="Show all times").click()
    assert (range_of(page), scale(page)) == (None, everything)


def test_a_drag_over_a_lane_zooms_further_and_opens_nothing(shown, team, open_page):
    """What lies between press and release is as wide as the lane; two clicks show all again, one opens the details."""
    page = open_page(f"{shown.url}{team}?tab=waterfall&range=1-3")
    lane = page.locator(".wf tbody tr", has_text="reader").locator(".lane")
    drag(page, lane, 0.25, 0.75)
    assert range_of(page) == pytest.approx((1.5, 2.5), abs=0.1)
    expect(page.locator("#panel")).to_have_count(0)
    page.locator("#range").dblclick()
    assert range_of(page) is None
    lane.click()
    expect(page.locator("#panel h2")).to_contain_text("reader")


def test_escape_ends_a_drag_then_the_range_then_the_panel(shown, team, open_page):
    """One thing at a time, whatever has the focus; the page itself stays."""
    page = open_page(f"{shown.url}{team}?tab=waterfall&range=1-3")
    page.locator(".wf tbody tr a", has_text="read_file").click()
    expect(page.locator("#panel")).to_be_visible()
    box = page.locator("#range").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 5)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert range_of(page) == (1, 3)
    page.locator("#panel [data-part=attributes]").focus()
    page.keyboard.press("Escape")
    assert range_of(page) is None
    expect(page.locator("#panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_have_count(0)
    expect(page.locator(".wf")).to_be_visible()


def test_keys_choose_a_range_of_time(shown, team, open_page):
    """The ends are sliders; in the tree plus and minus zoom around a row, and Shift with an arrow moves."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    length = whole(page)
    start, end = (
        page.get_by_role("slider", name="Start of the range"),
        page.get_by_role("slider", name="End of the range"),
    )
    start.focus()
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    assert range_of(page)[0] == pytest.approx(0.216 * length, abs=0.001 * length)
    expect(start).to_be_focused()
    assert float(start.get_attribute("aria-valuenow")) == pytest.approx(range_of(page)[0], abs=0.01)
    end.focus()
    page.keyboard.press("PageDown")
    assert range_of(page)[1] == pytest.approx((1 - 0.2 * 0.784) * length, abs=0.001 * length)
    page.keyboard.press("Home")
    assert range_of(page)[1] > range_of(page)[0]
    page.keyboard.press("Escape")
    assert range_of(page) is None
    row = page.locator(".wf tbody tr", has_text="read_file")
    row.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    near = range_of(page)
    assert near[1] - near[0] == pytest.approx(length / 4, rel=0.01)
    page.keyboard.press("Shift+ArrowRight")
    assert range_of(page)[0] - near[0] == pytest.approx((near[1] - near[0]) / 4, rel=0.02)
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert range_of(page) is None or range_of(page)[1] - range_of(page)[0] > 0.9 * length
    expect(row).to_be_focused()


def test_the_range_outlives_other_views(shown, team, open_page):
    """The links to the other views carry it, and it is there when one comes back; Back and Forward too."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    drag(page, page.locator("#range"), 0.1, 0.5)
    chosen, texts = range_of(page), scale(page)
    page.keyboard.press("1")
    expect(page.locator("#story")).to_be_visible()
    assert range_of(page) == chosen
    page.keyboard.press("2")
    expect(page.locator(".wf")).to_be_visible()
    assert scale(page) == texts
    page.go_back()
    expect(page.locator("#story")).to_be_visible()
    page.go_back()
    assert scale(page) == texts


@pytest.mark.parametrize("range_", ["", "x", "3-1", "1", "900-901", "-5-2", "1-3-5"])
def test_a_range_that_is_not_valid_is_all(shown, team, open_page, range_):
    """An address of another session, or one that was cut, shows the whole session."""
    page = open_page(f"{shown.url}{team}?tab=waterfall&range={range_}")
    expect(page.locator("#range [role=slider]")).to_have_count(2)
    expect(page.locator("#range-all")).to_be_hidden()


def test_a_finger_chooses_on_the_minimap_and_scrolls_elsewhere(shown, team, open_page):
    """On a phone a drag over a lane is no zoom, and the minimap is as wide as the window."""
    page = open_page(f"{shown.url}{team}?tab=waterfall", width=390, has_touch=True, is_mobile=True)
    touch = page.context.new_cdp_session(page)

    def swipe(place, start, stop):  # to the right over what may scroll, Chromium would go back in its history
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        across = box["y"] + box["height"] / 2
        for kind, share in (("touchStart", start), ("touchMove", 0.5), ("touchMove", stop), ("touchEnd", None)):
            points = [] if share is None else [{"x": box["x"] + share * box["width"], "y": across}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    swipe(page.locator(".wf tbody tr", has_text="reader").locator(".lane"), 0.8, 0.3)
    assert range_of(page) is None
    swipe(page.locator("#range"), 0.3, 0.8)
    length = whole(page)
    assert range_of(page) == pytest.approx((0.3 * length, 0.8 * length), abs=0.05 * length)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_choose_a_range(shown, team, open_page, scheme):
    """The sliders have names and values, in both themes."""
    page = open_page(f"{shown.url}{team}?tab=waterfall&range=1-3", scheme=scheme)
    expect(page.locator("#range-all")).to_have_text(re.compile(r"1\.0.s to 3\.0.s"))
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()


def test_p_goes_along_the_critical_path(shown, team, open_page):
    """Each press goes to the next row that decides how long all took, and after the last to the first."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    page.locator(".wf tbody tr").first.focus()
    path = page.locator(".wf tr[data-critical]").count()
    seen = []
    for _ in range(path + 1):
        page.keyboard.press("p")
        seen.append(page.evaluate("document.activeElement.id"))
    assert len(set(seen)) == path
    assert seen[0] == seen[-1] or path == 1


def test_number_keys_change_the_view_and_keep_the_span(shown, team, open_page):
    """1 to 6 are the views; none of them works while a field has the focus."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    page.locator(".wf tbody tr a", has_text="read_file").click()
    expect(page.locator("#panel")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator(".tabs [aria-current=page]").first).to_have_text("Story")
    expect(page.locator("#panel h2")).to_contain_text("read_file")
    page.keyboard.press("6")
    page.locator("input[name=find]").fill("1")
    page.keyboard.press("2")
    expect(page.locator("input[name=find]")).to_have_value("12")


def test_e_unfolds_everything_and_folds_it_again(shown, team, open_page):
    """What is folded is in the page; the address remembers that it is open."""
    page = open_page(f"{shown.url}{team}")
    folds = page.locator("#story details.fold")
    assert folds.count()
    page.keyboard.press("e")
    expect(page.locator("#story details.fold:not([open])")).to_have_count(0)
    assert "text=all" in page.url
    page.reload()
    expect(page.locator("#story details.fold:not([open])")).to_have_count(0)
    page.keyboard.press("e")
    expect(page.locator("#story details.fold[open]")).to_have_count(0)
    assert "text=all" not in page.url


def test_j_and_enter_open_a_step_of_the_story(shown, team, open_page):
    """The keyboard alone reaches a step and its details."""
    page = open_page(f"{shown.url}{team}")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    expect(page.locator("#story [aria-current=true]")).to_have_count(1)


def test_load_all_puts_the_whole_text_in_place(shown, long, open_page):
    """A long answer is cut until one asks, and then whole, without another page."""
    page = open_page(f"{shown.url}{long}")
    expect(page.locator("#story .cut")).to_contain_text("Load all")
    expect(page.locator("#story")).not_to_contain_text("The very end.")
    page.locator("#story [data-whole]").click()
    expect(page.locator("#story")).to_contain_text("The very end.")
    expect(page.locator("#story .cut")).to_have_count(0)


def test_replay_goes_step_by_step(shown, team, open_page):
    """Arrow keys and the slider show one call after the other, and the address follows."""
    page = open_page(f"{shown.url}{team}?tab=replay&at=1")
    expect(page.locator("output")).to_have_text("1 of 3")
    page.keyboard.press("ArrowRight")
    expect(page.locator("output")).to_have_text("2 of 3")
    expect(page.locator(".replayed")).to_contain_text("It is about tea.")
    page.locator("[type=range]").focus()
    page.keyboard.press("End")
    expect(page.locator(".replayed")).to_contain_text("Tea.")
    expect(page).to_have_url(re.compile("at=3"))
    expect(page.locator("[type=range]")).to_be_focused()
    expect(page.locator("[type=range]")).to_have_attribute("aria-valuetext", re.compile("Step 3 of 3"))


def test_copied_call_is_a_command(shown, team, open_page):
    """Copy as curl and as Python give text that can be run, without a key in it."""
    page = open_page(f"{shown.url}{team}?tab=waterfall", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".wf tbody tr a", has_text="gpt-4.1-mini").first.click()
    page.locator("#panel button", has_text="Copy as curl").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl ")
    assert "gpt-4.1-mini" in copied
    page.locator("#panel button", has_text="Copy as Python").click()
    code = page.evaluate("navigator.clipboard.readText()")
    compile(code, "copied.py", "exec")


def test_flame_stacks_the_spans_and_opens_them(shown, team, open_page):
    """f shows bars under their parents; a click opens the details beside it."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    page.keyboard.press("f")
    expect(page.locator(".flame")).to_be_visible()
    page.locator(".flame a", has_text="reader").first.click()
    expect(page.locator("#panel h2")).to_contain_text("reader")
    expect(page.locator(".flame")).to_be_visible()


def test_flame_keeps_the_range_of_the_minimap(shown, team, open_page):
    """What was chosen over the minimap is what f shows, until all is asked for again."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    drag(page, page.locator("#range"), 0.2, 0.6)
    chosen = range_of(page)
    page.keyboard.press("f")
    expect(page.locator(".flame")).to_be_visible()
    assert range_of(page) == chosen
    widths = "[...document.querySelectorAll('.flame a > svg')].map((bar) => bar.getAttribute('width'))"
    some = page.evaluate(widths)
    page.get_by_role("link", name="Show all times").click()
    expect(page.get_by_role("link", name="Show all times")).to_have_count(0)
    assert "range=" not in page.url
    assert page.evaluate(widths) != some


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_no_view_is_wider_than_its_window(shown, team, long, open_page, width):
    """A panel, a long answer, a tree: nothing makes the page scroll sideways."""
    shown.post(run := refused_refund(time.time_ns() - 400 * SECOND, str(width)))
    for path in (team, long, f"/s/{run.session_id}"):
        page = open_page(f"{shown.url}{path}?tab=waterfall", width=width)
        page.locator(".wf tbody tr a").last.click()
        expect(page.locator("#panel")).to_be_visible()
        for tab in ("waterfall", "story", "replay", "calls", "errors", "raw"):
            page.goto(f"{shown.url}{path}?tab={tab}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, tab)


def test_critical_path_is_hidden_and_stays_so(shown, team, open_page):
    """The address remembers it, and a rendering that arrives later agrees."""
    page = open_page(f"{shown.url}{team}?tab=waterfall")
    path = page.locator(".wf .path").first
    expect(path).to_be_visible()
    page.locator("[data-critical]").first.click()
    expect(path).to_be_hidden()
    page.reload()
    expect(path).to_be_hidden()


def test_judgement_is_kept(shown, team, open_page):
    """A thumb is pressed where one stands, also by keys, and stays; the span's in the panel is another one."""
    page = open_page(f"{shown.url}{team}?tab=calls")
    judged = page.get_by_role("form", name="Your judgement of this session")
    good, bad = judged.get_by_role("button", name="Good"), judged.get_by_role("button", name="Bad")
    page.locator("a.call").first.click()
    address = page.url
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    bad.focus()
    page.keyboard.press("Enter")
    expect(bad).to_have_attribute("aria-pressed", "true")
    expect(good).to_have_attribute("aria-pressed", "false")
    expect(bad).to_be_focused()
    step = page.get_by_role("form", name="Your judgement of this span").get_by_role("button", name="Good")
    step.click()
    expect(step).to_have_attribute("aria-pressed", "true")
    expect(good).to_have_attribute("aria-pressed", "false")
    assert page.url == address
    assert not Axe().run(page).violations_count
    page.reload()
    expect(bad).to_have_attribute("aria-pressed", "true")
    expect(step).to_have_attribute("aria-pressed", "true")
    scores = shown.json(f"{team}.json")["row"]["scores"]
    assert [score["value"] for score in scores if score["span_id"] is None] == [1.0, 0.0]
    listed = open_page(f"{shown.url}/?sort=score")
    expect(listed.locator("table.list tbody tr").first.get_by_role("img", name="thumb bad")).to_be_visible()


def test_running_session_grows_while_one_looks(shown, open_page):
    """Its bars grow without an event, and what the reader has folded and zoomed stays so."""
    run = ci_medic(time.time_ns())
    shown.post(run)
    page = open_page(f"{shown.url}/s/{run.session_id}?tab=waterfall")
    row = page.locator(".wf tbody tr", has_text="log-reader")
    row.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("z")
    scale = page.locator(".wf thead text").all_text_contents()
    ribbon = page.locator("#ribbon p").first
    before = ribbon.inner_text()
    expect(ribbon).not_to_have_text(before)
    expect(row).to_be_focused()
    expect(row).to_have_attribute("aria-expanded", "false")
    assert page.locator(".wf thead text").all_text_contents() == scale
