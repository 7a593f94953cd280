"""OpenInference (Arize Phoenix): numbered messages, all of the input in the count of prompt tokens.

https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..messages import messages, opened, plain
from ..rows import Kind, SpanEvent
from ..usage import Usage
from . import kinds
from .counts import count, dollars, usage_of
from .dialect import Attributes, Content, Cost, Dialect
from .numbered import numbered


def usage(attributes: Attributes) -> Usage | None:
    """The tokens; cached ones are inside the prompt's."""
    get = attributes.get
    return usage_of(
        count(get("llm.token_count.prompt")),
        count(get("llm.token_count.completion")),
        cache_read_tokens=count(get("llm.token_count.prompt_details.cache_read")),
        cache_write_tokens=count(get("llm.token_count.prompt_details.cache_write")),
        reasoning_tokens=count(get("llm.token_count.completion_details.reasoning")),
        input_audio_tokens=count(get("llm.token_count.prompt_details.audio")),
        output_audio_tokens=count(get("llm.token_count.completion_details.audio")),
    )


def cost(attributes: Attributes) -> Cost | None:
    """The cost that the span states."""
    amount = dollars(attributes.get("llm.cost.total"))
    return None if amount is None else Cost(amount, "provider")


def model(attributes: Attributes) -> str | None:
    """The model that was asked for, from the parameters of the call."""
    parameters = opened(attributes.get("llm.invocation_parameters"))
    found = parameters.get("model") if isinstance(parameters, dict) else None
    return found if isinstance(found, str) else None


def content(attributes: Attributes, events: tuple[SpanEvent, ...], kind: Kind) -> Content:
    """The numbered messages and tools; of a call without any, the value of its input and output."""
    used: set[str] = set()
    given = messages([_message(each) for each in numbered(attributes, "llm.input_messages.", used)])
    said = messages([_message(each) for each in numbered(attributes, "llm.output_messages.", used)], "assistant")
    if kind == "llm":
        given = given or messages(attributes.get("input.value"))
        said = said or messages(attributes.get("output.value"), "assistant")
    tools = [
        plain(opened(each["tool.json_schema"]))
        for each in numbered(attributes, "llm.tools.", used)
        if "tool.json_schema" in each
    ]
    return Content(input=given, output=said, tools=tools or None, used=frozenset(used))


def _message(said: Mapping[str, Any]) -> dict[str, Any]:
    get = said.get
    parts = [_part(each) for each in numbered(said, "message.contents.")]
    found = {
        "role": get("message.role"),
        "content": parts or get("message.content"),
        "tool_call_id": get("message.tool_call_id"),
        "tool_calls": [_call(each) for each in numbered(said, "message.tool_calls.")],
    }
    if get("message.function_call_name"):
        function = {"name": get("message.function_call_name"), "arguments": get("message.function_call_arguments_json")}
        found["function_call"] = function
    return found


def _part(said: Mapping[str, Any]) -> dict[str, Any]:
    get = said.get
    url = get("message_content.image.image.url")
    if url is not None:
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "text", "text": get("message_content.text")}


def _call(said: Mapping[str, Any]) -> dict[str, Any]:
    get = said.get
    function = {"name": get("tool_call.function.name"), "arguments": get("tool_call.function.arguments")}
    return {"id": get("tool_call.id"), "function": function}


OPENINFERENCE: Final = Dialect(
    name="openinference",
    heads=frozenset({"openinference", "llm", "input", "output", "tool", "agent", "tag", "embedding"}),
    kinds=(("openinference.span.kind", kinds.OPENINFERENCE),),
    usage=usage,
    cost=cost,
    content=content,
    model=model,
    fields={
        "agent": ("agent.name",),
        "arguments": ("input.value",),
        "finish_reasons": ("llm.finish_reason",),
        "provider": ("llm.provider", "llm.system"),
        "response_model": ("llm.model_name", "embedding.model_name"),
        "result": ("output.value",),
        "tags": ("tag.tags",),
        "tool": ("tool.name",),
        "tool_call_id": ("tool_call.id", "tool.id"),
    },
    scopes=("openinference.",),
    marks=frozenset({"openinference"}),
)
