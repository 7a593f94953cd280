"""Global state department: `init()`, the current session, the hooks of the process's end, `shutdown()`.

There is one client per process. Everything that must happen however the process ends is here; what a session is, is in
`_session.py`.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext

from . import context, environment, events, guard, instrumentation
from ._session import EndState, EndStateName, Session, UnrecordedSession, clean_tags
from .clock import monotonic
from .config import Configuration, Settings, check_names
from .context import Scope
from .exits import Exits, is_interrupt
from .figures import format_count
from .log import logger
from .pipeline import ids
from .pipeline.provider import Pipeline, SessionProvider
from .signals import Signals
from .summary import print_summary

if TYPE_CHECKING:
    from typing_extensions import Unpack


_lock = threading.RLock()
_client: Client | None = None
_sessions_ended = 0

_NORMAL_EXIT = "Process exited without calling end_session()"
_EXIT_IN_BLOCK = "sys.exit() was called"
_UNATTENDED_EXIT = "Process exited"  # of a program that does not know us
_LONGEST_WAIT = 86_400.0  # seconds; waiting for ever is more than a lock can be told
_SHUT_DOWN = "shutdown() was called without end_session()"


class Client:
    """What `init()` set up, until `shutdown()`."""

    def __init__(self, config: Configuration) -> None:
        self.config = config
        self.sessions: dict[str, Session] = {}
        self.provider: SessionProvider = SessionProvider(
            config, parent_for=_parent_for, current_trace_id=_current_trace_id, tick=self._tick
        )
        self.exits: Exits = Exits(
            Signals(self), failed=self._failed, ended=self._exited, interrupted=self.tell_what_is_missing
        )
        self.exit_deadline: float | None = None
        self.normal_exit = _NORMAL_EXIT
        self.told_of_fork = False
        self._spent = 0.0
        self._told: dict[str, int] = {}
        self._handed_over: dict[str, Session] = {}  # ended sessions that the worker delivers and tells of
        self._finishing = False  # it has been asked to
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
            session._fail_unless_ended(_reason(error, session.config), error)

    def _exited(self, reason: str | None) -> None:
        """The process ends, and its sessions are open."""
        self.exit(reason or self.normal_exit, None, monotonic() + self.budget())

    def exit(self, reason: str, state: EndState | None, deadline: float) -> None:
        """End every session and deliver what can be delivered, until `deadline` (`time.monotonic()`)."""
        self.exit_deadline = deadline
        instrumentation.drain(everything=True)
        for pipeline in self.provider.pipelines:
            pipeline.exporter.closing = True
        context.hush()
        for session in list(self.sessions.values()):
            if state is not None:  # only a signal says how it ends
                session._hurry()
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
            lost = [f"{number} {reason}" for reason, number in pipeline.dropped().items()]
            if missing > kept:
                logger.warning(
                    "not delivered: %d of %s to %s: %s",
                    missing - kept,
                    format_count(pipeline.recorded, "span"),
                    pipeline.destination,
                    "; ".join([*lost, *([error] if error else [])]) or "no answer in time",
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


# What users call ------------------------------------------------------------------------------------------------------


def init(
    api_key: str | None = None,
    *,
    tags: Iterable[str] | None = None,
    inherited_session_id: str | None = None,
    name: str | None = None,
    **settings: Unpack[Settings],
) -> str | None:
    """Set everything up and start a session.

    Args:
        api_key: key of the project; needed by backends that ask for one.
        tags: tags of the session that is started.
        inherited_session_id: join this session of another process instead of starting one. `Session.environ()` gives a
            child process the variables that make its `init()` join by itself.
        name: name of the session, for people.
        **settings: any of `Configuration`'s.

    Returns:
        The session's id (UUID text; its digits are the trace id), or None with `auto_start_session=False`.

    Raises:
        ConfigurationError: a setting has a value that is not allowed; nothing was set up.
        TypeError: a keyword is not a setting.
        ValueError: `inherited_session_id` is not a UUID.

    Example:
        ```python
        import agentops_otel as agentops

        agentops.init(endpoint="http://localhost:4318", tags=["checkout"])
        ...  # the work of the agent
        agentops.end_session("Success")
        ```
    """
    check_names(dict(settings), "init()")
    config = Configuration(api_key, **settings)
    return _init(config, _inherited(inherited_session_id), tags, name, joins=inherited_session_id is not None)


def init_unattended(**settings: Any) -> None:
    """As `init()`, for a program without a line about us: nobody is to blame for a session that it leaves open."""
    is_first = _client is None
    init(**settings)
    if is_first and _client is not None:
        _client.normal_exit = _UNATTENDED_EXIT


@guard.logged("init()", None)
def _init(
    config: Configuration, inherited: str | None, tags: Iterable[str] | None, name: str | None, *, joins: bool
) -> str | None:
    global _client
    with _lock:
        if _client is None:
            _client = Client(config)
            if not config._disabled:
                _client.exits.install()
                if config.instrument_llm_calls:
                    instrumentation.instrument()
        else:
            if config._given and config._export_key != _client.config._export_key:
                logger.warning(
                    "init() was called before with other settings; they stay as they are. Call shutdown() first."
                )
            else:
                logger.debug("init() was called before; nothing is set up twice")
            active = current_session()
            if active is not None and not (tags or name or joins):
                return active.session_id
        if inherited is None and not config.auto_start_session:
            return None
        return _start_process_session(_client, _client.config, inherited, tags, name).session_id


def start_session(
    tags: Iterable[str] | None = None,
    config: Configuration | Settings | str | None = None,
    inherited_session_id: str | None = None,
    *,
    name: str | None = None,
) -> str:
    """Start the process's session, or join one of another process.

    Args:
        tags: tags of this session, after the default tags.
        config: settings for this session, as a `Configuration` or a dict of its keywords; what it does not name stays
            as `init()` was told. A text here is the `inherited_session_id`, which came second in AgentOps.
        inherited_session_id: UUID of the session to join.
        name: name of the session, for people.

    Returns:
        The session's id. While a session is active, a warning says so and its id is returned; nothing is overwritten.

    Raises:
        ValueError: `inherited_session_id` is not a UUID.
        ConfigurationError: a setting in the dict has a value that is not allowed.
        TypeError: `config` is neither, or a key of the dict is not a setting.
    """
    own, inherited = _told_apart(config, inherited_session_id)
    session = _start(own, _inherited(inherited), tags, name) or UnrecordedSession()
    return session.session_id


@guard.logged("start_session()", None)
def _start(
    config: Configuration | None, inherited: str | None, tags: Iterable[str] | None, name: str | None
) -> Session | None:
    client = _ready()
    return _start_process_session(client, client.config._merged(config), inherited, tags, name)


def end_session(
    end_state: EndState | EndStateName | None = None,
    end_state_reason: str | None = None,
    video: str | None = None,
    is_auto_end: bool | None = None,  # noqa: FBT001  (AgentOps' signature)
    *,
    wait: bool | None = None,
) -> None:
    """End the current session and deliver it.

    Args:
        end_state: `EndState` or its name: Success, Fail, Indeterminate.
        end_state_reason: why, for people.
        video: URL or local file of a recording.
        is_auto_end: for frameworks that end sessions by themselves: with `skip_auto_end_session` such an end is
            ignored.
        wait: until the backend has answered, at most `shutdown_timeout` seconds. When left out, it waits, except in an
            event loop, and in a `with session()` block whose spans are safe in the journal: then they are delivered in
            the background, at the latest at the end of the process.

    Raises:
        ValueError: `end_state` is not valid; the session stays open.
    """
    session = current_session()
    if session is None:
        logger.warning("end_session(): no session is active; nothing was changed")
        return
    if is_auto_end and session.config.skip_auto_end_session:
        return
    session.end(end_state, end_state_reason, video, wait=wait)


@guard.logged("current_session()", None)
def current_session() -> Session | None:
    """The session that work done here belongs to: the context's own, else the process's."""
    scope = context.session_scope()
    found = None if scope is None else scope.session
    return found if isinstance(found, Session) else None


@guard.logged("add_tags()", None)
def add_tags(tags: Iterable[str] | str) -> None:
    """Add tags to the current session."""
    session = _current_for("add_tags()")
    if session is not None:
        session.add_tags(tags)


@guard.logged("set_tags()", None)
def set_tags(tags: Iterable[str] | str) -> None:
    """Replace the tags of the current session."""
    session = _current_for("set_tags()")
    if session is not None:
        session.set_tags(tags)


@guard.logged("score()", None)
def score(
    name: str, value: float | str, comment: str | None = None, span: Span | SpanContext | str | None = None
) -> None:
    """Say how good the current session was, or one of its spans.

    Args:
        name: what was judged, such as `"correct"`.
        value: a number, True or False, or a word such as `"good"`.
        comment: why.
        span: a span of OpenTelemetry, its context, or its id as 16 hex digits; None is the whole session.

    Example:
        ```python
        import agentops_otel as agentops

        agentops.init()
        agentops.score("correct", True, "the order number is right")
        agentops.end_session("Success")
        ```
    """
    session = _current_for("score()")
    if session is not None:
        session.score(name, value, comment, span)


@guard.logged("flush()", instead=False)
def flush(timeout: float = 2.0) -> bool:
    """Send what waits, now.

    Args:
        timeout: longest time in seconds.

    Returns:
        True only if the backend acknowledged everything that was handed over since the last flush.
    """
    client = _client
    seconds = _wait("flush()", timeout, 2.0)
    instrumentation.drain()
    return True if client is None else client.provider.flush(seconds)


@guard.logged("shutdown()", None)
def shutdown(timeout: float = 2.0) -> None:
    """End open sessions, deliver within `timeout` seconds, restore patches and hooks.

    `init()` works again afterwards.
    """
    global _client
    context.set_join(None)
    with _lock:
        client, _client = _client, None
    if client is not None:
        client.close(_wait("shutdown()", timeout, 2.0))


class session:  # noqa: N801  (used like a function: `with session():`)
    """A session for the length of a `with` or `async with` block.

    Inside an active session the block joins it: the tags are added and the block does not end it. Otherwise it starts a
    session of its own, which other tasks and threads do not see. An exception ends it as Fail and propagates; a normal
    end is Success, unless the block ended it itself.

    Args:
        tags: tags of this session.
        config: settings for this session, as for `start_session()`.
        inherited_session_id: join this session of another process.
        name: name of the session, for people.
        wait: whether the end of the block waits for the backend, as in `end_session()`.

    Raises:
        ValueError: on entry: `inherited_session_id` is not a UUID.

    Example:
        ```python
        import agentops_otel as agentops

        agentops.init(auto_start_session=False)
        with agentops.session(tags=["shop"], name="order 1842") as session:
            ...  # the work of the agent
        print(session.end_state, session.totals.cost)
        ```
    """

    def __init__(
        self,
        tags: Iterable[str] | None = None,
        config: Configuration | Settings | str | None = None,
        inherited_session_id: str | None = None,
        *,
        name: str | None = None,
        wait: bool | None = None,
    ) -> None:
        self._wait = wait
        self._tags = tags
        self._config, self._inherited = _told_apart(config, inherited_session_id)
        self._name = name
        self._session: Session | None = None
        self._token: Token[Context] | None = None

    def __enter__(self) -> Session:
        inherited = ids.parse_session_id(self._inherited) if self._inherited else None
        try:
            self._session = self._enter(inherited)
        except Exception:
            guard.report("with session()")
            self._session = UnrecordedSession()
        return self._session

    def _enter(self, inherited: str | None) -> Session:
        client = _ready()
        active = current_session()
        if active is not None:
            if inherited is not None and inherited != active.session_id:
                logger.warning("session %s is active; another one is not joined", active.session_id)
            active.add_tags(self._tags or ())
            return active
        tags = clean_tags(self._tags) or ()
        config = client.config._merged(self._config)
        session = client.start(config, inherited, tags, self._name, scoped=True, wait=self._wait)
        self._token = context.attach(session._scope)
        return session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session = self._session
        token = self._token
        self._session = self._token = None
        if session is None or token is None:
            return
        try:
            context.detach(token, session._scope)
        except Exception:
            guard.report("with session()")
        try:
            self._end(session, error)
        except Exception:
            guard.report("with session()")

    @staticmethod
    def _end(session: Session, error: BaseException | None) -> None:
        if not session.is_running:
            return
        if is_interrupt(error):
            error = KeyboardInterrupt().with_traceback(error.__traceback__ if error is not None else None)
        if error is None:
            session.end(EndState.Success)
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            session.end(EndState.Indeterminate, "Cancelled")
        elif isinstance(error, SystemExit):
            session._end_because(_EXIT_IN_BLOCK, None)
        else:
            session._fail_unless_ended(_reason(error, session.config), error)
            session.end()

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def _ready() -> Client:
    """The client; a call before `init()` sets it up with what environment and defaults say, without a session."""
    if _client is None:
        init(auto_start_session=False)
    assert _client is not None  # noqa: S101
    return _client


def _told_apart(config: object, inherited: str | None) -> tuple[Configuration | None, str | None]:
    """The settings, and the session to join; its id came second in AgentOps, where the settings are here."""
    if inherited is None and isinstance(config, (str, UUID)):
        return None, str(config)
    return _configured(config), inherited


def _configured(config: object) -> Configuration | None:
    """The settings of one session, which may come as a dict."""
    if config is None or isinstance(config, Configuration):
        return config
    if not isinstance(config, Mapping):
        raise TypeError(f"config={config!r:.80} is not valid: expected a Configuration, or a dict of its settings")
    check_names(set(map(str, config)), "config")
    return Configuration(**config)


def _wait(call: str, timeout: object, default: float) -> float:
    """How many seconds a call may take; a text of digits is a number, too, and what is none is told."""
    if timeout is None:
        return default
    try:
        seconds = float(timeout)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if math.isnan(seconds):
        logger.warning(
            "%s: timeout=%.80r is not valid: expected a number of seconds. %g s is used", call, timeout, default
        )
        return default
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _current_for(call: str) -> Session | None:
    found = current_session()
    if found is None:
        logger.warning("%s: no session is active; nothing was changed", call)
    return found


def _inherited(given: str | None) -> str | None:
    """The session to join: the argument, which must be right, else the parent process's variable, which need not."""
    if given:
        return ids.parse_session_id(given)
    variable = context.inherited_session_id()
    if variable is None:
        return None
    try:
        return ids.parse_session_id(variable)
    except ValueError as error:
        logger.warning("%s is ignored: %s", context.INHERITED_VARIABLE, error)
        return None


