"""The events of the AgentOps API, and how `record()` makes each one a span.

An event is a plain object that the user fills; nothing leaves the process until `record()` sees it. The span carries
the event's own start and end, so an event can be recorded after the fact. Fields and defaults are those of AgentOps; in
`ActionEvent` and `ToolEvent` the first positional argument is the action type or the tool's name.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic_ns, time_ns
from typing import Any, Final
from uuid import UUID, uuid4

from opentelemetry.context import create_key, get_value
from opentelemetry.trace import Link, Span, SpanContext, SpanKind

from . import checks, environment, guard, semconv, timestamps
from .config import Configuration
from .context import Scope, scope_for
from .event_messages import messages
from .log import logger
from .pricing import provider_of
from .span_failure import message_of, write_failure
from .text import brief, cut, stacktrace_of
from .timestamps import LAST_NS, Timestamp
from .values import sanitize, to_text

AGENT_KEY: Final = create_key("agentops-agent")
"""Key of the id of the agent whose code is running, in the OpenTelemetry context."""

_NAME_LENGTH: Final = 256


def current_agent_id() -> str | None:
    """The id of the agent whose code is running, None outside of every agent."""
    agent_id = get_value(AGENT_KEY)
    return agent_id if isinstance(agent_id, str) else None


@dataclass(eq=False)
class Event:
    """Something that happened in a session, recorded by `record()`.

    Args:
        event_type: what kind of event this is. params: what went in; any object. returns: what came out; any object.
        init_timestamp: when it began: ISO 8601 text, datetime or epoch seconds, in UTC unless it has an offset.
        Default: now. end_timestamp: when it ended. Default: the moment of `record()`. agent_id: the agent that did it.
        Default: the agent whose code is running. id: identifies the event.
    """

    event_type: str
    params: Any = None
    returns: Any = None
    init_timestamp: Timestamp | None = None
    end_timestamp: Timestamp | None = None
    agent_id: UUID | str | None = None
    id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        self._span_context: SpanContext | None = None
        self._made = 0
        try:
            if self.init_timestamp is None:
                self._made, self.init_timestamp = monotonic_ns(), timestamps.now()
            self.agent_id = current_agent_id() if self.agent_id is None else self.agent_id
        except Exception:
            guard.report("the making of an event")


@dataclass(eq=False, init=False)
class ActionEvent(Event):
    """An action of an agent: ``ActionEvent("search", params={...}, returns=...)``.

    Args:
        action_type: what was done; the span's name.
        logs: anything worth keeping about it.
        screenshot: URL or data of a picture of the page the agent saw.
    """

    action_type: str | None = None
    logs: Any = None
    screenshot: str | None = None

    def __init__(
        self,
        action_type: str | None = None,
        params: Any = None,
        returns: Any = None,
        init_timestamp: Timestamp | None = None,
        end_timestamp: Timestamp | None = None,
        agent_id: UUID | str | None = None,
        id: UUID | None = None,  # noqa: A002  (AgentOps' name)
        logs: Any = None,
        screenshot: str | None = None,
        *,
        event_type: str = "action",
    ) -> None:
        super().__init__(
            event_type, params, returns, init_timestamp, end_timestamp, agent_id, uuid4() if id is None else id
        )
        self.action_type = action_type
        self.logs = logs
        self.screenshot = screenshot


@dataclass(eq=False)
class LLMEvent(Event):
    """A call of a language model that no instrumentation saw.

    Args:
        thread_id: the provider's conversation or thread.
        prompt: text, or messages in the form of the chat APIs.
        prompt_tokens: all input tokens, cached ones included.
        completion: text, or a message in the form of the chat APIs.
        completion_tokens: all output tokens, reasoning included.
        model: the model's name.
        cost: what the call cost, in US dollars.
    """

    event_type: str = "llms"
    thread_id: UUID | str | None = None
    prompt: Any = None
    prompt_tokens: int | None = None
    completion: Any = None
    completion_tokens: int | None = None
    model: str | None = None
    cost: float | None = None


@dataclass(eq=False, init=False)
class ToolEvent(Event):
    """A call of a tool: ``ToolEvent("search", params={...}, returns=...)``.

    Args:
        name: the tool's name.
        logs: anything worth keeping about it.
    """

    name: str | None = None
    logs: Any = None

    def __init__(
        self,
        name: str | None = None,
        params: Any = None,
        returns: Any = None,
        init_timestamp: Timestamp | None = None,
        end_timestamp: Timestamp | None = None,
        agent_id: UUID | str | None = None,
        id: UUID | None = None,  # noqa: A002  (AgentOps' name)
        logs: Any = None,
        *,
        event_type: str = "tools",
    ) -> None:
        super().__init__(
            event_type, params, returns, init_timestamp, end_timestamp, agent_id, uuid4() if id is None else id
        )
        self.name = name
        self.logs = logs


@dataclass(eq=False, init=False)
class ErrorEvent(Event):
    """An error, linked to the event that failed when that was recorded.

    `exception` is read at once and not kept, as in AgentOps, so an event does not keep the frames of a traceback alive.

    Args:
        trigger_event: the event that failed.
        exception: gives `error_type`, `details` and the stack trace; the first two only where they are not given.
        error_type: the kind of error.
        code: the error's code.
        details: what went wrong.
        logs: anything worth keeping about it.
        timestamp: when it happened; the span's start and end, unless `init_timestamp` or `end_timestamp` say otherwise.
    """

    trigger_event: Event | None = None
    exception: BaseException | None = None
    error_type: str | None = None
    code: str | int | None = None
    details: Any = None
    logs: Any = None
    timestamp: Timestamp | None = None

    def __init__(
        self,
        trigger_event: Event | None = None,
        exception: BaseException | None = None,
        error_type: str | None = None,
        code: str | int | None = None,
        details: Any = None,
        logs: Any = None,
        timestamp: Timestamp | None = None,
        *,
        event_type: str = "errors",
        params: Any = None,
        returns: Any = None,
        init_timestamp: Timestamp | None = None,
        end_timestamp: Timestamp | None = None,
        agent_id: UUID | str | None = None,
        id: UUID | None = None,  # noqa: A002  (AgentOps' name)
    ) -> None:
        super().__init__(
            event_type, params, returns, init_timestamp, end_timestamp, agent_id, uuid4() if id is None else id
        )
        self.trigger_event = trigger_event
        self.trigger_event_id: UUID | None = None
        self.trigger_event_type: str | None = None
        self.exception = None
        self.error_type = error_type
        self.code = code
        self.details = details
        self.logs = logs
        self.timestamp = timestamp
        self._stacktrace: str | None = None
        try:
            self._complete(exception, init_timestamp)
        except Exception:
            guard.report("the making of an event")

    def _complete(self, exception: BaseException | None, init_timestamp: Timestamp | None) -> None:
        self.timestamp = timestamps.now() if self.timestamp is None else self.timestamp
        self.init_timestamp: Timestamp | None = self.timestamp if init_timestamp is None else init_timestamp
        self.end_timestamp: Timestamp | None = self.timestamp if self.end_timestamp is None else self.end_timestamp
        trigger = self.trigger_event if _is(self.trigger_event, Event) else None
        self.trigger_event_id = None if trigger is None else trigger.id
        self.trigger_event_type = None if trigger is None else trigger.event_type
        if exception is not None and _is(exception, BaseException):
            # Not `details or ...`: what a user's object says of its truth may be an exception.
            self.error_type = type(exception).__name__ if self.error_type is None else self.error_type
            self.details = message_of(exception) if self.details is None else self.details
            self._stacktrace = stacktrace_of(exception)


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    """As `isinstance()`, which asks the object, and an object can raise."""
    return issubclass(type(value), kind)


def record(event: Event | BaseException) -> None:
    """Make the event a span of the current session, under the current span.

    An exception is recorded as ``ErrorEvent(exception=...)``. Never raises: an argument that is not an event, an event
    that was recorded before, and a call outside of a session lead to a warning, and nothing is recorded.

    Example:
        ```python
        import agentops_otel as agentops

        agentops.init()
        agentops.record(agentops.ActionEvent("mail", params={"to": "ada"}, returns="sent"))
        agentops.end_session("Success")
        ```
    """
    record_in(None, event)


def record_in(scope: Scope | None, event: Event | BaseException) -> None:
    """As `record()`, in the given scope, the current one when it is left out."""
    try:
        if _is(event, (Event, BaseException)):
            _record(scope or scope_for("record()"), event)
        else:
            logger.warning(
                "record(): expected an event or an exception, got %.100s; nothing was recorded", type(event).__name__
            )
    except Exception:
        guard.report("record()")


def _record(scope: Scope | None, event: Event | BaseException) -> None:
    if scope is None:
        return
    if isinstance(event, BaseException):
        event = ErrorEvent(exception=event)
    if event._span_context is not None:  # noqa: SLF001  (the field is this module's)
        logger.warning("%s %s was recorded before; it is not recorded again", type(event).__name__, _id(event.id))
        return
    start_ns, end_ns = _times(event)
    name, kind, attributes, write = _shape(event)
    attributes[semconv.EVENT_ID] = _id(event.id)
    if event.agent_id is not None:
        attributes[semconv.EVENT_AGENT_ID] = _id(event.agent_id)
    links = [Link(trigger)] if (trigger := _trigger(event)) else []
    span = scope.start_span(name, kind=kind, attributes=attributes, links=links, start_time=start_ns)
    event._span_context = span.get_span_context()  # noqa: SLF001
    try:
        if span.is_recording():
            write(span, event, scope.config)
    finally:
        span.end(end_ns)


def _shape(event: Event) -> tuple[str, SpanKind, dict[str, Any], Callable[[Span, Any, Configuration], None]]:
    """The span's name, its kind, the attributes it starts with, and what writes the rest."""
    if isinstance(event, ErrorEvent):
        kind = _word(event.error_type) or "Error"
        start = {semconv.SPAN_KIND: semconv.KIND_ERROR, semconv.ERROR_TYPE: kind}
        return f"error {kind}", SpanKind.INTERNAL, start, _write_error
    if isinstance(event, LLMEvent):
        return f"{semconv.OPERATION_CHAT} {_word(event.model)}".strip(), SpanKind.CLIENT, _llm_start(event), _write_llm
    if isinstance(event, ToolEvent):
        operation = semconv.OPERATION_EXECUTE_TOOL
        start = {semconv.SPAN_KIND: semconv.KIND_TOOL, semconv.OPERATION_NAME: operation, semconv.TOOL_TYPE: "function"}
        tool = _word(event.name)
        start |= {semconv.TOOL_NAME: tool} if tool else {}
        return f"{operation} {tool}".strip(), SpanKind.INTERNAL, start, _write_tool
    action = _word(getattr(event, "action_type", None)) or _word(event.event_type) or semconv.KIND_ACTION
    return (
        action,
        SpanKind.INTERNAL,
        {
            semconv.SPAN_KIND: semconv.KIND_ACTION,
            semconv.OPENINFERENCE_SPAN_KIND: semconv.OPENINFERENCE_CHAIN,
            semconv.ACTION_TYPE: action,
        },
        _write_action,
    )


