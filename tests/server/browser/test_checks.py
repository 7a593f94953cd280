"""What the pages promise, in a real browser, each promise by its number."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.backends.box import Box
from tests.fakes.plays import ci_medic, killed, large, many, refund, refused_refund, scene, unpriced
from tests.fakes.sessions import SECOND, Run
from tests.server.browser.conftest import texts

PAGES = ("/", "/costs", "/errors", "/tools", "/models", "/search?q=refund", "/system")
TABS = ("story", "waterfall", "replay", "calls", "errors", "raw")


def ago(seconds):
    """A time in nanoseconds."""
    return time.time_ns() - int(seconds * SECOND)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A box with one session of each kind, and a hundred more, for tests that only look."""
    box = Box(tmp_path_factory.mktemp("full")).start()
    try:
        box.post(*scene(time.time_ns()))
        yield box
    finally:
        box.stop()


def addresses(full):
    """Every page, and every view of one session that runs and one that failed."""
    rows = full.json("/sessions.json?limit=200")["sessions"]
    running = next(row["session_id"] for row in rows if row["name"] == "ci-medic")
    failed = next(row["session_id"] for row in rows if row["state"] == "fail")
    views = [f"/s/{session}?tab={tab}" for session in (running, failed) for tab in TABS]
    return [*PAGES, *views, f"/compare?a={running}&b={failed}"]


def walk(open_page, box, paths, **how):
    """Each address of a box with the page that shows it: one tab for all, as each window keeps a renderer busy."""
    page = open_page("about:blank", origin=box.url, **how)
    for address in paths:
        page.goto(box.url + address)
        yield address, page


def test_check_1_the_first_page_is_small(full, open_page):
    """The first page, with all that it loads, is under 150 kB on the wire, its scripts and styles under 60 kB."""
    page = open_page("about:blank", origin=full.url)
    sizes = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    names = {}
    session.on("Network.responseReceived", lambda e: names.__setitem__(e["requestId"], e["response"]["url"]))
    session.on("Network.loadingFinished", lambda e: sizes.__setitem__(e["requestId"], e["encodedDataLength"]))
    page.goto(full.url, wait_until="load")
    page.wait_for_selector("table.list tbody tr")
    assert sum(sizes.values()) < 150_000
    code = [size for key, size in sizes.items() if re.search(r"\.(js|css)$", names.get(key, ""))]
    assert code
    assert sum(code) < 60_000


