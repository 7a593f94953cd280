"""Messages that come in log records, apart from their spans."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

import agentops_otel as agentops
from agentops_otel.rows import Message, SpanContent
from agentops_otel.server.late import LateContent
from agentops_otel.server.otlp import spans_from_protobuf
from agentops_otel.server.store.sqlite import SqliteStore
from tests.fakes.llm_server import LlmServer
from tests.server.running import RunningBox

FIXTURES = Path(__file__).parent.parent / "fixtures" / "dialects"
SIGNALS = ["traces", "logs"]


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as box:
        yield box


@pytest.mark.parametrize("name", ["genai-logs", "genai-events"])
@pytest.mark.parametrize("order", [SIGNALS, SIGNALS[::-1], [*SIGNALS, *SIGNALS]], ids=["after", "before", "twice"])
def test_messages_find_their_span(box, name, order):
    """Whichever comes first, and however often, the span has its messages, once."""
    for signal in order:
        assert box.post(f"/v1/{signal}", (FIXTURES / f"{name}.{signal}.pb").read_bytes()).status == 200
    spans = spans_from_protobuf((FIXTURES / f"{name}.traces.pb").read_bytes()).spans
    call = next(span for span in spans if span.attributes.get("gen_ai.response.id") == "chatcmpl-2")
    row = box.store.span(call.trace_id, call.span_id)
    assert (row.asked, row.answered) == ("Who wrote the first program?", "Ada Lovelace")
    assert [message.role for message in row.body.input] == ["system", "user", "assistant", "tool"]
    assert box.store.session(call.trace_id).asked == "Who wrote the first program?"


def test_content_of_ours_on_events(box, monkeypatch):
    """With `event_only` our own messages are in log records, and the page has them all the same."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "EVENT_ONLY")
    with LlmServer() as llm:
        session_id = agentops.init(endpoint=box.address, summary=False)
        client = openai.OpenAI(api_key="none", base_url=llm.url, max_retries=0)
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Capital of France?"}])
        agentops.end_session("Success")
        agentops.shutdown()
    (call,) = [row for row in box.store.spans(session_id, bodies=True) if row.kind == "llm"]
    assert "gen_ai.input.messages" not in call.body.attributes
    assert (call.asked, call.answered) == ("Capital of France?", "Paris")


def test_only_so_much_waits(tmp_path):
    """Of more messages than there is room for, the oldest are forgotten."""
    store = SqliteStore(tmp_path / "sessions.db")
    try:
        late = LateContent(store, most_bytes=1000)
        for number in range(10):
            message = Message("user", ({"type": "text", "content": "x" * 300},), f"{number:032x}")
            late.keep([SpanContent("a" * 32, f"{number:016x}", number, input=(message,))], "default")
        assert 0 < len(late._waiting) < 4
        assert late._bytes <= 1000
    finally:
        store.close()
