"""The tokens and the cost of a span."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Final

from .. import pricing
from ..dialects.dialect import Cost, Dialect
from ..rows import Kind
from ..usage import Usage
from .received import ReceivedSpan
from .said import Said

_MOST_TOKENS: Final = 10**12  # more is no count of tokens, and sums of it would not fit into 64 bits
_MOST_DOLLARS: Final = 1e9
_WITHOUT_OUTPUT: Final = frozenset({"embeddings", "embedding"})


def usage_of(attributes: Mapping[str, Any], by: Dialect | None, dialects: Iterable[Dialect]) -> Usage | None:
    """The tokens, from the first dialect that says them."""
    for dialect in dialects:
        usage = None if dialect.usage is None else dialect.usage(attributes)
        if usage is not None:
            usage = usage if by is None or by.amend is None else by.amend(usage, attributes)
            return (
                usage if max(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) <= _MOST_TOKENS else None
            )
    return None


def cost_of(
    span: ReceivedSpan,
    dialects: Iterable[Dialect],
    kind: Kind,
    provider: str | None,
    model: str | None,
    usage: Usage | None,
    said: Said,
) -> tuple[Cost | None, str | None]:
    """The stated cost, else the price of an LLM call's usage when it was made; and the version of the price table."""
    for dialect in dialects:
        stated = None if dialect.cost is None else dialect.cost(span.attributes)
        if stated is not None and 0 <= stated.amount <= _MOST_DOLLARS:
            return stated, said.text("price_table")
    if kind != "llm" or usage is None or not provider or not model:
        return None, None
    if usage.missing and said.text("operation") not in _WITHOUT_OUTPUT:
        return None, None  # half of a price is a wrong price
    at = datetime.fromtimestamp(span.start_ns / 1e9, timezone.utc)
    priced = pricing.model_of(said.text("request_model"), said.text("response_model"), provider)
    terms = pricing.Terms.of(span.attributes)
    terms = terms._replace(at=at, service_tier=said.text("service_tier") or terms.service_tier)
    price = pricing.cost(provider, priced or model, usage, terms)
    if price is None or not price.amount <= _MOST_DOLLARS:
        return None, None
    return Cost(price.amount, price.source), price.table
