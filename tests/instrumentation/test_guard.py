"""Faults of our own, put into each of our functions in turn: the user's call is made once and ends as without us."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys

import msgspec
import openai
import pytest

import agentops_otel
from agentops_otel import guard
from agentops_otel.instrumentation import _openai_calls as sdk
from agentops_otel.instrumentation._client import ClientInstrumentation
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}


INSTRUMENTATION = "agentops_otel.instrumentation"
OURS = os.path.dirname(agentops_otel.__file__) + os.sep
# Beside the caller's own call, each with a guard inside.
GATE = {"run", "Call.begin", "Call.leave", "Reading.enter", "Reading.leave", "Reading.keep", "_Chunks.__del__"}


class Fault(Exception):
    """Raised in place of a function, or after its work."""


def plain(client):
    return client.chat.completions.create(**CHAT).choices[0].message.content


def stream(client):
    return [chunk.choices[0].delta.content for chunk in client.chat.completions.create(stream=True, **CHAT)]


def closed(client):
    with client.chat.completions.create(stream=True, **CHAT) as chunks:
        return next(chunks).id


def raw(client):
    return client.chat.completions.with_raw_response.create(**CHAT).parse().id


def raw_stream(client):
    with client.chat.completions.with_streaming_response.create(stream=True, **CHAT) as response:
        return [chunk.id for chunk in response.parse()]


def responses(client):
    return [event.type for event in client.responses.create(model="gpt-4o", input="hi", stream=True)]


def refused(client):
    try:
        client.chat.completions.create(**CHAT)
    except openai.BadRequestError as error:
        return error.code, error.__cause__, type(error.__context__)
    return None


async def async_plain(client):
    return (await client.chat.completions.create(**CHAT)).choices[0].message.content


async def async_stream(client):
    return [chunk.id async for chunk in await client.chat.completions.create(stream=True, **CHAT)]


async def async_raw(client):
    async with client.chat.completions.with_streaming_response.create(**CHAT) as response:
        return (await response.parse()).id


def owners():
    """The modules of the floor and of the readers, and their classes."""
    for name, module in sys.modules.copy().items():  # (another thread may import something)
        if name.startswith((INSTRUMENTATION + "._", INSTRUMENTATION + ".readers.")):
            yield module
            yield from (each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == name)


class Faulty:
    """Lets one call of a function of ours fail that is not called from outside, before or after its work.

    Attributes:
        count: how many calls there were since the beginning.
        name: of the function that has failed.
    """

    def __init__(self, monkeypatch, *, after):
        self.after = after
        self.begin(0)
        wrapped = {}
        for owner in owners():
            for name, value in list(vars(owner).items()):
                function = value.__func__ if isinstance(value, staticmethod) else value
                if self.is_hook(function):
                    faulty = wrapped.setdefault(function, self.wrapper(function))
                    monkeypatch.setattr(owner, name, staticmethod(faulty) if function is not value else faulty)
        for path, endpoint in sdk.ENDPOINTS.items():
            given = {field.name: getattr(endpoint, field.name) for field in msgspec.structs.fields(endpoint)}
            faulty = {name: wrapped[value] for name, value in given.items() if inspect.isfunction(value)}
            monkeypatch.setitem(sdk.ENDPOINTS, path, msgspec.structs.replace(endpoint, **faulty))

    def begin(self, number):
        """From now on, the `number`-th call fails; 0 is none."""
        self.number, self.count, self.name = number, 0, ""

    @staticmethod
    def is_hook(function):
        return (
            inspect.isfunction(function)
            and function.__module__.startswith(INSTRUMENTATION)
            and function.__qualname__ not in GATE
            and not inspect.isgeneratorfunction(function)
            and not inspect.iscoroutinefunction(function)
            and not inspect.isasyncgenfunction(function)
        )

    def wrapper(self, function):
        @functools.wraps(function)
        def faulty(*args, **kwargs):
            if not sys._getframe(1).f_code.co_filename.startswith(OURS):
                return function(*args, **kwargs)
            self.count += 1
            if self.count != self.number:
                return function(*args, **kwargs)
            self.name = function.__qualname__
            if self.after:
                function(*args, **kwargs)
            raise Fault

        return faulty


@pytest.mark.parametrize("provider", ["leaf"], indirect=True)  # both ways would take minutes
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a fault where garbage is collected
@pytest.mark.parametrize("after", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize(
    "use",
    [plain, stream, closed, raw, raw_stream, responses, refused, async_plain, async_stream, async_raw],
    ids=lambda use: use.__name__,
)
async def test_a_fault_in_any_function(use, after, client, async_client, record, server, monkeypatch):
    """Whichever of our functions fails, the user gets the same result from one request."""

    async def go():
        if use is refused:
            server.then(Reply(llm_server.error("bad"), status=400))
        return await use(async_client) if use.__name__.startswith("async") else use(client)

    expected = await go()
    record()
    await go()  # all is imported
    monkeypatch.setattr(guard, "reraise", False)
    with monkeypatch.context() as patch:
        faulty, number = Faulty(patch, after=after), 0
        while faulty.count >= number:
            number += 1
            server.requests.clear()
            faulty.begin(number)
            assert await go() == expected, faulty.name
            assert len(server.requests) == 1, faulty.name
    faulty.begin(0)  # what is garbage later may still call what was wrapped
    assert number > 20


def test_a_fault_is_told_once_and_without_payload(client, record, monkeypatch, caplog):
    """A failing hook is one log line, however often it fails, and the line quotes nothing."""
    record()
    monkeypatch.setattr(guard, "reraise", False)

    def broken(*args):
        raise Fault("secret prompt")

    monkeypatch.setattr(ClientInstrumentation, "_server", broken)
    with caplog.at_level(logging.INFO, "agentops_otel"):
        plain(client)
        plain(client)
    (line,) = caplog.records
    assert "Fault" in line.getMessage()
    assert "secret" not in caplog.text


def test_our_tests_see_faults():
    """Under our own tests a fault is raised."""

    def broken():
        raise Fault

    with pytest.raises(Fault):
        guard.run(broken)


def test_a_keyboard_interrupt_is_the_users(monkeypatch):
    """A KeyboardInterrupt that arrives in a hook is not swallowed."""
    monkeypatch.setattr(guard, "reraise", False)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guard.run(interrupted)
