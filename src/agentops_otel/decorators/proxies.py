"""Any other callable than a plain function, in a proxy that shows everything of it and records its calls."""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Mapping
from types import MethodType
from typing import Any

import wrapt

from ..lookalike import fixed_signature
from ..special import with_special_methods
from . import call as calls
from .plan import Plan
from .wrappers import maker_for


class _OwnCall:
    """``recorded.__call__``: a method of the kind of the wrapped object's, for who asks whether to await it."""

    def __get__(self, recorded: Any, owner: type | None = None) -> Any:
        return _call if recorded is None else MethodType(recorded._self_call, recorded)  # noqa: SLF001  (our own proxy)


def _call(recorded: Any, /, *args: Any, **kwargs: Any) -> Any:
    return recorded(*args, **kwargs)


class Recorded(wrapt.CallableObjectProxy):  # type: ignore[type-arg]
    """A callable that is no plain function, with all it has, and its calls recorded."""

    def __init__(self, wrapped: Any, plan: Plan, instance: Any = None) -> None:
        super().__init__(wrapped)
        self._self_plan = plan
        self._self_instance = instance

        def function(_: Recorded, /, *args: Any, **kwargs: Any) -> Any:
            return wrapped(*args, **kwargs)

        def begin(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> calls.Call | None:
            return calls.start(plan, args[1:], kwargs, bound_to=instance)

        own = wrapped.__call__
        self._self_call = functools.update_wrapper(
            maker_for(wrapped)(function, plan, begin), getattr(own, "__func__", own)
        )

    __call__ = _OwnCall()

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    @property
    def __signature__(self) -> inspect.Signature:
        # For `getfullargspec()`, which reads the `__call__` of an instance's type, and that is this proxy's own.
        call = getattr(type(self.__wrapped__), "__call__", None)  # noqa: B004
        signature = fixed_signature(self.__wrapped__) if inspect.isfunction(call) else None
        if signature is None:  # `inspect` finds it behind `__wrapped__`
            raise AttributeError("__signature__")
        return signature

    def __reduce_ex__(self, protocol: Any) -> Any:
        how = self.__wrapped__.__reduce_ex__(protocol)
        if isinstance(how, str) and _found(getattr(self, "__module__", None), how) is self:
            return how  # by its name, under which this proxy is found
        return proxy, (self.__wrapped__, self._self_plan)

    def __copy__(self) -> Any:
        return self._self_copied(copy.copy(self.__wrapped__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self._self_copied(copy.deepcopy(self.__wrapped__, memo))

    def _self_copied(self, wrapped: Any) -> Any:
        return self if wrapped is self.__wrapped__ else proxy(wrapped, self._self_plan)


class _RecordedMethod(Recorded):
    """One that can be bound to an instance: an `lru_cache`, say. A class of its own: `inspect` asks for `__get__`."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        bound = self.__wrapped__.__get__(instance, owner)
        if not callable(bound):  # a value of the instance's
            return bound
        return self if bound is self.__wrapped__ else _recorded(_RecordedBound, bound, self._self_plan, instance)

    def __set_name__(self, owner: type, name: str) -> None:
        if hasattr(self.__wrapped__, "__set_name__"):
            self.__wrapped__.__set_name__(owner, name)


class _RecordedBound(Recorded):
    """One that was looked up on an instance."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return getattr, (self._self_instance, self.__wrapped__.__name__)


def proxy(wrapped: Any, plan: Plan) -> Recorded:
    """A proxy whose calls are recorded."""
    can_be_bound = hasattr(type(wrapped), "__get__") and not hasattr(wrapped, "__self__")
    return _recorded(_RecordedMethod if can_be_bound else Recorded, wrapped, plan)


def _recorded(cls: type[Recorded], wrapped: Any, plan: Plan, instance: Any = None) -> Recorded:
    made: Recorded = with_special_methods(cls, type(wrapped))(wrapped, plan, instance)
    return made


def _found(module: object, path: str) -> object:
    found: object = sys.modules.get(module) if isinstance(module, str) else None
    for name in path.split("."):
        found = getattr(found, name, None)
    return found
