"""What a call cost, in US dollars: the only importer of genai_prices, and only when the first price is asked for.

The one thing to know: a model that the price table does not know has no cost. It is never 0, and never the price of a
model with a similar name. Prices come from the table inside the installed genai-prices release, never from the
network, so that the same spans cost the same on every machine with that release.

Own prices go into a JSON file named by ``AGENTOPS_PRICES_FILE``, in US dollars per million tokens::

    {
        "azure.ai.openai/prod-chat": {"input": 2.5, "output": 10, "cache_read": 1.25},
        "my-local-model": {"input": 0, "output": 0},
    }

A key is ``provider/model`` with the provider as in ``gen_ai.provider.name``, or ``model`` for any provider. ``input``
is required; the others are ``output``, ``cache_read``, ``cache_write``, ``input_audio``, ``output_audio``. A cached,
written or audio token without a price of its own costs what its direction costs. A model without an ``output`` price
has no cost when it put out tokens.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from functools import cache, lru_cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec

from . import semconv
from .loading import apart_from_forks
from .log import logger
from .surcharges import surcharge
from .usage import USAGE_ATTRIBUTES, Usage

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


_Model = TypeVar("_Model")  # a text, or what a span has in its place
PRICES_FILE: Final = "AGENTOPS_PRICES_FILE"
_RARE_TERMS: Final = frozenset(
    {
        semconv.BILLED_INPUT_TOKENS,
        semconv.BILLED_OUTPUT_TOKENS,
        semconv.BILLED_UNKNOWN,
        semconv.RESPONSE_INFERENCE_GEO,
        semconv.RESPONSE_ITERATIONS,
        semconv.USAGE_AUDIO_SECONDS,
        semconv.USAGE_WEB_SEARCHES,
    }
)
# Where the answer does not say the tier, it is the one that was asked for.
_TIERS: Final = (
    semconv.OPENAI_RESPONSE_SERVICE_TIER,
    semconv.RESPONSE_SERVICE_TIER,
    semconv.OPENAI_REQUEST_SERVICE_TIER,
    semconv.REQUEST_SERVICE_TIER,
)
PRICED_BY: Final = USAGE_ATTRIBUTES | {
    *_RARE_TERMS,
    *_TIERS,
    semconv.COST_AMOUNT,
    semconv.COST_CURRENCY,
    semconv.COST_SOURCE,
    semconv.OLD_PROVIDER_NAME,
    semconv.OPERATION_NAME,
    semconv.PRICE_TABLE,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.RESPONSE_MODEL,
    semconv.SERVER_ADDRESS,
}
"""The names of the attributes that `span_cost()` reads."""

# ``gen_ai.provider.name`` (and the ``gen_ai.system`` before it) -> the table's name. A name that is not here is looked
# up as it is.
_PROVIDERS: Final = {
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "mistral_ai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "vertex_ai": "google",
    "x_ai": "x-ai",
    "xai": "x-ai",
}
# Only names that a model's own maker uses: gpt-oss and Gemini are served by several providers under one name.
_MAKERS: Final = (
    (re.compile(r"(chatgpt-|gpt-(?!oss)|o[134](-|$))"), "openai"),
    (re.compile(r"claude-[^@]*$"), "anthropic"),
    (re.compile(r"grok-"), "x_ai"),
)
# Tiers that cost what the list says. A tier that the table has no price for has no cost.
_LISTED_TIERS: Final = frozenset({"", "auto", "default", "on_demand", "standard", "standard_only", "unspecified"})
# https://console.groq.com/docs/flex-processing
_TIERS_AS_LISTED: Final = frozenset({("groq", "flex")})
# What never costs the same as text at a provider.
_APART: Final = {
    "openai": ("input_audio", "output_audio"),
    "azure": ("input_audio", "output_audio"),
    "cohere": ("input_image",),
}
_OPEN_WEIGHTS: Final = "gpt-oss"  # anybody may serve them, and their maker does not
# They search for each answer, which is paid apart, and do not say how often:
# https://developers.openai.com/api/docs/pricing
_ALWAYS_SEARCHING: Final = re.compile(r"-search-(preview|api)")
# Without reasoning, a search costs more or less by the kind of the tool, which an answer's usage does not say: the same
# page.
_BY_KIND_OF_SEARCH: Final = re.compile(r"gpt-4")
# An ARN on Bedrock that does not say the price: of capacity that is bought, of a model that is trained, of a profile of
# one's own. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html
_OPAQUE: Final = re.compile(r"arn:(?![^/]*:(foundation-model|inference-profile|(default-)?prompt-router)/)")
_BEDROCK: Final = "aws.bedrock"
_ROUTER: Final = "huggingface"  # each of the hosts that it sends calls to has prices of its own: `model:host`
_RATES: Final = ("input", "output", "cache_read", "cache_write", "input_audio", "output_audio")
# The table's prices per million tokens that are enough for a usage without audio.
_FLAT: Final = (
    ("input_mtok", "input"),
    ("output_mtok", "output"),
    ("cache_read_mtok", "cache_read"),
    ("cache_write_mtok", "cache_write"),
)
# A thousand tokens of one class alone.
_ONE_CLASS: Final[Mapping[str, Usage]] = {
    "input": Usage(1000),
    "cache_read": Usage(1000, cache_read_tokens=1000),
    "cache_write": Usage(1000, cache_write_tokens=1000),
    "output": Usage(0, 1000),
}
_WITH_BOTH_TOTALS: Final = semconv.LLM_OPERATIONS - {semconv.OPERATION_EMBEDDINGS}
_FOR_TOKENS: Final = frozenset({"input_mtok", "output_mtok"})
# What a request costs by itself depends on how much it searches, which a span does not say; the table has the dearest.
# https://docs.perplexity.ai/getting-started/pricing
_FOR_REQUESTS: Final = "requests_kcount"
_UPDATER_NAMES: Final = ("UpdatePrices", "wait_prices_updated_async", "wait_prices_updated_sync")
_OWN_PRICES: Final = (  # where the table has one
    "input_image",
    "input_video",
    "output_image",
    "output_video",
    "cache_write_1h",
)
_MILLION: Final = 1_000_000


class Cost(msgspec.Struct, frozen=True):
    """An amount in US dollars, whose word it is (``local`` or ``provider``), and the version of the price table."""

    amount: float
    source: str
    table: str | None


class Terms(NamedTuple):
    """What the price of a call depends on besides its tokens."""

    at: datetime | None = None
    """When the call was made, for prices that changed or that depend on the time of day; now when left out."""
    service_tier: str = ""
    """The provider's word for the tier that served the call, such as ``flex`` or ``priority``; else what was asked."""
    web_searches: int = 0
    """How many searches the provider has made for it; the prices file has no price for them."""
    host: str = ""
    """The ``server.address`` of the call: in some regions it costs more."""
    geo: str = ""
    """Where the answer says that the model has run, as Anthropic's does."""
    asked: str = ""
    """The model that was asked for, which the prices file may know by this name."""
    iterations: tuple[str, ...] = ()
    """The models of the requests that the provider has made for the answer, where they were several."""
    billed: tuple[int | None, int | None] = (None, None)
    """The input and output tokens that are billed, where the provider says that they are others."""
    is_by_length: bool = False
    """Whether sound is paid by its length, beside the tokens."""
    is_billed_unknown: bool = False
    """Whether other tokens are billed, and nobody says how many."""

    @classmethod
    def of(cls, attributes: Mapping[str, AttributeValue]) -> Terms:
        """What a span says of them."""
        usual = cls(
            service_tier=_text(next((tier for name in _TIERS if (tier := attributes.get(name))), None)),
            host=_text(attributes.get(semconv.SERVER_ADDRESS)),
            asked=_text(attributes.get(semconv.REQUEST_MODEL)),
        )
        if _RARE_TERMS.isdisjoint(attributes):
            return usual
        models = attributes.get(semconv.RESPONSE_ITERATIONS)
        given, made = attributes.get(semconv.BILLED_INPUT_TOKENS), attributes.get(semconv.BILLED_OUTPUT_TOKENS)
        return usual._replace(
            web_searches=_count(attributes.get(semconv.USAGE_WEB_SEARCHES)) or 0,
            geo=_text(attributes.get(semconv.RESPONSE_INFERENCE_GEO)),
            iterations=tuple(map(str, models)) if isinstance(models, (list, tuple)) else (),
            billed=(_count(given), _count(made)),
            is_by_length=attributes.get(semconv.USAGE_AUDIO_SECONDS) is not None,
            is_billed_unknown=attributes.get(semconv.BILLED_UNKNOWN) is True,
        )


