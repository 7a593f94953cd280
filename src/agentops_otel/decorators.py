"""`@agent`, `@workflow`, `@action` and `@tool`: a span around each call of a function, method or class.

The user's function is called exactly once, with its own arguments, and its result or exception passes unchanged,
whatever becomes of the recording. While it runs its span is the current one; a generator's span is current only during
a step, so nothing leaks to the loop that reads it.

A decorated function stays a function, with the user's globals, attributes and signature. Any other callable is wrapped
in a proxy that shows everything of it. What a plain function returns to be awaited or iterated later is followed
(`following.py`): the span ends when that ends.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import sys
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, FunctionType, TracebackType
from typing import Any, Final, TypeVar, overload
from uuid import uuid4

import msgspec
import wrapt
from opentelemetry.context import Context, attach, create_key, get_current
from opentelemetry.trace import Span, set_span_in_context

from . import guard, semconv
from .config import Configuration
from .context import scope_for
from .events import AGENT_KEY
from .following import STEPS, follow_future, how_to_follow
from .lookalike import called_by, fixed_signature, lookalike
from .span_failure import write_exception
from .text import brief
from .values import to_text

F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, Any, Any]")

_CALL_KEY: Final = create_key("agentops-call")
# These are not failures: the function was asked to stop.
_CANCELLED: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class _Kind(msgspec.Struct, frozen=True):
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
        return f"_{self.name.upper()}"  # pickled by reference: each is one object, compared by identity

    @property
    def decorator(self) -> str:
        return f"@{self.name}"

    def span_name(self, name: str) -> str:
        return f"{self.operation} {name}" if self.operation else name


_AGENT: Final = _Kind(
    semconv.KIND_AGENT, semconv.OPERATION_INVOKE_AGENT, semconv.AGENT_NAME,
    semconv.ENTITY_INPUT, semconv.ENTITY_OUTPUT, semconv.AGENT_DESCRIPTION,
    reader_kind=semconv.OPENINFERENCE_AGENT,
)  # fmt: skip
_WORKFLOW: Final = _Kind(
    semconv.KIND_WORKFLOW, semconv.OPERATION_INVOKE_WORKFLOW, semconv.WORKFLOW_NAME,
    semconv.ENTITY_INPUT, semconv.ENTITY_OUTPUT,
    reader_kind=semconv.OPENINFERENCE_CHAIN,
)  # fmt: skip
_ACTION: Final = _Kind(
    semconv.KIND_ACTION, None, semconv.ACTION_TYPE,
    semconv.ACTION_PARAMS, semconv.ACTION_RETURNS,
    reader_kind=semconv.OPENINFERENCE_CHAIN,
)  # fmt: skip
_TOOL: Final = _Kind(
    semconv.KIND_TOOL, semconv.OPERATION_EXECUTE_TOOL, semconv.TOOL_NAME,
    semconv.TOOL_CALL_ARGUMENTS, semconv.TOOL_CALL_RESULT, semconv.TOOL_DESCRIPTION, {semconv.TOOL_TYPE: "function"},
)  # fmt: skip


class _Parameters(msgspec.Struct, frozen=True):
    """A function's parameters, read once: `inspect.Signature.bind` costs more than the span."""

    names: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}
    rest: str = "args"
    is_method: bool = False

    @classmethod
    def of(cls, function: Callable[..., Any]) -> _Parameters:
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
        given = args[1:] if self.is_method else args
        bound = dict(zip(self.names, given, strict=False))
        if len(given) > len(self.names):
            bound[self.rest] = list(given[len(self.names) :])
        bound.update(kwargs)
        for name, value in self.defaults.items():
            bound.setdefault(name, value)
        return bound


class _Plan(msgspec.Struct, frozen=True):
    """What is recorded of each call of one decorated function; made once."""

    kind: _Kind
    name: str
    attributes: Mapping[str, Any]
    parameters: _Parameters
    agent_id: str | None = None  # of a decorated agent function
    of_class: bool = False  # a method of a decorated class: one span for each outermost call on an instance
    own_context: bool = True  # whether a call certainly ends in the contextvars context in which it began
    where: str = ""  # for messages


