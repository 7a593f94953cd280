"""OTLP in protobuf and in JSON -> spans and log records, and rows back to OTLP JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentops_otel.normalize import ReceivedLog, ReceivedSpan, normalize, normalize_log
from agentops_otel.rows import Source, SpanEvent, SpanLink
from agentops_otel.server.otlp import (
    MOST_RECORDS,
    DecodeError,
    TooMany,
    logs_from_json,
    logs_from_protobuf,
    spans_from_json,
    spans_from_protobuf,
)
from agentops_otel.server.otlp.to_json import to_otlp_json

TRACE, SPAN, PARENT = "a" * 32, "b" * 16, "c" * 16
ATTRIBUTES = {
    "text": "é\u2028<b>",
    "no": False,
    "int": -(2**63),
    "float": 1.5,
    "bytes": b"\x00\xff",
    "list": ["a", 1, [2.5, None]],
    "map": {"__proto__": {"constructor": "x"}},
    "nothing": None,
    "__proto__": "y",
    "a.constructor.prototype": 1,
}


def _proto(value, target):
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, bytes):
        target.bytes_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for each in value:
            _proto(each, target.array_value.values.add())
    elif isinstance(value, dict):
        target.kvlist_value.SetInParent()
        _pairs(value, target.kvlist_value.values)


def _pairs(attributes, target):
    for key, value in attributes.items():
        _proto(value, target.add(key=key).value)


def _request(**fields):
    """A request with one span, in protobuf."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _pairs({"service.name": "app"}, group.resource.attributes)
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "scope", "1"
    usual = {"trace_id": bytes.fromhex(TRACE), "span_id": bytes.fromhex(SPAN), "name": "n", "start_time_unix_nano": 5}
    span = scoped.spans.add(**{**usual, "end_time_unix_nano": 7, **fields})
    return request, span


def test_a_span_in_protobuf():
    """Ids are hex, and every kind of value arrives as what it is."""
    request, span = _request(parent_span_id=bytes.fromhex(PARENT), kind=3, trace_state="a=b", flags=257)
    _pairs(ATTRIBUTES, span.attributes)
    span.status.code, span.status.message = 2, "broke"
    _pairs({"exception.type": "E"}, span.events.add(name="exception", time_unix_nano=6).attributes)
    _pairs({"x": 1}, span.links.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(PARENT)).attributes)
    spans, rejected = spans_from_protobuf(request.SerializeToString())
    assert rejected == []
    assert spans == [
        ReceivedSpan(
            trace_id=TRACE,
            span_id=SPAN,
            parent_id=PARENT,
            name="n",
            start_ns=5,
            end_ns=7,
            attributes=ATTRIBUTES,
            status_code=2,
            status_message="broke",
            events=(SpanEvent("exception", 6, {"exception.type": "E"}),),
            links=(SpanLink(TRACE, PARENT, {"x": 1}),),
            source=Source({"service.name": "app"}, "scope", "1"),
            otel_kind=3,
            trace_state="a=b",
            flags=257,
        )
    ]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("trace_id", b"", "trace_id is not valid"),
        ("trace_id", b"\0" * 16, "trace_id is not valid"),
        ("span_id", b"\1" * 4, "span_id is not valid"),
        ("parent_span_id", b"\1" * 4, "parent_span_id is not valid"),
        ("start_time_unix_nano", 0, "start_time_unix_nano is not valid"),
        ("start_time_unix_nano", 2**63, "start_time_unix_nano is not valid"),
    ],
)
def test_a_span_that_is_not_valid_is_left_out_alone(field, value, reason):
    """The others of its request are taken, and the reason names the span and what was expected."""
    request, _ = _request()
    request.resource_spans[0].scope_spans[0].spans.append(_request(**{field: value})[1])
    spans, rejected = spans_from_protobuf(request.SerializeToString())
    assert len(spans) == 1
    assert len(rejected) == 1
    assert reason in rejected[0]
    assert "'n'" in rejected[0]


def test_an_end_before_the_start_is_the_start():
    """A clock that is set back while a span runs costs its duration, not the span."""
    request, _ = _request(start_time_unix_nano=50, end_time_unix_nano=7)
    assert spans_from_protobuf(request.SerializeToString()).spans[0].end_ns == 50


