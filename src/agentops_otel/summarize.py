"""The spans of one session -> its row. Pure: the reader's clock is an argument.

The same row comes out in whatever order spans and events come in, and however often.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Final, NamedTuple

from . import semconv
from .ending import NO_END, NO_ROOT, ending, short
from .failures import Failures
from .rows import (
    ErrorUse,
    ModelUse,
    Process,
    Score,
    SessionEvent,
    SessionRow,
    SpanRow,
    State,
    ToolUse,
)
from .strip import shape, strip
from .tree import Tree
from .usage import Usage

ALIVE_NS: Final = 30_000_000_000
"""How old the last sign of life of a running session is at most."""
_HOUR_NS: Final = 3_600_000_000_000
_MOST_TIMES: Final = 1000
_TOKENS: Final = tuple(field.name for field in fields(Usage) if field.name != "missing")
_tokens: Final = attrgetter(*_TOKENS)
# The packages that call a provider, the likeliest first; most providers are also called with openai's.
_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "anthropic": ("anthropic",),
    "aws.bedrock": ("boto3", "anthropic"),
    "azure.ai.inference": ("azure-ai-inference", "openai", "anthropic"),
    "cohere": ("cohere",),
    "gcp.gemini": ("google-genai", "google-generativeai"),
    "gcp.gen_ai": ("google-genai", "google-generativeai"),
    "gcp.vertex_ai": ("google-genai", "google-cloud-aiplatform", "anthropic"),
    "groq": ("groq",),
    "ibm.watsonx.ai": ("ibm-watsonx-ai",),
    "mistral_ai": ("mistralai",),
    "x_ai": ("xai-sdk",),
}


class _End(NamedTuple):
    state: State
    reason: str | None
    ended: bool
    at_ns: int | None = None


class Call(NamedTuple):
    """A call of a model as it counts: its span, and the usage and cost of its answer, wherever they were said."""

    span: SpanRow
    usage: Usage | None
    cost: float | None
    failed: bool = False

    @property
    def unpriced(self) -> bool:
        """Whether its price is missing; a failed or open call without usage costs nothing that is known of."""
        if self.cost is not None or self.span.end_ns is None:
            return False
        return self.usage is not None or not self.failed


def summarize(
    session_id: str,
    spans: Sequence[SpanRow],
    events: Sequence[SessionEvent],
    scores: Sequence[Score] = (),
    *,
    now_ns: int,
) -> SessionRow:
    """The row of a session.

    Args:
        session_id: its id; the trace id when no span says another.
        spans: all that is known, in any order; bodies are not read, so rows without them give the same.
        events: the log events, in any order.
        now_ns: decides whether a session without an end is running.
    """
    events = sorted(events, key=lambda event: (event.time_ns, event.name, event.role, event.trace_id))
    tree = Tree([*spans, *_open_spans(events)])
    root = _root(tree)
    end = _end(tree, root, events, now_ns)
    started_ns, last_ns = _bounds(tree, root, events, end, now_ns)
    calls = counted_calls(tree)
    failures = Failures(tree, end.state)
    errors = _with_cost_after(failures.errors(), calls)
    times = shape(tree, started_ns, last_ns)
    said = ending(tree, end.state, end.reason, errors)
    tools = _tools(tree, failures)
    fates = [error.fate for error in errors]
    costs = [call.cost for call in calls if call.cost is not None]
    first = root or (tree.spans[0] if tree.spans else None)
    agents = list(dict.fromkeys(span.label for span in tree.spans if span.kind == "agent"))
    signs = [event.time_ns for event in events if event.name != "end"]
    return SessionRow(
        session_id=session_id,
        trace_id=first.trace_id if first else events[0].trace_id if events else session_id,
        state=end.state,
        name=_name(tree, events, agents),
        started_ns=started_ns,
        last_ns=last_ns,
        ended=end.ended,
        asked=_asked(tree),
        ending=said.text,
        ending_since_ns=said.since_ns,
        reason=end.reason,
        heartbeat_ns=max(signs, default=None),
        llm_ns=times.llm_ns,
        tool_ns=times.tool_ns,
        own_ns=times.own_ns,
        strip=strip(times, errors),
        usage=_sum(call.usage for call in calls if call.usage is not None),
        cost=math.fsum(costs),
        priced_calls=len(costs),
        unpriced_calls=sum(call.unpriced for call in calls),
        llm_calls=len(calls),
        tool_calls=sum(tool.calls for tool in tools),
        agents=len(agents),
        actions=sum(span.kind == "action" for span in tree.spans),
        spans=len(tree.spans),
        open_spans=sum(span.end_ns is None for span in tree.spans),
        fatal_errors=fates.count("fatal"),
        recovered_errors=fates.count("recovered"),
        open_errors=fates.count("open"),
        models=_models(calls),
        tools=tools,
        errors=tuple(errors),
        agent_names=tuple(agents),
        tags=_tags(tree, root, events),
        processes=_processes(tree, events),
        sdks=_sdks(calls, events),
        video=next((span.video for span in tree.spans if span.video), None) or _said(events, semconv.SESSION_VIDEO),
        dropped_spans=_dropped(tree, events),
        replayed=any(span.replayed for span in tree.spans) or any(semconv.REPLAYED in e.attributes for e in events),
        scores=tuple(sorted(scores, key=lambda score: (score.time_ns, score.name, score.span_id or ""))),
    )


# ------------------------------------------------------------------------------------------------------------- state


def _open_spans(events: Sequence[SessionEvent]) -> list[SpanRow]:
    """The spans of the last heartbeat of each process."""
    last = {event.process: event for event in events if event.name == "heartbeat"}
    return [span for event in last.values() for span in event.open_spans]


def _root(tree: Tree) -> SpanRow | None:
    """The root of a session: of several the one that says most of the end."""
    roots = [span for span in tree.spans if span.kind == "session"]
    if len(roots) < 2:
        return roots[0] if roots else None
    return max(roots, key=lambda span: (_definite(span.end_state), span.parent_id is None, span.end_ns or 0))


def _definite(state: State | None) -> int:
    """How much an end state says: a process that seemed dead may have said later how it ended."""
    return 0 if state is None else 1 if state == "indeterminate" else 2


def _end(tree: Tree, root: SpanRow | None, events: Sequence[SessionEvent], now_ns: int) -> _End:
    ends = [
        _End(event.end_state, event.end_reason, ended=True, at_ns=event.time_ns)
        for event in events
        if event.name == "end" and event.role == "owner" and event.end_state is not None
    ]
    if root is not None and root.end_state is not None and root.end_ns is not None:
        ends.append(_End(root.end_state, root.end_reason, ended=True, at_ns=root.end_ns))
    if ends:
        return max(ends, key=lambda end: (_definite(end.state), end.at_ns or 0, end.reason or ""))
    if events:
        alive = now_ns - max(event.time_ns for event in events) < ALIVE_NS
        return _End("running", None, ended=False) if alive else _End("indeterminate", NO_END, ended=False)
    return _end_of_traces(tree, now_ns)


def _end_of_traces(tree: Tree, now_ns: int) -> _End:
    """The end of a session of other instrumentations: its first spans have ended, in each trace."""
    tops: dict[str, list[SpanRow]] = {span.trace_id: [] for span in tree.spans}
    last_ns = 0
    for span in tree.spans:
        last_ns = max(last_ns, span.end_ns or span.start_ns)
        if span.parent_id is None:
            tops[span.trace_id].append(span)
    if all(spans and all(span.end_ns is not None for span in spans) for spans in tops.values()) and tops:
        turn = max(tops.values(), key=lambda spans: (spans[-1].start_ns, spans[-1].trace_id))  # the last decides
        failed = next((span for span in reversed(turn) if span.status == "error"), None)
        if failed is None:
            return _End("success", None, ended=True)
        return _End("fail", short(failed.status_message) or None, ended=True)
    if now_ns - last_ns < ALIVE_NS:
        return _End("running", None, ended=False)
    missing = not any(tops.values())
    return _End("indeterminate", NO_ROOT if missing else NO_END, ended=False)


def _bounds(
    tree: Tree, root: SpanRow | None, events: Sequence[SessionEvent], end: _End, now_ns: int
) -> tuple[int, int]:
    """Start, and end or last thing known. The root's times hold where it is there: events may be dated back."""
    known = [span.start_ns for span in tree.spans] + [event.time_ns for event in events]
    if root is not None:
        started_ns = root.start_ns
    else:
        starts = [event.time_ns for event in events if event.name == "start"]
        started_ns = min(starts or known, default=now_ns)
    if root is not None and root.end_ns is not None:
        return started_ns, max(started_ns, root.end_ns)
    if end.ended and end.at_ns is not None:
        return started_ns, max(started_ns, end.at_ns)
    known += [span.end_ns for span in tree.spans if span.end_ns is not None]
    return started_ns, max(known, default=started_ns)