class _Call:
    """One recorded call: its span, and the context in which the function's code runs."""

    __slots__ = ("config", "context", "ended", "instance", "outer", "own_context", "plan", "previous", "span")

    def __init__(
        self, plan: _Plan, span: Span, config: Configuration, instance: int | None, outer: _Call | None
    ) -> None:
        self.plan = plan
        self.own_context = plan.own_context
        self.span = span
        self.config = config
        self.instance = instance  # id() of the instance of a decorated class whose method this is
        self.outer = outer  # the nearest such call around this one
        self.previous: Context | None = None
        self.context = Context()
        self.ended = False

    def resume(self) -> None:
        _enter(self)

    def pause(self) -> None:
        _leave(self)

    def finish(self, result: object) -> None:
        _finish(self, result)

    def fail(self, error: BaseException) -> None:
        _fail(self, error)

    def end(self) -> None:
        _end(self)

    def enter(self) -> None:
        self.previous = get_current()
        attach(self.context)

    def leave(self) -> None:
        """Give the caller its context back, as it was, even when the user's code left something attached.

        No tokens: a coroutine dropped half-way is closed in whatever context the garbage collector runs in, where a
        token is an error and the context is not ours to change.
        """
        previous = self.previous
        self.previous = None
        if previous is None:
            return
        restore = True
        try:
            current = get_current()
            ours = current.get(_CALL_KEY) is self
            if ours:
                self.context = current  # a generator finds at its next step what it attached in this one
            restore = ours or self.own_context
        finally:
            if restore:
                attach(previous)


def _start(plan: _Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any], bound_to: object = None) -> _Call | None:
    """Start recording a call, of an instance where what is called was looked up on one; None: it is not recorded."""
    try:
        if bound_to is not None and plan.parameters.is_method:
            args = (bound_to, *args)
        scope = scope_for(plan.kind.decorator)
        if scope is None:
            return None
        current = get_current()
        outer = _open_outer(current)
        instance = args[0] if args and plan.parameters.is_method else None
        owner = id(instance) if plan.of_class else None
        if owner is not None and _within(owner, outer):
            return None
        name, attributes, agent_id = _identity(plan, instance, current)
        span = scope.start_span(plan.kind.span_name(name), attributes=attributes)
        call = _Call(plan, span, scope.config, owner, outer)
        call.context = set_span_in_context(span, Context({**current, _CALL_KEY: call, AGENT_KEY: agent_id}))
    except Exception:
        guard.report(plan.where)
        return None
    _write_content(call, plan.kind.input_key, semconv.INPUT_VALUE, lambda: plan.parameters.bind(args, kwargs))
    return call


def _open_outer(current: Context) -> _Call | None:
    """The nearest open call of a decorated class's method; ended ones are let go, so contexts never chain up."""
    call = current.get(_CALL_KEY)
    outer = call if isinstance(call, _Call) else None
    while outer is not None and (outer.ended or outer.instance is None):
        outer = outer.outer
    return outer


def _within(owner: int, call: _Call | None) -> bool:
    while call is not None:
        if call.instance == owner and not call.ended:
            return True
        call = call.outer
    return False


def _identity(plan: _Plan, instance: Any, current: Context) -> tuple[str, dict[str, Any], object]:
    """The name, the attributes and the agent of a call."""
    attributes = dict(plan.attributes)
    agent_id = plan.agent_id or current.get(AGENT_KEY)
    if instance is not None and hasattr(type(instance), "agentops_agent_id"):
        agent_id = getattr(instance, "agentops_agent_id", None) or agent_id
    if plan.kind is not _AGENT:
        if agent_id is not None:
            attributes[semconv.EVENT_AGENT_ID] = agent_id
        return plan.name, attributes, agent_id
    if agent_id is not None:
        attributes[semconv.AGENT_ID] = agent_id
    if not plan.of_class:
        return plan.name, attributes, agent_id
    own = getattr(instance, "agentops_agent_name", None)
    name = own if isinstance(own, str) and own else type(instance).__name__
    attributes[plan.kind.name_key] = name
    return name, attributes, agent_id


