"""The programs of docs/servers.md do what the page says; and what a process with many sessions prints."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

import pytest

import agentops_otel as agentops
from tests.fakes.fault_server import FaultServer

PAGE = (Path(__file__).parents[1] / "docs" / "servers.md").read_text(encoding="utf-8")


@pytest.fixture
def backend(monkeypatch):
    with FaultServer() as server:
        monkeypatch.setenv("AGENTOPS_ENDPOINT", server.url)
        yield server


def program(heading):
    """What the page's program of that heading defines."""
    source = re.search(rf"^## {heading}\n.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
    defined = {"__name__": "app"}
    exec(compile(source, heading, "exec"), defined)
    return defined


def sessions(backend):
    """The spans of each session, by the session's name, without their own root."""
    roots = {span.trace_id: span.name for span in backend.spans() if not span.parent_span_id}
    return {
        roots[trace_id]: sorted(s.name for s in backend.spans() if s.trace_id == trace_id and s.parent_span_id)
        for trace_id in roots
    }


async def post(app, path):
    """The body of an answer; a server is not needed to call an ASGI application."""
    parts = []
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"question=why", "headers": []}

    asked = []

    async def receive():
        if asked:
            await asyncio.sleep(60)  # the client stays
        asked.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        parts.append(message.get("body", b""))

    await app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1", "raw_path": path.encode()}, receive, send)
    return b"".join(parts).decode()


def test_fastapi(backend):
    """Requests at the same time have a session each, also when the answer is streamed after the handler."""
    app = program("FastAPI")["app"]

    async def run():
        async with app.router.lifespan_context(app):
            return await asyncio.gather(post(app, "/answer"), post(app, "/stream"))

    assert asyncio.run(run()) == ['"I do not know: why"', "I do not know: why "]
    assert sessions(backend) == {
        "session POST /answer": ["invoke_agent support"],
        "session POST /stream": ["invoke_agent support"],
    }


def test_flask(backend):
    """Each request is a session."""
    app = program("Flask")["app"]
    assert app.test_client().post("/answer?question=why").text == "I do not know: why"
    agentops.shutdown()
    assert sessions(backend) == {"session POST /answer": ["invoke_agent support"]}


def test_celery(backend):
    """Each task is a session, and the signals of a worker process set everything up and send what is left."""
    defined = program("Celery")
    defined["start"]()
    assert defined["answer"].apply(args=["why"]).get() == "I do not know: why"
    defined["stop"]()
    assert sessions(backend) == {"session answer": []}


@pytest.mark.parametrize(
    ("summary", "printed", "logged"), [(None, 1, 2), ("true", 3, 0), ("false", 0, 0)], ids=["default", "true", "false"]
)
def test_the_summaries_of_many_sessions(backend, monkeypatch, capsys, caplog, summary, printed, logged):
    """Where nobody looks, the first session prints its line and the others are in the log, unless the user says."""
    if summary:
        monkeypatch.setenv("AGENTOPS_SUMMARY", summary)
    caplog.set_level(logging.INFO, "agentops_otel")
    agentops.init(auto_start_session=False)
    for number in range(3):
        with agentops.session(name=f"request {number}"):
            pass
    agentops.shutdown()
    lines = [line for line in capsys.readouterr().err.splitlines() if "Session request" in line]
    found = [record for record in caplog.records if "Session request" in record.getMessage()]
    assert (len(lines), len(found)) == (printed, logged)
    assert all(line.startswith("agentops-otel: Session request ") for line in lines)
    assert all(record.levelno == logging.INFO for record in found)
    assert all(record.getMessage().startswith("agentops-otel: Session request ") for record in found)
