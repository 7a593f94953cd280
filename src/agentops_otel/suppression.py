"""Whether other instrumentations are to record nothing, as OpenTelemetry's context says it.

`opentelemetry.instrumentation.utils` does the same, but imports all propagators for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, get_current, get_value, set_value

_KEYS: Final = (_SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")  # the second is of older releases


def is_suppressed() -> bool:
    """Whether the code that is running is to be recorded by no instrumentation."""
    return bool(get_value(_KEYS[0]) or get_value(_KEYS[1]))


@contextmanager
def suppressed() -> Iterator[None]:
    """In this block no instrumentation records anything."""
    context = get_current()
    for key in _KEYS:
        context = set_value(key, True, context)
    token = attach(context)
    try:
        yield
    finally:
        detach(token)