def _write_content(call: _Call, key: str, copy: str, value: Callable[[], object]) -> None:
    try:
        if call.config._content_on_spans and call.span.is_recording():
            text = to_text(value(), max_length=call.config.max_content_length)
            short = {copy: brief(text)} if call.plan.kind.reader_kind else {}
            call.span.set_attributes({key: text, **short})
    except Exception:
        guard.report(call.plan.where)


def _enter(call: _Call | None) -> None:
    if call is None:
        return
    try:
        call.enter()
    except Exception:
        guard.report(call.plan.where)


def _leave(call: _Call | None) -> None:
    if call is None:
        return
    try:
        call.leave()
    except Exception:
        guard.report(call.plan.where)


def _finish(call: _Call, result: object) -> None:
    _leave(call)
    try:
        if result is not None:
            _write_content(call, call.plan.kind.output_key, semconv.OUTPUT_VALUE, lambda: result)
    finally:
        _end(call)


def _fail(call: _Call, error: BaseException) -> None:
    _leave(call)
    try:
        if issubclass(type(error), _CANCELLED) or type(error).__name__ == "Cancelled":  # the latter is trio's
            call.span.set_attribute(semconv.CANCELLED, True)
        else:
            write_exception(call.span, error, call.config, event=not _recorded_below(error, call))
    except Exception:
        guard.report(call.plan.where)
    finally:
        _end(call)


def _end(call: _Call) -> None:
    try:
        if not call.ended:
            call.ended = True
            call.span.end()
    except Exception:
        guard.report(call.plan.where)


def _recorded_below(error: BaseException, call: _Call) -> bool:
    """Whether the exception came through another decorated call, which recorded it.

    The traceback is the one mark that belongs to the exception object and leaves nothing on it: exceptions of built-in
    types take no weak reference, and an id is reused as soon as its object is gone.
    """
    traceback = _traceback_of(error)
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code in _WRAPPERS:
            other = frame.f_locals.get("call")
            if isinstance(other, _Call) and other is not call:
                return True
        traceback = traceback.tb_next
    return False


# The makers: each gives a function that records the calls of another one. What they make looks nothing up in its
# globals, because those are the user's.

Begin = Callable[["_Plan", tuple[Any, ...], Mapping[str, Any]], "_Call | None"]


def _of_function(function: Callable[..., Any], plan: _Plan, begin: Begin = _start) -> Any:
    enter, fail, returned, anything = _enter, _fail, _returned, BaseException

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        if call is None:
            return function(*args, **kwargs)
        try:
            enter(call)
            result = function(*args, **kwargs)
        except anything as error:
            fail(call, error)
            raise
        return returned(call, result)

    return wrapper


def _of_coroutine(function: Callable[..., Any], plan: _Plan, begin: Begin = _start) -> Any:
    enter, fail, finish, anything = _enter, _fail, _finish, BaseException
    plan = msgspec.structs.replace(plan, own_context=False)

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        if call is None:
            return await function(*args, **kwargs)
        try:
            enter(call)
            result = await function(*args, **kwargs)
        except anything as error:
            fail(call, error)
            raise
        finish(call, result)
        return result

    return wrapper


def _of_generator(function: Callable[..., Any], plan: _Plan, begin: Begin = _start) -> Any:
    # A generator function, so that `inspect` and its callers see one; like every other it starts at the first step, and
    # so does the span. What the reader sends or throws, GeneratorExit included, goes to the user's generator, which
    # decides what it means.
    enter, leave, fail, finish, as_thrown = _enter, _leave, _fail, _finish, _as_thrown
    anything, stopped = BaseException, StopIteration
    is_finalizing = sys.is_finalizing  # then nothing of ours can be called: the names in our modules are taken away

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        if call is None:
            return (yield from function(*args, **kwargs))
        sent = thrown = None
        try:
            generator = function(*args, **kwargs)
            while True:
                enter(call)
                try:
                    item = generator.send(sent) if thrown is None else generator.throw(thrown)
                except stopped as stop:
                    result = stop.value
                    break
                finally:
                    sent = thrown = None
                    leave(call)
                try:
                    sent = yield item
                except anything as error:
                    if is_finalizing():
                        raise
                    thrown = as_thrown(error)
        except anything as error:
            if not is_finalizing():
                fail(call, error)
            raise
        finish(call, result)
        return result

    return wrapper


