"""One received span of any dialect -> its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from .. import pricing, semconv
from ..dialects.dialect import Content, Dialect, Field
from ..dialects.order import spoken
from ..messages import digest, opened, structured
from ..rows import Kind, SpanBody, SpanRow
from ..usage import Usage
from .failure import NO_FAILURE, failure_of, status_of
from .log import SPAN_NAME_LENGTH, STATES
from .previews import arguments_of, calls_of, previews, result_of
from .process import process_of, server_of
from .received import ReceivedSpan
from .said import MESSAGE_LENGTH, NAME_LENGTH, Said, text_of_value
from .spent import cost_of, usage_of

_MOST_REASONS: Final = 100
_MOST_DROPPED: Final = 10**12


def normalize(span: ReceivedSpan) -> SpanRow:
    """The row of a span, with its body."""
    attributes = span.attributes
    by, dialects, fields = spoken(span.source.scope, attributes)
    said = Said(attributes, fields)
    usage = usage_of(attributes, by, dialects)
    kind = _kind(span, dialects, said, usage)
    content = _content(span, dialects, kind)
    arguments, result = (None, None) if kind == "llm" else (arguments_of(said), result_of(said))
    status = status_of(span, said)
    error = failure_of(span, said) if status == "error" or kind == "error" else NO_FAILURE
    request_model, model = _models(attributes, dialects, said)
    provider = _provider(said, kind, model)
    cost, table = cost_of(span, dialects, kind, provider, model, usage, said)
    asked, answered = previews(kind, content, arguments, result)
    state = said.text("end_state")
    label = _label(span, kind, said, model, error.type)
    return SpanRow(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        session_id=said.text("session_id"),
        kind=kind,
        name=span.name[:SPAN_NAME_LENGTH],
        label=label,
        start_ns=_start(span, kind),
        end_ns=span.end_ns,
        status=status,
        status_message=(span.status_message or said.text("status_message", MESSAGE_LENGTH) or "")[:MESSAGE_LENGTH],
        operation=said.text("operation"),
        provider=provider,
        model=model,
        request_model=request_model,
        response_id=said.text("response_id"),
        usage=usage,
        cost=None if cost is None else cost.amount,
        cost_source=None if cost is None else cost.source,
        price_table=table,
        first_token_ns=_first_token(span, said),
        finish_reasons=_finish_reasons(said, content),
        outcome=said.text("outcome"),
        retries=said.count("retries"),
        server=server_of(said),
        tool_call_id=said.text("tool_call_id"),
        arguments_digest=_arguments_digest(kind, label, arguments),
        agent=said.text("agent") or (label if kind == "agent" else None),
        error_type=error.type,
        error_message=error.message,
        trigger_id=said.text("trigger_id"),
        asked=asked,
        answered=answered,
        calls=calls_of(content.output),
        tags=_tags(said, by),
        end_state=None if state is None else STATES.get(state.lower()),
        end_reason=said.text("end_reason", MESSAGE_LENGTH),
        session_name=said.text("session_name") or (said.text("label") if kind == "session" else None),
        video=said.text("video", MESSAGE_LENGTH),
        dropped_spans=_dropped(attributes),
        replayed=attributes.get(semconv.REPLAYED) is True,
        dialect=_dialect(by, content),
        process=process_of(span.source.resource),
        body=SpanBody(
            system=content.system,
            input=content.input,
            output=content.output,
            tools=content.tools,
            arguments=arguments,
            result=result,
            logs=said.content("logs"),
            stack=error.stack,
            attributes=_without(attributes, content.used),
            events=span.events,
            links=span.links,
            source=span.source,
            trace_state=span.trace_state,
            flags=span.flags,
            otel_kind=span.otel_kind,
        ),
    )


def _kind(span: ReceivedSpan, dialects: Iterable[Dialect], said: Said, usage: Usage | None) -> Kind:
    attributes = span.attributes
    for dialect in dialects:
        kind = None if dialect.kind is None else dialect.kind(span.source.scope, attributes)
        if kind is not None:
            return kind
    for dialect in dialects:
        for name, kinds in dialect.kinds:
            value = attributes.get(name)
            if type(value) is str:
                kind = kinds.get(value) or kinds.get(value.lower())
                if kind is not None:
                    return kind
    return _implied_kind(attributes, usage)


def _implied_kind(attributes: Mapping[str, Any], usage: Usage | None) -> Kind:
    """The kind of a span that does not say it, as of releases before the conventions had operations."""
    if semconv.OPERATION_NAME in attributes:
        return "step"
    if usage is not None and semconv.REQUEST_MODEL in attributes:
        return "llm"
    if semconv.TOOL_NAME in attributes:
        return "tool"
    return "agent" if "agent_name" in attributes else "step"


_LABELS: Final[Mapping[Kind, Field]] = {
    "action": "action",
    "agent": "agent",
    "session": "session_name",
    "tool": "tool",
    "workflow": "workflow",
}


def _label(span: ReceivedSpan, kind: Kind, said: Said, model: str | None, error: str | None) -> str:
    found = model if kind == "llm" else error if kind == "error" else None
    if kind in _LABELS:
        found = said.text(_LABELS[kind])
    return found or said.text("label") or span.name[:NAME_LENGTH]


def _models(attributes: Mapping[str, Any], dialects: Iterable[Dialect], said: Said) -> tuple[str | None, str | None]:
    """The model that was asked for, and the one that answered or else was asked for."""
    request = said.text("request_model")
    answered = said.text("response_model")
    if request is None and answered is None:
        found = (dialect.model(attributes) for dialect in dialects if dialect.model is not None)
        request = text_of_value(next(filter(None, found), None))
    return request, answered or request


def _provider(said: Said, kind: Kind, model: str | None) -> str | None:
    """As the conventions name it; of a call that does not say it, whose model it can only be."""
    name = said.text("provider")
    if name is not None:
        return _PROVIDERS.get(name.lower(), name.lower())
    return pricing.provider_of(model) if model and kind == "llm" else None


_PROVIDERS: Final = {
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "google_genai": "gcp.gemini",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "xai": "x_ai",
}


def _dialect(by: Dialect | None, content: Content) -> str:
    if by is not None:
        return by.name
    # (as it is when its messages have the names of the conventions: an exported span is imported as the same)
    return "genai" if content.input or content.output or content.tools is not None else "other"


def _tags(said: Said, by: Dialect | None) -> tuple[str, ...]:
    tags = said.texts("tags")
    return tags if by is None or not by.own_tags else tuple(tag for tag in tags if tag not in by.own_tags)


def _start(span: ReceivedSpan, kind: Kind) -> int:
    """Logfire's log of a streamed answer is a point in time and says how long it took."""
    seconds = span.attributes.get("duration")
    if kind != "llm" or span.start_ns != span.end_ns or type(seconds) is not float or not 0 < seconds < 1e6:
        return span.start_ns
    return max(1, span.start_ns - round(seconds * 1e9))


