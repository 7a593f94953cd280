"""OpenAI: which requests are LLM calls, and how to read them. Also right for everything that speaks OpenAI's API.

Usage: input counts cached tokens and output counts reasoning tokens already, so nothing is added up here.
API reference: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .. import semconv
from ..usage import Usage
from ._content import NOTHING, Content, Message, Part, fields, items
from ._endpoint import Answer, Attributes, Endpoint, Sdk

# Hosts by their last labels. A compatible host that is none of these keeps `openai` and its own `server.address`.
PROVIDERS: Final = {
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.openai",
    "groq.com": "groq",
    "deepseek.com": "deepseek",
    "x.ai": "x_ai",
    "perplexity.ai": "perplexity",
    "mistral.ai": "mistral_ai",
    "moonshot.ai": "moonshot_ai",
    "moonshot.cn": "moonshot_ai",
    "anthropic.com": "anthropic",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "amazonaws.com": "aws.bedrock",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
}

# Request fields that are attributes as they stand.
_PARAMETERS: Final = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "top_k": semconv.REQUEST_TOP_K,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
    "seed": semconv.REQUEST_SEED,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
}
_RESPONSE_FIELDS: Final = (
    ("id", semconv.RESPONSE_ID),
    ("model", semconv.RESPONSE_MODEL),
    ("service_tier", semconv.OPENAI_RESPONSE_SERVICE_TIER),
    ("system_fingerprint", semconv.OPENAI_SYSTEM_FINGERPRINT),
)
_OUTPUT_TYPES: Final = {"json_schema": "json", "json_object": "json", "text": "text"}
_RESPONSES_FINISH: Final = {"completed": "stop", "failed": "error", "max_output_tokens": "length"}


# ---- requests ----


def _parameters(body: Mapping[str, Any]) -> Attributes:
    """The request's settings. Sentinels and other objects are no values of the API and are left out."""
    attributes: Attributes = {}
    for name, value in body.items():
        attribute = _PARAMETERS.get(name)
        if attribute is not None and isinstance(value, (int, float, str)):
            attributes[attribute] = value
    return attributes


