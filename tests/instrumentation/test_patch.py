"""Patching and unpatching: every client, whenever it was made or imported, and everything put back."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import subprocess
import sys
import textwrap
import weakref
from importlib import import_module
from types import ModuleType

import cloudpickle
import openai
import pytest
import wrapt
from openai import _base_client

from agentops_otel import instrumentation, semconv
from agentops_otel.instrumentation._integration import Integration, stainless
from agentops_otel.instrumentation._known import Known
from agentops_otel.instrumentation._patch import Patch
from agentops_otel.instrumentation.openai import SDK
from tests.fakes.llm_server import LlmServer

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
TARGETS = [
    (cls, name)
    for cls in (_base_client.SyncAPIClient, _base_client.AsyncAPIClient)
    for name in ("request", "_process_response")
]


def originals():
    return [cls.__dict__[name] for cls, name in TARGETS]


def test_uninstrument_restores_the_same_objects():
    """After `uninstrument()` the SDK's classes hold the very objects they held before."""
    before = originals()
    instrumentation.instrument("openai")
    during = originals()
    assert not any(old is new for old, new in zip(before, during, strict=True))
    assert set(instrumentation.targets().values()) == {"live"}
    assert len([target for target in instrumentation.targets() if "_base_client" in target]) == 4
    instrumentation.uninstrument()
    assert all(old is new for old, new in zip(before, originals(), strict=True))
    assert instrumentation.targets() == {}


def test_instrument_twice_and_undo():
    """Instrumenting twice patches once; only the one that patched takes it back; all of it can be done again."""
    before = originals()
    with instrumentation.instrument("openai"):
        once = originals()
        with instrumentation.instrument("openai"):
            assert all(old is new for old, new in zip(once, originals(), strict=True))
        assert all(old is new for old, new in zip(once, originals(), strict=True))
    assert all(old is new for old, new in zip(before, originals(), strict=True))
    with instrumentation.instrument():
        assert not any(old is new for old, new in zip(before, originals(), strict=True))
    assert all(old is new for old, new in zip(before, originals(), strict=True))


def test_unknown_name():
    """A name that nobody knows is a mistake that says which names there are."""
    for call in (instrumentation.instrument, instrumentation.uninstrument):
        for name in ("openia", ["openai", "anthropic"], 5, None):
            with pytest.raises(ValueError, match=r" is not a known SDK: expected one of .*openai") as raised:
                call(name)
            assert str(raised.value).startswith(repr(name))
    instrumentation.uninstrument("openai")  # which is not patched


@pytest.mark.parametrize("kind", ["tracer", "meter", "logger"])
@pytest.mark.parametrize("wrong", ["x", object(), [], type])
def test_a_provider_that_is_none(kind, wrong):
    """It is refused before a call has to do without it."""
    before = originals()
    with pytest.raises(TypeError, match=rf"{kind}_provider=.* is not valid: expected an object with get_{kind}\(\)"):
        instrumentation.instrument("openai", **{f"{kind}_provider": wrong})
    assert all(old is new for old, new in zip(before, originals(), strict=True))


def test_somebody_elses_patch_is_left_alone(client, record, server, provider):
    """A wrapper that was put around ours stays when ours goes, and ours lets calls through."""
    record()
    ours = _base_client.SyncAPIClient.__dict__["request"]
    theirs = wrapt.FunctionWrapper(ours, lambda wrapped, instance, args, kwargs: wrapped(*args, **kwargs))
    _base_client.SyncAPIClient.request = theirs
    try:
        instrumentation.uninstrument()
        assert _base_client.SyncAPIClient.__dict__["request"] is theirs
        assert client.chat.completions.create(**CHAT).choices[0].message.content == "Paris"
        assert provider.capture.spans == []
    finally:
        _base_client.SyncAPIClient.request = ours.__wrapped__


def fake_patch():
    """An active patch of an SDK whose module is made by the test."""
    integration = Integration("fake", "fake", ">=1", (stainless(SDK, "fake._base_client"),))
    patch = Patch(Known("fake", "fake", ("fake._base_client",), lambda: integration))
    patch.active = True
    return patch


def test_a_missing_target_disables_only_itself():
    """A release without one of the targets is instrumented where it can be, and says what is missing."""
    module = ModuleType("fake._base_client")

    class SyncAPIClient:
        def request(self, cast_to, options):
            return options

    module.SyncAPIClient = SyncAPIClient
    original = SyncAPIClient.__dict__["request"]
    patch = fake_patch()
    patch._patch(module)
    assert patch.targets() == {
        "fake._base_client.SyncAPIClient.request": "live",
        "fake._base_client.AsyncAPIClient.request": "absent in this release",
        "fake._base_client.SyncAPIClient._process_response": "absent in this release",
        "fake._base_client.AsyncAPIClient._process_response": "absent in this release",
    }
    patch.remove()
    assert SyncAPIClient.__dict__["request"] is original


