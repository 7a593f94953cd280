"""Clients whose class has a `request` of its own: each call counts once, whoever has put it there, and when."""

from __future__ import annotations

import functools
from importlib import import_module

import openai
import pytest
import wrapt
from openai import _base_client

from agentops_otel import instrumentation, semconv
from tests.fakes.llm_server import Reply, error

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
HTTP = {False: openai.DefaultHttpxClient, True: openai.DefaultAsyncHttpxClient}
TOOLS = {}


def tool(put):
    """A way to put something in the place of `request` of a class, which holds what was there."""
    TOOLS[put.__name__] = put
    return put


@tool
def plain(cls):
    original = cls.request

    def request(self, *args, **kwargs):
        return original(self, *args, **kwargs)

    cls.request = request


@tool
def named(cls):
    original = cls.request

    @functools.wraps(original)
    def request(self, *args, **kwargs):
        return original(self, *args, **kwargs)

    cls.request = request


@tool
def wrapper(cls):
    wrapt.wrap_function_wrapper(
        cls.__module__, f"{cls.__name__}.request", lambda wrapped, instance, args, kwargs: wrapped(*args, **kwargs)
    )


@tool
def coroutine(cls):
    original = cls.request

    @functools.wraps(original)
    async def request(self, *args, **kwargs):
        return await original(self, *args, **kwargs)

    cls.request = request if issubclass(cls, openai.AsyncOpenAI) else functools.partialmethod(original)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request):
    return request.param


@pytest.fixture
def cls(is_async):
    """The SDK's client class, as it is without any tool."""
    cls = openai.AsyncOpenAI if is_async else openai.OpenAI
    yield cls
    if "request" in vars(cls):
        del cls.request


async def ask(cls, server, *, streamed=False, **fields):
    """One call, and its stream read to the end."""
    fields = fields or {"api_key": "k", "base_url": server.url}
    asked = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    is_async = issubclass(cls, _base_client.AsyncAPIClient)
    client = cls(**fields, max_retries=0, http_client=HTTP[is_async](verify=False))
    if not is_async:
        with client:
            answer = client.chat.completions.create(**CHAT, **asked)
            return list(answer) if streamed else answer
    async with client:
        answer = await client.chat.completions.create(**CHAT, **asked)
        return [chunk async for chunk in answer] if streamed else answer


def states():
    return {state for target, state in instrumentation.targets().items() if target.endswith("APIClient.request")}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("theirs_first", [True, False], ids=["theirs first", "ours first"])
@pytest.mark.parametrize("put", TOOLS)
async def test_a_tool_on_a_client_class(cls, put, theirs_first, streamed, record, server, provider):
    """One request, one call, whoever came first; and what was there is there again."""
    if not theirs_first:
        record()
    TOOLS[put](cls)
    theirs = vars(cls)["request"]
    if theirs_first:
        record()
    assert states() == {"live"}
    await ask(cls, server, streamed=streamed)
    (span,) = provider.capture.spans
    assert span.attributes[semconv.USAGE_OUTPUT_TOKENS] == 48
    assert len(server.requests) == 1
    instrumentation.uninstrument()
    assert vars(cls)["request"] is theirs
    await ask(cls, server, streamed=streamed)
    assert len(provider.capture.spans) == 1


@pytest.mark.parametrize("put", TOOLS)
@pytest.mark.parametrize("way", ["original", "deleted"])
async def test_a_tool_that_is_taken_off_again(cls, put, way, record, server, provider):
    """It puts back what it has found before us, or nothing: calls are recorded as before."""
    original = cls.request
    TOOLS[put](cls)
    record()
    await ask(cls, server)
    if way == "original":
        cls.request = original
    else:
        del cls.request
    for _ in range(2):
        await ask(cls, server)
        assert states() == {"live"}
    assert len(provider.capture.spans) == 3
    instrumentation.uninstrument()
    assert cls.request is original


@pytest.mark.parametrize("put", TOOLS)
async def test_a_subclass_of_what_a_tool_is_on(cls, put, record, server, provider, is_async):
    """Azure's client, and one of the program's own."""
    azure = openai.AsyncAzureOpenAI if is_async else openai.AzureOpenAI
    own = type("Own", (cls,), {})
    TOOLS[put](cls)
    record()
    await ask(own, server)
    await ask(azure, server, azure_endpoint=server.url.removesuffix("/v1"), api_key="k", api_version="2024-06-01")
    assert [span.attributes[semconv.PROVIDER_NAME] for span in provider.capture.spans] == ["openai", "azure.ai.openai"]


@pytest.mark.parametrize("late", [False, True])
async def test_a_class_that_asks_another_model(late, record, server, provider):
    """A `request` that calls `super()` makes as many calls as come to the SDK's, none for what it answers itself."""

    def make():
        class Own(openai.OpenAI):
            def request(self, cast_to, options, **more):
                if options.json_data["model"] == "known":
                    return "known"
                try:
                    return super().request(cast_to, options, **more)
                except openai.APIStatusError:
                    options.json_data = {**options.json_data, "model": "other"}
                    return super().request(cast_to, options, **more)

        return Own

    own = None if late else make()
    record()
    server.then(Reply(error("overloaded"), status=500))
    await ask(own or make(), server)
    assert [span.attributes[semconv.REQUEST_MODEL] for span in provider.capture.spans] == ["gpt-4o", "other"]


async def test_a_call_of_the_same_client_inside_a_call(record, server, provider):
    """A hook that asks the very client is a call of its own, also where a tool is on its class."""
    module = import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    asked = []

    def hook(_request):
        if not asked:
            asked.append(True)
            client.embeddings.create(model="ada", input="x")

    class Own(openai.OpenAI):
        pass

    plain(Own)
    record()
    with module.Client(event_hooks={"request": [hook]}) as http:
        client = Own(api_key="k", base_url=server.url, max_retries=0, http_client=http)
        client.chat.completions.create(**CHAT)
    assert [span.name for span in provider.capture.spans] == ["embeddings ada", "chat gpt-4o"]


def test_it_comes_again(cls, record, server):
    """A tool that holds a wrapper of ours that was taken back is no obstacle."""
    record()
    plain(cls)
    instrumentation.uninstrument()
    theirs = vars(cls)["request"]
    with instrumentation.instrument("openai"):
        assert vars(cls)["request"] is not theirs
    assert vars(cls)["request"] is theirs
