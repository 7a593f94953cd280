"""JSON of ours below the limits of attributes, which OpenTelemetry's SDK would cut anywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel import text
from agentops_otel.values import sanitize, to_json
from tests.fakes.fault_server import FaultServer
from tests.fakes.llm_server import LlmServer
from tests.fakes.program import run

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=20), inner, max_size=20),
    max_leaves=80,
)


@pytest.fixture
def unbound():
    yield
    text.bound(None)


class Thing:
    """No JSON by itself."""

    def __init__(self, value):
        self.value = value

    def __str__(self):
        return "thing " * 40


@given(
    value=JSON | JSON.map(Thing) | st.lists(JSON.map(Thing), max_size=5),
    longest=st.integers(3, 400),
    most=st.integers(1, 400),
)
def test_json_is_json_below_any_limit(value, longest, most):
    """Whatever the value, what is written is valid and not longer than the limit."""
    text.bound(longest)
    try:
        written = to_json(value, max_length=min(most, longest))
        attribute = sanitize({"a": value}, max_length=min(most, longest))
    finally:
        text.bound(None)
    for each in (written, attribute):
        json.loads(each)
        assert len(each) <= longest


def test_what_fits_is_whole(unbound):
    """A limit that is not reached changes nothing, also close to it."""
    value = [{"role": "user", "parts": [{"type": "text", "content": "no " * 300}]}]
    whole = to_json(value)
    text.bound(len(whole))
    assert to_json(value, max_length=len(whole)) == whole
    text.bound(len(whole) - 1)
    shorter = json.loads(to_json(value, max_length=len(whole) - 1))
    assert shorter[0]["parts"][0]["content"].startswith("no " * 60)
    assert "characters cut]" in shorter[0]["parts"][0]["content"]


PROGRAM = """
import openai
import agentops_otel as agentops
from opentelemetry import trace
agentops.init()
messages = [{"role": "user", "content": "y" * 3000}]
openai.OpenAI(api_key="none").chat.completions.create(model="gpt-4o", messages=messages)
@agentops.tool
def dig(rows): return rows
dig([{"n": n, "text": "\\n" * 20} for n in range(400)])
agentops.record(agentops.ActionEvent("x", params={"a": ["b" * 50] * 50}, returns="r" * 5000))
other = trace.get_tracer("other").start_span("other")
other.set_attribute("text", "t" * 5000)
other.end()
agentops.end_session("Fail", "why " * 2000)
"""


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000"},
        {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000"},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "5000", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000"},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1000", "AGENTOPS_MAX_CONTENT_LENGTH": "70000"},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "20"},
    ],
)
def test_the_length_limit_of_the_environment(variables):
    """Every text is below it, JSON is valid, a session's id is whole, and nobody is told of cuts."""
    limit = min(int(value) for name, value in variables.items() if name.startswith("OTEL_"))
    with FaultServer() as server, LlmServer() as llm:
        places = {"AGENTOPS_ENDPOINT": server.url, "OPENAI_BASE_URL": llm.url, "AGENTOPS_SUMMARY": "0"}
        ended = run(PROGRAM, {**places, **variables})
        assert ended.code == 0, ended.err
        if limit > 36:
            assert len(ended.err.splitlines()) <= 1, ended.err  # the SDK's own, of the other library's text
        spans = server.spans()
    assert len(spans) == 5
    structured = 0
    for span in spans:
        attributes = {pair.key: pair.value.string_value for pair in span.attributes if pair.value.string_value}
        assert len(attributes.pop("session.id")) == 36
        assert {name: len(value) for name, value in attributes.items() if len(value) > limit} == {}
        for value in attributes.values():
            if value.startswith(("[", "{")):
                json.loads(value)
                structured += 1
    assert structured >= 3