def test_clients_made_before(server, record, provider):
    """A client, and a bound method, taken before instrumentation are recorded after it."""
    with openai.OpenAI(api_key="k", base_url=server.url) as client:
        create = client.chat.completions.create
        create(**CHAT)
        record()
        create(**CHAT)
    assert len(provider.capture.spans) == 1


@pytest.mark.parametrize("derive", ["with_options", "copy", "custom_client"])
def test_derived_clients(derive, client, spans, server):
    """Copies and clients with an HTTP client of the user's are recorded, with their own address."""
    other = f"http://localhost:{server.port}/v1"
    if derive == "with_options":
        derived = client.with_options(base_url=other)
    elif derive == "copy":
        derived = client.copy(base_url=other)
    else:
        derived = openai.OpenAI(api_key="k", base_url=other, http_client=openai.DefaultHttpxClient())
    derived.chat.completions.create(**CHAT)
    if derive == "custom_client":
        derived.close()
    client.chat.completions.create(**CHAT)
    assert [span.attributes[semconv.SERVER_ADDRESS] for span in spans()] == ["localhost", "127.0.0.1"]


def test_signatures_stay():
    """Patched methods keep their name, their signature and being coroutine functions."""
    before = inspect.signature(_base_client.SyncAPIClient.request)
    with instrumentation.instrument("openai"):
        assert inspect.signature(_base_client.SyncAPIClient.request) == before
        assert _base_client.AsyncAPIClient.request.__name__ == "request"
        assert inspect.iscoroutinefunction(_base_client.AsyncAPIClient.request)


SENT = [pickle.dumps, pickle._dumps, functools.partial(pickle.dumps, protocol=2), cloudpickle.dumps]


@pytest.mark.parametrize("send", SENT, ids=["pickle", "in Python", "older", "cloudpickle"])
@pytest.mark.parametrize("cls", [openai.OpenAI, openai.AsyncOpenAI])
def test_a_patched_method_is_sent_as_a_function_is(record, cls, send):
    """By its name: another process without us gets the SDK's own; one that was held when it came off does, too."""
    name = f"{cls.__mro__[1].__name__}.request"
    sent = send(cls.request)
    record()
    held = cls.request
    assert held is cls.request
    assert send(held) == sent
    assert name.encode() in sent or send is SENT[2]
    assert pickle.loads(send(functools.partial(held, 1))).func is held
    instrumentation.uninstrument()
    assert pickle.loads(sent) is cls.request is not held
    assert send is cloudpickle.dumps or pickle.loads(send(held)) is cls.request


def test_a_patched_method_is_copied_as_a_function_is(record):
    """It is its own copy."""
    record()
    held = openai.OpenAI.request
    assert copy.copy(held) is copy.deepcopy(held) is copy.deepcopy({"request": held})["request"] is held


class _Stub(_base_client.SyncAPIClient):
    """A client that can be sent, and says which it is."""

    def __init__(self, name):
        self.name = name

    def __getstate__(self):
        return self.name

    def __setstate__(self, name):
        self.name = name

    def __eq__(self, other):
        return self.name == other.name

    __hash__ = None


@pytest.mark.parametrize("send", [*SENT, None], ids=["pickle", "in Python", "older", "cloudpickle", "deep copy"])
def test_a_bound_method_is_sent_with_its_client(record, send):
    """Also one of a copied client is recorded, and belongs to the copy."""
    record()
    client = _Stub("one")
    found = copy.deepcopy(client.request) if send is None else pickle.loads(send(client.request))
    assert type(found) is type(client.request)
    assert found.__self__ == client
    assert found.__self__ is not client
    assert copy.copy(client.request) == client.request


def test_a_method_is_called_on_its_class(client, spans):
    """With the client as its first argument, as a subclass does that has a `request` of its own."""

    class Own(openai.OpenAI):
        def request(self, *args, **kwargs):
            return openai.OpenAI.request(self, *args, **kwargs)

    with Own(api_key="k", base_url=client.base_url, http_client=openai.DefaultHttpxClient(verify=False)) as own:
        own.chat.completions.create(**CHAT)
    spans.one()
    for wrong in (openai.OpenAI.request, lambda: openai.OpenAI.request(self=client)):
        with pytest.raises(TypeError, match=r"request\(\) missing \d required"):
            wrong()


