"""Iterators of an SDK's own class, whose `__next__` and `__anext__` are wrapped: the caller keeps the SDK's object."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static
from typing import Any, Final
from weakref import WeakKeyDictionary

from .. import guard, semconv
from ._pieces import Pieces
from ._span import Call
from ._wrapped import Wrapper

_followed: Final[WeakKeyDictionary[Any, Pieces]] = WeakKeyDictionary()


def follow(call: Call, iterator: Any) -> bool:
    """Follow an iterator of a class that `iterators()` wraps; False for anything else."""
    if not any(isinstance(getattr_static(type(iterator), name, None), Wrapper) for name in ("__next__", "__anext__")):
        return False
    _followed[iterator] = Pieces(call, iterator)
    return True


class IteratorInstrumentation:
    """The wrappers of one class."""

    def __init__(self) -> None:
        self.active = True

    def next(self, wrapped: Callable[..., Any], iterator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around `__next__`."""
        pieces = guard.run(_pieces_of, iterator)
        if pieces is None:
            return wrapped(*args, **kwargs)
        pieces.call.begin()
        try:
            piece = wrapped(*args, **kwargs)
        except StopIteration:
            guard.run(pieces.finish, semconv.OUTCOME_COMPLETED)
            raise
        except BaseException as error:
            guard.run(pieces.fail, error)
            raise
        finally:
            pieces.call.leave()
        guard.run(pieces.take, piece)
        return piece

    def anext(self, wrapped: Callable[..., Any], iterator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around `__anext__`."""
        pieces = guard.run(_pieces_of, iterator)
        if pieces is None:
            return wrapped(*args, **kwargs)
        return _anext(wrapped, pieces, args, kwargs)

    def close(self, wrapped: Callable[..., Any], iterator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around `close`."""
        try:
            return wrapped(*args, **kwargs)
        finally:
            guard.run(_closed, iterator)

    async def aclose(
        self, wrapped: Callable[..., Any], iterator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around `aclose`."""
        try:
            return await wrapped(*args, **kwargs)
        finally:
            guard.run(_closed, iterator)


async def _anext(wrapped: Callable[..., Any], pieces: Pieces, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    pieces.call.begin()
    try:
        piece = await wrapped(*args, **kwargs)
    except StopAsyncIteration:
        guard.run(pieces.finish, semconv.OUTCOME_COMPLETED)
        raise
    except BaseException as error:
        guard.run(pieces.fail, error)
        raise
    finally:
        pieces.call.leave()
    guard.run(pieces.take, piece)
    return piece


def _closed(iterator: Any) -> None:
    pieces = _pieces_of(iterator)
    if pieces is not None:
        pieces.closed()


def _pieces_of(iterator: Any) -> Pieces | None:
    pieces = _followed.get(iterator)
    # One that reads itself, as an asynchronous iterator over a synchronous one, is followed once.
    return None if pieces is None or pieces.call.is_inside else pieces
