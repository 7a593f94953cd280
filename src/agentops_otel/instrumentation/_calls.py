"""Around a function of an SDK that makes an LLM call, whatever it is and whatever it returns.

It may be a function, a coroutine or a generator; it may return the answer, an HTTP response, an iterator or a context
manager. What is read of them is JSON as it is on the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import Any

from .. import context, guard, secrets
from ..suppression import is_suppressed
from . import _credentials, _framing, _given, _pieces, _reading
from ._endpoint import Request, Sdk
from ._span import Call, under_way

Read = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Request | None]
"""(instance, args, kwargs) of a function -> the LLM call that it makes; None when it makes none."""


class CallInstrumentation:
    """The wrappers of one function."""

    def __init__(self, sdk: Sdk, read: Read) -> None:
        self._sdk = sdk
        self._read = read
        self.active = True

    def call(self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around a function."""
        request = guard.run(self._request, instance, args, kwargs)
        if request is None:
            return wrapped(*args, **kwargs)
        call = guard.run(self._begin_now, request)
        if call is None:
            result = wrapped(*args, **kwargs)
            return self._followed_later(request, result)
        call.begin()
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as error:
            guard.run(_failed, call, error)
            raise
        finally:
            call.leave()
        return _followed(call, result)

    def async_call(
        self, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around a coroutine function: the coroutine that it would have returned, or ours around it."""
        request = guard.run(self._request, instance, args, kwargs)
        if request is None:
            return wrapped(*args, **kwargs)
        return self._async_call(wrapped, request, args, kwargs)

    async def _async_call(
        self, wrapped: Callable[..., Any], request: Request, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call = guard.run(self._begin_now, request)
        if call is None:
            result = await wrapped(*args, **kwargs)
            return self._followed_later(request, result)
        call.begin()
        try:
            result = await wrapped(*args, **kwargs)
        except BaseException as error:
            guard.run(_failed, call, error)
            raise
        finally:
            call.leave()
        return _followed(call, result)

    def _request(self, instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Request | None:
        if not self.active or (context.CURRENT.get() and is_suppressed()):
            return None
        around = under_way.get()
        if around is not None and around.is_inside:
            if around.by is self:  # sends it again
                around.retries += 1
            # The outermost makes the call. What another SDK does in here, in an event hook, say, is a call of its own.
            if around.sdk.is_built_on_others or around.sdk.name == self._sdk.name:
                return None
        return self._read(instance, args, kwargs)

    def _begin_now(self, request: Request) -> Call | None:
        return None if request.lazy else self._begin(request)

    def _begin(self, request: Request) -> Call | None:
        """Start the span; None for a call that is not to be recorded."""
        if _reading.collected:
            _reading.drain()
        scope = _given.scope()
        if scope is None:
            return None
        for key in request.keys:
            secrets.learn(key)
        call = Call(scope, self._sdk, request.endpoint, request.server, request.body, stream=request.stream)
        call.by = self
        return call

    def _followed_later(self, request: Request, result: Any) -> Any:
        """What the caller gets for a result that has not asked the server yet."""
        found = guard.run(self._follow_later, request, result)
        return result if found is None else found

    def _follow_later(self, request: Request, result: Any) -> Any:
        if not request.lazy:  # its call is not recorded
            return result
        begin = partial(self._begin, request)
        if isinstance(result, (AbstractContextManager, AbstractAsyncContextManager)) and hasattr(result, "gen"):
            result.gen = _pieces.Opening(begin, result.gen)
            return result
        return _pieces.aread(begin, result) if hasattr(result, "__anext__") else _pieces.read(begin, result)


def _failed(call: Call, error: BaseException) -> None:
    _credentials.learn_sent(error)
    call.failed(error)


def _followed(call: Call, result: Any) -> Any:
    """What the caller gets for a result: itself, or a generator of ours for an iterator."""
    found = guard.run(_follow, call, result)
    return result if found is None else found


def _follow(call: Call, result: Any) -> Any:
    sdk = call.sdk
    call.read_head(result)
    if sdk.follow is not None and sdk.follow(call, result):
        return result
    if hasattr(result, "iter_bytes"):
        _pieces.opened(call, result)
        return result
    if call.stream and hasattr(result, "__anext__"):
        return _pieces.aread(lambda: call, result, asked=True)
    if call.stream and not isinstance(result, (str, bytes, Mapping)) and hasattr(result, "__iter__"):
        return _pieces.read(lambda: call, result, asked=True)
    if hasattr(result, "headers"):
        call.read_headers(result)
    answer = result if sdk.opened is None else sdk.opened(result)
    call.answered(_framing.document(answer, call.endpoint.document) if isinstance(answer, bytes) else answer)
    return result