def _llm_start(event: LLMEvent) -> dict[str, Any]:
    start = {semconv.SPAN_KIND: semconv.KIND_LLM, semconv.OPERATION_NAME: semconv.OPERATION_CHAT}
    if model := _word(event.model):
        start[semconv.REQUEST_MODEL] = model
        provider = provider_of(model)
        start |= {semconv.PROVIDER_NAME: provider} if provider else {}
    if event.thread_id is not None:
        start[semconv.CONVERSATION_ID] = _word(event.thread_id)
    return start


def _write_action(span: Span, event: Event, config: Configuration) -> None:
    write_content(span, config, semconv.ACTION_PARAMS, event.params, copy=semconv.INPUT_VALUE)
    write_content(span, config, semconv.ACTION_RETURNS, event.returns, copy=semconv.OUTPUT_VALUE)
    _write_content(span, config, {
        semconv.ACTION_LOGS: getattr(event, "logs", None),
        semconv.ACTION_SCREENSHOT: getattr(event, "screenshot", None),
    })  # fmt: skip


def _write_tool(span: Span, event: ToolEvent, config: Configuration) -> None:
    _write_content(span, config, {
        semconv.TOOL_CALL_ARGUMENTS: event.params,
        semconv.TOOL_CALL_RESULT: event.returns,
        semconv.LOGS: event.logs,
    })  # fmt: skip