@pytest.mark.parametrize(
    "body", [b"\xff", b"\x0a\x05\x01", b"garbage" * 9, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
)
def test_bytes_that_are_not_otlp(body):
    """They are refused with a line that says so."""
    for decode in (spans_from_protobuf, logs_from_protobuf):
        with pytest.raises(DecodeError, match="the body is not"):
            decode(body)


def test_too_many_spans_are_refused_before_one_is_made():
    """2 bytes of the wire make a span of 160 bytes in memory."""
    scope = b"\x12\x00" * (MOST_RECORDS + 1)
    resource = b"\x12" + _varint(len(scope)) + scope
    body = b"\x0a" + _varint(len(resource)) + resource
    with pytest.raises(TooMany, match="50,000"):
        spans_from_protobuf(body)
    with pytest.raises(TooMany, match="50,000"):
        logs_from_protobuf(body)


def _varint(number):
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def test_values_nested_too_deep_are_refused():
    """Protobuf's own limit is an answer of ours."""
    request, span = _request()
    value = span.attributes.add(key="deep").value
    for _ in range(200):
        value = value.array_value.values.add()
    with pytest.raises(DecodeError):
        spans_from_protobuf(request.SerializeToString())


def _json(**fields):
    span = {
        "traceId": TRACE.upper(),
        "spanId": SPAN,
        "name": "n",
        "startTimeUnixNano": "5",
        "endTimeUnixNano": 7,
        **fields,
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def test_a_span_in_json():
    """Numbers of 64 bits are text or numbers, enumerations numbers or names; what is not known is ignored."""
    values = {
        "int": {"intValue": "-5"},
        "number": {"intValue": 5},
        "float": {"doubleValue": 1},
        "nan": {"doubleValue": "-Infinity"},
        "bytes": {"bytesValue": "AP8="},
        "list": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}},
        "empty": {"arrayValue": {}},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}},
        "new": {"somethingNew": 1},
    }
    attributes = [{"key": key, "value": value, "unknown": 1} for key, value in values.items()]
    body = _json(attributes=attributes, kind="SPAN_KIND_CLIENT", status={"code": "STATUS_CODE_ERROR"}, later=[{}])
    (span,), rejected = spans_from_json(body)
    assert rejected == []
    assert (span.trace_id, span.otel_kind, span.status_code, span.start_ns, span.end_ns) == (TRACE, 3, 2, 5, 7)
    assert span.attributes == {
        "int": -5,
        "number": 5,
        "float": 1.0,
        "nan": float("-inf"),
        "bytes": b"\x00\xff",
        "list": ["a", None],
        "empty": [],
        "map": {"k": True},
        "new": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"5",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [5]}',
        b"9" * 5000,
    ],
    ids=range(9),
)
def test_json_that_is_not_otlp(body):
    """It is refused with one kind of exception, however it is wrong."""
    with pytest.raises(DecodeError):
        spans_from_json(body)
    with pytest.raises(DecodeError):
        logs_from_json(body.replace(b"Spans", b"Logs"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"traceId": 5},
        {"traceId": "x" * 32},
        {"spanId": "ab"},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": 10**400},
        {"parentSpanId": [1]},
    ],
)
def test_a_json_span_that_is_not_valid_is_left_out_alone(wrong):
    """Wrong types in the fields that identify it cost the span."""
    spans, rejected = spans_from_json(_json(**wrong))
    assert spans == []
    assert "is not valid" in rejected[0]


def test_wrong_types_elsewhere_cost_only_themselves():
    """A field that is not what OTLP says is as if it were not there."""
    body = _json(
        name=5, attributes={"a": 1}, events=[1, {"name": 2, "timeUnixNano": "x"}], links="x", kind=99, status=[]
    )
    (span,), _ = spans_from_json(body)
    assert (span.name, span.attributes, span.events, span.links) == ("", {}, (SpanEvent("", 0, {}),), ())


def test_half_of_an_emoji_does_not_cost_the_request():
    """A sender that cuts texts by UTF-16 units sends lone surrogates; they become visible escapes."""
    (span,), _ = spans_from_json(_json(name="cut \ud83d"))
    assert span.name == "cut \\ud83d"


def test_values_nested_too_deep_in_json_are_lost_alone():
    """What lies deeper than anything that is useful is left out."""
    value = {"stringValue": "x"}
    for _ in range(150):
        value = {"arrayValue": {"values": [value]}}
    (span,), _ = spans_from_json(_json(attributes=[{"key": "deep", "value": value}]))
    assert "x" not in str(span.attributes)


def test_too_many_spans_in_json():
    """The limit is that of protobuf."""
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * MOST_RECORDS + b"{}]}]}]}"
    with pytest.raises(TooMany, match="50,000"):
        spans_from_json(body)


def test_a_file_of_the_user_may_be_of_any_size():
    """What was exported of a large session can be imported."""
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * MOST_RECORDS + b"{}]}]}]}"
    assert len(spans_from_json(body, bounded=False).rejected) == MOST_RECORDS + 1


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'"ab",', b"1e9,"])
def test_too_much_json_is_refused_before_it_is_parsed(piece):
    """Short pieces of JSON make large objects: 64 MiB of them would be more than a gigabyte."""
    with pytest.raises(TooMany, match="objects"):
        spans_from_json(b'{"x":[' + piece * 3_000_001 + b"1]}")


def test_a_log_record_in_both():
    """The name is the field, or the attribute of older senders."""
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=5, trace_id=bytes.fromhex(TRACE))
    )
    _pairs({"event.name": "session.start"}, record.attributes)
    record.body.string_value = "text"
    (log,), _ = logs_from_protobuf(request.SerializeToString())
    assert log == ReceivedLog("session.start", 5, TRACE, "", "text", {"event.name": "session.start"})
    document = {
        "timeUnixNano": "5",
        "traceId": TRACE,
        "eventName": "session.start",
        "body": {"stringValue": "text"},
    }
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [document]}]}]}).encode()
    assert logs_from_json(body).logs == [ReceivedLog("session.start", 5, TRACE, "", "text")]


