"""A decorated function next to the function: everything that reads functions must read the same of both."""

from __future__ import annotations

import asyncio
import dis
import functools
import inspect
import json
import types
import typing

import fastapi
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.background import BackgroundTask

from agentops_otel.decorators import action, agent, tool, workflow


class Item(pydantic.BaseModel):
    """A name that only this module's globals resolve."""

    name: str
    price: float = 1.0


def text_function(item: Item, /, count: int = 2, *more: str, key: Item | None = None, **options: int) -> Item:
    return item


async def text_coroutine(item: Item, *, count: int = 2) -> Item:
    return item


def text_generator(count: int, *more: Item) -> typing.Iterator[Item]:
    yield from more


async def text_async_generator(item: Item) -> typing.AsyncIterator[Item]:
    yield item


def evaluated(function):
    """The same function, as a module without the future import has it."""
    made = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__annotations__ = typing.get_type_hints(function)
    return made


def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        inner.calls += 1
        return function(*args, **kwargs)

    inner.calls = 0
    return inner


class Methods:
    def method(self, item: Item, count: int = 2) -> Item:
        return item

    def __private(self, __item: Item) -> Item:  # noqa: PYI063  (a name that Python changes inside of a class)
        return __item

    private = __private


TEXT = [text_function, text_coroutine, text_generator, text_async_generator]
FUNCTIONS = [
    *TEXT,
    *map(evaluated, TEXT),
    lambda: None,
    lambda x, y=1, *z, w, **v: None,
    logged(text_function),
    action(text_function),
    action(evaluated(text_function)),
    Methods.method,
    Methods.private,
    types.coroutine(text_generator),
]


def answer(reader, function):
    try:
        return reader(function)
    except Exception as error:
        return type(error), str(error)


def of_fastapi_until_0_123(function):
    """`get_typed_signature` of FastAPI 0.100, 0.115 and 0.123: the names come from the function's own globals."""
    return [
        eval(parameter.annotation, function.__globals__)
        if isinstance(parameter.annotation, str)
        else parameter.annotation
        for parameter in inspect.signature(function).parameters.values()
    ]


def of_fastapi_today(function):
    """The same of FastAPI 0.124 and later: evaluated by `inspect`, the rest in the globals of what is wrapped."""
    signature = inspect.signature(function, eval_str=True)
    return signature, inspect.unwrap(function).__globals__


READERS = [
    inspect.signature,
    functools.partial(inspect.signature, eval_str=True),
    inspect.getfullargspec,
    typing.get_type_hints,
    of_fastapi_until_0_123,
    of_fastapi_today,
    lambda function: function.__globals__,
    lambda function: inspect.unwrap(function).__globals__,
    lambda function: (function.__name__, function.__qualname__, function.__module__, function.__doc__),
    lambda function: function.__annotations__,
    lambda function: (function.__defaults__, function.__kwdefaults__),
    inspect.isfunction,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    inspect.isroutine,
    lambda function: function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE,
    lambda function: inspect.getsource(function) if function.__name__.startswith("text") else None,
]


@pytest.mark.parametrize("decorate", [agent, workflow, action, tool], ids=lambda decorate: decorate.__name__)
@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
def test_every_reader_of_functions_reads_the_same(number, decorate):
    """Parameters, annotations as text and evaluated, globals, kind, source."""
    function = FUNCTIONS[number]
    before = [answer(reader, function) for reader in READERS]
    decorated = decorate(function)
    assert decorated is not function
    assert type(decorated) is types.FunctionType
    after = [answer(reader, decorated) for reader in READERS]
    assert after == before