_PLAIN: Final = Terms()


def cost(provider: str, model: str, usage: Usage, terms: Terms = _PLAIN) -> Cost | None:
    """What `usage` of a model costs; None when neither the prices file nor the table knows the price.

    Args:
        provider: A ``gen_ai.provider.name``.
        model: The model that answered.
    """
    if terms.is_by_length or terms.is_billed_unknown:
        return None  # the words alone would be half of the price, or another
    usage = _billed(usage, *terms.billed)
    own = _own_cost(provider, (model, terms.asked), usage)
    if own is not None:
        return own
    found = _find(provider, model)
    if found is None:
        return None
    try:
        amount = _table_price(found, (provider, model), usage, terms)
    except ValueError as error:
        # Whatever came out would be invented.
        logger.debug("no cost for %r: %s", model, error)
        return None
    return Cost(amount, semconv.COST_SOURCE_LOCAL, table_version())


def rates(provider: str, model: str) -> Mapping[str, float] | None:
    """What a million tokens of each class cost today in US dollars, before any discount for volume.

    The classes are ``input`` (neither read from a cache nor written to one), ``cache_read``, ``cache_write`` and
    ``output``. None when neither the prices file nor the table knows the model.
    """
    found = {name: _rate(provider, model, usage) for name, usage in _ONE_CLASS.items()}
    known = {name: rate for name, rate in found.items() if rate is not None}
    if "input" not in known:
        return None
    return {name: known.get(name, 0.0 if name == "output" else known["input"]) for name in _ONE_CLASS}


