"""Text that can be sent: bounded, with a mark where it was cut."""

from __future__ import annotations

import pytest

from agentops_otel.text import cut


def test_cut_says_how_much():
    """A cut text is as long as was asked for and says how many characters are missing."""
    text = cut("x" * 100_000, 1000)

    assert len(text) <= 1000
    kept = text.count("x")
    assert text == "x" * kept + f"... [{100_000 - kept:,} characters cut]"


@pytest.mark.parametrize("text", ["", "short", "x" * 1000])
def test_cut_leaves_what_fits(text):
    """A text that fits is the same object."""
    assert cut(text, 1000) is text


@pytest.mark.parametrize("length", [1, 2, 10, 33])
def test_cut_is_never_longer_than_asked(length):
    """Also where there is no room for the mark."""
    assert len(cut("x" * 100, length)) <= length
