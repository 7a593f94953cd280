"""`agentops-otel doctor`: what is recorded, where it goes, and what stands in the way."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import click

from .. import environment, pricing
from ..config import Configuration
from ..exceptions import ConfigurationError
from ..figures import format_count, format_duration
from ..pipeline.address import is_loopback
from ..version import __version__
from .extras import EXTRAS, missing
from .output import Column, emit, emit_json, emit_table, on_terminal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from ..pipeline.transports.attempt import Transport

_PATIENCE: Final = 10.0  # seconds for an answer
_SKEW: Final = 5.0  # seconds by which clocks may differ
_MARKS: Final = {"ok": "✓", "note": "·", "warning": "⚠", "failure": "✗"}
# Packages that record the same calls as we do, where the program starts them.
_DOUBLES: Final = {
    "agentops": "agentops.init()",
    "langfuse": "langfuse.openai",
    "logfire": "logfire.instrument_openai()",
    "openinference-instrumentation-openai": "OpenAIInstrumentor().instrument()",
    "traceloop-sdk": "Traceloop.init()",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "note", "warning", "failure"]
    text: str


@click.command(short_help="Check what is recorded and where it goes.")
@click.option("--no-send", is_flag=True, help="Send no test span.")
@click.option("--sdks", is_flag=True, help="Check the LLM SDKs alone.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def command(*, no_send: bool, sdks: bool, as_json: bool) -> int:
    """Check versions and settings, send a test span, and say which SDKs are recorded, and why not.

    Settings are read from the environment, as by init(). The exit code is 1 when something does not work.
    """
    findings = []
    for finding in _chosen(sdks=sdks, send=not no_send):
        findings.append(finding)
        if on_terminal() and not as_json:
            emit(f"{_MARKS[finding.state]} {finding.name:<12} {finding.text}\n")
    if as_json:
        emit_json([asdict(finding) for finding in findings])
    elif not on_terminal():
        emit_table([Column("state"), Column("name"), Column("text")], [asdict(finding) for finding in findings])
    return int(any(finding.state == "failure" for finding in findings))


def _chosen(*, sdks: bool, send: bool) -> Iterator[Finding]:
    if not sdks:
        yield from _all(send=send)
        return
    try:
        config = Configuration()
    except ConfigurationError as error:
        yield Finding("settings", "failure", str(error))
        return
    yield from _sdks(config)
    yield from _doubles()


def _all(*, send: bool) -> Iterator[Finding]:
    yield from _versions()
    try:
        config = Configuration()
    except ConfigurationError as error:
        yield Finding("settings", "failure", str(error))
        return
    yield from _settings(config)
    yield from _endpoint(config, send=send)
    yield from _sdks(config)
    yield from _doubles()
    yield _prices()
    yield _journal(config)


def _version(distribution: str) -> str | None:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(distribution)
    return None


# ---------------------------------------------------------------------------------------------- versions and settings


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    parts = [f"agentops-otel {__version__}", f"Python {python}", f"OpenTelemetry SDK {_version('opentelemetry-sdk')}"]
    yield Finding("versions", "ok", ", ".join(parts))
    for extra in EXTRAS:
        if missing(extra):
            yield Finding(f"extra {extra}", "note", f"not installed: pip install 'agentops-otel[{extra}]'")
        else:
            yield Finding(f"extra {extra}", "ok", "installed")


def _settings(config: Configuration) -> Iterator[Finding]:
    names = sorted(name for name in os.environ if name.startswith(("AGENTOPS_", "OTEL_")))
    yield Finding("settings", "ok", f"set in the environment: {', '.join(names)}" if names else "all are the defaults")
    if wrong := environment.ignored():
        yield Finding("settings", "warning", f"not valid, and ignored: {', '.join(wrong)}")
    if config._disabled:
        yield Finding("settings", "failure", "OTEL_SDK_DISABLED switches everything off")
    elif not config._exports:
        yield Finding("settings", "failure", "nothing is exported: OTEL_TRACES_EXPORTER says so")


# ------------------------------------------------------------------------------------------------------- the endpoint


def _endpoint(config: Configuration, *, send: bool) -> Iterator[Finding]:
    from ..pipeline.transports import open_transport
    from ..pipeline.transports.attempt import Verdict

    if config._disabled or not config._exports:
        return
    transport = open_transport(config)
    if config.protocol not in ("http/protobuf", "grpc"):
        yield Finding("endpoint", "ok", f"{config.protocol}: {transport.name}")
        return
    if not send:
        yield Finding("endpoint", "note", f"{transport.name}, not asked")
        return
    try:
        started = time.monotonic()
        reply = transport.send([_test_span()], _PATIENCE)
        took = format_duration(time.monotonic() - started)
    finally:
        transport.close()
    if reply.verdict is not Verdict.ACCEPTED:
        advice = _start_there(transport.name, config.protocol) if "nothing listens" in reply.reason else ""
        yield Finding("endpoint", "failure", f"{transport.name} did not take a test span: {reply.reason}{advice}")
    elif reply.rejected:
        yield Finding("endpoint", "failure", f"{transport.name} rejected a test span: {reply.reason}")
    else:
        yield Finding("endpoint", "ok", f"{transport.name} acknowledged a test span in {took}")
    if transport.box:
        yield Finding("box", "ok", f"the pages are at {transport.box}")
    if reply.reached:
        yield from _clock(transport)


def _start_there(place: str, protocol: str) -> str:
    """The command that starts a box at an address; "" where one of this machine does not listen."""
    parts = urlsplit(place)
    if parts.scheme != "http" or not is_loopback(parts.hostname):
        return ""
    option, usual = ("--grpc-port", 4317) if protocol == "grpc" else ("--port", 4318)
    port = parts.port or 80
    return "; start a box there: agentops-otel up" + (f" {option} {port}" if port != usual else "")


def _test_span() -> ReadableSpan:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

    provider = TracerProvider(
        resource=Resource.create({"service.name": "agentops-otel doctor"}), shutdown_on_exit=False
    )
    span = provider.get_tracer("agentops_otel.doctor", __version__).start_span("agentops-otel doctor")
    span.end()
    assert isinstance(span, ReadableSpan)  # noqa: S101  (every span of the SDK is one)
    return span


def _clock(transport: Transport) -> Iterator[Finding]:
    """The clock of whoever answers, as HTTP says it, beside ours; nothing where it does not."""
    import http.client

    parts = urlsplit(transport.name)
    kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}.get(parts.scheme)
    if kind is None or not parts.hostname:
        return
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, TypeError):
        with contextlib.closing(kind(parts.hostname, parts.port, timeout=2.0)) as connection:
            connection.request("HEAD", "/")
            said = connection.getresponse().getheader("date")
        if said is None:
            return
        apart = parsedate_to_datetime(said).timestamp() - time.time()
        if abs(apart) > _SKEW:
            yield Finding("clock", "warning", f"differs by {format_duration(abs(apart))} from that of {parts.netloc}")
        else:
            yield Finding("clock", "ok", f"agrees with that of {parts.netloc}")


# --------------------------------------------------------------------------------------------------------------- SDKs


def _sdks(config: Configuration) -> Iterator[Finding]:
    from .recorded import findings

    for found in findings(wanted=config.instrument_llm_calls):
        yield Finding(*found)


def _doubles() -> Iterator[Finding]:
    """What would record the same calls a second time."""
    from ..instrumentation import known

    sdks = known()
    off = set(re.split(r"\s*,\s*", os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "")))
    for point in metadata.entry_points(group="opentelemetry_instrumentor"):
        sdk = re.split(r"[_-]", point.name)[0]
        if sdk in sdks and point.name not in off:
            yield Finding(
                "doubles",
                "note",
                f"{_name(point)} records {sdk} too under agentops-otel run: a call is then two spans, of which one "
                f"counts; OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={point.name} switches it off",
            )
    for name, how in _DOUBLES.items():
        if _version(name):
            text = f"{name} is installed: where a program uses {how}, a call is two spans, of which one counts"
            yield Finding("doubles", "note", text)


def _name(point: Any) -> str:
    return str(getattr(point.dist, "name", None) or point.value)


# ----------------------------------------------------------------------------------------------- prices and journal


def _prices() -> Finding:
    version = pricing.table_version()
    if not version:
        return Finding("prices", "failure", "the table of genai-prices cannot be loaded; calls have no cost")
    newest = _newest_price()
    return Finding("prices", "ok", f"genai-prices {version}{f', with prices of {newest}' if newest else ''}")


def _newest_price() -> str:
    """When the newest price that has a date began to hold: the table itself has none."""
    with contextlib.suppress(Exception):
        from genai_prices.data import providers

        prices = [model.prices for provider in providers for model in provider.models]
        dates = [
            getattr(each.constraint, "start_date", None) for some in prices if isinstance(some, list) for each in some
        ]
        return str(max((day for day in dates if day and day <= date.today()), default=""))  # noqa: DTZ011  (a table's day)
    return ""


def _journal(config: Configuration) -> Finding:
    from ..pipeline.destination import journal_directory
    from ..pipeline.overview import state

    if config.journal != "disk":
        return Finding(
            "journal", "warning", f"AGENTOPS_JOURNAL={config.journal}: what is not sent is lost with the process"
        )
    directory = journal_directory(config.journal_dir)
    above = directory
    while not os.path.exists(above) and above != os.path.dirname(above):
        above = os.path.dirname(above)
    if not os.access(above, os.W_OK):
        return Finding("journal", "failure", f"{directory} cannot be written")
    found = state(directory).destinations
    left, rejected = sum(each.left for each in found), sum(each.rejected for each in found)
    if left:
        return Finding("journal", "warning", f"{format_count(left, 'span')} kept in {directory}: agentops-otel flush")
    refused = f"; {format_count(rejected, 'span')} refused for good" if rejected else ""
    return Finding("journal", "ok", f"{directory}, nothing is left in it{refused}")
