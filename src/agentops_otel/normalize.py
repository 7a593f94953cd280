"""One received span or log event of any dialect -> one row. Pure: no store, no clock, no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final, cast
from urllib.parse import urlsplit

from . import pricing, semconv
from .dialects.dialect import Content, Cost, Dialect, Field
from .dialects.order import spoken
from .messages import as_json, as_text, digest, opened, plain, structured, text_of
from .rows import (
    Kind,
    Message,
    Process,
    Score,
    SessionEvent,
    Source,
    SpanBody,
    SpanEvent,
    SpanLink,
    SpanRow,
    State,
    Status,
)
from .usage import Usage

_NAME_LENGTH: Final = 256
_SPAN_NAME_LENGTH: Final = 1024
_MESSAGE_LENGTH: Final = 2000
_BRIEF_LENGTH: Final = 300
_MOST_TAGS: Final = 100
_MOST_TOKENS: Final = 10**12  # more is no count of tokens, and sums of it would not fit into 64 bits
_MOST_DOLLARS: Final = 1e9
_INT64: Final = 2**63
_STATUS: Final[tuple[Status, ...]] = ("unset", "ok", "error")
_STATES: Final[Mapping[str, State]] = {"success": "success", "fail": "fail", "indeterminate": "indeterminate"}
_WITH_OUTPUT: Final = frozenset({"embeddings", "embedding"})
# What an agent was asked, among the arguments of a function.
_QUESTIONS: Final = ("question", "prompt", "query", "task", "input", "message", "text", "topic", "messages")


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as OTLP said it, freed of protobuf and of JSON."""

    trace_id: str
    """32 hex digits, lower case."""
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    """Values are str, bool, int, float, bytes, None, lists and dicts of these."""
    status_code: int = 0
    """0 unset, 1 ok, 2 error."""
    status_message: str = ""
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    source: Source = field(default_factory=Source)
    otel_kind: int = 0
    trace_state: str = ""
    flags: int = 0


@dataclass(frozen=True, slots=True)
class ReceivedLog:
    """A log record as OTLP said it."""

    name: str
    """``event_name``, or the attribute ``event.name`` of older senders."""
    time_ns: int
    trace_id: str
    span_id: str
    body: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)


class _Said:
    """What a span says of a field, in the first of its dialects that says anything of it."""

    __slots__ = ("_fields", "_get")

    def __init__(self, attributes: Mapping[str, Any], fields: Mapping[Field, tuple[str, ...]]) -> None:
        self._get = attributes.get
        self._fields = fields

    def value(self, name: Field) -> Any:
        for attribute in self._fields.get(name, ()):
            value = self._get(attribute)
            if value is not None and value != "":
                return value
        return None

    def text(self, name: Field, length: int = _NAME_LENGTH) -> str | None:
        """A text; None where it is empty or none."""
        for attribute in self._fields.get(name, ()):
            value = self._get(attribute)
            if type(value) is str and value and not value.isspace():
                return value[:length]
        return None

    def content(self, name: Field) -> str | None:
        """Any value as text, JSON where it is structured."""
        value = self.value(name)
        return None if value is None else as_text(value)

    def count(self, name: Field) -> int:
        value = self.value(name)
        return value if type(value) is int and 0 <= value < _INT64 else 0

    def texts(self, name: Field) -> tuple[str, ...]:
        """A list of texts, which may be written as JSON; one text is a list of it."""
        value = self.value(name)
        if isinstance(value, str):
            value = opened(value) if value.startswith("[") else [value]
        found = [each[:_NAME_LENGTH] for each in value if type(each) is str and each] if type(value) is list else []
        return tuple(dict.fromkeys(found[:_MOST_TAGS]))


