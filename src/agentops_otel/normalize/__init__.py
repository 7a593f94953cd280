"""One received span or log event of any dialect -> one row. Pure: no store, no clock, no network."""

from __future__ import annotations

from .content import content_of, with_content
from .log import normalize_log
from .received import ReceivedLog, ReceivedSpan
from .span import normalize

__all__ = ["ReceivedLog", "ReceivedSpan", "content_of", "normalize", "normalize_log", "with_content"]
