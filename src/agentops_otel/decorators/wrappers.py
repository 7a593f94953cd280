"""Functions that record the calls of another one, and look like it.

A decorated function stays a function, with the user's globals, attributes and signature. While it runs its span is the
current one; a generator's span is current only during a step, so nothing leaks to the loop that reads it. What a plain
function returns to be awaited or iterated later is followed (`following.py`): the span ends when that ends.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any, Final

import msgspec

from .. import guard
from ..asyncgens import first_of_inner
from ..following import follow_future, how_to_follow
from ..lookalike import called_by, lookalike
from . import call as calls
from .call import WRAPPERS, Call
from .plan import Plan

# What the makers make looks nothing up in its globals, because those are the user's.

Begin = Callable[["Plan", tuple[Any, ...], Mapping[str, Any]], "Call | None"]


def _of_function(function: Callable[..., Any], plan: Plan, begin: Begin = calls.start) -> Any:
    enter, fail, returned, anything = calls.enter, calls.fail, _returned, BaseException

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        if call is None:
            return function(*args, **kwargs)
        try:
            enter(call)
            result = function(*args, **kwargs)
        except anything as error:
            fail(call, error)
            raise
        return returned(call, result)

    return wrapper


def _of_coroutine(function: Callable[..., Any], plan: Plan, begin: Begin = calls.start) -> Any:
    enter, fail, finish, anything = calls.enter, calls.fail, calls.finish, BaseException
    plan = msgspec.structs.replace(plan, own_context=False)

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        if call is None:
            return await function(*args, **kwargs)
        try:
            enter(call)
            result = await function(*args, **kwargs)
        except anything as error:
            fail(call, error)
            raise
        finish(call, result)
        return result

    return wrapper


def _of_generator(function: Callable[..., Any], plan: Plan, begin: Begin = calls.start) -> Any:
    # A generator function, so that `inspect` and its callers see one; like every other it starts at the first step, and
    # so does the span. What the reader sends or throws, GeneratorExit included, goes to the user's generator, which
    # decides what it means. An item is in a list only to be let go by us when it is handed out.
    enter, leave, fail, finish, as_thrown = calls.enter, calls.leave, calls.fail, calls.finish, _as_thrown
    anything, stopped = BaseException, StopIteration
    is_finalizing = sys.is_finalizing  # then nothing of ours can be called: the names in our modules are taken away

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        if call is None:
            return (yield from function(*args, **kwargs))
        sent = thrown = None
        try:
            generator = function(*args, **kwargs)
            while True:
                enter(call)
                try:
                    item = [generator.send(sent) if thrown is None else generator.throw(thrown)]
                except stopped as stop:
                    result = stop.value
                    break
                finally:
                    sent = thrown = None
                    leave(call)
                try:
                    sent = yield item.pop()
                except anything as error:
                    if is_finalizing():
                        raise
                    thrown = as_thrown(error)
        except anything as error:
            if not is_finalizing():
                fail(call, error)
            raise
        finish(call, result)
        return result

    return wrapper


def _of_async_generator(function: Callable[..., Any], plan: Plan, begin: Begin = calls.start) -> Any:
    enter, leave, fail, finish, as_thrown = calls.enter, calls.leave, calls.fail, calls.finish, _as_thrown
    anything, stopped, first = BaseException, StopAsyncIteration, first_of_inner
    plan = msgspec.structs.replace(plan, own_context=False)
    is_finalizing = sys.is_finalizing

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        try:
            generator = function(*args, **kwargs)
            step = first(generator.__anext__)
            while True:
                enter(call)
                try:
                    item = [await step]
                except stopped:
                    break
                finally:
                    step = None
                    leave(call)
                sent = thrown = None
                try:
                    sent = yield item.pop()
                except anything as error:
                    if is_finalizing():
                        raise
                    thrown = as_thrown(error)
                step = generator.asend(sent) if thrown is None else generator.athrow(thrown)
                sent = thrown = None
        except anything as error:
            if call is not None and not is_finalizing():
                fail(call, error)
            raise
        if call is not None:
            finish(call, None)

    return wrapper


Maker = Callable[..., Any]
_MAKERS: Final[tuple[Maker, ...]] = (_of_function, _of_coroutine, _of_generator, _of_async_generator)


def _as_thrown(error: BaseException) -> BaseException:
    """The exception as the reader threw it: without the wrapper's own line, which it gets again on its way out."""
    try:
        return error.with_traceback(error.__traceback__.tb_next if error.__traceback__ is not None else None)
    except Exception:
        guard.report("what a generator's reader throws")
        return error


def maker_for(function: Callable[..., Any]) -> Maker:
    """The maker of what records the calls of `function`."""
    own_call = None if inspect.isroutine(function) or inspect.isclass(function) else getattr(function, "__call__", None)  # noqa: B004
    for candidate in (function, own_call):
        if inspect.isasyncgenfunction(candidate):
            return _of_async_generator
        if inspect.iscoroutinefunction(candidate) and _is_coroutine_code(candidate):
            return _of_coroutine
        if inspect.isgeneratorfunction(candidate):
            return _of_generator
    return _of_function


def _is_coroutine_code(function: Any) -> bool:
    """Whether a function runs when it is awaited. One that is only marked runs at the call, and may return a task.

    https://docs.python.org/3/library/inspect.html#inspect.markcoroutinefunction
    """
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return bool(getattr(code, "co_flags", 0) & inspect.CO_COROUTINE)


def _references() -> int:
    """How many references `_returned()` sees to an object that nothing else holds."""

    def wrapper() -> int:
        result = object()
        return returned(None, result)

    def returned(call: None, result: object) -> int:
        return sys.getrefcount(result)

    return wrapper()


_REFERENCES: Final = _references()


def _returned(call: Call, result: Any) -> Any:
    """End the call with what the function returned, or let its span go on with that.

    What something else holds, such as an argument or the value of a cache, is not of this call: it passes as it is.
    """
    try:
        follow = how_to_follow(result)
        if follow is follow_future or (follow is not None and sys.getrefcount(result) <= _REFERENCES):
            calls.leave(call)
            return follow(result, call)
    except Exception:
        guard.report(call.plan.where)
    calls.finish(call, result)
    return result


WRAPPERS.update(code for maker in _MAKERS for code in maker.__code__.co_consts if isinstance(code, CodeType))


def wrap_function(function: FunctionType, plan: Plan) -> Any:
    """A function that records the calls of `function`, and looks like it."""
    wrapper = lookalike(function, maker_for(function)(function, plan))
    WRAPPERS.add(called_by(wrapper).__code__)
    return wrapper