def test_the_wrapper_of_no_function_reads_the_user_s_globals():
    """They are the user's, so a name of ours would not be found there, or be another thing."""
    for function in FUNCTIONS:
        decorated = tool(function)
        names = [i.argval for i in dis.get_instructions(decorated) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
        assert names == []


def test_a_function_with_annotations_that_name_nothing_is_decorated():
    """A name that exists for type checkers only, or is defined later."""

    @tool
    def search(where: Elsewhere) -> Nowhere:  # noqa: F821
        return where

    assert search(1) == 1
    assert inspect.getfullargspec(search).annotations == {"where": "Elsewhere", "return": "Nowhere"}


def test_attributes_that_another_decorator_goes_on_changing_are_seen():
    """Its function and ours have the same ones, in both directions."""
    inner = logged(lambda: 1)
    decorated = tool(inner)
    decorated()
    decorated()
    assert decorated.calls == inner.calls == 2
    decorated.calls = 0
    assert inner.calls == 0
    assert decorated.__wrapped__ is inner.__wrapped__


def test_attributes_of_a_function_s_own_are_copied():
    """One function decorated twice is two."""

    def body():
        return 1

    body.limit = 1
    one, other = tool("one")(body), tool("other")(body)
    one.limit = 2
    assert (one.limit, other.limit, body.limit) == (2, 1, 1)


def test_a_generator_that_can_be_awaited_can_be_awaited():
    """`types.coroutine`, decorated."""

    @tool
    @types.coroutine
    def pause():
        yield from asyncio.sleep(0).__await__()
        return 3

    async def main():
        return await pause()

    assert asyncio.run(main()) == 3


NAMES = st.lists(st.sampled_from(["a", "b", "call", "args", "kwargs", "self", "result", "plan"]), unique=True)


@given(NAMES, st.integers(0, 8), st.integers(0, 8), st.booleans(), st.booleans(), st.integers(0, 8), st.booleans())
def test_every_form_of_parameters_is_handed_on(names, only, positional, more, options, defaults, text):
    """Positional, keyword, defaults, `*args`, `**kwargs`, of any name, annotated or not."""
    first, rest = names[:positional], names[positional:]
    only = min(only, len(first))
    shown = [
        f"{name}{': int' if text else ''}{f' = {n}' if n >= len(first) - defaults else ''}"
        for n, name in enumerate(first)
    ]
    parameters = [*shown[:only], *(["/"] if only else []), *shown[only:]]
    parameters += ["*more"] if more else ["*"] if rest else []
    parameters += [f"{name} = 7" for name in rest] + (["**options"] if options else [])
    namespace = {}
    exec(f"def f({', '.join(parameters)}):\n    return locals()", namespace)
    function = namespace["f"]
    if text:
        function.__annotations__ = dict.fromkeys(first, "int")
    decorated = tool(function)
    assert inspect.getfullargspec(decorated) == inspect.getfullargspec(function)
    args = range(len(first) + more)
    kwargs = {**dict.fromkeys(rest[:1], 1), **({"extra": 2} if options else {})}
    assert decorated(*args, **kwargs) == function(*args, **kwargs)
    if not more:
        with pytest.raises(TypeError):
            decorated(*range(20))
    if not options:
        with pytest.raises(TypeError):
            decorated(*args, unknown=1)


def test_code_with_names_that_python_s_syntax_has_not_is_handed_on():
    """Made by a tool, not from source."""

    def f(a):
        return a

    f.__code__ = f.__code__.replace(co_varnames=("not a name",))
    f.__annotations__ = {"a": "text"}
    assert tool(f)(3) == 3


@pytest.mark.parametrize("text", [False, True])
def test_what_an_async_generator_is_sent_and_thrown_goes_through(text):
    """`asend`, `athrow`, `aclose` and the end, with annotations that are text and without."""
    seen = []

    async def steps(first: int):
        try:
            seen.append((yield first))
            try:
                yield 2
            except ValueError as error:
                seen.append(error)
                yield 3
        finally:
            seen.append("closed")

    if not text:
        steps.__annotations__ = {"first": int}

    async def main():
        made = tool(steps)(1)
        error = ValueError()
        assert [await anext(made), await made.asend("sent"), await made.athrow(error)] == [1, 2, 3]
        await made.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(made)
        assert seen == ["sent", error, "closed"]

    asyncio.run(main())


# --- FastAPI


app = fastapi.FastAPI()


@tool
def offset(by: int = 1) -> int:
    return by


@agent
async def limit(most: int = 10):
    yield most


@app.post("/coroutine")
@workflow
async def coroutine_route(
    item: Item,
    request: fastapi.Request,
    by: typing.Annotated[int, fastapi.Depends(offset)],
    most: typing.Annotated[int, fastapi.Depends(limit)],
) -> Item:
    return Item(name=item.name, price=item.price + by + most)


@app.post("/function")
@tool
def function_route(item: Item, count: int = 2) -> Item:
    return Item(name=item.name, price=item.price * count)


class Caller:
    async def __call__(self, item: Item) -> Item:
        return item


app.post("/instance")(tool(Caller()))
app.post("/partial")(tool(functools.partial(function_route.__wrapped__, count=5)))


@action
class Filter:
    def __call__(self, item: Item) -> Item:
        return item


@app.post("/class")
def class_route(item: typing.Annotated[Item, fastapi.Depends(Filter())]) -> Item:
    return item


async def post(path, query, body):
    """One request, as a server hands it to the application."""
    sent = []
    raw = json.dumps(body).encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": query, "headers":
        [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.mark.parametrize(
    ("path", "price"),
    [("/coroutine", 15.5), ("/function", 5.0), ("/instance", 2.5), ("/partial", 12.5), ("/class", 2.5)],
)
def test_a_route_of_fastapi_is_what_it_was(path, price):
    """Annotations that are text resolve, the body is read and validated, and the description knows the types."""
    assert asyncio.run(post(path, b"by=3", {"name": "n", "price": 2.5})) == (200, {"name": "n", "price": price})
    status, _ = asyncio.run(post(path, b"", {"price": "none"}))
    assert status == 422
    assert "Item" in json.dumps(app.openapi()["paths"][path])


@pytest.mark.parametrize("decorate", [tool, lambda target: target], ids=["decorated", "plain"])
def test_a_background_task_of_starlette_is_awaited(decorate):
    """It asks an instance's `__call__` whether it has to be."""
    sent = []

    class Mail:
        async def __call__(self, to):
            sent.append(to)

    asyncio.run(BackgroundTask(decorate(Mail()), "ada")())
    assert sent == ["ada"]
