"""What is wrapped in an SDK's modules, each on its own: what one release lacks disables that one target."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any, Final

import msgspec
import wrapt

Around = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]

LIVE: Final = "live"
ABSENT: Final = "absent in this release"
REPLACED: Final = "replaced by somebody else"
_MOST_WRAPPERS: Final = 16  # of others around ours


class Wrapper(wrapt.FunctionWrapper):  # type: ignore[misc, type-arg, unused-ignore]  # by release
    """Ours, so that it is known again where it stands."""

    def is_active(self) -> bool:
        """Whether it is not one that was taken back and that somebody else has put here again."""
        wrapper: Any = self._self_wrapper  # a method of an instrumentation
        return bool(wrapper.__self__.active)


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
    setattr(owner, name, Wrapper(original, chosen))
    return Target(label, name, weakref.ref(owner), instrumentation)


class Held(msgspec.Struct, frozen=True):
    """One function of a module, replaced in every module that holds it, or absent."""

    module: str
    name: str
    wrapper: Any = None
    instrumentation: Any = None

    @property
    def label(self) -> str:
        """Where it is defined."""
        return f"{self.module}.{self.name}"

    def state(self) -> str:
        """Whether the SDK's calls pass it."""
        if self.wrapper is None:
            return ABSENT
        held = getattr(sys.modules.get(self.module), self.name, None)
        return LIVE if held is self.wrapper else REPLACED

    def restore(self) -> None:
        """Put the original back wherever our wrapper stands."""
        if self.wrapper is not None:
            self.instrumentation.active = False
            _replace(self.wrapper, self.wrapper.__wrapped__)

    def is_gone(self) -> bool:
        """Never: a module is held by its name."""
        return False


def wrap_function(
    module: ModuleType, name: str, instrumentation: Any, around: Around, around_async: Around
) -> Held | None:
    """Wrap a function of a module wherever a module holds it, as one does after `from litellm import completion`.

    Returns:
        None when it is wrapped already.
    """
    original = vars(module).get(name)
    if not callable(original):
        return Held(module.__name__, name)
    if isinstance(original, Wrapper) and original.is_active():
        return None
    wrapper = Wrapper(original, around_async if iscoroutinefunction(original) else around)
    _replace(original, wrapper)
    return Held(module.__name__, name, wrapper, instrumentation)


def _replace(old: Any, new: Any) -> None:
    for module in [*sys.modules.values()]:
        held = getattr(module, "__dict__", None)  # (not all that is in `sys.modules` is a module)
        if isinstance(held, dict):
            for name in [name for name, value in [*held.items()] if value is old]:
                held[name] = new
