"""The messages of `dialects/history.py`: what it reads quickly is what `messages()` reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.dialects import history as module
from agentops_otel.dialects.history import history
from agentops_otel.messages import messages

TEXT = st.text(max_size=5)
PART = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "content": TEXT}),
    st.fixed_dictionaries({"type": st.just("tool_call"), "id": TEXT, "name": TEXT, "arguments": st.integers()}),
    st.fixed_dictionaries({"type": st.just("tool_call_response"), "id": TEXT, "response": TEXT | st.floats()}),
    st.fixed_dictionaries({"type": st.just("reasoning"), "content": TEXT}),
    TEXT,
    st.none(),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "ai", "message", "", "\ud800"]) | TEXT},
    optional={
        "parts": st.lists(PART, max_size=3) | TEXT,
        "finish_reason": st.sampled_from(["stop", "", "x" * 70]) | st.none() | st.integers(),
        "content": TEXT,
        "stop_reason": TEXT,
    },
)


@given(st.lists(MESSAGE | TEXT, max_size=4), st.sampled_from(["user", "assistant"]), st.booleans())
def test_messages_of_the_conventions_are_read_as_any_others(said: list[Any], role: str, escaped: bool) -> None:
    """Whatever stands in the list, and whoever speaks in what does not say it."""
    text = json.dumps(said, ensure_ascii=escaped)
    assert history(text, role) == messages(text, role)
    assert history(text, role) == messages(text, role), "the second time"


def test_a_message_that_was_answered_is_the_same_in_the_next_history() -> None:
    """It is read once: in the history it stands without its finish reason."""
    parts = [{"type": "text", "content": "It is done."}]
    (answer,) = history(json.dumps([{"role": "assistant", "parts": parts, "finish_reason": "stop"}]), "assistant")
    (again,) = history(json.dumps([{"role": "assistant", "parts": parts}]))
    assert again.parts is answer.parts
    assert (again.digest, again.finish_reason, answer.finish_reason) == (answer.digest, None, "stop")


def test_few_bytes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept has a bound, and what is too large for it is read each time."""
    known = module._Known()
    monkeypatch.setattr(module, "_known", known)
    monkeypatch.setattr(module, "_MOST_BYTES", 500)
    for number in range(100):
        history(json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"{number:0100}"}]}]))
        kept = [*known._new, *known._old]
        assert sum(len(parts) for _, parts in kept) <= 1000
    history(json.dumps([{"role": "user", "parts": [{"type": "text", "content": "x" * 500}]}]))
    assert not any(b"xxx" in parts for _, parts in (*known._new, *known._old))
