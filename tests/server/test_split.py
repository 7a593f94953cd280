"""A cost divided by the class of its tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.rows import ModelUse
from agentops_otel.server.split import CLASSES, NOTHING, split, together
from agentops_otel.usage import Usage

RATES = {"input": 3.0, "cache_read": 0.3, "cache_write": 3.75, "output": 15.0}


def use(cost: float, **tokens: int) -> ModelUse:
    return ModelUse("anthropic", "claude-sonnet-4-5", 0, 1, 0, Usage(**tokens), cost, 0, 0)


def test_a_cost_is_divided_by_the_rates():
    """Each class gets tokens times rate, and the cache saved what reading cost less than fresh input."""
    found = split(
        use(3.0 + 0.3 + 15.0, input_tokens=2_000_000, cache_read_tokens=1_000_000, output_tokens=1_000_000), RATES
    )
    assert {share.name: (share.tokens, pytest.approx(share.cost)) for share in found.shares} == {
        "cache read": (1_000_000, 0.3),
        "input": (1_000_000, 3.0),
        "cache write": (0, 0),
        "output": (1_000_000, 15.0),
    }
    assert found.saved == pytest.approx(2.7)
    assert found.unknown == 0


def test_a_discount_is_divided_in_the_same_way():
    """When the calls cost half of what the rates say, each part is half."""
    whole = split(use(18.0, input_tokens=1_000_000, output_tokens=1_000_000), RATES)
    half = split(use(9.0, input_tokens=1_000_000, output_tokens=1_000_000), RATES)
    assert [2 * share.cost for share in half.shares] == pytest.approx([share.cost for share in whole.shares])


def test_a_cost_without_rates_is_not_divided():
    """An amount that a provider told for a model without a price stays in one piece; its tokens are known."""
    found = split(use(4.2, input_tokens=10, output_tokens=5), None)
    assert found.unknown == found.cost == 4.2
    assert found.tokens == 15


@given(
    st.lists(
        st.builds(
            use,
            st.floats(0, 1e6),
            input_tokens=st.integers(0, 10**9),
            cache_read_tokens=st.integers(0, 10**9),
            cache_write_tokens=st.integers(0, 10**9),
            output_tokens=st.integers(0, 10**9),
        )
    ),
    st.sampled_from([RATES, None, dict.fromkeys(RATES, 0.0)]),
)
def test_the_parts_add_up_to_the_whole(uses, rates):
    """Whatever the tokens and rates are, no cent and no token is lost or counted twice."""
    found = together(split(one, rates) for one in uses)
    assert found.cost == pytest.approx(sum(one.cost for one in uses))
    assert found.tokens == sum(one.usage.input_tokens + one.usage.output_tokens for one in uses)
    assert all(share.tokens >= 0 and share.cost >= 0 for share in found.shares)


def test_nothing_has_every_class():
    """Templates may ask nothing for each of its classes."""
    assert [NOTHING.share(name).tokens for name in CLASSES] == [0, 0, 0, 0]
