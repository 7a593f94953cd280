"""Wraps attributes of an SDK's classes, each on its own: what one release lacks disables that one target.

An SDK that is not imported yet is patched when it is (wrapt's post-import hook), and again whenever it is imported
anew; we never import one.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import msgspec
import wrapt

from .. import guard
from ..log import logger
from ._client import ClientInstrumentation
from ._endpoint import Sdk

Around = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]


class Wrapper(wrapt.FunctionWrapper):  # type: ignore[misc, type-arg, unused-ignore]  # by release
    """Ours, so that it is known again where it stands."""


class Target(msgspec.Struct, frozen=True):
    """One wrapped attribute of one class. The class is held weakly: an SDK that is imported anew leaves the old one."""

    owner: weakref.ref[type]
    name: str

    def restore(self) -> None:
        """Put the original back, unless somebody else has wrapped the attribute after us."""
        owner = self.owner()
        held = None if owner is None else owner.__dict__.get(self.name)
        if isinstance(held, Wrapper):
            setattr(owner, self.name, held.__wrapped__)


class Patch(msgspec.Struct):
    """The patches of one SDK: waiting for its import, live, or taken off."""

    sdk: Sdk
    active: bool = False
    hooked: bool = False
    instrumentation: ClientInstrumentation | None = None
    targets: list[Target] = []
    state: dict[str, str] = {}

    def apply(self) -> None:
        """Patch now if the SDK is imported, else as soon as it is."""
        if self.active:
            return
        self.active = True
        module = sys.modules.get(self.sdk.module)
        if self.hooked and module is not None:
            self._patch(module)
        elif not self.hooked:
            self.hooked = True
            self.state = {self.sdk.module: "waiting for import"}
            wrapt.register_post_import_hook(self._imported, self.sdk.module)

    def remove(self) -> None:
        """Put the original objects back."""
        self.active = False
        instrumentation, self.instrumentation = self.instrumentation, None
        if instrumentation is not None:
            # Whatever still holds one of our wrappers gets the SDK's own behaviour from it.
            instrumentation.active = False
        while self.targets:
            self.targets.pop().restore()
        self.state.clear()

    def _imported(self, module: ModuleType) -> None:
        guard.run(_hook_again, self._imported, self.sdk.module)
        if self.active:
            guard.run(self._patch, module)

    def _patch(self, module: ModuleType) -> None:
        around = self.instrumentation = self.instrumentation or ClientInstrumentation(self.sdk)
        self.state.clear()
        self.targets = [target for target in self.targets if target.owner() is not None]
        self._wrap(module, "SyncAPIClient", "request", around.request)
        self._wrap(module, "AsyncAPIClient", "request", around.async_request)
        self._wrap(module, "SyncAPIClient", "_process_response", around.process_response)
        self._wrap(module, "AsyncAPIClient", "_process_response", around.process_response)
        logger.debug("instrumented %s: %s", self.sdk.name, self.state)

    def _wrap(self, module: ModuleType, owner_name: str, name: str, around: Around) -> None:
        label = f"{module.__name__}.{owner_name}.{name}"
        owner = getattr(module, owner_name, None)
        original = owner.__dict__.get(name) if isinstance(owner, type) else None
        if owner is None or original is None:
            self.state[label] = "missing"
            return
        if not isinstance(original, Wrapper):
            setattr(owner, name, Wrapper(original, around))
            self.targets.append(Target(weakref.ref(owner), name))
        self.state[label] = "live"


def _hook_again(hook: Callable[[ModuleType], None], name: str) -> None:
    """Be told of the next import too: of `importlib.reload()`, and after the module was taken out of `sys.modules`.

    wrapt forgets its hooks after the first import, and calls at once what is registered while the module is there. Its
    table is private; without it an SDK that is imported anew is not recorded.
    """
    hooks = getattr(sys.modules.get("wrapt.importer"), "_post_import_hooks", None)
    if isinstance(hooks, dict):
        hooks.setdefault(name, []).append(hook)


PATCHES: Final[dict[str, Patch]] = {}
