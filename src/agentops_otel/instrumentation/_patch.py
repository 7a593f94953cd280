"""Wraps attributes of an SDK's classes, each on its own: what one release lacks disables that one target.

An SDK that is not imported yet is patched when it is (wrapt's post-import hook); we never import one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import wrapt

from ..log import logger
from . import _guard
from ._client import Seam
from ._endpoint import Sdk

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]


@dataclass
class Target:
    """One attribute of one class, and how it is put back."""

    owner: type
    name: str
    original: Any
    wrapper: Any

    def restore(self) -> None:
        """Put the original back, unless somebody else has wrapped the attribute after us."""
        if self.owner.__dict__.get(self.name) is self.wrapper:
            setattr(self.owner, self.name, self.original)


@dataclass
class Patch:
    """The patches of one SDK: waiting for its import, live, or taken off."""

    sdk: Sdk
    active: bool = False
    hooked: bool = False
    seam: Seam | None = None
    targets: list[Target] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)

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
        if self.seam is not None:
            # Whatever still holds one of our wrappers gets the SDK's own behaviour from it.
            self.seam.active = False
        while self.targets:
            self.targets.pop().restore()
        self.state.clear()

    def _imported(self, module: ModuleType) -> None:
        if self.active:
            _guard.run(self._patch, module)

    def _patch(self, module: ModuleType) -> None:
        seam = self.seam = Seam(self.sdk)
        self.state.clear()
        self._wrap(module, "SyncAPIClient", "request", seam.request)
        self._wrap(module, "AsyncAPIClient", "request", seam.async_request)
        self._wrap(module, "SyncAPIClient", "_process_response", seam.process_response)
        self._wrap(module, "AsyncAPIClient", "_process_response", seam.process_response)
        logger.debug("instrumented %s: %s", self.sdk.name, self.state)

    def _wrap(self, module: ModuleType, owner_name: str, name: str, wrapper: Wrapper) -> None:
        label = f"{module.__name__}.{owner_name}.{name}"
        owner = getattr(module, owner_name, None)
        original = owner.__dict__.get(name) if isinstance(owner, type) else None
        if owner is None or original is None:
            self.state[label] = "missing"
            return
        wrapped = wrapt.FunctionWrapper(original, wrapper)
        setattr(owner, name, wrapped)
        self.targets.append(Target(owner, name, original, wrapped))
        self.state[label] = "live"


PATCHES: Final[dict[str, Patch]] = {}
