"""The events in the body of a streamed answer, however they are written."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentops_otel.instrumentation import _framing

VALUES = st.recursive(st.none() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=2))
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=2).map(json.dumps)
DATA = OBJECTS | st.sampled_from(
    ["[DONE]", "", "null", "3", "NaN", '{"a": NaN}', '{"a":', "1}", '{"a": 1},{"b": 2}', "{}]"]
)
LINES = st.one_of(
    DATA.map("data: {}".format),
    DATA.map("data:{}".format),
    st.sampled_from(["", "", "event: delta", ": ping", "id: 1"]),
)
BODIES = st.builds(
    lambda lines, separator, end: separator.join(lines) + end,
    st.lists(LINES, max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n", "\n\n"]),
)


@settings(deadline=None, database=None)
@given(BODIES)
@example('data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n')
@example('data: {"a":\ndata: 1}\n\n')
def test_events_read_at_once_are_those_read_line_by_line(body):
    """The short way leads where the long way does, which a body with the name of an error takes."""
    quick, slow = _framing.events(body.encode()), _framing.events(f"event: error\n\n{body}".encode())
    assert repr(quick) == repr(slow)  # NaN is not itself


@pytest.mark.parametrize("line", ["event: error", "event:error"])
def test_an_event_that_only_its_name_says_to_be_an_error(line):
    """Its data stands where a failure is looked for."""
    body = f'data: {{"a": 1}}\n\n{line}\ndata: {{"code": "overloaded"}}\n\n'
    assert _framing.events(body.encode()) == ([{"a": 1}, {"error": {"code": "overloaded"}}], False)
