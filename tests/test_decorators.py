"""Decorated functions: what is recorded, and that nothing changes for those who call them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import gc
import inspect
import json
import logging
import math
import operator
import os
import pickle
import sys
import threading
import traceback
import typing
import uuid
import warnings
import weakref
from types import ModuleType, SimpleNamespace

import cloudpickle
import pydantic
import pytest
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, get_current, set_value
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode
from werkzeug.local import LocalProxy

from agentops_otel import context, events, guard
from agentops_otel.config import Configuration
from agentops_otel.decorators import (
    action,
    agent,
    call,
    record_action,
    record_function,
    record_tool,
    tool,
    track_agent,
    workflow,
    wrappers,
)
from agentops_otel.decorators.plan import Parameters
from agentops_otel.testing import SpanCapture
from tests.fakes.house import SESSION, House

ALL = [agent, workflow, action, tool]
ACTION = action("f")


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setattr(guard, "reraise", True)


@pytest.fixture(autouse=True)
def clean_context():
    """Every test ends with the context in which it began, or fails."""
    before = get_current()
    yield
    assert get_current() == before


@pytest.fixture(params=["leaf", "sdk"])
def begin(request):
    """Make a session's scope the process's; the spans, ours or the SDK's, go to the capture."""
    providers = []

    def start(**settings):
        capture = SpanCapture()
        if request.param == "leaf":
            house = House(capture)
            provider, tracer, root, session_id = house.provider, house.tracer, house.root, SESSION
        else:
            provider = TracerProvider(shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(capture))
            tracer, session_id = provider.get_tracer("tests"), str(uuid.uuid4())
            root = tracer.start_span("session")
        providers.append(provider)
        own = {"session_id": session_id, "trace_id": root.get_span_context().trace_id, "root": root}
        context.set_process(context.Scope(tracer, Configuration(**settings), **own))
        return capture

    yield start
    context.set_process(None)
    context.set_sessionless(None)
    for provider in providers:
        provider.shutdown()


@pytest.fixture
def capture(begin):
    return begin()


def current_id():
    return trace.get_current_span().get_span_context().span_id


def names(capture):
    return [span.name for span in capture.spans]


# --- the function kinds: each maker takes a body and gives a decorated function; `drive` calls it and gives the result.


def plain(body, decorate=ACTION):
    @decorate
    def f(*args, **kwargs):
        return body(*args, **kwargs)

    return f


def coroutine(body, decorate=ACTION):
    @decorate
    async def f(*args, **kwargs):
        await asyncio.sleep(0)
        return body(*args, **kwargs)

    return f


def generator(body, decorate=ACTION):
    @decorate
    def f(*args, **kwargs):
        yield body(*args, **kwargs)

    return f


def async_generator(body, decorate=ACTION):
    @decorate
    async def f(*args, **kwargs):
        await asyncio.sleep(0)
        yield body(*args, **kwargs)

    return f


def drive(function, *args, **kwargs):
    if inspect.iscoroutinefunction(function):
        return asyncio.run(function(*args, **kwargs))
    if inspect.isgeneratorfunction(function):
        (item,) = function(*args, **kwargs)
        return item
    if not inspect.isasyncgenfunction(function):
        return function(*args, **kwargs)

    async def read():
        (item,) = [item async for item in function(*args, **kwargs)]
        return item

    return asyncio.run(read())


KINDS = [plain, coroutine, generator, async_generator]
every_kind = pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)


@every_kind
def test_a_call_is_one_span_that_is_current_inside(capture, make):
    """What is recorded inside is a child, the caller's context is untouched, the result is the same object."""
    result = object()
    seen = []
    function = make(lambda: seen.append(current_id()) or result)
    before = get_current()
    assert drive(function) is result
    assert get_current() is before
    (span,) = capture.spans
    assert seen == [span.context.span_id]
    assert span.status.status_code is StatusCode.UNSET


@every_kind
def test_nested_calls_are_nested_spans(capture, make):
    """A decorated function in a decorated function is a child span."""
    inner = tool("inner")(lambda: 1)
    drive(make(inner, workflow("outer")))
    assert capture.tree() == "invoke_workflow outer [workflow]\n  execute_tool inner [tool]"


@every_kind
@pytest.mark.parametrize("decorate", ALL, ids=lambda decorate: decorate.__name__)
def test_a_decorated_function_looks_like_the_function(make, decorate):
    """Name, docstring, signature, annotations, `__wrapped__` and kind survive."""

    def body(a: int, b: str = "x", *c, d, **e) -> bool:
        """Does it."""

    if make is generator:

        def body(a: int, b: str = "x", *c, d, **e) -> bool:
            """Does it."""
            yield
    elif make is coroutine:

        async def body(a: int, b: str = "x", *c, d, **e) -> bool:
            """Does it."""
    elif make is async_generator:

        async def body(a: int, b: str = "x", *c, d, **e) -> bool:
            """Does it."""
            yield

    wrapped = decorate(body)
    assert wrapped is not body
    assert wrapped.__wrapped__ is body
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(wrapped, name) == getattr(body, name)
    assert inspect.signature(wrapped) == inspect.signature(body)
    for question in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
    ):
        assert question(wrapped) is question(body)


@every_kind
def test_an_exception_passes_unchanged_and_is_recorded(capture, make):
    """The same object, one line of ours for each decorated call in its traceback, one exception event."""
    error = ValueError("bad")

    def body():
        raise error

    with pytest.raises(ValueError) as caught:
        drive(make(body))
    assert caught.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == wrappers.__file__]
    assert len(ours) == 1
    (span,) = capture.spans
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError: bad")
    assert span.attributes["error.type"] == "ValueError"
    (event,) = span.events
    assert event.attributes["exception.message"] == "bad"


@every_kind
def test_an_exception_is_recorded_where_it_happened_and_not_again(capture, make):
    """Every span it leaves through fails; the innermost alone has the exception event."""

    def body():
        raise ValueError("bad")

    inner = make(body, tool("inner"))
    outer = make(lambda: drive(inner) if make in (plain, generator) else run_in_thread(drive, inner), workflow("outer"))
    with pytest.raises(ValueError):
        drive(outer)
    assert [(span.name, span.status.status_code, len(span.events)) for span in capture.spans] == [
        ("execute_tool inner", StatusCode.ERROR, 1),
        ("invoke_workflow outer", StatusCode.ERROR, 0),
    ]


def run_in_thread(function, *args):
    outcome = []

    def work():
        try:
            outcome.append((function(*args), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def test_a_new_exception_of_the_same_text_is_recorded(capture):
    """Each exception object is judged on its own, also when the last one's memory is reused."""

    @tool
    def inner():
        raise ValueError("bad")

    @workflow
    def outer():
        with contextlib.suppress(ValueError):
            inner()
        raise ValueError("bad")

    with pytest.raises(ValueError):
        outer()
    assert [len(span.events) for span in capture.spans] == [1, 1]


FAILING = {
    **{make.__name__: make for make in KINDS},
    "returned coroutine": lambda body: action("f")(later(coroutine(body))),
    "returned generator": lambda body: action("f")(later(generator(body))),
    "returned async generator": lambda body: action("f")(later(async_generator(body))),
}


@pytest.mark.parametrize("how", FAILING)
@pytest.mark.parametrize("times", [1, 2])
def test_an_exception_leaves_no_reference_cycle(capture, how, times):
    """What it holds is let go as soon as it is handled."""

    def body(held):
        raise LookupError

    function = FAILING[how](body)
    for _ in range(times - 1):
        function = action("again")(function)

    def use():
        held = Box()
        with contextlib.suppress(LookupError):
            step_through(function(held))
        return weakref.ref(held)

    gc.collect()
    gc.disable()
    try:
        assert use()() is None
    finally:
        gc.enable()
    assert StatusCode.ERROR in {span.status.status_code for span in capture.spans}


def step_through(returned):
    """Every step of whatever a function has returned, without an event loop, which keeps exceptions for a while."""
    steps = returned.__anext__() if inspect.isasyncgen(returned) else returned
    while True:
        steps.send(None)


@every_kind
@pytest.mark.parametrize("stop", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit])
def test_being_stopped_is_no_error(capture, make, stop):
    """Status UNSET, no exception event, and an attribute that says so."""
    error = stop()

    def body():
        raise error

    function = make(body)
    with pytest.raises(stop):
        if make is coroutine:  # asyncio.run() has its own mind about these
            step(function())
        elif make is async_generator:
            step(function().__anext__())
        else:
            drive(function)
    (span,) = capture.spans
    assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())
    assert span.attributes["agentops.cancelled"] is True


