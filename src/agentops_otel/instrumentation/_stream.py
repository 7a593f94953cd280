"""Parsed streams (`Stream`, `AsyncStream`): the caller keeps the SDK's own object, we look over its shoulder.

Only the iterator inside is replaced, by one that keeps each chunk to be folded. The call's span is the current one
while the SDK reads, set and reset in one frame, and never while the caller's code runs.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import Token
from functools import partial
from itertools import filterfalse
from typing import Any

from opentelemetry.context import Context

from .. import guard, semconv
from ..context import CURRENT
from ._reading import END, Reading, abandon, aclose, close
from ._span import Call

Hidden = Callable[[Any], bool] | None
"""Tells a chunk that the caller did not ask for, and does not get."""


class _Chunks:
    """The SDK's iterator of chunks, with ours around it; everything else about it is the SDK's."""

    __slots__ = ("_inner", "_reading")

    def __init__(self, inner: Any, reading: Reading) -> None:
        self._inner = inner
        self._reading = reading

    def __del__(self) -> None:
        """Nobody reads any more: the SDK's generator goes after this, and closes the response on its way out."""
        try:
            reading = getattr(self, "_reading", None)  # None: one that could not be made
            if reading is not None and reading.ref is not None:
                abandon(reading.ref)
        except Exception:
            guard.report("a stream that is not read any more")

    def __getattr__(self, name: str) -> Any:
        if name in _Chunks.__slots__:  # one that could not be made
            raise AttributeError(name)
        return getattr(self._inner, name)


class Chunks(_Chunks):
    """For a `Stream`. The generator is not shown to anybody, so that nobody but the garbage collector closes it."""

    __slots__ = ("_read",)

    def __init__(self, inner: Any, reading: Reading, hidden: Hidden) -> None:
        super().__init__(inner, reading)
        self._read = _read(iter(inner), reading, hidden, reading.pending.append, reading.times, *reading.call.around)

    def __iter__(self) -> Iterator[Any]:
        return self._read

    def __next__(self) -> Any:
        return next(self._read)


def _read(  # noqa: PLR0912  (what a chunk costs is the calls)
    inner: Iterator[Any],
    reading: Reading,
    hidden: Hidden,
    keep: Callable[[Any], None],
    times: array[float] | None,
    outside: Context,
    inside: Context,
    get: Callable[[], Context] = CURRENT.get,
    attach: Callable[[Context], Token[Context]] = CURRENT.set,
    reset: Callable[[Token[Context]], None] = CURRENT.reset,
) -> Iterator[Any]:
    """The SDK's chunks. Here is what `Reading.enter()`, `leave()` and `keep()` do, at half of what their calls cost."""
    token = None
    room = 0
    while True:
        try:
            token = None
            reading.busy = True
            if get() is outside:
                token = attach(inside)
            else:
                token = reading.call.enter()
                outside, inside = reading.call.around
        except Exception:
            guard.report("the context of a stream")
        try:
            chunk = next(inner, END)
        except BaseException as error:
            guard.run(reading.fail, error)
            raise
        finally:
            try:
                reading.busy = False
                if token is not None:
                    reset(token)
            except Exception:
                guard.report("the context of a stream")
        if chunk is END:
            guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
            return
        try:
            keep(chunk)
            if times is not None:
                times.append(time.perf_counter())
            room -= 1
            if room < 0:
                room = reading.look()
        except Exception:
            guard.report("a chunk of a stream")
        if hidden is None or not hidden(chunk):
            yield chunk


class AsyncChunks(_Chunks):
    """For an `AsyncStream`. No generator: event loops would count it among those that they have to close."""

    __slots__ = ("_hidden", "_take")

    def __init__(self, inner: Any, reading: Reading, hidden: Hidden) -> None:
        super().__init__(inner, reading)
        self._take = inner.__anext__
        self._hidden = hidden

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        reading = self._reading
        hidden = self._hidden
        while True:
            token = reading.enter()
            try:
                chunk = await self._take()
            except StopAsyncIteration:
                guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
                raise
            except BaseException as error:
                guard.run(reading.fail, error)
                raise
            finally:
                reading.leave(token)
            reading.keep(chunk)
            if hidden is None or not hidden(chunk):
                return chunk


def follow(call: Call, stream: Any, hidden: Hidden) -> None:
    """Follow a parsed stream, sync or async, to its end."""
    reading = Reading(call)
    response = stream.response
    if hasattr(stream, "__anext__"):
        stream._iterator = AsyncChunks(stream._iterator, reading, hidden)  # noqa: SLF001  (keeps the stream itself)
        reading.watch(response, aclose=partial(aclose, reading, response))
    else:
        stream._iterator = Chunks(stream._iterator, reading, hidden)  # noqa: SLF001  (as above)
        reading.watch(response, close=partial(close, reading, response))


def hide(stream: Any, hidden: Callable[[Any], bool]) -> None:
    """Keep the chunk that we asked for from the caller, of a stream that could not be followed."""
    chunks = stream._iterator  # noqa: SLF001  (as above)
    if hasattr(stream, "__anext__"):
        shown = (chunk async for chunk in chunks if not hidden(chunk))
        stream._iterator = shown  # noqa: SLF001
    else:
        stream._iterator = filterfalse(hidden, chunks)  # noqa: SLF001
