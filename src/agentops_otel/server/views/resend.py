"""A recorded call as a command line and as Python. No key is in it: it is read from the environment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ... import semconv
from ...rows import Message, SpanRow
from .spoken import as_text

_LONGEST: Final = 200_000
"""Characters; what is longer is no command line any more."""
_OPENAI: Final = {
    semconv.REQUEST_TEMPERATURE: "temperature",
    semconv.REQUEST_TOP_P: "top_p",
    semconv.REQUEST_MAX_TOKENS: "max_tokens",
    semconv.REQUEST_SEED: "seed",
    semconv.REQUEST_FREQUENCY_PENALTY: "frequency_penalty",
    semconv.REQUEST_PRESENCE_PENALTY: "presence_penalty",
    semconv.REQUEST_STOP_SEQUENCES: "stop",
    semconv.REQUEST_CHOICE_COUNT: "n",
}
_ANTHROPIC: Final = {
    semconv.REQUEST_TEMPERATURE: "temperature",
    semconv.REQUEST_TOP_P: "top_p",
    semconv.REQUEST_TOP_K: "top_k",
    semconv.REQUEST_MAX_TOKENS: "max_tokens",
    semconv.REQUEST_STOP_SEQUENCES: "stop_sequences",
}

_OTHER_APIS: Final = frozenset({"aws.bedrock", "cohere", "gcp.gemini", "gcp.vertex_ai"})
"""Providers whose API is neither Anthropic's nor OpenAI's."""


def as_curl(span: SpanRow) -> str:
    """The call as a command line; empty when its content was not captured."""
    body = _body(span)
    if body is None:
        return ""
    url, headers, _ = _service(span)
    lines = [f"curl {shlex.quote(url)}", *(f'-H "{header}"' for header in headers)]
    data = json.dumps(body, ensure_ascii=False, indent=2)
    return " \\\n  ".join([*lines, f"--data-binary {shlex.quote(data)}"])


def as_python(span: SpanRow) -> str:
    """The call as a Python program; empty when its content was not captured."""
    body = _body(span)
    if body is None:
        return ""
    arguments = "\n".join(f"    {name}={_literal(value)}," for name, value in body.items())
    if _is_anthropic(span):
        return (
            "from anthropic import Anthropic\n\n"
            f"message = Anthropic().messages.create(\n{arguments}\n)\nprint(message.content)\n"
        )
    _, _, base = _service(span)
    client = f"OpenAI(base_url={base!r})" if base else "OpenAI()"
    return (
        "from openai import OpenAI\n\n"
        f"completion = {client}.chat.completions.create(\n{arguments}\n)\n"
        "print(completion.choices[0].message)\n"
    )


def _is_anthropic(span: SpanRow) -> bool:
    return span.provider == "anthropic"


def _service(span: SpanRow) -> tuple[str, list[str], str]:
    """Address and headers of the service, and the base address that its SDK has to be told."""
    json_type = "content-type: application/json"
    if _is_anthropic(span):
        key = "x-api-key: $ANTHROPIC_API_KEY"
        return "https://api.anthropic.com/v1/messages", [key, "anthropic-version: 2023-06-01", json_type], ""
    host = span.server or "api.openai.com"
    known = host in {"api.openai.com", "api.openai.com:443"}
    scheme = "http" if host.split(":")[0] in {"localhost", "127.0.0.1"} else "https"
    base = f"{scheme}://{host}/v1"
    return f"{base}/chat/completions", ["authorization: Bearer $OPENAI_API_KEY", json_type], "" if known else base


def _body(span: SpanRow) -> dict[str, Any] | None:
    """The body of the request, as far as it is known."""
    body = span.body
    if body is None or not body.input or span.operation not in {None, "chat", "generate_content", "text_completion"}:
        return None
    if span.provider in _OTHER_APIS or body.attributes.get(semconv.OUTPUT_TYPE) not in {None, "text", "json"}:
        return None
    anthropic = _is_anthropic(span)
    known = _ANTHROPIC if anthropic else _OPENAI
    params = {name: body.attributes[key] for key, name in known.items() if body.attributes.get(key) is not None}
    request: dict[str, Any] = {"model": span.request_model or span.model or ""}
    system = "\n".join(as_text(part.get("content")) for part in body.system)
    if anthropic:
        request |= {"max_tokens": 1024} | params
        request |= {"system": system} if system else {}
        request["messages"] = [_anthropic(message) for message in body.input if message.role != "system"]
    else:
        messages = [each for message in body.input for each in _openai(message)]
        request["messages"] = [{"role": "system", "content": system}, *messages] if system else messages
        request |= params
    tools = _tools(body.tools, anthropic=anthropic)
    request |= {"tools": tools} if tools else {}
    return request if len(json.dumps(request, default=str)) <= _LONGEST else None


def _openai(message: Message) -> list[dict[str, Any]]:
    results = [part for part in message.parts if part.get("type") == "tool_call_response"]
    if results:
        return [
            {"role": "tool", "tool_call_id": as_text(part.get("id")), "content": as_text(part.get("response"))}
            for part in results
        ]
    calls = [
        {
            "id": as_text(part.get("id")),
            "type": "function",
            "function": {"name": as_text(part.get("name")), "arguments": as_text(part.get("arguments"))},
        }
        for part in message.parts
        if part.get("type") == "tool_call"
    ]
    text = _text(message)
    said: dict[str, Any] = {"role": message.role, "content": text if text or not calls else None}
    return [said | {"tool_calls": calls} if calls else said]


def _anthropic(message: Message) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    for part in message.parts:
        kind = part.get("type")
        if kind == "tool_call":
            given = {
                "id": as_text(part.get("id")),
                "name": as_text(part.get("name")),
                "input": part.get("arguments") or {},
            }
            blocks.append({"type": "tool_use", **given})
        elif kind == "tool_call_response":
            content = as_text(part.get("response"))
            blocks.append({"type": "tool_result", "tool_use_id": as_text(part.get("id")), "content": content})
        elif kind == "text":
            blocks.append({"type": "text", "text": as_text(part.get("content"))})
    role = "user" if message.role in {"tool", "user"} else "assistant"
    only_text = len(blocks) == 1 and blocks[0]["type"] == "text"
    return {"role": role, "content": blocks[0]["text"] if only_text else blocks}


def _text(message: Message) -> str:
    return "\n".join(as_text(part.get("content")) for part in message.parts if part.get("type") == "text")


def _tools(tools: Any, *, anthropic: bool) -> list[Any]:
    """The tools that were offered, as their provider takes them."""
    if not isinstance(tools, Sequence) or isinstance(tools, str):
        return []
    return [_tool(tool, anthropic=anthropic) for tool in tools if isinstance(tool, Mapping)]


def _tool(tool: Mapping[str, Any], *, anthropic: bool) -> dict[str, Any]:
    inner = tool.get("function")
    given: Mapping[str, Any] = inner if isinstance(inner, Mapping) else tool
    schema = given.get("parameters") or given.get("input_schema") or {"type": "object", "properties": {}}
    named = {"name": as_text(given.get("name"))}
    if given.get("description"):
        named["description"] = as_text(given["description"])
    if anthropic:
        return {**named, "input_schema": schema}
    return {"type": "function", "function": {**named, "parameters": schema}}


def _literal(value: Any) -> str:
    """A value as Python, over several lines where it is long."""
    text = repr(value)
    if len(text) <= 80:
        return text
    if isinstance(value, list):
        inner = "".join(f"        {each!r},\n" for each in value)
        return f"[\n{inner}    ]"
    return text
