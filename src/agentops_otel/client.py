"""The client: what `init()` set up, until `shutdown()`, and everything that must happen however the process ends.

There is one for each process; which one is in `api.py`. What a session is, is in `_session.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from opentelemetry.context import Context

from . import context, guard, instrumentation
from ._session import Session
from .clock import monotonic
from .config import Configuration
from .context import Scope
from .end_state import EndState
from .exits import Exits
from .figures import format_count, format_losses
from .log import logger
from .pipeline.pipeline import Pipeline
from .pipeline.provider import SessionProvider
from .signals import Signals
from .span_failure import message_of
from .summary import print_summary

_sessions_ended = 0

_NORMAL_EXIT = "Process exited without calling end_session()"
_SHUT_DOWN = "shutdown() was called without end_session()"


class Client:
    """What `init()` set up, until `shutdown()`."""

    def __init__(self, config: Configuration) -> None:
        self.config = config
        self.sessions: dict[str, Session] = {}
        self.exits: Exits = Exits(
            Signals(self), failed=self._failed, ended=self._exited, interrupted=self.tell_what_is_missing
        )
        self.exit_deadline: float | None = None
        self.normal_exit = _NORMAL_EXIT
        self._told_of_fork = False
        self._spent = 0.0
        self._told: dict[str, int] = {}
        self._handed_over: dict[str, Session] = {}  # ended sessions that the worker delivers and tells of
        self._finishing = False  # it has been asked to
        # Last: its worker calls us from now on.
        self.provider: SessionProvider = SessionProvider(
            config, parent_for=_parent_for, current_trace_id=_current_trace_id, tick=self._tick
        )
        if not config.require_session:
            context.set_sessionless(Scope(self.provider.tracer, config))

    # Sessions

    def start(
        self,
        config: Configuration,
        inherited: str | None,
        tags: Iterable[str],
        name: str | None,
        *,
        scoped: bool = False,
        wait: bool | None = None,
    ) -> Session:
        """Start or join a session; making it current is the caller's part.

        Args:
            config: of the session.
            inherited: id of the session to join.
            tags: of the session.
            name: of the session.
            scoped: it belongs to a `with` block.
            wait: whether its end waits for the backend; None: see `_ended()`.
        """

        def ended(session: Session, now: bool | None) -> None:  # noqa: FBT001
            self._ended(session, wait=wait if now is None else now, scoped=scoped)

        session = Session(self.provider, config, inherited_session_id=inherited, tags=tags, name=name, on_end=ended)
        self.sessions[session.session_id] = session
        if not self.config._disabled:
            self.provider.worker.start()
        self._spent = 0.0
        return session

    def _ended(self, session: Session, *, wait: bool | None, scoped: bool) -> None:
        """A session has ended: deliver it and say so, here or in the background.

        Unless somebody asks for it, an event loop never waits, and a `with` block only for what would be lost with the
        process.
        """
        self.sessions.pop(session.session_id, None)
        if wait is None:
            pipeline = self.provider.pipeline(session.config)
            wait = pipeline is None or not (_in_event_loop() or (scoped and pipeline.on_disk))
        if wait or self.exit_deadline is not None:
            self._finish([session])
        else:
            self._hand_over(session)

    def _hand_over(self, session: Session) -> None:
        self._handed_over[session.session_id] = session
        if not self._finishing:
            self._finishing = True
            worker = self.provider.worker
            worker.submit(lambda: worker.stand_in(self._finish_handed_over))

    def _finish_handed_over(self) -> None:
        """Deliver all sessions that have ended since the last time with one flush."""
        self._finishing = False  # whoever hands over from now on asks anew
        self._finish(list(self._handed_over.values()), waited=False)

    def _deadline(self, session: Session, pipeline: Pipeline) -> float:
        """When the delivery of an ended session must be over; at the end of the process, its share of the time."""
        now = monotonic()
        if self.exit_deadline is None:
            return now + session.config.shutdown_timeout
        others = {self.provider.pipeline(other.config) for other in list(self.sessions.values())} - {None, pipeline}
        return now + (self.exit_deadline - now) / (1 + len(others))

    def _finish(self, sessions: Sequence[Session], *, waited: bool = True) -> None:
        started, flushed = monotonic(), set[Pipeline | None]({None})
        instrumentation.drain()
        for session in sessions:
            pipeline = self.provider.pipeline(session.config)
            if pipeline in flushed:
                continue
            flushed.add(pipeline)
            delivered = pipeline is None or pipeline.flush(self._deadline(session, pipeline), hurried=True)
            if waited:
                # Ending a session and leaving the process share one budget: what an unreachable backend took here is
                # gone there.
                self._spent = 0.0 if delivered else self._spent + monotonic() - started
        for session in sessions:
            if waited or self._handed_over.pop(session.session_id, None) is not None:
                self._tell(session)

    def _tell(self, session: Session) -> None:
        if session.config._tells and (session.owner or session.end_state is not EndState.Indeterminate):
            facts = session._summary()
            pipeline = self.provider.pipeline(session.config)
            missing = 0 if pipeline is None else pipeline.recorded - pipeline.exporter.counts.acknowledged
            if print_summary(facts, in_log=_further_session(session.config)) and pipeline is not None:
                self._told[pipeline.destination] = missing

    def note_reason(self, reason: str | None) -> None:
        """A signal has come that may be the end, or it has not been: for who finds the journal of a dead process."""
        for session in list(self.sessions.values()):
            session._note_reason(reason)  # noqa: SLF001

    def end_on_signal(self, reason: str, deadline: float, budget: float) -> None:
        """The process is about to die of a signal."""
        for pipeline in self.provider.pipelines:  # others may be waiting for a backend's answer
            pipeline.exporter.deadline = deadline - budget / 2
        self.provider.worker.stand_in(lambda: self.exit(reason, EndState.Fail, deadline))

    def in_background(self, task: Callable[[], object]) -> None:
        """Run a task on the worker."""
        self.provider.worker.submit(task)

    def _tell_of_handed_over(self) -> None:
        """Tell of what the worker had no time to tell of before the end."""
        for name in list(self._handed_over):
            session = self._handed_over.pop(name, None)
            if session is not None:
                self._tell(session)

    def _tick(self) -> None:
        self.exits.signals.tick()
        for session in list(self.sessions.values()):
            session._beat()

    # The end

    def budget(self) -> float:
        """How many seconds the end of the process may still take."""
        return max(0.05, self.config.shutdown_timeout - self._spent)

    def _failed(self, error: BaseException) -> None:
        """Every session of the process failed with this, unless it is ended otherwise before the process is gone."""
        for session in list(self.sessions.values()):
            if isinstance(error, KeyboardInterrupt) and not session.owner:  # it goes on where it was started
                continue
            session._fail_unless_ended(reason_of(error, session.config), error)

    def _exited(self, reason: str | None) -> None:
        """The process ends, and its sessions are open."""
        deadline = monotonic() + self.budget()
        self.exit(reason or self.normal_exit, None, deadline)
        if self.exits.signals.in_subinterpreter:  # Python aborts the process if one ends while it has threads
            self.close(max(0.0, deadline - monotonic()))

    def exit(self, reason: str, state: EndState | None, deadline: float) -> None:
        """End every session and deliver what can be delivered, until `deadline` (`time.monotonic()`)."""
        self.exit_deadline = deadline
        instrumentation.drain(everything=True)
        for pipeline in self.provider.pipelines:
            pipeline.exporter.closing = True
        context.silence()
        for session in list(self.sessions.values()):
            if state is not None:  # only a signal says how it ends
                session._wait_briefly()
            if state is None and session.config.skip_auto_end_session:
                session._leave_open()
            else:
                _end_quietly(session, reason, state)
        self.provider.flush(deadline - monotonic())
        self._tell_of_handed_over()
        self.tell_what_is_missing()
        self.provider.leave_journals()

    def tell_what_is_missing(self) -> None:
        """One line for spans that have not arrived, unless a summary has just said so."""
        for pipeline in self.provider.pipelines:
            missing = pipeline.recorded - pipeline.exporter.counts.acknowledged
            if missing <= self._told.get(pipeline.destination, 0):
                continue
            self._told[pipeline.destination] = missing
            kept, error = pipeline.kept, pipeline.exporter.last_error
            if missing > kept:
                logger.warning(
                    "not delivered: %d of %s to %s: %s",
                    missing - kept,
                    format_count(pipeline.recorded, "span"),
                    pipeline.destination,
                    format_losses(pipeline.dropped(), error) or "no answer in time",
                )
            if kept and pipeline.journal is not None:
                logger.warning(
                    "kept in %s: %d of %s, because %s did not accept them: %s. %s",
                    pipeline.journal.directory,
                    kept,
                    format_count(pipeline.recorded, "span"),
                    pipeline.destination,
                    error or "no answer in time",
                    pipeline.advice[0].upper() + pipeline.advice[1:],
                )

    def close(self, timeout: float) -> None:
        """End everything; a later `init()` starts anew."""
        self.exit_deadline = deadline = monotonic() + timeout
        steps: tuple[Callable[[], object], ...] = (
            lambda: instrumentation.drain(everything=True),
            self._end_sessions,
            instrumentation.uninstrument,
            lambda: self.provider.close(deadline - monotonic()),
            self._tell_of_handed_over,
            self.tell_what_is_missing,
            self.provider.leave_journals,
            lambda: context.set_sessionless(None),
            lambda: context.set_process(None),
            self.exits.remove,
        )
        for step in steps:  # each on its own: what hooks into the program is taken out whatever else fails
            try:
                step()
            except Exception:
                guard.report("shutdown()")

    def _end_sessions(self) -> None:
        for session in list(self.sessions.values()):
            _end_quietly(session, _SHUT_DOWN, None)

    def after_fork(self) -> None:
        """In a forked child: the sessions are the parent's, and the child takes part in them."""
        self.exits.after_fork()
        self.provider.after_fork()
        self._handed_over.clear()
        self._finishing = False
        for session in self.sessions.values():
            session._after_fork()

    def has_forked(self) -> None:
        """In the process that has forked."""
        self.provider.has_forked()
        if self._told_of_fork:
            return
        configs = (pipeline.config for pipeline in self.provider.pipelines)
        if any(config.protocol == "grpc" and config.exporter is None for config in configs):
            self._told_of_fork = True
            logger.warning("gRPC can hang in a process that forks: use protocol='http/protobuf'")


def _end_quietly(session: Session, reason: str, state: EndState | None) -> None:
    try:
        session._end_because(reason, state)
    except Exception:
        guard.report("the end of a session")


def _further_session(config: Configuration) -> bool:
    """Whether another session has ended here before, as in a server, and the user did not ask for each summary."""
    global _sessions_ended
    _sessions_ended += 1
    return _sessions_ended > 1 and "summary" not in config._given and "summary" not in config._sources


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _parent_for(otel_context: Context | None) -> Context | None:
    """Where a span without a parent belongs: in the current session, if there is one."""
    scope = context.session_scope(otel_context)
    return None if scope is None else scope.context


def _current_trace_id(otel_context: Context | None) -> int | None:
    scope = context.session_scope(otel_context)
    return None if scope is None else scope.trace_id


def reason_of(error: BaseException, config: Configuration) -> str:
    """An exception as the reason of an end."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted (SIGINT)"
    if config.capture_content == "off":  # an exception's text can quote a prompt
        return type(error).__name__
    return f"{type(error).__name__}: {message_of(error)}".removesuffix(": ")
