"""What `score()` says of a session or a span, as the GenAI conventions have it.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/#event-gen_aievaluationresult
"""

from __future__ import annotations

import math
from typing import Any

from opentelemetry.trace import NonRecordingSpan, Span, SpanContext

from . import environment, semconv
from .text import MAX_LENGTH, shown

_NAME_LENGTH = 256


def result(name: object, value: object, comment: object) -> dict[str, Any]:
    """The attributes of an evaluation result.

    Raises:
        ValueError: the name is no text, or the value is neither a finite number nor text.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"name={environment.shown(name)} is not valid: expected text such as 'correct'")
    said: dict[str, Any] = {semconv.EVALUATION_NAME: name.strip()[:_NAME_LENGTH]}
    if isinstance(value, bool):
        said |= {semconv.EVALUATION_SCORE_VALUE: float(value), semconv.EVALUATION_SCORE_LABEL: str(value).lower()}
    elif isinstance(value, str) and value.strip():
        said[semconv.EVALUATION_SCORE_LABEL] = value.strip()[:_NAME_LENGTH]
    elif (number := _number(value)) is not None:
        said[semconv.EVALUATION_SCORE_VALUE] = number
    else:
        raise ValueError(f"value={environment.shown(value)} is not valid: expected a number, True, False or text")
    if comment is not None:
        said[semconv.EVALUATION_EXPLANATION] = shown(comment, MAX_LENGTH)
    return said


def _number(value: object) -> float | None:
    """Also a number of numpy, which knows how to become one of Python's."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except Exception:  # of an object's own code, too
        return None
    return number if math.isfinite(number) else None


def span_of(given: object, root: Span) -> Span:
    """The span that a score is of: `given`, else the root of the session.

    Args:
        given: a span, its context, its id as 16 hex digits, or None.
        root: of the session.

    Raises:
        ValueError: it is none of these, or a span of another trace.
    """
    if given is None:
        return root
    here = root.get_span_context()
    if isinstance(given, str):
        number = _span_id(given)
        found = SpanContext(here.trace_id, number, is_remote=False, trace_flags=here.trace_flags)
    else:
        context = given.get_span_context() if isinstance(given, Span) else given
        if not isinstance(context, SpanContext) or not context.is_valid:
            raise ValueError(f"span={environment.shown(given)} is not valid: expected a span or its id")
        found = context
    if found.trace_id != here.trace_id:
        raise ValueError("the span is not one of this session")
    return NonRecordingSpan(found)


def _span_id(text: str) -> int:
    try:
        number = int(text.strip(), 16) if len(text.strip()) == 16 else 0
    except ValueError:
        number = 0
    if not number:
        raise ValueError(f"span={text[:80]!r} is not valid: expected 16 hex digits")
    return number
