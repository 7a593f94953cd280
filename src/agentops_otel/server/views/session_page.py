"""The pages of one session: the page, the panel of a span, the rows inside of a row, and texts that were cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast, get_args

from ...failures import error_of
from ...figures import format_count
from ...rows import SessionRow, SpanRow
from ..format import date, local
from ..page import Asked, Download, Missing, page
from ..store import ErrorGroup, Filter, Store
from .panel import panel
from .replay import replay
from .ribbon import ribbon
from .run import Run
from .session import Calls, Errors, Panel, Part, Raw, Replay, Session, SpanPanel, SpanRows, Story, Tab, Waterfall, Why
from .spoken import whole_text
from .story import STEPS, story
from .tables import calls, errors, raw
from .wanted import before, wanted
from .waterfall import waterfall
from .why import seen, why

_FINGERPRINTS: Final = 20
"""Kinds of errors of one session of which the store is asked how often they were seen."""
_TITLE: Final = 80
"""Characters of what was asked that stand as they are."""
_SENTENCE: Final = re.compile(r"(.{20,}?)(?:\.(?=\s)|(?<=[?!])(?=\s)|\n)", re.DOTALL)
_SECONDS: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,12})?)-([0-9]{1,9}(?:\.[0-9]{0,12})?)")
_SMALL: Final = 500
"""Spans of a session that is read whole; of a larger one only what is shown is read with its body."""
_FEW: Final = 64
"""Bodies that are read one by one; of more, all rows are read again with them."""
_KEPT: Final[list[tuple[Store, SessionRow, Run]]] = []
"""At most one large session that has ended, without bodies: see `_light`."""


@page("/s/{key}", "session.html")
def session(asked: Asked) -> Session:
    """The page of one session."""
    row = find(asked)
    tab = cast("Tab", asked.one("tab") if asked.one("tab") in get_args(Tab) else "story")
    selected = asked.one("span") or None
    run = read(asked, row, tab, selected=selected)
    newer, older = asked.store.neighbours(row.session_id, asked.where)
    chosen = run.by_id.get(selected) if selected else None
    return Session(
        row=run.row,
        tab=tab,
        title=first_sentence(row.asked) or row.name or row.session_id,
        verdict=verdict(run),
        running_since_ns=row.ending_since_ns if run.running else None,
        so_far=errors_so_far(row) if run.running else "",
        how_computed=how_computed(run),
        newer=newer,
        older=older,
        ribbon=ribbon(run),
        why=_why(run, asked.store) if tab == "story" else None,
        orphans=sum(1 for _ in run.orphans()),
        view=view(run, tab, asked),
        panel=_with_link(asked, row, panel(run, chosen, _rates(asked.store, chosen))) if chosen is not None else None,
        selected=selected if chosen is not None else None,
        unfolded=asked.one("text") == "all",
        flame=asked.one("flame") == "1",
        range_ns=_range(asked.one("range"), run.length_ns),
        part=_part(asked),
        trace_url=asked.box.link_to(row.trace_id, row.session_id),
    )


@page("/s/{key}/panel", "panel.html")
def span_panel(asked: Asked) -> SpanPanel:
    """The panel of one span, which a page puts into itself."""
    row = find(asked)
    run, found = _panel(asked, row, asked.one("span"))
    tab = cast("Tab", asked.one("tab") if asked.one("tab") in get_args(Tab) else "waterfall")
    return SpanPanel(run.row, tab, found, _part(asked))


@page("/s/{key}/spans/{span_id}", "panel.html")
def span_page(asked: Asked) -> SpanPanel:
    """The panel of one span, by its own address."""
    row = find(asked)
    run, found = _panel(asked, row, asked.path["span_id"])
    return SpanPanel(run.row, "waterfall", found, _part(asked))


@page("/s/{key}/rows", "rows.html")
def rows_inside(asked: Asked) -> SpanRows:
    """The rows of the waterfall inside of a row that was folded."""
    row = find(asked)
    selected, under = asked.one("span") or None, asked.one("under")
    run = read(asked, row, "waterfall", under=under)
    return SpanRows(run.row, waterfall(run, selected=selected, under=under), selected)


@page("/s/{key}/text", "")
def whole(asked: Asked) -> Download:
    """A whole text of a span of which a page shows the beginning."""
    row = find(asked)
    name, where = asked.one("span"), asked.one("part")
    if name.startswith("ask"):  # the step of a user belongs to the call that was asked
        name = name.removeprefix("ask").removeprefix("-") or _first_call(asked, row)
    span = _span(asked, row, name)
    text = whole_text(span.body, where) if span.body else None
    if text is None:
        raise Missing(f"There is no text {where[:60]} in span {name[:60]}. Open the session again.")
    return Download(f"{name}-{where}.txt", "text/plain; charset=utf-8", text, inline=True)


# ------------------------------------------------------------------------------------------------------------- reading


def find(asked: Asked) -> SessionRow:
    """The session of a page's address.

    Raises:
        Missing: there is none.
    """
    key = asked.path["key"]
    row = asked.store.session(key, asked.where.project)
    if row is None:
        raise Missing(
            f"There is no session {key[:64]}. It may have been removed because of its age, or not have arrived yet. "
            "Look for it in the list of sessions."
        )
    return row


def read(asked: Asked, row: SessionRow, tab: Tab, *, selected: str | None = None, under: str | None = None) -> Run:
    """A session as a view reads it; of a large one only those bodies that the view shows.

    Args:
        asked: what was asked.
        row: the session.
        tab: the view.
        selected: the span whose panel is open.
        under: the row of the waterfall of which only the inside is shown.
    """
    store, project = asked.store, asked.where.project
    whole = (tab == "raw" and asked.one("find")) or (tab == "story" and asked.one("steps") == "all")
    if row.spans <= _SMALL or whole:
        return Run(row, store.spans(row.session_id, bodies=True, project=project), asked.now_ns)
    light = _light(asked, row)
    offset = _number(asked.one("from")) or 0
    chosen = wanted(light, tab, selected=selected, at=_number(asked.one("at")), offset=offset, under=under)
    if not chosen:
        return light
    if len(chosen) > _FEW:
        return Run(row, store.spans(row.session_id, bodies=chosen, project=project), asked.now_ns)
    bodied = (store.span(row.session_id, span_id, project) for span_id in chosen)
    by_key = {(span.trace_id, span.span_id): span for span in bodied if span is not None}
    return Run(row, [by_key.get(key, span) for key, span in light.tree.by_key.items()], asked.now_ns)


def _light(asked: Asked, row: SessionRow) -> Run:
    """A large session without bodies; the last one is kept, since a reader goes from span to span of it."""
    for store, known, run in _KEPT[:]:
        if store is asked.store and known == row:
            return run
    run = Run(row, asked.store.spans(row.session_id, project=asked.where.project), asked.now_ns)
    _KEPT[:] = [(asked.store, row, run)] if row.state != "running" else []
    return run


def _panel(asked: Asked, row: SessionRow, name: str) -> tuple[Run, Panel]:
    """The panel of one span; of a large session only this one and the calls before it are read with their bodies."""
    store, project = asked.store, asked.where.project
    run = Run(row, store.spans(row.session_id, bodies=row.spans <= _SMALL, project=project), asked.now_ns)
    span = run.by_id.get(name)
    if span is None:
        raise Missing(f"There is no span {name[:64]} in this session. Open the session again.")
    if row.spans <= _SMALL:
        return run, _with_link(asked, row, panel(run, span, _rates(store, span)))
    ids = [each for each in before(run, span) if each != span.span_id]
    earlier = [found for each in ids if (found := store.span(row.session_id, each, project))]
    whole = store.span(row.session_id, span.span_id, project) or span
    return run, _with_link(asked, row, panel(run, whole, _rates(store, whole), before=earlier))


def _with_link(asked: Asked, row: SessionRow, found: Panel) -> Panel:
    return replace(found, trace_url=asked.box.link_to(found.span.trace_id, row.session_id))


def _span(asked: Asked, row: SessionRow, name: str) -> SpanRow:
    span = asked.store.span(row.session_id, name.rpartition("-")[2], asked.where.project)
    if span is None:
        raise Missing(f"There is no span {name[:64]} in this session. Open the session again.")
    return span


def _first_call(asked: Asked, row: SessionRow) -> str:
    run = Run(row, asked.store.spans(row.session_id, project=asked.where.project), asked.now_ns)
    return run.calls[0].span.span_id if run.calls else ""


def _rates(store: Store, span: SpanRow) -> Mapping[str, float] | None:
    """The price that a person has set for the model of a call, when the call is priced with it."""
    if not (span.price_table or "").startswith("override:store"):
        return None
    known = [price for price in store.prices() if price.model == span.model and price.provider in {"", span.provider}]
    if not known:
        return None
    price = max(known, key=lambda price: price.provider)
    named = {"cache_read": price.cache_read, "cache_write": price.cache_write}
    more = {name: rate for name, rate in named.items() if rate is not None}
    return {"input": price.input, "output": price.output, **more}


def _part(asked: Asked) -> Part:
    part = asked.one("part")
    return cast("Part", part if part in get_args(Part) else "messages")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 9 else None


def _range(text: str, length_ns: int) -> tuple[int, int] | None:
    """A part of a session's time, as the minimap says it."""
    found = _SECONDS.fullmatch(text)
    if found is None:
        return None
    start, end = (round(float(seconds) * 1e9) for seconds in found.groups())
    return (start, end) if start < min(end, length_ns) else None


