"""What a file of an SDK exports: an `Integration` of parts, each of which waits for its own module and fails alone.

The builders here say *how* something is wrapped; the files say *what*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Protocol

import msgspec

from ._attempts import AttemptInstrumentation
from ._calls import CallInstrumentation, Read
from ._client import ClientInstrumentation
from ._connections import ConnectionInstrumentation
from ._endpoint import Endpoint, Sdk, StainlessSdk, Talk
from ._iterators import IteratorInstrumentation
from ._wrapped import wrap_functions, wrap_method


class Installed(Protocol):
    """One target: wrapped, or absent."""

    @property
    def label(self) -> str:
        """Where it is, such as `openai._base_client.SyncAPIClient.request`."""

    def state(self) -> str:
        """Whether the SDK's calls pass it: `live`, `absent in this release`, `replaced by somebody else`."""

    def restore(self) -> None:
        """Put the original back."""

    def is_gone(self) -> bool:
        """Whether what was wrapped is no more."""


class Part(msgspec.Struct, frozen=True):
    """What is wrapped of one module; a module that moves between releases has several names."""

    modules: tuple[str, ...]
    install: Callable[[ModuleType], Iterable[Installed | None]]  # None for what is wrapped already


class Integration(msgspec.Struct, frozen=True):
    """How the calls of one SDK are recorded.

    Attributes:
        name: what `instrument()` calls it.
        package: its distribution.
        supported: the versions that are tested, such as `>=0.4.4,<1`; others are tried.
    """

    name: str
    package: str
    supported: str
    parts: tuple[Part, ...]


def stainless(sdk: StainlessSdk, module: str) -> Part:
    """The clients of an SDK that was made by the generator of OpenAI's, Anthropic's and Groq's.

    Args:
        module: where `SyncAPIClient` and `AsyncAPIClient` live.
    """

    def install(found: ModuleType) -> Iterable[Installed | None]:
        around = ClientInstrumentation(sdk)
        yield wrap_method(found, "SyncAPIClient.request", around, around.request)
        yield wrap_method(found, "AsyncAPIClient.request", around, around.async_request)
        yield wrap_method(found, "SyncAPIClient._process_response", around, around.process_response)
        yield wrap_method(found, "AsyncAPIClient._process_response", around, around.process_response)

    return Part((module,), install)


def connections(
    sdk: StainlessSdk, module: str, names: tuple[str, ...], endpoint: Endpoint, talk: Callable[[str | None], Talk]
) -> Part:
    """Connections over which several responses are asked for and come.

    Args:
        names: the classes, with `send` and `recv_bytes`, as far as a release has them.
        endpoint: what a response is.
        talk: of a model, what keeps account of one connection.
    """

    def install(found: ModuleType) -> Iterable[Installed | None]:
        for name in [each for each in names if hasattr(found, each)]:
            around = ConnectionInstrumentation(sdk, endpoint, talk)
            yield wrap_method(found, f"{name}.send", around, around.send)
            yield wrap_method(found, f"{name}.recv_bytes", around, around.receive, around.async_receive)

    return Part((module,), install)


def calls(sdk: Sdk, modules: tuple[str, ...], methods: Mapping[str, Read]) -> Part:
    """Methods that make LLM calls.

    Args:
        modules: the names of the module, one for each release that calls it otherwise.
        methods: `Class.method` -> what reads its arguments.
    """

    def install(found: ModuleType) -> Iterable[Installed | None]:
        for path, read in methods.items():
            around = CallInstrumentation(sdk, read)
            yield wrap_method(found, path, around, around.call, around.async_call)

    return Part(modules, install)


def attempts(sdk: Sdk, modules: tuple[str, ...], methods: tuple[str, ...]) -> Part:
    """Methods that send one request of a call: all but the first are retries.

    Args:
        modules: as in `calls()`.
    """

    def install(found: ModuleType) -> Iterable[Installed | None]:
        for path in methods:
            around = AttemptInstrumentation(sdk)
            yield wrap_method(found, path, around, around.call)

    return Part(modules, install)


def functions(sdk: Sdk, module: str, names: Mapping[str, Read]) -> Part:
    """Functions of a module that make LLM calls, wherever a module holds them.

    Args:
        names: function -> what reads its arguments; the instance that it gets is None.
    """

    def install(found: ModuleType) -> Iterable[Installed | None]:
        return wrap_functions(found, {name: CallInstrumentation(sdk, read) for name, read in names.items()})

    return Part((module,), install)


def iterators(modules: tuple[str, ...], classes: tuple[str, ...]) -> Part:
    """Classes of an SDK's own iterators of pieces; `_iterators.follow()` follows one."""

    def install(found: ModuleType) -> Iterable[Installed | None]:
        for name in classes:
            around = IteratorInstrumentation()
            ways = {"__next__": around.next, "__anext__": around.anext, "close": around.close, "aclose": around.aclose}
            has = vars(getattr(found, name, object))
            for method, way in ways.items():
                if method in has or not has.keys() & ways.keys():  # (a class that is gone lacks all of them)
                    yield wrap_method(found, f"{name}.{method}", around, way)

    return Part(modules, install)


def hook(module: str, add: Callable[[ModuleType], Callable[[], None]]) -> Part:
    """A framework's own way to be told of what it does.

    Args:
        add: registers, and returns what takes the registration back.
    """

    def install(found: ModuleType) -> Iterable[Installed | None]:
        yield Hooked(f"{found.__name__}.{add.__name__}", [add(found)])

    return Part((module,), install)


class Hooked(msgspec.Struct, frozen=True):
    """One registration with a framework."""

    label: str
    remove: list[Callable[[], None]]

    def state(self) -> str:
        """It is live until it is taken back."""
        return "live" if self.remove else "absent in this release"

    def restore(self) -> None:
        """Take the registration back."""
        while self.remove:
            self.remove.pop()()

    def is_gone(self) -> bool:
        """Never before it is taken back."""
        return not self.remove