def _join() -> None:
    """The first recorded call of a process that was given a session and never called `init()`."""
    with _lock:
        try:
            if _client is None:
                init()
        except Exception:
            guard.report("joining a session")
        finally:
            context.set_join(None)


context.set_join(_join)


def _start_process_session(
    client: Client, config: Configuration, inherited: str | None, tags: Iterable[str] | None, name: str | None
) -> Session:
    with _lock:
        active = current_session()
        if active is not None:
            if active.session_id != inherited:
                logger.warning("session %s is active; another one is not started", active.session_id)
            return active
        session = client.start(config, inherited, clean_tags(tags) or (), name)
        context.set_process(session._scope)
    if not client.provider.own:
        # Spans of the host's provider find the session only by the context. Where the provider is ours it sees to that
        # itself.
        session._attached(context.attach(session._scope))
    return session


def _reason(error: BaseException, config: Configuration) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted (SIGINT)"
    if config.capture_content == "off":  # an exception's text can quote a prompt
        return type(error).__name__
    return f"{type(error).__name__}: {events.message_of(error)}".removesuffix(": ")


def after_fork() -> None:
    """In a forked child."""
    global _lock
    _lock = threading.RLock()
    environment.after_fork()
    context.after_fork()
    client = _client
    if client is None:
        return
    try:
        client.after_fork()
    except Exception:
        guard.report("fork")


def after_fork_in_parent() -> None:
    """In the process that has forked."""
    client = _client
    if client is None:
        return
    try:
        client.provider.has_forked()
        if client.told_of_fork:
            return
        configs = (pipeline.config for pipeline in client.provider.pipelines)
        if any(config.protocol == "grpc" and config.exporter is None for config in configs):
            client.told_of_fork = True
            logger.warning("gRPC can hang in a process that forks: use protocol='http/protobuf'")
    except Exception:
        guard.report("fork")
