"""Around a function of an SDK that sends one request: what it is called for again in one call is a retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import guard
from ._endpoint import Sdk
from ._span import under_way


class AttemptInstrumentation:
    """The wrapper of one function, a coroutine function too: what it returns is not touched."""

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk
        self.active = True

    def call(self, wrapped: Callable[..., Any], _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around the function."""
        guard.run(self._note)
        return wrapped(*args, **kwargs)

    def _note(self) -> None:
        call = under_way.get()
        if not self.active or call is None or call.sdk is not self._sdk or not call.is_inside:
            return
        call.retries = call.attempts
        call.attempts += 1
