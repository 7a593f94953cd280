"""The SDKs that are known here, without loading what describes them: an SDK's file is imported when the SDK is."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ._integration import Integration

GROUP: Final = "agentops_otel.sdks"


class Known(msgspec.Struct, frozen=True):
    """An SDK: its name for `instrument()`, its distribution, the modules to wait for, and what loads the rest."""

    name: str
    package: str
    modules: tuple[str, ...]
    load: Callable[[], Integration]


def known(names: Collection[object] = ()) -> dict[str, Known]:
    """The SDKs that can be instrumented: those of other packages by their entry points, and ours.

    Args:
        names: those that are asked for, whatever a program has given. Where all are ours, the entry points are not
            read, which takes tens of milliseconds where many packages are installed.
    """
    only_ours = bool(names) and all(issubclass(type(name), str) and name in _BUILT_IN for name in names)
    points = () if only_ours else entry_points(group=GROUP)
    found = {point.name: Known(point.name, "", (), _from_entry_point(point)) for point in points}
    for name, (file, package, *modules) in _BUILT_IN.items():
        found[name] = Known(name, package, tuple(modules), _built_in(file))
    return found


# name -> file of this folder, distribution, modules to wait for
_BUILT_IN: Final[dict[str, tuple[str, ...]]] = {
    "huggingface_hub": (
        "huggingface_hub",
        "huggingface_hub",
        "huggingface_hub.inference._client",
        "huggingface_hub.inference._generated._async_client",
    ),
    "ollama": ("ollama", "ollama", "ollama._client"),
    "google-genai": (
        "google_genai",
        "google-genai",
        "google.genai._api_client",
        "google.genai._gaos.basesdk",
    ),
    "cerebras": ("cerebras", "cerebras-cloud-sdk", "cerebras.cloud.sdk._base_client"),
    "fireworks": ("fireworks", "fireworks-ai", "fireworks._base_client"),
    "groq": ("groq", "groq", "groq._base_client"),
    "bedrock": ("bedrock", "boto3", "botocore.client", "aiobotocore.client"),
    "openai": (
        "openai",
        "openai",
        "openai._base_client",
        "openai.resources.realtime.realtime",
        "openai.resources.beta.realtime.realtime",
        "openai.resources.responses.responses",
    ),
    "litellm": (
        "litellm",
        "litellm",
        "litellm",
        "litellm.litellm_core_utils.streaming_handler",
        "litellm.text_completions.streaming_iterator",
        "litellm.utils",
        "litellm.responses.streaming_iterator",
    ),
    "anthropic": ("anthropic", "anthropic", "anthropic._base_client"),
    "cohere": ("cohere", "cohere", "cohere.core.http_client"),
    "mistralai": (
        "mistralai",
        "mistralai",
        "mistralai.client.basesdk",
        "mistralai.basesdk",
        "mistralai.azure.client.basesdk",
        "mistralai_azure.basesdk",
        "mistralai.gcp.client.basesdk",
        "mistralai_gcp.basesdk",
    ),
    "together": ("together", "together", "together._base_client"),
}


def _built_in(file: str) -> Callable[[], Integration]:
    def load() -> Integration:
        found: Integration = import_module(f".{file}", __package__).INTEGRATION
        return found

    return load


def _from_entry_point(point: EntryPoint) -> Callable[[], Integration]:
    def load() -> Integration:
        from ._integration import Integration

        loaded = point.load()
        found = getattr(loaded, "INTEGRATION", loaded)  # a module, or what it has
        if not isinstance(found, Integration):
            raise TypeError(f"entry point {point.name!r} of {GROUP} is not an Integration")
        return found

    return load
