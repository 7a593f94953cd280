"""An LLM API on loopback: real HTTP, canned answers of OpenAI's endpoints, and every way an API can fail.

A test queues `Reply`s with `then()`; without one the endpoint's usual answer is given. `requests` keeps every request.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from typing_extensions import Self

USAGE = {
    "prompt_tokens": 57,
    "completion_tokens": 48,
    "total_tokens": 105,
    "prompt_tokens_details": {"cached_tokens": 32, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 16, "audio_tokens": 0},
}
LINES = {"content-type": "application/x-ndjson"}
HEADERS = {
    "x-request-id": "req_1",
    "x-ratelimit-remaining-requests": "99",
    "x-ratelimit-remaining-tokens": "149000",
}


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Reply:
    """What the server does with one request.

    Args:
        body: JSON for a plain answer, a list of events for a stream (a pair is a name and an event), bytes for anything
            else.
        headers: with the content type of `LINES` the events are lines of JSON, else server-sent events; those that are
            bytes are sent as they are.
        delay: seconds before the first byte.
        gap: seconds between two events.
        cut: number of events after which the connection is reset.
        hang: send no more after the events until the server stops.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    gap: float = 0
    cut: int | None = None
    hang: bool = False


def chat(message: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A chat completion; `message` and `fields` replace the usual ones."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [choice(message)],
        "usage": USAGE,
        **fields,
    }


def choice(message: dict[str, Any] | None = None, index: int = 0, finish_reason: str = "stop") -> dict[str, Any]:
    return {
        "index": index,
        "finish_reason": finish_reason,
        "logprobs": None,
        "message": {"role": "assistant", "content": "Paris", "refusal": None, **(message or {})},
    }


def chunk(
    delta: dict[str, Any] | None = None, finish_reason: str | None = None, index: int = 0, **fields: Any
) -> dict[str, Any]:
    """One chunk of a streamed chat completion; without a delta it has no choices."""
    choices = (
        [] if delta is None else [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
    )
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1760000000, "model": "gpt-4o-2024-08-06"}
    return {**head, "service_tier": "default", "system_fingerprint": "fp_1", "choices": choices, **fields}


def chat_chunks(usage: bool = False) -> list[Any]:
    """The streamed form of `chat()`: five chunks, six with usage, and `[DONE]`."""
    deltas = [{"role": "assistant", "content": ""}, {"content": "Pa"}, {"content": "r"}, {"content": "is"}]
    chunks: list[Any] = [chunk(delta) for delta in deltas]
    chunks.append(chunk({}, "stop"))
    if usage:
        chunks.append(chunk(usage=USAGE))
    return [*chunks, "[DONE]"]


def response(status: str = "completed", **fields: Any) -> dict[str, Any]:
    """An answer of the Responses API."""
    done = status == "completed"
    part = {"type": "output_text", "text": '{"city": "Paris"}', "annotations": []}
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1760000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": "gpt-4o-2024-08-06",
        "output": [message] if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "text": {"format": {"type": "text"}},
        "usage": {
            "input_tokens": 57,
            "input_tokens_details": {"cached_tokens": 32},
            "output_tokens": 48,
            "output_tokens_details": {"reasoning_tokens": 16},
            "total_tokens": 105,
        }
        if done
        else None,
        **fields,
    }