def normalize(span: ReceivedSpan) -> SpanRow:
    """The row of a span, with its body."""
    attributes = span.attributes
    by, dialects, fields = spoken(span.source.scope, attributes)
    said = _Said(attributes, fields)
    usage = _usage(attributes, by, dialects)
    kind = _kind(span, dialects, said, usage)
    content = _content(span, dialects, kind)
    arguments, result = (None, None) if kind == "llm" else (_arguments(said), _unquoted(said.content("result")))
    status = _status(span, said)
    error = _error(span, said) if status == "error" or kind == "error" else _NO_ERROR
    request_model, model = _models(attributes, dialects, said)
    provider = _provider(said, kind, model)
    cost, table = _cost(span, dialects, kind, provider, model, usage, said)
    asked, answered = _previews(kind, content, arguments, result)
    state = said.text("end_state")
    label = _label(span, kind, said, model, error.type)
    return SpanRow(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        session_id=said.text("session_id"),
        kind=kind,
        name=span.name[:_SPAN_NAME_LENGTH],
        label=label,
        start_ns=_start(span, kind),
        end_ns=span.end_ns,
        status=status,
        status_message=(span.status_message or said.text("status_message", _MESSAGE_LENGTH) or "")[:_MESSAGE_LENGTH],
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
        server=_server(said),
        tool_call_id=said.text("tool_call_id"),
        arguments_digest=_arguments_digest(kind, label, arguments),
        agent=said.text("agent") or (label if kind == "agent" else None),
        error_type=error.type,
        error_message=error.message,
        trigger_id=said.text("trigger_id"),
        asked=asked,
        answered=answered,
        calls=_calls(content.output),
        tags=_tags(said, by),
        end_state=None if state is None else _STATES.get(state.lower()),
        end_reason=said.text("end_reason", _MESSAGE_LENGTH),
        session_name=said.text("session_name") or (said.text("label") if kind == "session" else None),
        video=said.text("video", _MESSAGE_LENGTH),
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


def _kind(span: ReceivedSpan, dialects: Iterable[Dialect], said: _Said, usage: Usage | None) -> Kind:
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


def _label(span: ReceivedSpan, kind: Kind, said: _Said, model: str | None, error: str | None) -> str:
    found = model if kind == "llm" else error if kind == "error" else None
    if kind in _LABELS:
        found = said.text(_LABELS[kind])
    return found or said.text("label") or span.name[:_NAME_LENGTH]


def _models(attributes: Mapping[str, Any], dialects: Iterable[Dialect], said: _Said) -> tuple[str | None, str | None]:
    """The model that was asked for, and the one that answered or else was asked for."""
    request = said.text("request_model")
    answered = said.text("response_model")
    if request is None and answered is None:
        found = (dialect.model(attributes) for dialect in dialects if dialect.model is not None)
        request = _text(next(filter(None, found), None))
    return request, answered or request


def _provider(said: _Said, kind: Kind, model: str | None) -> str | None:
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


def _tags(said: _Said, by: Dialect | None) -> tuple[str, ...]:
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
    return {name: value for name, value in attributes.items() if name not in used}


# ------------------------------------------------------------------------------------------------ content and previews


def _content(span: ReceivedSpan, dialects: Iterable[Dialect], kind: Kind) -> Content:
    """The messages, each kind of them from the first dialect that has any."""
    system: tuple[Mapping[str, Any], ...] = ()
    given: tuple[Message, ...] = ()
    said: tuple[Message, ...] = ()
    tools: Any = None
    used: set[str] = set()
    for dialect in dialects:
        new = None if dialect.content is None else dialect.content(span.attributes, span.events, kind)
        if new is not None:
            system, given, said = system or new.system, given or new.input, said or new.output
            tools = new.tools if tools is None else tools
            used |= new.used
    found = zip(_CONTENT, (system, given, said, tools is not None), strict=True)
    used.update(name for name, is_there in found if is_there)
    return Content(system, given, said, tools, frozenset(used))


_CONTENT: Final = (
    semconv.SYSTEM_INSTRUCTIONS,
    semconv.INPUT_MESSAGES,
    semconv.OUTPUT_MESSAGES,
    semconv.TOOL_DEFINITIONS,
)


def _arguments(said: _Said) -> str | None:
    """Without the wrapper that others put around the arguments of a Python function, where one half is empty."""
    text = said.content("arguments")
    if text is None or not text.startswith('{"args":'):
        return text
    found = opened(text)
    if not isinstance(found, dict) or found.keys() != {"args", "kwargs"} or (found["args"] and found["kwargs"]):
        return text
    return as_json(plain(found["kwargs"] or found["args"]))


def _previews(kind: Kind, content: Content, arguments: str | None, result: str | None) -> tuple[str | None, str | None]:
    """What it was asked and what it answered, in short."""
    arguments = None if arguments in ("[]", "{}") else arguments
    users = [text for each in content.input if each.role == "user" and (text := text_of(each.parts))]
    said = [text for each in content.output if (text := text_of(each.parts))]
    if kind == "llm":
        return _brief(users[-1] if users else None), _brief(said[0] if said else None)
    if kind in ("tool", "action"):
        return _brief(arguments), _brief(result)
    asked = _spoken_text(arguments) or (users[0] if users else None)
    return _brief(asked), _brief(_spoken_text(result) or (said[-1] if said else None))


def _brief(text: str | None) -> str | None:
    text = text and text[: _BRIEF_LENGTH * 4].strip()
    if not text:
        return None
    return text if len(text) <= _BRIEF_LENGTH else f"{text[: _BRIEF_LENGTH - 1]}…"


def _unquoted(text: str | None) -> str | None:
    """A text that was written as JSON."""
    found = opened(text) if text and text.startswith('"') else text
    return found if isinstance(found, str) else text


def _spoken_text(text: str | None) -> str | None:
    """The text in the arguments or the result of a function: ``{"question": "Who?"}`` asks ``Who?``."""
    if not text or not text.startswith(("{", "[", '"')):
        return text
    found = _text_in(opened(text), 4)
    return found or text


def _text_in(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value
    if not depth or not value:
        return None
    if isinstance(value, list):
        texts = (_text_in(each, depth - 1) for each in value[:8])
    elif isinstance(value, dict):
        names = [name for name in _QUESTIONS if name in value] or [*value][:8]
        texts = (_text_in(value[name], depth - 1) for name in names)
    else:
        return None
    return next(filter(None, texts), None)


def _calls(output: Iterable[Message]) -> tuple[str, ...]:
    return tuple(
        part["name"][:_NAME_LENGTH] for message in output for part in message.parts if part["type"] == "tool_call"
    )


def _finish_reasons(said: _Said, content: Content) -> tuple[str, ...]:
    value = said.value("finish_reasons")
    value = opened(value) if type(value) is str and value.startswith(("[", '"')) else value
    value = [value] if type(value) is str else value
    if type(value) is list and value:
        return tuple(each[:_NAME_LENGTH] for each in value[:_MOST_TAGS] if type(each) is str)
    return tuple(each.finish_reason for each in content.output if each.finish_reason)


def _arguments_digest(kind: Kind, label: str, arguments: str | None) -> str | None:
    return digest(label, structured(arguments)) if kind in ("tool", "action") and arguments is not None else None


# ------------------------------------------------------------------------------------------------------ usage and cost


def _usage(attributes: Mapping[str, Any], by: Dialect | None, dialects: Iterable[Dialect]) -> Usage | None:
    for dialect in dialects:
        usage = None if dialect.usage is None else dialect.usage(attributes)
        if usage is not None:
            usage = usage if by is None or by.amend is None else by.amend(usage, attributes)
            return (
                usage if max(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) <= _MOST_TOKENS else None
            )
    return None


def _cost(
    span: ReceivedSpan,
    dialects: Iterable[Dialect],
    kind: Kind,
    provider: str | None,
    model: str | None,
    usage: Usage | None,
    said: _Said,
) -> tuple[Cost | None, str | None]:
    """The stated cost, else the price of an LLM call's usage when it was made; and the version of the price table."""
    for dialect in dialects:
        stated = None if dialect.cost is None else dialect.cost(span.attributes)
        if stated is not None and 0 <= stated.amount <= _MOST_DOLLARS:
            return stated, said.text("price_table")
    if kind != "llm" or usage is None or not provider or not model:
        return None, None
    if usage.missing and said.text("operation") not in _WITH_OUTPUT:
        return None, None  # half of a price is a wrong price
    at = datetime.fromtimestamp(span.start_ns / 1e9, timezone.utc)
    price = pricing.cost(provider, model, usage, at=at, service_tier=said.text("service_tier"))
    if price is None or not price.amount <= _MOST_DOLLARS:
        return None, None
    return Cost(price.amount, price.source), price.table


def _first_token(span: ReceivedSpan, said: _Said) -> int | None:
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


# --------------------------------------------------------------------------------------------------- status and errors


@dataclass(frozen=True, slots=True)
class _Error:
    type: str | None = None
    message: str | None = None
    stack: str | None = None


_NO_ERROR: Final = _Error()


def _status(span: ReceivedSpan, said: _Said) -> Status:
    status = _STATUS[span.status_code] if 0 <= span.status_code <= 2 else "unset"
    return "error" if status == "unset" and said.text("level") == "ERROR" else status


def _error(span: ReceivedSpan, said: _Said) -> _Error:
    exception: Mapping[str, Any] = next(
        (each.attributes for each in reversed(span.events) if each.name == semconv.EXCEPTION_EVENT), {}
    )
    kind = _class_name(said.text("error_type") or _text(exception.get(semconv.EXCEPTION_TYPE)))
    message = _text(exception.get(semconv.EXCEPTION_MESSAGE), _MESSAGE_LENGTH)
    if message is None:
        message = said.text("error_message", _MESSAGE_LENGTH) or span.status_message[:_MESSAGE_LENGTH]
        message = message or said.text("status_message", _MESSAGE_LENGTH)
        message = message.removeprefix(f"{kind}: ") if message and kind else message
    stack = exception.get(semconv.EXCEPTION_STACKTRACE)
    return _Error(kind, message or None, stack if type(stack) is str and stack else None)


def _class_name(kind: str | None) -> str | None:
    """Without its module, which the same exception has in some dialects and not in others; a code stays as it is."""
    _, dot, name = (kind or "").rpartition(".")
    return name if dot and name[:1].isupper() else kind


def _text(value: object, length: int = _NAME_LENGTH) -> str | None:
    return value[:length] if isinstance(value, str) and value else None


# ------------------------------------------------------------------------------------------------ process and transport


def _dropped(attributes: Mapping[str, Any]) -> int:
    value = attributes.get(semconv.DROPPED_SPANS)
    return value if type(value) is int and 0 < value < _MOST_TOKENS else 0


def _server(said: _Said) -> str | None:
    address, port = said.text("server_address"), said.count("server_port")
    if address is None:
        address, port = _address(said.text("server_url", _MESSAGE_LENGTH))
    if address is None:
        return None
    return f"{address}:{port}" if port not in (0, 443) else address


def _address(url: str | None) -> tuple[str | None, int]:
    try:
        parts = urlsplit(url or "")
        return parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return None, 0


def process_of(resource: Mapping[str, Any]) -> Process:
    """The process that a resource describes."""
    text = resource.get
    pid = text("process.pid")
    return Process(
        service=_text(text("service.name")) or "",
        host=_text(text("host.name")) or "",
        pid=pid if type(pid) is int and 0 <= pid < _INT64 else None,
        runtime=_runtime(resource),
        instance=_text(text("service.instance.id")) or "",
        sdk=_sdk(resource),
    )


def _runtime(resource: Mapping[str, Any]) -> str:
    name = _text(resource.get("process.runtime.name")) or _text(resource.get("telemetry.sdk.language")) or ""
    version = _text(resource.get("process.runtime.version")) or ""
    return f"{'python' if name == 'cpython' else name} {version}".strip()


def _sdk(resource: Mapping[str, Any]) -> str:
    version = _text(resource.get(semconv.SDK_VERSION))
    if version is not None:
        return f"agentops-otel {version}"
    name = _text(resource.get("telemetry.sdk.name")) or ""
    return f"{name} {_text(resource.get('telemetry.sdk.version')) or ''}".strip()


# ---------------------------------------------------------------------------------------------------------- log records

_EVENTS: Final = {
    semconv.EVENT_SESSION_START: "start",
    semconv.EVENT_SESSION_JOIN: "join",
    semconv.EVENT_SESSION_HEARTBEAT: "heartbeat",
    semconv.EVENT_SESSION_END: "end",
}
_OPEN_KINDS: Final = frozenset({"session", "agent", "workflow", "action", "tool", "llm", "error"})
_MOST_OPEN: Final = 256


def normalize_log(log: ReceivedLog) -> SessionEvent | Score | None:
    """The row of a log record; None when it is none of ours."""
    name = _EVENTS.get(log.name)
    if name is not None:
        return _session_event(log, name)
    return _score(log) if log.name == semconv.EVENT_EVALUATION_RESULT else None


def _session_event(log: ReceivedLog, name: str) -> SessionEvent | None:
    attributes = log.attributes
    session_id = _text(attributes.get(semconv.SESSION_ID)) or log.trace_id
    trace_id = log.trace_id or _as_trace_id(session_id)
    if not trace_id:
        return None
    state = _text(attributes.get(semconv.SESSION_END_STATE)) or ""
    process = process_of(log.source.resource)
    said = _Said(attributes, _LOG_FIELDS)
    return SessionEvent(
        name=cast("Any", name),
        session_id=session_id,
        trace_id=trace_id,
        time_ns=log.time_ns,
        role="member" if attributes.get(semconv.SESSION_ROLE) == semconv.ROLE_MEMBER else "owner",
        attributes=attributes,
        open_spans=_open_spans(attributes, session_id, trace_id, process) if name == "heartbeat" else (),
        session_name=said.text("session_name"),
        tags=said.texts("tags"),
        end_state=_STATES.get(state.lower()),
        end_reason=said.text("end_reason", _MESSAGE_LENGTH),
        process=process,
        source=log.source,
    )


_LOG_FIELDS: Final[Mapping[Field, tuple[str, ...]]] = {
    "end_reason": (semconv.SESSION_END_STATE_REASON,),
    "session_name": (semconv.SESSION_NAME,),
    "tags": (semconv.SESSION_TAGS,),
}


def _as_trace_id(session_id: str) -> str:
    digits = session_id.replace("-", "").lower()
    return digits if len(digits) == 32 and _is_hex(digits) else ""


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in digits)


def _open_spans(attributes: Mapping[str, Any], session_id: str, trace_id: str, process: Process) -> tuple[SpanRow, ...]:
    lines = attributes.get(semconv.SESSION_OPEN_SPANS)
    rows = (_open_span(line, session_id, trace_id, process) for line in (lines if isinstance(lines, list) else ()))
    return tuple(row for row in rows if row is not None)[:_MOST_OPEN]


def _open_span(line: object, session_id: str, trace_id: str, process: Process) -> SpanRow | None:
    """A line of a heartbeat: span id, parent id, kind, start, name."""
    words = line.split(" ", 4) if isinstance(line, str) else ()
    if len(words) != 5:
        return None
    span_id, parent_id, kind, start, name = words
    if len(span_id) != 16 or len(parent_id) != 16 or not _is_hex(span_id + parent_id):
        return None
    if not start.isascii() or not start.isdigit() or not 0 < int(start[:20]) < _INT64:
        return None
    known = cast("Kind", kind if kind in _OPEN_KINDS else "step")
    operation, _, rest = name.partition(" ")
    labelled = bool(rest) and operation in _OPERATIONS.get(known, ())
    return SpanRow(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=None if parent_id == "0" * 16 else parent_id,
        session_id=session_id,
        kind=known,
        name=name[:_SPAN_NAME_LENGTH],
        label=(rest if labelled else name)[:_NAME_LENGTH],
        start_ns=int(start),
        end_ns=None,
        operation=operation if labelled and known != "error" else None,
        model=rest[:_NAME_LENGTH] if labelled and known == "llm" else None,
        request_model=rest[:_NAME_LENGTH] if labelled and known == "llm" else None,
        agent=rest[:_NAME_LENGTH] if labelled and known == "agent" else None,
        dialect="agentops",
        process=process,
    )


_OPERATIONS: Final[Mapping[Kind, frozenset[str]]] = {
    "agent": frozenset({semconv.OPERATION_INVOKE_AGENT}),
    "workflow": frozenset({semconv.OPERATION_INVOKE_WORKFLOW}),
    "tool": frozenset({semconv.OPERATION_EXECUTE_TOOL}),
    "error": frozenset({"error"}),
    "llm": semconv.LLM_OPERATIONS,
}


def _score(log: ReceivedLog) -> Score | None:
    get = log.attributes.get
    name = _text(get(semconv.EVALUATION_NAME))
    session_id = _text(get(semconv.SESSION_ID))
    trace_id = log.trace_id or _as_trace_id(session_id or "")
    if name is None or not trace_id:
        return None
    value = get(semconv.EVALUATION_SCORE_VALUE)
    of_root = log.span_id in ("", trace_id[:16], "0000000000000001")
    return Score(
        session_id=session_id,
        trace_id=trace_id,
        span_id=None if of_root else log.span_id,
        name=name,
        time_ns=log.time_ns,
        value=float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None,
        label=_text(get(semconv.EVALUATION_SCORE_LABEL)),
        comment=_text(get(semconv.EVALUATION_EXPLANATION), _MESSAGE_LENGTH),
    )
