"""Which session is current: the context's own, else the process's; and how a child process joins.

Nothing here decides how a session begins or ends. A `Scope` is what the making of a span needs to know of a session; it
lives on the OpenTelemetry context, so that whatever carries that context (tasks, `contextvars.copy_context()`) carries
the session too.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Tracer

from .config import Configuration
from .log import logger
from .semconv import SESSION_ID

INHERITED_VARIABLE: Final = "AGENTOPS_SESSION_ID"
_KEY: Final = otel_context.create_key("agentops-session")


class _Functions:
    """OpenTelemetry's functions under the names of a variable's methods."""

    get = staticmethod(otel_context.get_current)
    set = staticmethod(otel_context.attach)
    reset = staticmethod(otel_context.detach)


def _variable() -> Any:
    """The variable that holds OpenTelemetry's current context; its functions where OTEL_PYTHON_CONTEXT has none."""
    token = otel_context.attach(otel_context.get_current())
    variable = getattr(token, "var", _Functions)
    variable.reset(token)
    return variable


CURRENT: Final = _variable()
"""`get()`, `set()` and `reset()` the current context, at a third of what `get_current()` and `attach()` cost."""
Emit = Callable[[str, Mapping[str, Any], "Span | None"], None]


class Scope:
    """Where spans made now belong: a session, or with `require_session` off no session at all.

    Attributes:
        session_id: UUID text; None outside a session.
        trace_id: the same 128 bits; 0 outside a session.
        config: the settings of the session.
        tracer: what makes its spans.
        context: an OpenTelemetry context in which the session's root is the current span.
        session: the `Session` itself, for those above who know that class.
        ended: set once; an ended scope is never current again.
    """

    __slots__ = (
        "__weakref__", "_emit", "_identity", "_root", "_root_ids",
        "config", "context", "ended", "session", "session_id", "trace_id", "tracer",
    )  # fmt: skip

    def __init__(
        self,
        tracer: Tracer,
        config: Configuration,
        *,
        session_id: str | None = None,
        trace_id: int = 0,
        root: Span = trace.INVALID_SPAN,
        emit: Emit | None = None,
    ) -> None:
        self.tracer: Tracer = tracer
        self._root = root
        self._root_ids = root.get_span_context()
        self._emit = emit
        self._identity = {} if session_id is None else {SESSION_ID: session_id}
        self.config: Configuration = config
        self.session_id: str | None = session_id
        self.trace_id: int = trace_id
        self.session: object | None = None
        self.ended: bool = False
        self.context: Context = otel_context.set_value(_KEY, self, trace.set_span_in_context(root, Context()))

    def parent(self) -> Context:
        """The context for a new span.

        The current one inside this session's trace, else one whose current span is the root.
        """
        current: Context = CURRENT.get()
        if self.session_id is None:
            return current
        if not current:  # as it is in most programs
            return self.context
        if trace.get_current_span(current).get_span_context().trace_id == self.trace_id:
            return current
        return trace.set_span_in_context(self._root, otel_context.set_value(_KEY, self, current))

    def start_span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] = (),
        start_time: int | None = None,
        parent: Context | None = None,
        leaf: bool = False,
    ) -> Span:
        """Start a span of this session; the current context stays as it is.

        Args:
            start_time: nanoseconds since the epoch; now when left out.
            parent: the context of the parent; `self.parent()` when left out.
            leaf: make it the cheaper way where that is the same, see `pipeline/leaf.py`.
        """
        within = self.parent() if parent is None else parent
        # Identity comes last: the SDK's attribute limit drops the oldest.
        own = {**attributes, **self._identity} if attributes else {**self._identity}
        start_leaf = getattr(self.tracer, "start_leaf", None) if leaf else None
        if start_leaf is not None:
            ids = self._root_ids if within is self.context else trace.get_current_span(within).get_span_context()
            span: Span | None = start_leaf(name, ids, kind, own, links, start_time)
            if span is not None:
                return span
        return self.tracer.start_span(
            name, within, kind, own, links, start_time, record_exception=False, set_status_on_exception=False
        )

    def emit(self, event_name: str, attributes: Mapping[str, Any], span: Span | None = None) -> None:
        """Send a log event with the ids of `span`, or of the root; nothing happens where no logs can be sent."""
        if self._emit is not None:
            self._emit(event_name, attributes, span)