def step(awaitable):
    """Run it to its end, past the one `sleep(0)` inside."""
    for _ in range(2):
        awaitable.send(None)


def test_a_cancelled_task_is_recorded_as_cancelled(capture):
    """The span of a task that is cancelled while it waits ends, without an error."""

    @tool
    async def wait():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (span,) = capture.spans
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["agentops.cancelled"] is True


def test_concurrent_tasks_keep_their_spans_apart(capture):
    """What a task records is under its own call."""
    leaf = tool("leaf")(lambda number: number)

    @action
    async def work(number):
        await asyncio.sleep(0)
        leaf(number)
        await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(work(number) for number in range(3)))

    asyncio.run(main())
    assert capture.tree() == "\n".join(["work [action]\n  execute_tool leaf [tool]"] * 3)


# --- attributes


def test_the_attributes_of_a_tool(capture):
    """Name, type, description, cost, arguments and result, in the names of the GenAI conventions."""

    @tool("search", cost=0.01)
    def find(query, limit=5):
        """Find things.

        At length.
        """
        return {"hits": [query]}

    find("cats")
    (span,) = capture.spans
    assert span.name == "execute_tool search"
    attributes = dict(span.attributes)
    attributes.pop("session.id")
    assert json.loads(attributes.pop("gen_ai.tool.call.arguments")) == {"query": "cats", "limit": 5}
    assert json.loads(attributes.pop("gen_ai.tool.call.result")) == {"hits": ["cats"]}
    assert attributes == {
        "agentops.span.kind": "tool",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Find things.",
        "gen_ai.usage.cost.amount": 0.01,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "provider",
    }


@pytest.mark.parametrize("cost", ["dear", [], float("nan"), float("inf"), -5])
def test_a_cost_that_is_none(cost):
    """A wrong cost is a mistake in the program, as what is no function is; it comes to no span."""
    with pytest.raises(ValueError, match=r"^@tool: cost=.* is not valid: expected US dollars as a number"):
        tool(cost=cost)


@pytest.mark.parametrize(
    ("decorate", "expected"),
    [
        pytest.param(
            agent(name="planner", description="Plans."),
            {
                "agentops.span.kind": "agent",
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "planner",
                "gen_ai.agent.description": "Plans.",
                "agentops.entity.input": '{"a": 1}',
                "agentops.entity.output": "done",
                "openinference.span.kind": "AGENT",
                "input.value": '{"a": 1}',
                "output.value": "done",
                "span": "invoke_agent planner",
            },
            id="agent",
        ),
        pytest.param(
            workflow(name="checkout"),
            {
                "agentops.span.kind": "workflow",
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.workflow.name": "checkout",
                "agentops.entity.input": '{"a": 1}',
                "agentops.entity.output": "done",
                "openinference.span.kind": "CHAIN",
                "input.value": '{"a": 1}',
                "output.value": "done",
                "span": "invoke_workflow checkout",
            },
            id="workflow",
        ),
        pytest.param(
            action(name="click"),
            {
                "agentops.span.kind": "action",
                "agentops.action.type": "click",
                "agentops.action.params": '{"a": 1}',
                "agentops.action.returns": "done",
                "openinference.span.kind": "CHAIN",
                "input.value": '{"a": 1}',
                "output.value": "done",
                "span": "click",
            },
            id="action",
        ),
    ],
)
def test_the_attributes_of_the_other_kinds(capture, decorate, expected):
    """Each kind has its own names; an agent also has an id."""

    @decorate
    def function(a):
        return "done"

    function(1)
    (span,) = capture.spans
    shown = {**span.attributes, "span": span.name}
    del shown["session.id"]
    assert bool(shown.pop("gen_ai.agent.id", None)) is (shown["agentops.span.kind"] == "agent")
    shown = {key: value.replace(":1", ": 1") for key, value in shown.items()}
    assert shown == expected


@pytest.mark.parametrize(
    ("decorate", "name"),
    [
        (tool, "execute_tool f"),
        (tool(), "execute_tool f"),
        (tool("named"), "execute_tool named"),
        (tool(name="named"), "execute_tool named"),
        (record_tool("named"), "execute_tool named"),
        (record_tool(tool_name="named"), "execute_tool named"),
        (action, "f"),
        (action("named"), "named"),
        (record_action("named"), "named"),
        (record_action(event_name="named"), "named"),
        (record_function("named"), "named"),
        (agent, "invoke_agent f"),
        (track_agent(name="named"), "invoke_agent named"),
        (track_agent(), "invoke_agent f"),
        (workflow("named"), "invoke_workflow named"),
    ],
)
def test_every_way_to_decorate(capture, decorate, name):
    """With and without arguments, and AgentOps' names."""

    @decorate
    def f():
        return 1

    assert f() == 1
    assert names(capture) == [name]


def test_arguments_are_bound_by_name(capture):
    """Positional, keyword, default and extra arguments."""

    @tool
    def f(a, /, b, *rest, c=3, **more):
        return None

    f(1, 2, 4, 5, d=6)
    f(1, b=2)
    written = [json.loads(span.attributes["gen_ai.tool.call.arguments"]) for span in capture.spans]
    assert written == [{"a": 1, "b": 2, "rest": [4, 5], "c": 3, "d": 6}, {"a": 1, "b": 2, "c": 3}]
    assert "gen_ai.tool.call.result" not in capture.spans[0].attributes


def test_arguments_are_recorded_as_they_were_before_the_call(capture):
    """What the function does to them does not show."""

    @tool
    def f(items):
        items.clear()

    f([1, 2])
    assert json.loads(capture.spans[0].attributes["gen_ai.tool.call.arguments"]) == {"items": [1, 2]}


@every_kind
def test_wrong_arguments_raise_the_function_s_own_error(capture, make):
    """The TypeError is Python's and the span says so."""
    with pytest.raises(TypeError, match="argument"):
        drive(tool("f")(_one_argument(make)), 1, 2, 3)
    assert capture.spans[0].attributes["error.type"] == "TypeError"


def _one_argument(make):
    def f(a):
        return a

    async def g(a):
        return a

    def h(a):
        yield a

    async def i(a):
        yield a

    return dict(zip(KINDS, (f, g, h, i), strict=True))[make]


@every_kind
def test_iterators_are_never_consumed(capture, make):
    """Neither an argument nor a result that can be read only once."""
    given = iter([1, 2])
    made = (number for number in [3, 4])
    result = drive(make(lambda items: made), given)
    assert list(given) == [1, 2]
    assert result is made
    assert list(result) == [3, 4]


@every_kind
@pytest.mark.parametrize("mode", ["metadata", "off"])
def test_no_content_is_recorded_when_it_is_not_captured(begin, make, mode):
    """Neither arguments nor results, in whatever kind of function."""
    capture = begin(capture_content=mode)
    drive(make(lambda text: "the-result"), "the-argument")
    written = capture.spans[0].to_json()
    assert "the-argument" not in written
    assert "the-result" not in written


def test_exception_texts_are_left_out_when_capture_is_off(begin):
    """An exception's text can quote a prompt."""
    capture = begin(capture_content="off")

    @tool
    def f():
        raise ValueError("the-secret")

    with pytest.raises(ValueError):
        f()
    (span,) = capture.spans
    assert "the-secret" not in span.to_json()
    assert span.events[0].attributes["exception.type"] == "ValueError"


def test_long_content_is_cut(begin):
    """Arguments and results over `max_content_length` are cut."""
    capture = begin(max_content_length=100)
    tool("f")(lambda text: text)("x" * 10_000)
    attributes = capture.spans[0].attributes
    assert max(len(value) for value in attributes.values()) < 400


