"""A model that really generates, behind a server that is none of ours: what it counts is what we record.

The server is `transformers serve` on this machine; its model has random weights, and one token for each byte.
"""

from __future__ import annotations

import pytest

from agentops_otel import instrumentation, semconv
from tests.backends.fixtures import unavailable
from tests.backends.model_server import ModelServer, ModelServerError, environment

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]  # the first time it installs 5 GB
MESSAGES = [{"role": "user", "content": "Capital of France?"}]
PROMPT = len("user: Capital of France?\nassistant:")  # in tokens


@pytest.fixture(scope="module")
def model_server(tmp_path_factory):
    try:
        python = environment()
    except ModelServerError as error:
        unavailable(str(error))
    with ModelServer(python, tmp_path_factory.mktemp("model-server")) as server:
        yield server


@pytest.fixture(autouse=True)
def all_sdks(record):
    """Whatever client is installed."""
    instrumentation.instrument()


def usage(seen):
    return seen.get(semconv.USAGE_INPUT_TOKENS), seen.get(semconv.USAGE_OUTPUT_TOKENS)


def openai_client(model_server):
    openai = pytest.importorskip("openai")
    http = openai.DefaultHttpxClient(verify=False)  # loading certificates takes longer than the call
    return openai.OpenAI(api_key="none", base_url=f"{model_server.url}/v1", http_client=http)


def hub_client(model_server):
    hub = pytest.importorskip("huggingface_hub")
    return hub.InferenceClient(base_url=f"{model_server.url}/v1", api_key="none", headers={"connection": "close"})


def test_a_chat_through_openai(model_server, spans):
    """The tokens are those that the server has counted, and that the prompt has."""
    with openai_client(model_server) as client:
        answer = client.chat.completions.create(model=model_server.model, messages=MESSAGES, max_tokens=8)
    seen = spans.one().attributes
    assert usage(seen) == (PROMPT, answer.usage.completion_tokens)
    assert 0 < answer.usage.completion_tokens <= 8
    assert seen[semconv.RESPONSE_FINISH_REASONS] == (answer.choices[0].finish_reason,)
    assert seen[semconv.SERVER_PORT] == model_server.port


def test_a_stream_through_openai(model_server, spans):
    """A stream has its tokens without the program's asking, and every chunk is the program's."""
    with openai_client(model_server) as client:
        stream = client.chat.completions.create(model=model_server.model, messages=MESSAGES, max_tokens=8, stream=True)
        chunks = list(stream)
    seen = spans.one().attributes
    assert usage(seen)[0] == PROMPT
    assert 0 < usage(seen)[1] <= 8
    assert seen[semconv.STREAM_OUTCOME] == "completed"
    assert seen[semconv.STREAM_CHUNKS] == len(chunks)


def test_a_completion_through_openai(model_server, spans):
    """A legacy completion."""
    with openai_client(model_server) as client:
        answer = client.completions.create(model=model_server.model, prompt="Capital of", max_tokens=4)
    assert usage(spans.one().attributes) == (len("Capital of"), answer.usage.completion_tokens)


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_through_huggingface_hub(stream, model_server, spans):
    """The same through Hugging Face's client."""
    client = hub_client(model_server)  # a stream lives as long as its client
    made = client.chat_completion(MESSAGES, model=model_server.model, max_tokens=8, stream=stream)
    text = (
        "".join(chunk.choices[0].delta.content or "" for chunk in made) if stream else made.choices[0].message.content
    )
    span = spans.one()
    seen = span.attributes
    assert span.name == f"chat {model_server.model}"
    assert usage(seen)[0] == PROMPT
    assert 0 < usage(seen)[1] <= 8
    assert text or usage(seen)[1] == 1


async def test_an_async_stream_through_huggingface_hub(model_server, spans):
    """The same through its asynchronous client."""
    hub = pytest.importorskip("huggingface_hub")
    async with hub.AsyncInferenceClient(base_url=f"{model_server.url}/v1", api_key="none") as client:
        stream = await client.chat_completion(MESSAGES, model=model_server.model, max_tokens=8, stream=True)
        assert [chunk async for chunk in stream]
    seen = spans.one().attributes
    assert usage(seen)[0] == PROMPT
    assert seen[semconv.STREAM_OUTCOME] == "completed"


def test_a_model_that_is_not_served(model_server, spans):
    """The server's refusal is the client's exception and one failed span."""
    hub_error = pytest.importorskip("huggingface_hub").errors.HfHubHTTPError
    with pytest.raises(hub_error):
        hub_client(model_server).chat_completion(MESSAGES, model="another")
    assert spans.one().attributes[semconv.ERROR_TYPE] == "400"


def test_scores_through_ollama(model_server, spans):
    """Questions about a state, by Ollama's client: this server speaks that part of its API."""
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(host=model_server.url, verify=False)
    if not hasattr(client, "systemone"):
        pytest.skip("absent in this release")
    questions = {"safe": {"type": "noul", "instructions": "Is it safe?"}}
    with client:
        answer = client.systemone(model_server.model, "Paris", questions)
    assert 0 <= answer.answers["safe"].noul <= 1
    assert usage(spans.one().attributes) == (answer.usage.input_tokens, answer.usage.output_tokens)
