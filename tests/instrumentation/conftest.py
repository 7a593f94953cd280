"""The fixtures of recording, with openai alone, and its clients."""

from __future__ import annotations

import pytest

from tests.fakes.recording import *  # noqa: F403  (fixtures, which are arguments by the same names)


@pytest.fixture
def sdks():
    return ("openai",)


@pytest.fixture
def client(server):
    import openai

    with openai.OpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(server):
    import openai

    async with openai.AsyncOpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def either(request, client, async_client):
    """The client, and then the async one, for what must hold for both."""
    return client if request.param == "sync" else async_client
