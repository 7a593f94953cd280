"""The limit: a span written by hand around each call, with the attributes a careful engineer would put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.trace import Span, SpanKind, Tracer


class ByHand:
    """Stands in for `client.chat.completions`."""

    def __init__(self, tracer: Tracer, create: Any, content: bool) -> None:
        self._tracer, self._create, self._content = tracer, create, content

    def _start(self, request: dict[str, Any]) -> Span:
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": request["model"],
            "server.address": "127.0.0.1",
            "server.port": 9,
        }
        for name in ("temperature", "max_tokens", "top_p"):
            if name in request:
                attributes[f"gen_ai.request.{name}"] = request[name]
        if self._content:
            attributes["gen_ai.input.messages"] = json.dumps(request["messages"], ensure_ascii=False)
        return self._tracer.start_span(f"chat {request['model']}", kind=SpanKind.CLIENT, attributes=attributes)

    def _end(self, span: Span, answer: Any, text: str, finish: str) -> None:
        attributes = {
            "gen_ai.response.id": answer.id,
            "gen_ai.response.model": answer.model,
            "gen_ai.response.finish_reasons": (finish,),
        }
        if answer.usage:
            attributes["gen_ai.usage.input_tokens"] = answer.usage.prompt_tokens
            attributes["gen_ai.usage.output_tokens"] = answer.usage.completion_tokens
        if self._content:
            attributes["gen_ai.output.messages"] = json.dumps(
                [{"role": "assistant", "content": text}], ensure_ascii=False
            )
        span.set_attributes(attributes)
        span.end()

    def create(self, **request: Any) -> Any:
        """`create()` with a span."""
        span = self._start(request)
        answer = self._create(**request)
        if request.get("stream"):
            return self._followed(span, answer)
        self._end(span, answer, answer.choices[0].message.content, answer.choices[0].finish_reason)
        return answer

    def _followed(self, span: Span, stream: Iterator[Any]) -> Iterator[Any]:
        parts: list[str] = []
        chunk, finish = None, ""
        for chunk in stream:
            choice = chunk.choices[0]
            parts.append(choice.delta.content or "")
            finish = choice.finish_reason or finish
            yield chunk
        self._end(span, chunk, "".join(parts), finish)

    async def acreate(self, **request: Any) -> Any:
        """The same for the async client; no streams."""
        span = self._start(request)
        answer = await self._create(**request)
        self._end(span, answer, answer.choices[0].message.content, answer.choices[0].finish_reason)
        return answer


def tool_by_hand(tracer: Tracer, tool: Callable[..., Any]) -> Callable[..., Any]:
    """A tool with a span around each call, with what it was given and has returned as JSON."""

    def call(*args: Any, **kwargs: Any) -> Any:
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool.__name__,
            "gen_ai.tool.call.arguments": json.dumps({"args": args, "kwargs": kwargs}, ensure_ascii=False),
        }
        with tracer.start_as_current_span(f"execute_tool {tool.__name__}", attributes=attributes) as span:
            result = tool(*args, **kwargs)
            span.set_attribute("gen_ai.tool.call.result", json.dumps(result, ensure_ascii=False))
            return result

    return call