def _without(attributes: Mapping[str, Any], used: frozenset[str]) -> Mapping[str, Any]:
    if used.isdisjoint(attributes):
        return attributes
    left = dict(attributes)
    for name in used:
        left.pop(name, None)
    return left


def _content(span: ReceivedSpan, dialects: Iterable[Dialect], kind: Kind) -> Content:
    """The messages, each kind of them from the first dialect that has any."""
    found = _NO_CONTENT
    for dialect in dialects:
        new = None if dialect.content is None else dialect.content(span.attributes, span.events, kind)
        if new is not None:
            found = new if found is _NO_CONTENT else _joined(found, new)
    if found is _NO_CONTENT:
        return found
    system, given, said, tools = found.system, found.input, found.output, found.tools
    flags = zip(_CONTENT, (system, given, said, tools is not None), strict=True)
    return Content(system, given, said, tools, found.used.union([name for name, is_there in flags if is_there]))


def _joined(one: Content, other: Content) -> Content:
    return Content(
        one.system or other.system,
        one.input or other.input,
        one.output or other.output,
        other.tools if one.tools is None else one.tools,
        one.used | other.used,
    )


_NO_CONTENT: Final = Content()
_CONTENT: Final = (
    semconv.SYSTEM_INSTRUCTIONS,
    semconv.INPUT_MESSAGES,
    semconv.OUTPUT_MESSAGES,
    semconv.TOOL_DEFINITIONS,
)


def _finish_reasons(said: Said, content: Content) -> tuple[str, ...]:
    value = said.value("finish_reasons")
    value = opened(value) if type(value) is str and value.startswith(("[", '"')) else value
    value = [value] if type(value) is str else value
    if type(value) is list and value:
        return tuple(each[:NAME_LENGTH] for each in value[:_MOST_REASONS] if type(each) is str)
    return tuple(each.finish_reason for each in content.output if each.finish_reason)


def _arguments_digest(kind: Kind, label: str, arguments: str | None) -> str | None:
    return digest(label, structured(arguments)) if kind in ("tool", "action") and arguments is not None else None


def _first_token(span: ReceivedSpan, said: Said) -> int | None:
    seconds = said.value("first_token_seconds")
    if isinstance(seconds, (int, float)) and 0 <= seconds < 1e7:
        return round(seconds * 1e9)
    began = said.text("completion_start")
    if began is None:
        first = next((event.time_ns for event in span.events if event.name in _FIRST_TOKENS), None)
        return None if first is None else max(0, first - span.start_ns)
    try:
        moment = datetime.fromisoformat(began.strip('"').replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    return max(0, round(moment.timestamp() * 1e9) - span.start_ns)


_FIRST_TOKENS: Final = frozenset(
    {
        "First Token Stream Event",
        "first_token_received",
        "gen_ai.content.completion.chunk",
        "llm.content.completion.chunk",
    }
)


def _dropped(attributes: Mapping[str, Any]) -> int:
    value = attributes.get(semconv.DROPPED_SPANS)
    return value if type(value) is int and 0 < value < _MOST_DROPPED else 0