# The process's own state: the session of contexts that have none, and the scope of work outside sessions.
_process: Scope | None = None
_sessionless: Scope | None = None
_warned: set[str] = set()
_silent = False
# How a process that nobody sets up joins the session it was given; None once it has.
_join: Callable[[], object] | None = None
_handed_on: set[str] = set()  # sessions of this process, for other ones to join


def set_join(join: Callable[[], object] | None) -> None:
    """What the first recorded call does in a process that was given a session and never called `init()`."""
    global _join  # noqa: PLW0603
    _join = join


def set_process(scope: Scope | None) -> None:
    """Make a session the process's, or none."""
    global _process  # noqa: PLW0603
    _process = scope


def set_sessionless(scope: Scope | None) -> None:
    """Record work outside sessions in this scope, or not at all; also forget what was warned about."""
    global _sessionless  # noqa: PLW0603
    _sessionless = scope
    _warned.clear()


def silence() -> None:
    """Warn about nothing from now on: the process is ending."""
    global _silent  # noqa: PLW0603
    _silent = True


def session_scope(context: Context | None = None) -> Scope | None:
    """The scope of the current session: the context's own, else the process's."""
    scope = (CURRENT.get() if context is None else context).get(_KEY)
    if isinstance(scope, Scope) and not scope.ended:
        return scope
    return None if _process is None or _process.ended else _process


def current() -> Scope | None:
    """Where a span made now belongs; None when it is not to be recorded."""
    return session_scope() or _sessionless


def scope_for(what: str) -> Scope | None:
    """`current()`; when there is none, a warning says so, and later ones of a process are on debug level."""
    scope = session_scope() or _sessionless
    join = _join
    if scope is None and join is not None and inherited_session_id() is not None:
        join()
        scope = session_scope()
    if scope is None and what not in _warned and not _silent:
        level = logging.DEBUG if _warned else logging.WARNING
        _warned.add(what)  # before another thread looks
        logger.log(
            level,
            "%s: nothing is recorded, because no session is active. Call agentops_otel.start_session() first.",
            what,
        )
    return scope


def attach(scope: Scope) -> Token[Context]:
    """Make the session current in this context, its root the current span; baggage and the like stay."""
    current = otel_context.get_current()
    root = trace.get_current_span(scope.context)
    return otel_context.attach(trace.set_span_in_context(root, otel_context.set_value(_KEY, scope, current)))


def detach(token: Token[Context], scope: Scope) -> None:
    """Undo `attach()`, unless it was done in another context: there the ended scope is ignored anyhow."""
    if otel_context.get_value(_KEY) is scope:
        try:
            token.var.reset(token)
        except ValueError:
            logger.debug("session %s ends in another context than it began", scope.session_id)


def leave(token: Token[Any]) -> None:
    """Undo `opentelemetry.context.attach()`, or the setting of a variable; in another context nothing happens.

    OpenTelemetry's `detach()` logs an error there. This happens to a coroutine that was not finished: the garbage
    collector closes it in another context.
    """
    try:
        token.var.reset(token)
    except ValueError:
        logger.debug("a span was current in another context")


def hand_on(session_id: str) -> None:
    """A session of this process is put into an environment: maybe into our own, where children find it."""
    _handed_on.add(session_id)


def after_fork() -> None:
    """In a forked child: what was handed on is the parent's session, which this process may join."""
    _handed_on.clear()


def inherited_session_id() -> str | None:
    """The session that the parent process wants this one to join, as its variables say."""
    session_id = os.environ.get(INHERITED_VARIABLE)
    return session_id if session_id and session_id not in _handed_on else None
