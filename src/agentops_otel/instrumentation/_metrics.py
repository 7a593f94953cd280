"""The GenAI client metrics, recorded only when the program has configured a MeterProvider.

https://github.com/open-telemetry/semantic-conventions/blob/main/docs/gen-ai/gen-ai-metrics.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from opentelemetry import metrics

from .. import providers, semconv
from ..clock import monotonic

_DURATION_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))
_TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))
_TOKEN_TYPES: Final = (("input", semconv.USAGE_INPUT_TOKENS), ("output", semconv.USAGE_OUTPUT_TOKENS))
_DIMENSIONS: Final = (
    semconv.OPERATION_NAME,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.RESPONSE_MODEL,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
    semconv.ERROR_TYPE,
    semconv.OPENAI_RESPONSE_SERVICE_TIER,
    semconv.OPENAI_SYSTEM_FINGERPRINT,
)


class Instruments:
    """The histograms of one MeterProvider."""

    def __init__(self, provider: metrics.MeterProvider) -> None:
        meter = provider.get_meter(semconv.SCOPE_NAME)
        self._duration = meter.create_histogram(
            semconv.METRIC_OPERATION_DURATION,
            "s",
            "Duration of an LLM call",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._first_chunk = meter.create_histogram(
            semconv.METRIC_TIME_TO_FIRST_CHUNK,
            "s",
            "Time to the first chunk",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._per_chunk = meter.create_histogram(
            semconv.METRIC_TIME_PER_OUTPUT_CHUNK,
            "s",
            "Time from one chunk to the next",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            semconv.METRIC_TOKEN_USAGE,
            "{token}",
            "Tokens of an LLM call",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )

    def record(
        self,
        attributes: Mapping[str, Any],
        seconds: float | None,
        chunk_times: Sequence[float] = (),
    ) -> None:
        """Record one finished call from its span's attributes.

        Args:
            seconds: how long it took; None when only its tokens are to be counted.
            chunk_times: when each chunk of a stream came.
        """
        dimensions = {name: attributes[name] for name in _DIMENSIONS if name in attributes}
        if seconds is not None:
            self._duration.record(seconds, dimensions)
        first_chunk = attributes.get(semconv.RESPONSE_TIME_TO_FIRST_CHUNK)
        if first_chunk is not None and attributes[semconv.OPERATION_NAME] != semconv.OPERATION_FETCH_RESPONSE:
            self._first_chunk.record(first_chunk, dimensions)
        for before, after in pairwise(chunk_times):
            self._per_chunk.record(after - before, dimensions)
        for kind, name in _TOKEN_TYPES:
            tokens = attributes.get(name)
            if tokens is not None:
                self._tokens.record(tokens, {**dimensions, semconv.TOKEN_TYPE: kind})


# Asking for the global provider costs as much as reading an answer, so it is looked at once a second.
_LOOK_EVERY: Final = 1.0
_next_look = 0.0
_given = providers.given
_provider: metrics.MeterProvider | None = None
_instruments: Instruments | None = None


def instruments() -> Instruments | None:
    """The instruments of the program's MeterProvider; None while it has none."""
    global _next_look, _given, _provider, _instruments  # noqa: PLW0603  (there is one global MeterProvider)
    now = monotonic()
    if now < _next_look and providers.given is _given:
        return _instruments
    _next_look, _given = now + _LOOK_EVERY, providers.given
    provider = providers.meter_provider()
    if provider is not _provider:
        _instruments = None if provider is None else Instruments(provider)
        _provider = provider
    return _instruments
