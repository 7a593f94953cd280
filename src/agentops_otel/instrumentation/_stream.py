"""Answers that come in pieces: the caller keeps the SDK's own objects, we look over their shoulder.

* A parsed stream (`Stream`, `AsyncStream`) keeps its identity; only the iterator inside is replaced, by one that
  keeps each chunk to be folded.
* A raw response that was not read yet gets an `iter_bytes` of its own, through which `read()`, `parse()` and every
  other way of reading go.

Both end the span on whatever comes first: the end of the answer, an error, `close()`, or the garbage collector. The
hooks are attributes of that one HTTP response object and are taken off it when the span ends.
"""

from __future__ import annotations

import json
import sys
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import Token
from functools import partial
from itertools import filterfalse
from typing import Any, Final

from opentelemetry.context import Context

from .. import context, guard, semconv
from . import _guard
from ._endpoint import Fold
from ._span import CANCELLATIONS, Call

_BATCH: Final = 32  # chunks; folded one by one they cost four times as much, because the caches are cold
_MOST_BYTES: Final = 16 * 1024 * 1024  # of a raw response; the text of a longer one is not recorded
_HOOKS: Final = ("close", "aclose", "iter_bytes", "aiter_bytes")
# While one of these is on the stack, its lock may be held. The garbage collector can run there and find a stream
# whose span is open; ending it would wait for that very lock, so it waits in `collected` for the next call or for
# `drain()`.
_LOCKING: Final = (
    "opentelemetry.sdk",
    "agentops_otel.pipeline",
    "agentops_otel._session",
    "agentops_otel.api",
    "agentops_otel.totals",
    "logging",
)

collected: Final[deque[tuple[Reading, str]]] = deque()
_followed: Final[dict[int, Reading]] = {}


class Reading:
    """How far the caller has read one answer."""

    __slots__ = ("_ref", "busy", "call", "chunks", "fold", "pending", "room", "times")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.fold: Fold | None = call.endpoint.fold() if call.endpoint.fold is not None else None
        self.chunks = 0
        self.busy = False  # inside the SDK's own reading, which closes the response when it is done
        self.pending: list[Any] = []
        self.room = 0  # chunks that may be pending; the first one is looked at when it comes
        self.times = call.chunk_times()
        self._ref: weakref.ref[Any] | None = None

    def watch(self, response: Any, **hooks: Callable[..., Any]) -> None:
        """Put our hooks on an HTTP response, and be told when it is garbage."""
        ref = self._ref = weakref.ref(response, _on_collected)
        _followed[id(ref)] = self
        vars(response).update(hooks)

    def enter(self) -> Token[Context]:
        """The SDK's own reading begins."""
        self.busy = True
        return self.call.enter()

    def leave(self, token: Token[Context] | None) -> None:
        """It has a chunk, or none."""
        if token is not None:
            context.leave(token)
        self.busy = False

    def take(self) -> None:
        """Fold the pending chunks."""
        if self.chunks == 0:
            self.call.note({semconv.RESPONSE_TIME_TO_FIRST_CHUNK: self.call.seconds})
            self.room = _BATCH
        pending, self.pending = self.pending, []
        self.chunks += len(pending)
        if self.fold is not None:
            add = self.fold.add
            for chunk in pending:
                _guard.run(add, chunk)

    def closed(self) -> None:
        """The response was closed: by the caller, or by the SDK at the end of its reading."""
        if not self.busy:
            _end(self, semconv.OUTCOME_CLOSED)

    def finish(self, outcome: str) -> None:
        """End the span with what came."""
        self._leave(outcome)
        # Of a stream that was left before its first chunk, nothing is known; one that ended without any has failed.
        came = self.fold is not None and (self.chunks or outcome == semconv.OUTCOME_COMPLETED)
        self.call.answered(_guard.run(self.fold.response) if self.fold is not None and came else None)

    def fail(self, error: BaseException) -> None:
        """End the span with what came and the error that stopped it."""
        self._leave(semconv.OUTCOME_CANCELLED if type(error).__name__ in CANCELLATIONS else semconv.OUTCOME_FAILED)
        self.call.failed(error, _guard.run(self.fold.response) if self.fold is not None and self.chunks else None)

    def _leave(self, outcome: str) -> None:
        if self.pending:
            _guard.run(self.take)
        self.call.note({semconv.STREAM_CHUNKS: self.chunks, semconv.STREAM_OUTCOME: outcome})
        self._release()

    def _release(self) -> None:
        ref = self._ref
        if ref is None:
            return
        _followed.pop(id(ref), None)
        response = ref()
        if response is not None:
            for name in _HOOKS:
                vars(response).pop(name, None)


