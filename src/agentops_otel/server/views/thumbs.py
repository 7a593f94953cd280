"""A person's judgement of a session or of one span: a score named ``thumb``, 1 for good and 0 for bad."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from ...rows import Score
from ..page import Asked, action
from ..problem import Problem
from ..store import Batch
from .session_page import find

NAME: Final = "thumb"
_VALUES: Final = {"good": 1.0, "bad": 0.0}


@action("/s/{key}/thumb")
def thumb(asked: Asked) -> str:
    """Add a score: ``thumb`` is good or bad, ``span`` an id or nothing, ``query`` that of the page to go back to."""
    row = find(asked)
    said = {name: values[-1] for name, values in asked.form.items() if values}
    label = said.get("thumb", "")
    if label not in _VALUES:
        raise Problem(400, "A thumb is good or bad.", "Nothing was changed.", "Send thumb=good or thumb=bad.")
    span_id = said.get("span") or None
    if span_id and asked.store.span(row.session_id, span_id, asked.where.project) is None:
        raise Problem(404, "There is no such span in this session.", "Nothing was changed.")
    score = Score(row.session_id, row.trace_id, span_id, NAME, asked.now_ns, _VALUES[label], label)
    asked.store.add(Batch(scores=(score,)), asked.now_ns)
    query = quote(said.get("query", "").removeprefix("?"), safe="=&%+-_.~")
    return f"/s/{quote(row.session_id, safe='')}" + (f"?{query}" if query else "")
