"""The summary: what it says, how wide it is, and that it never fails."""

from __future__ import annotations

import io
import os
import pty
import re
import struct
import sys
import termios
import threading
from fcntl import ioctl

import pytest
from msgspec.structs import replace

import agentops_otel as agentops
from agentops_otel import summary
from agentops_otel.figures import format_cost, format_count, format_duration
from agentops_otel.summary import Summary, print_summary, render
from agentops_otel.testing import SpanCapture
from agentops_otel.usage import Usage

SUCCESS = Summary(
    name="support_agent",
    session_id="4f2a",
    end_state="Success",
    duration_s=6.5,
    llm_calls=4,
    tool_calls=4,
    errors=1,
    recovered_errors=1,
    usage=Usage(1399, 205, cache_read_tokens=612),
    cost=0.0043,
    models=(("claude-sonnet-4-5", 1, 0.0019), ("gpt-4.1", 3, 0.0024)),
    slowest=("chat gpt-4.1", 2.1, 0.32),
    recorded=12,
    delivered=12,
    destination="http://127.0.0.1:4318/s/4f2a",
)
FAIL = Summary(
    name="比较供应商报价和合同条款 🚀",
    end_state="Fail",
    reason="ValueError: nothing\nfound \x1b[31m in\x07 any of the many places that were searched, one after the other",
    duration_s=123.4,
    llm_calls=1,
    actions=2,
    errors=2,
    usage=Usage(1_234_567, 205, cache_write_tokens=7, reasoning_tokens=100),
    cost=0.000042,
    unpriced_calls=1,
    stream_without_usage=2,
    models=(("gpt-4.1", 1, None),),
    recorded=12,
    delivered=9,
    destination="http://127.0.0.1:4318",
    dropped={"queue full": 3},
    delivery_error="connection refused 127.0.0.1:4318",
)
ALL = [pytest.param(SUCCESS, id="success"), pytest.param(FAIL, id="fail"), pytest.param(Summary(), id="empty")]


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (0.0, "$0.00"),
        (0.000042, "$0.000042"),
        (1e-9, "$0.0000000010"),
        (1e-15, "<$0.000000000001"),
        (0.0043, "$0.0043"),
        (0.00996, "$0.010"),
        (0.5, "$0.50"),
        (0.994, "$0.99"),
        (0.999, "$1.00"),
        (12.345, "$12.35"),
        (1234.5, "$1,234.50"),
    ],
)
def test_format_cost(dollars, text):
    """A cost shows two digits that matter, and only 0 looks like 0."""
    assert format_cost(dollars) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0004, "<1 ms"),
        (0.85, "850 ms"),
        (0.9996, "1.0 s"),
        (6.5, "6.5 s"),
        (59.96, "1 min 00 s"),
        (123.4, "2 min 03 s"),
        (3599.6, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (360_000, "100 h 00 min"),
        (-1, "0 ms"),
        (float("nan"), "unknown"),
    ],
)
def test_format_duration(seconds, text):
    """A duration reads as one says it, and never as 60 seconds or 1000 ms."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1399,), "1,399"),
        ((1, "tool"), "1 tool"),
        ((0, "tool"), "0 tools"),
        ((1399, "LLM call"), "1,399 LLM calls"),
        ((2, "entry", "entries"), "2 entries"),
    ],
)
def test_format_count(arguments, text):
    """A count has thousands separators and the right form of its noun."""
    assert format_count(*arguments) == text


BOX = """\
╭─ ✓ Session support_agent — Success ──────────────────────╮
│ 6.5 s   4 LLM calls · 4 tools · 1 recovered error        │
│ tokens 1,399 in (612 cached) · 205 out      cost $0.0043 │
│   claude-sonnet-4-5 1x $0.0019   gpt-4.1 3x $0.0024      │
│ slowest: chat gpt-4.1 2.1 s (32 %)                       │
│ 12/12 spans delivered → http://127.0.0.1:4318/s/4f2a     │
│ trace 4f2a                                               │
╰────────────────────────────────────────── agentops-otel ─╯"""


def test_box():
    """The box says what happened, what it cost and where it went."""
    assert render(SUCCESS, width=80, color=False).replace("\N{MULTIPLICATION SIGN}", "x") == BOX


@pytest.mark.parametrize("facts", ALL)
@pytest.mark.parametrize("unicode", [True, False], ids=["unicode", "ascii"])
@pytest.mark.parametrize("color", [True, False], ids=["color", "plain"])
@pytest.mark.parametrize("width", [20, 27, 40, 80, 200])
def test_box_never_breaks(facts, width, color, unicode):
    """Every line of the box has the same number of columns, at most the terminal's, wide characters included."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", render(facts, width=width, color=color, unicode=unicode))
    columns = {summary._width(line) for line in plain.split("\n")}

    assert len(columns) == 1
    assert columns.pop() <= width
    assert all(line.isprintable() for line in plain.split("\n"))
    assert unicode or plain.isascii()


