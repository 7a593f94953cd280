"""What was said stays text: backticks make code, and nothing makes an element of its own."""

from __future__ import annotations

import re

import pytest

from agentops_otel.server.prose import prose


def test_backticks_make_code():
    """A word between backticks is code, without them."""
    assert prose("Run `make test` now.") == '<p class="said">Run <code>make test</code> now.</p>'


def test_fence_makes_a_block():
    """A fenced text stands alone, with the text before and after it."""
    said = prose("Look:\n```python\nprint('<hi>')\n```\nThat is all.")
    assert said == ('<p class="said">Look:</p><pre>print(&#39;&lt;hi&gt;&#39;)</pre><p class="said">That is all.</p>')


def test_fence_without_an_end_goes_to_the_end():
    """An answer that was cut within a fence loses nothing."""
    assert prose("```\na\nb") == "<pre>a\nb</pre>"


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "`<script>alert(1)</script>`",
        "```\n</pre><script>alert(1)</script>\n```",
        "![x](http://evil.test/?q=1) [y](javascript:alert(1))",
        "` <b> `` <i> ` ```",
    ],
)
def test_hostile_text_is_inert(text):
    """Only p, pre and code are elements, and none has an attribute of the text's."""
    elements = re.findall(r"<[^>]*>", prose(text))
    assert set(elements) <= {'<p class="said">', "</p>", "<pre>", "</pre>", "<code>", "</code>"}


def test_many_backticks_take_no_time_to_speak_of():
    """A megabyte of backticks is read once."""
    assert len(prose("`" * 1_000_000)) >= 1_000_000
    assert prose("```\n" * 100_000)