def _of_async_generator(function: Callable[..., Any], plan: _Plan, begin: Begin = _start) -> Any:
    enter, leave, fail, finish, as_thrown = _enter, _leave, _fail, _finish, _as_thrown
    anything, stopped = BaseException, StopAsyncIteration
    plan = msgspec.structs.replace(plan, own_context=False)
    is_finalizing = sys.is_finalizing

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(plan, args, kwargs)
        sent = thrown = None
        try:
            generator = function(*args, **kwargs)
            while True:
                enter(call)
                try:
                    item = await (generator.asend(sent) if thrown is None else generator.athrow(thrown))
                except stopped:
                    break
                finally:
                    sent = thrown = None
                    leave(call)
                try:
                    sent = yield item
                except anything as error:
                    if is_finalizing():
                        raise
                    thrown = as_thrown(error)
        except anything as error:
            if call is not None and not is_finalizing():
                fail(call, error)
            raise
        if call is not None:
            finish(call, None)

    return wrapper


Maker = Callable[..., Any]
_MAKERS: Final[tuple[Maker, ...]] = (_of_function, _of_coroutine, _of_generator, _of_async_generator)


def _as_thrown(error: BaseException) -> BaseException:
    """The exception as the reader threw it: without the wrapper's own line, which it gets again on its way out."""
    try:
        return error.with_traceback(error.__traceback__.tb_next if error.__traceback__ is not None else None)
    except Exception:
        guard.report("what a generator's reader throws")
        return error


def _maker_for(function: Callable[..., Any]) -> Maker:
    own_call = None if inspect.isroutine(function) or inspect.isclass(function) else getattr(function, "__call__", None)  # noqa: B004
    for candidate in (function, own_call):
        if inspect.isasyncgenfunction(candidate):
            return _of_async_generator
        if inspect.iscoroutinefunction(candidate):
            return _of_coroutine
        if inspect.isgeneratorfunction(candidate):
            return _of_generator
    return _of_function


def _wrap(function: Callable[..., Any], plan: _Plan) -> Any:
    if type(function) is not FunctionType:
        return _recorded(function, plan)
    wrapper = lookalike(function, _maker_for(function)(function, plan))
    _WRAPPERS.add(called_by(wrapper).__code__)
    return wrapper


