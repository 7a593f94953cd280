"""The fixtures of recording, with every SDK, and which of the test files can run here."""

from __future__ import annotations

import gc
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from agentops_otel import instrumentation
from tests.fakes.recording import *  # noqa: F403  (fixtures, which are arguments by the same names)
from tests.sdks import compatible

# Test file -> the module without which it cannot run. AGENTOPS_TEST_SDKS names those that have to be installed.
NEEDED = {path.name: path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")} | {
    "test_compatible.py": "pytest",
    "test_beside.py": "openai",
    "test_contract.py": "pytest",
    "test_keys.py": "pytest",
    "test_google_genai.py": "google.genai",
    "test_google_interactions.py": "google.genai._gaos",
    "test_cerebras.py": "cerebras",
    "test_model_server.py": "huggingface_hub",
    "test_bedrock.py": "boto3",
    "test_bedrock_odd_fields.py": "pytest",
    "test_bedrock_tokens.py": "pytest",
    "test_openai_actions.py": "openai",
    "test_openai_media.py": "openai",
    "test_openai_realtime.py": "websockets.sync",
}
KNOWN = tuple(instrumentation.known())


def _is_installed(module):
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [file for file, module in NEEDED.items() if not _is_installed(module)]
missing = {f"test_{name}.py" for name in os.environ.get("AGENTOPS_TEST_SDKS", "").split()} & set(collect_ignore)
if missing:
    raise pytest.UsageError(f"AGENTOPS_TEST_SDKS asks for SDKs that are not installed: {', '.join(sorted(missing))}")


def pytest_collection_finish():
    """Let the garbage collector pass over what a dozen SDKs have imported: it took a third of the time."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """What an SDK warns of, or a library below it, is no failure of ours."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"), append=False)
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"), append=False)  # (aiohttp's sockets)


@pytest.fixture
def sdks(request):
    """All but LiteLLM, unless it is called: for its functions all modules of a dozen SDKs are looked through."""
    return tuple(name for name in KNOWN if name != "litellm" or name in request.node.nodeid)


@pytest.fixture
async def connect(server):
    """Makes clients that ask the fake server, of SDKs of OpenAI's kind: `connect("groq")`."""
    clients = []

    def make(name, **settings):
        clients.append(compatible.client_of(name, server.url.removesuffix("/v1"), **settings))
        return clients[-1]

    yield make
    for client in clients:
        await compatible.done(client.close())