def _rate(provider: str, model: str, thousand: Usage) -> float | None:
    priced = cost(provider, model, thousand)
    return None if priced is None else priced.amount * 1000


def context_window(provider: str, model: str) -> int | None:
    """How many tokens a model takes at most in one call; None when the table does not know."""
    found = _find(provider, model)
    window = None if found is None else getattr(found[0], "context_window", None)
    return window if isinstance(window, int) and window > 0 else None


def span_cost(attributes: Mapping[str, AttributeValue]) -> Cost | None:
    """What a finished LLM span cost: the cost it carries, else the price of its usage; None when neither is known."""
    if not isinstance(attributes, dict):  # reading the SDK's mapping takes a lock
        attributes = {name: attributes[name] for name in PRICED_BY.intersection(attributes)}
    stated = stated_cost(attributes)
    if stated is not None:
        return stated
    usage = Usage.from_attributes(attributes)
    provider = attributes.get(semconv.PROVIDER_NAME) or attributes.get(semconv.OLD_PROVIDER_NAME)
    model = model_of(attributes.get(semconv.REQUEST_MODEL), attributes.get(semconv.RESPONSE_MODEL), provider)
    if not isinstance(provider, str) or not isinstance(model, str):
        return None
    if usage is None:
        return _sound_cost(provider, model, attributes.get(semconv.USAGE_AUDIO_SECONDS))
    if usage.missing and attributes.get(semconv.OPERATION_NAME) in _WITH_BOTH_TOTALS:
        return None  # half of a price is a wrong price
    return cost(provider, model, usage, Terms.of(attributes))


def _sound_cost(provider: str, model: str, seconds: AttributeValue | None) -> Cost | None:
    """What a transcription costs that is paid by the length of its sound alone."""
    found = _find(provider, model)
    if found is None or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        return None
    table_model, table_provider = found
    now = datetime.now(timezone.utc)
    prices = {name for name, price in vars(table_model.get_prices(now)).items() if price is not None}
    if "audio_hours" not in prices or prices & _FOR_TOKENS:
        return None
    from genai_prices import Usage as TableUsage

    try:
        sound = TableUsage(audio_seconds=Decimal(str(seconds)))
        price = table_model.calc_price(sound, table_provider, genai_request_timestamp=now)
    except (TypeError, ValueError) as error:  # by release of the table
        logger.debug("no cost for the sound of %r: %s", model, error)
        return None
    return Cost(float(price.total_price), semconv.COST_SOURCE_LOCAL, table_version())