def _write_llm(span: Span, event: LLMEvent, config: Configuration) -> None:
    for key, name, given in (
        (semconv.USAGE_INPUT_TOKENS, "prompt_tokens", event.prompt_tokens),
        (semconv.USAGE_OUTPUT_TOKENS, "completion_tokens", event.completion_tokens),
    ):
        count = _count(given)
        if count is not None:
            span.set_attribute(key, count)
        elif given is not None:
            message = "LLMEvent: %s=%.100s is not valid: expected a whole number of tokens; it is not recorded"
            logger.warning(message, name, _shown(given))
    _write_cost(span, event.cost)
    _write_content(span, config, {
        semconv.INPUT_MESSAGES: messages(event.prompt, "user"),
        semconv.OUTPUT_MESSAGES: messages(event.completion, "assistant"),
        semconv.ENTITY_INPUT: event.params,
        semconv.ENTITY_OUTPUT: event.returns,
    })  # fmt: skip


def _count(value: object) -> int | None:
    """A number of tokens, also as a float or a text of digits, and numpy's."""
    try:
        is_written = _is(value, str) or (_is(value, float) and float(value).is_integer())  # type: ignore[arg-type]
        number = int(value) if is_written else operator.index(value)  # type: ignore[call-overload, arg-type]
    except Exception:
        return None
    return number if 0 <= number <= LAST_NS and not _is(value, bool) else None