def response_events(final: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The streamed form of `response()`."""
    whole = final or response()
    part = {"type": "output_text", "text": "", "annotations": []}
    item = {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": []}
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    text = '{"city": "Paris"}'
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response("in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **where, "part": part},
        {"type": "response.output_text.delta", **where, "delta": text[:8], "logprobs": []},
        {"type": "response.output_text.delta", **where, "delta": text[8:], "logprobs": []},
        {"type": "response.output_text.done", **where, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": {**part, "text": text}},
        {"type": "response.output_item.done", "output_index": 0, "item": response()["output"][0]},
        {"type": f"response.{whole['status']}", "response": whole},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def embeddings() -> dict[str, Any]:
    vector = [0.25, -0.5, 1.0, 0.0]
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    return {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": data,
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


def completion() -> dict[str, Any]:
    choices = [{"text": "Paris", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1760000000, "model": "gpt-3.5-turbo-instruct"}
    return {**head, "choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}}


def completion_chunks() -> list[Any]:
    last = completion()
    first = {**last, "choices": [{**last["choices"][0], "text": "Pa", "finish_reason": None}], "usage": None}
    second = {**last, "choices": [{**last["choices"][0], "text": "ris"}], "usage": None}
    return [first, second, "[DONE]"]


def error(code: str | None, message: str = "no") -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


class LlmServer:
    """The server; a context manager that stops it and cuts what hangs."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._replies: deque[Reply] = deque()
        self._stopped = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def port(self) -> int:
        return self._http.server_port

    def then(self, *replies: Reply) -> None:
        """Answer the next requests like this, one after the other."""
        self._replies.extend(replies)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def reply_to(self, request: Request) -> Reply:
        if self._replies:
            return self._replies.popleft()
        path = request.path.partition("?")[0]
        body = request.body if request.raw.startswith(b"{") else {}
        stream = body.get("stream") is True or "stream=true" in request.path
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        if path.endswith("/chat/completions"):
            return Reply(chat_chunks(usage) if stream else chat())
        if path.endswith("/responses/compact"):
            return Reply({**response(object="response.compaction"), "status": None})
        if path.endswith("/responses") or ("/responses/" in path and not path.endswith("/input_items")):
            return Reply(response_events() if stream else response())
        if path.endswith("/embeddings"):
            return Reply(embeddings())
        if path.endswith("/completions"):
            return Reply(completion_chunks() if stream else completion())
        if path.endswith(("/models", "/input_items")):
            return Reply({"object": "list", "data": []})
        return Reply(error("unknown_url"), status=404)

    def send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        self._stopped.wait(reply.delay)
        if isinstance(reply.body, list):
            self._send_events(handler, reply.body, reply)
            return
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self._head(handler, reply, {"content-type": "application/json", "content-length": str(len(data))})
        handler.wfile.write(data)

    def _send_events(self, handler: BaseHTTPRequestHandler, events: Sequence[Any], reply: Reply) -> None:
        self._head(handler, reply, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        lines = reply.headers.get("content-type") == LINES["content-type"]
        for number, event in enumerate(events):
            if number == reply.cut:
                self._reset(handler)
                return
            data = _framed(event, lines=lines)
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            handler.wfile.flush()
            self._stopped.wait(reply.gap)
        if reply.hang:
            self._stopped.wait()
        handler.wfile.write(b"0\r\n\r\n")

    @staticmethod
    def _head(handler: BaseHTTPRequestHandler, reply: Reply, headers: dict[str, str]) -> None:
        handler.send_response(reply.status)
        for name, value in {**headers, **HEADERS, **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()

    @staticmethod
    def _reset(handler: BaseHTTPRequestHandler) -> None:
        # Give the client time to read what was sent: a reset throws away what is still in its buffer.
        time.sleep(0.1)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True


# What programs of other tests send that try again: an exporter whose backend had this port before, `tail` and a page
# whose box had it, and a box that asks whether another one is still there.
_NOT_FOR_US: Final = ("/v1/traces", "/v1/logs", "/v1/metrics", "/live", "/.well-known/agentops-otel")


def _framed(event: Any, *, lines: bool) -> bytes:
    if isinstance(event, bytes):
        return event
    title, said = event if isinstance(event, tuple) else (None, event)
    title = said.get("type") if title is None and isinstance(said, dict) else title
    name = f"event: {title}\n" if title else ""
    text = said if isinstance(said, str) else json.dumps(said)
    return (f"{text}\n" if lines else f"{name}data: {text}\n\n").encode()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


def _handler(server: LlmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an ACK

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.path.partition("?")[0].endswith(_NOT_FOR_US):
                self.send_error(404)
                return
            request = Request(self.command, self.path, headers, raw)
            server.requests.append(request)
            try:
                server.send(self, server.reply_to(request))
            except OSError:  # the client went away, as it does in many tests
                self.close_connection = True

        do_GET = do_POST = _answer

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_args: object) -> None:
            """Keep the test's output clean."""

    return Handler
