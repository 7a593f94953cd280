"""Auto-instrumentation of LLM SDKs: `instrument()` patches, `uninstrument()` restores.

One file per SDK (`openai.py`) says what is an LLM call; the files with an underscore, the floor and the readers of JSON
that many hosts speak, are shared and know no SDK. An SDK of another package is found by the entry point group
`agentops_otel.sdks`.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from .. import environment, providers
from ._known import known
from ._patch import PATCHES, Patch
from ._reading import drain
from ._status import Status, status

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from typing_extensions import Self

    from ._known import Known

__all__ = ["Status", "Undo", "drain", "instrument", "known", "status", "targets", "uninstrument"]


class Undo:
    """Takes back what one `instrument()` has patched: call it, or use it as a context manager."""

    def __init__(self, names: tuple[str, ...], before: providers.Providers | None = None) -> None:
        self._names = names
        self._before = before

    def __call__(self) -> None:
        """Take the patches back."""
        if self._names:
            uninstrument(*self._names)
        if self._before is not None:
            providers.give(self._before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self()


def instrument(
    *names: str,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> Undo:
    """Record the calls of the named SDKs, of all known ones when none is named.

    An SDK that is not imported yet is instrumented when it is. Instrumenting twice does nothing.

    Args:
        names: such as `"openai"`.
        tracer_provider: makes the spans of calls in place of the session's provider, and outside of sessions too. One
            that is given before `init()` is the one that `init()` works with.
        meter_provider: measures in place of the global one.
        logger_provider: emits the events with content in place of the global one.

    Returns:
        What takes these patches back; it does not touch an SDK that was instrumented before.

    Raises:
        ValueError: a name is not known.
        TypeError: a provider is none.
    """
    sdks = _checked(names)
    for provider, method in ((tracer_provider, "tracer"), (meter_provider, "meter"), (logger_provider, "logger")):
        if provider is not None and not callable(getattr(provider, f"get_{method}", None)):
            shown = environment.shown(provider)
            raise TypeError(f"{method}_provider={shown} is not valid: expected an object with get_{method}()")
    before = None
    if any(provider is not None for provider in (tracer_provider, meter_provider, logger_provider)):
        before = providers.given
        providers.give(providers.Providers(tracer_provider, meter_provider, logger_provider))
    fresh = []
    for name in names or sdks:
        patch = PATCHES.get(name)
        if patch is None:
            patch = Patch(sdks[name])
            # Only its description knows the modules of an SDK of another package.
            if not patch.known.modules and not _load(patch, named=bool(names)):
                continue
            PATCHES[name] = patch
        if not patch.active:
            patch.apply()
            fresh.append(name)
    return Undo(tuple(fresh), before)


def uninstrument(*names: str) -> None:
    """Put the original objects of the named SDKs back, of all when none is named.

    Raises:
        ValueError: a name is not known.
    """
    if names:
        _checked(names)
    for name in names or tuple(PATCHES):
        patch = PATCHES.get(name)
        if patch is not None:
            patch.remove()
    if not any(patch.active for patch in PATCHES.values()):
        providers.give(providers.Providers())
    drain()


def _checked(names: tuple[str, ...]) -> dict[str, Known]:
    """The SDKs to look names up in, once all of these are known."""
    sdks = known(names)
    for name in names:
        if not issubclass(type(name), str) or name not in sdks:  # a list has no hash
            shown = environment.shown(name)
            raise ValueError(f"{shown} is not a known SDK: expected one of {', '.join(sorted(sdks))}")
    return sdks


def targets() -> dict[str, str]:
    """What is wrapped: `openai._base_client.SyncAPIClient.request` -> `live`, and so on; `waiting for import`."""
    return {target: state for patch in PATCHES.values() for target, state in patch.targets().items()}


def _load(patch: Patch, *, named: bool) -> bool:
    """Load an SDK's description; a broken one of another package stops only those who asked for it by name."""
    try:
        patch.load()
    except Exception as error:
        if named:
            raise
        patch.failed(error)
        return False
    return True
