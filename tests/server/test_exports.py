"""What leaves the box as a file: nothing is lost, and nothing in it is obeyed."""

from __future__ import annotations

import csv
import json
import re
import time

import pytest

from agentops_otel.rows import Message, SessionEvent, SpanBody, SpanRow
from agentops_otel.server import demo
from agentops_otel.server.export import csv_text
from agentops_otel.server.markdown import session_markdown
from agentops_otel.server.otlp.file import read
from agentops_otel.server.page import Asked
from agentops_otel.server.store import Batch
from agentops_otel.server.store.sqlite import SqliteStore
from agentops_otel.server.views.exports import html, markdown, otlp, sessions_csv
from agentops_otel.server.views.session_page import session

NOW_NS = 1_790_000_000 * 10**9
SESSION = "0189d1a0-0000-7000-8000-0000000000aa"
TRACE = SESSION.replace("-", "")
HOSTILE = '=HYPERLINK("http://e.test") <script>alert(1)</script> ```\n# heading @somebody [x](javascript:f()) </style>'


@pytest.fixture
def store(tmp_path):
    opened = SqliteStore(tmp_path / "sessions.db")
    yield opened
    opened.close()


def asked(store, key=SESSION, **query):
    return Asked(store, {"key": key}, {name: [value] for name, value in query.items()}, NOW_NS)


def add_call(store, *, prompt, answer):
    """A session of one call."""
    root = SpanRow(
        trace_id=TRACE,
        span_id=TRACE[:16],
        parent_id=None,
        session_id=SESSION,
        kind="session",
        name="session",
        label=prompt[:60],
        start_ns=NOW_NS - 10**10,
        end_ns=NOW_NS,
        asked=prompt[:300],
        answered=answer[:300],
        end_state="success",
        session_name=prompt[:60],
        tags=(prompt[:40],),
        dialect="agentops",
        body=SpanBody(),
    )
    call = SpanRow(
        trace_id=TRACE,
        span_id="00000000000000c1",
        parent_id=root.span_id,
        session_id=SESSION,
        kind="llm",
        name="chat m",
        label="m",
        start_ns=NOW_NS - 9 * 10**9,
        end_ns=NOW_NS - 10**9,
        model="m",
        operation="chat",
        dialect="agentops",
        body=SpanBody(
            input=(Message("user", ({"type": "text", "content": prompt},), "a" * 32),),
            output=(Message("assistant", ({"type": "text", "content": answer},), "b" * 32, "stop"),),
        ),
    )
    start = SessionEvent("start", SESSION, TRACE, root.start_ns)
    end = SessionEvent("end", SESSION, TRACE, NOW_NS, end_state="success")
    store.add(Batch((root, call), (start, end)), NOW_NS)


def test_html_holds_every_message_whole(store):
    """A text that the page shows cut stands in the file to its last character."""
    long = "word " * 40_000 + "the very end"
    add_call(store, prompt="What?", answer=long)
    assert "the very end" not in str(session(asked(store)).view)
    body = html(asked(store)).body
    assert "the very end" in body
    assert "Load all" not in body


def test_html_needs_no_server_and_no_script(store):
    """The file asks for nothing: it has its styles, and forbids everything else."""
    add_call(store, prompt="What?", answer="This.")
    body = html(asked(store)).body
    assert "default-src 'none'" in body
    assert "<script" not in body
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", body)


def test_html_keeps_hostile_text_text(store):
    """What a model said makes no element, and ends no style sheet."""
    add_call(store, prompt=HOSTILE, answer=HOSTILE)
    body = html(asked(store)).body
    assert "<script" not in body
    assert "&lt;script&gt;" in body
    assert body.count("</style>") == 1


def test_markdown_keeps_hostile_text_inside_of_its_fence(store):
    """A fence in a text is shorter than the one around it; outside of fences nothing is markup or names anybody."""
    add_call(store, prompt=HOSTILE, answer=HOSTILE)
    text = markdown(asked(store)).body
    outside, fence = [], ""
    for line in text.splitlines():
        mark = re.match(r"\s*(?:- )?(`{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    assert not fence
    assert not any(re.search(r"@somebody|(?<!\\)[\]<](?:\(|script)", line) for line in outside)
    assert sum(line.startswith("# ") for line in outside) == 1


@pytest.mark.parametrize("ending", ["\r", "\r\n", "\n\r"])
def test_markdown_keeps_every_ending_of_a_line_inside_of_its_fence(store, ending):
    """In Markdown a carriage return ends a line too."""
    add_call(store, prompt=f"hello{ending * 2}# heading{ending * 2}![x](https://e.test/p.png)", answer="hi")
    lines = re.split(r"\r\n|\r|\n", markdown(asked(store)).body)
    assert [line.strip() for line in lines if line.startswith("  ") and line.strip().startswith(("# ", "![x]"))] != []
    assert sum(line.startswith(("# ", "![x]")) for line in lines) == 1  # the title


def test_markdown_says_how_it_ended_and_what_it_cost(store):
    """The first lines are what one wants to know first."""
    ids = demo.load(store, NOW_NS)
    failed = next(each for each in ids if store.session(each).state == "fail")
    page = session(asked(store, failed, steps="all"))
    text = session_markdown(page, page.view)
    assert re.search(r"^\*\*Failed", text, re.MULTILINE)
    assert "LLM call" in text
    assert "## Why it failed" in text
    assert failed in text


def test_otlp_export_imports_to_the_identical_page(store, tmp_path):
    """Every number, step and message is there again in another store."""
    ids = demo.load(store, NOW_NS)
    other = SqliteStore(tmp_path / "other.db")
    try:
        for each in ids:
            other.add(read(otlp(asked(store, each)).body), NOW_NS)
        for each in ids:
            for tab in ("story", "waterfall", "calls", "errors"):
                before, after = (session(asked(one, each, tab=tab)) for one in (store, other))
                assert after.view == before.view
                assert after.ribbon == before.ribbon
                assert after.verdict == before.verdict
                assert after.row.cost == before.row.cost
                assert after.row.usage == before.row.usage
    finally:
        other.close()


def test_csv_of_sessions_has_a_line_a_session_and_no_formula(store):
    """A text that a spreadsheet would compute begins with a quote."""
    add_call(store, prompt=HOSTILE, answer="=1+1")
    demo.load(store, time.time_ns())
    lines = list(csv.DictReader(sessions_csv(asked(store)).body.splitlines()))
    assert len(lines) > 10
    ours = next(line for line in lines if line["session_id"] == SESSION)
    assert ours["asked"].startswith("'=HYPERLINK")
    assert ours["ending"].startswith("'=1+1")
    assert not any(cell.startswith(("=", "@")) for line in lines for cell in line.values())


def test_csv_has_no_character_that_a_terminal_obeys():
    """Line breaks and tabs stay."""
    assert csv_text(["a"], [["x\x1b]0;title\x07\x9b1my\tz\r\n"]]) == 'a\r\n"x]0;title1my\tz\r\n"\r\n'


def test_download_is_named_after_its_session(store):
    """The browser saves it, under a name that says what it is."""
    add_call(store, prompt="What?", answer="This.")
    assert html(asked(store)).name == "session-0189d1a0.html"
    assert json.loads(otlp(asked(store)).body)["resourceSpans"]