class _Recorded(wrapt.CallableObjectProxy):  # type: ignore[type-arg]
    """A callable that is no plain function, with all it has, and its calls recorded."""

    def __init__(self, wrapped: Any, plan: _Plan, instance: Any = None) -> None:
        super().__init__(wrapped)
        self._self_plan = plan
        self._self_instance = instance
        self._self_call = _maker_for(wrapped)(wrapped, plan, partial(_start, bound_to=instance))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._self_call(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        # For `getfullargspec()`, which reads the `__call__` of an instance's type, and that is this proxy's own.
        call = getattr(type(self.__wrapped__), "__call__", None)  # noqa: B004
        signature = fixed_signature(self.__wrapped__) if inspect.isfunction(call) else None
        if signature is None:  # `inspect` finds it behind `__wrapped__`
            raise AttributeError("__signature__")
        return signature

    def __reduce_ex__(self, protocol: Any) -> Any:
        how = self.__wrapped__.__reduce_ex__(protocol)
        if isinstance(how, str) and _found(getattr(self, "__module__", None), how) is self:
            return how  # by its name, under which this proxy is found
        return _recorded, (self.__wrapped__, self._self_plan)

    def __copy__(self) -> Any:
        return self._self_copied(copy.copy(self.__wrapped__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self._self_copied(copy.deepcopy(self.__wrapped__, memo))

    def _self_copied(self, wrapped: Any) -> Any:
        return self if wrapped is self.__wrapped__ else _recorded(wrapped, self._self_plan)


class _RecordedMethod(_Recorded):
    """One that can be bound to an instance: an `lru_cache`, say. A class of its own: `inspect` asks for `__get__`."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        bound = self.__wrapped__.__get__(instance, owner)
        return self if bound is self.__wrapped__ else _RecordedBound(bound, self._self_plan, instance)

    def __set_name__(self, owner: type, name: str) -> None:
        if hasattr(self.__wrapped__, "__set_name__"):
            self.__wrapped__.__set_name__(owner, name)


class _RecordedBound(_Recorded):
    """One that was looked up on an instance."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        return getattr, (self._self_instance, self.__wrapped__.__name__)


def _recorded(wrapped: Any, plan: _Plan) -> _Recorded:
    can_be_bound = hasattr(type(wrapped), "__get__") and not hasattr(wrapped, "__self__")
    return _RecordedMethod(wrapped, plan) if can_be_bound else _Recorded(wrapped, plan)


def _found(module: object, path: str) -> object:
    found: object = sys.modules.get(module) if isinstance(module, str) else None
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _references() -> int:
    """How many references `_returned()` sees to an object that nothing else holds."""

    def wrapper() -> int:
        result = object()
        return returned(None, result)

    def returned(call: None, result: object) -> int:
        return sys.getrefcount(result)

    return wrapper()


_REFERENCES: Final = _references()


def _returned(call: _Call, result: Any) -> Any:
    """End the call with what the function returned, or let its span go on with that.

    What something else holds, such as an argument or the value of a cache, is not of this call: it passes as it is.
    """
    try:
        follow = how_to_follow(result)
        if follow is follow_future or (follow is not None and sys.getrefcount(result) <= _REFERENCES):
            _leave(call)
            return follow(result, call)
    except Exception:
        guard.report(call.plan.where)
    _finish(call, result)
    return result


# The code of our wrappers: a traceback that went through one of them below has been recorded there.
_WRAPPERS: Final[set[CodeType]] = {
    *STEPS,
    *(code for maker in _MAKERS for code in maker.__code__.co_consts if isinstance(code, CodeType)),
}


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


def _decorate(kind: _Kind, target: Any, name: str | None, description: str | None, extra: Mapping[str, Any]) -> Any:
    if isinstance(target, (staticmethod, classmethod)):
        return type(target)(_decorate(kind, target.__func__, name, description, extra))
    if not callable(target):
        raise TypeError(f"@{kind.name}: expected a function, a method or a class, got {type(target).__name__}")
    if inspect.isclass(target):
        return _decorate_class(kind, target, name, description, extra)
    own = name or getattr(target, "__name__", None) or type(target).__name__
    plan = _plan(kind, target, own, description or _summary(target), extra)
    if kind is _AGENT and not plan.parameters.is_method:
        plan = msgspec.structs.replace(plan, agent_id=str(uuid4()))
    return _wrap(target, plan)


def _decorate_class(
    kind: _Kind, cls: type, name: str | None, description: str | None, extra: Mapping[str, Any]
) -> type:
    """Wrap the class's own public methods and `__call__`; methods with a decorator of their own keep it."""
    for attribute, member in _entries(kind, cls).items():
        own = name or cls.__name__
        if kind in (_TOOL, _ACTION) and attribute != "__call__":
            own = f"{own}.{attribute}"
        about = description or _summary(cls if kind is _AGENT else member)
        plan = _plan(kind, member, own, about, extra)
        parameters = msgspec.structs.replace(plan.parameters, is_method=True, names=_without_first(plan.parameters))
        setattr(cls, attribute, _wrap(member, msgspec.structs.replace(plan, of_class=True, parameters=parameters)))
    if kind is _AGENT:
        cls.agentops_agent_id = _AgentId()  # type: ignore[attr-defined]
        if name is not None:
            cls.agentops_agent_name = name  # type: ignore[attr-defined]
    return cls


def _entries(kind: _Kind, cls: type) -> Mapping[str, Callable[..., Any]]:
    """The methods whose calls are recorded for the class.

    They are those without a decorator of ours. Where every one has one, an agent or workflow is still entered through
    them: then all are, and their own spans are below.
    """
    public = {
        name: member
        for name, member in vars(cls).items()
        if (inspect.isfunction(member) or issubclass(type(member), _Recorded))
        and (not name.startswith("_") or name == "__call__")
    }
    plain = {name: member for name, member in public.items() if _plan_of(member) is None}
    if plain or kind not in (_AGENT, _WORKFLOW):
        return plain
    return {name: member for name, member in public.items() if getattr(_plan_of(member), "kind", None) is not kind}


def _plan_of(member: Any) -> _Plan | None:
    """The plan of what was decorated before, None for anything else."""
    plan: Any = None
    if issubclass(type(member), _Recorded):
        plan = member._self_plan  # noqa: SLF001  (our own proxy)
    elif (call := called_by(member)).__code__ in _WRAPPERS:
        plan = inspect.getclosurevars(call).nonlocals.get("plan")
    return plan if isinstance(plan, _Plan) else None


def _without_first(parameters: _Parameters) -> tuple[str, ...]:
    return parameters.names if parameters.is_method else parameters.names[1:]


def _plan(
    kind: _Kind,
    function: Callable[..., Any],
    name: str,
    description: str | None,
    extra: Mapping[str, Any],
) -> _Plan:
    attributes: dict[str, Any] = {semconv.SPAN_KIND: kind.name}
    if kind.reader_kind:
        attributes[semconv.OPENINFERENCE_SPAN_KIND] = kind.reader_kind
    if kind.operation:
        attributes[semconv.OPERATION_NAME] = kind.operation
    attributes[kind.name_key] = name
    if kind.description_key and description:
        attributes[kind.description_key] = description
    where = f"@{kind.name} {name}"
    return _Plan(kind, name, {**attributes, **kind.attributes, **extra}, _Parameters.of(function), where=where)


if sys.version_info >= (3, 14):

    def _signature(function: Callable[..., Any]) -> inspect.Signature:
        from annotationlib import Format

        # Annotations may name what is defined later.
        return inspect.signature(function, annotation_format=Format.FORWARDREF)

else:

    def _signature(function: Callable[..., Any]) -> inspect.Signature:
        return inspect.signature(function)


def _traceback_of(error: BaseException) -> TracebackType | None:
    """The exception's traceback, whatever its class makes of the name."""
    traceback: TracebackType | None = vars(BaseException)["__traceback__"].__get__(error)
    return traceback


def _summary(target: Any) -> str | None:
    """The first line of the docstring."""
    text = target.__doc__ if isinstance(getattr(target, "__doc__", None), str) else ""
    return text.strip().partition("\n")[0].strip() or None


def _in_class(function: Any) -> bool:
    outer = getattr(function, "__qualname__", "").rpartition(".")[0]
    return bool(outer) and not outer.endswith("<locals>")


def _decorator(
    kind: _Kind, target_or_name: Any, description: str | None = None, extra: Mapping[str, Any] | None = None
) -> Any:
    """Serve ``@tool``, ``@tool()``, ``@tool("name")`` and ``@tool(name="name")``."""
    if target_or_name is None or isinstance(target_or_name, str):
        return lambda target: _decorate(kind, target, target_or_name, description, extra or {})
    return _decorate(kind, target_or_name, None, description, extra or {})


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
    return _decorator(_AGENT, name, description)


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
    return _decorator(_WORKFLOW, name)


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
    return _decorator(_ACTION, name)


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
        extra = {semconv.COST_AMOUNT: float(cost), semconv.COST_CURRENCY: "USD"}
        extra[semconv.COST_SOURCE] = semconv.COST_SOURCE_PROVIDER
    return _decorator(_TOOL, name, description, extra)


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