def model_of(asked: _Model, answered: _Model, provider: object) -> _Model:
    """The model that answered, else the one asked for; where only the longer name has the price, the other way round.

    Only the request says the host behind a router, and on Bedrock the inference profile, which has a price of its own,
    or what else an ARN stands for.
    """
    if provider == _BEDROCK and isinstance(asked, str):
        asked_first = bool(_OPAQUE.search(asked)) or (isinstance(answered, str) and answered in asked)
    else:
        asked_first = provider == _ROUTER
    return asked or answered if asked_first else answered or asked


def _billed(usage: Usage, given: int | None, made: int | None) -> Usage:
    """The tokens that are billed; where they are others than those of the usage, no class of them is known."""
    if given is None and made is None:
        return usage
    return Usage(usage.input_tokens if given is None else given, usage.output_tokens if made is None else made)


def _text(value: AttributeValue | None) -> str:
    return value if isinstance(value, str) else ""


def _count(value: AttributeValue | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def attributes(cost: Cost) -> dict[str, AttributeValue]:
    """The attributes of a priced span."""
    named: dict[str, AttributeValue] = {
        semconv.COST_AMOUNT: cost.amount,
        semconv.COST_CURRENCY: "USD",
        semconv.COST_SOURCE: cost.source,
    }
    if cost.table is not None:
        named[semconv.PRICE_TABLE] = cost.table
    return named


def provider_of(model: str) -> str | None:
    """Whose model this can only be, as in ``gen_ai.provider.name``; None for a name that several could give."""
    return next((name for pattern, name in _MAKERS if pattern.match(model.lower())), None)


def stated_cost(attributes: Mapping[str, AttributeValue]) -> Cost | None:
    """The cost that a span carries; without a source it is the provider's."""
    amount = attributes.get(semconv.COST_AMOUNT)
    if not isinstance(amount, (int, float)) or isinstance(amount, bool) or not 0 <= amount < math.inf:
        return None
    if attributes.get(semconv.COST_CURRENCY, "USD") != "USD":
        return None
    table = attributes.get(semconv.PRICE_TABLE)
    source = attributes.get(semconv.COST_SOURCE, semconv.COST_SOURCE_PROVIDER)
    return Cost(float(amount), str(source), table if isinstance(table, str) else None)


# ------------------------------------------------------------------------------------------------------- the price
# table


@cache
def _snapshot() -> Any | None:
    """The table of the installed release.

    Not `genai_prices.data_snapshot.get_snapshot()`: that one changes under us when the program runs the updater of
    genai-prices.
    """
    if tracemalloc.is_tracing():
        logger.warning("costs are not computed while tracemalloc traces: it takes minutes to load the price table then")
        return None
    try:
        _import_without_updater()
        from genai_prices.data import providers
        from genai_prices.data_snapshot import DataSnapshot

        return DataSnapshot(providers=providers, from_auto_update=False)
    except Exception as error:  # (whatever is wrong with the table, the user's program goes on)
        logger.warning("costs are not computed: the price table cannot be loaded: %r", error)
        return None


def _import_without_updater() -> None:
    """Import genai_prices without its updater, which imports the HTTP library httpx2; who asks for it still gets it.

    For openai 2 looks into `sys.modules` for httpx2 in each response, and the user's call fails when another thread,
    the one that prices, is half way through importing it
    (https://github.com/openai/openai-python/blob/v2.54.0/src/openai/_httpx2.py).
    """
    updater = "genai_prices.update_prices"
    if "genai_prices" in sys.modules or "httpx2" in sys.modules:
        return
    stand_in = ModuleType(updater)
    for name in _UPDATER_NAMES:
        setattr(stand_in, name, None)
    sys.modules[updater] = stand_in
    try:
        with apart_from_forks():
            package = import_module("genai_prices")
    finally:
        if sys.modules.get(updater) is stand_in:
            del sys.modules[updater]
    for name in _UPDATER_NAMES:
        vars(package).pop(name, None)
    vars(package).pop("update_prices", None)

    def on_demand(name: str) -> Any:
        if name in _UPDATER_NAMES:
            return getattr(import_module(updater), name)
        raise AttributeError(f"module 'genai_prices' has no attribute {name!r}")

    vars(package)["__getattr__"] = on_demand


@cache
def table_version() -> str:
    """The version of the price table that is installed."""
    from importlib.metadata import version

    return version("genai-prices")


@lru_cache(maxsize=1024)
def _find(provider: str, model: str) -> tuple[Any, Any] | None:
    """The table's (model, provider) for our names; None when it has none.

    The table matches provider names loosely ("my-openai-proxy" would be openai), so a provider must be in it under
    its exact name.
    """
    snapshot = _snapshot()
    name, model = _in_table(provider.strip().lower(), model)
    if (
        snapshot is None
        or not model
        or _OPAQUE.search(model)
        or not any(known.id == name for known in snapshot.providers)
    ):
        return None
    if name == "openai" and model.lower().startswith(_OPEN_WEIGHTS):
        return None
    try:
        table_provider, table_model = snapshot.find_provider_model(model, None, name, None)
    except LookupError:
        return None
    return table_model, table_provider


def _in_table(provider: str, model: str) -> tuple[str, str]:
    """The names that the table has for ours, if it knows them."""
    name = _PROVIDERS.get(provider, provider)
    if name == _ROUTER:
        model, _, host = model.partition(":")
        return f"{_ROUTER}_{host}", model
    if name == "google":  # in OpenAI's API the publisher stands before the model
        model = model.rpartition("/")[2]
    return name, model


def _table_price(found: tuple[Any, Any], names: tuple[str, str], usage: Usage, terms: Terms) -> float:
    """US dollars; ValueError when the table does not price all of it, or the classes do not fit into the totals."""
    model, provider = found
    at = terms.at
    # The table's prices may change with the minute (some are lower at night), and to look them up takes longer than
    # everything else here.
    minute = 0 if _is_constant(*names) else int((time.time() if at is None else at.timestamp()) // 60)
    prices = _prices_in(*names, minute, _tier(provider.id, terms.service_tier))
    if not prices.for_tokens and usage:
        raise ValueError("its price does not depend on tokens alone, or is not known for its service tier")
    if any(getattr(usage, name) for name in prices.missing):
        raise ValueError("its sound or its pictures have no price")
    times = surcharge(names[1], terms.host, terms.geo)
    if times is None:
        raise ValueError(f"its price in {terms.geo!r} is not known")
    searched = 0.0
    if terms.web_searches:
        if prices.search is None:
            raise ValueError("its searches have no price")
        searched = terms.web_searches * prices.search
    if terms.iterations:
        if any((_find(names[0], each) or (None,))[0] is not model for each in terms.iterations):
            raise ValueError("some of its tokens are another model's")
        if usage.input_tokens > prices.flat_until:
            raise ValueError("a long call costs more, and how long each of its calls was is not known")
    if usage.input_tokens <= prices.flat_until and not any(prices.special(usage)) and _fits(usage):
        return prices.flat.amount(usage) * times + searched
    return searched + times * _calculated(model, provider, usage, at or datetime.now(timezone.utc), prices.context)


def _tier(provider: str, tier: str) -> str | None:
    """The tier, where it may have a price of its own."""
    name = tier.lower()
    is_listed = name in _LISTED_TIERS or name.endswith("_unspecified") or (provider, name) in _TIERS_AS_LISTED
    return None if is_listed else name


class _Prices(NamedTuple):
    """What the table says of a model in one minute."""

    for_tokens: bool
    flat: _Rates
    flat_until: float  # input tokens up to which these rates are all there is; the table has to calculate beyond
    special: Callable[[Usage], tuple[int, ...]]  # tokens that have a price of their own, which is not in `flat`
    context: Mapping[str, str] | None  # what the prices depend on besides the time
    search: float | None = None  # of one search of the web
    missing: tuple[str, ...] = ()  # tokens that need a price of their own, and have none


@lru_cache(maxsize=1024)
def _is_constant(provider: str, model: str) -> bool:
    """Whether the prices are the same at any time."""
    table_model, _ = _find(provider, model) or (None, None)
    if isinstance(getattr(table_model, "prices", ()), (list, tuple)):
        return False
    return all(each.constraint is None for each in getattr(table_model, "price_variants", None) or ())


@lru_cache(maxsize=4096)
def _prices_in(provider: str, model: str, minute: int, service_tier: str | None) -> _Prices:
    """The prices of a model in a minute since 1970."""
    found = _find(provider, model)
    if found is None:
        return _Prices(False, _Rates.of({"input": 0.0}), -1, _special({}), None)
    table_model, table_provider = found
    at, context = datetime.fromtimestamp(minute * 60, timezone.utc), None
    is_known = True
    if service_tier:
        # Anthropic calls a tier a speed.
        context = dict.fromkeys(("service_tier", "speed"), service_tier)
        # As the table does: a tier's prices belong to the provider's own models, not to the ones it borrows from
        # another.
        own = any(table_model is each for each in table_provider.models)
        is_known = own and _has_tier(table_model, context, at)
    listed = vars(table_model.get_prices(at, context))
    prices = {name: price for name, price in listed.items() if price is not None}
    search = None if _BY_KIND_OF_SEARCH.match(table_model.id) else prices.get("web_searches_kcount")
    for_tokens = _FOR_REQUESTS not in prices and not _ALWAYS_SEARCHING.search(model.lower())
    return _Prices(
        is_known and for_tokens and bool(prices.keys() & _FOR_TOKENS),
        *_flat_rates(prices),
        _special(prices),
        context,
        float(search) / 1000 if isinstance(search, Decimal) else None,
        tuple(f"{name}_tokens" for name in _APART.get(table_provider.id, ()) if f"{name}_mtok" not in prices),
    )


def _has_tier(model: Any, context: Mapping[str, str], at: datetime) -> bool:
    """Whether the table has prices of a model for what they depend on."""
    return any(
        all(context.get(name) == value for name, value in variant.when.items())
        for variant in getattr(model, "price_variants", None) or ()
        if variant.constraint is None or variant.constraint.active(at)
    )


def _flat_rates(prices: Mapping[str, Any]) -> tuple[_Rates, float]:
    """The prices as plain rates, and up to how many input tokens they hold.

    Beyond that the table has to calculate (about 80 us): long calls cost more.
    """
    named = {short: prices[name] for name, short in _FLAT if name in prices}
    rates = {short: getattr(price, "base", price) for short, price in named.items()}
    starts = (tier.start for price in named.values() for tier in getattr(price, "tiers", ()))
    until = min(starts, default=math.inf)
    if not all(isinstance(rate, Decimal) for rate in rates.values()):
        rates, until = {}, -1
    return _Rates.of({"input": 0.0} | {short: float(rate) for short, rate in rates.items()}), until


def _special(prices: Mapping[str, Any]) -> Callable[[Usage], tuple[int, ...]]:
    """The tokens of a usage that are priced apart from the totals: audio, and others where they have a price."""
    names = ["input_audio_tokens", "output_audio_tokens"]
    names += [f"{name}_tokens" for name in _OWN_PRICES if f"{name}_mtok" in prices]
    if any("reasoning" in name for name in prices):
        names.append("reasoning_tokens")
    return attrgetter(*names)


def _fits(usage: Usage) -> bool:
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    return cached <= usage.input_tokens and usage.reasoning_tokens <= usage.output_tokens


def _calculated(model: Any, provider: Any, usage: Usage, at: datetime, context: Mapping[str, str] | None) -> float:
    from genai_prices import Usage as TableUsage

    counts = {
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
    }
    prices = model.get_prices(at, context)
    for name in _OWN_PRICES:
        if getattr(prices, f"{name}_mtok", None) is not None:
            counts[f"{name}_tokens"] = getattr(usage, f"{name}_tokens")
    reported = {name: count for name, count in counts.items() if count} | _cached_media(counts, usage)
    if not _fits(usage):
        raise ValueError(f"{usage} has classes larger than its totals")
    table_usage = TableUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, **reported)
    price = model.calc_price(table_usage, provider, genai_request_timestamp=at, price_context=context)
    return float(price.total_price)


def _cached_media(counts: Mapping[str, int], usage: Usage) -> dict[str, int]:
    """How much of sound and pictures was cached: where it is not reported, the totals say how much it is at least."""
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    fresh = usage.input_tokens - read - written
    found = {}
    for kind in ("audio", "image"):
        tokens = counts.get(f"input_{kind}_tokens", 0)
        if tokens and (read or written):
            known = getattr(usage, f"cache_read_{kind}_tokens")
            overlap = max(tokens - fresh, min(known, tokens, read), 0)
            found[f"cache_{kind}_read_tokens"] = min(overlap, read)
            found[f"cache_{kind}_write_tokens"] = max(overlap - read, 0)
            fresh -= tokens - overlap
            read = max(read - overlap, 0)
    return found


# ----------------------------------------------------------------------------------------------------- the user's
# prices


def _own_cost(provider: str, models: tuple[str, ...], usage: Usage) -> Cost | None:
    """The price of the first model that the file knows, with its provider or without."""
    path = os.environ.get(PRICES_FILE)
    if not path:
        return None
    prices = _own_prices(path)
    names = (*(f"{provider}/{model}" for model in models), *models)
    rates = next((prices[name] for name in names if name in prices), None)
    amount = None if rates is None else at_rates(rates, usage)
    return None if amount is None else Cost(amount, semconv.COST_SOURCE_LOCAL, f"override:{Path(path).name}")


def at_rates(rates: Mapping[str, float], usage: Usage) -> float | None:
    """What a usage costs at the rates of a prices file; None when it has output, and the rates have no ``output``."""
    if usage.output_tokens and "output" not in rates:
        return None
    return _Rates.of(rates).amount(usage)


class _Rates(NamedTuple):
    """US dollars per million tokens.

    A class is inside its total already, so only what its price differs by is added.
    """

    input: float
    output: float
    cache_read: float
    cache_write: float
    input_audio: float
    output_audio: float

    @classmethod
    def of(cls, rates: Mapping[str, float]) -> _Rates:
        rate_in, rate_out = rates["input"], rates.get("output", 0.0)
        return cls(
            rate_in,
            rate_out,
            rates.get("cache_read", rate_in) - rate_in,
            rates.get("cache_write", rate_in) - rate_in,
            rates.get("input_audio", rate_in) - rate_in,
            rates.get("output_audio", rate_out) - rate_out,
        )

    def amount(self, usage: Usage) -> float:
        """What a usage costs."""
        parts = (
            usage.input_tokens * self.input,
            usage.output_tokens * self.output,
            usage.cache_read_tokens * self.cache_read,
            usage.cache_write_tokens * self.cache_write,
            usage.input_audio_tokens * self.input_audio,
            usage.output_audio_tokens * self.output_audio,
        )
        return max(0.0, math.fsum(parts) / _MILLION)


@lru_cache(maxsize=8)
def _own_prices(path: str) -> Mapping[str, Mapping[str, float]]:
    """The prices file, read once; an unusable one is a warning and counts as empty."""
    try:
        return _checked(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as wrong:
        logger.warning("%s=%s is ignored: %s", PRICES_FILE, repr(path)[:200], str(wrong)[:250])
        return {}


def _checked(content: object) -> dict[str, dict[str, float]]:
    """The content of a prices file; ValueError says what is wrong with it."""
    if not isinstance(content, dict):
        raise ValueError(  # noqa: TRY004  (ValueError is what a wrong file raises, JSON errors included)
            'it is not a JSON object such as {"model": {"input": 1.0, "output": 2.0}}'
        )
    return {key: _checked_rates(key, rates) for key, rates in content.items()}


def _checked_rates(key: str, rates: object) -> dict[str, float]:
    if not isinstance(rates, dict) or "input" not in rates:
        raise ValueError(f'{key[:80]!r} is not an object with at least "input"')
    for name, rate in rates.items():
        if name not in _RATES:
            raise ValueError(f"{key[:80]!r} has {name[:80]!r}; expected {', '.join(_RATES)}")
        if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 <= rate < math.inf:
            raise ValueError(f"{name!r} of {key[:80]!r} is not a number of at least 0")
    return {name: float(rate) for name, rate in rates.items()}
