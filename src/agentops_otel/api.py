"""What users call: `init()`, the current session, `with session()`, `flush()`, `shutdown()`.

Which client and which session there are is kept here, and nowhere else.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterable, Mapping
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext

from . import context, environment, guard, instrumentation
from ._session import Session, UnrecordedSession
from .client import Client, reason_of
from .config import Configuration, Settings, check_names
from .end_state import EndState, EndStateName
from .exits import is_interrupt
from .log import logger
from .pipeline import ids
from .tags import clean_tags

if TYPE_CHECKING:
    from typing_extensions import Unpack


_lock = threading.RLock()
_client: Client | None = None

_EXIT_IN_BLOCK = "sys.exit() was called"
_UNATTENDED_EXIT = "Process exited"  # of a program that does not know us
_LONGEST_WAIT = 86_400.0  # seconds; waiting for ever is more than a lock can be told


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
            session._fail_unless_ended(reason_of(error, session.config), error)
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
        shown = environment.shown(config)
        raise TypeError(f"config={shown} is not valid: expected a Configuration, or a dict of its settings")
    check_names({name if isinstance(name, str) else environment.shown(name) for name in config}, "config")
    return Configuration(**config)


def _wait(call: str, timeout: object, default: float) -> float:
    """How many seconds a call may take; a text of digits is a number, too, and what is none is told."""
    if timeout is None:
        return default
    try:
        seconds = float(timeout)  # type: ignore[arg-type]
    except OverflowError:  # a whole number that is larger than a float can be
        seconds = math.inf if timeout > 0 else 0.0  # type: ignore[operator]
    except Exception:
        seconds = math.nan
    if math.isnan(seconds):
        shown = environment.shown(timeout)
        logger.warning("%s: timeout=%s is not valid: expected a number of seconds. %g s is used", call, shown, default)
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
        client.has_forked()
    except Exception:
        guard.report("fork")
