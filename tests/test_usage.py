"""Usage: adding, writing and reading token counts."""

from __future__ import annotations

import pytest

from agentops_otel.usage import Usage


def test_adds_class_by_class():
    """Two usages add up class by class, and the classes stay out of the totals."""
    one = Usage(100, 50, cache_read_tokens=40, reasoning_tokens=30)
    two = Usage(10, 5, cache_write_tokens=3, input_audio_tokens=2, output_audio_tokens=1)

    assert one + two == Usage(110, 55, 40, 3, 30, 2, 1)


@pytest.mark.parametrize(
    ("usage", "expected"), [(Usage(), False), (Usage(1), True), (Usage(output_audio_tokens=1), True)]
)
def test_is_true_with_any_token(usage, expected):
    """Only a usage without any token is false."""
    assert bool(usage) is expected


def test_writes_totals_always_and_classes_when_there_are_some():
    """An empty usage still says 0 in and 0 out; classes of 0 are left out."""
    assert Usage().attributes() == {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}


def test_a_total_that_is_not_known_is_not_written():
    """A total that nobody has said is no 0, neither on the way out nor on the way back."""
    usage = Usage(8, missing=frozenset({"output_tokens"}))

    assert usage.attributes() == {"gen_ai.usage.input_tokens": 8}
    assert Usage.from_attributes(usage.attributes()).missing == {"output_tokens"}


def test_writes_cache_writes_under_both_names():
    """Cache writes have two names while the conventions rename them."""
    attributes = Usage(100, 5, cache_write_tokens=60).attributes()

    assert attributes["gen_ai.usage.cache_creation.input_tokens"] == 60
    assert attributes["gen_ai.usage.cache_write.input_tokens"] == 60


def test_reads_back_what_it_wrote():
    """Every class survives the way through attributes, the doubled one once."""
    usage = Usage(1399, 205, 612, 30, 100, 20, 10, 1000, 340, 39, 180, 15)

    assert Usage.from_attributes(usage.attributes()) == usage


def test_reads_the_older_names():
    """Spans of instrumentations with the older names count too."""
    attributes = {
        "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 50,
        "gen_ai.usage.cache_read_input_tokens": 40,
        "gen_ai.usage.cache_creation_input_tokens": 20,
        "gen_ai.usage.reasoning_tokens": 10,
    }

    assert Usage.from_attributes(attributes) == Usage(100, 50, 40, 20, 10)


def test_todays_name_wins_over_the_older_one():
    """A span with both generations of names is counted once, by today's."""
    attributes = {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.prompt_tokens": 100}

    assert Usage.from_attributes(attributes) == Usage(7, 0)


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"gen_ai.usage.cache_read.input_tokens": 5}, id="a class without a total"),
        pytest.param({"gen_ai.usage.input_tokens": "5"}, id="text"),
        pytest.param({"gen_ai.usage.input_tokens": -5}, id="negative"),
        pytest.param({"gen_ai.usage.input_tokens": True}, id="bool"),
    ],
)
def test_reads_none_without_a_usage(attributes):
    """A span that carries no total has no usage, which is not the same as a usage of 0."""
    assert Usage.from_attributes(attributes) is None