@pytest.mark.parametrize("decorate", ALL, ids=lambda decorate: decorate.__name__)
def test_the_values_for_other_readers_are_short(capture, decorate):
    """4 KiB, in bytes, of what our own attributes have in full; a tool's are under names that those readers know."""
    decorate("f")(lambda text: text)("\N{SNOWMAN}" * 9000)
    attributes = capture.spans[0].attributes
    assert max(len(value) for value in attributes.values() if type(value) is str) >= 9000
    for name in ("input.value", "output.value"):
        assert (name in attributes) is (decorate is not tool)
        assert 4000 < len(attributes.get(name, "x" * 4001).encode()) <= 4096


# --- methods and classes


class Box:
    @tool
    def method(self, a):
        return self, a

    @classmethod
    @tool
    def inner_class_method(cls, a):
        return cls, a

    @tool
    @classmethod
    def outer_class_method(cls, a):
        return cls, a

    @staticmethod
    @tool
    def inner_static_method(a):
        return a

    @tool
    @staticmethod
    def outer_static_method(a):
        return a


@pytest.mark.parametrize("name", [name for name in vars(Box) if name.endswith("method")])
def test_methods_are_recorded_without_self_and_cls(capture, name):
    """On the instance and, where that works, on the class; above and below the built-in decorators."""
    box = Box()
    expected = (box, 1) if name == "method" else (Box, 1) if "class" in name else 1
    assert getattr(box, name)(1) == expected
    assert names(capture) == [f"execute_tool {name}"]
    assert json.loads(capture.spans[0].attributes["gen_ai.tool.call.arguments"]) == {"a": 1}


def test_a_function_outside_of_a_class_keeps_its_self(capture):
    """`self` is a name like any other there."""

    @tool
    def f(self):
        return None

    f(1)
    assert json.loads(capture.spans[0].attributes["gen_ai.tool.call.arguments"]) == {"self": 1}


@agent
class Planner:
    """Plans things."""

    limit = 3

    def __init__(self):
        self.log = []

    def plan(self, goal):
        return self.refine(self._guess(goal))

    def refine(self, text):
        events.record(events.ActionEvent("refine"))
        return text.upper()

    def _guess(self, goal):
        return goal

    async def think(self, other=None):
        await asyncio.sleep(0)
        return await other.think() if other else "thought"

    def stream(self):
        yield self.refine("a")

    def __call__(self):
        return 7

    @tool
    def search(self):
        return "found"

    @staticmethod
    def helper():
        return 1

    @property
    def size(self):
        return 2


def test_an_agent_class_records_the_outermost_call_on_an_instance(capture):
    """Public methods from outside are spans, an instance's calls to itself are not; the id is the instance's."""
    planner = Planner()
    assert planner.plan("x") == "X"
    assert (planner.helper(), planner.size, planner.limit) == (1, 2, 3)
    assert capture.tree() == "invoke_agent Planner [agent]\n  refine [action]"
    recorded, call = capture.spans
    assert (
        call.attributes["gen_ai.agent.id"]
        == planner.agentops_agent_id
        == recorded.attributes["agentops.event.agent_id"]
    )
    assert call.attributes["gen_ai.agent.description"] == "Plans things."
    assert json.loads(call.attributes["agentops.entity.input"]) == {"goal": "x"}


def test_an_agent_class_is_the_same_class(capture):
    """Identity, instances, copies and pickles are as before; nothing is added to the instance."""
    planner = Planner()
    planner()
    assert inspect.isclass(Planner)
    assert vars(planner) == {"log": []}
    assert isinstance(pickle.loads(pickle.dumps(planner)), Planner)
    assert copy.copy(planner).agentops_agent_id != planner.agentops_agent_id
    assert names(capture) == ["invoke_agent Planner"]


def test_every_kind_of_method_of_an_agent_class_is_recorded(capture):
    """Coroutines and generators, and one agent that calls another."""
    first, second = Planner(), Planner()
    assert asyncio.run(first.think(second)) == "thought"
    assert list(first.stream()) == ["A"]
    assert capture.tree() == (
        "invoke_agent Planner [agent]\n  invoke_agent Planner [agent]\ninvoke_agent Planner [agent]\n  refine [action]"
    )
    inner, outer = capture.spans[:2]
    assert inner.attributes["gen_ai.agent.id"] == second.agentops_agent_id
    assert outer.attributes["gen_ai.agent.id"] == first.agentops_agent_id


def test_an_own_decorator_of_a_method_wins(capture):
    """A tool of an agent is a tool, and has the agent's id also when it is called from outside."""
    planner = Planner()
    planner.search()
    assert names(capture) == ["execute_tool search"]
    assert capture.spans[0].attributes["agentops.event.agent_id"] == planner.agentops_agent_id


@agent
class Desk:
    """Every method has a decorator of its own."""

    @tool
    def search(self, q):
        return q

    @workflow
    async def work(self):
        return self.search("a")

    @tool
    @functools.lru_cache  # noqa: B019
    def cached(self):
        return 1

    @agent(name="own")
    def act(self):
        return self.search("b")


def test_an_agent_whose_methods_are_all_decorated_is_entered_through_them(capture):
    """A call from outside has the agent's span around its own; one from inside, and one that is an agent's, has not."""
    desk = Desk()
    assert (desk.search("x"), desk.cached(), asyncio.run(desk.work()), desk.act()) == ("x", 1, "a", "b")
    agent_span, tool_span, workflow_span = (
        "invoke_agent Desk [agent]",
        "execute_tool search [tool]",
        "invoke_workflow work [workflow]",
    )
    assert capture.tree().splitlines() == [
        agent_span, f"  {tool_span}",
        agent_span, "  execute_tool cached [tool]",
        agent_span, f"  {workflow_span}", f"    {tool_span}",
        "invoke_agent own [agent]", f"  {agent_span}", f"    {tool_span}",
    ]  # fmt: skip
    assert {s.attributes.get("agentops.event.agent_id", desk.agentops_agent_id) for s in capture.spans} == {
        desk.agentops_agent_id
    }


