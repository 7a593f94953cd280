"""The SDKs of Groq, Together, Cerebras and Fireworks: a client of each that asks the fake server, and calls of it."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version
from importlib.util import find_spec

import pytest

MODULES = {
    "cerebras": ("cerebras.cloud.sdk", "Cerebras"),
    "fireworks": ("fireworks", "Fireworks"),
    "groq": ("groq", "Groq"),
    "together": ("together", "Together"),
}
INSTALLED = [name for name in MODULES if find_spec(name) is not None]
MESSAGES = [{"role": "user", "content": "Capital of France?"}]
REQUESTS = {
    "chat": {"messages": MESSAGES},
    "completions": {"prompt": "Capital of France?"},
    "embeddings": {"input": "Paris"},
}
BOTH = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def module_of(name):
    return importlib.import_module(MODULES[name][0])


def is_together_2():
    """Whether the version of the API is part of the base URL."""
    return version("together").startswith("2.")


def client_of(name, address, *, asynchronous=False, **more):
    """A client that asks the fake server at an address."""
    sdk, kind = module_of(name), MODULES[name][1]
    http = (sdk.DefaultAsyncHttpxClient if asynchronous else sdk.DefaultHttpxClient)(verify=False)
    root = f"{address}/v1" if name == "together" and is_together_2() else address
    made = getattr(sdk, f"Async{kind}" if asynchronous else kind)
    if "warm_tcp_connection" in inspect.signature(made).parameters:  # a request as soon as a client is made
        more = {"warm_tcp_connection": False, **more}
    return made(**{"api_key": "none", "base_url": root, "max_retries": 0, "http_client": http, **more})


async def done(result):
    """What a call of either client gives."""
    return await result if inspect.isawaitable(result) else result


async def call(client, api, model, *, stream=False, **more):
    """What the user gets: the answer, or the chunks of a stream."""
    target = client.chat.completions if api == "chat" else getattr(client, api, None)
    if target is None:
        pytest.skip("not in this release")
    result = await done(target.create(model=model, **REQUESTS[api], **({"stream": True} if stream else {}), **more))
    if not stream:
        return result
    return [chunk async for chunk in result] if hasattr(result, "__aiter__") else list(result)