def test_narrow_box_keeps_the_end_state():
    """In too little room the name is cut, not what happened."""
    first = render(SUCCESS, width=32, color=False).split("\n")[0]

    assert first == "╭─ ✓ Session suppo… — Success ─╮"


@pytest.mark.parametrize(("facts", "paint"), [(SUCCESS, "\x1b[32m✓"), (FAIL, "\x1b[31m✗"), (Summary(), "\x1b[33m◌")])
def test_end_state_has_mark_and_color(facts, paint):
    """Success is green, failure red, and what nobody decided is neither."""
    assert paint in render(facts, width=80, color=True)


def test_text_of_others_does_not_command_the_terminal():
    """Escape sequences and line ends in a reason are not printed."""
    box = render(FAIL, width=100, color=False)

    assert "\x1b" not in box
    assert "ValueError: nothing found  in any of" in box


def test_lost_spans_are_told_and_no_destination_is_shown():
    """A link to what was not acknowledged is never printed; the reasons are."""
    box = render(FAIL, width=100, color=False)

    assert "⚠ 3 of 12 spans not delivered (connection refused 127.0.0.1:4318; 3 queue full)" in box
    assert "http://" not in box


@pytest.mark.parametrize(
    ("dropped", "error", "told"),
    [
        ({"rejected": 6}, "rejected: too old", "6 rejected: too old"),
        ({"rejected": 6, "queue full": 0}, "too large: 413", "too large: 413; 6 rejected"),
        ({"rejected": 2, "queue full": 1_000}, "rejected: 400", "2 rejected: 400; 1,000 queue full"),
        ({"queue full": 3}, "nothing listens at a:1", "nothing listens at a:1; 3 queue full"),
        ({"queue full": 3}, None, "3 queue full"),
    ],
)
def test_each_loss_is_counted_once(dropped, error, told):
    """What was said last stands with its reason and the count of all that were lost for it."""
    lost = sum(dropped.values())
    facts = Summary(recorded=lost + 2, delivered=2, dropped=dropped, delivery_error=error)
    assert f"⚠ {lost:,} of {lost + 2:,} spans not delivered ({told})" in render(facts, width=100, color=False)


def test_streams_without_usage_say_what_to_do():
    """The hint about streams names both ways out, in right plural form."""
    assert "2 streamed calls without usage: pass stream_options={'include_usage': True} or" in render(
        FAIL, width=100, color=False
    )


def test_cost_of_unpriced_calls_is_unknown():
    """Calls without a price never look free."""
    assert "cost unknown" in render(Summary(llm_calls=1, unpriced_calls=1), width=80, color=False)
    assert "cost $0.000042 + 1 unpriced call" in render(FAIL, width=100, color=False)
    assert "cost" not in render(Summary(actions=1), width=80, color=False)


LINK = "http://localhost:16686/trace/{trace_id}"
SESSION = "0123abcd-0000-1111-2222-333344445555"
TRACE = SESSION.replace("-", "")


def test_the_trace_is_named_as_backends_write_it():
    """An id without dashes, or the address that the user has said, with the id in it."""
    facts = Summary(session_id=SESSION)
    assert f"│ trace {TRACE} " in render(facts, width=80, color=False)
    linked = replace(facts, trace_url=LINK.format(trace_id=TRACE))
    assert f"│ http://localhost:16686/trace/{TRACE} " in render(linked, width=80, color=False)
    assert TRACE not in render(Summary(), width=80, color=False)


class Terminal(io.StringIO):
    """A terminal of 80 columns."""

    def isatty(self):
        return True


def test_an_address_is_never_cut():
    """One that is wider than the box stands below it; in the plain line all of it does."""
    long = f"http://localhost:16686/{'x' * 120}/{TRACE}"
    facts = Summary(session_id=SESSION, trace_url=long)
    assert long not in render(facts, width=80, color=False)
    assert f"│ trace {TRACE} " in render(facts, width=80, color=False)
    terminal, plain = Terminal(), io.StringIO()
    print_summary(facts, terminal)
    print_summary(facts, plain)
    assert terminal.getvalue().splitlines()[-1] == long
    assert plain.getvalue().rstrip("\n").endswith(f"; {long}")


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        (LINK, "http://localhost:16686/trace/{}"),
        ("https://a/?s={session_id}&x", "https://a/?s={}&x"),
        (None, "trace {}"),
    ],
)
def test_the_setting_trace_url(setting, shown, capsys):
    """`trace_url` has the ids of the session filled in."""
    session_id = agentops.init(exporter=SpanCapture(), trace_url=setting)
    agentops.end_session("Success")
    known = session_id if setting and "session_id" in setting else session_id.replace("-", "")
    assert capsys.readouterr().err.rstrip("\n").endswith(f"; {shown.format(known)}")


