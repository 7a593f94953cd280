"""OpenAI's answers without a network: a transport for the HTTP library that the installed `openai` is built on."""

from __future__ import annotations

import importlib
import json
from itertools import count
from typing import Any

QUESTION = [
    {"role": "system", "content": "You answer in one sentence."},
    {
        "role": "user",
        "content": "Which river flows through Vienna, and where does it end? " + "Be brief and exact. " * 8,
    },
]
CHAT = {"model": "gpt-4o", "messages": QUESTION, "temperature": 0.2, "max_tokens": 256, "top_p": 0.9}
_USAGE = {
    "prompt_tokens": 61, "completion_tokens": 44, "total_tokens": 105,
    "prompt_tokens_details": {"cached_tokens": 32}, "completion_tokens_details": {"reasoning_tokens": 16},
}  # fmt: skip
_HEAD = {"id": "chatcmpl-bench", "created": 1_760_000_000, "model": "gpt-4o-2024-08-06", "service_tier": "default"}


def _chat() -> bytes:
    message = {"role": "assistant", "content": "The Danube, which ends in the Black Sea. " * 5}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()


def _chunks(count: int) -> list[bytes]:
    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return (
            b"data: " + json.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
        )

    words = [event({"content": f"word {n} "}) for n in range(count - 2)]
    return [event({"role": "assistant", "content": ""}), *words, event({}, "stop"), b"data: [DONE]\n\n"]


def _embedding() -> bytes:
    data = [{"object": "embedding", "index": 0, "embedding": [0.01] * 256}]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return json.dumps({"object": "list", "model": "text-embedding-3-small", "data": data, "usage": usage}).encode()


class Answers:
    """The canned answers; `chunks` is the length of the next stream."""

    def __init__(self) -> None:
        self.chunks = 50
        self._chat, self._embedding = _chat(), _embedding()
        self._number = count()
        self._streams = {length: _chunks(length) for length in (10, 50)}

    def clients(self, openai: Any) -> tuple[Any, Any]:
        """A sync and an async client of this `openai` module (or of a copy of it) that get these answers."""
        base = importlib.import_module(openai.__name__ + "._base_client")
        http = getattr(base, "httpx2", None) or base.httpx

        class Body(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc,name-defined]
            def __init__(self, parts: list[bytes]) -> None:
                self.parts = parts

            def __iter__(self) -> Any:
                yield from self.parts

            async def __aiter__(self) -> Any:
                for part in self.parts:
                    yield part

        def answer(request: Any, body: bytes) -> Any:
            if request.url.path.endswith("/embeddings"):
                return http.Response(200, headers={"content-type": "application/json"}, content=self._embedding)
            if b'"stream":true' in body or b'"stream": true' in body:
                return http.Response(
                    200, headers={"content-type": "text/event-stream"}, stream=Body(self._streams[self.chunks])
                )
            # (no model says the same each time)
            said = self._chat.replace(b"Danube", b"Danube %d" % next(self._number), 1)
            return http.Response(200, headers={"content-type": "application/json"}, content=said)

        class Sync(http.BaseTransport):  # type: ignore[misc,name-defined]
            def handle_request(self, request: Any) -> Any:
                return answer(request, request.read())

        class Async(http.AsyncBaseTransport):  # type: ignore[misc,name-defined]
            async def handle_async_request(self, request: Any) -> Any:
                return answer(request, await request.aread())

        options = {"api_key": "none", "base_url": "http://127.0.0.1:9/v1", "max_retries": 0}
        return (
            openai.OpenAI(http_client=http.Client(transport=Sync()), **options),
            openai.AsyncOpenAI(http_client=http.AsyncClient(transport=Async()), **options),
        )


def long_prompt(kilobytes: int) -> list[dict[str, Any]]:
    """One user message of this size."""
    return [{"role": "user", "content": ("the quick brown fox jumps over it " * (kilobytes * 31))[: kilobytes * 1024]}]


def picture(megabytes: int) -> list[dict[str, Any]]:
    """One user message with an image of this size, as base64 text."""
    data = ("iVBORw0KGgoAAAANSUhEUg" * (megabytes * 48_000))[: megabytes * 1024 * 1024]
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    return [{"role": "user", "content": parts}]