@pytest.mark.parametrize("used", [False, True], ids=["before use", "after use"])
@pytest.mark.parametrize("send", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_an_agent_class_and_its_instances_are_sent(capture, used, send):
    """By name and by value, and the copy is an agent with an id of its own."""

    @agent(name="boss")
    class Local:
        def __init__(self):
            self.log = []

        def run(self, x: Planner):
            return x

        @tool
        async def search(self):
            return 1

    cls = Local if send is cloudpickle else Planner
    instance = cls()
    if used:
        assert instance.agentops_agent_id
        instance.run(1) if cls is Local else instance.plan("x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, __name__, this_module())
        received_class, received = pickle.loads(send.dumps((cls, instance)))
    assert isinstance(received, received_class)
    assert received.agentops_agent_id not in (None, instance.agentops_agent_id)
    capture.spans.clear()
    assert (received.run(2) if cls is Local else received.plan("y")) in (2, "Y")
    assert capture.spans[-1].name == ("invoke_agent boss" if cls is Local else "invoke_agent Planner")
    assert capture.spans[-1].attributes["gen_ai.agent.id"] == received.agentops_agent_id


@every_kind
@pytest.mark.parametrize("text", [False, True], ids=["types", "text"])
def test_a_decorated_function_is_sent_by_value(capture, make, text):
    """As Ray, Dask and joblib send what a script defines; it is recorded where it arrives."""
    function = make(lambda x: x)
    if text:
        inner = function.__wrapped__
        inner.__annotations__ = {"args": "int"}
        function = action("f")(inner)
    received = pickle.loads(cloudpickle.dumps(function))
    assert drive(received, 3) == 3
    assert names(capture) == ["f"]


def test_an_agent_is_named_by_its_argument_its_instance_or_its_class(capture):
    """The instance's own name wins; a subclass has its own."""

    @track_agent(name="boss")
    class Boss:
        def run(self):
            return 1

    class Researcher(Planner):
        pass

    renamed = Boss()
    renamed.agentops_agent_name = "second boss"
    renamed.agentops_agent_id = "id-2"
    Boss().run()
    renamed.run()
    Researcher()()
    assert names(capture) == ["invoke_agent boss", "invoke_agent second boss", "invoke_agent Researcher"]
    assert capture.spans[1].attributes["gen_ai.agent.id"] == "id-2"


def test_an_instance_that_takes_no_weak_reference_is_an_agent_without_an_id(capture):
    """Slots are no reason to fail."""

    @agent
    class Slim:
        __slots__ = ()

        def run(self):
            return 1

    assert Slim().run() == 1
    assert names(capture) == ["invoke_agent Slim"]
    assert "gen_ai.agent.id" not in capture.spans[0].attributes


@pytest.mark.parametrize("named", [(), ("runner",)], ids=["plain", "named"])
@pytest.mark.parametrize("derived", [False, True])
def test_an_agent_protocol_asks_for_no_more_than_it_did(capture, named, derived):
    """The decorator adds no member, to it or to a protocol that is made of it."""

    @agent(*named)
    @typing.runtime_checkable
    class Runner(typing.Protocol):
        def run(self):
            return 1

    protocol = Runner
    if derived:

        @typing.runtime_checkable
        class Both(Runner, typing.Protocol):
            def stop(self): ...

        protocol = Both

    class Mine:
        def run(self):
            return 2

        def stop(self): ...

    class Heir(protocol):
        pass

    assert isinstance(Mine(), protocol)
    assert issubclass(Mine, protocol)
    assert not isinstance(object(), protocol)
    assert Heir().run() == 1
    assert names(capture) == ["invoke_agent Heir"]


def asked(self, name):
    pytest.fail(name)


class MadeUp(type):
    __getattr__ = asked


ODD = {
    "__getattr__": {"__getattr__": asked},
    "__getattribute__": {"__getattribute__": asked},
    "properties": {
        "agentops_agent_name": property(lambda self: {}["name"]),
        "agentops_agent_id": property(lambda self: {}["id"]),
    },
}


@pytest.mark.parametrize("how", ODD)
@pytest.mark.parametrize("base", [object, dict])
@pytest.mark.parametrize("decorate", [None, agent, tool])
def test_an_instance_that_makes_up_attributes_is_not_asked_for_ours(capture, decorate, base, how):
    """What its `__getattr__` raises would cost the span, and what else it does is the program's."""

    class Bag(base, metaclass=MadeUp):
        locals().update(ODD[how])

        def go(self):
            return 1

        @tool
        def stop(self):
            return 2

    if decorate is not None:
        Bag = decorate(Bag)
    bag = Bag()
    assert (Bag.go(bag), Bag.stop(bag)) == (1, 2)
    own = {None: [], agent: ["invoke_agent Bag"], tool: ["execute_tool Bag.go"]}
    assert names(capture) == [*own[decorate], "execute_tool stop"]


def test_an_agent_is_named_by_a_property_or_a_slot(capture):
    """As by any attribute of its own."""

    @agent
    class Named:
        @property
        def agentops_agent_name(self):
            return "by a property"

        def go(self):
            """Nothing."""

    @agent
    class Slotted:
        __slots__ = ("agentops_agent_name",)

        def go(self):
            """Nothing."""

    slotted = Slotted()
    slotted.go()
    slotted.agentops_agent_name = "by a slot"
    slotted.go()
    Named().go()
    assert names(capture) == ["invoke_agent Slotted", "invoke_agent by a slot", "invoke_agent by a property"]


def test_an_agent_s_instances_are_let_go(capture):
    """Neither the id nor the span keeps an instance alive."""
    planner = Planner()
    planner.plan("x")
    gone = weakref.ref(planner)
    del planner
    gc.collect()
    assert gone() is None


def test_a_class_of_tools_names_its_methods(capture):
    """A class of several tools would be several tools of one name."""

    @tool
    class Calculator:
        def add(self, a, b):
            return a + b

        def __call__(self, a):
            return a

    assert Calculator().add(1, 2) == 3
    assert Calculator()(4) == 4
    assert names(capture) == ["execute_tool Calculator.add", "execute_tool Calculator"]


def test_partials_callable_objects_and_builtins_can_be_decorated(capture):
    """Everything that can be called."""

    class Caller:
        async def __call__(self, a):
            return a

    assert tool("partial")(functools.partial(max, 1))(2) == 2
    assert asyncio.run(tool(Caller())(3)) == 3
    assert tool(len)([1]) == 1
    assert names(capture) == ["execute_tool partial", "execute_tool Caller", "execute_tool len"]


@pytest.mark.parametrize("target", [42, property(lambda self: 1), object()], ids=lambda target: type(target).__name__)
def test_what_cannot_be_called_cannot_be_decorated(target):
    """The error names what was decorated."""
    with pytest.raises(TypeError, match=f"@tool: .*{type(target).__name__}"):
        tool(target)


class Task:
    """A callable with methods and state, as task queues make them."""

    name = "mail"

    def __init__(self):
        self.queued = []

    def __call__(self, to):
        return f"sent to {to}"

    def delay(self, to):
        self.queued.append(to)
        return len(self.queued)


@tool
@functools.lru_cache
def price(item):
    return [item]


class Shop:
    @tool
    @functools.lru_cache  # noqa: B019
    def price(self, item):
        return [item]


task = tool(Task())
size = tool(len)


@functools.singledispatch
def described(value):
    return "anything"


described = tool(described)
CALLABLES = [task, price, size, tool(functools.partial(max, 3)), tool([].append), tool(Task().delay)]


@pytest.mark.parametrize("proxy", CALLABLES, ids=lambda proxy: type(proxy.__wrapped__).__name__)
def test_every_attribute_of_a_decorated_callable_is_reachable(proxy):
    """Read, set and deleted, on the one object that there is; `inspect` sees what it saw."""
    wrapped = proxy.__wrapped__
    for name in dir(wrapped):
        getattr(proxy, name)
    assert isinstance(proxy, type(wrapped))
    for question in (inspect.isroutine, inspect.ismethod, inspect.isbuiltin, inspect.isclass, inspect.isfunction):
        assert question(proxy) is question(wrapped)
    for reader in (inspect.signature, inspect.getfullargspec):
        try:
            expected = reader(wrapped)
        except (TypeError, ValueError):
            continue
        if wrapped is task.__wrapped__ and reader is inspect.getfullargspec:
            expected = expected._replace(args=["to"])  # it counts the `self` that is bound already
        assert reader(proxy) == expected


def test_what_a_decorated_callable_has_works(capture):
    """A cache is asked and cleared, a task is queued, state is set."""
    assert price(1) is price(1)
    assert price.cache_info().hits == 1
    price.cache_clear()
    assert task("me") == "sent to me"
    task.__wrapped__.queued.clear()
    assert task.delay("you") == 1
    assert task.__wrapped__.queued == ["you"]
    task.rate = 5
    assert task.__wrapped__.rate == 5
    described.register(int, lambda value: "a number")
    assert (described("x"), described(1)) == ("anything", "a number")
    assert names(capture) == [*["execute_tool price"] * 2, "execute_tool Task", *["execute_tool described"] * 2]


class Instances:
    """Instances that can be called, of every kind."""

    class Plain:
        def __call__(self, a: int, *, b=2):
            return a

    class Coroutine:
        async def __call__(self, a: int, *, b=2):
            return a

    class Generator:
        def __call__(self, a: int, *, b=2):
            yield a

    class AsyncGenerator:
        async def __call__(self, a: int, *, b=2):
            yield a


every_instance = pytest.mark.parametrize("kind", ["Plain", "Coroutine", "Generator", "AsyncGenerator"])


@every_instance
@pytest.mark.parametrize("times", [1, 2])
def test_who_asks_for_a_decorated_instance_s_call_sees_what_there_was(capture, kind, times):
    """Frameworks ask it, and not the instance, whether to await or to read what is returned."""
    plain = getattr(Instances, kind)()
    decorated = plain
    for _ in range(times):
        decorated = tool(decorated)
    for question in (
        inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction, inspect.ismethod,
        inspect.signature,
    ):  # fmt: skip
        assert question(decorated.__call__) == question(plain.__call__), question
    assert decorated.__call__ == decorated.__call__
    assert drive(decorated.__call__, 3) == 3
    assert names(capture) == [f"execute_tool {kind}"] * times
    assert json.loads(capture.spans[0].attributes["gen_ai.tool.call.arguments"]) == {"a": 3, "b": 2}


@pytest.mark.parametrize("send", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_a_decorated_instance_s_call_is_sent(capture, send, monkeypatch):
    """As any bound method is."""
    monkeypatch.setitem(sys.modules, __name__, this_module())
    assert pickle.loads(send.dumps(task.__call__))("me") == "sent to me"
    assert names(capture) == ["execute_tool Task"]


class Rich:
    """Something that can be called and awaited, and whatever else Python asks a class for."""

    def __init__(self):
        self.left = [2, 1]

    def __repr__(self):
        return "Rich()"

    def __call__(self, value):
        return value

    def __await__(self):
        return asyncio.sleep(0, "awaited").__await__()

    async def __aenter__(self):
        return "entered"

    async def __aexit__(self, *error):
        return True

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop()

    def __iter__(self):
        return iter(self.left)

    def __next__(self):
        return self.left.pop()

    def __length_hint__(self):
        return 2

    def __fspath__(self):
        return "path"

    def __matmul__(self, other):
        return "matmul"

    def __rmatmul__(self, other):
        return "rmatmul"

    def __trunc__(self):
        return 7

    def __instancecheck__(self, instance):
        return instance == 1

    def __subclasscheck__(self, subclass):
        return subclass is int

    def __buffer__(self, flags):
        return memoryview(b"buffer")


async def awaited(rich):
    return await rich


async def entered(rich):
    async with rich as value:
        raise LookupError(value)


async def read_async(rich):
    return [item async for item in rich]


OPERATIONS = {
    "repr": repr,
    "call": lambda rich: rich(3),
    "await": lambda rich: asyncio.run(awaited(rich)),
    "async with": lambda rich: asyncio.run(entered(rich)),
    "async for": lambda rich: asyncio.run(read_async(rich)),
    "anext": lambda rich: asyncio.run(awaited(anext(rich))),
    "for": list,
    "next": next,
    "length hint": operator.length_hint,
    "path": os.fspath,
    "matmul": lambda rich: (rich @ 1, 1 @ rich),
    "trunc": math.trunc,
    "isinstance": lambda rich: (isinstance(1, rich), isinstance(2, rich)),
    "issubclass": lambda rich: (issubclass(int, rich), issubclass(str, rich)),
    "callable": callable,
}
if sys.version_info >= (3, 12):
    OPERATIONS["buffer"] = lambda rich: bytes(memoryview(rich))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("how", ["decorated", "returned"])
def test_what_python_asks_a_class_for_is_there(capture, operation, how):
    """What an object can do, its proxy can."""
    made = tool(Rich()) if how == "decorated" else tool("f")(later(Rich))()
    assert made.__wrapped__ is not made
    assert OPERATIONS[operation](made) == OPERATIONS[operation](Rich())


@pytest.mark.parametrize("operation", ["await", "async for", "anext", "for", "next", "path"])
def test_what_an_object_cannot_do_its_proxy_cannot(capture, operation):
    """No proxy has a method of another one's object, nor one that its own object's class takes back."""

    class Poor(Rich):
        __await__ = __aiter__ = __anext__ = __iter__ = __next__ = __fspath__ = None

    assert callable(tool(Rich()))
    for poor in (Poor(), tool(Poor())):
        with pytest.raises(TypeError):
            OPERATIONS[operation](poor)


def test_a_cached_method_is_bound(capture):
    """On the instance and on the class, and `self` is not recorded."""
    shop = Shop()
    Shop.price.cache_clear()
    assert shop.price(1) == Shop.price(shop, 1) == [1]
    assert Shop.price.cache_info().hits == shop.price.cache_info().hits == 1
    assert [json.loads(span.attributes["gen_ai.tool.call.arguments"]) for span in capture.spans] == [{"item": 1}] * 2


def this_module():
    """What an import of this file would give; pytest leaves it out of `sys.modules`."""
    module = ModuleType(__name__)
    vars(module).update(globals())
    return module


@pytest.mark.parametrize("proxy", [task, price, size, tool(Task().delay), Shop().price, described])
@pytest.mark.parametrize("send", [pickle, cloudpickle], ids=lambda module: module.__name__)
def test_a_decorated_callable_is_sent_and_recorded_where_it_arrives(capture, proxy, send, monkeypatch):
    """What has a name goes by its name, anything else with what it is made of."""
    monkeypatch.setitem(sys.modules, __name__, this_module())
    received = pickle.loads(send.dumps(proxy))
    argument = [1] if proxy is size else 1
    assert received(argument) == proxy(argument)
    assert len(capture.spans) == 2


def test_copies_of_a_decorated_callable():
    """A copy is decorated too; what is never copied is not."""
    for copied in (copy.copy(task), copy.deepcopy(task)):
        assert type(copied) is type(task)
        assert copied.__wrapped__ is not task.__wrapped__
    assert copy.copy(price) is copy.deepcopy(price) is price


def test_celery_s_tasks_stay_tasks(capture):
    """Decorated above and below `@app.task`."""
    celery = pytest.importorskip("celery")
    app = celery.Celery(broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.task_always_eager = True

    @tool
    @app.task
    def above(x: int, y: int = 2):
        return x + y

    @app.task
    @tool
    def below(x: int, y: int = 2):
        return x + y

    assert isinstance(above, celery.Task)
    assert above.delay(1).get() == below.delay(1).get() == above(1) == 3
    with pytest.raises(TypeError):
        below.delay()
    assert above.s(1).apply().get() == 3
    assert names(capture) == ["execute_tool below", "execute_tool above"]


@tool
def module_level(a):
    return a


def test_a_decorated_module_level_function_pickles(capture):
    """By reference, as every function."""
    assert _imported(module_level)(3) == 3
    assert names(capture) == ["execute_tool module_level"]


def _imported(function):
    sys.modules.setdefault(function.__module__, SimpleNamespace(module_level=function))
    return pickle.loads(pickle.dumps(function))


# --- a plain function that returns what has its result later


def later(body):
    """The same function behind another decorator, which hides its kind."""

    @functools.wraps(body)
    def inner(*args, **kwargs):
        return body(*args, **kwargs)

    return inner


class Lazy:
    """Something of another library's that can be awaited, and has more to it."""

    def __init__(self, body):
        self.body = body

    def __await__(self):
        return self.body().__await__()


class Bare:
    """An iterator with nothing but a next step."""

    def __init__(self, result):
        self.result = result

    def __await__(self):
        return iter(self)

    def __iter__(self):
        yield
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def work(fails):
    events.record(events.ActionEvent("child"))
    if fails:
        raise LookupError("nothing")
    return {"found": 1}


async def coroutine_body(fails):
    await asyncio.sleep(0)
    return work(fails)


def generator_body(fails):
    yield 1
    return work(fails)


async def async_generator_body(fails):
    yield 1
    await asyncio.sleep(0)
    work(fails)


async def read(returned):
    """Whatever was returned, to its end."""
    if inspect.isasyncgen(returned):
        return [item async for item in returned]
    if inspect.isgenerator(returned):
        return list(returned)
    return await returned


LATER = {
    "coroutine": later(coroutine_body),
    "task": lambda fails: asyncio.ensure_future(coroutine_body(fails)),
    "awaitable": lambda fails: Lazy(lambda: coroutine_body(fails)),
    "bare": lambda fails: (work(False), Bare(LookupError("nothing") if fails else {"found": 1}))[1],
    "generator": later(generator_body),
    "async generator": later(async_generator_body),
    "partial": functools.partial(later(coroutine_body)),
}
every_later = pytest.mark.parametrize("how", LATER)


@every_later
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_the_span_goes_on_with_what_a_plain_function_returns(capture, how, fails):
    """Its end is the span's end, its result the span's, its error too, and what it does is below."""
    function = tool("f")(LATER[how])

    async def main():
        before = get_current()
        returned = function(fails)
        assert get_current() is before
        assert "execute_tool f" not in names(capture)
        try:
            result = await read(returned)
        except LookupError as error:
            result = error
        await asyncio.sleep(0)
        assert get_current() is before
        return result

    result = asyncio.run(main())
    span = next(span for span in capture.spans if span.name == "execute_tool f")
    assert next(s for s in capture.spans if s.name == "child").parent.span_id == span.context.span_id
    if fails:
        assert type(result) is LookupError
        assert span.status.status_code is StatusCode.ERROR
        assert [event.name for event in span.events] == ["exception"]
    else:
        assert result == ([1] if "generator" in how else {"found": 1})
        assert span.status.status_code is StatusCode.UNSET
    if not fails and how != "async generator":
        assert json.loads(span.attributes["gen_ai.tool.call.result"]) == {"found": 1}


@every_later
def test_what_is_returned_looks_as_it_did(capture, how):
    """Kind, attributes and identity where somebody may ask for it."""

    async def main():
        plain, followed = LATER[how](False), tool("f")(LATER[how])(False)
        assert isinstance(followed, type(plain))
        for question in (
            inspect.iscoroutine, inspect.isgenerator, inspect.isasyncgen, inspect.isawaitable, asyncio.iscoroutine,
            asyncio.isfuture,
        ):  # fmt: skip
            assert question(followed) is question(plain), question
        for name in dir(plain):
            assert hasattr(followed, name)
        for each in (plain, followed):
            await read(each)

    asyncio.run(main())


WAITS = {
    "await": lambda made: made,
    "task": asyncio.ensure_future,
    "gather": asyncio.gather,
    "shield": asyncio.shield,
    "wait_for": lambda made: asyncio.wait_for(made, 5),
    "thread": lambda made: asyncio.to_thread(asyncio.run, made),
}


@pytest.mark.parametrize("wait", WAITS)
def test_a_returned_coroutine_is_awaited_in_every_way(capture, wait):
    """Whatever asyncio makes of it, once."""
    function = tool("f")(LATER["coroutine"])

    async def main():
        result = await WAITS[wait](function(False))
        return result[0] if type(result) is list else result

    assert asyncio.run(main()) == {"found": 1}
    assert names(capture) == ["child", "execute_tool f"]
    assert asyncio.run(function(False)) == {"found": 1}
    with pytest.raises(RuntimeError, match="cannot reuse"):
        used = function(False)
        asyncio.run(used)
        asyncio.run(used)


@pytest.mark.parametrize("how", ["yield from", "context manager", "list"])
def test_a_returned_generator_is_read_in_every_way(capture, how):
    """By another generator, as a context manager, by a builtin."""
    function = tool("f")(later(generator_body))
    if how == "list":
        assert list(function(False)) == [1]
    elif how == "yield from":

        def outer():
            return (yield from function(False))

        steps = outer()
        assert next(steps) == 1
        with pytest.raises(StopIteration) as stopped:
            next(steps)
        assert stopped.value.value == {"found": 1}
    else:
        with contextlib.contextmanager(function)(False) as item:
            assert item == 1
    assert names(capture) == ["child", "execute_tool f"]


async def settle():
    gc.collect()
    for _ in range(3):
        await asyncio.sleep(0)


@every_later
def test_what_is_returned_and_never_used_ends_its_span(capture, how):
    """When it is dropped; nothing is reported that would not have been without us."""

    async def main():
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            returned = tool("f")(LATER[how])(False)
            del returned
            await settle()
        return [str(warning.message) for warning in seen]

    told = asyncio.run(main())
    assert "execute_tool f" in names(capture)
    assert told == (
        [f"coroutine '{coroutine_body.__name__}' was never awaited"] if how in ("coroutine", "partial") else []
    )


@every_later
def test_what_something_else_holds_passes_as_it_is(capture, how):
    """A value of a cache, an argument: it is not of this call, whose span ends."""

    async def main():
        held = LATER[how](False)
        for function in (lambda value: held, lambda value: value, functools.lru_cache(lambda value: held)):
            assert tool("f")(function)(held) is held
            assert how == "task" or capture.spans[-1].name == "execute_tool f"
        await read(held)

    asyncio.run(main())


def test_a_returned_generator_that_is_dropped_is_not_closed(capture):
    """Something may have got hold of it meanwhile."""
    made = []

    def rows():
        try:
            yield from range(4)
        finally:
            made.append("closed")

    followed = tool("rows")(later(rows))()
    assert next(followed) == 0
    inner = followed.__wrapped__
    del followed
    gc.collect()
    assert names(capture) == ["execute_tool rows"]
    assert made == []
    assert list(inner) == [1, 2, 3]


@pytest.mark.parametrize("close", ["close", "throw"])
def test_a_returned_generator_is_closed_early(capture, close):
    """Its own code decides what that means; it is no error of the span."""
    log = []
    steps = tool("f")(later(conversation))(log)
    next(steps)
    if close == "close":
        steps.close()
    else:
        with pytest.raises(GeneratorExit):
            steps.throw(GeneratorExit())
    assert log == ["closed"]
    assert capture.spans[0].status.status_code is StatusCode.UNSET
    assert capture.spans[0].attributes["agentops.cancelled"] is True


def test_send_and_throw_go_through_what_is_returned(capture):
    """Both kinds of generator."""
    log, error = [], KeyError()
    steps = tool("f")(later(conversation))(log)
    assert [next(steps), steps.send("hello"), steps.throw(error)] == ["first", "second", "third"]
    assert log == [("sent", "hello"), ("thrown", error)]
    steps.close()
    log.clear()

    async def main():
        steps = tool("g")(later(async_conversation))(log)
        assert [await anext(steps), await steps.asend("hello"), await steps.athrow(error)] == [
            "first",
            "second",
            "third",
        ]
        await steps.aclose()

    asyncio.run(main())
    assert log == [("sent", "hello"), ("thrown", error), "closed"]
    assert capture.spans[-1].attributes["agentops.cancelled"] is True


@pytest.mark.parametrize("shape", ["plain", "annotated", "twice", "returned"])
def test_a_loop_closes_a_generator_that_is_left(capture, shape):
    """It hears of one generator, which closes the user's: two at once would be in each other's way."""
    closed, held, problems = [], [], []

    async def rows():
        try:
            for number in range(3):
                yield number
        finally:
            await asyncio.sleep(0)
            closed.append(shape)

    async def annotated(count: int = 3):
        try:
            for number in range(count):
                yield number
        finally:
            await asyncio.sleep(0)
            closed.append(shape)

    function = {
        "plain": tool("f")(rows),
        "annotated": tool("f")(annotated),
        "twice": tool("f")(tool("g")(annotated)),
        "returned": tool("f")(lambda: rows()),  # noqa: PLW0108
    }[shape]

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        held.append(function())
        async for _ in held[0]:
            break

    asyncio.run(main())
    assert (closed, problems) == ([shape], [])
    held.clear()  # what is returned says nothing to its loop, but when it is let go
    gc.collect()
    assert {span.status.status_code for span in capture.spans} == {StatusCode.UNSET}
    assert len(capture.spans) == (2 if shape == "twice" else 1)


def test_a_generator_in_a_reference_cycle_is_closed_to_its_end(capture, recwarn):
    """The collector finds both generators at once; the user's is closed by its loop, which lets it wait."""
    closed, problems = [], []

    class Reader:
        @tool
        async def rows(self):
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                closed.append(True)

        async def start(self):
            self.steps = self.rows()
            return await anext(self.steps)

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        assert await Reader().start() == 1
        gc.collect()
        await asyncio.sleep(0.05)

    asyncio.run(main())
    assert (closed, problems, [*recwarn]) == ([True], [], [])


@pytest.mark.parametrize("how", ["coroutine", "task", "awaitable"])
def test_a_cancelled_wait_is_recorded_as_cancelled(capture, how):
    """For coroutines, tasks and other awaitables."""

    async def forever(fails):
        await asyncio.sleep(60)

    bodies = {
        "coroutine": later(forever),
        "task": lambda fails: asyncio.ensure_future(forever(fails)),
        "awaitable": lambda fails: Lazy(lambda: forever(fails)),
    }

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(tool("f")(bodies[how])(False), 0.01)
        await settle()

    asyncio.run(main())
    assert capture.spans[0].attributes["agentops.cancelled"] is True


def test_an_error_of_a_task_that_nobody_asks_for_is_still_told(capture):
    """asyncio says at the end that an exception was never retrieved."""
    told = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: told.append(what["message"]))
        waiting = tool("f")(LATER["task"])(True)
        await settle()
        del waiting
        await settle()

    asyncio.run(main())
    assert told == ["Task exception was never retrieved"]
    assert capture.spans[-1].status.status_code is StatusCode.ERROR


def test_an_error_below_is_recorded_once(capture):
    """Where a decorated coroutine is behind a decorated plain function, as a task too."""
    inner = tool("inner")(coroutine_body)

    async def main():
        for outer in (tool("outer")(later(inner)), tool("outer")(lambda fails: asyncio.ensure_future(inner(fails)))):
            with pytest.raises(LookupError):
                await outer(True)
            await settle()

    asyncio.run(main())
    assert sum(len(span.events) for span in capture.spans if "tool" in span.name) == 2


def test_a_lazy_object_is_handed_through_and_not_made(capture):
    """As an argument and as a result."""
    lazy = LocalProxy(lambda: pytest.fail("made"))
    assert tool("f")(lambda value: LocalProxy(lambda: pytest.fail("made")))(lazy) is not None
    assert tool("g")(lambda value: value)(lazy) is lazy
    assert json.loads(capture.spans[0].attributes["gen_ai.tool.call.arguments"]) == {"value": "<LocalProxy>"}
    assert [json.loads(span.attributes["gen_ai.tool.call.result"]) for span in capture.spans] == ["<LocalProxy>"] * 2


def test_handles_of_other_runtimes_are_left_alone(capture):
    """What tells of its end in its own way is looked into by its maker: it stays what it is."""

    class Handle(Lazy):
        def add_done_callback(self, callback):
            raise AssertionError

    handle = Handle(lambda: coroutine_body(False))
    assert tool("f")(lambda: handle)() is handle
    assert names(capture) == ["execute_tool f"]


# --- generators


def test_a_generator_never_leaks_its_context(capture):
    """Between two steps the reader's own span is current; the generator finds its own again."""
    inside = []

    @action
    def numbers():
        for number in range(3):
            inside.append(current_id())
            yield number

    before = get_current()
    outside = [get_current() is before for _ in numbers()]
    assert outside == [True] * 3
    assert inside == [capture.spans[0].context.span_id] * 3


def test_an_async_generator_never_leaks_its_context(capture):
    """As a generator; also while other work runs between two steps."""
    inside = []

    @action
    async def numbers():
        for number in range(3):
            await asyncio.sleep(0)
            inside.append(current_id())
            yield number

    async def main():
        before = get_current()
        return [get_current() is before async for _ in numbers()]

    assert asyncio.run(main()) == [True] * 3
    assert inside == [capture.spans[0].context.span_id] * 3


def test_a_span_that_a_generator_leaves_open_stays_inside(capture):
    """A `with` block around a `yield` holds for the generator's next step and not for its reader."""
    tracer = context.current().tracer
    leaf = tool("leaf")(lambda: 1)

    @action
    def numbers():
        with tracer.start_as_current_span("block"):
            yield 1
            leaf()
        leaf()

    steps = numbers()
    before = get_current()
    next(steps)
    assert get_current() is before
    list(steps)
    assert get_current() is before
    assert capture.tree() == (
        "numbers [action]\n  block [internal]\n    execute_tool leaf [tool]\n  execute_tool leaf [tool]"
    )


def test_interleaved_generators_keep_their_spans_apart(capture):
    """Two generators of one function, read in turns."""
    leaf = tool("leaf")(lambda number: number)

    @action
    def numbers(start):
        for number in range(start, start + 2):
            leaf(number)
            yield number

    assert list(zip(numbers(0), numbers(10), strict=True)) == [(0, 10), (1, 11)]
    pair = "numbers [action]\n  execute_tool leaf [tool]\n  execute_tool leaf [tool]"
    assert capture.tree() == f"{pair}\n{pair}"


def conversation(log):
    try:
        got = yield "first"
        log.append(("sent", got))
        try:
            yield "second"
        except KeyError as error:
            log.append(("thrown", error))
            yield "third"
        return "result"
    finally:
        log.append("closed")


async def async_conversation(log):
    try:
        got = yield "first"
        log.append(("sent", got))
        try:
            yield "second"
        except KeyError as error:
            log.append(("thrown", error))
            yield "third"
    finally:
        await asyncio.sleep(0)
        log.append("closed")


@pytest.mark.parametrize("decorate", [lambda function: function, action], ids=["bare", "decorated"])
def test_send_throw_and_the_result_go_through_a_generator(capture, decorate):
    """A decorated generator answers as the bare one does."""
    log, error = [], KeyError("k")
    steps = decorate(conversation)(log)
    assert next(steps) == "first"
    assert steps.send("hello") == "second"
    assert steps.throw(error) == "third"
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "result"
    assert log == [("sent", "hello"), ("thrown", error), "closed"]


@pytest.mark.parametrize("decorate", [lambda function: function, action], ids=["bare", "decorated"])
def test_asend_and_athrow_go_through_an_async_generator(capture, decorate):
    """A decorated async generator answers as the bare one does."""
    log, error = [], KeyError("k")

    async def main():
        steps = decorate(async_conversation)(log)
        assert await steps.__anext__() == "first"
        assert await steps.asend("hello") == "second"
        assert await steps.athrow(error) == "third"
        with pytest.raises(StopAsyncIteration):
            await steps.__anext__()

    asyncio.run(main())
    assert log == [("sent", "hello"), ("thrown", error), "closed"]


def test_an_unhandled_throw_comes_back_as_it_was_thrown(capture):
    """The same object, recorded once, with one line of ours in its traceback."""
    error = ValueError("thrown")
    steps = action("f")(conversation)([])
    next(steps)
    with pytest.raises(ValueError) as caught:
        steps.throw(error)
    assert caught.value is error
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == wrappers.__file__]
    assert len(ours) == 1
    assert len(capture.spans[0].events) == 1


@pytest.mark.parametrize("text", [False, True], ids=["plain", "text"])
@pytest.mark.parametrize("how", ["generator", "async generator", "returned generator", "returned async generator"])
def test_a_generator_keeps_no_item(capture, how, text):
    """Neither while its reader works nor while it makes the next one."""
    alive = weakref.WeakSet()
    seen = []

    def made():
        seen.append(len(alive))
        box = Box()
        alive.add(box)
        return box

    def boxes(count: int):
        for _ in range(count):
            yield made()

    async def async_boxes(count: int):
        for _ in range(count):
            yield made()

    body = async_boxes if "async" in how else boxes
    body.__annotations__ = {"count": "int" if text else int}
    steps = tool("boxes")(later(body) if "returned" in how else body)(3)
    while (box := next_of(steps)) is not None:
        del box
        seen.append(len(alive))
    assert seen == [0] * 6


def next_of(steps):
    """A generator's next item, None when there is none."""
    if not inspect.isasyncgen(steps):
        return next(steps, None)
    with contextlib.suppress(StopAsyncIteration):
        try:
            steps.__anext__().send(None)
        except StopIteration as stop:
            return stop.value
    return None


def test_closing_a_generator_early_is_no_error(capture):
    """The user's cleanup runs at once and in the generator's context, then the span ends."""
    log = []
    steps = action("f")(conversation)(log)
    next(steps)
    steps.close()
    assert log == ["closed"]
    assert capture.spans[0].status.status_code is StatusCode.UNSET
    assert capture.spans[0].attributes["agentops.cancelled"] is True


def test_closing_an_async_generator_early_is_no_error(capture):
    """`aclosing` and `break`."""
    log = []

    async def main():
        async with contextlib.aclosing(action("f")(async_conversation)(log)) as steps:
            async for _ in steps:
                break

    asyncio.run(main())
    assert log == ["closed"]
    assert capture.spans[0].status.status_code is StatusCode.UNSET
    assert capture.spans[0].attributes["agentops.cancelled"] is True


def test_a_dropped_generator_ends_its_span(capture):
    """The garbage collector closes it."""
    log = []
    steps = action("f")(conversation)(log)
    next(steps)
    assert capture.spans == []
    del steps
    gc.collect()
    assert log == ["closed"]
    assert capture.spans[0].status.status_code is StatusCode.UNSET


def test_a_dropped_async_generator_ends_its_span(capture):
    """The event loop closes it, in a task of its own."""
    log = []

    async def main():
        steps = action("f")(async_conversation)(log)
        await steps.__anext__()
        del steps
        gc.collect()
        await asyncio.sleep(0.01)
        assert log == ["closed"]

    asyncio.run(main())
    assert capture.spans[0].status.status_code is StatusCode.UNSET


def test_a_dropped_coroutine_ends_its_span_and_leaves_foreign_contexts_alone(capture, caplog):
    """It is closed in whatever context the garbage collector runs in."""

    class Forever:
        def __await__(self):
            yield

    @tool
    async def wait():
        await Forever()

    waiting = wait()
    contextvars.copy_context().run(waiting.send, None)
    token = attach(set_value("theirs", 1))
    before = get_current()
    waiting.close()
    assert get_current() is before
    detach(token)
    assert capture.spans[0].attributes["agentops.cancelled"] is True
    assert caplog.records == []


def test_a_context_that_the_function_leaves_attached_is_undone(capture):
    """The caller gets back the context it had."""

    @tool
    def untidy():
        attach(trace.set_span_in_context(trace.INVALID_SPAN))

    before = get_current()
    untidy()
    assert get_current() is before


@pytest.mark.parametrize("how", FAILING)
@pytest.mark.parametrize("attached", [lambda: set_value("tenant", 1), Context], ids=["more", "nothing"])
def test_a_context_is_attached_by_one_call_and_detached_by_another(capture, how, attached, caplog):
    """As a client's `open()` and `close()` do: no span that has ended stays the current one."""
    tokens = []
    opened = FAILING[how](lambda: tokens.append(attach(attached())))
    closed = FAILING[how](lambda: detach(tokens.pop()))

    async def main():
        before = get_current()
        for function in (opened, closed, opened, closed):
            returned = function()
            if returned is not None:
                await read(returned)
            assert get_current() is before

    asyncio.run(main())
    assert caplog.records == []


def test_a_generator_that_is_never_read_records_nothing(capture):
    """Nothing of it ran."""
    action("f")(conversation)([]).close()
    assert capture.spans == []


def test_an_exception_thrown_into_a_generator_leaves_no_reference_cycle(capture):
    """The wrapper's frame does not keep a thrown exception, nor that the frame."""
    gc.collect()
    gc.disable()
    try:
        error = ValueError("thrown")
        steps = action("f")(conversation)([])
        next(steps)
        with contextlib.suppress(ValueError):
            steps.throw(error)
        error.__traceback__ = None
        marker = Planner()
        error.args = (marker,)
        gone = weakref.ref(marker)
        del error, marker, steps
        assert gone() is None
    finally:
        gc.enable()


# --- without a session, and when we fail


@every_kind
def test_without_a_session_the_function_runs_untouched(make, caplog):
    """Same result, no span, one warning however often it is called."""
    context.set_sessionless(None)
    function = make(current_id)
    assert [drive(function), drive(function)] == [0, 0]
    warnings = [entry for entry in caplog.records if entry.levelno == logging.WARNING]
    assert len(warnings) == 1


class Broken:
    """Raises at the n-th call of one of our own functions."""

    def __init__(self, monkeypatch, at):
        self.at, self.count = at, 0
        self._hook(monkeypatch, context, "scope_for", call)
        self._hook(monkeypatch, call, "to_text")
        self._hook(monkeypatch, call, "set_span_in_context")
        self._hook(monkeypatch, call, "write_exception")
        self._hook(monkeypatch, call, "_identity")
        self._hook(monkeypatch, Parameters, "bind")
        self._hook(monkeypatch, context.Scope, "start_span")
        self._hook(monkeypatch, Span, "set_attribute")
        self._hook(monkeypatch, Span, "set_attributes")
        self._hook(monkeypatch, Span, "end")

    def _hook(self, monkeypatch, owner, name, used_by=None):
        real = getattr(owner, name)

        @functools.wraps(real)
        def hook(*args, **kwargs):
            self.count += 1
            if self.count == self.at:
                raise ZeroDivisionError("ours")
            return real(*args, **kwargs)

        monkeypatch.setattr(used_by or owner, name, hook)


@every_kind
@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_an_error_of_ours_changes_nothing_for_the_caller(begin, make, fails, caplog):
    """Whichever step of ours fails, the function runs once and its result or exception is the same object."""
    error, result = ValueError("theirs"), object()
    broken_steps = 0
    for at in range(1, 60):
        capture = begin()
        calls = []

        def body(argument, calls=calls):
            calls.append(argument)
            if fails:
                raise error
            return result

        function = make(body)
        before = get_current()
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(guard, "reraise", False)
            monkeypatch.setattr(guard, "_reported", set())
            broken = Broken(monkeypatch, at)
            try:
                outcome = drive(function, "argument")
            except ValueError as caught:
                outcome = caught
        assert outcome is (error if fails else result), at
        assert calls == ["argument"], at
        assert len(capture.spans) <= 1
        assert get_current() is before, at
        if broken.count < at:
            break
        broken_steps += 1
    assert broken_steps >= 6
    assert "ZeroDivisionError" in caplog.text
    assert "ours" not in [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]


def test_a_descriptor_whose_value_cannot_be_called_gives_it(capture):
    """What a decorated descriptor gives for an instance is that, callable or not."""

    class Computed:
        def __init__(self, function):
            self.function = function

        def __call__(self, *arguments):
            return self.function(*arguments)

        def __get__(self, instance, owner=None):
            return self if instance is None else self.function(instance)

    class Robot:
        @tool("answer")
        @Computed
        def answer(self):
            return 42

    assert type(Robot().answer) is int
    assert Robot.answer(Robot()) == 42


def test_an_agent_is_named_by_a_field_that_its_model_does_not_know(capture):
    """Pydantic keeps such a field apart, and gives it as an attribute."""

    @agent
    class Robot(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")

        def run(self):
            return 1

    Robot(agentops_agent_name="Bob").run()
    assert capture.spans[0].name == "invoke_agent Bob"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="nothing can be marked before")
@pytest.mark.parametrize("kind", ["function", "partial", "object"])
@pytest.mark.parametrize("returned", [asyncio.ensure_future, lambda coroutine: coroutine], ids=["task", "coroutine"])
async def test_a_function_that_is_marked_as_a_coroutine_function(capture, kind, returned):
    """It runs at the call, returns what it returned without us, and keeps its mark."""
    called = []

    def function(x):
        called.append(x)
        return returned(asyncio.sleep(0, x))

    class Callable:
        def __call__(self, x):
            return function(x)

    made = {"function": function, "partial": functools.partial(function), "object": Callable()}[kind]
    inspect.markcoroutinefunction(function if kind == "partial" else made)
    decorated = action("f")(made)
    assert inspect.iscoroutinefunction(decorated)
    result = decorated(1)
    assert called == [1]
    assert asyncio.isfuture(result) == (returned is asyncio.ensure_future)
    assert await result == 1
    await asyncio.sleep(0)
    assert names(capture) == ["f"]


@pytest.mark.parametrize("allowed", [(), ("run",)], ids=["all", "some"])
def test_a_class_that_takes_no_attributes(capture, caplog, allowed):
    """It comes back as it is, with one warning."""

    class Closed(type):
        def __setattr__(cls, name, value):
            if name not in allowed:
                raise AttributeError(f"{name} is refused")
            super().__setattr__(name, value)

    class Desk(metaclass=Closed):
        def run(self):
            return 1

        def stop(self):
            return 2

    before = dict(vars(Desk))
    assert agent(Desk) is Desk
    assert dict(vars(Desk)) == before
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "Desk is not recorded, because it takes no attributes: AttributeError: " in record.getMessage()
    assert Desk().run() == 1
    assert names(capture) == []
