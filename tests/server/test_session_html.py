"""The page of a session as HTML, of recorded sessions: every view is made, and says what it must."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from agentops_otel.rows import Message, SpanBody, SpanRow
from agentops_otel.server import demo
from agentops_otel.server.page import Asked
from agentops_otel.server.render import render
from agentops_otel.server.store import Batch
from agentops_otel.server.store.sqlite import SqliteStore
from agentops_otel.server.views.session_page import rows_inside, session, span_panel

NOW_NS = 1_790_000_000 * 10**9
TABS = ("story", "waterfall", "replay", "calls", "errors", "raw")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PARTS = ("messages", "params", "attributes", "events")


class Outline(HTMLParser):
    """The ids of a page, and its elements that are open at the end."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self, html):
        super().__init__()
        self.ids, self.open, self.styles = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if "id" in named:
            self.ids.append(named["id"])
        self.styles += [tag for name in named if name == "style" or name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = SqliteStore(tmp_path_factory.mktemp("store") / "sessions.db")
    demo.load(opened, NOW_NS)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ids(store):
    return demo.load(store, NOW_NS)


def asked(store, key, **query):
    return Asked(store, {"key": key}, {name: [value] for name, value in query.items()}, NOW_NS)


def html_of(store, key, **query):
    question = asked(store, key, **query)
    return render("session.html", session(question), question)


@pytest.mark.parametrize("tab", TABS)
def test_every_view_is_sound_html_for_the_security_policy(store, ids, tab):
    """Elements are closed, ids are there once, and nothing needs an inline style or script."""
    for key in ids:
        outline = Outline(html_of(store, key, tab=tab))
        assert not outline.open
        assert len(outline.ids) == len(set(outline.ids))
        assert not outline.styles


def test_flame_is_sound_html_too(store, ids):
    """It is the waterfall, stacked."""
    html = html_of(store, ids[1], tab="waterfall", flame="1")
    assert not Outline(html).open
    assert html.count("<rect") > 20


def test_flame_shows_the_range_of_time_that_was_chosen(store, ids):
    """A bar is cut at both ends of the range, one outside of it is not there, and a link shows all again."""
    whole = html_of(store, ids[1], tab="waterfall", flame="1")
    length = session(asked(store, ids[1])).ribbon.duration_ns / 1e9
    part = html_of(store, ids[1], tab="waterfall", flame="1", range=f"{length / 4:.3f}-{length / 2:.3f}")
    assert not Outline(part).open
    assert 0 < len(_bars(part)) < len(_bars(whole))
    assert all(x >= 0 and x + width <= 100.001 for x, width in _bars(part))
    assert (0.0, 100.0) in _bars(part)  # the session itself is as wide as the view
    assert 'aria-label="Show all times"' in part
    assert 'aria-label="Show all times"' not in whole.partition('class="flame"')[0].partition('id="view"')[2]


@pytest.mark.parametrize(
    "text", ["", "5", "9-3", "-", "nan-1", "1e3-1e4", "9" * 40 + "-1", "99999999-999999999", "3-3"]
)
def test_a_range_that_is_none_shows_all(store, ids, text):
    """What is no part of the session's time changes nothing."""
    assert session(asked(store, ids[1], tab="waterfall", flame="1", range=text)).range_ns is None


def _bars(html):
    """Start and width of each bar of a flame, in hundredths of the view."""
    return [(float(x), float(width)) for x, width in re.findall(r'<svg x="([\d.]+)%" y="\d+" width="([\d.]+)%"', html)]


@pytest.mark.parametrize("part", PARTS)
def test_panel_of_every_span_is_made(store, ids, part):
    """Each kind of span has its details, alone and inside of the page."""
    for key in ids[:6]:
        for span in store.spans(key):
            question = asked(store, key, span=span.span_id, part=part, tab="waterfall")
            html = render("panel.html", span_panel(question), question)
            assert not Outline(html).open
            assert f'data-span="{span.span_id}"' in html


def test_rows_inside_of_a_row_are_rows_of_the_table(store, ids):
    """What a folded row holds is fetched as the rows that the whole table has."""
    root = session(asked(store, ids[1], tab="waterfall")).view.rows[0]
    question = asked(store, ids[1], under=root.id)
    rows = re.findall(r'<tr role="row" id="([^"]+)"', render("rows.html", rows_inside(question), question))
    whole = re.findall(r'<tr role="row" id="([^"]+)"', html_of(store, ids[1], tab="waterfall"))
    assert rows == whole[1:]


def test_deep_link_selects_its_span(store, ids):
    """The row is selected and can be reached by Tab, its panel is open, and the tabs keep it."""
    span = next(span for span in store.spans(ids[1]) if span.kind == "llm")
    html = html_of(store, ids[1], tab="waterfall", span=span.span_id)
    assert re.search(rf'id="s-{span.span_id}"[^>]*aria-selected="true" tabindex="0"', html)
    assert html.count('tabindex="0"') == 1
    assert f'data-span="{span.span_id}"' in html
    assert re.search(rf'href="\?[^"]*span={span.span_id}[^"]*"[^>]*data-key="1"', html)


def test_story_opens_a_stack_once(store, ids):
    """Of errors that are alike, the first one has its stack open."""
    failed = next(key for key in ids if store.session(key).state == "fail")
    stacks = re.findall(r"<details class=\"fold\"( open)?><summary>Stack", html_of(store, failed))
    assert stacks
    assert [bool(opened) for opened in stacks].count(True) == 1


def test_session_without_content_says_so(store, ids, tmp_path):
    """A page of spans without messages names the setting, and has its numbers all the same."""
    bare = SqliteStore(tmp_path / "bare.db")
    try:
        spans = [replace(span, body=SpanBody(), asked=None, answered=None) for span in store.spans(ids[1])]
        bare.add(Batch(tuple(spans), store.events(ids[1])), NOW_NS)
        html = html_of(bare, ids[1])
        assert "capture_content" in html
        assert "tokens" in html.lower()
    finally:
        bare.close()


@pytest.fixture
def own(tmp_path):
    """A store for what a test says itself."""
    opened = SqliteStore(tmp_path / "own.db")
    yield opened
    opened.close()


def said(own, *parts, **fields):
    """The page of a session of one call whose answer has these parts."""
    trace = "c" * 32
    call = SpanRow(
        trace_id=trace,
        span_id="c" * 16,
        parent_id=None,
        session_id="said",
        kind="llm",
        name="chat m",
        label="m",
        start_ns=NOW_NS - 10**9,
        end_ns=NOW_NS,
        model="m",
        body=SpanBody(output=(Message("assistant", parts, "d" * 32),)),
        **fields,
    )
    own.add(Batch((call,)), NOW_NS)
    return html_of(own, "said")


def test_picture_that_a_message_has_is_a_picture(own):
    """Base64 of a picture is never text."""
    html = said(own, {"type": "blob", "mime_type": "image/png", "content": PIXEL})
    assert f'<img src="data:image/png;base64,{PIXEL}"' in html
    assert html.count(PIXEL) == 1


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html", 'image/png" onerror="alert(1)'])
def test_media_that_may_hold_a_script_is_a_line(own, mime):
    """Only the four kinds of pictures that hold none are shown."""
    html = said(own, {"type": "blob", "mime_type": mime, "content": PIXEL})
    assert "<img" not in html
    assert PIXEL not in html


def test_media_elsewhere_is_a_link_that_nobody_follows_unasked(own):
    """An address of the web is a link, any other one a text; the page loads neither."""
    html = said(own, {"type": "uri", "uri": "https://example.com/a.png"}, {"type": "uri", "uri": "javascript:alert(1)"})
    assert '<a class="live" href="https://example.com/a.png" rel="noopener noreferrer" target="_blank">' in html
    assert "<code>javascript:alert(1)</code>" in html
    assert 'src="https://' not in html


@pytest.mark.parametrize(
    ("video", "shown"),
    [
        ("/media/0123.webm", '<video controls preload="none" src="/media/0123.webm">'),
        ("https://example.com/v.webm", '<a class="live" href="https://example.com/v.webm" rel="noopener noreferrer"'),
        ("//example.com/v.webm", "<code>//example.com/v.webm</code>"),
        ("javascript:alert(1)", "<code>javascript:alert(1)</code>"),
        ('https://e.com/"><script>', 'href="https://e.com/&#34;&gt;&lt;script&gt;"'),
    ],
)
def test_video_plays_from_here_and_is_a_link_elsewhere(own, video, shown):
    """The page asks no other host for a session's video."""
    root = SpanRow(
        trace_id="e" * 32,
        span_id="e" * 16,
        parent_id=None,
        session_id="video",
        kind="session",
        name="session",
        label="s",
        start_ns=NOW_NS - 10**9,
        end_ns=NOW_NS,
        end_state="success",
        video=video,
        dialect="agentops",
        body=SpanBody(),
    )
    own.add(Batch((root,)), NOW_NS)
    assert shown in html_of(own, "video")


def test_dropped_spans_and_orphans_are_said(own):
    """Totals that are too low, and parents that have not come, stand in the head."""
    html = said(own, {"type": "text", "content": "x"}, dropped_spans=12)
    assert "12 spans were dropped" in html
    lost = SpanRow("f" * 32, "f" * 16, "a" * 16, "lost", "tool", "t", "t", NOW_NS - 10, NOW_NS, body=SpanBody())
    own.add(Batch((lost,)), NOW_NS)
    assert "1 span points to a parent that has not arrived" in html_of(own, "lost")