class RawReading(Reading):
    """Reading a response as bytes: a JSON document, or the events of a stream."""

    __slots__ = ("_body", "_ended", "_size", "streamed")

    def __init__(self, call: Call, *, streamed: bool) -> None:
        super().__init__(call)
        self.streamed = streamed
        self._ended = False  # the host has said so
        self._body: list[bytes] = []
        self._size = 0

    def add_bytes(self, data: bytes) -> None:
        """Take in one piece of the body."""
        if self._size == 0 and self.streamed:
            self.call.note({semconv.RESPONSE_TIME_TO_FIRST_CHUNK: self.call.seconds})
        if self.times is not None:
            self.times.append(time.perf_counter())
        self._size += len(data)
        if self._size <= _MOST_BYTES:
            self._body.append(data)

    def finish(self, outcome: str) -> None:
        """End the span with what came."""
        if not self.streamed:
            self._release()
            self.call.answered(_guard.run(self._document, outcome))
            return
        _guard.run(self._events)
        # The SDK stops reading, and closes, at the last event; what follows it is of no use to it.
        complete = self._ended or (self.fold is not None and self.fold.done)
        super().finish(semconv.OUTCOME_COMPLETED if complete else outcome)

    def fail(self, error: BaseException) -> None:
        """End the span with what came and the error that stopped it."""
        if not self.streamed:
            self._release()
            self.call.failed(error)
            return
        _guard.run(self._events)
        super().fail(error)

    def _document(self, outcome: str) -> Any:
        """The JSON document; a body that is none as text, when it came to its end."""
        if self._size > _MOST_BYTES:
            return None
        body = b"".join(self._body)
        document = _json(body)
        if document is None and outcome == semconv.OUTCOME_COMPLETED:
            return body.decode(errors="replace")
        return document

    def _events(self) -> None:
        """Fold the server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

        An event may have several lines of data. Most have one, and hosts that forget the empty line after it exist, so
        a line that is JSON is an event; what is not, is tried together with the next ones. What is no JSON then either
        costs itself.
        """
        lines, self._body = b"".join(self._body).splitlines(), []
        name, broken = b"", []
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                event = _json(data)
                if event is not None:
                    self._add_event(name, event)
                elif data == b"[DONE]":
                    self._ended = True
                elif data:
                    broken.append(data)
            elif line.startswith(b"event:"):
                name = line[6:].strip()
            elif not line:
                event = _json(b"\n".join(broken)) if len(broken) > 1 else None
                if event is not None:
                    self._add_event(name, event)
                name, broken = b"", []

    def _add_event(self, name: bytes, event: Any) -> None:
        self.chunks += 1
        if self.fold is not None:
            is_error = name == b"error" and isinstance(event, dict) and not event.get("error")
            _guard.run(self.fold.add, {"error": event} if is_error else event)


def _json(body: bytes) -> Any:
    """The JSON in a text; None when it is none: that is for the SDK to report."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


# ---- parsed streams ----


class _Chunks:
    """The SDK's iterator of chunks, with ours around it; everything else about it is the SDK's."""

    __slots__ = ("_hidden", "_inner", "_next", "_reading")

    def __init__(self, inner: Any, reading: Reading, hidden: Callable[[Any], bool] | None) -> None:
        self._inner = inner
        self._reading = reading
        self._hidden = hidden
        self._next = inner.__anext__ if hasattr(inner, "__anext__") else inner.__next__

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _is_shown(self, chunk: Any) -> bool:
        """Note a chunk; whether the caller gets it, and not we alone, who had asked for it."""
        hidden = False
        try:
            hidden = self._hidden is not None and self._hidden(chunk)
            self._reading.pending.append(chunk)
            if self._reading.times is not None:
                self._reading.times.append(time.perf_counter())
            if len(self._reading.pending) > self._reading.room:
                self._reading.take()
        except Exception:
            guard.report("a chunk of a stream")
        return not hidden


class Chunks(_Chunks):
    """For a `Stream`."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        reading = self._reading
        while True:
            token = None
            try:
                token = _guard.run(reading.enter)
                chunk = self._next()
            except StopIteration:
                _guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
                raise
            except BaseException as error:
                _guard.run(reading.fail, error)
                raise
            finally:
                _guard.run(reading.leave, token)
            if self._is_shown(chunk):
                return chunk


class AsyncChunks(_Chunks):
    """For an `AsyncStream`."""

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        reading = self._reading
        while True:
            token = None
            try:
                token = _guard.run(reading.enter)
                chunk = await self._next()
            except StopAsyncIteration:
                _guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
                raise
            except BaseException as error:
                _guard.run(reading.fail, error)
                raise
            finally:
                _guard.run(reading.leave, token)
            if self._is_shown(chunk):
                return chunk


