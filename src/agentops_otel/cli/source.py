"""What a command reads: the store of this machine, or a running box. Both give the same pages."""

from __future__ import annotations

import contextlib
import functools
import hmac
import http.client
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import click

from ..checks import without_secrets

if TYPE_CHECKING:
    from ..server.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])
Query = Mapping[str, str | Sequence[str] | None]
_TIMEOUT: Final = 30.0
_PATIENCE: Final = 2.0
"""Seconds for whatever listens where a box of ours may run."""
DEFAULT_URL: Final = "http://127.0.0.1:4318"


@dataclass(frozen=True)
class Source:
    """Where a command reads.

    Args:
        db: the store's file; None is that of the box that runs, else the one of this user.
        url: of a running box; it is read instead of a store.
    """

    db: str | None = None
    url: str | None = None

    @functools.cached_property
    def path(self) -> str:
        """Of the store's file."""
        from ..server.place import database_path

        return database_path(self.db or _store_of_running_box())

    def existing_path(self) -> str:
        """Of the store's file.

        Raises:
            click.ClickException: it is not there.
        """
        if not os.path.exists(self.path):
            raise click.ClickException(
                f"there is no store at {self.path} yet: run agentops-otel up, or agentops-otel demo"
            )
        return self.path

    def page(self, path: str, query: Query | None = None) -> Any:
        """The data of a page, as its ``.json`` has it.

        Args:
            path: of the page, such as ``/costs``.
            query: what its address would say; None is left out.

        Raises:
            click.ClickException: there is no such thing, or it cannot be read.
        """
        asked = {
            name: [value] if isinstance(value, str) else list(value) for name, value in (query or {}).items() if value
        }
        return self._fetched(path, asked) if self.url else self._built(path, asked)

    @contextlib.contextmanager
    def store(self, *, create: bool = False) -> Iterator[Store]:
        """The store itself.

        Raises:
            click.ClickException: it cannot be opened.
        """
        from ..server.store.database import StoreUnusable

        if self.url:
            raise click.UsageError("this reads the store itself: give --db instead of --url")
        path = self.path if create else self.existing_path()
        try:
            store: Store = import_module("..server.store.sqlite", __package__).SqliteStore(path)
        except StoreUnusable as error:
            raise click.ClickException(str(error)) from None
        try:
            yield store
        finally:
            store.close()

    def send(self, body: bytes) -> None:
        """Send an object of OTLP JSON, with spans, log records or both, to the running box.

        Raises:
            click.ClickException: it does not answer, or refuses.
        """
        for signal in ("traces", "logs"):
            request(str(self.url), "POST", f"/v1/{signal}", body)

    def _built(self, path: str, query: dict[str, list[str]]) -> Any:
        from ..server.page import Asked, Missing, json_text
        from ..server.problem import Problem
        from ..server.query import where

        now_ns = time.time_ns()
        view, found = _view(path)
        with self.store() as store:
            try:
                page = view.build(Asked(store, found, query, now_ns, where=where(query, now_ns)))
            except Missing as missing:
                raise click.ClickException(str(missing)) from None
            except Problem as problem:
                raise click.ClickException(str(problem)) from None
        if hasattr(page, "media_type"):
            return page.body
        return json.loads(json_text(page))

    def _fetched(self, path: str, query: dict[str, list[str]]) -> Any:
        name = "/sessions" if path == "/" else path
        is_file = re.search(r"\.\w+$", name)
        address = f"{quote(name)}{'' if is_file else '.json'}"
        body = request(str(self.url), "GET", f"{address}?{urlencode(query, doseq=True)}" if query else address)
        try:
            return body.decode() if is_file else json.loads(body)
        except ValueError:
            raise click.ClickException(
                f"{without_secrets(str(self.url))} answers, but it is no box of agentops-otel"
            ) from None


def _view(path: str) -> tuple[Any, dict[str, str]]:
    """The view at a path, and what stands in the path's places; those without such places first."""
    from ..server import page

    page.load()
    for view in sorted(page.views, key=lambda view: view.path.count("{")):
        pattern = re.sub(r"\\\{(\w+)(?::\w+)?\\\}", r"(?P<\1>[^/]+)", re.escape(view.path))
        if found := re.fullmatch(pattern, path):
            return view, found.groupdict()
    raise click.ClickException(f"this version has no page {path}")


