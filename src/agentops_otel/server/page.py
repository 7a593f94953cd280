"""A page is a function that returns a documented dataclass; HTML and ``.json`` are two renderings of it.

    @page("/costs", "costs.html")
    def costs(asked: Asked) -> CostsPage: ...

makes the routes ``/costs`` and ``/costs.json`` (and ``/api/costs``, which is the same). The template gets the dataclass
as ``page``. A page that returns a `Download` is sent as it is. What changes something is an action:

    @action("/scores")
    def score(asked: Asked) -> str: ...

makes ``POST /scores``, which reads `asked.form` and returns the address to go to.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar

import msgspec

from .. import viewer
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
    grpc_missing: str = ""
    """Why it is not served, and what changes that."""
    retain_ns: int | None = None
    """Sessions older than this are removed."""
    retain_bytes: int | None = None
    """The oldest sessions are removed when the store is larger than this."""
    trace_url: str = ""
    """Of a trace in another viewer, with ``{trace_id}`` or ``{session_id}`` in it; empty without one."""

    def link_to(self, trace_id: str, session_id: str) -> str:
        """The address of a trace in the other viewer; empty without one."""
        return viewer.address(self.trace_url, trace_id=trace_id, session_id=session_id) if self.trace_url else ""


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
    """The filter that the query says: q, state, tag, model, agent, tool, error, fate, host, since, until, project."""
    form: Mapping[str, list[str]] = field(default_factory=dict)
    """What an action was sent: the fields of a form, or of one JSON object."""

    def one(self, name: str, default: str = "") -> str:
        """The last value of a name."""
        values = self.query.get(name)
        return values[-1] if values else default


class Missing(Exception):
    """The page's subject is not there: 404 with this text, which says what to do."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file instead of a page."""

    name: str
    """Letters, digits, dots and dashes; everything else is left out."""
    media_type: str
    body: str | bytes
    inline: bool = False
    """To be shown, not saved."""


@dataclass(frozen=True, slots=True)
class View:
    """A page's address, template and function."""

    path: str
    template: str
    """Empty where the function returns a `Download`; there is no ``.json`` then."""
    build: Callable[[Asked], Any]


@dataclass(frozen=True, slots=True)
class Action:
    """What changes something."""

    path: str
    run: Callable[[Asked], str]


def json_text(page: Any) -> bytes:
    """What a page's function has returned, as JSON; sets and mappings of any kind too."""
    return msgspec.json.format(msgspec.json.encode(page, enc_hook=_plain), indent=1)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


Build = TypeVar("Build", bound=Callable[[Asked], Any])
Run = TypeVar("Run", bound=Callable[[Asked], str])
views: list[View] = []
actions: list[Action] = []


def page(path: str, template: str) -> Callable[[Build], Build]:
    """Make a function a page."""

    def register(build: Build) -> Build:
        views.append(View(path, template, build))
        return build

    return register


def action(path: str) -> Callable[[Run], Run]:
    """Make a function what is done at a POST."""

    def register(run: Run) -> Run:
        actions.append(Action(path, run))
        return run

    return register


def load() -> None:
    """Import every module of `views`, each of which registers its pages."""
    found = import_module(".views", __package__)
    for module in pkgutil.iter_modules(found.__path__, f"{found.__name__}."):
        import_module(module.name)
