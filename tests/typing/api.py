"""What a type checker must make of the API; checked by mypy, not meant to be executed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from opentelemetry.sdk.trace.export import SpanExporter
from typing_extensions import assert_type

from agentops_otel.decorators import (
    action,
    agent,
    record_action,
    record_function,
    record_tool,
    tool,
    track_agent,
    workflow,
)
from agentops_otel.events import ActionEvent, ErrorEvent, LLMEvent, ToolEvent, record
from agentops_otel.testing import SequentialClock, SpanCapture


@tool
def bare(a: int, *, b: str = "") -> float:
    return float(a)


@tool()
def called(a: int) -> float:
    return float(a)


@tool("named", description="text", cost=0.5)
def named(a: int) -> float:
    return float(a)


@workflow(name="named")
async def coroutine(a: int) -> str:
    return str(a)


@action
def generator(a: int) -> Iterator[int]:
    yield a


@action("named")
async def async_generator(a: int) -> AsyncIterator[int]:
    yield a


@agent(name="planner", description="text")
class Planner:
    def __init__(self, goal: str) -> None:
        self.goal = goal

    @tool
    def method(self, a: int) -> int:
        return a

    @classmethod
    @tool
    def class_method(cls, a: int) -> int:
        return a

    @tool
    @staticmethod
    def static_method(a: int) -> int:
        return a


@track_agent()
class Tracked:
    pass


@record_action("a")
@record_tool("b")
@record_function("c")
def recorded(a: int) -> int:
    return a


assert_type(bare(1, b="x"), float)
assert_type(called(1), float)
assert_type(named(1), float)
assert_type(generator(1), Iterator[int])
assert_type(async_generator(1), AsyncIterator[int])
assert_type(Planner("x"), Planner)
assert_type(Planner("x").method(1), int)
assert_type(Planner.class_method(1), int)
assert_type(Planner.static_method(1), int)
assert_type(Tracked(), Tracked)
assert_type(recorded(1), int)
awaitable: Awaitable[str] = coroutine(1)
plain: Callable[[int], float] = called

bare("x")  # type: ignore[arg-type]
called(a=1, b=2)  # type: ignore[call-arg]
Planner()  # type: ignore[call-arg]
tool(1)  # type: ignore[call-overload]
tool(cost="x")  # type: ignore[call-overload]

record(ActionEvent("search", params={"q": "x"}, returns=[1]))
record(ToolEvent("lookup", {"q": "x"}, logs="text"))
record(LLMEvent(prompt="x", completion="y", model="gpt-4o", prompt_tokens=1, cost=0.5))
record(ErrorEvent(trigger_event=ToolEvent("lookup"), exception=ValueError("x"), code=501))
record(ValueError("x"))
record("text")  # type: ignore[arg-type]


def test_something(agentops_session: SpanCapture) -> None:
    exporter: SpanExporter = agentops_session
    assert_type(agentops_session.tree(["gen_ai.tool.name"], durations=True), str)
    attributes: Any = agentops_session.find("execute_tool lookup").attributes
    with SequentialClock() as clock:
        assert_type(clock(), int)
    exporter.shutdown()
    del attributes
