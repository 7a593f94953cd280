"""One log record -> a session event or a score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, cast

from .. import semconv
from ..dialects.dialect import Field
from ..rows import Kind, Process, Score, SessionEvent, SpanRow, State
from .process import process_of
from .received import ReceivedLog
from .said import INT64, MESSAGE_LENGTH, NAME_LENGTH, Said, text_of_value

SPAN_NAME_LENGTH: Final = 1024
STATES: Final[Mapping[str, State]] = {"success": "success", "fail": "fail", "indeterminate": "indeterminate"}

_EVENTS: Final = {
    semconv.EVENT_SESSION_START: "start",
    semconv.EVENT_SESSION_JOIN: "join",
    semconv.EVENT_SESSION_HEARTBEAT: "heartbeat",
    semconv.EVENT_SESSION_END: "end",
}
_OPEN_KINDS: Final = frozenset({"session", "agent", "workflow", "action", "tool", "llm", "error"})
_MOST_OPEN: Final = 256


def normalize_log(log: ReceivedLog) -> SessionEvent | Score | None:
    """The row of a log record; None when it is none of ours."""
    name = _EVENTS.get(log.name)
    if name is not None:
        return _session_event(log, name)
    return _score(log) if log.name == semconv.EVENT_EVALUATION_RESULT else None


def _session_event(log: ReceivedLog, name: str) -> SessionEvent | None:
    attributes = log.attributes
    session_id = text_of_value(attributes.get(semconv.SESSION_ID)) or log.trace_id
    trace_id = log.trace_id or _as_trace_id(session_id)
    if not trace_id:
        return None
    state = text_of_value(attributes.get(semconv.SESSION_END_STATE)) or ""
    process = process_of(log.source.resource)
    said = Said(attributes, _LOG_FIELDS)
    return SessionEvent(
        name=cast("Any", name),
        session_id=session_id,
        trace_id=trace_id,
        time_ns=log.time_ns,
        role="member" if attributes.get(semconv.SESSION_ROLE) == semconv.ROLE_MEMBER else "owner",
        attributes=attributes,
        open_spans=_open_spans(attributes, session_id, trace_id, process) if name == "heartbeat" else (),
        session_name=said.text("session_name"),
        tags=said.texts("tags"),
        end_state=STATES.get(state.lower()),
        end_reason=said.text("end_reason", MESSAGE_LENGTH),
        process=process,
        source=log.source,
    )


_LOG_FIELDS: Final[Mapping[Field, tuple[str, ...]]] = {
    "end_reason": (semconv.SESSION_END_STATE_REASON,),
    "session_name": (semconv.SESSION_NAME,),
    "tags": (semconv.SESSION_TAGS,),
}


def _as_trace_id(session_id: str) -> str:
    digits = session_id.replace("-", "").lower()
    return digits if len(digits) == 32 and _is_hex(digits) else ""


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in digits)


def _open_spans(attributes: Mapping[str, Any], session_id: str, trace_id: str, process: Process) -> tuple[SpanRow, ...]:
    lines = attributes.get(semconv.SESSION_OPEN_SPANS)
    rows = (_open_span(line, session_id, trace_id, process) for line in (lines if isinstance(lines, list) else ()))
    return tuple(row for row in rows if row is not None)[:_MOST_OPEN]


def _open_span(line: object, session_id: str, trace_id: str, process: Process) -> SpanRow | None:
    """A line of a heartbeat: span id, parent id, kind, start, name."""
    words = line.split(" ", 4) if isinstance(line, str) else ()
    if len(words) != 5:
        return None
    span_id, parent_id, kind, start, name = words
    if len(span_id) != 16 or len(parent_id) != 16 or not _is_hex(span_id + parent_id):
        return None
    if not start.isascii() or not start.isdigit() or not 0 < int(start[:20]) < INT64:
        return None
    known = cast("Kind", kind if kind in _OPEN_KINDS else "step")
    operation, _, rest = name.partition(" ")
    labelled = bool(rest) and operation in _OPERATIONS.get(known, ())
    return SpanRow(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=None if parent_id == "0" * 16 else parent_id,
        session_id=session_id,
        kind=known,
        name=name[:SPAN_NAME_LENGTH],
        label=(rest if labelled else name)[:NAME_LENGTH],
        start_ns=int(start),
        end_ns=None,
        operation=operation if labelled and known != "error" else None,
        model=rest[:NAME_LENGTH] if labelled and known == "llm" else None,
        request_model=rest[:NAME_LENGTH] if labelled and known == "llm" else None,
        agent=rest[:NAME_LENGTH] if labelled and known == "agent" else None,
        dialect="agentops",
        process=process,
    )


_OPERATIONS: Final[Mapping[Kind, frozenset[str]]] = {
    "agent": frozenset({semconv.OPERATION_INVOKE_AGENT}),
    "workflow": frozenset({semconv.OPERATION_INVOKE_WORKFLOW}),
    "tool": frozenset({semconv.OPERATION_EXECUTE_TOOL}),
    "error": frozenset({"error"}),
    "llm": semconv.LLM_OPERATIONS,
}


def _score(log: ReceivedLog) -> Score | None:
    get = log.attributes.get
    name = text_of_value(get(semconv.EVALUATION_NAME))
    session_id = text_of_value(get(semconv.SESSION_ID))
    trace_id = log.trace_id or _as_trace_id(session_id or "")
    if name is None or not trace_id:
        return None
    value = get(semconv.EVALUATION_SCORE_VALUE)
    of_root = log.span_id in ("", trace_id[:16], "0000000000000001")
    return Score(
        session_id=session_id,
        trace_id=trace_id,
        span_id=None if of_root else log.span_id,
        name=name,
        time_ns=log.time_ns,
        value=float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None,
        label=text_of_value(get(semconv.EVALUATION_SCORE_LABEL)),
        comment=text_of_value(get(semconv.EVALUATION_EXPLANATION), MESSAGE_LENGTH),
    )
