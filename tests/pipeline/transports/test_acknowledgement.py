"""Answers to OTLP requests are read as protobuf itself reads them."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentops_otel.pipeline.transports.acknowledgement import from_json, from_protobuf
from agentops_otel.pipeline.transports.attempt import Reply, Verdict
from agentops_otel.secrets import one_line

MESSAGES = st.sampled_from(
    [(ExportTraceServiceResponse, "rejected_spans"), (ExportLogsServiceResponse, "rejected_log_records")]
)
COUNTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
UNKNOWN = st.sampled_from([b"", b"\x10\x05", b"\x1a\x03abc", b"\x25abcd", b"\x29abcdefgh", b"\x08\x01", b"\x0a\x00"])


def read_by_protobuf(body: bytes) -> Reply | None:
    """What protobuf reads in an answer for spans; None where it is none."""
    response = ExportTraceServiceResponse()
    try:
        response.ParseFromString(body)
    except DecodeError:
        return None
    said = response.partial_success
    return Reply(Verdict.ACCEPTED, one_line(said.error_message), rejected=max(0, said.rejected_spans))


def read(body: bytes) -> Reply | None:
    try:
        return from_protobuf(body)
    except ValueError:
        return None


@given(MESSAGES, COUNTS, TEXTS, UNKNOWN, UNKNOWN)
def test_an_answer_is_read(message, count, text, before, behind):
    """What was refused and why, in both forms, whatever a later OTLP says beside it."""
    kind, field = message
    response = kind(partial_success={field: count, "error_message": text})
    expected = Reply(Verdict.ACCEPTED, one_line(text), rejected=max(0, count))
    assert read(before + response.SerializeToString() + behind) == expected
    assert from_json(MessageToJson(response).encode()) == expected
    assert from_json(MessageToJson(response, preserving_proto_field_name=True).encode()) == expected


@given(st.binary(max_size=40) | st.lists(UNKNOWN | st.binary(max_size=3), max_size=8).map(b"".join))
@example(b"\x0d\x00\x00\x00\x00")  # what was refused, as a number of four bytes
def test_any_bytes_are_read_as_protobuf_reads_them(body):
    """A page of a captive portal is no acknowledgement; what protobuf takes, we take."""
    if any(tag & 7 in (3, 4) for tag in body):  # groups, which protobuf still takes and OTLP does not have
        read(body)
        return
    assert read(body) == read_by_protobuf(body)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b" \n", b'{"partialSuccess": {}}', b'{"partialSuccess": null}', b'{"later": [1]}']
)
def test_an_empty_answer_accepts_all(body):
    """Most backends say nothing, or that there is nothing to say."""
    assert from_json(body) == Reply(Verdict.ACCEPTED)


@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>", b"[]", b"1", b'"ok"', b"null", b"{", b"\xff"),
        b'{"partialSuccess": []}',
        b'{"partialSuccess": {"rejectedSpans": []}}',
        b'{"partialSuccess": {"rejectedSpans": "many"}}',
        b'{"partialSuccess": {"errorMessage": 1}}',
    ],
)
def test_what_is_no_answer_is_refused(body):
    """Nothing is acknowledged by what is not OTLP."""
    with pytest.raises((ValueError, TypeError)):
        from_json(body)


def test_a_number_without_an_end_is_refused():
    """JSON can say one that no count is."""
    with pytest.raises(OverflowError):
        from_json(b'{"partialSuccess": {"rejectedSpans": 1e999}}')


@pytest.mark.parametrize(
    "body", [b"<html>", b"OK", b"hello", b"{}", json.dumps({"partialSuccess": {}}).encode(), b"\x0a\x05ab"]
)
def test_a_text_is_no_answer_in_protobuf(body):
    """Pages and JSON that came under another type."""
    with pytest.raises(ValueError, match=r"expected|ends"):
        from_protobuf(body)
