"""`agentops-otel up`: the receiver and the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from .. import viewer
from ..checks import without_secrets
from ..version import __version__
from . import browser
from .open import link_to
from .output import emit
from .retention import Retention, retention

if TYPE_CHECKING:
    from ..server.up import Running


def _trace_url(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    if text is not None and not viewer.is_template(text):
        is_variable = ctx.get_parameter_source(str(param.name)) is ParameterSource.ENVIRONMENT
        hint = viewer.VARIABLE if is_variable else "--trace-url"
        raise click.BadParameter(f"expected {viewer.EXPECTED}, got {without_secrets(text)!r}", param_hint=hint)
    return text


def _grpc_port(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    if text == "off":
        return None
    if text is None or not text.isdigit() or int(text) > 65_535:
        raise click.BadParameter(f"expected a port, or off, got {text!r}")
    return int(text)


@click.command(short_help="Run the receiver and the dashboard.")
@click.option("--host", metavar="HOST", help="Where to listen (default: this machine alone).")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=4318,
    metavar="PORT",
    help="Of pages and OTLP over HTTP (default: 4318).",
)
@click.option(
    "--grpc-port",
    default="4317",
    metavar="PORT",
    callback=_grpc_port,
    help="Of OTLP over gRPC, or off (default: 4317).",
)
@click.option("--db", metavar="FILE", help="The store's file (default: that of this user).")
@click.option(
    "--retain",
    multiple=True,
    metavar="LIMIT",
    help="An age such as 30d, a size such as 2GB, or all; may be repeated (default: 30d and 2GB).",
)
@click.option("--open", "opens", is_flag=True, help="Open the dashboard in the browser.")
@click.option("--no-auth", is_flag=True, help="Let every user of this machine read; on this machine alone.")
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A further name under which it is asked, such as that of a proxy.",
)
@click.option(
    "--trace-url",
    metavar="URL",
    envvar=viewer.VARIABLE,
    callback=_trace_url,
    help="Of a trace in another viewer, to which pages link, such as http://localhost:16686/trace/{trace_id}; "
    "{session_id} is filled in, too (default: AGENTOPS_TRACE_URL).",
)
def command(
    host: str | None,
    port: int,
    grpc_port: int | None,
    db: str | None,
    retain: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    trace_url: str | None,
    *,
    opens: bool,
    no_auth: bool,
) -> int:
    """Receive OTLP, store it in one file, and show it: all in this process, until Ctrl-C.

    The address that is printed lets one browser in, once; agentops-otel open makes another. A host that other machines
    can reach needs a token in AGENTOPS_SERVER_TOKEN.
    """
    from ..server import up

    default = up.Options()
    kept = retention(retain, Retention(default.retain_ns, default.retain_bytes))
    options = up.Options(
        host=host,
        port=port,
        grpc_port=grpc_port,
        db=db,
        retain_ns=kept.age_ns,
        retain_bytes=kept.size,
        auth=not no_auth,
        allowed_hosts=allowed_hosts,
        trace_url=trace_url or "",
    )

    def ready(running: Running) -> None:
        emit(_banner(running))
        if opens:
            browser.show(running.url)

    try:
        up.run(options, ready)
    except up.CannotStart as refused:
        if opens and refused.running:
            emit(f"{refused}\n")
            browser.show(link_to(refused.running, "/"))
            return 0
        if refused.code == 2:
            raise click.UsageError(str(refused)) from None
        raise click.ClickException(str(refused)) from None
    return 0


def _banner(running: Running) -> str:
    receives = f"{running.address} (HTTP)"
    if running.grpc_address:
        receives += f", {running.grpc_address} (gRPC)"
    lines = [
        f"agentops-otel {__version__}",
        f"  dashboard  {running.url}",
        f"  OTLP       {receives}",
        f"  store      {running.database}",
        *(f"  {note}" for note in running.notes),
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines) + "\n"
