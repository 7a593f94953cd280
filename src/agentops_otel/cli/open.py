"""`agentops-otel open`: the dashboard, or a session, in the browser."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import quote

import click

from ..checks import without_secrets
from . import browser
from .output import emit, emit_json
from .source import DEFAULT_URL, NotThere, Source, newest, request


@click.command(short_help="Open the dashboard or a session in the browser.")
@click.argument("session", required=False)
@click.option("--url", metavar="URL", default=DEFAULT_URL, help=f"Of the running box (default: {DEFAULT_URL}).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(session: str | None, url: str, *, as_json: bool) -> None:
    """Open the dashboard, or the page of SESSION: its id, the beginning of it, or last.

    The address is printed; where there is no browser, copy it to one. It lets one browser in, once.
    """
    address = box_at(url)
    path = "/"
    if session:
        source = Source(url=address)
        path = f"/s/{quote(newest(source) if session == 'last' else session, safe='')}"
        try:
            source.page(path, {"tab": "errors"})
        except NotThere:
            raise click.ClickException(f"the box at {address} has no session {session}") from None
        except click.ClickException:  # it asks who we are: the page will, too
            pass
    link = link_to(address, path)
    opened = browser.show(link)
    emit_json({"url": link, "opened": opened}) if as_json else emit(f"{link}\n")


def box_at(url: str) -> str:
    """The address that a running box gives itself.

    Raises:
        click.ClickException: none answers there.
    """
    with contextlib.suppress(click.ClickException, ValueError):
        about = json.loads(request(url, "GET", "/.well-known/agentops-otel"))
        if about.get("name") == "agentops-otel":
            return str(about["address"])
    raise click.ClickException(f"no box answers at {without_secrets(url)}: run agentops-otel up")


def link_to(address: str, path: str) -> str:
    """What opens a page of a box of this user without a question."""
    from ..server.auth import one_time_url, read_token, token_from_environment
    from ..server.place import data_directory

    token = token_from_environment()
    if token is None:
        with contextlib.suppress(OSError):
            token = read_token(data_directory())
    return one_time_url(token, address, path) if token else f"{address}{path}"
