"""Prices that a person has set, for calls that no price table knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from ... import semconv
from ...pricing import at_rates
from ...usage import Usage
from . import Price
from .encoding import clean, column, unlisted
from .statement import statement

TABLE: Final = "override:store"
"""What the price table of such a call is called."""
Rates = dict[str, float]


def prices(connection: sqlite3.Connection) -> list[Price]:
    """The prices that were set, by model."""
    return [Price(*row) for row in connection.execute(statement("prices"))]


def set_price(connection: sqlite3.Connection, price: Price) -> set[int]:
    """Set a price, and price the calls that are stored; the sessions of these."""
    connection.execute(
        statement("set_price"),
        tuple(
            column(value)
            for value in (
                price.provider,
                price.model,
                price.input,
                price.output,
                price.cache_read,
                price.cache_write,
                price.set_ns,
            )
        ),
    )
    known = Prices(prices(connection))
    sessions: set[int] = set()
    priced = []
    for number, session, operation, provider, *tokens, missing in connection.execute(
        statement("unpriced_spans"), (clean(price.model),)
    ).fetchall():
        cost = known.cost(provider, price.model, operation, tokens, missing)
        if cost is not None:
            priced.append((cost, semconv.COST_SOURCE_LOCAL, TABLE, number))
            sessions.add(session)
    connection.executemany(statement("price_span"), priced)
    return sessions


class Prices:
    """The prices that were set, ready to price calls."""

    def __init__(self, known: Sequence[Price]) -> None:
        self._rates = {(price.provider, price.model): _rates(price) for price in known}

    def __bool__(self) -> bool:
        return bool(self._rates)

    def priced(self, columns: tuple[Any, ...]) -> tuple[Any, ...]:
        """The columns of a span, with its cost if that is known now."""
        cost = self.cost(columns[12], columns[13], columns[11], columns[16:28], columns[28])
        if cost is None:
            return columns
        return (*columns[:29], cost, semconv.COST_SOURCE_LOCAL, TABLE, *columns[32:])

    def cost(
        self, provider: str | None, model: str | None, operation: str | None, tokens: Sequence[Any], missing: str | None
    ) -> float | None:
        """What a call costs, of the columns of its usage; None without a price for it, or with half a usage."""
        rates = self._rates.get((provider or "", model or "")) or self._rates.get(("", model or ""))
        if rates is None or tokens[0] is None:
            return None
        usage = Usage(*tokens, missing=frozenset(unlisted(missing)))  # type: ignore[misc]  # as many as its fields
        if usage.missing and operation != semconv.OPERATION_EMBEDDINGS:
            return None  # half of a price is a wrong price
        return at_rates(rates, usage)


def _rates(price: Price) -> Rates:
    rates = {"input": price.input, "output": price.output}
    if price.cache_read is not None:
        rates["cache_read"] = price.cache_read
    if price.cache_write is not None:
        rates["cache_write"] = price.cache_write
    return rates
