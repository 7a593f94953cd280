"""What a decorator is put on: a function, a method, any other callable, or a class."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any
from uuid import uuid4

import msgspec

from ..log import logger
from ..lookalike import called_by
from .call import WRAPPERS
from .plan import ACTION, AGENT, TOOL, WORKFLOW, Kind, Parameters, Plan, make_plan, summary_of
from .proxies import Recorded, proxy
from .wrappers import wrap_function


def decorate(kind: Kind, target: Any, name: str | None, description: str | None, extra: Mapping[str, Any]) -> Any:
    """What takes the place of `target`: the same class, whose methods are wrapped, or something that looks like it."""
    if isinstance(target, (staticmethod, classmethod)):
        return type(target)(decorate(kind, target.__func__, name, description, extra))
    if not callable(target):
        raise TypeError(f"@{kind.name}: expected a function, a method or a class, got {type(target).__name__}")
    if inspect.isclass(target):
        return _decorate_class(kind, target, name, description, extra)
    own = name or getattr(target, "__name__", None) or target.__class__.__name__  # of what is in a proxy of ours
    plan = make_plan(kind, target, own, description or summary_of(target), extra)
    if kind is AGENT and not plan.parameters.is_method:
        plan = msgspec.structs.replace(plan, agent_id=str(uuid4()))
    return _wrap(target, plan)


def _decorate_class(kind: Kind, cls: type, name: str | None, description: str | None, extra: Mapping[str, Any]) -> type:
    """Wrap the class's own public methods and `__call__`; methods with a decorator of their own keep it.

    A class whose metaclass refuses attributes stays as it is.
    """
    made: dict[str, Any] = {}
    for attribute, member in _entries(kind, cls).items():
        own = name or cls.__name__
        if kind in (TOOL, ACTION) and attribute != "__call__":
            own = f"{own}.{attribute}"
        about = description or summary_of(cls if kind is AGENT else member)
        plan = make_plan(kind, member, own, about, extra)
        parameters = msgspec.structs.replace(plan.parameters, is_method=True, names=_without_first(plan.parameters))
        made[attribute] = _wrap(member, msgspec.structs.replace(plan, of_class=True, parameters=parameters))
    # On a protocol they would be members, which a class needs to satisfy it.
    if kind is AGENT and not vars(cls).get("_is_protocol"):
        made["agentops_agent_id"] = _AgentId()
        if name is not None:
            made["agentops_agent_name"] = name
    before = dict(vars(cls))
    done: list[str] = []
    try:
        for attribute, member in made.items():
            setattr(cls, attribute, member)
            done.append(attribute)
    except Exception as error:
        with contextlib.suppress(Exception):
            for attribute in done:
                setattr(cls, attribute, before[attribute]) if attribute in before else delattr(cls, attribute)
        shown = f"{cls.__module__}.{cls.__qualname__}", type(error).__name__, error
        logger.warning("@%s: %.200s is not recorded, because it takes no attributes: %s: %.200s", kind.name, *shown)
    return cls


def _entries(kind: Kind, cls: type) -> Mapping[str, Callable[..., Any]]:
    """The methods whose calls are recorded for the class.

    They are those without a decorator of ours. Where every one has one, an agent or workflow is still entered through
    them: then all are, and their own spans are below.
    """
    public = {
        name: member
        for name, member in vars(cls).items()
        if (inspect.isfunction(member) or issubclass(type(member), Recorded))
        and (not name.startswith("_") or name == "__call__")
    }
    plain = {name: member for name, member in public.items() if _plan_of(member) is None}
    if plain or kind not in (AGENT, WORKFLOW):
        return plain
    return {name: member for name, member in public.items() if getattr(_plan_of(member), "kind", None) is not kind}


def _plan_of(member: Any) -> Plan | None:
    """The plan of what was decorated before, None for anything else."""
    plan: Any = None
    if issubclass(type(member), Recorded):
        plan = member._self_plan  # noqa: SLF001  (our own proxy)
    elif (call := called_by(member)).__code__ in WRAPPERS:
        plan = inspect.getclosurevars(call).nonlocals.get("plan")
    return plan if isinstance(plan, Plan) else None


def _without_first(parameters: Parameters) -> tuple[str, ...]:
    return parameters.names if parameters.is_method else parameters.names[1:]


def _wrap(function: Callable[..., Any], plan: Plan) -> Any:
    return wrap_function(function, plan) if type(function) is FunctionType else proxy(function, plan)


class _AgentId:
    """``instance.agentops_agent_id``: made at first use, kept beside the instance and not in it, gone when it is gone.

    A value that the user sets on the instance wins. None for an instance that takes no weak reference.
    """

    def __init__(self) -> None:
        self._ids: dict[int, tuple[weakref.ref[Any], str]] = {}

    def __get__(self, instance: Any, owner: type | None = None) -> str | None:
        if instance is None:
            return None
        key = id(instance)
        known = self._ids.get(key)
        if known is not None:
            return known[1]
        try:
            reference = weakref.ref(instance, lambda _: self._ids.pop(key, None))
        except TypeError:
            return None
        return self._ids.setdefault(key, (reference, str(uuid4())))[1]

    def __reduce__(self) -> tuple[type[_AgentId], tuple[()]]:
        return _AgentId, ()  # a class that is sent by value gets ids of its own where it arrives