# ------------------------------------------------------------------------------------------------------------- calls


def counted_calls(tree: Tree) -> list[Call]:
    """The calls of models, each once, by start: not what wraps one, and an answer that was seen twice once."""
    calls: list[Call] = []
    by_answer: dict[str, list[int]] = {}
    for span in tree.spans:
        if not tree.is_call(span):
            continue
        if span.response_id:
            seen = by_answer.setdefault(span.response_id, [])
            same = next((at for at in seen if _same_answer(calls[at].span, span)), None)
            if same is not None:
                calls[same] = _merged(calls[same], span)
                continue
            seen.append(len(calls))
        calls.append(Call(span, span.usage, span.cost, span.failed))
    return calls


def _same_answer(known: SpanRow, span: SpanRow) -> bool:
    """Whether two spans with one response id are about one answer. Some servers give ids twice.

    They are when the first saw no end of the answer (one that is made in the background and fetched later), or when two
    instrumentations, or one inside of the other, saw the same.
    """
    if known.usage is None or span.usage is None:
        return not (known.finish_reasons and span.finish_reasons)
    if known.usage != span.usage:
        return False
    known_end, end = known.end_ns or known.start_ns, span.end_ns or span.start_ns
    inside = known.start_ns <= span.start_ns and end <= known_end
    return inside or known.dialect != span.dialect or span.operation == semconv.OPERATION_FETCH_RESPONSE


