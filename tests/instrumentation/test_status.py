"""What `status()` says of an SDK: installed or not, patched, in part, by somebody else, and how often it was called."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import openai
import pytest
from openai import _base_client

from agentops_otel import instrumentation
from agentops_otel.instrumentation import _known, _status
from agentops_otel.instrumentation._integration import Integration, hook, stainless
from agentops_otel.instrumentation._known import Known
from agentops_otel.instrumentation._patch import PATCHES, Patch
from agentops_otel.instrumentation.openai import SDK

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
REQUEST = "openai._base_client.SyncAPIClient.request"


def of(name):
    (found,) = [each for each in instrumentation.status() if each.name == name]
    return found


def test_an_sdk_that_is_patched(client, record):
    """It says version, tested range, what is wrapped, and how many calls were seen."""
    assert of("openai").state == "off"
    record()
    before = of("openai").calls
    client.chat.completions.create(**CHAT)
    found = of("openai")
    assert (found.package, found.version, found.state) == ("openai", openai.__version__, "patched")
    assert found.targets[REQUEST] == "live"
    assert set(found.targets.values()) == {"live"}
    assert found.calls == before + 1


def test_somebody_else(record, monkeypatch):
    """A method that somebody has replaced is told; one that somebody has wrapped is live."""
    record()
    ours = _base_client.SyncAPIClient.__dict__["request"]

    def theirs(*args, **kwargs):
        return ours(*args, **kwargs)

    with monkeypatch.context() as patched:  # it is gone before ours
        patched.setattr(_base_client.SyncAPIClient, "request", theirs)
        assert of("openai").targets[REQUEST] == "replaced by somebody else"
        assert of("openai").state == "partly patched"
        theirs.__wrapped__ = ours
        assert of("openai").targets[REQUEST] == "live"


def fake(monkeypatch, modules=("fake._base_client",), supported=">=1"):
    """An SDK that is known for the time of a test."""
    integration = Integration("fake", "openai", supported, (stainless(SDK, "fake._base_client"),))
    known = Known("fake", "openai", modules, lambda: integration)
    monkeypatch.setattr(_status, "known", lambda: {"fake": known})
    monkeypatch.setitem(PATCHES, "fake", Patch(known))
    return PATCHES["fake"]


def test_waiting_failed_and_untested(monkeypatch):
    """Before the import it waits; where nothing is as expected it has failed; other versions are told."""
    patch = fake(monkeypatch, supported="<1")
    patch.apply()
    assert (of("fake").state, of("fake").targets) == ("waiting for import", {})
    patch._patch(ModuleType("fake._base_client"))
    assert of("fake").state == "failed"
    assert of("fake").reason == "nothing of what is wrapped is in this release"
    patch.remove()
    patch.active = True
    module = ModuleType("fake._base_client")
    for name in ("SyncAPIClient", "AsyncAPIClient"):
        members = {"request": lambda self: None, "_process_response": lambda self: None}
        setattr(module, name, type(name, (), members))
    patch._patch(module)
    assert of("fake").state == "untested version"
    patch.remove()


def test_a_description_that_cannot_be_loaded(monkeypatch):
    """The reason is told, and no other SDK is touched."""

    def load():
        raise ValueError("no such thing")

    known = Known("fake", "openai", ("fake",), load)
    monkeypatch.setattr(_status, "known", lambda: {"fake": known})
    assert (of("fake").state, of("fake").reason) == ("failed", "ValueError: no such thing")


def test_a_failure_is_over_when_it_can_be_loaded(monkeypatch):
    """What has failed once, and not the next time, is patched."""
    patch = fake(monkeypatch)
    patch.active, patch.failure = True, "ValueError: not now"
    module = ModuleType("fake._base_client")
    module.SyncAPIClient = type(
        "SyncAPIClient", (), {"request": lambda self: None, "_process_response": lambda self: None}
    )
    patch._patch(module)
    assert (patch.failure, of("fake").state) == ("", "partly patched")
    patch.remove()


@pytest.mark.parametrize("name", sorted(_known._BUILT_IN))
def test_the_table_of_sdks_is_true(name):
    """The modules that are waited for are those of the parts, and the file of an SDK keeps to its size."""
    known = _known.known()[name]
    integration = known.load()
    parts = [module for part in integration.parts for module in part.modules]
    assert sorted(known.modules) == sorted(set(parts))
    assert (known.package, integration.name) == (integration.package, name)


def test_a_frameworks_own_hook(monkeypatch):
    """What registers with a framework is live until it is taken back, which is done once."""
    done = []
    part = hook("framework", lambda module: done.append(module.__name__) or (lambda: done.append("taken back")))
    known = Known("framework", "openai", ("framework",), lambda: Integration("framework", "openai", ">=1", (part,)))
    patch = Patch(known, active=True)
    patch._patch(ModuleType("framework"))
    assert (done, set(patch.targets().values())) == (["framework"], {"live"})
    patch.remove()
    patch.remove()
    assert done == ["framework", "taken back"]


def test_an_sdk_of_another_package(monkeypatch):
    """Its entry point names an Integration, or a module that has one; anything else is told."""
    integration = Integration("theirs", "theirs", ">=1", (stainless(SDK, "theirs._base_client"),))
    module = ModuleType("their_module")
    module.INTEGRATION, module.other = integration, SDK
    monkeypatch.setitem(sys.modules, "their_module", module)
    points = [
        EntryPoint("whole", "their_module", _known.GROUP),
        EntryPoint("named", "their_module:INTEGRATION", _known.GROUP),
        EntryPoint("wrong", "their_module:other", _known.GROUP),
    ]
    monkeypatch.setattr(_known, "entry_points", lambda *, group: [each for each in points if each.group == group])
    found = _known.known()
    assert found["whole"].load() is found["named"].load() is integration
    with pytest.raises(TypeError, match=r"'wrong' of agentops_otel\.sdks is not an Integration"):
        found["wrong"].load()
    assert "openai" in found
    with pytest.raises(ValueError, match=r"expected one of .*openai.*whole"):
        instrumentation.instrument("openai", "hole")


def test_entry_points_are_not_read_where_all_are_ours(monkeypatch):
    """That takes tens of milliseconds where many packages are installed; another name may be one of theirs."""
    asked = []
    monkeypatch.setattr(_known, "entry_points", lambda *, group: asked.append(group) or [])
    _known.known(("openai", "litellm"))
    assert asked == []
    for names in ((), ("openai", "theirs"), (["openai"],)):
        _known.known(names)
    assert asked == [_known.GROUP] * 3


def test_as_a_program():
    """It imports the SDK and prints one line of JSON; nothing else is imported before."""
    command = [sys.executable, "-m", "agentops_otel.instrumentation", "openai"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    (line,) = done.stdout.splitlines()
    assert (json.loads(line)["name"], json.loads(line)["state"]) == ("openai", "patched")
