"""Ours: what the conventions lack is ``agentops.*``; the rest stands in `genai.py`."""

from __future__ import annotations

from typing import Final

from .. import semconv
from . import kinds
from .dialect import Dialect

OURS: Final = Dialect(
    name="agentops",
    heads=frozenset({"agentops", "session", "input", "output"}),
    kinds=((semconv.SPAN_KIND, kinds.OURS),),
    fields={
        "action": (semconv.ACTION_TYPE,),
        "arguments": (semconv.ACTION_PARAMS, semconv.ENTITY_INPUT, semconv.INPUT_VALUE),
        "end_reason": (semconv.SESSION_END_STATE_REASON,),
        "end_state": (semconv.SESSION_END_STATE,),
        "logs": (semconv.ACTION_LOGS, semconv.LOGS, semconv.ERROR_LOGS),
        "outcome": (semconv.STREAM_OUTCOME,),
        "price_table": (semconv.PRICE_TABLE,),
        "result": (semconv.ACTION_RETURNS, semconv.ENTITY_OUTPUT, semconv.OUTPUT_VALUE),
        "session_id": (semconv.SESSION_ID,),
        "session_name": (semconv.SESSION_NAME,),
        "tags": (semconv.SESSION_TAGS,),
        "trigger_id": (semconv.ERROR_TRIGGER_SPAN_ID,),
        "video": (semconv.SESSION_VIDEO,),
    },
    scopes=(semconv.SCOPE_NAME,),
)
