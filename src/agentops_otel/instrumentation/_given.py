"""Calls of a program that has given us a TracerProvider: their spans are made there, with or without a session."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span, Tracer, TracerProvider

from .. import context, providers, semconv
from ..config import Configuration
from ..context import Scope
from ..redaction import Redactor
from ..version import __version__


class Given:
    """Where the calls of one given TracerProvider belong."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self._tracer: Tracer = provider.get_tracer(semconv.SCOPE_NAME, __version__)
        config = Configuration()
        self._redactor = Redactor(config.redact, max_length=config.max_content_length)
        self._outside = Scope(self._tracer, config, emit=self._emit)

    def scope(self) -> Scope:
        """The current session, whose spans the given provider makes; without one no session."""
        scope = context.session_scope()
        if scope is None:
            return self._outside
        scope = copy.copy(scope)
        scope.tracer = self._tracer
        return scope

    def _emit(self, name: str, attributes: Mapping[str, Any], span: Span | None) -> None:
        ids = (span or INVALID_SPAN).get_span_context()
        if ids.trace_flags.sampled:
            providers.emit(name, self._redactor.clean_attributes(attributes, name), ids)


_latest: Given | None = None


def scope() -> Scope | None:
    """Where a call made now belongs; None where it is not to be recorded."""
    global _latest  # noqa: PLW0603  (one set of providers for a process)
    provider = providers.given.tracer
    if provider is None:
        return context.scope_for("LLM calls")
    if _latest is None or _latest.provider is not provider:
        _latest = Given(provider)
    return _latest.scope()
