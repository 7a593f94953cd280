"""The patches of one SDK: they wait for its import, and are put on again whenever it is imported anew.

An SDK is never imported by us: wrapt's post-import hook tells when the program has done it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import msgspec
import wrapt

from .. import guard
from ..log import logger

if TYPE_CHECKING:
    from ._integration import Integration
    from ._known import Known

WAITING: Final = "waiting for import"


class Patch(msgspec.Struct):
    """One SDK: waiting for its import, live, or taken off.

    Attributes:
        failure: why what describes it could not be loaded.
    """

    known: Known
    active: bool = False
    integration: Integration | None = None
    failure: str = ""
    hooked: set[str] = set()
    installed: list[Any] = []

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that are waited for; an SDK of another package says them itself."""
        if self.integration is None:
            return self.known.modules
        return tuple(dict.fromkeys(module for part in self.integration.parts for module in part.modules))

    def apply(self) -> None:
        """Patch what is imported now, and the rest as soon as it is."""
        if self.active:
            return
        self.active = True
        for name in self.modules:
            module = sys.modules.get(name)
            if name not in self.hooked:
                self.hooked.add(name)
                wrapt.register_post_import_hook(self._imported, name)
            elif module is not None:
                self._patch(module)

    def remove(self) -> None:
        """Put the original objects back."""
        self.active = False
        while self.installed:
            guard.run(self.installed.pop().restore)

    def load(self) -> Integration:
        """Load what describes the SDK."""
        if self.integration is None:
            self.integration = self.known.load()
        return self.integration

    @property
    def is_waiting(self) -> bool:
        """Whether none of its modules is imported yet."""
        return self.active and not self.installed and not self.failure

    def targets(self) -> dict[str, str]:
        """What is wrapped, by its place: its state; or the modules that are waited for."""
        if self.is_waiting:
            return dict.fromkeys(self.modules, WAITING)
        return {each.label: each.state() for each in self.installed}

    def _imported(self, module: ModuleType) -> None:
        guard.run(_hook_again, self._imported, module.__name__)
        if self.active:
            guard.run(self._patch, module)

    def _patch(self, module: ModuleType) -> None:
        try:
            parts = self.load().parts
        except Exception as error:
            self.failed(error)
            return
        self.failure = ""
        self.installed = [target for target in self.installed if not target.is_gone()]
        for part in parts:
            if module.__name__ in part.modules:
                guard.run(self._install, part.install, module)
        logger.debug("instrumented %s: %s", self.known.name, self.targets())

    def _install(self, install: Callable[[ModuleType], Any], module: ModuleType) -> None:
        # One by one: what comes before a failure stays known, and is taken back with the rest.
        for target in install(module):
            if target is not None:
                self.installed.append(target)

    def failed(self, error: Exception) -> None:
        """Tell once that what describes the SDK cannot be loaded."""
        self.failure = f"{type(error).__name__}: {str(error)[:200]}"
        logger.warning(
            "%r is not recorded, because its instrumentation cannot be loaded: %s", self.known.name, self.failure
        )


def _hook_again(hook: Callable[[ModuleType], None], name: str) -> None:
    """Be told of the next import too: of `importlib.reload()`, and after the module was taken out of `sys.modules`.

    wrapt forgets its hooks after the first import, and calls at once what is registered while the module is there. Its
    table is private; without it an SDK that is imported anew is not recorded.
    """
    hooks = getattr(sys.modules.get("wrapt.importer"), "_post_import_hooks", None)
    if isinstance(hooks, dict):
        hooks.setdefault(name, []).append(hook)


PATCHES: Final[dict[str, Patch]] = {}
