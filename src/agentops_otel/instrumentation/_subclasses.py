"""`request` of a class of clients, and of its subclasses that have one of their own, as other tools put it there.

Such a tool holds the function that the class had before ours was around it: what goes through it never comes to ours.
It can also put that function there when it is taken off again, and so each `post` has a look before it goes on to
`request`. One that calls `super()` comes to ours by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

from .. import guard
from ._wrapped import ABSENT, Around, Target, Wrapper, inner, wrap_method, wrap_own

_NAME: Final = "request"

Make = Callable[[], tuple[Any, Around]]
"""Makes an instrumentation of its own for one class, and names what of it is around `request`."""


class Family:
    """One class of clients.

    Attributes:
        label: where its `request` is.
    """

    def __init__(self, module: ModuleType, name: str, make: Make) -> None:
        self.active = True
        self.label = f"{module.__name__}.{name}.{_NAME}"
        self._make = make
        around, request = make()
        self._base = wrap_method(module, f"{name}.{_NAME}", around, request, request)
        self._post = None if self._base is None else wrap_method(module, f"{name}.post", self, self.post)
        self._own: list[Target] = []
        self._look_at_all()

    @property
    def is_new(self) -> bool:
        """Whether it was not wrapped already."""
        return self._base is not None

    def post(self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around `post`, which calls `request`."""
        guard.run(self._look_at, type(client))
        return wrapped(*args, **kwargs)

    def state(self) -> str:
        """Whether the SDK's calls pass it, also those of each subclass."""
        guard.run(self._look_at_all)  # as the next call would
        return ABSENT if self._base is None else self._base.state()

    def restore(self) -> None:
        """Put everything back."""
        self.active = False
        for target in (*self._own, self._post, self._base):
            if target is not None:
                target.restore()
        self._own.clear()

    def is_gone(self) -> bool:
        """Whether its class is no more."""
        return self._base is None or self._base.is_gone()

    def _class(self) -> type | None:
        return None if self._base is None or self._base.owner is None else self._base.owner()

    def _look_at_all(self) -> None:
        base = self._class()
        for cls in () if base is None else _below(base):
            self._look(cls)

    def _look_at(self, cls: type) -> None:
        found = getattr(cls, _NAME, None)
        base = self._class()
        if base is None or _is_ours(found):
            return
        for each in cls.__mro__:
            if each is not base and issubclass(each, base):
                self._look(each)

    def _look(self, cls: type) -> None:
        own = vars(cls).get(_NAME)
        if own is None or not self.active or _passes(own):
            return
        around, request = self._make()
        self._own = [target for target in self._own if not target.is_gone()]
        self._own.append(wrap_own(cls, _NAME, around, request))


def _passes(function: Any) -> bool:
    """Whether what calls a function comes to a wrapper of ours."""
    return any(_is_ours(each) or _calls_super(each) for each in inner(function))


def _is_ours(function: object) -> bool:
    return isinstance(function, Wrapper) and function.is_active()


def _calls_super(function: object) -> bool:
    # Without arguments it is a closure: https://docs.python.org/3/reference/datamodel.html#creating-the-class-object
    return "__class__" in getattr(getattr(function, "__code__", None), "co_freevars", ())


def _below(cls: type) -> Iterator[type]:
    below: list[type] = cls.__subclasses__()
    for each in below:
        yield each
        yield from _below(each)