def _write_cost(span: Span, cost: Any) -> None:
    if cost is None:
        return
    try:
        amount = checks.as_cost(cost)
    except checks.NotValid as expected:
        message = "LLMEvent: cost=%.100s is not valid: expected %s; it is not recorded"
        logger.warning(message, _shown(cost), expected)
        return
    span.set_attribute(semconv.COST_AMOUNT, amount)
    span.set_attribute(semconv.COST_CURRENCY, "USD")
    span.set_attribute(semconv.COST_SOURCE, semconv.COST_SOURCE_PROVIDER)


def _write_error(span: Span, event: ErrorEvent, config: Configuration) -> None:
    kind = _word(event.error_type) or "Error"
    details = None if event.details is None else to_text(event.details, max_length=config.max_content_length)
    if event.code is not None:
        span.set_attribute(semconv.ERROR_CODE, _word(event.code))
    if trigger := _trigger(event):
        span.set_attribute(semconv.ERROR_TRIGGER_SPAN_ID, f"{trigger.span_id:016x}")
    if details is not None and config.capture_content != "off":
        span.set_attribute(semconv.ERROR_DETAILS, details)
    _write_content(span, config, {semconv.ERROR_LOGS: event.logs})
    write_failure(span, config, kind, details, event._stacktrace, timestamps.nanoseconds(event.timestamp))  # noqa: SLF001


def _write_content(span: Span, config: Configuration, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        write_content(span, config, key, value)


def write_content(span: Span, config: Configuration, key: str, value: object, *, copy: str | None = None) -> None:
    """Give the span a value that is content, where content is captured; and in short under a name of other readers."""
    if value is None or not config._content_on_spans:
        return
    text = to_text(value, max_length=config.max_content_length)
    span.set_attribute(key, text)
    if copy is not None:
        span.set_attribute(copy, brief(text))


def _trigger(event: Event) -> SpanContext | None:
    trigger = event.trigger_event if isinstance(event, ErrorEvent) else None
    return trigger._span_context if trigger is not None and _is(trigger, Event) else None  # noqa: SLF001


def _word(value: object) -> str:
    """A name or code as one short text; empty for None."""
    if value is None:
        return ""
    return cut(to_text(value), _NAME_LENGTH)


def _id(value: object) -> str:
    return cut(str(sanitize(value)), _NAME_LENGTH)


def _times(event: Event) -> tuple[int, int]:
    """Start and end in nanoseconds since 1970; what cannot be used is a warning, and now is used."""
    now = time_ns()
    start = _checked(event, "init_timestamp", event.init_timestamp, now)
    given_end = event.end_timestamp
    if now < start and event._made:  # noqa: SLF001  (the clock was set back since)
        now = start + monotonic_ns() - event._made  # noqa: SLF001
    if given_end is None:
        event.end_timestamp = timestamps.iso(now)
    if given_end is None or given_end is event.init_timestamp:
        end = start if given_end is not None else max(now, start)
    else:
        end = _checked(event, "end_timestamp", given_end, max(now, start))
    if end >= start:
        return start, end
    logger.warning("%s: end_timestamp is before init_timestamp; the current time is used", type(event).__name__)
    return start, max(now, start)


def _checked(event: Event, name: str, value: object, default: int) -> int:
    if value is None:
        return default
    found = timestamps.nanoseconds(value)
    if found is not None:
        return found
    message = "%s: %s=%.100s is not valid: expected ISO 8601, a datetime or epoch seconds. The current time is used"
    logger.warning(message, type(event).__name__, name, _shown(value))
    return default


def _shown(value: object) -> str:
    """A value for a message; of one that can hold anything, its class."""
    return environment.shown(value if _is(value, (str, int, float, datetime)) else type(value))
