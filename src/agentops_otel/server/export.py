"""A session as one file: HTML that opens without a server and without scripts. And any list as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup

from ..version import __version__
from .assets import assets
from .format import iso
from .render import environment
from .views.session import Session, Waterfall

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell: https://owasp.org/www-community/attacks/CSV_Injection"""

_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def session_html(page: Session, waterfall: Waterfall, now_ns: int) -> str:
    """A session's story and waterfall in one HTML file, with its styles inside.

    Args:
        page: with its story as the view.
        waterfall: all rows.
        now_ns: when it was exported.
    """
    # The only style sheet that a page has inside: ours, from the package. "</style" cannot stand in it.
    css = "\n".join(assets()[name].content.decode() for name in ("app.css", "session.css"))
    template = environment().get_template("export.html")
    return template.render(
        page=page,
        row=page.row,
        waterfall=waterfall,
        now_ns=now_ns,
        exported=iso(now_ns),
        version=__version__,
        css=Markup(css),  # noqa: S704
        alone=True,
    )


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A list as CSV (RFC 4180) that no spreadsheet takes for a formula: such a text gets a ``'`` before it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, (tuple, list)):
        value = ", ".join(map(str, value))
    if isinstance(value, str):
        clean = _CONTROLS.sub("", value)
        return f"'{clean}" if clean.startswith(_FORMULA) else clean
    return value
