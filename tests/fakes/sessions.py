"""Sessions as their spans and log events arrive over OTLP, written like a play: who asks, what is called, how it ends.

    run = Run("support-desk", began_ns, tags=["prod"])
    run.ask("Refund order 1842: the blender arrived broken", system="You are the support desk of a shop.")
    run.llm("gpt-4.1", 2.1, answer="I look it up.", calls=[("find_order", {"id": 1842})], tokens=(1200, 40))
    run.tool("find_order", {"id": 1842}, {"total": 61.9}, 0.4)
    run.end("Success")
    run.traces(), run.logs()  # bodies of two requests

A clock runs with what is written: each step begins where the last one ended. Equal plays make equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SECOND = 1_000_000_000


def _value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case list() | tuple():
            return AnyValue(array_value=ArrayValue(values=map(_value, value)))
        case Mapping():
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
    raise TypeError(type(value))


def _pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items() if value is not None]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "content": text}


class Run:
    """One session of our own SDK, with the attributes that it writes."""

    def __init__(
        self,
        name: str,
        began_ns: int,
        *,
        tags: Sequence[str] = (),
        host: str = "build-07",
        pid: int = 4121,
        service: str = "agents",
        key: str = "",
    ) -> None:
        digest = hashlib.sha256(f"{name} {began_ns} {key}".encode()).digest()
        self.trace_id = digest[:16]
        self.root_id = digest[:8]
        text = self.trace_id.hex()
        self.session_id = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        self.name, self.tags = name, list(tags)
        self.began_ns = self.now_ns = began_ns
        self.resource = {
            "service.name": service,
            "service.instance.id": f"{text[:12]}",
            "host.name": host,
            "process.pid": pid,
            "process.runtime.name": "CPython",
            "process.runtime.version": "3.12.4",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": "1.45.2",
            "agentops.sdk.version": "0.9.0",
        }
        self.spans = list[Span]()
        self.records = list[LogRecord]()
        self.history = list[dict[str, Any]]()
        self.system: str | None = None
        self._parents = [self.root_id]
        self._count = 0
        self._ended = False
        self._event("session.start", **{"agentops.python.packages": "anthropic==2.11.0\nopenai==3.52.0"})

    # What happens ---------------------------------------------------------------------------------------------------

    def ask(self, text: str, *, system: str | None = None) -> None:
        """What the user says to the model next."""
        self.history.append({"role": "user", "parts": [_text(text)]})
        self.system = system or self.system

    def wait(self, seconds: float) -> None:
        """Time in which nothing is recorded."""
        self.now_ns += int(seconds * SECOND)

    def llm(
        self,
        model: str,
        seconds: float,
        *,
        answer: str = "",
        thought: str = "",
        calls: Sequence[tuple[str, Mapping[str, Any]]] = (),
        tokens: tuple[int, ...] = (1000, 100),
        first: float | None = None,
        provider: str | None = None,
        error: tuple[str, str] | None = None,
        operation: str = "chat",
    ) -> Span:
        """A call of a model; `tokens` are input, output, read from a cache, reasoning."""
        provider = provider or ("anthropic" if model.startswith("claude") else "openai")
        names = ("input_tokens", "output_tokens", "cache_read.input_tokens", "reasoning.output_tokens")
        attributes: dict[str, Any] = {
            "agentops.span.kind": "llm",
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "server.address": f"api.{provider}.com",
            "server.port": 443,
            "gen_ai.input.messages": json.dumps(self.history),
            "gen_ai.system_instructions": self.system and json.dumps([_text(self.system)]),
        }
        if error is None:
            parts: list[dict[str, Any]] = [{"type": "reasoning", "content": thought}] if thought else []
            parts += [_text(answer)] if answer else []
            parts += [
                {"type": "tool_call", "id": f"call_{self._count}_{number}", "name": name, "arguments": dict(arguments)}
                for number, (name, arguments) in enumerate(calls)
            ]
            message = {"role": "assistant", "parts": parts}
            attributes |= {
                "gen_ai.response.model": model,
                "gen_ai.response.finish_reasons": ["tool_calls" if calls else "stop"],
                "gen_ai.output.messages": json.dumps([{**message, "finish_reason": "tool_call" if calls else "stop"}]),
                "gen_ai.response.time_to_first_chunk": first,
            }
            attributes |= {f"gen_ai.usage.{name}": count for name, count in zip(names, tokens, strict=False)}
            self.history.append(message)
        return self._span(f"{operation} {model}", attributes, seconds, kind=3, error=error)

    def tool(
        self,
        name: str,
        arguments: Mapping[str, Any],
        result: Any,
        seconds: float,
        *,
        error: tuple[str, str] | None = None,
    ) -> Span:
        """A call of a tool, whose result the next call of a model is given."""
        attributes = {
            "agentops.span.kind": "tool",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.arguments": json.dumps(dict(arguments)),
            "gen_ai.tool.call.result": None if error else json.dumps(result),
        }
        response = error[1] if error else result
        call = next((part for part in reversed(self._calls()) if part["name"] == name), {"id": "call"})
        self.history.append(
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": call["id"], "response": response}]}
        )
        return self._span(f"execute_tool {name}", attributes, seconds, error=error)

    @contextmanager
    def agent(self, name: str, task: str | None = None) -> Iterator[None]:
        """What happens inside is the agent's; it begins with messages of its own when it has a task."""
        history, system, began = self.history, self.system, self.now_ns
        if task is not None:
            self.history, self.system = [], None
            self.ask(task)
        span_id = self._new_id()
        self._parents.append(span_id)
        yield
        self._parents.pop()
        attributes = {
            "agentops.span.kind": "agent",
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": name,
            "agentops.entity.input": task and json.dumps({"task": task}),
        }
        self._add(f"invoke_agent {name}", attributes, span_id, began, self.now_ns)
        if task is not None:
            self.history, self.system = history, system

    @contextmanager
    def together(self) -> Iterator[None]:
        """What happens inside begins at the same time."""
        began, first = self.now_ns, len(self.spans)
        yield
        last = began
        for span in self.spans[first:]:
            shift = span.start_time_unix_nano - began
            span.start_time_unix_nano -= shift
            span.end_time_unix_nano -= shift
            last = max(last, span.end_time_unix_nano)
        self.now_ns = last

    def end(self, state: str = "Success", reason: str | None = None) -> Run:
        """The root span and the event of the end."""
        attributes = {
            "agentops.session.end_state": state,
            "agentops.session.end_state_reason": reason,
        }
        status: Any = {"Success": 1, "Fail": 2}.get(state, 0)
        root = self._add(
            f"session {self.name}",
            {
                "agentops.span.kind": "session",
                "agentops.session.name": self.name,
                "agentops.session.tags": self.tags,
                **attributes,
            },
            self.root_id,
            self.began_ns,
            self.now_ns,
        )
        root.ClearField("parent_span_id")
        root.status.CopyFrom(Status(code=status, message=(reason or "") if state == "Fail" else ""))
        self._event("session.end", **attributes, **{"agentops.session.role": "owner"})
        self._ended = True
        return self

    def heartbeat(self, *open_spans: tuple[str, str, float], seconds_ago: float = 0.0) -> Run:
        """What the SDK says each 10 s of a session that runs: kind, name, and since when, of what is open."""
        lines = [f"{self.root_id.hex()} 0000000000000000 session {self.began_ns} session {self.name}"]
        for kind, name, seconds in open_spans:
            began = self.now_ns - int(seconds * SECOND)
            lines.append(f"{self._new_id().hex()} {self._parents[-1].hex()} {kind} {began} {name}")
        self.now_ns -= int(seconds_ago * SECOND)
        self._event("agentops.session.heartbeat", **{"agentops.session.open_spans": lines})
        self.now_ns += int(seconds_ago * SECOND)
        return self

    # As it is sent --------------------------------------------------------------------------------------------------

    def traces(self, spans: Iterable[Span] | None = None) -> bytes:
        """The body of a request to `/v1/traces`."""
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        resource_spans.resource.attributes.extend(_pairs(self.resource))
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name, scope_spans.scope.version = "agentops_otel", "0.9.0"
        scope_spans.spans.extend(self.spans if spans is None else spans)
        return bytes(request.SerializeToString())

    def logs(self) -> bytes:
        """The body of a request to `/v1/logs`."""
        request = ExportLogsServiceRequest()
        resource_logs = request.resource_logs.add()
        resource_logs.resource.attributes.extend(_pairs(self.resource))
        scope_logs = resource_logs.scope_logs.add()
        scope_logs.scope.name = "agentops_otel"
        scope_logs.log_records.extend(self.records)
        return bytes(request.SerializeToString())

    def _calls(self) -> list[dict[str, Any]]:
        return [part for message in self.history for part in message["parts"] if part["type"] == "tool_call"]

    def _new_id(self) -> bytes:
        self._count += 1
        return hashlib.sha256(self.trace_id + self._count.to_bytes(4, "big")).digest()[:8]

    def _span(
        self,
        name: str,
        attributes: Mapping[str, Any],
        seconds: float,
        *,
        kind: int = 1,
        error: tuple[str, str] | None = None,
    ) -> Span:
        began, self.now_ns = self.now_ns, self.now_ns + int(seconds * SECOND)
        span = self._add(name, attributes, self._new_id(), began, self.now_ns, kind)
        if error is not None:
            kind_of_error, message = error
            span.attributes.extend(_pairs({"error.type": kind_of_error}))
            span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=f"{kind_of_error}: {message}"))
            stack = (
                f'Traceback (most recent call last):\n  File "agent.py", line 41, in step\n{kind_of_error}: {message}\n'
            )
            span.events.add(
                name="exception",
                time_unix_nano=self.now_ns,
                attributes=_pairs(
                    {
                        "exception.type": kind_of_error,
                        "exception.message": message,
                        "exception.stacktrace": stack,
                    }
                ),
            )
        self.now_ns += SECOND // 500
        return span

    def _add(
        self, name: str, attributes: Mapping[str, Any], span_id: bytes, began: int, ended: int, kind: int = 1
    ) -> Span:
        span = Span(
            trace_id=self.trace_id,
            span_id=span_id,
            parent_span_id=self._parents[-1],
            name=name,
            kind=kind,  # type: ignore[arg-type]
            start_time_unix_nano=began,
            end_time_unix_nano=ended,
            attributes=_pairs({"session.id": self.session_id, **attributes}),
        )
        self.spans.append(span)
        return span

    def _event(self, name: str, **attributes: Any) -> None:
        identity = {
            "session.id": self.session_id,
            "agentops.session.name": self.name,
            "agentops.session.tags": self.tags,
        }
        self.records.append(
            LogRecord(
                time_unix_nano=self.now_ns,
                observed_time_unix_nano=self.now_ns,
                trace_id=self.trace_id,
                span_id=self.root_id,
                attributes=_pairs({"event.name": name, **identity, **attributes}),
            )
        )
