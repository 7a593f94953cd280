"""What a plain function returns and that has its result only later: a coroutine, a generator, anything to be awaited.

The call's span goes on with it. It is followed by a proxy and not replaced by a generator of ours: everything of it
stays reachable, who drops it has not closed it, and who never awaits a coroutine is told of it once.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import weakref
from collections.abc import Callable, Generator, Mapping
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType
from typing import Any, Final, Protocol

import wrapt

from . import guard
from .special import with_special_methods


class OpenCall(Protocol):
    """A recorded call whose span is open until `finish()`, `fail()` or `end()`; none of its methods raises.

    Attributes:
        ended: whether the span has ended.
        own_context: whether a step certainly ends in the contextvars context in which it began.
    """

    ended: bool
    own_context: bool

    def resume(self) -> None:
        """Make its span the current one, for a step."""

    def pause(self) -> None:
        """Give the caller back what was current."""

    def finish(self, result: object) -> None:
        """Pause it, and end it well."""

    def fail(self, error: BaseException) -> None:
        """Pause it, and end it with an error."""

    def end(self) -> None:
        """End it; nothing is known of its result."""


class StandIn(wrapt.ObjectProxy):  # type: ignore[misc, type-arg, unused-ignore]  # by release
    """Stands for an object while the program has it. It is copied and pickled as that object."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)


class _Followed(StandIn):
    """Something that goes on after the call that returned it, and the call's span with it."""

    def __init__(self, wrapped: Any, call: OpenCall, owner: object = None) -> None:
        super().__init__(wrapped)
        self._self_call = call
        self._self_owner = owner  # what else has to live as long as this
        if owner is None:
            weakref.finalize(self, call.end).atexit = False

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def _self_step(self, step: Callable[..., Any], *args: Any) -> Any:
        call = self._self_call
        if call.ended:
            return step(*args)
        call.resume()
        try:
            item = step(*args)
        except StopIteration as stop:
            call.finish(stop.value)
            raise
        except BaseException as error:
            call.fail(error)
            raise
        call.pause()
        return item

    async def _self_async_step(self, step: Callable[..., Any], *args: Any) -> Any:
        call = self._self_call
        if call.ended:
            return await step(*args)
        call.own_context = False
        call.resume()
        try:
            item = await step(*args)
        except StopAsyncIteration:
            call.finish(None)
            raise
        except BaseException as error:
            call.fail(error)
            raise
        call.pause()
        return item

    def _self_closed(self) -> None:
        if not self._self_call.ended:
            self._self_call.fail(GeneratorExit())


class _FollowedSteps(_Followed):
    def send(self, value: Any) -> Any:
        return self._self_step(self.__wrapped__.send, value)

    def throw(self, *error: Any) -> Any:
        return self._self_step(self.__wrapped__.throw, *error)

    def close(self) -> Any:
        returned = self._self_step(self.__wrapped__.close)
        self._self_closed()
        return returned


class _FollowedGenerator(_FollowedSteps):
    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self._self_step(self.__wrapped__.__next__)


class _FollowedAwaitable(_Followed):
    def __await__(self) -> Any:
        return _awaited(self)


class _FollowedCoroutine(_FollowedSteps):
    def __await__(self) -> Any:
        return _awaited(self)


class _FollowedAsyncGenerator(_Followed):
    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Any:
        return self._self_async_step(self.__wrapped__.__anext__)

    def asend(self, value: Any) -> Any:
        return self._self_async_step(self.__wrapped__.asend, value)

    def athrow(self, *error: Any) -> Any:
        return self._self_async_step(self.__wrapped__.athrow, *error)

    async def aclose(self) -> None:
        await self._self_async_step(self.__wrapped__.aclose)
        self._self_closed()


def _awaited(followed: Any) -> Any:
    steps = followed.__wrapped__.__await__()
    if followed._self_call.ended:  # noqa: SLF001  (our own proxy)
        return steps
    if not hasattr(steps, "throw"):
        steps = _delegated(steps)
    return _FollowedGenerator(steps, followed._self_call, owner=followed)  # noqa: SLF001


def _follow_awaitable(awaitable: Any, call: OpenCall) -> Any:
    return with_special_methods(_FollowedAwaitable, type(awaitable))(awaitable, call)


def _delegated(steps: Any) -> Generator[Any, Any, Any]:
    return (yield from steps)


def follow_future(future: Any, call: OpenCall) -> Any:
    """A future stays itself: event loops compare and look into them. It tells when it is done."""
    if future.done():
        _settle(call, future)
    else:
        future.add_done_callback(functools.partial(_settle, call))
        weakref.finalize(future, call.end).atexit = False
    return future


def _settle(call: OpenCall, future: Any) -> None:
    try:
        # Asked for by `exception()`, an error would count as seen, and asyncio would not tell of one that nobody sees.
        error = None if future.cancelled() else getattr(future, "_exception", None)
        if future.cancelled():
            call.fail(asyncio.CancelledError())
        elif error is not None:
            call.fail(error)
        else:
            call.finish(future.result() if hasattr(future, "_exception") else None)
    except Exception:
        guard.report("the end of a future")


_LATER: Final[Mapping[type, Callable[[Any, OpenCall], Any]]] = {
    CoroutineType: _FollowedCoroutine,
    GeneratorType: _FollowedGenerator,
    AsyncGeneratorType: _FollowedAsyncGenerator,
}
STEPS: Final[tuple[CodeType, ...]] = (
    _Followed._self_step.__code__,  # noqa: SLF001
    _Followed._self_async_step.__code__,  # noqa: SLF001
)
"""The code whose frames, with the call as `call`, say that an exception has come through a followed call."""


def how_to_follow(result: Any) -> Callable[[Any, OpenCall], Any] | None:
    """What makes of a result and its call the result to hand on; None when it is there already."""
    kind = type(result)
    follow = _LATER.get(kind)
    if follow is not None or not hasattr(kind, "__await__"):
        return follow
    if hasattr(kind, "add_done_callback"):
        # Handles of other runtimes (Ray's, Dask's) are looked into by those: they stay what they are.
        return follow_future if asyncio.isfuture(result) else None
    return _follow_awaitable if inspect.isfunction(kind.__await__) else None