# ------------------------------------------------------------------------------------------------------------- parts


def view(run: Run, tab: Tab, asked: Asked) -> Story | Waterfall | Replay | Calls | Errors | Raw:
    """The view of a tab."""
    store, selected = asked.store, asked.one("span") or None
    if tab == "waterfall":
        return waterfall(run, selected=selected)
    if tab == "replay":
        return replay(run, at=_number(asked.one("at")), selected=selected)
    if tab == "calls":
        return calls(run)
    if tab == "errors":
        return errors(run, _groups(run, store))
    if tab == "raw":
        offset = _number(asked.one("from")) or 0
        return raw(run, query=asked.one("find")[:200], offset=offset, selected=selected)
    most = 0 if asked.one("steps") == "all" else STEPS

    def sessions_before(parts: Sequence[Mapping[str, Any]]) -> int:
        return store.instructions_before(parts, run.row.session_id, asked.where.project)

    return story(run, sessions_before=sessions_before, most=most)


def _groups(run: Run, store: Store) -> Callable[[str], ErrorGroup | None]:
    """What the store knows of the errors of a session, by fingerprint."""
    fingerprints = tuple(dict.fromkeys(error.fingerprint for error in run.origins.values()))[:_FINGERPRINTS]
    if not fingerprints:
        return lambda _: None
    found = {group.fingerprint: group for group in store.errors(Filter(errors=fingerprints))}
    return found.get


