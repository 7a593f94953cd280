"""A small stand-in for OpenAI's API on this machine: same requests, same answers every time, no key, no cost.

    python examples/openai_server.py        # prints the two variables that make any OpenAI program use it

It knows `POST /v1/chat/completions`: plain, with tools, streamed with usage. The answers belong to `support_agent.py`,
unless other ones are given; every other question gets a short general answer. Token counts are estimated at four
characters each.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLAN = "1. Look up the order.\n2. Refund it if the policy allows.\n3. Answer the customer."
ANSWER = "I am sorry that the teapot arrived broken, Ada. I have refunded $42.00, which reaches you within two days."
CACHE_BLOCK = 128  # tokens; the real API caches in blocks of this size too, but only prompts of at least 1,024 tokens


class Refusal(Exception):
    """What an answer raises for a request that is refused with this status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class OpenAIServer:
    """A context manager that serves on loopback; `url` is the base URL for a client.

    Args:
        latency: seconds from a request to its first byte; a longer answer takes longer.
        port: to listen on; 0 takes a free one.
        answer: makes the message of the assistant from the body of a request; `text()` and `calls()` help with it.
    """

    def __init__(
        self, latency: float = 0.0, port: int = 0, answer: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> None:
        class Handler(_Handler):
            pass

        Handler.latency = latency
        Handler.answer = staticmethod(answer or _message)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> OpenAIServer:  # noqa: PYI034  (typing.Self is newer than Python 3.10)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    latency = 0.0
    answer: Callable[[dict[str, Any]], dict[str, Any]]

    def do_POST(self) -> None:
        """Answer one request."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        time.sleep(self.latency)
        try:
            if not self.path.endswith("/chat/completions"):
                raise Refusal(404, f"This stand-in does not know {self.path}")
            completion = complete(body, self.answer(body))
        except Refusal as refusal:
            error = {"message": str(refusal), "type": "invalid_request_error"}
            self._send(refusal.status, json.dumps({"error": error}).encode())
            return
        if body.get("stream"):
            self._stream(completion, with_usage=bool((body.get("stream_options") or {}).get("include_usage")))
            return
        time.sleep(self.latency * completion["usage"]["completion_tokens"] / 40)
        self._send(200, json.dumps(completion).encode())

    def _send(self, status: int, body: bytes) -> None:
        self._head(status, "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, completion: dict[str, Any], *, with_usage: bool) -> None:
        self._head(200, "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chunks(completion, with_usage=with_usage):
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()
            time.sleep(self.latency / 20)
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _head(self, status: int, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("x-request-id", "req_local")
        self.send_header("x-ratelimit-remaining-requests", "4999")
        self.send_header("x-ratelimit-remaining-tokens", "1999400")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is http.server's)
        """Say nothing."""


def complete(body: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """The chat completion with this message; depends on nothing but the request and the message."""
    finish = "tool_calls" if "tool_calls" in message else "stop"
    model = body.get("model", "gpt-4.1-mini")
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{model}-2025-04-14" if model.startswith("gpt-4.1") and model.count("-") < 3 else model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": _usage(body, message),
        "system_fingerprint": "fp_local",
    }


def chunks(completion: dict[str, Any], *, with_usage: bool) -> Iterator[dict[str, Any]]:
    """The same completion as a stream: one chunk for a word, and the usage last when it was asked for."""
    head = {name: completion[name] for name in ("id", "created", "model", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"
    choice = completion["choices"][0]
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in (message["content"] or "").replace(" ", " \0").split("\0")]
    deltas += [{"tool_calls": [{"index": i, **call}]} for i, call in enumerate(message.get("tool_calls", ()))]
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if with_usage:
        yield {**head, "choices": [], "usage": completion["usage"]}


def _message(body: dict[str, Any]) -> dict[str, Any]:
    messages = body.get("messages", [])
    question = next((str(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")
    tools = {tool["function"]["name"] for tool in body.get("tools", ()) if tool.get("type") == "function"}
    if {"find_order", "refund"} <= tools:
        results = [str(m.get("content")) for m in messages if m.get("role") == "tool"]
        if not results:
            return calls(("find_order", {"order_id": 1842}))
        if len(results) == 1 or "Error" in results[-1]:
            return calls(("refund", {"order_id": 1842, "amount": 42.0}))
        return text("DONE")
    if "plan" in question.lower():
        return text(PLAN)
    if any(m.get("role") == "tool" for m in messages):
        return text(ANSWER)
    return text(f"You asked: {question.strip()[:200]} I am a stand-in, so this is all I know.")


def text(content: str) -> dict[str, Any]:
    """A message that says something."""
    return {"role": "assistant", "content": content, "refusal": None}


def calls(*tools: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A message that asks for tools, each with its name and arguments."""
    made = []
    for name, arguments in tools:
        function = {"name": name, "arguments": json.dumps(arguments)}
        call_id = "call_" + hashlib.sha256(json.dumps(function).encode()).hexdigest()[:16]
        made.append({"id": call_id, "type": "function", "function": function})
    return {"role": "assistant", "content": None, "refusal": None, "tool_calls": made}


def _usage(body: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """What a request costs in tokens; all up to the assistant's last turn was sent before and is cached."""
    messages = body.get("messages", [])
    last_turn = max((i for i, m in enumerate(messages) if m.get("role") == "assistant"), default=0)
    tools = _tokens(body.get("tools", []))
    cached = (tools + _tokens(messages[:last_turn])) // CACHE_BLOCK * CACHE_BLOCK if last_turn else 0
    given = tools + _tokens(messages)
    made = _tokens(message.get("content") or "") + _tokens(message.get("tool_calls", []))
    reasoning = 6 * made if str(body.get("model")).startswith("o") else 0
    return {
        "prompt_tokens": given,
        "completion_tokens": made + reasoning,
        "total_tokens": given + made + reasoning,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    }


def _tokens(value: Any) -> int:
    return len(json.dumps(value)) // 4 if value else 0


def main() -> None:
    """Serve until Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with OpenAIServer(latency=0.1, port=port) as server:
        print(f"export OPENAI_BASE_URL={server.url} OPENAI_API_KEY=none", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
