"""The address of a trace in a trace viewer such as Jaeger: a template in which the ids are filled in."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

VARIABLE: Final = "AGENTOPS_TRACE_URL"
EXPECTED: Final = "a URL with {trace_id} or {session_id} in it, such as http://localhost:16686/trace/{trace_id}"


def is_template(text: str) -> bool:
    """Whether a text is the address of a page in which an id is left to fill in."""
    try:
        url = urlsplit(text)
        filled = text.format(trace_id="", session_id="")
    except (ValueError, LookupError, AttributeError):
        return False
    is_page = url.scheme in ("http", "https") and bool(url.netloc)
    return is_page and filled != text and text.isprintable() and " " not in text


def address(template: str, *, trace_id: str, session_id: str) -> str:
    """The address of one trace.

    Args:
        template: for which `is_template` holds.
        trace_id: 32 hex digits.
        session_id: any text; what an address cannot hold is escaped.
    """
    return template.format(trace_id=quote(trace_id, safe=""), session_id=quote(session_id, safe=""))
