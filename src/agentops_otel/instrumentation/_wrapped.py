"""What is wrapped in an SDK's modules, each on its own: what one release lacks disables that one target."""

from __future__ import annotations

import copy
import sys
import weakref
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction, isfunction
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, Final

import msgspec
import wrapt

Around = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]

LIVE: Final = "live"
ABSENT: Final = "absent in this release"
REPLACED: Final = "replaced by somebody else"
_MOST_WRAPPERS: Final = 16  # of others around ours


class _Bound(wrapt.BoundFunctionWrapper):  # type: ignore[misc, type-arg, unused-ignore]  # by release
    """One that was looked up on an instance. It is copied and pickled as a method is."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        instance = copy.deepcopy(self._self_instance, memo)
        return self._self_parent.__get__(instance, type(instance))


class Wrapper(wrapt.FunctionWrapper):  # type: ignore[misc, type-arg, unused-ignore]  # by release
    """Ours, so that it is known again where it stands. It is copied and pickled as a function is.

    Pickled by its name, it is the SDK's own function where it arrives, unless we are there, too:
    https://docs.python.org/3/library/pickle.html#what-can-be-pickled-and-unpickled
    """

    __bound_function_wrapper__ = _Bound

    def __reduce_ex__(self, protocol: Any) -> Any:
        wrapped: Any = self.__wrapped__
        if not isfunction(wrapped):
            return wrapped.__reduce_ex__(protocol)
        if self.is_active():
            return wrapped.__qualname__
        return resolve_name, (f"{wrapped.__module__}:{wrapped.__qualname__}",)  # the name is the original's again

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def is_active(self) -> bool:
        """Whether it is not one that was taken back and that somebody else has put here again."""
        wrapper: Any = self._self_wrapper  # a method of an instrumentation
        return bool(wrapper.__self__.active)


class _Method(Wrapper):
    """One of a class, on which it is looked up as a function is: the very object each time."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else super().__get__(instance, owner)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if not args:
            return self.__wrapped__(**kwargs)
        return super().__get__(args[0], type(args[0]))(*args[1:], **kwargs)


class Target(msgspec.Struct, frozen=True):
    """One attribute of one class, wrapped or absent.

    The class is held weakly: an SDK that is imported anew leaves the old one.
    """

    label: str
    name: str
    owner: weakref.ref[type] | None = None
    instrumentation: Any = None

    def state(self) -> str:
        """Whether the SDK's calls pass it."""
        owner = None if self.owner is None else self.owner()
        if owner is None:
            return ABSENT
        held = owner.__dict__.get(self.name)
        for _ in range(_MOST_WRAPPERS):
            if isinstance(held, Wrapper):
                return LIVE
            held = getattr(held, "__wrapped__", None)
        return REPLACED

    def restore(self) -> None:
        """Put the original back, unless somebody else has wrapped the attribute after us.

        Whatever still holds our wrapper gets the SDK's own behaviour from it.
        """
        if self.instrumentation is not None:
            self.instrumentation.active = False
        owner = None if self.owner is None else self.owner()
        held = None if owner is None else owner.__dict__.get(self.name)
        if isinstance(held, Wrapper):
            setattr(owner, self.name, held.__wrapped__)

    def is_gone(self) -> bool:
        """Whether its class is no more."""
        return self.owner is not None and self.owner() is None


def wrap_method(
    module: ModuleType, path: str, instrumentation: Any, around: Around, around_async: Around | None = None
) -> Target | None:
    """Wrap `Class.method` of a module; a coroutine function in a way of its own, where there is one.

    Returns:
        None when it is wrapped already.
    """
    label = f"{module.__name__}.{path}"
    owner_name, _, name = path.rpartition(".")
    owner = getattr(module, owner_name, None)
    original = owner.__dict__.get(name) if isinstance(owner, type) else None
    if owner is None or original is None:
        return Target(label, name)
    if isinstance(original, Wrapper):
        if original.is_active():
            return None
        original = original.__wrapped__
    chosen = around_async if around_async is not None and iscoroutinefunction(original) else around
    setattr(owner, name, (_Method if isfunction(original) else Wrapper)(original, chosen))
    return Target(label, name, weakref.ref(owner), instrumentation)


class Held(msgspec.Struct, frozen=True):
    """One function of a module, replaced in every module that holds it, or absent.

    Attributes:
        places: the names of modules under which it was found.
    """

    label: str
    wrapper: Any = None
    instrumentation: Any = None
    places: list[tuple[dict[str, Any], str]] = []

    def state(self) -> str:
        """Whether the SDK's calls pass it."""
        if self.wrapper is None:
            return ABSENT
        module, _, name = self.label.rpartition(".")
        return LIVE if getattr(sys.modules.get(module), name, None) is self.wrapper else REPLACED

    def restore(self) -> None:
        """Put the original back; a module that has taken our wrapper meanwhile gets the SDK's own behaviour from it."""
        if self.wrapper is None:
            return
        self.instrumentation.active = False
        original = self.wrapper.__wrapped__
        while self.places:
            held, name = self.places.pop()
            if held.get(name) is self.wrapper:
                held[name] = original

    def is_gone(self) -> bool:
        """Never: a module is held by its name."""
        return False


def wrap_functions(module: ModuleType, names: Mapping[str, Any]) -> list[Held]:
    """Wrap functions of a module wherever a module holds them, as one does after `from litellm import completion`.

    Looking through all modules takes tens of milliseconds where there are thousands, so it is done once.

    Args:
        names: function -> its instrumentation, with `call` and `async_call`.

    Returns:
        Those that are not wrapped already.
    """
    found: list[Held] = []
    fresh: dict[int, Held] = {}
    for name, around in names.items():
        original, label = vars(module).get(name), f"{module.__name__}.{name}"
        if not callable(original):
            found.append(Held(label))
        elif not (isinstance(original, Wrapper) and original.is_active()):
            chosen = around.async_call if iscoroutinefunction(original) else around.call
            fresh[id(original)] = Held(label, Wrapper(original, chosen), around)
    _replace(fresh)
    return [*found, *fresh.values()]


def _replace(wrapped: Mapping[int, Held]) -> None:
    """Put wrappers in the place of what they wrap.

    Args:
        wrapped: by the identity of that; it is alive as long as its wrapper.
    """
    if not wrapped:
        return
    for module in [*sys.modules.values()]:
        held = getattr(module, "__dict__", None)  # (not all that is in `sys.modules` is a module)
        if isinstance(held, dict) and not wrapped.keys().isdisjoint(map(id, [*held.values()])):  # few modules hold one
            for name, value in [*held.items()]:
                each = wrapped.get(id(value))
                if each is not None:
                    held[name] = each.wrapper
                    each.places.append((held, name))
