"""A file of OTLP JSON -> what a store takes."""

from __future__ import annotations

from ...normalize import normalize, normalize_log
from ...rows import Score, SessionEvent
from ..store import DEFAULT_PROJECT, Batch
from .from_json import logs_from_json, spans_from_json


def read(body: bytes, project: str = DEFAULT_PROJECT) -> Batch:
    """The spans, session events and scores of one object with ``resourceSpans``, ``resourceLogs`` or both.

    Raises:
        DecodeError: it is none.
    """
    logs = [normalize_log(each) for each in logs_from_json(body, bounded=False).logs]
    return Batch(
        spans=[normalize(each) for each in spans_from_json(body, bounded=False).spans],
        events=[each for each in logs if isinstance(each, SessionEvent)],
        scores=[each for each in logs if isinstance(each, Score)],
        project=project,
    )
