"""What a person or a model said, as paragraphs: text between backticks is code, and nothing else is markup.

Markdown is not rendered: links, pictures and HTML of a model's answer stay the text that they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from markupsafe import Markup, escape

_FENCE: Final = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`([^`\n]{1,400})`")


def prose(text: str) -> Markup:
    """A text as ``<p>`` and ``<pre>``, with ``<code>`` inside of lines."""
    return Markup().join(_blocks(text))


def _blocks(text: str) -> Iterator[Markup]:
    at = 0
    for fence in _FENCE.finditer(text):
        yield from _paragraph(text[at : fence.start()])
        yield Markup("<pre>{}</pre>").format(fence[1].rstrip("\n"))
        at = fence.end()
    yield from _paragraph(text[at:])


def _paragraph(text: str) -> Iterator[Markup]:
    told = text.strip("\n")
    if told.strip():
        yield Markup('<p class="said">{}</p>').format(Markup().join(_line(told)))


def _line(text: str) -> Iterator[Markup]:
    at = 0
    for code in _CODE.finditer(text):
        yield escape(text[at : code.start()])
        yield Markup("<code>{}</code>").format(code[1])
        at = code.end()
    yield escape(text[at:])


FILTERS: Final[Mapping[str, Callable[..., object]]] = {"prose": prose}