def _merged(call: Call, span: SpanRow) -> Call:
    return Call(
        call.span,
        span.usage if call.usage is None else call.usage,
        span.cost if call.cost is None else call.cost,
        call.failed or span.failed,
    )


def _sum(usages: Iterable[Usage]) -> Usage:
    sums: Any = map(sum, zip(*map(_tokens, usages), strict=True))
    return Usage(**dict(zip(_TOKENS, sums, strict=False)))  # (no usage, no sums)


def _models(calls: Sequence[Call]) -> tuple[ModelUse, ...]:
    groups: dict[tuple[str, str, int], list[Call]] = defaultdict(list)
    providers = _providers(calls)
    for call in calls:
        span = call.span
        known = providers.get(span.model or "") if span.end_ns is None else None  # a heartbeat says the model alone
        groups[span.provider or known or "", span.model or "", span.start_ns // _HOUR_NS].append(call)
    return tuple(_model(*key, group) for key, group in sorted(groups.items()))


def _providers(calls: Sequence[Call]) -> dict[str, str]:
    """The provider of each model that has exactly one, by the name that answered and the one that was asked for."""
    found: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        for name in (call.span.model, call.span.request_model):
            if name and call.span.provider:
                found[name].add(call.span.provider)
    return {name: next(iter(providers)) for name, providers in found.items() if len(providers) == 1}


def _model(provider: str, model: str, hour: int, calls: Sequence[Call]) -> ModelUse:
    durations = [duration for call in calls if (duration := call.span.duration_ns) is not None]
    first_tokens = [call.span.first_token_ns for call in calls if call.span.first_token_ns is not None]
    return ModelUse(
        provider=provider,
        model=model,
        hour=hour,
        calls=len(calls),
        failed=sum(call.failed for call in calls),
        usage=_sum(call.usage for call in calls if call.usage is not None),
        cost=math.fsum(call.cost for call in calls if call.cost is not None),
        unpriced=sum(call.unpriced for call in calls),
        duration_ns=sum(durations),
        durations_ns=_sample(durations),
        first_token_ns=_sample(first_tokens),
    )


def _sample(values: list[int]) -> tuple[int, ...]:
    """At most 1,000 of the values, sorted, with about the same percentiles."""
    values.sort()
    count = len(values)
    return tuple(values if count <= _MOST_TIMES else (values[at * count // _MOST_TIMES] for at in range(_MOST_TIMES)))


def _tools(tree: Tree, failures: Failures) -> tuple[ToolUse, ...]:
    groups: dict[str, list[SpanRow]] = defaultdict(list)
    for span in tree.spans:
        if span.kind == "tool":
            groups[span.label].append(span)
    failed = failures.by_tool() if groups else {}
    return tuple(_tool(label, group, *failed.get(label, (0, 0))) for label, group in sorted(groups.items()))


def _tool(label: str, spans: Sequence[SpanRow], failed: int, recovered: int) -> ToolUse:
    durations = [duration for span in spans if (duration := span.duration_ns) is not None]
    digests = [span.arguments_digest for span in spans if span.arguments_digest is not None]
    return ToolUse(
        tool=label,
        calls=len(spans),
        failed=failed,
        recovered=recovered,
        duration_ns=sum(durations),
        durations_ns=_sample(durations),
        repeated=len(digests) - len(set(digests)),
    )


def _with_cost_after(errors: list[ErrorUse], calls: Sequence[Call]) -> list[ErrorUse]:
    """The errors with what the calls cost that started after each of them."""
    priced = [(call.span.start_ns, call.cost) for call in calls if call.cost is not None]
    if not errors or not priced:
        return errors
    spent, done = 0.0, list[ErrorUse]()
    for error in reversed(errors):
        while priced and priced[-1][0] >= error.time_ns:
            spent += priced.pop()[1]
        done.append(replace(error, cost_after=spent))
    return done[::-1]


# ------------------------------------------------------------------------------------------------------------- facts


def _name(tree: Tree, events: Sequence[SessionEvent], agents: Sequence[str]) -> str:
    named = [event.session_name for event in events if event.session_name]
    named += [span.session_name for span in tree.spans if span.session_name]
    services = [span.process.service for span in tree.spans if span.process.service]
    services += [event.process.service for event in events if event.process.service]
    known = [service for service in services if not service.startswith("unknown_service")]  # OpenTelemetry's default
    roots = sorted((span.start_ns, span.label) for span in tree.spans if span.parent_id is None)
    return next(iter([*named, *agents, *known, *(label for _, label in roots), *services]), "")


def _asked(tree: Tree) -> str:
    """What the root was asked, else the first span that was asked something."""
    asked = [span for span in tree.spans if span.asked]
    first = next((span for span in asked if span.kind == "session"), None) or next(iter(asked), None)
    return _unwrapped(first.asked or "") if first else ""


def _unwrapped(text: str) -> str:
    """The one text in the JSON of a call's arguments; any other text as it is."""
    value: Any = text
    for _ in range(3):
        if isinstance(value, str) and value[:1] in {"[", "{", '"'}:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return text
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
    return value if isinstance(value, str) else text


def _tags(tree: Tree, root: SpanRow | None, events: Sequence[SessionEvent]) -> tuple[str, ...]:
    tags: dict[str, None] = dict.fromkeys(root.tags if root else ())
    for said in (*(event.tags for event in events), *(span.tags for span in tree.spans)):
        if said:
            tags |= dict.fromkeys(said)
    return tuple(tags)


def _processes(tree: Tree, events: Sequence[SessionEvent]) -> tuple[Process, ...]:
    """The owner's process, then the others in the order in which they appeared."""
    found: dict[Process, None] = {}
    for event in events:
        if event.role == "owner":
            found.setdefault(event.process)
    last: Process | None = None
    for process in (*(span.process for span in tree.spans), *(event.process for event in events)):
        if process is not last:
            found.setdefault(process)
            last = process
    found.pop(Process(), None)
    return tuple(found)


def _sdks(calls: Sequence[Call], events: Sequence[SessionEvent]) -> tuple[str, ...]:
    """The installed packages of the providers that were called, with the first two parts of their versions."""
    providers = {call.span.provider for call in calls} - {None, ""}
    listed = [str(event.attributes[semconv.PYTHON_PACKAGES]) for event in events if _lists_packages(event)]
    if not providers or not listed:
        return ()
    lines = [line.partition("==") for text in listed for line in text.splitlines()]
    installed = {name.lower().replace("_", "-"): version for name, _, version in lines}
    found: set[str] = set()
    for provider in providers:
        package = next((name for name in (*_PACKAGES.get(provider or "", ()), "openai") if name in installed), None)
        if package is not None:
            found.add(f"{package} {'.'.join(installed[package].split('.')[:2])}")
    return tuple(sorted(found))


def _lists_packages(event: SessionEvent) -> bool:
    return event.name in {"start", "join"} and isinstance(event.attributes.get(semconv.PYTHON_PACKAGES), str)


def _said(events: Sequence[SessionEvent], name: str) -> str | None:
    """The last text that an event says under this name."""
    return next((value for e in reversed(events) if isinstance(value := e.attributes.get(name), str)), None)


def _dropped(tree: Tree, events: Sequence[SessionEvent]) -> int:
    """The spans that each process has dropped; the owner's root and its end say the same number."""
    by_process: dict[Process, int] = {}
    for span in tree.spans:
        if span.dropped_spans:
            by_process[span.process] = max(span.dropped_spans, by_process.get(span.process, 0))
    for event in events:
        count = event.attributes.get(semconv.DROPPED_SPANS)
        if isinstance(count, int) and count > 0:
            by_process[event.process] = max(count, by_process.get(event.process, 0))
    return sum(by_process.values())
