"""The card of a session in a notebook: its spans as a tree, with the figures of its page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agentops_otel as agentops
from agentops_otel.card import MOST, tree_of
from agentops_otel.kept import Notebook
from agentops_otel.rows import SpanRow
from agentops_otel.testing import SpanCapture
from agentops_otel.usage import Usage

SECOND = 1_000_000_000


class Outline(HTMLParser):
    """The texts of a tree, each with its depth; elements are closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.lines = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "summary" or (tag == "div" and not attrs):
            self.lines.append((self.open.count("details") - (tag == "summary"), ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        depth, text = self.lines[-1]
        self.lines[-1] = (depth, text + data)


def row(number, parent=None, kind="tool", label=None, start=0, seconds=1.0, **more):
    above = None if parent is None else f"{parent:016x}"
    end = start + int(seconds * SECOND)
    return SpanRow("1" * 32, f"{number:016x}", above, "s", kind, "x", label or kind, start, end, **more)


def lines(spans, state="success"):
    return Outline(tree_of(spans, state)).lines


def test_spans_stand_inside_of_their_parents_by_start():
    """The session itself is the card; calls have tokens and cost, and what they answered."""
    spans = [
        row(1, kind="session"),
        row(2, 1, "agent", "planner", seconds=6),
        row(4, 2, "tool", "search", start=3),
        row(3, 2, "llm", "gpt-4.1", start=1, usage=Usage(1200, 30), cost=0.0012, answered="I will search."),
        row(5, 1, "llm", "gpt-4.1", start=9, usage=Usage(10, 3)),
    ]
    assert lines(reversed(spans)) == [
        (0, "4 spans"),
        (1, "◆ planner 6.0 s"),
        (2, "● gpt-4.1 I will search. 1.0 s · 1,200 in, 30 out · $0.0012"),
        (2, "■ search 1.0 s"),
        (1, "● gpt-4.1 1.0 s · 10 in, 3 out · no price"),
    ]


@pytest.mark.parametrize(("again", "state", "fate"), [(True, "success", "recovered"), (False, "fail", "fatal")])
def test_an_error_says_what_became_of_it(again, state, fate):
    """As its page does: one that was made good is told from one that was not."""
    spans = [row(1, label="search", status="error", error_type="TimeoutError")]
    spans += [row(2, label="search", start=2 * SECOND)] if again else []
    assert lines(spans, state)[1] == (1, f"■ search ✗ TimeoutError, {fate} 1.0 s")


def test_a_large_tree_is_cut_and_says_so():
    """What is left out is counted."""
    found = lines([row(number, start=number) for number in range(1, MOST + 12)])
    assert len(found) == MOST + 2
    assert found[-1] == (1, "11 more spans")


def test_no_spans_are_no_tree():
    """A session that has only begun is its table alone."""
    assert tree_of([], "running") == tree_of([row(1, kind="session")], "success") == ""


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12), st.text(max_size=9)), max_size=12))
@settings(max_examples=150)
def test_any_spans_are_a_tree(pairs):
    """Circles, missing parents, doubles and hostile texts: each span once, every element closed, texts escaped."""
    spans = [row(number, parent or None, "tool", f"<{text}>") for number, parent, text in pairs]
    found = tree_of(spans, "running")
    count = len({number for number, *_ in pairs})
    assert len(Outline(found).lines) == (count + 1 if count else 0)
    assert set(re.findall(r"<(\w+)", found)) <= {"details", "summary", "div", "b", "span"}


@pytest.fixture
def capture():
    """Where the spans of a session go."""
    spans = SpanCapture()
    agentops.init(exporter=spans, auto_start_session=False, summary=False)
    return spans


@pytest.fixture
def notebook(monkeypatch):
    """As after `%load_ext agentops_otel`."""
    monkeypatch.setattr(Notebook, "is_open", True)


def _work():
    @agentops.tool
    def search(query):
        if query == "<b>":
            raise LookupError("nothing")
        return "found"

    @agentops.agent(name="<script>")
    def planner():
        agentops.record(
            agentops.LLMEvent(model="gpt-4.1", prompt="p", completion="my secret plan", prompt_tokens=7, cost=0.5)
        )
        with pytest.raises(LookupError):
            search("<b>")
        return search("x")

    planner()


def test_a_session_of_a_notebook_has_its_spans(capture, notebook):
    """While it runs and when it has ended; its figures are those of the table, and all texts are escaped."""
    agentops.start_session(name="order")
    session = agentops.current_session()
    _work()
    running = session._repr_html_()
    session.end("Success")
    text = session._repr_html_()
    assert "<script>" not in text
    for html in (running, text):
        found = Outline(html.partition("</table>")[2]).lines
        assert [(depth, line.split()[1]) for depth, line in found[1:]] == [
            (1, "<script>"),
            (2, "gpt-4.1"),
            (2, "search"),
            (2, "search"),
        ]
        assert "7 in, 0 out · $0.50" in found[2][1]
        assert "LookupError, recovered" in found[3][1]
    assert "<td>1 (1 recovered)</td>" in text
    assert session.delivered == (5, 5)


def test_elsewhere_no_span_is_kept(capture):
    """A program that is in no notebook pays nothing for it."""
    agentops.start_session()
    session = agentops.current_session()
    _work()
    assert session._kept is None
    assert "<details" not in session._repr_html_()


def test_what_is_kept_is_clean_and_bounded(capture, notebook):
    """What the user's hook has taken out is in no card, and of many spans the last are kept."""
    agentops.start_session(
        config=agentops.Configuration(
            exporter=capture, redact=lambda value, path: "gone" if "secret" in str(value) else value
        )
    )
    session = agentops.current_session()
    _work()
    for _ in range(1_100):
        agentops.record(agentops.ActionEvent("step"))
    assert "secret" not in session._repr_html_()
    assert len(session._kept.rows) == 1_000
    assert "600 spans" not in session._repr_html_()
    assert "500 more spans" in session._repr_html_()
