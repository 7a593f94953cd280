"""Answers that a function returns in pieces: its iterator, generator or context manager, followed by ours around it.

A generator stays a generator. One that asks the server only when it is read begins its call then: without a reader
there was no call.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from .. import guard, semconv
from . import _raw
from ._reading import Reading
from ._span import Call


class Pieces(Reading):
    """Reading an iterator of pieces.

    Args:
        reader: what the caller reads.
    """

    __slots__ = ("_opened",)

    def __init__(self, call: Call, reader: Any) -> None:
        super().__init__(call)
        self._opened = call.sdk.opened
        self.watch(reader)

    def take(self, piece: Any) -> None:
        """Take in one piece as the SDK hands it over."""
        if not self.chunks and not self.pending and hasattr(piece, "headers"):
            self.call.read_headers(piece)
        event = piece if self._opened is None else self._opened(piece)
        if event is not None:
            self.keep(event)

    def left(self, error: BaseException) -> None:
        """The caller has closed the generator, or thrown an exception into it."""
        if isinstance(error, GeneratorExit):
            self.closed()
        else:
            self.fail(error)

    def finish(self, outcome: str) -> None:
        """End the span with what came; readers stop at the last event, not at the end of the iterator."""
        if self.pending:
            guard.run(self.fold_pending)
        is_complete = self.fold is not None and self.fold.done
        super().finish(semconv.OUTCOME_COMPLETED if is_complete else outcome)


Begin = Callable[[], Call | None]


def read(begin: Begin, inner: Any, *, asked: bool = False) -> Generator[Any, Any, Any]:
    """The pieces of an iterator, with the span as the current one while the SDK makes them.

    Args:
        asked: the server has been asked already: the call ends also when nobody reads a piece.
    """
    owner: list[Pieces | weakref.ref[Any]] = []
    generator = _read(begin, iter(inner), owner)
    _own(owner, begin, generator, asked=asked)
    return generator


def aread(begin: Begin, inner: Any, *, asked: bool = False) -> AsyncGenerator[Any, Any]:
    """As `read()`, for an asynchronous iterator."""
    owner: list[Pieces | weakref.ref[Any]] = []
    generator = _aread(begin, inner, owner)
    _own(owner, begin, generator, asked=asked)
    return generator


def _own(owner: list[Pieces | weakref.ref[Any]], begin: Begin, generator: Any, *, asked: bool) -> None:
    call = begin() if asked else None
    owner.append(weakref.ref(generator) if call is None else Pieces(call, generator))


def _read(begin: Begin, inner: Any, owner: list[Pieces | weakref.ref[Any]]) -> Generator[Any, Any, Any]:
    pieces = guard.run(_begun, begin, owner)
    if pieces is None:
        return (yield from inner)
    while True:
        pieces.call.begin()
        try:
            piece = next(inner)
        except StopIteration as end:
            guard.run(pieces.finish, semconv.OUTCOME_COMPLETED)
            return end.value
        except BaseException as error:
            guard.run(pieces.fail, error)
            raise
        finally:
            pieces.call.leave()
        guard.run(pieces.take, piece)
        try:
            yield piece
        except BaseException as error:
            try:
                if hasattr(inner, "close"):
                    inner.close()
            finally:
                guard.run(pieces.left, error)
            raise


async def _aread(begin: Begin, inner: Any, owner: list[Pieces | weakref.ref[Any]]) -> AsyncGenerator[Any, Any]:
    pieces = guard.run(_begun, begin, owner)
    if pieces is None:
        async for piece in inner:
            yield piece
        return
    while True:
        pieces.call.begin()
        try:
            piece = await inner.__anext__()
        except StopAsyncIteration:
            guard.run(pieces.finish, semconv.OUTCOME_COMPLETED)
            return
        except BaseException as error:
            guard.run(pieces.fail, error)
            raise
        finally:
            pieces.call.leave()
        guard.run(pieces.take, piece)
        try:
            yield piece
        except BaseException as error:
            try:
                if hasattr(inner, "aclose"):
                    await inner.aclose()
            finally:
                guard.run(pieces.left, error)
            raise


def _begun(begin: Begin, owner: list[Pieces | weakref.ref[Any]]) -> Pieces | None:
    found = owner[0]
    if isinstance(found, Pieces):
        return found
    call = begin()
    return None if call is None else Pieces(call, found())


class Opening:
    """In the place of a context manager's generator, whose first step opens an HTTP response.

    `contextlib` makes the context manager, which stays the SDK's own: https://docs.python.org/3/library/contextlib.html
    """

    __slots__ = ("_begin", "_inner")

    def __init__(self, begin: Begin, inner: Any) -> None:
        self._begin: Begin | None = begin
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __next__(self) -> Any:
        begin = self._begin
        self._begin = None
        call = None if begin is None else guard.run(begin)
        if call is None:
            return next(self._inner)
        call.begin()
        try:
            response = next(self._inner)
        except BaseException as error:
            guard.run(call.failed, error)
            raise
        finally:
            call.leave()
        guard.run(opened, call, response)
        return response

    async def __anext__(self) -> Any:
        begin = self._begin
        self._begin = None
        call = None if begin is None else guard.run(begin)
        if call is None:
            return await self._inner.__anext__()
        call.begin()
        try:
            response = await self._inner.__anext__()
        except BaseException as error:
            guard.run(call.failed, error)
            raise
        finally:
            call.leave()
        guard.run(opened, call, response)
        return response


def opened(call: Call, response: Any) -> None:
    """Follow the HTTP response of a call."""
    call.response = response
    _raw.follow(call, call.take_response(), streamed=call.stream)