def _why(run: Run, store: Store) -> Why | None:
    found = why(run)
    if found is None:
        return None
    group = next(iter(store.errors(Filter(errors=(found.fingerprint,)))), None)
    return replace(found, seen=seen(group, date(group.first_ns) if group else ""))


# ---------------------------------------------------------------------------------------------------------- sentences


def verdict(run: Run) -> tuple[tuple[str, bool], ...]:
    """How a session stands, in pieces, each strong or not."""
    row = run.row
    if row.state == "running":
        if row.ending.startswith("now "):
            return (("Running ", False), (row.ending.removeprefix("now "), True))
        return _present(("Running", True), (f": {row.ending}" if row.ending else "", False))
    if row.state == "success":
        return _present(("Success", False), (_survived(row), False))
    if row.state == "fail":
        return _failed(run)
    return _present(("Indeterminate: ", False), (_unknown(run), False))


def _present(*pieces: tuple[str, bool]) -> tuple[tuple[str, bool], ...]:
    return tuple(each for each in pieces if each[0])


def errors_so_far(row: SessionRow) -> str:
    """The errors of a running session in a sentence; empty when there are none."""
    total = row.recovered_errors + row.open_errors
    if not total:
        return ""
    number = "One error" if total == 1 else f"{format_count(total)} errors"
    if not row.open_errors:
        return f"{number} so far, recovered."
    if not row.recovered_errors:
        return f"{number} so far."
    return f"{number} so far, {format_count(row.recovered_errors)} recovered."


def _survived(row: SessionRow) -> str:
    if not row.recovered_errors:
        return ""
    return f" after {format_count(row.recovered_errors, 'recovered error')}"


def _failed(run: Run) -> tuple[tuple[str, bool], ...]:
    fatal = [error for error in run.origins.values() if error.fate == "fatal"]
    reason = run.row.reason or ""
    if fatal:
        last = fatal[-1]
        kind, message = error_of(run.tree.by_key[last.trace_id, last.span_id])
        if not reason or reason.startswith(kind) or (message and message in reason):
            return _present(("Failed: ", False), (kind, True), (f": {message}"[:300] if message else "", False))
    return _present(("Failed", False), (f": {reason}" if reason else "", False))


def _unknown(run: Run) -> str:
    row = run.row
    reason = (row.reason or "no end recorded").rstrip(".")
    reason = reason[:1].lower() + reason[1:]
    last_ns = row.last_ns if not row.ended else None
    return f"{reason}. Last sign of life {local(last_ns):%H:%M:%S}" if last_ns else reason


def first_sentence(text: str) -> str:
    """The first sentence of a long text, without its full stop; a short text as it is."""
    if len(text) <= _TITLE:
        return text
    found = _SENTENCE.match(text)
    return found[1] if found else text


def how_computed(run: Run) -> str:
    """The cost of a session as a sentence."""
    row = run.row
    if not row.llm_calls:
        return "No call of a model, so no cost."
    tables = sorted({call.span.price_table for call in run.calls if call.span.price_table})
    told = sum(call.span.cost_source == "provider" for call in run.calls)
    sentence = f"Sum of {format_count(row.priced_calls, 'LLM call')}, priced one by one"
    if tables:
        sentence += f" with the price table {_listed(tables)}"
    sentence += ". "
    if told:
        sentence += f"{format_count(told)} of them as the provider told. "
    if row.unpriced_calls:
        unpriced = format_count(row.unpriced_calls, "call")
        sentence += f"{unpriced} without a price {'is' if row.unpriced_calls == 1 else 'are'} not in it. "
    return sentence + "Agents are not added again."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
