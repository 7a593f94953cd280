"""A session: one run of an agent workflow, the root span of its trace, and the rules of its beginning and end.

The process that starts a session owns its root span. Another process that was given the id joins: its spans get the
root as remote parent, and the owner's own end overrides the one that it asks for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import Token
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Setter
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, Status, StatusCode

from . import context, events, guard, providers, semconv, viewer
from .clock import monotonic
from .config import Configuration
from .context import Scope
from .end_state import STATUS, EndState, EndStateName
from .figures import format_cost
from .kept import Kept, Notebook
from .log import logger
from .pipeline import ids
from .pipeline.log_event import LogEvent
from .pipeline.processor import Recorder, SessionSpans
from .pipeline.provider import SessionProvider
from .span_failure import write_exception
from .summary import Summary
from .tags import clean_tags
from .totals import Snapshot
from .values import to_text

if TYPE_CHECKING:
    from .rows import State

_HEARTBEAT = 10.0
_NAME_LENGTH = 256


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=timezone.utc).isoformat(timespec="milliseconds")


class _Environ(Setter[dict[str, str]]):
    def set(self, carrier: dict[str, str], key: str, value: str) -> None:
        carrier[key.upper()] = value


class Session:
    """One run of an agent workflow. Made by `start_session()`, `init()` or `with session()`, not by hand.

    Attributes:
        session_id: UUID text; the same 128 bits are the trace id.
        name: what the session was called, or None.
        project_id: UUID text made of the API key, so that the key itself is never in telemetry; None without a key.
        owner: whether this process owns the root span; a joiner does not.
        config: its settings.
        init_timestamp: when it began here, ISO 8601 in UTC.
        end_timestamp: when it ended here; None while it is open.
        end_state: an `EndState`; None while it is open.
        end_state_reason: why; None when no reason was given.
        video: URL of a recording; None without one.
    """

    _kept: Kept | None = None

    def __init__(
        self,
        provider: SessionProvider,
        config: Configuration,
        *,
        inherited_session_id: str | None = None,
        tags: Iterable[str] = (),
        name: str | None = None,
        on_end: Callable[[Session, bool | None], None] = lambda session, wait: None,
    ) -> None:
        self._provider = provider
        self._on_end = on_end
        self._lock = threading.RLock()
        self.config = config
        self.name: str | None = None if name is None else to_text(name, max_length=_NAME_LENGTH)
        self.owner: bool = inherited_session_id is None
        self.session_id: str = inherited_session_id or ids.new_session_id()
        self.project_id: str | None = ids.project_id(config.api_key)
        self.end_timestamp: str | None = None
        self.end_state: EndState | None = None
        self.end_state_reason: str | None = None
        self.video: str | None = None
        self._tags = list(dict.fromkeys([*config.default_tags, *tags]))
        self._implied: tuple[EndState, str] | None = None
        self._token: Token[Context] | None = None
        self._beats = 0
        self._last_beat = monotonic()

        number = ids.trace_id(self.session_id)
        root_id = ids.root_span_id(number)
        self._pipeline = provider.pipeline(config)
        recorder: Recorder | None = self._pipeline
        if self._pipeline is not None and Notebook.is_open:
            recorder = self._kept = Kept(self._pipeline)
        self._spans = SessionSpans(self.session_id, number, root_id, recorder, provider.redactor(config))
        provider.processor.add(self._spans)
        started, self._started = time.time_ns(), monotonic()  # what takes its time comes after
        if self.owner:
            title = f"session {self.name}" if self.name else "session"
            self._root = provider.start_root(number, title, self._root_attributes())
            started = getattr(self._root, "start_time", None) or started
        else:
            self._root = provider.remote_root(number, root_id)
            self._join()
        self._started_ns = started
        self._journal_start()
        self.init_timestamp: str = _iso(started)
        self._scope = Scope(
            provider.tracer, config, session_id=self.session_id, trace_id=number, root=self._root, emit=self._emit
        )
        self._scope.session = self
        first = semconv.EVENT_SESSION_START if self.owner else semconv.EVENT_SESSION_JOIN
        self._emit(first, {**self._identity(), semconv.SESSION_ROLE: self._role})

    def _root_attributes(self) -> dict[str, Any]:
        return {semconv.OPENINFERENCE_SPAN_KIND: semconv.OPENINFERENCE_CHAIN, **self._identity()}

    def _identity(self) -> dict[str, Any]:
        """What root span and log events say of the session."""
        attributes: dict[str, Any] = {semconv.SPAN_KIND: semconv.KIND_SESSION}
        if self.project_id:
            attributes[semconv.PROJECT_ID] = self.project_id
        if self.name:
            attributes[semconv.SESSION_NAME] = self.name
        if self._tags:
            attributes[semconv.SESSION_TAGS] = tuple(self._tags)
        return {**attributes, semconv.SESSION_ID: self.session_id}

    def _join(self) -> None:
        if self._pipeline is not None:
            self._pipeline.join_session(self._root.get_span_context().trace_id)

    def _journal_start(self) -> None:
        """Write down what the root span is made from if this process dies before it ends."""
        if self.owner and self._pipeline is not None and self._root.is_recording():
            self._pipeline.journal_start(self._root, self._root_attributes(), self._spans.redactor)

    @property
    def _role(self) -> str:
        return semconv.ROLE_OWNER if self.owner else semconv.ROLE_MEMBER

    @property
    def trace_id(self) -> str:
        """The trace id, 32 hexadecimal digits as backends show it."""
        return f"{self._scope.trace_id:032x}"

    @property
    def tags(self) -> list[str]:
        """The tags, a copy."""
        return list(self._tags)

    @property
    def is_running(self) -> bool:
        """Whether the session is still open in this process."""
        return self.end_state is None

    @property
    def totals(self) -> Snapshot:
        """Calls, tools, actions, errors, tokens and cost so far; of this process."""
        return self._spans.totals.snapshot(survived=self.end_state is EndState.Success)

    @property
    def host_env(self) -> dict[str, Any]:
        """What is known of host and process: the resource that is exported, and the installed packages."""
        host = self._provider.host
        return {**host.get(0.0).attributes, **(host.packages() or {})}

    @property
    def delivered(self) -> tuple[int, int]:
        """How many spans the backend acknowledged, of how many recorded."""
        if self._pipeline is None:
            return 0, 0
        return self._pipeline.acknowledged(self.session_id), self._spans.recorded

    @guard.logged("record()", None)
    def record(self, event: events.Event | BaseException) -> None:
        """Record an event, or an exception, in this session."""
        if self._open("record()"):
            events.record_in(self._scope, event)

    @guard.logged("score()", None)
    def score(
        self, name: str, value: float | str, comment: str | None = None, span: Span | SpanContext | str | None = None
    ) -> None:
        """Say how good the session was, or one of its spans; also after its end.

        Args:
            name: what was judged, such as `"correct"`.
            value: a number, True or False, or a word.
            comment: why.
            span: a span of OpenTelemetry, its context, or its id as 16 hex digits; None is the whole session.
        """
        from . import scores  # few programs need it

        try:
            said, scored = scores.result(name, value, comment), scores.span_of(span, self._root)
        except ValueError as error:
            logger.warning("score(): %s; nothing was recorded", error)
            return
        self._emit(semconv.EVENT_EVALUATION_RESULT, {**said, semconv.SESSION_ID: self.session_id}, scored)

    @guard.logged("add_tags()", None)
    def add_tags(self, tags: Iterable[str] | str) -> None:
        """Add tags; those that are there already stay where they are."""
        cleaned = clean_tags(tags)
        if cleaned and self._open("add_tags()"):
            self._set_tags([*self._tags, *cleaned])

    @guard.logged("set_tags()", None)
    def set_tags(self, tags: Iterable[str] | str) -> None:
        """Replace all tags."""
        cleaned = clean_tags(tags)
        if cleaned is not None and self._open("set_tags()"):
            self._set_tags(cleaned)

    def _set_tags(self, tags: list[str]) -> None:
        with self._lock:
            self._tags = list(dict.fromkeys(tags))
            if self.owner:
                self._root.set_attribute(semconv.SESSION_TAGS, tuple(self._tags))
                self._journal_start()

    def environ(self) -> dict[str, str]:
        """Environment variables that make a child process join this session, by `init()` or its first recorded call.

        W3C `TRACEPARENT` and `BAGGAGE` name the current span for other instrumentations; the child's own spans hang
        below the root. For children that take no environment, such as those of `multiprocessing`, put them into
        `os.environ`.
        """
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        variables = self.config._environ()
        variables.pop("AGENTOPS_AUTO_START_SESSION", None)  # a child that joins starts nothing
        variables[context.INHERITED_VARIABLE] = self.session_id
        if self.owner:
            context.hand_on(self.session_id)
        TraceContextTextMapPropagator().inject(variables, context=self._scope.parent(), setter=_Environ())
        variables["BAGGAGE"] = f"{semconv.SESSION_ID}={self.session_id}"
        return variables

    def _fail_unless_ended(self, reason: str, exception: BaseException | None = None) -> None:
        """Remember why the session failed, in case it is not ended otherwise, and record the exception on its root."""
        with self._lock:
            if self.end_state is not None:
                return
            self._implied = (EndState.Fail, reason)
            if exception is not None and self._root.is_recording():
                write_exception(self._root, exception, self.config)

    def end(
        self,
        end_state: EndState | EndStateName | None = None,
        end_state_reason: str | None = None,
        video: str | None = None,
        *,
        wait: bool | None = None,
    ) -> bool:
        """End the session; a joiner leaves it and asks for this end.

        Args:
            end_state: `EndState` or its name; when left out, what is implied by how the process ends.
            end_state_reason: text for people.
            video: URL or local file; a file is copied to the artifact store.
            wait: until the backend has answered, at most `shutdown_timeout` seconds; as in `end_session()`.

        Returns:
            Whether it was open; a second end is a warning and changes nothing.

        Raises:
            ValueError: there is no such end state; the session stays open.
        """
        return self._end(None if end_state is None else EndState.parse(end_state), end_state_reason, video, wait=wait)

    end_session = end  # AgentOps' name

    @guard.logged("end_session()", instead=False)
    def _end(
        self, state: EndState | None, end_state_reason: str | None, video: str | None, *, wait: bool | None
    ) -> bool:
        if not self._open("end_session()"):
            return False
        if end_state_reason is not None:
            end_state_reason = to_text(end_state_reason, max_length=self.config.max_content_length)
        url = None
        if video is not None:
            from .artifacts import store_video  # few programs need it

            url = store_video(video, self.session_id, self.config)
        with self._lock:
            if self.end_state is not None:
                return False
            if state is None:
                state, implied_reason = self._implied or (EndState.Indeterminate, None)
                end_state_reason = end_state_reason or implied_reason
            self.end_state, self.end_state_reason, self.video = state, end_state_reason, url
            if self._pipeline is not None:
                redactor = self._spans.redactor
                self._pipeline.journal_end(self._root, state.value, end_state_reason, redactor, owner=self.owner)
            self._end_root()
        self._close(wait=wait)
        return True

    def _wait_briefly(self) -> None:
        """A signal handler waits for the end, and may have stopped the thread that counts: do not wait for that one."""
        self._spans.totals.longest_wait = 0.5

    def _leave_open(self) -> None:
        """The process ends but another one will end the session: the journal must not take the session for dead."""
        if self.owner and self._pipeline is not None:
            self._pipeline.journal_end(self._root, None, None, self._spans.redactor, owner=True)

    def _note_reason(self, reason: str | None) -> None:
        """Write down why the process may be about to die without ending this; None takes it back.

        Takes no lock: it runs in a signal handler.
        """
        if self.owner and self.end_state is None and self._pipeline is not None:
            self._pipeline.journal_reason(self._root, reason)

    def _end_because(self, reason: str, state: EndState | None) -> None:
        """End a session that is still open: as an earlier exception implies, else as `state` or Indeterminate.

        A joiner that just exits, or is told to by a signal, says nothing about the end: the session goes on elsewhere.
        """
        with self._lock:  # another thread may be ending it: wait until its root is handed over
            if self.end_state is not None:
                return
        if not self.owner:
            state = None
        if state is None and self._implied is None and not self.owner:
            self._leave()
        elif state is None and self._implied is not None:
            self.end()
        else:
            self.end(state or EndState.Indeterminate, reason)

    def _leave(self) -> None:
        self.end_state = EndState.Indeterminate
        self._close()

    def _attached(self, token: Token[Context]) -> None:
        """Remember that the session was made current in the caller's context, to undo it at the end."""
        self._token = token

    @guard.logged("the end of a session", None)
    def _close(self, *, wait: bool | None = None) -> None:
        self._scope.ended = True
        if self._token is not None:
            context.detach(self._token, self._scope)
        self._provider.processor.retire(self._spans)
        if self._pipeline is not None:
            self._pipeline.leave_session(self._scope.trace_id)
        self._on_end(self, wait)

    @guard.logged("the end of a session", None)
    def _end_root(self) -> None:
        attributes: dict[str, Any] = {}
        # A clock that is set back must not shorten it.
        ended = self._started_ns + int((monotonic() - self._started) * 1e9)
        try:
            self.end_timestamp = _iso(ended)
            self._spans.totals.close()
            attributes = self._end_attributes()
            if self.owner:
                content = self._spans.conversation.attributes() if self.config._content_on_spans else {}
                self._root.set_attributes({**content, **attributes, **self._root_attributes()})
                status = STATUS[self.end_state or EndState.Indeterminate]
                self._root.set_status(Status(status, self.end_state_reason if status is StatusCode.ERROR else None))
        finally:
            if self.owner:
                self._root.end(ended)
        self._emit(semconv.EVENT_SESSION_END, {**self._identity(), **attributes, semconv.SESSION_ROLE: self._role})

    def _end_attributes(self) -> dict[str, Any]:
        state = self.end_state or EndState.Indeterminate
        # What matters most comes last: the SDK's attribute limit drops the oldest.
        attributes: dict[str, Any] = {**self.totals.attributes(), semconv.SESSION_END_STATE: state.value}
        if self.end_state_reason:
            attributes[semconv.SESSION_END_STATE_REASON] = self.end_state_reason
        if self.video:
            attributes[semconv.SESSION_VIDEO] = self.video
        dropped = sum(self._pipeline.dropped().values()) if self._pipeline is not None else 0
        if dropped:
            attributes[semconv.DROPPED_SPANS] = dropped
        return attributes

    def _beat(self) -> None:
        """Send a heartbeat when one is due: every 10 s, or when the set of open spans has changed."""
        now, changes = monotonic(), self._spans.totals.changes
        if self.end_state is not None or (changes == self._beats and now - self._last_beat < _HEARTBEAT):
            return
        self._beats, self._last_beat = changes, now
        open_spans = tuple(
            f"{s.span_id:016x} {s.parent_id:016x} {s.kind or '-'} {s.start_time} {s.name}"
            for s in self._spans.totals.open_spans()
        )
        attributes = {**self._identity(), **self.totals.attributes(), semconv.SESSION_OPEN_SPANS: open_spans}
        self._emit(semconv.EVENT_SESSION_HEARTBEAT, {**attributes, semconv.SESSION_ROLE: self._role})

    def _emit(self, name: str, attributes: Mapping[str, Any], span: Span | None = None) -> None:
        ids_of = (span or self._root).get_span_context()
        if not ids_of.trace_flags.sampled:
            return
        # Heartbeats tell a backend of ours that the session is alive; to the program's own logs they are noise.
        own = self._pipeline is None or providers.given.logger is not None
        own = own and name != semconv.EVENT_SESSION_HEARTBEAT and providers.logger_provider() is not None
        if self._pipeline is None and not own:
            return
        cleaned = self._spans.redactor.clean_attributes(attributes, name)
        if own:
            providers.emit(name, cleaned, ids_of)
        if self._pipeline is not None:
            self._pipeline.emit(LogEvent(name, time.time_ns(), ids_of.trace_id, ids_of.span_id, cleaned))

    def _open(self, call: str) -> bool:
        if self.end_state is None:
            return True
        logger.warning(
            "%s: session %s has already ended (%s); nothing was changed", call, self.session_id, self.end_state.value
        )
        return False

    def _after_fork(self) -> None:
        """In a forked child: the root span is the parent's, this process is a joiner with counts of its own."""
        self._lock = threading.RLock()
        self._root = self._provider.remote_root(self._scope.trace_id, ids.root_span_id(self._scope.trace_id))
        self._spans.after_fork()
        self.owner = False
        self._join()

    def _summary(self) -> Summary:
        """The facts of the summary box."""
        root = self._root.get_span_context()
        sampled = root.trace_flags.sampled or not root.is_valid
        totals = self.totals
        delivered, recorded = self.delivered
        pipeline = self._pipeline
        clean = self._spans.redactor.clean_text  # a terminal's output is kept in logs
        return Summary(
            name=clean(self.name or ""),
            session_id=self.session_id,
            sampled=sampled,
            trace_url=self._trace_url if sampled else None,
            end_state=(self.end_state or EndState.Indeterminate).value,
            reason=None if self.end_state_reason is None else clean(self.end_state_reason),
            duration_s=monotonic() - self._started if self.end_state is None else self._duration(),
            llm_calls=totals.llm_calls,
            tool_calls=totals.tool_calls,
            actions=totals.actions,
            errors=totals.errors,
            recovered_errors=totals.recovered_errors,
            usage=totals.usage,
            cost=totals.cost,
            unpriced_calls=totals.unpriced_calls,
            stream_without_usage=totals.streams_without_usage,
            models=tuple((name, model.calls, model.cost) for name, model in totals.models.items()),
            slowest=self._slowest(totals),
            recorded=recorded,
            delivered=delivered,
            destination=pipeline.destination if pipeline is not None else None,
            dropped=pipeline.dropped() if pipeline is not None else {},
            kept=pipeline.kept if pipeline is not None else 0,
            journal=pipeline.journal.directory if pipeline is not None and pipeline.journal is not None else None,
            **({} if pipeline is None else {"advice": pipeline.advice}),
            delivery_error=pipeline.exporter.last_error if pipeline is not None else None,
        )

    @property
    def _trace_url(self) -> str | None:
        link = self.config.trace_url
        if link is None and self._pipeline is not None and self._pipeline.acknowledged(self.session_id):
            box = self._pipeline.exporter.transport.box
            return None if box is None else f"{box}/s/{self.session_id}"
        return None if link is None else viewer.address(link, trace_id=self.trace_id, session_id=self.session_id)

    def _duration(self) -> float:
        end = datetime.fromisoformat(self.end_timestamp) if self.end_timestamp else datetime.now(timezone.utc)
        return max(0.0, (end - datetime.fromisoformat(self.init_timestamp)).total_seconds())

    def _slowest(self, totals: Snapshot) -> tuple[str, float, float] | None:
        if totals.slowest is None:
            return None
        name, seconds = totals.slowest
        return name, seconds, min(1.0, seconds / (self._duration() or 1.0))

    def __repr__(self) -> str:
        state = "running" if self.end_state is None else self.end_state.value
        return f"<Session {self.session_id} {state}>"

    def _repr_html_(self) -> str:
        """A card for notebooks, and in one that has loaded the extension its spans; every text is escaped."""
        from .card import card, tree_of

        totals = self.totals
        facts = {
            "state": "running" if self.end_state is None else self.end_state.value,
            "reason": self.end_state_reason,
            "tags": ", ".join(self._tags),
            "LLM calls": totals.llm_calls,
            "tools": totals.tool_calls,
            "errors": f"{totals.errors} ({totals.recovered_errors} recovered)" if totals.errors else "",
            "tokens": f"{totals.usage.input_tokens:,} in, {totals.usage.output_tokens:,} out",
            "cost": "" if totals.cost is None else format_cost(totals.cost),
        }
        state = cast("State", "running" if self.end_state is None else self.end_state.value.lower())
        tree = "" if self._kept is None else tree_of(self._kept.rows, state)
        return card(self.name or self.session_id, facts.items(), self._trace_url, tree)


class UnrecordedSession(Session):
    """What a program gets when a bug of ours kept its session from starting: it has ended from the beginning."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tags: list[str] = []
        self._pipeline = None
        self._root = INVALID_SPAN
        self.config = Configuration()
        self.name = self.project_id = self.video = None
        self.owner = False
        self.session_id = ids.new_session_id()
        self.init_timestamp = self.end_timestamp = _iso(time.time_ns())
        self.end_state = EndState.Indeterminate
        self.end_state_reason = "The session could not be started"

    @property
    def trace_id(self) -> str:
        """The trace id that it would have had."""
        return f"{ids.trace_id(self.session_id):032x}"

    @property
    def totals(self) -> Snapshot:
        """Nothing."""
        return Snapshot()

    @property
    def host_env(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def environ(self) -> dict[str, str]:
        """Nothing: there is no session for a child process to join."""
        return {}
