"""Lets the program set a TracerProvider of its own after ours.

OpenTelemetry takes a global provider once and only warns of a second one: the program's, which would then get no span.
There is no public way to give the place back, so this is the one place that touches the private name behind it. In a
release without that name the program has to set its provider before `init()`, as the documentation says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from opentelemetry import trace

from .. import guard

_ONCE = "_TRACER_PROVIDER_SET_ONCE"


class _Again:
    """In the place of OpenTelemetry's `Once`: runs one more function, and tells of it."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then
        self._lock = threading.Lock()
        self._done = False

    def do_once(self, function: Callable[[], None]) -> bool:
        """Whether the function was run in this call."""
        with self._lock:
            if self._done:
                return False
            function()
            self._done = True
        self._then()
        return True


def allow(then: Callable[[trace.TracerProvider], None]) -> None:
    """Let `trace.set_tracer_provider()` have its effect once more, and call `then` with the program's provider."""

    def tell() -> None:
        try:
            then(trace.get_tracer_provider())
        except Exception:
            guard.report("the program's TracerProvider")

    if hasattr(getattr(trace, _ONCE, None), "do_once"):
        setattr(trace, _ONCE, _Again(tell))
