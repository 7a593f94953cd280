"""A key that a client lets itself in with leaves in no text, whatever it looks like and whoever repeats it."""

from __future__ import annotations

import importlib
from contextlib import suppress
from importlib.util import find_spec

import pytest

from agentops_otel import semconv
from tests.fakes.llm_server import Reply

KEY = "Zq7planted-credential-9f8e7d6c5b4a"
SAID = f"my key is {KEY}"
ASK = {"model": "m", "messages": [{"role": "user", "content": SAID}]}
REFUSED = {"message": SAID, "error": {"message": SAID, "type": "invalid", "code": 401, "status": "UNAUTHENTICATED"}}


def _google(google, url):
    client = google.Client(api_key=KEY, http_options={"base_url": url})
    client.models.generate_content(model="m", contents=SAID)


def _bedrock(boto3, url):
    session = boto3.Session("AKIATESTTESTTESTTEST", KEY, region_name="us-east-1")
    messages = [{"role": "user", "content": [{"text": SAID}]}]
    session.client("bedrock-runtime", endpoint_url=url).converse(modelId="m", messages=messages)


def _ollama(ollama, url):
    list(ollama.Client(url, headers={"authorization": f"Bearer {KEY}"}).chat(**ASK, stream=True))


def _mistral(mistralai, url):
    maker = mistralai if hasattr(mistralai, "Mistral") else importlib.import_module("mistralai.client")  # by release
    client = maker.Mistral(api_key=KEY, server_url=url)
    client.chat.complete(**ASK)


# Module -> what calls it with the key.
CALLS = {
    "anthropic": lambda sdk, url: sdk.Anthropic(api_key=KEY, base_url=url, max_retries=0).messages.create(
        **ASK, max_tokens=3
    ),
    "boto3": _bedrock,
    "cohere": lambda sdk, url: sdk.ClientV2(KEY, base_url=url).chat(**ASK),
    "google.genai": _google,
    "groq": lambda sdk, url: sdk.Groq(api_key=KEY, base_url=url, max_retries=0).chat.completions.create(**ASK),
    "huggingface_hub": lambda sdk, url: sdk.InferenceClient(model=url, token=KEY).chat_completion(ASK["messages"]),
    "mistralai": _mistral,
    "ollama": _ollama,
    "openai": lambda sdk, url: sdk.OpenAI(api_key=KEY, base_url=url, max_retries=0).chat.completions.create(**ASK),
    "together": lambda sdk, url: sdk.Together(api_key=KEY, base_url=url, max_retries=0).chat.completions.create(**ASK),
}


def _installed(module):
    with suppress(ModuleNotFoundError):
        return find_spec(module) is not None
    return False


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # clients are garbage
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("provider", ["leaf"], indirect=True)  # a program's own provider is not searched
@pytest.mark.parametrize("module", [module for module in CALLS if _installed(module)])
def test_a_key_leaves_in_no_text(module, record, provider, server):
    """The prompt has it, and the refusal repeats it: neither leaves with it."""
    sdk = importlib.import_module(module)
    record()
    server.then(Reply(REFUSED, status=401))
    with pytest.raises(Exception) as caught:  # each SDK has its own
        CALLS[module](sdk, f"http://127.0.0.1:{server.port}")
    (span,) = provider.capture.spans
    assert KEY not in span.to_json()
    assert "[redacted]" in span.attributes[semconv.INPUT_MESSAGES]
    assert caught.value is not None