def _strings(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(item for item in items(value) if isinstance(item, str))


def _chat_request(body: Mapping[str, Any]) -> Attributes:
    attributes = _parameters(body)
    attributes[semconv.OPENAI_API_TYPE] = "chat_completions"
    count = body.get("n")
    if isinstance(count, int) and count != 1:
        attributes[semconv.REQUEST_CHOICE_COUNT] = count
    if "stop" in body:
        stop = _strings(body["stop"])
        if stop:
            attributes[semconv.REQUEST_STOP_SEQUENCES] = stop
    if "response_format" in body:
        _output_type(attributes, body["response_format"])
    if "audio" in items(body.get("modalities")):
        attributes[semconv.OUTPUT_TYPE] = "speech"
    return attributes


def _output_type(attributes: Attributes, form: Any) -> None:
    output_type = _OUTPUT_TYPES.get(fields(form).get("type", ""))
    if output_type is not None:
        attributes[semconv.OUTPUT_TYPE] = output_type


def _completion_request(body: Mapping[str, Any]) -> Attributes:
    attributes = _chat_request(body)
    del attributes[semconv.OPENAI_API_TYPE]
    return attributes


def _embedding_request(body: Mapping[str, Any]) -> Attributes:
    encoding = body.get("encoding_format")
    return {semconv.REQUEST_ENCODING_FORMATS: (encoding,)} if isinstance(encoding, str) else {}


def _responses_request(body: Mapping[str, Any]) -> Attributes:
    attributes = _parameters(body)
    attributes[semconv.OPENAI_API_TYPE] = "responses"
    conversation = _conversation(body)
    if conversation:
        attributes[semconv.CONVERSATION_ID] = conversation
    if "text" in body:
        _output_type(attributes, fields(body["text"]).get("format"))
    return attributes


def _conversation(body: Mapping[str, Any]) -> str | None:
    """The id of a stored conversation; `previous_response_id` names a response, not a conversation."""
    conversation = body.get("conversation")
    found = conversation if isinstance(conversation, str) else fields(conversation).get("id")
    return found if isinstance(found, str) else None


# ---- prompts ----


def _chat_prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    attributes: Attributes = {}
    messages = [_chat_message(fields(message), content) for message in items(body.get("messages"))]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.json(messages)
    return _with_tools(attributes, body, content)


def _completion_prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    messages = [{"role": "user", "parts": [content.text(prompt)]} for prompt in _strings(body.get("prompt"))]
    return {semconv.INPUT_MESSAGES: content.json(messages)} if messages else {}


def _embedding_prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    """The texts, up to the length of one; a batch can be the whole of a library."""
    texts = _strings(body.get("input"))
    parts: list[Part] = []
    room = content.max_length
    for text in texts:
        if parts and len(text) > room:
            parts.append({"type": "text", "content": f"[{len(texts) - len(parts)} more texts]"})
            break
        parts.append(content.text(text))
        room -= len(text)
    return {semconv.INPUT_MESSAGES: content.json([{"role": "user", "parts": parts}])} if parts else {}


def _responses_prompt(body: Mapping[str, Any], content: Content) -> Attributes:
    attributes: Attributes = {}
    instructions = body.get("instructions")
    if isinstance(instructions, str):
        attributes[semconv.SYSTEM_INSTRUCTIONS] = content.json([content.text(instructions)])
    given = body.get("input")
    if isinstance(given, str):
        messages = [{"role": "user", "parts": [content.text(given)]}]
    else:
        messages = [_responses_message(fields(item), content) for item in items(given)]
    if messages:
        attributes[semconv.INPUT_MESSAGES] = content.json(messages)
    return _with_tools(attributes, body, content)


def _with_tools(attributes: Attributes, body: Mapping[str, Any], content: Content) -> Attributes:
    if "tools" not in body and "functions" not in body:
        return attributes
    tools = [_tool_definition(fields(tool)) for tool in items(body.get("tools"))]
    tools += [{"type": "function", **fields(function)} for function in items(body.get("functions"))]
    if tools:
        attributes[semconv.TOOL_DEFINITIONS] = content.json(tools)
    return attributes


def _tool_definition(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Chat completions nest what the schema, like the Responses API, has at the top."""
    kind = tool.get("type")
    nested = fields(tool.get(kind)) if isinstance(kind, str) else NOTHING
    return {"type": kind, **nested} if nested else tool


# ---- messages of chat completions ----


def _chat_message(message: Mapping[str, Any], content: Content) -> Message:
    role = message.get("role")
    text = message.get("content")
    if role in ("tool", "function"):
        call_id = message.get("tool_call_id") or message.get("name")
        return {"role": "tool", "parts": [content.tool_response(call_id, text)]}
    parts = [content.text(text)] if isinstance(text, str) else [_part(fields(part), content) for part in items(text)]
    found: Message = {"role": role, "parts": parts}
    if role == "assistant":
        parts += _spoken(message, content)
    if isinstance(message.get("name"), str):
        found["name"] = message["name"]
    return found


def _spoken(message: Mapping[str, Any], content: Content) -> list[Part]:
    """What an assistant's message holds besides its text."""
    parts: list[Part] = []
    get = message.get
    reasoning = get("reasoning_content") or get("reasoning")  # DeepSeek, OpenRouter and others
    if isinstance(reasoning, str):
        parts.append(content.text(reasoning, "reasoning"))
    refusal = get("refusal")
    if isinstance(refusal, str):
        parts.append(content.text(refusal, "refusal"))
    if get("tool_calls"):
        parts += [_tool_call(fields(call), content) for call in items(message["tool_calls"])]
    if get("function_call"):
        legacy = fields(message["function_call"])
        parts.append(content.tool_call(None, legacy.get("name"), legacy.get("arguments")))
    if get("audio"):
        parts += _sound(fields(message["audio"]), content)
    return parts


def _tool_call(call: Mapping[str, Any], content: Content) -> Part:
    function = fields(call.get("function"))
    if function:
        return content.tool_call(call.get("id"), function.get("name"), function.get("arguments"))
    custom = fields(call.get("custom"))
    return content.tool_call(call.get("id"), custom.get("name"), custom.get("input"))


def _sound(audio: Mapping[str, Any], content: Content) -> list[Part]:
    data, transcript = audio.get("data"), audio.get("transcript")
    sound = content.blob("audio", None, data) if isinstance(data, str) else None
    parts = [sound or {"type": "file", "modality": "audio", "file_id": audio.get("id")}]
    if isinstance(transcript, str):
        parts.append(content.text(transcript))
    return parts


def _part(part: Mapping[str, Any], content: Content) -> Part:
    """One part of a message, of chat completions and of the Responses API."""
    kind = part.get("type")
    if kind in ("text", "input_text", "output_text"):
        return content.text(str(part.get("text", "")))
    if kind == "refusal":
        return content.text(str(part.get("refusal", "")), "refusal")
    if kind in ("image_url", "input_image"):
        return _picture(part, content)
    if kind == "input_audio":
        audio = fields(part.get("input_audio"))
        form = audio.get("format")
        return content.blob("audio", f"audio/{form}" if form else None, str(audio.get("data", "")))
    if kind in ("file", "input_file"):
        return _file(fields(part.get("file")) or part, content)
    return {"type": kind}


def _picture(part: Mapping[str, Any], content: Content) -> Part:
    url = part.get("image_url")
    url = url if isinstance(url, str) else fields(url).get("url")
    if isinstance(url, str):
        return content.media("image", url)
    return {"type": "file", "modality": "image", "file_id": part.get("file_id")}


def _file(file: Mapping[str, Any], content: Content) -> Part:
    source = file.get("file_data") or file.get("file_url")
    if isinstance(source, str):
        is_link = source.startswith(("data:", "http://", "https://"))
        found = content.media("file", source) if is_link else content.blob("file", None, source)
    else:
        found = {"type": "file", "modality": "file", "file_id": file.get("file_id")}
    if isinstance(file.get("filename"), str):
        found["filename"] = file["filename"]
    return found


# ---- items of the Responses API ----


def _responses_message(item: Mapping[str, Any], content: Content) -> Message:
    kind = item.get("type")
    if kind is not None and kind != "message":
        role = "tool" if str(kind).endswith("_output") else "assistant"
        return {"role": role, "parts": [_item_part(item, content)]}
    text = item.get("content")
    parts = [content.text(text)] if isinstance(text, str) else [_part(fields(part), content) for part in items(text)]
    return {"role": item.get("role"), "parts": parts}


def _item_part(item: Mapping[str, Any], content: Content) -> Part:
    kind = item.get("type")
    if kind == "function_call":
        return content.tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
    if kind == "custom_tool_call":
        return content.tool_call(item.get("call_id"), item.get("name"), item.get("input"))
    if kind in ("function_call_output", "custom_tool_call_output"):
        output = item.get("output")
        if not isinstance(output, str):
            output = [_part(fields(part), content) for part in items(output)]
        return content.tool_response(item.get("call_id"), output)
    if kind == "reasoning":
        texts = [fields(part).get("text") for part in (*items(item.get("summary")), *items(item.get("content")))]
        return content.text("\n".join(text for text in texts if isinstance(text, str)), "reasoning")
    if kind == "image_generation_call" and isinstance(item.get("result"), str):
        return content.blob("image", f"image/{item.get('output_format') or 'png'}", item["result"])
    # Tools that run at the provider (web search, code interpreter ...): which one, not its pages of results.
    return {"type": str(kind), "id": item.get("id")}


# ---- responses ----


def _common(response: Mapping[str, Any]) -> Answer:
    answer = Answer()
    for name, attribute in _RESPONSE_FIELDS:
        value = response.get(name)
        if isinstance(value, str):
            answer.attributes[attribute] = value
    usage = fields(response.get("usage"))
    if usage:
        answer.usage = _usage(usage)
        # OpenRouter and others say what a call cost.
        cost = usage.get("cost")
        if isinstance(cost, (int, float)) and not isinstance(cost, bool):
            answer.attributes[semconv.COST_AMOUNT] = float(cost)
            answer.attributes[semconv.COST_CURRENCY] = "USD"
            answer.attributes[semconv.COST_SOURCE] = semconv.COST_SOURCE_PROVIDER
    return answer


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    total_in = usage.get("prompt_tokens", usage.get("input_tokens"))
    total_out = usage.get("completion_tokens", usage.get("output_tokens"))
    if total_in is None and total_out is None:
        return None
    given = fields(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    made = fields(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return Usage(
        input_tokens=_count(total_in),
        output_tokens=_count(total_out),
        # DeepSeek counts its cache beside the other totals.
        cache_read_tokens=_count(given.get("cached_tokens")) or _count(usage.get("prompt_cache_hit_tokens")),
        cache_write_tokens=_count(given.get("cache_write_tokens")),
        reasoning_tokens=_count(made.get("reasoning_tokens")),
        input_audio_tokens=_count(given.get("audio_tokens")),
        output_audio_tokens=_count(made.get("audio_tokens")),
    )


def _count(value: Any) -> int:
    return value if type(value) is int else 0


def _chat_response(value: Any) -> Answer:
    response = fields(value)
    answer = _common(response)
    reasons = [fields(choice).get("finish_reason") for choice in items(response.get("choices"))]
    finish = [reason for reason in reasons if isinstance(reason, str)]
    if finish:
        answer.attributes[semconv.RESPONSE_FINISH_REASONS] = tuple(finish)
    # Compatible hosts report a failure as an answer with status 200.
    answer.error = _error(response)
    return answer


def _chat_output(value: Any, content: Content) -> list[Message]:
    messages = []
    for choice in map(fields, items(fields(value).get("choices"))):
        message = fields(choice.get("message"))
        text = message.get("content")
        parts = [content.text(text)] if isinstance(text, str) and text else []
        parts += _spoken(message, content)
        role = message.get("role") or "assistant"
        messages.append({"role": role, "parts": parts, "finish_reason": choice.get("finish_reason")})
    return messages


def _completion_output(value: Any, content: Content) -> list[Message]:
    return [
        {
            "role": "assistant",
            "parts": [content.text(str(choice.get("text") or ""))],
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in map(fields, items(fields(value).get("choices")))
    ]


def _embedding_response(value: Any) -> Answer:
    response = fields(value)
    answer = _common(response)
    data = response.get("data")
    vector = fields(data[0]).get("embedding") if isinstance(data, list) and data else None
    if isinstance(vector, str):  # base64 of 4-byte floats
        answer.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = len(vector) * 3 // 16
    elif vector is not None and hasattr(vector, "__len__"):
        answer.attributes[semconv.EMBEDDINGS_DIMENSION_COUNT] = len(vector)
    return answer


def _no_output(_value: Any, _content: Content) -> list[Message]:
    return []


def _responses_response(value: Any) -> Answer:
    response = fields(value)
    answer = _common(response)
    finish = _finish(response)
    if finish:
        answer.attributes[semconv.RESPONSE_FINISH_REASONS] = (finish,)
    conversation = _conversation(response)
    if conversation:
        answer.attributes[semconv.CONVERSATION_ID] = conversation
    answer.error = _error(response)
    return answer


def _finish(response: Mapping[str, Any]) -> str | None:
    """Why the model stopped, in the words of chat completions; None while it has not."""
    status = response.get("status")
    if status == "incomplete":
        status = fields(response.get("incomplete_details")).get("reason")
    elif status == "completed":
        called = any(fields(item).get("type") == "function_call" for item in items(response.get("output")))
        status = "tool_calls" if called else status
    if not isinstance(status, str) or status in ("in_progress", "queued"):
        return None
    return _RESPONSES_FINISH.get(status, status)


def _responses_output(value: Any, content: Content) -> list[Message]:
    response = fields(value)
    parts: list[Part] = []
    for item in map(fields, items(response.get("output"))):
        if item.get("type") == "message":
            parts += [_part(fields(part), content) for part in items(item.get("content"))]
        else:
            parts.append(_item_part(item, content))
    return [{"role": "assistant", "parts": parts, "finish_reason": _finish(response)}] if parts else []


def _error(response: Mapping[str, Any]) -> tuple[str, str] | None:
    error = fields(response.get("error"))
    if not error:
        return None
    return str(error.get("code") or error.get("type") or "error"), str(error.get("message") or "")


def error_code(error: BaseException) -> str | None:
    """The API's own code of an error, such as `rate_limit_exceeded`."""
    code = getattr(error, "code", None)
    return str(code) if isinstance(code, (str, int)) and code != "" else None


# ---- streams ----


class _Choice:
    """One choice of a streamed chat completion, in pieces."""

    __slots__ = ("audio", "calls", "finish", "index", "reasoning", "refusal", "text", "transcript")

    def __init__(self, index: int) -> None:
        self.index = index
        self.finish: str | None = None
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.audio: list[str] = []
        self.transcript: list[str] = []
        self.calls: dict[int, dict[str, Any]] = {}

    def add_calls(self, deltas: Any) -> None:
        for position, delta in enumerate(map(fields, items(deltas))):
            index = delta.get("index")
            call = self.calls.setdefault(
                position if index is None else index, {"id": None, "name": None, "arguments": []}
            )
            function = fields(delta.get("function")) or fields(delta.get("custom"))
            call["id"] = call["id"] or delta.get("id")
            call["name"] = call["name"] or function.get("name")
            call["arguments"].append(function.get("arguments") or function.get("input") or "")

    def add_audio(self, audio: Mapping[str, Any]) -> None:
        self.audio.append(audio.get("data") or "")
        self.transcript.append(audio.get("transcript") or "")

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text)}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.refusal:
            message["refusal"] = "".join(self.refusal)
        if self.audio:
            message["audio"] = {"data": "".join(self.audio), "transcript": "".join(self.transcript)}
        if self.calls:
            message["tool_calls"] = [
                {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
                for call in self.calls.values()
            ]
        return {"index": self.index, "message": message, "finish_reason": self.finish}


class _ChatFold:
    """Chat completions and legacy completions."""

    __slots__ = ("choices", "done", "head", "usage")

    def __init__(self) -> None:
        self.head: dict[str, Any] = {}
        self.choices: dict[int, _Choice] = {}
        self.usage: Any = None
        self.done = False

    def add(self, chunk: Any) -> None:
        found = fields(chunk)
        if not self.head.get("id"):
            self.head.update((name, value) for name, value in found.items() if name != "choices" and value)
        if found.get("usage"):
            self.usage = found["usage"]
        for item in found.get("choices") or ():
            choice = fields(item)
            index = choice.get("index") or 0
            kept = self.choices.get(index)
            if kept is None:
                kept = self.choices[index] = _Choice(index)
            delta = choice.get("delta")
            if delta is None:
                kept.text.append(choice.get("text") or "")
            else:
                self._add(kept, fields(delta))
            if choice.get("finish_reason"):
                kept.finish = choice["finish_reason"]
                self.done = all(other.finish for other in self.choices.values())

    @staticmethod
    def _add(kept: _Choice, delta: Mapping[str, Any]) -> None:
        get = delta.get
        text = get("content")
        if text:
            kept.text.append(text)
            if list(delta.values()).count(None) == len(delta) - 1:  # and nothing else, as in nearly all
                return
        if get("tool_calls"):
            kept.add_calls(get("tool_calls"))
        if get("refusal"):
            kept.refusal.append(delta["refusal"])
        if get("audio"):
            kept.add_audio(fields(delta["audio"]))
        reasoning = get("reasoning_content") or get("reasoning")
        if isinstance(reasoning, str):
            kept.reasoning.append(reasoning)

    def response(self) -> Mapping[str, Any]:
        choices = [choice.whole() for choice in self.choices.values()]
        for choice in choices:
            choice["text"] = choice["message"]["content"]
        return {**self.head, "usage": self.usage, "choices": choices}


class _ResponsesFold:
    """The Responses API: its last event has the whole response; the pieces matter when it never comes."""

    __slots__ = ("done", "items", "last", "text")

    def __init__(self) -> None:
        self.last: Any = None
        self.items: list[Any] = []
        self.text: list[str] = []
        self.done = False

    def add(self, chunk: Any) -> None:
        event = fields(chunk)
        kind = event.get("type")
        if kind == "response.output_text.delta":
            self.text.append(event["delta"])
        elif kind == "response.output_item.done":
            self.items.append(event["item"])
            self.text.clear()
        elif event.get("response") is not None:
            self.last = event["response"]
            self.done = kind in ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
        elif kind == "error":
            self.last = {**fields(self.last), "error": {"code": event.get("code"), "message": event.get("message")}}

    def response(self) -> Mapping[str, Any]:
        response = fields(self.last)
        if self.done:
            return response
        output = list(self.items)
        if self.text:
            output.append({"type": "message", "content": [{"type": "output_text", "text": "".join(self.text)}]})
        return {**response, "output": output}


def _with_usage(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    options = body.get("stream_options")
    if options is not None and (not isinstance(options, Mapping) or "include_usage" in options):
        return None
    return {**body, "stream_options": {**(options or {}), "include_usage": True}}


def _is_usage_only(chunk: Any) -> bool:
    return not getattr(chunk, "choices", True) and getattr(chunk, "usage", None) is not None


# ---- the table ----

CHAT: Final = Endpoint(
    semconv.OPERATION_CHAT,
    _chat_request,
    _chat_prompt,
    _chat_response,
    _chat_output,
    _ChatFold,
    _with_usage,
    _is_usage_only,
)
RESPONSES: Final = Endpoint(
    semconv.OPERATION_CHAT,
    _responses_request,
    _responses_prompt,
    _responses_response,
    _responses_output,
    _ResponsesFold,
)
COMPLETIONS: Final = Endpoint(
    semconv.OPERATION_TEXT_COMPLETION,
    _completion_request,
    _completion_prompt,
    _chat_response,
    _completion_output,
    _ChatFold,
    _with_usage,
    _is_usage_only,
)
EMBEDDINGS: Final = Endpoint(
    semconv.OPERATION_EMBEDDINGS,
    _embedding_request,
    _embedding_prompt,
    _embedding_response,
    _no_output,
)
ENDPOINTS: Final = {
    "/chat/completions": CHAT,
    "/responses": RESPONSES,
    "/completions": COMPLETIONS,
    "/embeddings": EMBEDDINGS,
}


def endpoint(method: str, path: str, stream: bool) -> Endpoint | None:  # noqa: FBT001  (as Sdk.endpoint says)
    """What a request is; None when it is no LLM call. A stored response fetched as a stream goes on, so it is one."""
    if method in ("post", "POST"):
        return ENDPOINTS.get(path) or _post(path)
    if stream and path.startswith("/responses/") and method in ("get", "GET"):
        return RESPONSES
    return None


def _post(path: str) -> Endpoint | None:
    path = "/" + path.partition("?")[0].strip("/")
    if path.startswith("/deployments/"):  # Azure: /deployments/{name}/chat/completions
        path = path[path.find("/", len("/deployments/")) :]
    return ENDPOINTS.get(path)


def provider(client: type, host: str) -> str:
    """The provider behind a client: by its class for Azure and Bedrock, else by its host."""
    classes = {base.__name__ for base in client.__mro__}
    if "BaseAzureClient" in classes:
        return "azure.ai.openai"
    if classes & {"BedrockOpenAI", "AsyncBedrockOpenAI"}:
        return "aws.bedrock"
    labels = host.split(".")
    names = (PROVIDERS.get(".".join(labels[start:])) for start in range(len(labels)))
    return next((name for name in names if name), "openai")


SDK: Final = Sdk(
    name="openai",
    module="openai._base_client",
    endpoint=endpoint,
    provider=provider,
    error_code=error_code,
    response_headers={
        b"x-request-id": (semconv.REQUEST_ID, str),
        b"apim-request-id": (semconv.REQUEST_ID, str),
        b"x-ratelimit-remaining-requests": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
        b"x-ratelimit-remaining-tokens": (semconv.RATELIMIT_REMAINING_TOKENS, int),
    },
)
