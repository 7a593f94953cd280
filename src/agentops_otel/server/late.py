"""Messages that come in log records, before or after the span that they belong to.

They wait here for their span, and stay for a while in case more of them come. A restart forgets those that wait: the
span is then shown without them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..messages import dumped
from ..normalize import with_content
from ..rows import SpanContent, SpanRow
from .store import Store

_MOST_BYTES: Final = 32 << 20
_Key = tuple[str, str, str]  # project, trace, span


@dataclass(slots=True)
class _Waiting:
    contents: list[SpanContent] = field(default_factory=list)
    size: int = 0


class LateContent:
    """The messages of the last log records, by their spans. May be used from any thread.

    Args:
        store: where spans are that came before their messages.
        most_bytes: how much is kept; of the oldest spans first nothing.
    """

    def __init__(self, store: Store, most_bytes: int = _MOST_BYTES) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: OrderedDict[_Key, _Waiting] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, contents: Iterable[SpanContent], project: str) -> list[SpanRow]:
        """Keep messages; the spans of the store that they belong to, with them, to be stored again."""
        keys = {self._keep(content, project): None for content in contents}
        stored = (self._stored(key) for key in keys)
        return self.joined([row for row in stored if row is not None], project)

    def joined(self, rows: Sequence[SpanRow], project: str) -> list[SpanRow]:
        """Those of the spans that messages are kept for, with them, where that makes a difference."""
        if not self._waiting:
            return []
        with self._lock:
            known = [(row, self._waiting.get((project, row.trace_id, row.span_id))) for row in rows]
            found = [(row, list(waiting.contents)) for row, waiting in known if waiting is not None]
        whole = ((row, with_content(row, contents)) for row, contents in found)
        return [new for row, new in whole if new.body != row.body]

    def _keep(self, content: SpanContent, project: str) -> _Key:
        key = project, content.trace_id, content.span_id
        size = len(dumped((*content.input, *content.output)))
        with self._lock:
            waiting = self._waiting.setdefault(key, _Waiting())
            if content not in waiting.contents:
                waiting.contents.append(content)
                waiting.size += size
                self._bytes += size
            self._waiting.move_to_end(key)
            while self._bytes > self._most_bytes:
                _, oldest = self._waiting.popitem(last=False)
                self._bytes -= oldest.size
        return key

    def _stored(self, key: _Key) -> SpanRow | None:
        project, trace_id, span_id = key
        row = self._store.span(trace_id, span_id, project)
        return None if row is None or row.end_ns is None else row
