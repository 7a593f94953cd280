"""The entry point for `opentelemetry-instrument`: an OpenTelemetry instrumentor that is `init()` and `shutdown()`.

It stands above the client because it starts everything; the patches themselves are in `instrumentation/`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined, unused-ignore]  # no `__all__`
    BaseInstrumentor,
)

from . import client
from .config import SETTINGS


class AgentOpsInstrumentor(BaseInstrumentor):  # type: ignore[misc, unused-ignore]  # untyped in older releases
    """Starts agentops-otel with the settings of the environment.

    `instrument(**settings)` takes the keywords of `init()` too; OpenTelemetry's own, such as `tracer_provider`, are
    ignored.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: whichever SDK is installed is instrumented when it is imported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        names = {setting.name for setting in SETTINGS} | {"tags", "name", "inherited_session_id"}
        client.init(**{name: value for name, value in kwargs.items() if name in names})

    def _uninstrument(self, **kwargs: Any) -> None:
        client.shutdown()
