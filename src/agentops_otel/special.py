"""The special methods of an object in the class of its proxy: Python looks them up on the class, where they must be.

wrapt forwards most of them, but not those by which an object says what it is: a proxy of anything could be iterated.
Which those are depends on wrapt's release, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

_SPECIAL: Final = frozenset((
    "__aenter__", "__aexit__", "__aiter__", "__anext__", "__await__", "__buffer__", "__call__", "__fspath__",
    "__instancecheck__", "__iter__", "__length_hint__", "__matmul__", "__next__", "__rmatmul__",
    "__subclasscheck__", "__trunc__",
))  # fmt: skip


def with_special_methods(proxy: Any, of: Any) -> Any:
    """The proxy's class with all special methods that objects of the other class have."""
    missing = frozenset(name for name in _names(of) - _names_of_ours(proxy) if getattr(of, name, None) is not None)
    return _extended(proxy, missing) if missing else proxy


def _names(cls: Any) -> set[str]:
    # Not by `hasattr()`: a class has its metaclass's, too, and every one can be called.
    return {name for base in cls.__mro__ for name in _SPECIAL & vars(base).keys()}


_names_of_ours: Final = functools.cache(_names)


@functools.lru_cache(maxsize=256)
def _extended(proxy: type[Any], missing: frozenset[str]) -> type[Any]:
    methods = {name: _forwarded(name) for name in missing}
    return type(proxy.__name__, (proxy,), {"__module__": proxy.__module__, **methods})


def _forwarded(name: str) -> Callable[..., Any]:
    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.__wrapped__, name)(*args, **kwargs)

    method.__name__ = name
    return method
