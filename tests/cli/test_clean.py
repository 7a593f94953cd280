"""What is printed is text: nothing that a prompt or a file says is obeyed by a terminal."""

from __future__ import annotations

import pytest

from agentops_otel.cli.output import clean

PAYLOADS = {
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "8-bit colour": ("\x9b31mred", "red"),
    "clear": ("a\x1b[2J\x1b[Hb", "ab"),
    "title": ("\x1b]0;owned\x07text", "text"),
    "link": ("\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
    "8-bit link": ("\x9d8;;http://evil.example\x9cclick\x9d8;;\x9c", "click"),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07x", "x"),
    "link that never ends": ("x\x1b]8;;http://evil.example", "x"),
    "device control": ("\x1bP$q\x1b\\x", "x"),
    "reset": ("\x1bcx", "x"),
    "carriage return": ("safe\rrm -rf", "saferm -rf"),
    "backspace": ("abc\x08\x08\x08xyz", "abcxyz"),
    "bell": ("\x07", ""),
    "delete": ("a\x7fb", "ab"),
    "direction": ("a\u202ecod.exe\u2066b", "acod.exeb"),
    "lines and tabs": ("a\tb\nc", "a\tb\nc"),
    "other languages": ("größe 漢字 עברית 🎉", "größe 漢字 עברית 🎉"),
}


@pytest.mark.parametrize(("text", "shown"), PAYLOADS.values(), ids=PAYLOADS.keys())
def test_s20_no_terminal_obeys(text, shown):
    """C0, C1, escape sequences and marks of direction are gone, and everything else is as it was."""
    assert clean(text) == shown


def test_what_is_left_is_clean():
    """Taking a sequence out never puts another one together."""
    for first, _ in PAYLOADS.values():
        for second, _ in PAYLOADS.values():
            nested = f"\x1b{first}[{second}31m\x1b"
            assert not set(clean(nested)) & {*map(chr, range(9)), "\x0d", "\x1b", "\x7f", *map(chr, range(128, 160))}