def test_clients_of_both_copies_are_recorded(server, record, provider, monkeypatch):
    """After a second import the clients of both copies are recorded, and everything is put back in both."""
    record()
    with openai.OpenAI(api_key="k", base_url=server.url) as client:
        create = client.chat.completions.create
        with monkeypatch.context() as patched:
            for name in [name for name in sys.modules if name.partition(".")[0] == "openai"]:
                patched.delitem(sys.modules, name)
            fresh = import_module("openai")
            fresh_base = sys.modules["openai._base_client"]
            assert fresh_base.SyncAPIClient is not _base_client.SyncAPIClient
            with fresh.OpenAI(api_key="k", base_url=server.url) as other:
                other.chat.completions.create(**CHAT)
            for name in [name for name in sys.modules if name.partition(".")[0] == "openai"]:
                del sys.modules[name]
        create(**CHAT)
    assert len(provider.capture.spans) == 2
    instrumentation.uninstrument()
    for base in (fresh_base, _base_client):
        assert not isinstance(base.SyncAPIClient.__dict__["request"], wrapt.FunctionWrapper)


def test_a_copy_that_is_left_can_go():
    """We keep nothing of a copy that the program has let go of, and patch none twice."""

    def copy():
        module = ModuleType("fake._base_client")
        for name in ("SyncAPIClient", "AsyncAPIClient"):
            members = {"request": lambda self: None, "_process_response": lambda self: None}
            setattr(module, name, type(name, (), members))
        return module

    patch = fake_patch()
    first, second = copy(), copy()
    for module in (first, first, second):
        patch._patch(module)
    assert len(patch.installed) == 8
    assert not isinstance(first.SyncAPIClient.request.__wrapped__, wrapt.FunctionWrapper)
    gone = weakref.ref(first.SyncAPIClient)
    del first, module
    gc.collect()
    assert gone() is None
    patch._patch(second)
    assert len(patch.installed) == 4
    patch.remove()


PROGRAM = """
    import sys
    {before}
    from agentops_otel import instrumentation, context
    from agentops_otel.config import Configuration
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    context.set_process(context.Scope(provider.get_tracer("t"), Configuration(), session_id="s"))
    instrumentation.instrument()
    state = {{state for target, state in instrumentation.targets().items() if target.startswith("openai.")}}
    {after}
    {then}
    client = OpenAI(api_key="k", base_url=sys.argv[1])
    client.chat.completions.create(model="gpt-4o", messages=[])
    print(len(exporter.get_finished_spans()), sorted(state), "httpx" in sys.modules)
"""


# How a program comes to another copy of the SDK, some of them more than once.
FRESH = "[sys.modules.pop(name) for name in list(sys.modules) if name.partition('.')[0] == 'openai']; import openai"
AGAIN = {
    "deleted": f"import openai; {FRESH}",
    "deleted-twice": f"import openai; {FRESH}; {FRESH}",
    "reloaded": "import openai, importlib; "
    "[importlib.reload(sys.modules[name]) for name in ('openai._base_client', 'openai._client', 'openai')]",
}


@pytest.mark.parametrize(
    ("before", "after", "then", "printed"),
    [
        pytest.param(
            "",
            "assert 'openai' not in sys.modules",
            "from openai import OpenAI",
            "1 ['waiting for import']",
            id="imported-after",
        ),
        pytest.param("from openai import OpenAI", "", "", "1 ['live']", id="imported-before"),
        *(
            pytest.param(first, "", f"{again}; from openai import OpenAI", f"1 ['{state}']", id=f"{label}-{state}")
            for first, state in (("import openai", "live"), ("", "waiting for import"))
            for label, again in AGAIN.items()
        ),
        pytest.param(
            "import openai",
            f"instrumentation.uninstrument(); {AGAIN['deleted']}",
            "from openai import OpenAI",
            "0 ['live']",
            id="taken-back-before-it-is-imported-again",
        ),
        pytest.param(
            "import openai",
            f"instrumentation.uninstrument(); {AGAIN['deleted']}; instrumentation.instrument()",
            "from openai import OpenAI",
            "1 ['live']",
            id="taken-back-imported-again-and-instrumented",
        ),
        pytest.param(
            "",
            "instrumentation.uninstrument()",
            "from openai import OpenAI",
            "0 ['waiting for import']",
            id="taken-back-before-import",
        ),
        pytest.param(
            "",
            "instrumentation.uninstrument(); instrumentation.instrument()",
            "from openai import OpenAI",
            "1 ['waiting for import']",
            id="again",
        ),
    ],
)
def test_order_of_imports(before, after, then, printed):
    """It does not matter whether openai is imported before or after, and we import it never."""
    program = textwrap.dedent(PROGRAM).format(before=before, after=after, then=then)
    with LlmServer() as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.url], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(printed)