def request(url: str, method: str, path: str, body: bytes | None = None) -> bytes:
    """What a running box answers.

    Args:
        url: of the box.
        method: of HTTP.
        path: with its query.
        body: OTLP JSON, or nothing.

    Raises:
        click.ClickException: it does not answer, or refuses; its own words are in the text.
    """
    headers = {"accept": "application/json"}
    key = os.environ.get("AGENTOPS_API_KEY")
    if body is not None:
        headers |= {"content-type": "application/json", "x-agentops-otel": "1"}
    try:
        with connect(url, _TIMEOUT) as (connection, prefix, host):
            if not path.startswith("/v1/"):
                headers |= credentials(host)
            elif key:  # which says the project
                headers["authorization"] = f"Bearer {key}"
            connection.request(method, prefix + path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise click.ClickException(f"nothing answers at {without_secrets(url)}: {why}") from None
    if answer.status != 200:
        kind = NotThere if answer.status == 404 else click.ClickException
        raise kind(f"{without_secrets(url)} answers {answer.status}: {_reason(said)}")
    return said


class NotThere(click.ClickException):
    """A box answers, and does not have what it is asked for."""


@contextlib.contextmanager
def connect(url: str, timeout: float) -> Iterator[tuple[http.client.HTTPConnection, str, str]]:
    """A connection to a running box, what its paths begin with, and its host.

    Args:
        url: of the box; ``http`` when it says no scheme.
        timeout: of each step, in seconds.

    Raises:
        ValueError: the address is not valid.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https"):
        raise ValueError("expected an address with http:// or https://")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    host = parts.hostname or ""
    with contextlib.closing(kind(host, parts.port, timeout=timeout)) as connection:
        yield connection, parts.path.rstrip("/"), host


def credentials(host: str) -> dict[str, str]:
    """The token for a box: the environment's, or of this machine's own box, which no other machine gets."""
    token = _token(host)
    return {"authorization": f"Bearer {token}"} if token else {}


def _token(host: str) -> str | None:
    from ..pipeline.address import is_loopback
    from ..server.auth import read_token, token_from_environment
    from ..server.place import data_directory

    token = token_from_environment()
    if token is None and is_loopback(host):
        with contextlib.suppress(OSError):
            token = read_token(data_directory())
    return token


def _store_of_running_box() -> str | None:
    """The store of this user's box at the usual address; None where none runs there, or it has none of this machine."""
    with contextlib.suppress(
        OSError, http.client.HTTPException, click.ClickException, ValueError, LookupError, TypeError
    ):
        if is_own(DEFAULT_URL, timeout=_PATIENCE):
            path = str(json.loads(request(DEFAULT_URL, "GET", "/system.json"))["store"]["path"])
            return path if os.path.exists(path) else None
    return None


def is_own(url: str, timeout: float = _TIMEOUT) -> bool:
    """Whether the box at an address has the token that we would send: another user may listen where we look for one.

    Raises:
        OSError: nothing answers there.
        http.client.HTTPException: what answers speaks no HTTP.
    """
    from ..server.auth import proof
    from ..server.gate import ABOUT

    nonce = secrets.token_urlsafe(16)
    with connect(url, timeout) as (connection, prefix, host):
        token = _token(host)
        if token is None:
            return False
        connection.request("GET", f"{prefix}{ABOUT}?nonce={nonce}", headers={"accept": "application/json"})
        said = connection.getresponse().read(4096)
        expected = proof(token, connection.port, nonce)
    with contextlib.suppress(ValueError, AttributeError):
        return hmac.compare_digest(str(json.loads(said).get("proof")).encode(), expected.encode())
    return False


def _reason(said: bytes) -> str:
    with contextlib.suppress(ValueError):
        told = json.loads(said)
        if isinstance(told, dict):
            return " ".join(str(value) for value in told.values() if isinstance(value, str))[:500]
    if said.lstrip().startswith(b"<"):
        return "a page of HTML, so it is no box of agentops-otel"
    return said.decode("utf-8", "replace").strip()[:500]


def reads(command: Command) -> Command:
    """Give a command the options ``--db``, ``--url`` and ``--json``, as `source` and `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(reads_only(command))


since_option = click.option(
    "--since", metavar="TIME", help="Since when: 30m, 24h, 7d, today, 2026-11-28 or 2026-11-28T14:30."
)


_db_option = click.option(
    "--db", metavar="FILE", help="The store's file (default: that of the running box, else of this user)."
)


def reads_only(command: Command) -> Command:
    """Give a command the options ``--db`` and ``--url``, as `source`."""

    @_db_option
    @click.option("--url", metavar="URL", help="Ask a running box instead, such as http://127.0.0.1:4318.")
    @functools.wraps(command)
    def with_source(*args: Any, db: str | None, url: str | None, **options: Any) -> Any:
        if db and url:
            raise click.UsageError("--db and --url name two places: give one of them")
        return command(*args, source=Source(db, url), **options)

    return with_source  # type: ignore[return-value]


def stored(command: Command) -> Command:
    """Give a command the options ``--db`` and ``--json``, as `source` and `as_json`."""

    @_db_option
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(command)
    def with_source(*args: Any, db: str | None, **options: Any) -> Any:
        return command(*args, source=Source(db), **options)

    return with_source  # type: ignore[return-value]


def newest(source: Source) -> str:
    """The id of the session that started last.

    Raises:
        click.ClickException: there is none.
    """
    found = source.page("/", {"limit": "1"})["sessions"]
    if not found:
        raise click.ClickException("there is no session yet")
    return str(found[0]["session_id"])
