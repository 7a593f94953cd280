"""Raw responses: their HTTP body is read along, whatever way of reading the caller takes.

A response that was not read yet gets an `iter_bytes` of its own, through which `read()`, `parse()` and every other way
of reading go. What comes is a JSON document, or the events of a stream.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

from .. import guard, semconv
from . import _framing
from ._reading import END, Reading, aclose, close
from ._span import Call

_MOST_BYTES: Final = 16 * 1024 * 1024  # of a raw response; the text of a longer one is not recorded


class Body(Reading):
    """Reading a response as bytes."""

    __slots__ = ("_content_type", "_ended", "_pieces", "_size", "streamed")

    def __init__(self, call: Call, *, streamed: bool, content_type: str = "") -> None:
        super().__init__(call)
        self.streamed = streamed
        self._content_type = content_type
        self._ended = False  # the host has said so
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """Take in one piece."""
        if self._size == 0 and self.streamed:
            self.note_first()
        if self.times is not None:
            self.times.append(time.perf_counter())
        self._size += len(data)
        if self._size <= _MOST_BYTES:
            self._pieces.append(data)

    def finish(self, outcome: str) -> None:
        """End the span with what came."""
        if not self.streamed:
            self.release()
            self.call.answered(guard.run(self._document, outcome))
            return
        guard.run(self._fold_events)
        # The SDK stops reading, and closes, at the last event; what follows it is of no use to it.
        complete = self._ended or (self.fold is not None and self.fold.done)
        super().finish(semconv.OUTCOME_COMPLETED if complete else outcome)

    def fail(self, error: BaseException) -> None:
        """End the span with what came and the error that stopped it."""
        if not self.streamed:
            self.release()
            self.call.failed(error)
            return
        guard.run(self._fold_events)
        super().fail(error)

    def _document(self, outcome: str) -> Any:
        """The JSON document; a body that is none as text, when it came to its end."""
        if self._size > _MOST_BYTES:
            return None
        body = b"".join(self._pieces)
        read = _framing.document if outcome == semconv.OUTCOME_COMPLETED else _framing.json_in
        return read(body, self.call.endpoint.document)

    def _fold_events(self) -> None:
        body, self._pieces = b"".join(self._pieces), []
        events, self._ended = _framing.events(body, self._content_type)
        self.chunks += len(events)
        if self.fold is not None:
            self.fold.extend(events)


def follow(call: Call, response: Any, *, streamed: bool) -> None:
    """Follow an HTTP response to its end; one that was read already, by an event hook or a cache, is at its end."""
    if response.status_code >= 400:
        call.status, streamed = response.status_code, False
    body = Body(call, streamed=streamed, content_type=response.headers.get("content-type") or "")
    if response.is_closed:
        _read_already(body, response)
        return
    body.watch(
        response,
        close=partial(close, body, response),
        aclose=partial(aclose, body, response),
        iter_bytes=partial(_iter_bytes, body, response),
        aiter_bytes=partial(_aiter_bytes, body, response),
    )


def _read_already(body: Body, response: Any) -> None:
    try:
        body.add(response.content)
    except RuntimeError:  # it was closed unread
        body.finish(semconv.OUTCOME_CLOSED)
    else:
        body.finish(semconv.OUTCOME_COMPLETED)


def _iter_bytes(body: Body, response: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
    inner = type(response).iter_bytes(response, *args, **kwargs)
    while True:
        token = body.enter()
        try:
            data = next(inner, END)
        except BaseException as error:
            guard.run(body.fail, error)
            raise
        finally:
            body.leave(token)
        if data is END:
            guard.run(body.finish, semconv.OUTCOME_COMPLETED)
            return
        guard.run(body.add, data)
        yield data


async def _aiter_bytes(body: Body, response: Any, *args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
    inner = type(response).aiter_bytes(response, *args, **kwargs)
    while True:
        token = body.enter()
        try:
            data = await inner.__anext__()
        except StopAsyncIteration:
            guard.run(body.finish, semconv.OUTCOME_COMPLETED)
            return
        except BaseException as error:
            guard.run(body.fail, error)
            raise
        finally:
            body.leave(token)
        guard.run(body.add, data)
        yield data
