"""A person's judgement of a session or of one span: a score named ``thumb``, 1 for good and 0 for bad."""

from __future__ import annotations

from typing import Final

from ...rows import Score
from ..address import segment
from ..page import Asked, action
from ..problem import Problem
from ..store import DEFAULT_PROJECT, Batch
from .session_page import find

NAME: Final = "thumb"
_VALUES: Final = {"good": 1.0, "bad": 0.0}


@action("/s/{key}/thumb")
def thumb(asked: Asked) -> str:
    """Add a score: ``thumb`` is good or bad, ``span`` an id, or nothing for the session. The last one holds."""
    row, where = find(asked), asked.where.project
    said = {name: values[-1] for name, values in asked.form.items() if values}
    label = said.get("thumb", "")
    if label not in _VALUES:
        raise Problem(400, "A thumb is good or bad.", "Nothing was changed.", "Send thumb=good or thumb=bad.")
    span_id = said.get("span") or None
    if span_id and asked.store.span(row.session_id, span_id, where) is None:
        raise Problem(404, "There is no such span in this session.", "Nothing was changed.")
    score = Score(row.session_id, row.trace_id, span_id, NAME, asked.now_ns, _VALUES[label], label)
    project = asked.store.project_of(row.session_id, where) or DEFAULT_PROJECT
    asked.store.add(Batch(scores=(score,), project=project), asked.now_ns)
    return f"/s/{segment(row.session_id)}"
