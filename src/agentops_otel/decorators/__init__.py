"""`@agent`, `@workflow`, `@action` and `@tool`: a span around each call of a function, method or class.

The user's function is called exactly once, with its own arguments, and its result or exception passes unchanged,
whatever becomes of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from .. import checks, environment, semconv
from .plan import ACTION, AGENT, TOOL, WORKFLOW, Kind

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, Any, Any]")


def _decorator(
    kind: Kind, target_or_name: Any, description: str | None = None, extra: Mapping[str, Any] | None = None
) -> Any:
    """Serve ``@tool``, ``@tool()``, ``@tool("name")`` and ``@tool(name="name")``."""
    from .targets import decorate  # only a program that decorates something needs what is behind it

    if target_or_name is None or isinstance(target_or_name, str):
        return lambda target: decorate(kind, target, target_or_name, description, extra or {})
    return decorate(kind, target_or_name, None, description, extra or {})


@overload
def agent(target: F, /) -> F: ...
@overload
def agent(name: str | None = None, *, description: str | None = None) -> Callable[[F], F]: ...
def agent(name: Any = None, *, description: str | None = None) -> Any:
    """Record each call as the span ``invoke_agent {name}``.

    On a class, each call of one of its own public methods (or of `__call__`) from outside of the same instance is such
    a span; calls among an instance's own methods are not. Each instance is an agent with an id of its own
    (`agentops_agent_id`) and a name: `agentops_agent_name` if it has one, else the class's name; both may be set on the
    instance. Whatever is recorded inside carries the agent's id. Methods that a subclass overrides are recorded when
    the subclass is decorated too.

    Args:
        name: the agent's name; the function's or the class's when left out.
        description: what the agent does; the docstring's first line when left out.

    Raises:
        TypeError: what is decorated is no function, method or class.
    """
    return _decorator(AGENT, name, description)


@overload
def workflow(target: F, /) -> F: ...
@overload
def workflow(name: str | None = None) -> Callable[[F], F]: ...
def workflow(name: Any = None) -> Any:
    """Record each call as the span ``invoke_workflow {name}``; on a class as `agent` does.

    Args:
        name: the workflow's name; the function's or the class's when left out.

    Raises:
        TypeError: what is decorated is no function, method or class.
    """
    return _decorator(WORKFLOW, name)


@overload
def action(target: F, /) -> F: ...
@overload
def action(name: str | None = None) -> Callable[[F], F]: ...
def action(name: Any = None) -> Any:
    """Record each call as the action span ``{name}``; on a class as ``{class}.{method}``, under the rules of `agent`.

    Args:
        name: the action's type; the function's name when left out.

    Raises:
        TypeError: what is decorated is no function, method or class.
    """
    return _decorator(ACTION, name)


@overload
def tool(target: F, /) -> F: ...
@overload
def tool(name: str | None = None, *, description: str | None = None, cost: float | None = None) -> Callable[[F], F]: ...
def tool(name: Any = None, *, description: str | None = None, cost: float | None = None) -> Any:
    """Record each call as the span ``execute_tool {name}``; on a class with ``{class}.{method}``, as `agent` does.

    Args:
        name: the tool's name; the function's when left out.
        description: what the tool does; the docstring's first line when left out.
        cost: what one call costs, in US dollars.

    Raises:
        TypeError: the decorated object is not a function, a method or a class.
        ValueError: `cost` is no number of at least 0.

    Example:
        ```python
        import agentops_otel as agentops


        @agentops.tool(description="Looks up an order", cost=0.001)
        def find_order(order_id: int) -> str:
            return "one teapot"


        with agentops.session(name="order 1842"):
            find_order(1842)
        ```
    """
    extra: dict[str, Any] = {}
    if cost is not None:
        try:
            amount = checks.as_cost(cost)
        except checks.NotValid as expected:
            raise ValueError(f"@tool: cost={environment.shown(cost)} is not valid: expected {expected}") from None
        extra = {semconv.COST_AMOUNT: amount, semconv.COST_CURRENCY: "USD"}
        extra[semconv.COST_SOURCE] = semconv.COST_SOURCE_PROVIDER
    return _decorator(TOOL, name, description, extra)


def record_action(event_name: str | None = None) -> Callable[[F], F]:
    """AgentOps' name of ``@action(name)``."""
    return action(event_name)


def record_tool(tool_name: str | None = None) -> Callable[[F], F]:
    """AgentOps' name of ``@tool(name)``."""
    return tool(tool_name)


def record_function(event_name: str | None = None) -> Callable[[F], F]:
    """AgentOps' older name of ``@action(name)``."""
    return action(event_name)


def track_agent(name: str | None = None) -> Callable[[F], F]:
    """AgentOps' name of ``@agent(name)``, for classes and functions."""
    return agent(name)