def test_check_2_nothing_leaves_the_origin(full, open_page):
    """Each page has its policy, asks no other host, and breaks no rule of the policy."""
    for address in addresses(full):
        page = open_page(full.url + address)  # stays open, and is watched, until all have been seen
        answer = page.request.get(full.url + address)
        assert answer.ok, address
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("spans", [5_000, 20_000])
def test_check_4_a_large_session_opens_at_a_span(box, open_page, spans):
    """The waterfall of a session of many spans opens at a span in its middle, and moves by keys."""
    run = large(ago(7200), spans)
    batches = [run.spans[first : first + 500] for first in range(0, len(run.spans), 500)]
    for batch in batches:
        box.send(run.traces(batch), "traces")
    box.send(run.logs(), "logs")
    middle = run.spans[len(run.spans) // 2].span_id.hex()
    page = open_page(f"{box.url}/s/{run.session_id}?tab=waterfall&span={middle}")
    row = page.locator("table.wf tr[aria-selected='true']")
    expect(row).to_be_visible()
    expect(row).to_be_in_viewport()
    expect(page.locator("#panel")).to_be_visible()
    wide = row.locator(".lane rect").first.bounding_box()["width"]
    row.press("z")
    expect(page.locator("#range-all")).to_be_visible()
    assert row.locator(".lane rect").first.bounding_box()["width"] > 50 * wide


def test_check_5_what_arrives_is_seen(box, open_page):
    """A session that arrives stands in the list without a reload, and its end changes the open page of it."""
    box.post(refund(ago(600)))
    page = open_page(box.url)
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    run = ci_medic(time.time_ns())
    box.post(run)
    expect(page.locator("table.list tbody tr")).to_have_count(2)
    expect(page.locator("table.list tbody tr").first).to_contain_text("ci-medic")
    story = open_page(f"{box.url}/s/{run.session_id}")
    expect(story.locator(".verdict")).to_contain_text("Running")
    first = len(run.spans)
    run.tool("run_tests", {"count": 50}, "50 passed", 0.1)
    run.end("Success")
    box.send(run.traces(run.spans[first:]), "traces")
    box.send(run.logs(), "logs")
    expect(story.locator(".verdict")).not_to_contain_text("Running")


def test_check_5_a_restart_loses_and_doubles_no_row(make_box, open_page):
    """The page finds the box again after a restart, and shows what came meanwhile, each session once."""
    box = make_box()
    box.post(refund(ago(600)))
    page = open_page(box.url, allowed="ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING")
    port = box.port
    expect(page.locator("table.list tbody tr")).to_have_count(1)
    box.stop()
    expect(page.locator(".pulse")).to_contain_text("Reconnecting")
    box.start(port)
    box.post(refused_refund(ago(300)))
    expect(page.locator("table.list tbody tr")).to_have_count(2)
    expect(page.locator(".pulse")).to_contain_text("Live")


def test_check_6_every_total_is_the_same(box, open_page, tmp_path):
    """List, head, costs page, command line and SQL agree, with an agent that carries the sums of its calls."""
    run = Run("sums", ago(100))
    run.ask("Add")
    with run.agent("adder", "Add 1 and 2"):
        run.llm("gpt-4.1", 1.0, calls=[("add", {"a": 1})], tokens=(1000, 100, 400))
        run.tool("add", {"a": 1}, None, 0.1, error=("TimeoutError", "late"))
        run.llm("gpt-4.1", 1.0, calls=[("add", {"a": 1})], tokens=(1100, 50, 900))
        run.tool("add", {"a": 1}, 3, 0.1)
        run.llm("gpt-4.1", 1.0, answer="3", tokens=(1200, 20, 900))
    agent = next(span for span in run.spans if span.name == "invoke_agent adder")
    for name, count in (("gen_ai.usage.input_tokens", 3300), ("gen_ai.usage.output_tokens", 170)):
        agent.attributes.add(key=name).value.int_value = count
    box.post(run.end())
    # gpt-4.1: 2 dollars a million in, 0.5 from the cache, 8 out
    cost = (3300 - 2200) * 2e-6 + 2200 * 0.5e-6 + 170 * 8e-6
    row = box.json("/sessions.json?limit=200")["sessions"][0]
    assert (row["input_tokens"], row["output_tokens"], row["cache_read_tokens"]) == (3300, 170, 2200)
    assert row["cost"] == pytest.approx(cost, rel=1e-12)
    for address, selector in (("/", "table.list tbody data.usd"), (f"/s/{run.session_id}", ".facts data.usd")):
        values = open_page(box.url + address).locator(selector).first.get_attribute("value")
        assert float(values) == pytest.approx(cost, rel=1e-9), address
    costs = open_page(f"{box.url}/costs")
    assert cost == pytest.approx(float(costs.locator(".figures data.usd").first.get_attribute("value")), rel=1e-9)
    db = str(box.db)
    shown = command("sessions", "--db", db, "--json")
    assert json.loads(shown)[0]["cost"] == pytest.approx(cost, rel=1e-12)
    summed = command("sql", "--db", db, "--json", "select sum(cost) as cost from span where kind = 'llm'")
    assert json.loads(summed)[0]["cost"] == pytest.approx(cost, rel=1e-12)


def command(*arguments):
    """What the command line prints."""
    done = subprocess.run(
        [sys.executable, "-m", "agentops_otel", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_check_7_a_recovered_error_is_told_from_a_fatal_one(box, open_page):
    """A failed tool that worked later is one recovered error, in the list, the head and the errors page."""
    run = refund(ago(60))
    box.post(run)
    assert box.json("/sessions.json?limit=200")["sessions"][0]["recovered_errors"] == 1
    listed = open_page(box.url)
    expect(listed.locator("table.list .marks span.warn")).to_contain_text("1 recovered")
    expect(listed.locator("table.list .marks .fatal")).to_have_count(0)
    head = open_page(f"{box.url}/s/{run.session_id}")
    expect(head.locator(".facts")).to_contain_text("1 recovered")
    expect(open_page(f"{box.url}/errors").locator("main")).to_contain_text("ConnectionError")


def test_check_8_small_costs_are_exact(full, open_page):
    """No cost that is not zero is shown as zero, or as less than something."""
    for address, page in walk(open_page, full, addresses(full)):
        text = page.locator("main").inner_text()
        assert "<$" not in text, address
        for shown, value in page.evaluate(
            "[...document.querySelectorAll('data.usd')].map(e => [e.textContent, Number(e.value)])"
        ):
            digits = re.sub(r"[^0-9]", "", shown).lstrip("0")
            assert (value == 0) == (not digits), (address, shown, value)
            if 0 < value < 1:
                assert len(digits) >= 2, (address, shown, value)


def test_check_9_a_link_to_a_span_and_the_way_back(box, open_page):
    """A link opens the view with its span selected, shown and focused; Back and Forward restore what was there."""
    run = refund(ago(60))
    box.post(run, refused_refund(ago(30)))
    span = run.spans[5].span_id.hex()
    page = open_page(f"{box.url}/s/{run.session_id}?tab=waterfall&span={span}")
    row = page.locator("table.wf tr[aria-selected='true']")
    expect(row).to_be_in_viewport()
    expect(row).to_be_focused()
    expect(page.locator("#panel")).to_be_visible()
    listed = open_page(box.url)
    listed.get_by_role("link", name=re.compile("^Fail")).click()
    expect(listed.locator("table.list tbody tr")).to_have_count(1)
    listed.go_back()
    expect(listed.locator("table.list tbody tr")).to_have_count(2)
    listed.go_forward()
    expect(listed.locator("table.list tbody tr")).to_have_count(1)


def test_check_10_keys_alone(full, open_page):
    """`/` finds, j and k move, Enter opens, arrows walk the waterfall, Esc closes, ? tells the keys."""
    page = open_page(full.url)
    page.keyboard.press("/")
    expect(page.locator("input[name=q]").first).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("table.list tbody tr").first.locator("a").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/s/**")
    page.keyboard.press("2")
    page.wait_for_url("**tab=waterfall**")
    page.locator("table.wf tbody tr[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_check_11_everybody_can_use_it(full, open_page, scheme):
    """axe finds no violation on any page."""
    found = {}
    for address, page in walk(open_page, full, addresses(full), scheme=scheme):
        results = Axe().run(page)
        if results.violations_count:
            found[address] = [
                (violation["id"], [node["html"][:160] for node in violation["nodes"][:3]])
                for violation in results.response["violations"]
            ]
    assert not found


def test_check_12_themes_and_motion(full, open_page):
    """The system's theme holds until one is chosen, which stays; reduced motion stops what moves."""
    page = open_page(full.url, scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(21, 21, 20)"
    button = page.locator("button[aria-label^='Theme']")
    for _ in range(3):
        if page.evaluate(ground) != "rgb(21, 21, 20)":
            break
        button.click()
    assert page.evaluate(ground) == "rgb(253, 253, 252)"
    page.reload()
    assert page.evaluate(ground) == "rgb(253, 253, 252)"
    still = open_page(full.url, reduced_motion="reduce")
    assert not still.evaluate("document.getAnimations().length")


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>window.__pwned=1</script>",
    "</textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "[click](javascript:alert(1)) ![x](http://evil.example/?q=1)",
    "{{7*7}} ${7*7} {% include 'x' %}",
    "\u202eevil\u202c \u2028 \u0000 \x1b[31mred",
    "data:text/html,<script>alert(1)</script>",
    "A" * 4000,
    "=HYPERLINK('http://evil.example')",
    "' OR 1=1 --",
    "__proto__",
]


def test_check_13_hostile_text_is_only_text(box, open_page):
    """Whatever stands in any field, no script runs, nothing is fetched, and no page can be moved sideways."""
    for number, text in enumerate(HOSTILE):
        run = Run(text, ago(60 + number), tags=[text], host=text, service=text, key=str(number))
        run.ask(text, system=text)
        with run.agent(text, text):
            run.llm(text, 1.0, answer=text, thought=text, calls=[(text, {text: text})], tokens=(10, 10))
            run.tool(text, {text: text}, text, 0.1, error=(text, text))
        run.spans[-1].attributes.add(key=text).value.string_value = text
        box.post(run.end("Fail", text))
    big = Run("big", ago(50))
    big.ask("word " * 200_000)
    big.llm("gpt-4.1", 1.0, answer="data:image/png;base64," + "A" * 100_000, tokens=(10, 10))
    box.post(big.end())
    rows = box.json("/sessions.json?limit=200")["sessions"]
    assert len(rows) == len(HOSTILE) + 1
    views = [f"/s/{row['session_id']}?tab={tab}" for row in rows for tab in ("story", "waterfall", "raw")]
    for address, page in walk(open_page, box, (*PAGES, *views)):
        assert page.evaluate("window.__pwned") is None
        for width in (1440, 1024, 390):
            page.set_viewport_size({"width": width, "height": 900})
            scroll = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert scroll <= 0, (address, width)


def test_check_14_exports(box, open_page, make_box, tmp_path):
    """The HTML of a session opens from a file without scripts and has every message; its JSON makes the same page."""
    run = refund(ago(60))
    box.post(run)
    exported = tmp_path / "session.html"
    exported.write_bytes(open_page(box.url).request.get(f"{box.url}/s/{run.session_id}/export.html").body())
    page = open_page(exported.as_uri(), java_script_enabled=False)
    text = page.locator("body").inner_text()
    assert "Refund order 1842: the blender arrived broken" in text
    assert "Refund of 61.90 EUR is on its way" in text
    assert "reset by peer" in text
    copied = tmp_path / "session.json"
    copied.write_bytes(open_page(box.url).request.get(f"{box.url}/s/{run.session_id}/export.json").body())
    other = make_box(start=False)
    command("import", str(copied), "--db", str(other.db))
    other.start()
    views = [texts(open_page(f"{one.url}/s/{run.session_id}"), "main .story") for one in (box, other)]
    assert views[0] == views[1]
    assert views[0]


def test_check_15_an_empty_box(box, open_page):
    """It says where to send, loads a demo on a click, and says what it refused."""
    page = open_page(box.url)
    expect(page.locator("main")).to_contain_text(box.url)
    page.request.post(f"{box.url}/v1/traces", headers={"content-type": "application/x-protobuf"}, data=b"garbage")
    page.request.post(f"{box.url}/v1/wrong", headers={"content-type": "application/x-protobuf"}, data=b"")
    page.get_by_role("button", name=re.compile("demo", re.IGNORECASE)).click()
    expect(page.locator(".story article").first).to_be_visible(timeout=30_000)
    expect(open_page(box.url).locator("table.list tbody tr").first).to_be_visible()
    system = open_page(f"{box.url}/system")
    expect(system.locator("main")).to_contain_text("the body is not OTLP")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_no_page_moves_sideways(full, open_page, width):
    """Not at any width, also with the panel open."""
    for address, page in walk(open_page, full, addresses(full), width=width):
        scroll = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert scroll <= 0, address


def test_states_look_right(box, open_page):
    """One that runs, one that failed, one that was killed and one without a price say so in words."""
    box.post(ci_medic(time.time_ns()), refused_refund(ago(300)), killed(ago(4000)), unpriced(ago(9000)))
    page = open_page(box.url)
    rows = texts(page, "table.list tbody tr")
    assert len(rows) == 4
    said = "\n".join(rows)
    assert "now run_tests, " in said
    clock = page.locator("table.list p.live [data-since]")
    expect(clock).not_to_have_text(clock.inner_text())
    assert "PermissionError: refund of 412.90 EUR needs approval. Same call three times" in said
    assert "no price" in said
    states = {row["name"]: row["state"] for row in box.json("/sessions.json?limit=200")["sessions"]}
    assert states == {
        "ci-medic": "running",
        "support-desk": "fail",
        "nightly-index": "indeterminate",
        "local-coder": "success",
    }


def test_many_sessions_are_walked_by_pages(box, open_page):
    """Each session stands on exactly one page."""
    box.post(*many(time.time_ns(), 60, 4))
    seen, page = [], open_page(box.url)
    while True:
        seen += page.evaluate("[...document.querySelectorAll('table.list tbody tr')].map(row => row.id)")
        following = page.locator("a[rel=next]")
        if not following.count():
            break
        page.goto(box.url + following.first.get_attribute("href"))
    assert len(seen) == len(set(seen)) == 60
