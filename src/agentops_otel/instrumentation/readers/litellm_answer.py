"""What LiteLLM hands over: answers and chunks in the shape of OpenAI's, beside them what it knows of the provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from sys import modules
from typing import Any, Final

from ... import semconv
from .._content import fields
from .._endpoint import Attributes, Failure, Fold, Server, server_at
from .generate_usage import traffic_tier
from .litellm_providers import named
from .messages import FAST
from .usage import count, write_geo

PROVIDER: Final = "custom_llm_provider"
_HIDDEN: Final = "_hidden_params"
_LIVE: Final = "_live"
_LATE: Final = ("server_tool_use", "speed", "inference_geo")  # only in what LiteLLM counts at the end
# What a provider says in a chunk; into the last one LiteLLM writes its own reckoning of the cost, and keeps what was
# there beside it, and it leaves out the tier.
_SAID: Final = ("cost", "cost_in_usd_ticks", "service_tier")
_SAID_COST: Final = "upstream_usage_cost"
_STATE_COST: Final = frozenset({"openrouter", "perplexity", "x_ai"})
_COST: Final = (semconv.COST_AMOUNT, semconv.COST_CURRENCY, semconv.COST_SOURCE)
_HEADERS: Final = {
    "llm_provider-x-request-id": (semconv.REQUEST_ID, str),
    "llm_provider-request-id": (semconv.REQUEST_ID, str),
    "x-ratelimit-remaining-requests": (semconv.RATELIMIT_REMAINING_REQUESTS, int),
    "x-ratelimit-remaining-tokens": (semconv.RATELIMIT_REMAINING_TOKENS, int),
}


class HiddenFold:
    """The chunks of one stream, and what stands beside the last of them."""

    __slots__ = ("_fold", "_hidden", "_said", "_usage")

    def __init__(self, fold: Callable[[], Fold]) -> None:
        self._fold = fold()
        self._hidden: Mapping[str, Any] = {}
        self._said: dict[str, Any] = {}
        self._usage: Any = None

    @property
    def done(self) -> bool:
        """Whether the answer is complete."""
        return self._fold.done

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next chunks."""
        self._fold.extend(chunks)
        for chunk in chunks:
            self._hidden = _hidden(chunk) or self._hidden
            usage = fields(self._hidden.get("usage"))
            self._said |= {name: usage[name] for name in _SAID if usage.get(name) is not None}
            for hidden in (self._hidden, _hidden(getattr(chunk, "response", None))):  # of chats, and of responses
                if _SAID_COST in hidden:
                    self._said.setdefault("cost", hidden[_SAID_COST])
        if self.done and _is_reported(self._hidden.get("usage")):  # before the end it is a placeholder
            self._usage = self._hidden["usage"]

    def response(self) -> Mapping[str, Any]:
        """The answer so far; its usage stands beside it where the program has not asked for it."""
        answer = self._fold.response()
        usage = answer.get("usage") or self._usage
        if usage:
            late = fields(fields(self._hidden.get(_LIVE)).get("usage"))
            own = {"cost": None} if _writes_its_own_cost() else {}
            usage = {**fields(usage), **{name: late[name] for name in _LATE if late.get(name)}, **own, **self._said}
        return {**answer, "usage": usage, _HIDDEN: self._hidden}


def opened(value: Any) -> Any:
    """An answer or a chunk as it is now: once a stream has ended, LiteLLM puts its own count into the last chunk."""
    hidden = _hidden(value)
    return {**fields(value), _HIDDEN: {**hidden, _LIVE: hidden}} if hidden.get("usage") is not None else value


def _hidden(value: Any) -> Mapping[str, Any]:
    return fields(value.get(_HIDDEN) if isinstance(value, Mapping) else getattr(value, _HIDDEN, None))


def _writes_its_own_cost() -> bool:
    """Whether older releases write it without keeping the provider's.

    https://github.com/BerriAI/litellm/blob/v1.80.0-stable/litellm/main.py
    """
    return getattr(modules.get("litellm"), "include_cost_in_streaming_usage", False) is True


def _is_reported(usage: Any) -> bool:
    """Whether a usage is the provider's: LiteLLM counts by itself what no provider has counted."""
    return usage is not None and type(usage).__name__ != "UnreportedUsage"


