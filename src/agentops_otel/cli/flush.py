"""`agentops-otel flush`: send what processes that are gone have left in the journal."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shlex
from typing import TYPE_CHECKING, Any, cast

import click

from ..checks import without_secrets
from ..clock import monotonic
from ..config import Configuration
from ..figures import format_count
from ..pipeline.address import shown_url
from ..pipeline.backlog import Replayed, how_to_send, replay
from ..pipeline.claim import ABOUT, claims
from ..pipeline.delivery import DeliveryExporter
from ..pipeline.destination import Destination, journal_directory
from ..pipeline.ids import project_id
from ..pipeline.overview import DestinationState, destination_state, state
from ..pipeline.transports import open_transport
from .journal import in_folder
from .output import emit, progress

if TYPE_CHECKING:
    from ..config import Protocol


def _seconds(ctx: click.Context, param: click.Parameter, text: str | None) -> float:
    if text is None:
        return math.inf
    with contextlib.suppress(ValueError):
        if (seconds := float(text)) >= 0:  # NaN is not
            return seconds
    raise click.BadParameter(f"expected a number of at least 0, got {text!r}")


@click.command(short_help="Send what is left in the journal.")
@click.option("--endpoint", metavar="URL", help="Send all of it to this OTLP endpoint instead.")
@click.option(
    "--new-key-for",
    metavar="URL",
    help="Send also what was kept for this endpoint under another key, or without one, with the key that is set.",
)
@click.option("--timeout", metavar="SECONDS", callback=_seconds, help="The longest time (default: no limit).")
@in_folder
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects, one for each destination.")
def command(
    endpoint: str | None, new_key_for: str | None, timeout: float, journal_dir: str | None, *, as_json: bool
) -> int:
    """Send the spans and log events that processes have left in the journal, each to where it was meant to go.

    Keys, headers and certificates are read from the environment, as by init(). The exit code is 0 when nothing is left,
    and 1 when something is.
    """
    own = Configuration(endpoint=endpoint, journal_dir=journal_dir)
    directory = journal_directory(own.journal_dir)
    deadline = monotonic() + timeout
    reports = []
    for before in state(directory).destinations:
        if before.left or (before.dead and before.events):
            report = _flush(directory, before, own, deadline, new_key_for)
            if report["found"] or report["events"] or report["why"]:
                reports.append(report)
        elif before.dead:
            for _ in claims(os.path.join(directory, before.name)):  # which removes what is wholly acknowledged
                pass
    if as_json:
        emit(json.dumps(reports, indent=2) + "\n")
    else:
        emit("".join(map(_line, reports)) or f"Nothing is left in {directory}.\n")
    return int(any(report["left"] for report in reports))


def _flush(
    directory: str, before: DestinationState, own: Configuration, deadline: float, new_key_for: str | None
) -> dict[str, Any]:
    """Send what is left for one destination, and say what became of it."""
    folder = os.path.join(directory, before.name)
    meant, mine = Destination.read(folder), Destination.of(own)
    if meant is None and mine is not None and mine.folder(directory) == folder:
        meant = mine  # the file is damaged, but the folder's name says the same
    named = without_secrets(own.endpoint or "") if "endpoint" in own._given else None
    config = _configuration(meant, own, new_key_for) if named is None else own
    replayed = Replayed()
    done = False
    why: str | None = "" if meant is None else _key_needed(meant)
    if meant is None:
        why = f"{os.path.join(folder, ABOUT)} is damaged or gone: name an endpoint with --endpoint"
    if config is not None:
        exporter = DeliveryExporter(open_transport(config), patience=float("inf"))
        exporter.deadline = deadline if math.isfinite(deadline) else None
        try:
            with progress(f"flush to {meant.endpoint if meant else named}", before.left) as settled:
                done = replay(folder, exporter, deadline, replayed, settled=settled)
            why = "the time is up" if replayed.late or monotonic() >= deadline else exporter.last_error
            if exporter.key_refused:
                why = f"{why}; {how_to_send(config, key_refused=True)}"
        finally:
            exporter.shutdown()
    if not done and not why:
        why = "the log events were not taken"
    left = 0
    with contextlib.suppress(OSError):  # its folder is gone, and so is all that was in it
        after = destination_state(directory, before.name)
        left = after.left
        if done and after.read_only:
            done, why = False, f"{folder} cannot be written, and nothing is sent that would stay there"
    return {
        "destination": named or (meant.endpoint if meant else folder),
        "folder": folder,
        "found": replayed.sent + replayed.rejected + left,
        "sessions": before.sessions,
        "sent": replayed.sent,
        "rejected": replayed.rejected,
        "left": left,
        "events": replayed.events,
        "why": None if done else why,
    }


def _configuration(meant: Destination | None, own: Configuration, new_key_for: str | None) -> Configuration | None:
    """The settings that send to a destination; None without the key of its project."""
    if meant is None:
        return None
    here, protocol = Destination.of(own), cast("Protocol", meant.protocol)
    config = own if meant.is_at(here) else own._at(protocol, meant.endpoint)
    if new_key_for and (
        meant.is_at(Destination.of(Configuration(protocol=protocol, endpoint=new_key_for)))
        or meant.endpoint == shown_url(new_key_for)  # as we print it, which can be an address for traces alone
    ):
        return config
    if meant.is_at(here) and own.key_replaced:
        return config
    if meant.project is None:  # another place's key is not for this one
        return config if meant.is_at(here) else config._without_key()
    account = own._account if meant.is_at(here) else own.api_key  # a user in an address is one of that address
    return config if meant.project == project_id(account) else None


def _key_needed(meant: Destination) -> str:
    return (
        f"the key of project {meant.project} is needed: set it in AGENTOPS_API_KEY; if it was replaced, set the new "
        f"one, then: agentops-otel flush --new-key-for {shlex.quote(meant.endpoint)}"
    )


def _line(report: dict[str, Any]) -> str:
    sessions = format_count(report["sessions"], "session")
    why = f" ({report['why']})" if report["why"] else ""
    if not report["found"]:  # its spans have arrived, or were refused
        events = f"{format_count(report['events'], 'log event')} of {sessions} sent"
        return f"{report['destination']}: {f'log events of {sessions} left{why}' if why else events}\n"
    found = f"{format_count(report['found'], 'span')} of {sessions}"
    parts = [f"{report['sent']:,} sent", f"{report['rejected']:,} rejected", f"{report['left']:,} left"]
    return f"{report['destination']}: {found} found, {', '.join(parts)}{why}\n"