# What a sender can say ------------------------------------------------------------------------------------------------

_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_numbers = st.integers(-(2**63), 2**63 - 1) | st.floats()
_scalars = _texts | st.booleans() | _numbers | st.binary(max_size=8) | st.none()
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3))


# Those that the functions of the dialects read; the tables name the others.
_READ = [
    *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions"),
    *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens"),
    *(
        "gen_ai.prompt.0.role",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content",
        "gen_ai.prompt.1.tool_calls.0.name",
    ),
    *("llm.input_messages.0.message.role", "llm.input_messages.0.message.content", "llm.tools.0.tool.json_schema"),
    *("llm.input_messages.0.message.contents.0.message_content.text", "llm.output_messages.0.message.content"),
    *("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "llm.request.functions.0.name"),
    *("llm.token_count.prompt", "llm.token_count.completion", "llm.cost.total", "llm.invocation_parameters"),
    *("langfuse.observation.usage_details", "langfuse.observation.cost_details", "operation.cost", "gen_ai.usage.raw"),
    *(
        "pydantic_ai.all_messages",
        "events",
        "request_data",
        "response_data",
        "duration",
        "agent_name",
        "logfire.level_num",
    ),
]


def _names():
    from agentops_otel.dialects.order import ORDER

    found = {name for dialect in ORDER for names in dialect.fields.values() for name in names}
    return sorted(found | {name for dialect in ORDER for name, _ in dialect.kinds} | {*_READ})


_KINDS = ["llm", "LLM", "TOOL", "agent", "session", "error", "chat", "execute_tool", "generation", "action"]
_KEYS = [
    *("role", "parts", "type", "content", "id", "name", "arguments", "tool_calls", "function", "text", "message"),
    *("finish_reason", "response", "choices", "messages", "data", "kwargs", "image_url", "source", "reasoning"),
]
_json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_KEYS) | _texts,
            inner
            | st.sampled_from(["text", "tool_call", "tool_call_response", "assistant", "user", "reasoning", "image"]),
            max_size=4,
        )
    ),
).map(json.dumps)
_attributes = st.dictionaries(
    st.sampled_from(_names()) | _texts, _values | _json_texts | st.sampled_from(_KINDS), max_size=12
)
_spans = st.builds(
    ReceivedSpan,
    trace_id=st.just(TRACE),
    span_id=st.just(SPAN),
    parent_id=st.none() | st.just(PARENT),
    name=_texts,
    start_ns=st.integers(1, 2**63 - 1),
    end_ns=st.just(2**63 - 1),
    attributes=_attributes,
    status_code=st.integers(0, 2),
    status_message=_texts,
    events=st.lists(
        st.builds(
            SpanEvent,
            st.sampled_from(["exception", "gen_ai.user.message", "gen_ai.choice", "x"]),
            st.integers(0, 2**63 - 1),
            st.dictionaries(
                st.sampled_from(["exception.type", "exception.message", "content", "message"]), _values | _json_texts
            ),
        ),
        max_size=2,
    ).map(tuple),
    links=st.lists(st.builds(SpanLink, st.just(TRACE), st.just(PARENT), _attributes), max_size=1).map(tuple),
    source=st.builds(Source, _attributes, _texts | st.sampled_from(["logfire.openai", "openai"]), _texts),
    otel_kind=st.integers(0, 5),
    trace_state=_texts,
    flags=st.integers(0, 2**32 - 1),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_spans)
@example(
    ReceivedSpan(
        "a" * 32, "b" * 16, None, "", attributes={"events": [], "pydantic_ai.all_messages": "llm"}, start_ns=1, end_ns=2
    )
)
def test_a_span_of_anything_is_a_row_and_comes_back_as_the_same(span):
    """Normalising raises for nothing, says the same twice, and survives export and import."""
    row = normalize(span)
    assert repr(normalize(span)) == repr(row)
    (again,), rejected = spans_from_json(to_otlp_json([row]))
    assert rejected == []
    assert repr(normalize(again)) == repr(row)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(
        [
            "session.start",
            "agentops.session.join",
            "agentops.session.heartbeat",
            "session.end",
            "gen_ai.evaluation.result",
        ]
    ),
    st.dictionaries(
        st.sampled_from(
            ["session.id", "agentops.session.tags", "agentops.session.open_spans", "gen_ai.evaluation.name"]
        )
        | _texts,
        _values,
    ),
)
def test_a_log_of_anything_is_a_row_and_comes_back_as_the_same(name, attributes):
    """So do log events and scores."""
    row = normalize_log(ReceivedLog(name, 5, TRACE, SPAN, None, attributes, Source({"pid": 5}, "s", "1")))
    if row is None:
        return
    is_score = name == "gen_ai.evaluation.result"
    exported = to_otlp_json([], [] if is_score else [row], [row] if is_score else [])
    (again,), rejected = logs_from_json(exported)
    assert rejected == []
    assert repr(normalize_log(again)) == repr(row)
