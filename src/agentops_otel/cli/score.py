"""`agentops-otel score`: a verdict on a session that has been."""

from __future__ import annotations

import time

import click

from .output import emit, emit_json
from .source import Source, stored


@click.command(short_help="Give a session or a span a score.")
@click.argument("session")
@click.argument("name")
@click.argument("value")
@click.option("--comment", metavar="TEXT", help="Why.")
@click.option("--span", metavar="ID", help="The span that is meant; without it, the session.")
@stored
def command(
    session: str, name: str, value: str, comment: str | None, span: str | None, source: Source, *, as_json: bool
) -> None:
    """Score SESSION (its id, the beginning of it, or last): a NAME such as correct, and a VALUE, a number or a word.

    Scores of the same name that were given before stay.
    """
    from .. import scores
    from ..rows import Score
    from ..server.store import DEFAULT_PROJECT, Batch, Filter

    number = _number(value)
    try:
        scores.result(name, value if number is None else number, comment)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with source.store() as store:
        if session == "last":
            rows = store.sessions(Filter(), limit=1).rows
            found = rows[0] if rows else None
        else:
            found = store.session(session)
        if found is None:
            raise click.ClickException(f"there is no session {session}")
        if span is not None and store.span(found.session_id, span) is None:
            raise click.ClickException(f"session {found.session_id} has no span {span}")
        given = Score(
            session_id=found.session_id,
            trace_id=found.trace_id,
            span_id=span,
            name=name,
            time_ns=time.time_ns(),
            value=number,
            label=value if number is None else None,
            comment=comment,
        )
        project = store.project_of(found.session_id) or DEFAULT_PROJECT
        store.add(Batch(scores=[given], project=project), time.time_ns())
    said = {"session_id": found.session_id, "span_id": span, "name": name, "value": value if number is None else number}
    emit_json(said) if as_json else emit(f"{found.session_id}: {name} = {value}\n")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