def follow(call: Call, stream: Any, hidden: Callable[[Any], bool] | None) -> None:
    """Follow a parsed stream, sync or async, to its end."""
    reading = Reading(call)
    response = stream.response
    if hasattr(stream, "__anext__"):
        stream._iterator = AsyncChunks(stream._iterator, reading, hidden)  # noqa: SLF001  (the seam that keeps the stream itself)
        reading.watch(response, aclose=partial(_aclose, reading, response))
    else:
        stream._iterator = Chunks(stream._iterator, reading, hidden)  # noqa: SLF001  (as above)
        reading.watch(response, close=partial(_close, reading, response))


def hide(stream: Any, hidden: Callable[[Any], bool]) -> None:
    """Keep the chunk that we asked for from the caller, of a stream that could not be followed."""
    chunks = stream._iterator  # noqa: SLF001  (as above)
    if hasattr(stream, "__anext__"):
        shown = (chunk async for chunk in chunks if not hidden(chunk))
        stream._iterator = shown  # noqa: SLF001
    else:
        stream._iterator = filterfalse(hidden, chunks)  # noqa: SLF001


# ---- raw responses ----


def follow_body(call: Call, response: Any, *, streamed: bool) -> None:
    """Follow an HTTP response to its end; one that was read already, by an event hook or a cache, is at its end."""
    reading = RawReading(call, streamed=streamed)
    if response.is_closed:
        _read_already(reading, response)
        return
    reading.watch(
        response,
        close=partial(_close, reading, response),
        aclose=partial(_aclose, reading, response),
        iter_bytes=partial(_iter_bytes, reading, response),
        aiter_bytes=partial(_aiter_bytes, reading, response),
    )


def _read_already(reading: RawReading, response: Any) -> None:
    try:
        reading.add_bytes(response.content)
    except RuntimeError:  # it was closed unread
        reading.finish(semconv.OUTCOME_CLOSED)
    else:
        reading.finish(semconv.OUTCOME_COMPLETED)


def _iter_bytes(reading: RawReading, response: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
    inner = type(response).iter_bytes(response, *args, **kwargs)
    while True:
        token = None
        try:
            token = _guard.run(reading.enter)
            data = next(inner)
        except StopIteration:
            _guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
            return
        except BaseException as error:
            _guard.run(reading.fail, error)
            raise
        finally:
            _guard.run(reading.leave, token)
        _guard.run(reading.add_bytes, data)
        yield data


async def _aiter_bytes(reading: RawReading, response: Any, *args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
    inner = type(response).aiter_bytes(response, *args, **kwargs)
    while True:
        token = None
        try:
            token = _guard.run(reading.enter)
            data = await inner.__anext__()
        except StopAsyncIteration:
            _guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
            return
        except BaseException as error:
            _guard.run(reading.fail, error)
            raise
        finally:
            _guard.run(reading.leave, token)
        _guard.run(reading.add_bytes, data)
        yield data


def _close(reading: Reading, response: Any) -> None:
    try:
        type(response).close(response)
    finally:
        _guard.run(reading.closed)


async def _aclose(reading: Reading, response: Any) -> None:
    try:
        await type(response).aclose(response)
    finally:
        _guard.run(reading.closed)


# ---- the garbage collector ----


def _on_collected(ref: weakref.ref[Any]) -> None:
    _guard.run(_abandon, ref)


def _abandon(ref: weakref.ref[Any]) -> None:
    reading = _followed.pop(id(ref), None)
    if reading is not None:
        reading.busy = True  # the SDK's generators close the response on their way out
        _end(reading, semconv.OUTCOME_ABANDONED)


def _end(reading: Reading, outcome: str) -> None:
    """End the span here, or later when this thread may hold a lock that it needs."""
    if not _locking():
        reading.finish(outcome)
        return
    reading.call.stop()
    collected.append((reading, outcome))


def _locking() -> bool:
    frame: Any = sys._getframe(2)  # noqa: SLF001  (`inspect` reads source files)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_LOCKING):
            return True
        frame = frame.f_back
    return False


def drain(*, everything: bool = False) -> None:
    """End the spans of streams that the garbage collector took.

    Args:
        everything: of those that are still open, too: nobody will read them, the process is about to end.
    """
    while collected:
        try:
            reading, outcome = collected.popleft()
        except IndexError:
            return
        _guard.run(reading.finish, outcome)
    if everything:
        for reading in list(_followed.values()):
            _guard.run(reading.finish, semconv.OUTCOME_ABANDONED)
