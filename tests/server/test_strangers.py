"""A trace of another instrumentation is a session like ours: in the list, and on a page of its own."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from pathlib import Path

import pytest

from agentops_otel.server.store import Filter
from tests.server.running import RunningBox

FIXTURES = Path(__file__).parent.parent / "fixtures" / "dialects"
ALL = sorted(path.name.partition(".")[0] for path in FIXTURES.glob("*.traces.pb"))
SILENT = {"anthropic"}  # which records no messages


@pytest.fixture
def box(tmp_path):
    with RunningBox(tmp_path) as box:
        yield box


@pytest.mark.parametrize("name", ALL)
def test_a_stranger_has_a_page(box, name):
    """Every rendering of its page answers, and shows the question and the models."""
    for signal in ("logs", "traces"):
        path = FIXTURES / f"{name}.{signal}.pb"
        if path.exists():
            assert box.post(f"/v1/{signal}", path.read_bytes()).status == 200
    (row,) = box.store.sessions(Filter()).rows
    pages = {view: box.get(f"/s/{row.session_id}{view}") for view in ("", ".json", "?view=waterfall", "?view=raw")}
    assert {view: answer.status for view, answer in pages.items()} == dict.fromkeys(pages, 200)
    assert ("Who wrote the first program?" in pages[""].text) == (name not in SILENT)
    assert "additional_kwargs" not in pages[""].text  # LangChain's state around a question
    assert ("claude-sonnet-4-5" if name == "anthropic" else "gpt-4o") in pages[""].text
    for path in ("/", "/costs", "/tools", "/models", "/errors"):
        assert box.get(path).status == 200


def test_what_javascript_sends_is_a_session(box):
    """OTLP JSON, in pieces of unknown number, as OpenTelemetry's SDK for JavaScript has sent it once."""
    body = (FIXTURES / "javascript.traces.json").read_bytes()
    pieces = [body[first : first + 1000] for first in range(0, len(body), 1000)]
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=20)
    with closing(connection):
        headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
        connection.request("POST", "/v1/traces", iter(pieces), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())) == (200, {})
        assert answer.getheader("content-type") == "application/json"
    page = json.loads(box.get("/s/visit-7.json?tab=story").body)
    row = page["row"]
    assert (row["llm_calls"], row["tool_calls"], row["agents"], row["spans"]) == (3, 1, 1, 5)
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (120, 18)
    assert row["cost"] > 0
    assert row["asked"] == "Who wrote the first program?"
    assert [error["type"] for error in row["errors"]] == ["NotFoundError"]
    told = box.get("/s/visit-7?tab=story").text
    assert told.count("Ada Lovelace 🗝") == 1
    assert "3 papers about Ada" in told
    tool = next(
        step
        for step in json.loads(box.get("/s/visit-7.json?tab=waterfall").body)["view"]["rows"]
        if step["kind"] == "tool"
    )
    assert (tool["title"], tool["detail"]) == ("search", 'query="Ada"')
    events = json.loads(box.get(f"/s/visit-7/panel.json?span={tool['id']}").body)["panel"]["events"]
    (name, _, attributes) = events[0]
    assert name == "found"
    said = {each["key"]: json.loads(each["value"]) for each in attributes}
    assert said == {"museum.papers": 3, "museum.open": True, "museum.years": [1842, 1843]}


def test_what_javascript_sends_goes_out_and_comes_back(box):
    """The export of its session has every span with its own ids and times, to the nanosecond."""
    sent = json.loads((FIXTURES / "javascript.traces.json").read_bytes())
    assert box.post("/v1/traces", json.dumps(sent).encode(), "application/json").status == 200
    exported = json.loads(box.get("/s/visit-7/export.json").body)
    assert _spans(exported) == _spans(sent)


def _spans(request):
    spans = [span for group in request["resourceSpans"] for scope in group["scopeSpans"] for span in scope["spans"]]
    return {
        span["spanId"]: (
            *(span["traceId"], span["name"], span["kind"], span.get("parentSpanId", "")),
            *(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]), span.get("status", {}).get("code", 0)),
            {each["key"] for each in span["attributes"]},
        )
        for span in spans
    }
