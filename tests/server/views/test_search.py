"""The page of a search."""

from __future__ import annotations

from tests.fakes.sessions import SECOND, Run
from tests.server.running import RunningBox
from tests.server.views.conftest import html, page, send, words


def test_words_are_found_by_session_and_marked(shop):
    """A hit says where it stands, and is a link to the span."""
    found = page(shop.box, "/search?q=approval")
    assert {one["session"]["session_id"] for one in found["found"]} == {
        shop.refused.session_id,
        shop.refused_before.session_id,
    }
    hit = found["found"][0]["hits"][0]
    assert ["approval", True] in hit["snippet"]
    text = html(shop.box, "/search?q=approval")
    assert "<mark>approval</mark>" in text
    assert f'href="/s/{found["found"][0]["session"]["session_id"]}?span={hit["span_id"]}"' in text


def test_markup_in_a_text_stays_text(tmp_path):
    """Marks are made from pieces of text: what a prompt says is never markup."""
    run = Run("hostile", 1_790_000_000 * SECOND)
    run.ask("the <mark>needle</mark><script>alert(1)</script> is here")
    run.llm("gpt-4.1", 1.0, answer="</mark><b>needle</b>")
    with RunningBox(tmp_path) as box:
        send(box, run.end())
        text = html(box, "/search?q=needle")
        asked = html(box, "/search?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in text + asked
    assert "&lt;/mark&gt;&lt;b&gt;<mark>needle</mark>&lt;/b&gt;" in text


def test_the_beginning_of_an_id_finds_its_session(shop):
    """Without any word in it."""
    found = page(shop.box, f"/search?q={shop.refund.session_id[:8]}")
    assert [one["session"]["session_id"] for one in found["found"]] == [shop.refund.session_id]


def test_nothing_is_said_in_words(shop):
    """The page says what can be found, and offers all time."""
    assert "has this word. Words are matched whole" in words(html(shop.box, "/search?q=zzzz"))
    assert "Search all time" in words(html(shop.box, "/search?q=approval&since=1m&until=2020-01-01"))
    text = words(html(shop.box, "/search"))
    assert "The last sessions" in text
    assert page(shop.box, "/search")["found"] == []


def test_queries_of_another_language_are_words(shop):
    """Whatever stands in the field, the page is there."""
    for query in ("%22", "AND", "a*", "NEAR(", "'%20OR%201=1%20--", "%00", "%E2%80%AE", "x" * 900):
        assert shop.box.get(f"/search?q={query}", accept="text/html").status == 200
