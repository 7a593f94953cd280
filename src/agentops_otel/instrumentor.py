"""The entry point for `opentelemetry-instrument`: an OpenTelemetry instrumentor that is `init()` and `shutdown()`.

It stands above the API because it starts everything; the patches themselves are in `instrumentation/`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined, unused-ignore]  # no `__all__`
    BaseInstrumentor,
)

from . import api, providers
from .config import SETTINGS


class AgentOpsInstrumentor(BaseInstrumentor):  # type: ignore[misc, unused-ignore]  # untyped in older releases
    """Starts agentops-otel with the settings of the environment.

    `instrument(**settings)` takes the keywords of `init()` too, and `tracer_provider`, `meter_provider` and
    `logger_provider` as other instrumentors do; OpenTelemetry's other ones are ignored.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: whichever SDK is installed is instrumented when it is imported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        names = {setting.name for setting in SETTINGS} | {"tags", "name", "inherited_session_id"}
        self._give(kwargs)
        api.init_unattended(**{name: value for name, value in kwargs.items() if name in names})

    @staticmethod
    def _give(kwargs: Mapping[str, Any]) -> None:
        given = [kwargs.get(f"{kind}_provider") for kind in ("tracer", "meter", "logger")]
        if any(provider is not None for provider in given):
            providers.give(providers.Providers(*given))

    def _uninstrument(self, **kwargs: Any) -> None:
        api.shutdown()
        providers.give(providers.Providers())
