"""An event of the logs signal, as the journal and the transports pass it on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

SEVERITY_INFO: Final = 9  # SEVERITY_NUMBER_INFO


class LogEvent(msgspec.Struct, frozen=True):
    """An event of the logs signal. `time_ns` is Unix time in nanoseconds, `severity` an OTLP severity number."""

    name: str
    time_ns: int
    trace_id: int
    span_id: int
    attributes: Mapping[str, AttributeValue]
    severity: int = SEVERITY_INFO