def test_one_plain_line_where_nobody_looks():
    """A stream that is no terminal gets one line without box and colours."""
    out = io.StringIO()
    print_summary(SUCCESS, out)

    assert out.getvalue() == (
        "agentops-otel: Session support_agent - Success; 6.5 s; 4 LLM calls, 4 tools, 1 recovered error; "
        "tokens 1,399 in (612 cached), 205 out; cost $0.0043; 12/12 spans delivered → http://127.0.0.1:4318/s/4f2a; "
        "trace 4f2a\n"
    )


def test_failed_line_gives_the_reason():
    """The plain line of a failed session says why, on the same line."""
    out = io.StringIO()
    print_summary(FAIL, out)

    assert out.getvalue().count("\n") == 1
    assert "Fail (ValueError: nothing found" in out.getvalue()


def test_stream_that_cannot_encode_gets_ascii():
    """A Latin-1 stream gets an ASCII line, not an error."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1", write_through=True)
    print_summary(FAIL, stream)

    assert raw.getvalue().startswith(b"agentops-otel: Session ")
    assert raw.getvalue().isascii()


def _printed_on_terminal(facts, columns, encoding="utf-8"):
    """What arrives at the other side of a real pseudo-terminal."""
    ours, theirs = pty.openpty()
    received = []

    def read():
        try:
            while data := os.read(ours, 4096):
                received.append(data)
        except OSError:  # Linux says EIO when the other side is closed
            return

    reader = threading.Thread(target=read)
    try:
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        reader.start()
        with os.fdopen(theirs, "w", encoding=encoding) as stream:
            print_summary(facts, stream)
        reader.join(10)
    finally:
        os.close(ours)
    return b"".join(received).decode(encoding).replace("\r\n", "\n")


@pytest.fixture
def _color_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("_color_terminal")
@pytest.mark.parametrize("columns", [40, 80])
def test_terminal_gets_the_box_in_its_width(columns):
    """A terminal gets the coloured box, in the width it has."""
    assert _printed_on_terminal(FAIL, columns) == render(FAIL, width=columns, color=True) + "\n"


@pytest.mark.usefixtures("_color_terminal")
@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_terminal_without_colors(monkeypatch, variable, value):
    """NO_COLOR and a dumb terminal turn the colours off."""
    monkeypatch.setenv(variable, value)

    assert _printed_on_terminal(SUCCESS, 80) == render(SUCCESS, width=80, color=False) + "\n"


@pytest.mark.usefixtures("_color_terminal")
def test_terminal_that_cannot_encode_gets_an_ascii_box():
    """A terminal of another encoding gets the box in ASCII."""
    printed = _printed_on_terminal(SUCCESS, 80, encoding="ascii")

    assert printed == render(SUCCESS, width=80, color=True, unicode=False) + "\n"


@pytest.mark.usefixtures("_color_terminal")
def test_tiny_terminal_gets_the_line():
    """Where no box fits, the plain line is printed."""
    assert _printed_on_terminal(SUCCESS, 10).startswith("agentops-otel: Session support_agent - Success;")


def test_closed_stream_is_silent():
    """A closed stream, or none, is no reason to fail."""
    closed = io.StringIO()
    closed.close()
    print_summary(SUCCESS, closed)


def test_missing_standard_error_is_silent(monkeypatch):
    """A program without standard error ends in peace."""
    monkeypatch.setattr(sys, "stderr", None)
    print_summary(SUCCESS)


def test_broken_pipe_is_silent():
    """A reader that has gone away is no reason to fail."""
    ours, theirs = os.pipe()
    os.close(ours)
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    assert print_summary(SUCCESS, stream) is False
    stream.close()  # nothing of ours is left in its buffer


@pytest.mark.parametrize(
    ("recorded", "delivered", "dropped", "kept", "told"),
    [
        (12, 10, {}, 2, "2 of 12 spans kept in /j"),
        (12, 10, {}, 500, "2 of 12 spans kept in /j"),  # the journal holds what others have left, too
        (12, 8, {"rejected": 3}, 500, "1 of 12 spans kept in /j"),
        (12, 8, {"rejected": 4}, 500, None),
    ],
)
def test_no_more_is_kept_than_is_missing(recorded, delivered, dropped, kept, told):
    """The journal may hold spans of other sessions: the box counts this session's only."""
    facts = replace(SUCCESS, recorded=recorded, delivered=delivered, dropped=dropped, kept=kept, journal="/j")
    text, bad = summary._delivery(facts)
    assert bad
    assert (told is None) == ("kept" not in text)
    assert told is None or told in text
