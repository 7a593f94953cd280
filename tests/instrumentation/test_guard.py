"""Faults of our own, put into each hook in turn: the user's call is made once and ends as it would without us."""

from __future__ import annotations

import logging

import openai
import pytest

from agentops_otel import guard
from agentops_otel.instrumentation import _guard
from agentops_otel.instrumentation._client import Seam
from tests.fakes import llm_server
from tests.fakes.llm_server import Reply

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}


class Fault(Exception):
    """Raised in place of a hook."""


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


def _faulty(monkeypatch, number, *, after):
    """Let the `number`-th hook fail, before or after its work; returns how many hooks were called so far."""
    count = [0]
    run = _guard.run

    def faulty(hook, *args):
        count[0] += 1
        if count[0] != number:
            return run(hook, *args)

        def broken(*args):
            if after:
                hook(*args)
            raise Fault

        return run(broken, *args)

    monkeypatch.setattr(_guard, "run", faulty)
    return count


@pytest.mark.parametrize("after", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize(
    "use",
    [plain, stream, closed, raw, raw_stream, responses, refused, async_plain, async_stream, async_raw],
    ids=lambda use: use.__name__,
)
async def test_a_fault_in_any_hook(use, after, client, async_client, record, server, monkeypatch):
    """Whichever of our hooks fails, the user gets the same result from one request."""

    async def go():
        if use is refused:
            server.then(Reply(llm_server.error("bad"), status=400))
        return await use(async_client) if use.__name__.startswith("async") else use(client)

    expected = await go()
    record()
    monkeypatch.setattr(guard, "reraise", False)
    number = 0
    while True:
        number += 1
        server.requests.clear()
        with monkeypatch.context() as patch:
            count = _faulty(patch, number, after=after)
            assert await go() == expected, f"hook {number}"
        assert len(server.requests) == 1, f"hook {number}"
        if count[0] < number:
            break
    assert number > 5


def test_a_fault_is_told_once_and_without_payload(client, record, monkeypatch, caplog):
    """A failing hook is one log line, however often it fails, and the line quotes nothing."""
    record()
    monkeypatch.setattr(guard, "reraise", False)

    def broken(*args):
        raise Fault("secret prompt")

    monkeypatch.setattr(Seam, "_server", broken)
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
        _guard.run(broken)


def test_a_keyboard_interrupt_is_the_users(monkeypatch):
    """A KeyboardInterrupt that arrives in a hook is not swallowed."""
    monkeypatch.setattr(guard, "reraise", False)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _guard.run(interrupted)
