"""A page is a function that returns a documented dataclass; HTML and ``.json`` are two renderings of it.

    @page("/costs", "costs.html")
    def costs(asked: Asked) -> CostsPage: ...

makes the routes ``/costs`` and ``/costs.json``. The template gets the dataclass as ``page``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .counts import Counts
from .store import Filter, Store


@dataclass(frozen=True, slots=True)
class Box:
    """The running box that serves a page: what it received and how it was started."""

    counts: Counts = field(default_factory=Counts)
    started_ns: int = 0
    endpoint: str = ""
    """Where OTLP/HTTP and the pages are, such as ``http://127.0.0.1:4318``."""
    grpc_endpoint: str = ""
    """Where OTLP/gRPC is; empty when it is not served."""
    retain_ns: int | None = None
    """Sessions older than this are removed."""
    retain_bytes: int | None = None
    """The oldest sessions are removed when the store is larger than this."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of a page: everything is in the URL."""

    store: Store
    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    """Each name's values, in order."""
    now_ns: int
    box: Box = field(default_factory=Box)
    where: Filter = field(default_factory=Filter)
    """The filter that the query says: q, state, tag, model, agent, tool, error, host, since, until, project."""

    def one(self, name: str, default: str = "") -> str:
        """The last value of a name."""
        values = self.query.get(name)
        return values[-1] if values else default


class Missing(Exception):
    """The page's subject is not there: 404 with this text, which says what to do."""


@dataclass(frozen=True, slots=True)
class View:
    """A page's address, template and function."""

    path: str
    template: str
    build: Callable[[Asked], Any]


Build = TypeVar("Build", bound=Callable[[Asked], Any])
views: list[View] = []


def page(path: str, template: str) -> Callable[[Build], Build]:
    """Make a function a page."""

    def register(build: Build) -> Build:
        views.append(View(path, template, build))
        return build

    return register
