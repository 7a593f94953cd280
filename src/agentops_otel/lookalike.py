"""A function of ours that looks like the user's: its kind, globals, attributes, and whatever `inspect` says of it.

Frameworks look at a function before they call it, each in a way of its own: `inspect.signature()`, with `eval_str` or
without, `inspect.getfullargspec()`, `__globals__`, `__wrapped__`. Each must find what it would have found.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable
from types import CellType, CodeType, FunctionType
from typing import Any, Final

from .asyncgens import first_of_inner

# Names that no user gives to a parameter.
_CALL: Final = "_agentops_call"
_SIMPLE: Final = """
def make(_agentops_call):
    {head} wrapper({{parameters}}):
        return ({way} _agentops_call({{arguments}}))
"""
_FUNCTION: Final = _SIMPLE.format(head="def", way="")
_COROUTINE: Final = _SIMPLE.format(head="async def", way="await")
_GENERATOR: Final = _SIMPLE.format(head="def", way="yield from")
# What is sent and thrown goes on; an asynchronous generator has no `yield from`. A list lets go of its item.
_ASYNC_GENERATOR: Final = """
def make(_agentops_call, _agentops_step, _agentops_any):
    async def wrapper({parameters}):
        _agentops_steps, sent, thrown = _agentops_call({arguments}), _agentops_step, None
        while True:
            item = [await _agentops_step(_agentops_steps, sent, thrown)]
            if item[0] is _agentops_step:
                return
            sent = thrown = None
            try:
                sent = yield item.pop()
            except _agentops_any as error:
                thrown = error
"""


def lookalike(function: FunctionType, call: FunctionType) -> FunctionType:
    """A function that calls `call`, which takes any arguments and names nothing global, and looks like `function`.

    `call` has the kind of `function`: a coroutine function for a coroutine function and so on.
    """
    code, closure = call.__code__, call.__closure__
    # Another decorator's function may go on changing its attributes (tenacity's `statistics`), so they are shared.
    shared = "__wrapped__" in vars(function)
    shown = None if shared else fixed_signature(function)
    if shown is None:
        code = _shell(function.__code__, code.co_flags)
        values = {_CALL: call, "_agentops_step": _step, "_agentops_any": BaseException}
        closure = tuple(CellType(values[name]) for name in code.co_freevars)
    if function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE:  # `types.coroutine`: a generator that can be awaited
        code = code.replace(co_flags=code.co_flags | inspect.CO_ITERABLE_COROUTINE)
    # With the function's globals, in which FastAPI, Pydantic and others look up annotations that are text.
    made = FunctionType(code, function.__globals__, function.__name__, None, closure)
    made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    functools.update_wrapper(made, function)
    if shared:
        made.__dict__ = function.__dict__
    elif shown is not None:
        made.__signature__ = shown  # type: ignore[attr-defined]
    return made


def called_by(made: FunctionType) -> FunctionType:
    """The `call` that a lookalike was made with, or the function itself."""
    free = dict(zip(made.__code__.co_freevars, made.__closure__ or (), strict=True))
    found = free[_CALL].cell_contents if _CALL in free else made
    return found if isinstance(found, FunctionType) else made


def fixed_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """What `__signature__` may hold; None where an annotation is text or cannot be read yet, or there is no signature.

    It is taken as it is also by who asks for evaluated annotations (`eval_str`), so it must not hold text.
    """
    try:
        signature = inspect.signature(function)
    except Exception:  # Python 3.14 evaluates annotations here, and they may name what is defined later
        return None
    annotations = [signature.return_annotation, *(each.annotation for each in signature.parameters.values())]
    return None if any(isinstance(annotation, str) for annotation in annotations) else signature


def _shell(code: CodeType, flags: int) -> CodeType:
    """Code with the very parameters of `code`, that hands them on; nothing else satisfies all who read `__code__`."""
    template = _FUNCTION
    if flags & inspect.CO_ASYNC_GENERATOR:
        template = _ASYNC_GENERATOR
    elif flags & inspect.CO_COROUTINE:
        template = _COROUTINE
    elif flags & inspect.CO_GENERATOR:
        template = _GENERATOR
    try:
        return _compiled(template, *_parameters(code))
    except SyntaxError:  # code that was not made from Python's syntax has names of any kind
        return _compiled(template, "*args, **kwargs", "*args, **kwargs")


async def _step(steps: AsyncGenerator[Any, Any], sent: Any, thrown: BaseException | None) -> Any:
    """The next item, or this function itself when there is none; it is also what is sent for the first one."""
    try:
        if sent is _step:
            return await first_of_inner(steps.__anext__)
        if thrown is None:
            return await steps.asend(sent)
        return await steps.athrow(thrown.with_traceback(thrown.__traceback__ and thrown.__traceback__.tb_next))
    except StopAsyncIteration:
        return _step


def _parameters(code: CodeType) -> tuple[str, str]:
    """The parameters of a function's code as they are defined, without defaults, and as they are handed on."""
    names = list(code.co_varnames)
    keyword_from = code.co_argcount
    rest_from = keyword_from + code.co_kwonlyargcount
    positional, keyword, rest = names[:keyword_from], names[keyword_from:rest_from], names[rest_from:]
    more = [f"*{rest.pop(0)}"] if code.co_flags & inspect.CO_VARARGS else []
    options = [f"**{rest.pop(0)}"] if code.co_flags & inspect.CO_VARKEYWORDS else []
    only = code.co_posonlyargcount
    defined = [*positional[:only], *(["/"] if only else []), *positional[only:]]
    defined += [*(more or (["*"] if keyword else [])), *keyword, *options]
    return ", ".join(defined), ", ".join([*positional, *more, *(f"{name}={name}" for name in keyword), *options])


@functools.lru_cache(maxsize=1024)
def _compiled(template: str, parameters: str, arguments: str) -> CodeType:
    source = template.format(parameters=parameters, arguments=arguments)
    namespace: dict[str, Any] = {}
    exec(compile(source, "<agentops_otel>", "exec"), namespace)  # noqa: S102  (names of parameters, as in `dataclasses`)
    makers = (code for code in namespace["make"].__code__.co_consts if isinstance(code, CodeType))
    return next(makers)
