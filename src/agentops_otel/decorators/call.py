"""One recorded call of a decorated function: its span, and whatever ends it.

The user's function is called exactly once, whatever becomes of the recording: nothing here lets an exception out.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import CodeType, TracebackType
from typing import Any, Final

from opentelemetry.context import Context, create_key
from opentelemetry.trace import Span, set_span_in_context

from .. import guard, semconv
from ..config import Configuration
from ..context import CURRENT, scope_for
from ..events import AGENT_KEY
from ..following import STEPS
from ..span_failure import write_exception
from ..text import brief
from ..values import to_text
from .plan import AGENT, Plan

_CALL_KEY: Final = create_key("agentops-call")
# These are not failures: the function was asked to stop.
_CANCELLED: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)
_MISSING: Final = object()
# The code of our wrappers: a traceback that went through one of them below has been recorded there.
WRAPPERS: Final[set[CodeType]] = {*STEPS}


# Which call's code runs in this contextvars context, where a call may end in another one than it began in. What is
# attached as OpenTelemetry's context does not say: the code may attach and detach as it likes.
_INSIDE: ContextVar[Call | None] = ContextVar("agentops-inside", default=None)


class Call:
    """One recorded call: its span, and the context in which the function's code runs."""

    __slots__ = (
        "config", "content", "context", "ended", "inside", "instance", "outer", "own_context", "plan", "previous",
        "span",
    )  # fmt: skip

    def __init__(self, plan: Plan, span: Span, config: Configuration, instance: int | None, outer: Call | None) -> None:
        self.plan: Plan = plan
        self.own_context: bool = plan.own_context
        self.span: Span = span
        self.config: Configuration = config
        self.instance: int | None = instance  # id() of the instance of a decorated class whose method this is
        self.outer: Call | None = outer  # the nearest such call around this one
        self.previous: Context | None = None
        self.inside: Call | None = None
        self.context: Context = Context()
        self.content: dict[str, str] = {}  # attributes for the end: setting several at once costs as much as one
        self.ended: bool = False

    # What `following.py` asks of a call:

    def resume(self) -> None:
        """Make its span the current one."""
        enter(self)

    def pause(self) -> None:
        """Give the caller its context back."""
        leave(self)

    def finish(self, result: object) -> None:
        """Pause it, and end it well."""
        finish(self, result)

    def fail(self, error: BaseException) -> None:
        """Pause it, and end it with an error."""
        fail(self, error)

    def end(self) -> None:
        """End it; nothing is known of its result."""
        _end(self)

    def leave(self) -> None:
        """Give the caller its context back, as it was, even when the user's code left something attached.

        No tokens: a coroutine dropped half-way is closed in whatever context the garbage collector runs in, where a
        token is an error and the context is not ours to change.
        """
        previous, inside = self.previous, self.inside
        self.previous = self.inside = None
        if previous is None:
            return
        restore = True
        try:
            current = CURRENT.get()
            if current.get(_CALL_KEY) is self:
                self.context = current  # a generator finds at its next step what it attached in this one
            if not self.own_context:
                restore = _INSIDE.get() is self
                if restore:
                    _INSIDE.set(inside)
        finally:
            if restore:
                CURRENT.set(previous)


def start(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any], bound_to: object = None) -> Call | None:
    """Start recording a call, of an instance where what is called was looked up on one; None: it is not recorded."""
    try:
        if bound_to is not None and plan.parameters.is_method:
            args = (bound_to, *args)
        scope = scope_for(plan.kind.decorator)
        if scope is None:
            return None
        current = CURRENT.get()
        outer = _open_outer(current)
        instance = args[0] if args and plan.parameters.is_method else None
        owner = id(instance) if plan.of_class else None
        if owner is not None and _within(owner, outer):
            return None
        name, attributes, agent_id = _identity(plan, instance, current)
        span = scope.start_span(plan.kind.span_name(name), attributes=attributes, leaf=True)
        call = Call(plan, span, scope.config, owner, outer)
        call.context = set_span_in_context(span, Context({**current, _CALL_KEY: call, AGENT_KEY: agent_id}))
    except Exception:
        guard.report(plan.where)
        return None
    _write_content(call, plan.kind.input_key, semconv.INPUT_VALUE, lambda: plan.parameters.bind(args, kwargs))
    return call


def _open_outer(current: Context) -> Call | None:
    """The nearest open call of a decorated class's method; ended ones are let go, so contexts never chain up."""
    call = current.get(_CALL_KEY)
    outer = call if isinstance(call, Call) else None
    while outer is not None and (outer.ended or outer.instance is None):
        outer = outer.outer
    return outer


