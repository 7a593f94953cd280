"""Why a session failed, in a few lines made from its spans: the call, the raise, the repeats, the end."""

from __future__ import annotations

from collections.abc import Sequence

from ...ending import said_of, times
from ...figures import format_count
from ...rows import ErrorUse, SpanRow
from ..store import ErrorGroup
from .run import Run, key_of
from .session import Reason, Why
from .spoken import signature

_Sentence = tuple[tuple[str, str | None], ...]


def why(run: Run) -> Why | None:
    """Why it failed; None when it did not, or when nothing is known of it but its reason."""
    fatal = [error for error in run.origins.values() if error.fate == "fatal"]
    if run.row.state != "fail" or not fatal:
        return None
    error = _decisive(run, fatal)
    span = run.tree.by_key[error.trace_id, error.span_id]
    place = run.failures.place(span)
    same = [other for other in fatal if _is_same(run, other, error) and other is not error]
    reasons = [_asked(run, place), _raised(run, span, place), _repeated(run, place, same), _ended(run, error)]
    return Why(tuple(filter(None, reasons)), fingerprint=error.fingerprint)


def seen(group: ErrorGroup | None, first: str) -> str:
    """How often an error was seen: ``Seen 12 times in 4 sessions since Sat 21 Nov, never recovered.``.

    Args:
        group: what the store knows of it.
        first: the day on which it was seen first.
    """
    if group is None or group.count < 2 or group.sessions < 2:
        return ""
    recovered = f"recovered {times(group.recovered)}" if group.recovered else "never recovered"
    return (
        f"Seen {format_count(group.count)} times in {format_count(group.sessions)} sessions since {first}, {recovered}."
    )


def _decisive(run: Run, fatal: Sequence[ErrorUse]) -> ErrorUse:
    """The first of the errors like the one that the session's reason names, else like the last one."""
    reason = run.row.reason or ""
    last = next((error for error in reversed(fatal) if error.message and error.message in reason), fatal[-1])
    return next(error for error in fatal if _is_same(run, error, last))


def _is_same(run: Run, error: ErrorUse, other: ErrorUse) -> bool:
    """Whether two errors are of the same call: equal tool and equal arguments."""
    if error is other:
        return True
    places = [run.failures.place(run.tree.by_key[each.trace_id, each.span_id]) for each in (error, other)]
    digests = {place.arguments_digest for place in places}
    return (
        error.label == other.label and error.kind == other.kind == "tool" and len(digests) == 1 and None not in digests
    )


def _asked(run: Run, place: SpanRow) -> Reason | None:
    """The call of a model that asked for the tool that failed."""
    if place.kind != "tool":
        return None
    before = [
        call.span for call in run.calls if call.span.start_ns <= place.start_ns and place.label in call.span.calls
    ]
    if not before:
        return None
    asker = max(before, key=lambda span: (span.parent_id == place.parent_id, span.start_ns))
    arguments = signature(place.body.arguments) if place.body and place.body.arguments else ""
    shown = f" asked for {place.label}({arguments})"
    return Reason("llm", False, ((run.call_name(asker), run.id(asker)), (shown, None)))


def _raised(run: Run, span: SpanRow, place: SpanRow) -> Reason:
    error = run.error(span)
    assert error is not None  # noqa: S101  (it has failed)
    where = f" at {error.raised_in}" if error.raised_in else ""
    tried = (
        f" after {format_count(place.retries)} retries"
        if place.retries > 1
        else " after a retry"
        if place.retries
        else ""
    )
    said = f" raised {error.type}{where}{tried}"
    if place.kind != "tool" or not where:
        said += f": {error.message}" if error.message else ""
    return Reason(place.kind, True, ((run.call_name(place), run.id(place)), (said[:400], None)))


def _repeated(run: Run, place: SpanRow, same: Sequence[ErrorUse]) -> Reason | None:
    if not same:
        return None
    ids = [run.ids[key_of(run.tree.by_key[each.trace_id, each.span_id])] for each in same]
    who = "The model" if any(place.label in call.span.calls for call in run.calls) else "The program"
    start: _Sentence = ((f"{who} made the same call with the same arguments ", None),)
    if len(ids) == 1:
        return Reason("tool", True, (*start, ("once more", ids[0])))
    return Reason("tool", True, (*start, (times(len(ids)), ids[0]), (" ", None), ("more", ids[-1])))


def _ended(run: Run, error: ErrorUse) -> Reason:
    row = run.row
    own = any(span.kind == "session" for span in run.tree.spans)
    if not own:
        return Reason("session", False, (("Its first span ended with an error", None),))
    reason = row.reason or ""
    if not reason:
        return Reason("session", False, (("The program ended the session: Fail", None),))
    shown = said_of(error) if reason.startswith(said_of(error)) else reason
    return Reason("session", False, ((f'The program ended the session: Fail, "{shown[:300]}"', None),))
