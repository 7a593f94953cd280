"""What is recorded of each call of one decorated function: made once, when it is decorated."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from .. import semconv


class Kind(msgspec.Struct, frozen=True):
    """How calls of one decorator look on the wire."""

    name: str
    operation: str | None
    name_key: str
    input_key: str
    output_key: str
    description_key: str | None = None
    attributes: Mapping[str, Any] = {}
    reader_kind: str | None = None  # what readers of OpenInference's names take it for, where ours say nothing to them

    def __reduce__(self) -> str:
        return self.name.upper()  # pickled by reference: each is one object, compared by identity

    @property
    def decorator(self) -> str:
        """Its decorator, for messages."""
        return f"@{self.name}"

    def span_name(self, name: str) -> str:
        """The name of the span of a call of what is called `name`."""
        return f"{self.operation} {name}" if self.operation else name


AGENT: Final = Kind(
    semconv.KIND_AGENT, semconv.OPERATION_INVOKE_AGENT, semconv.AGENT_NAME,
    semconv.ENTITY_INPUT, semconv.ENTITY_OUTPUT, semconv.AGENT_DESCRIPTION,
    reader_kind=semconv.OPENINFERENCE_AGENT,
)  # fmt: skip
WORKFLOW: Final = Kind(
    semconv.KIND_WORKFLOW, semconv.OPERATION_INVOKE_WORKFLOW, semconv.WORKFLOW_NAME,
    semconv.ENTITY_INPUT, semconv.ENTITY_OUTPUT,
    reader_kind=semconv.OPENINFERENCE_CHAIN,
)  # fmt: skip
ACTION: Final = Kind(
    semconv.KIND_ACTION, None, semconv.ACTION_TYPE,
    semconv.ACTION_PARAMS, semconv.ACTION_RETURNS,
    reader_kind=semconv.OPENINFERENCE_CHAIN,
)  # fmt: skip
TOOL: Final = Kind(
    semconv.KIND_TOOL, semconv.OPERATION_EXECUTE_TOOL, semconv.TOOL_NAME,
    semconv.TOOL_CALL_ARGUMENTS, semconv.TOOL_CALL_RESULT, semconv.TOOL_DESCRIPTION, {semconv.TOOL_TYPE: "function"},
)  # fmt: skip


class Parameters(msgspec.Struct, frozen=True):
    """A function's parameters, read once: `inspect.Signature.bind` costs more than the span."""

    names: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}
    rest: str = "args"
    is_method: bool = False

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Parameters:
        """Those of a function; none of one that has no signature."""
        try:
            signature = _signature(function)
        except Exception:  # some built-in functions have no signature
            return cls()
        parameters = list(signature.parameters.values())
        is_method = bool(parameters) and parameters[0].name in ("self", "cls") and _in_class(function)
        shown = parameters[1:] if is_method else parameters
        return cls(
            names=tuple(p.name for p in shown if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)),
            defaults={p.name: p.default for p in shown if p.default is not p.empty},
            rest=next((p.name for p in shown if p.kind is p.VAR_POSITIONAL), "args"),
            is_method=is_method,
        )

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by their names, defaults included."""
        given = args[1:] if self.is_method else args
        bound = dict(zip(self.names, given, strict=False))
        if len(given) > len(self.names):
            bound[self.rest] = list(given[len(self.names) :])
        bound.update(kwargs)
        for name, value in self.defaults.items():
            bound.setdefault(name, value)
        return bound


class Plan(msgspec.Struct, frozen=True):
    """What is recorded of each call of one decorated function; made once."""

    kind: Kind
    name: str
    attributes: Mapping[str, Any]
    parameters: Parameters
    agent_id: str | None = None  # of a decorated agent function
    of_class: bool = False  # a method of a decorated class: one span for each outermost call on an instance
    own_context: bool = True  # whether a call certainly ends in the contextvars context in which it began
    where: str = ""  # for messages


def make_plan(
    kind: Kind,
    function: Callable[..., Any],
    name: str,
    description: str | None,
    extra: Mapping[str, Any],
) -> Plan:
    """What is recorded of the calls of `function`, called `name`, with these `extra` attributes."""
    attributes: dict[str, Any] = {semconv.SPAN_KIND: kind.name}
    if kind.reader_kind:
        attributes[semconv.OPENINFERENCE_SPAN_KIND] = kind.reader_kind
    if kind.operation:
        attributes[semconv.OPERATION_NAME] = kind.operation
    attributes[kind.name_key] = name
    if kind.description_key and description:
        attributes[kind.description_key] = description
    where = f"@{kind.name} {name}"
    return Plan(kind, name, {**attributes, **kind.attributes, **extra}, Parameters.of(function), where=where)


if sys.version_info >= (3, 14):

    def _signature(function: Callable[..., Any]) -> inspect.Signature:
        from annotationlib import Format

        # Annotations may name what is defined later.
        return inspect.signature(function, annotation_format=Format.FORWARDREF)

else:

    def _signature(function: Callable[..., Any]) -> inspect.Signature:
        return inspect.signature(function)


def summary_of(target: Any) -> str | None:
    """The first line of the docstring."""
    text = target.__doc__ if isinstance(getattr(target, "__doc__", None), str) else ""
    return text.strip().partition("\n")[0].strip() or None


def _in_class(function: Any) -> bool:
    outer = getattr(function, "__qualname__", "").rpartition(".")[0]
    return bool(outer) and not outer.endswith("<locals>")