def _within(owner: int, call: Call | None) -> bool:
    while call is not None:
        if call.instance == owner and not call.ended:
            return True
        call = call.outer
    return False


def _identity(plan: Plan, instance: Any, current: Context) -> tuple[str, dict[str, Any], object]:
    """The name, the attributes and the agent of a call."""
    attributes = dict(plan.attributes)
    agent_id = plan.agent_id or current.get(AGENT_KEY)
    if (
        instance is not None
        and _read(type.__getattribute__, type(instance), "agentops_agent_id", _MISSING) is not _MISSING
    ):
        agent_id = _read(object.__getattribute__, instance, "agentops_agent_id") or agent_id
    if plan.kind is not AGENT:
        if agent_id is not None:
            attributes[semconv.EVENT_AGENT_ID] = agent_id
        return plan.name, attributes, agent_id
    if agent_id is not None:
        attributes[semconv.AGENT_ID] = agent_id
    if not plan.of_class:
        return plan.name, attributes, agent_id
    own = _read(object.__getattribute__, instance, "agentops_agent_name")
    if own is None:
        more = _read(
            object.__getattribute__, instance, "__pydantic_extra__"
        )  # where a model keeps what it does not know
        own = more.get("agentops_agent_name") if isinstance(more, dict) else None
    name = own if isinstance(own, str) and own else type(instance).__name__
    attributes[plan.kind.name_key] = name
    return name, attributes, agent_id


def _read(get: Callable[[Any, str], Any], of: Any, name: str, default: object = None) -> Any:
    """An attribute that is there; an instance's own ways to make up others are not asked."""
    try:
        return get(of, name)
    except Exception:  # (of a property, too)
        return default


def _write_content(call: Call, key: str, copy: str, value: Callable[[], object]) -> None:
    try:
        if call.config._content_on_spans and call.span.is_recording():
            text = call.content[key] = to_text(value(), max_length=call.config.max_content_length)
            if call.plan.kind.reader_kind:
                call.content[copy] = brief(text)
    except Exception:
        guard.report(call.plan.where)


def enter(call: Call | None) -> None:
    """The function's own code begins or goes on."""
    if call is None:
        return
    try:
        call.previous = CURRENT.get()
        if not call.own_context:
            call.inside = _INSIDE.get()
            _INSIDE.set(call)
        CURRENT.set(call.context)
    except Exception:
        guard.report(call.plan.where)


def leave(call: Call | None) -> None:
    """It has ended, or waits for its reader."""
    if call is None:
        return
    try:
        call.leave()
    except Exception:
        guard.report(call.plan.where)


def finish(call: Call, result: object) -> None:
    """The function has returned."""
    leave(call)
    try:
        if result is not None:
            _write_content(call, call.plan.kind.output_key, semconv.OUTPUT_VALUE, lambda: result)
    finally:
        _end(call)


def fail(call: Call, error: BaseException) -> None:
    """The function has raised."""
    leave(call)
    try:
        if issubclass(type(error), _CANCELLED) or type(error).__name__ == "Cancelled":  # the latter is trio's
            call.span.set_attribute(semconv.CANCELLED, True)
        else:
            write_exception(call.span, error, call.config, event=not _recorded_below(error, call))
    except Exception:
        guard.report(call.plan.where)
    finally:
        _end(call)


def _end(call: Call) -> None:
    try:
        if not call.ended:
            call.ended = True
            try:
                call.span.set_attributes(call.content)
            finally:
                call.span.end()
    except Exception:
        guard.report(call.plan.where)


def _recorded_below(error: BaseException, call: Call) -> bool:
    """Whether the exception came through another decorated call, which recorded it.

    The traceback is the one mark that belongs to the exception object and leaves nothing on it: exceptions of built-in
    types take no weak reference, and an id is reused as soon as its object is gone.
    """
    traceback = _traceback_of(error)
    if traceback is not None and sys.exc_info()[1] is error:
        # It begins with the frame that handles it, this call's own. That one is not below, and up to Python 3.12 a look
        # at its locals would keep them, the exception among them, in a cycle.
        traceback = traceback.tb_next
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code in WRAPPERS:
            other = frame.f_locals.get("call")
            if isinstance(other, Call) and other is not call:
                return True
        traceback = traceback.tb_next
    return False


def _traceback_of(error: BaseException) -> TracebackType | None:
    """The exception's traceback, whatever its class makes of the name."""
    traceback: TracebackType | None = vars(BaseException)["__traceback__"].__get__(error)
    return traceback