def request(
    read: Callable[[Mapping[str, Any], Attributes], None], body: Mapping[str, Any], attributes: Attributes
) -> None:
    """What is asked, and of whom."""
    attributes[semconv.PROVIDER_NAME] = body[PROVIDER]
    read(body, attributes)


def response(read: Callable[[Any, Attributes], Failure | None], value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says besides its text, and who has answered."""
    failure = read(value, attributes)
    said, hidden = fields(value), _hidden(value)
    provider = hidden.get(PROVIDER)
    if isinstance(provider, str) and provider and provider != "cached_response":
        attributes[semconv.PROVIDER_NAME] = named(provider)
    prefix, slash, model = attributes.get(semconv.RESPONSE_MODEL, "").partition("/")
    if slash and named(prefix) == attributes.get(semconv.PROVIDER_NAME):  # in old releases
        attributes[semconv.RESPONSE_MODEL] = model
    url = hidden.get("api_base")
    server = server_at("", url) if isinstance(url, str) else Server("")
    if server.address:
        attributes[semconv.SERVER_ADDRESS], attributes[semconv.SERVER_PORT] = server.address, server.port
    for name, text in fields(hidden.get("additional_headers")).items():
        attribute, kind = _HEADERS.get(name, ("", str))
        if attribute and (kind is str or str(text).isdecimal()):
            attributes[attribute] = kind(str(text))
    _tokens(said, hidden, attributes)
    return failure


def mocked(read: Callable[[Any, Attributes], Failure | None], value: Any, attributes: Attributes) -> Failure | None:
    """What an answer says that LiteLLM itself has made: nobody was asked."""
    failure = read(value, attributes)
    _nobody_was_asked(attributes)
    return failure


def _nobody_was_asked(attributes: Attributes) -> None:
    _without_cost(attributes)
    attributes.pop(semconv.BILLED_UNKNOWN, None)
    for name in [name for name in attributes if name.startswith("gen_ai.usage.")]:
        attributes[name] = 0


def _without_cost(attributes: Attributes) -> None:
    for name in _COST:
        attributes.pop(name, None)


def _tokens(said: Mapping[str, Any], hidden: Mapping[str, Any], attributes: Attributes) -> None:
    """What LiteLLM does to a usage."""
    if attributes.get(semconv.PROVIDER_NAME) not in _STATE_COST:
        _without_cost(attributes)
    if hidden.get("cache_hit") is True:  # its own cache
        _nobody_was_asked(attributes)
        return
    if attributes.get(semconv.USAGE_CACHE_READ_TOKENS) or attributes.get(semconv.USAGE_CACHE_WRITE_TOKENS):
        attributes.pop(semconv.USAGE_INPUT_TEXT_TOKENS, None)  # here the rest of the input, also where all is text
    if attributes.get(semconv.USAGE_INPUT_TOKENS) == 0 and attributes.get(semconv.USAGE_OUTPUT_TOKENS):
        del attributes[semconv.USAGE_INPUT_TOKENS]  # a stream of Anthropic's in old releases
    usage = fields(said.get("usage"))
    write_geo(usage, attributes)
    # Anthropic's fast answers; the tiers of Vertex AI, and of Anthropic and Mistral.
    traffic = fields(hidden.get("provider_specific_fields")).get("traffic_type")
    tier = FAST if usage.get("speed") == FAST else traffic_tier(traffic or usage.get("service_tier"))
    if tier:
        attributes[semconv.RESPONSE_SERVICE_TIER] = tier
    written = fields(fields(usage.get("prompt_tokens_details")).get("cache_creation_token_details"))
    hour = count(written.get("ephemeral_1h_input_tokens"))
    if hour:
        attributes[semconv.USAGE_CACHE_WRITE_1H_TOKENS] = hour
    # Of a chat, LiteLLM hands over what the model has counted, and not what is billed:
    # https://github.com/BerriAI/litellm/blob/v1.80.0-stable/litellm/llms/cohere/chat/v2_transformation.py
    if attributes.get(semconv.PROVIDER_NAME) == "cohere" and attributes.get(semconv.USAGE_OUTPUT_TOKENS):
        attributes[semconv.BILLED_UNKNOWN] = True
