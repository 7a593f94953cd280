"""Around `send` and `recv_bytes` of a connection over which several responses are asked for and come, piece by piece.

Each response is a span, from the event that begins it to the one that ends it. Whatever happens to the connection (an
error, `close()`, the garbage collector) ends the spans of the responses that were under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit
from weakref import WeakKeyDictionary

import msgspec

from .. import context, guard, semconv
from ..suppression import is_suppressed
from . import _credentials, _given, _reading
from ._content import fields
from ._endpoint import Endpoint, Server, StainlessSdk, Talk, no_code, server_at
from ._reading import Reading
from ._span import Call

_BEGINS: Final = "response.created"
_CLOSED: Final = ("ConnectionClosedOK", "ConnectionClosed", "ConnectionClosedError")
_SOUNDS: Final = frozenset({"response.output_audio.delta", "response.audio.delta"})


class _Head(msgspec.Struct):
    """What is wanted of an event with sound, which is most of what comes; the sound itself is not made a text."""

    type: str = ""
    response_id: str = ""


_head: Final = msgspec.json.Decoder(_Head)


class _Connection:
    """One connection: where it leads, what was said, and the responses under way by their id."""

    __slots__ = ("lanes", "open", "server", "talk")

    def __init__(self, server: Server, talk: Talk) -> None:
        self.server = server
        self.talk = talk
        self.open: dict[str, Reading] = {}
        self.lanes: dict[str, Any] = {}


class ConnectionInstrumentation:
    """The wrappers of one class of connections."""

    def __init__(self, sdk: StainlessSdk, endpoint: Endpoint, talk: Callable[[str | None], Talk]) -> None:
        # The codes of websockets are those of its protocol, and to ask its exceptions for them is deprecated.
        self._sdk = msgspec.structs.replace(sdk, error_code=no_code)
        self._endpoint = endpoint
        self._talk = talk
        self._known: WeakKeyDictionary[Any, _Connection] = WeakKeyDictionary()
        self.active = True

    def send(self, wrapped: Callable[..., Any], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around `send(event)`, a function or a coroutine function."""
        guard.run(self._sent, connection, args[0] if args else kwargs.get("event"))
        return wrapped(*args, **kwargs)

    def receive(
        self, wrapped: Callable[..., Any], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around `recv_bytes()`."""
        try:
            message = wrapped(*args, **kwargs)
        except Exception as error:
            guard.run(self._broken, connection, error)
            raise
        guard.run(self._received, connection, message)
        return message

    def async_receive(
        self, wrapped: Callable[..., Any], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around the `recv_bytes()` that is a coroutine function."""
        return self._async_receive(wrapped, connection, args, kwargs) if self.active else wrapped(*args, **kwargs)

    async def _async_receive(
        self, wrapped: Callable[..., Any], connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            message = await wrapped(*args, **kwargs)
        except Exception as error:
            guard.run(self._broken, connection, error)
            raise
        guard.run(self._received, connection, message)
        return message

    def _connection(self, connection: Any) -> _Connection:
        known = self._known.get(connection)
        if known is None:
            known = self._known[connection] = self._look_at(connection)
        return known

    def _look_at(self, connection: Any) -> _Connection:
        """What the handshake says: the host, the model, and what the client lets itself in with."""
        asked = getattr(getattr(connection, "_connection", None), "request", None)
        headers = getattr(asked, "headers", {})
        url = urlsplit(f"//{headers.get('Host', '')}{getattr(asked, 'path', '')}")
        try:
            _credentials.learn_headers(headers)
            _credentials.learn_query(parse_qsl(url.query))
        except Exception:
            guard.report("what a connection lets itself in with")
        host = url.hostname or ""
        query = parse_qs(url.query)
        models = query.get("model") or query.get("deployment") or [""]
        server = server_at(self._sdk.provider(type(connection), host), f"https:{url.geturl()}")
        return _Connection(server, self._talk(models[0] or None))

    def _sent(self, connection: Any, event: Any) -> None:
        if self.active:
            self._connection(connection).talk.sent(fields(event))

    def _received(self, connection: Any, message: Any) -> None:
        if not self.active:
            return
        event = _event(message)
        kind = event.get("type")
        known = self._connection(connection)
        reading = _response_of(known, event)
        if kind == _BEGINS:
            self._begin(known, connection, event)
        elif kind == "error" and (body := known.talk.refused(event)) is not None:
            call = self._call(known, body)
            if call is not None:
                call.answered({"error": event.get("error") or event})
        elif reading is None or (kind == "error" and not known.talk.errors_end):
            heard = known.talk.received(event)
            if heard is not None and (call := self._call(known, heard.body, heard.endpoint)) is not None:
                call.answered(heard.answer)
        elif isinstance(kind, str) and kind.endswith(".delta"):
            reading.keep(event)
        else:
            _take(reading, event)
            if kind == "error" or (reading.fold is not None and reading.fold.done):
                _forget(known, reading)
                reading.finish(semconv.OUTCOME_COMPLETED)
                _watch_close(known, connection)

    def _begin(self, known: _Connection, connection: Any, event: Mapping[str, Any]) -> None:
        body, first = known.talk.begins(event)
        call = self._call(known, body)
        if call is None:
            return
        reading = Reading(call)
        _take(reading, first)
        name = str(fields(event.get("response")).get("id"))
        known.open[name] = reading
        known.lanes[name] = event.get("stream_id")
        reading.watch(connection)
        _watch_close(known, connection)

    def _call(self, known: _Connection, body: Mapping[str, Any], endpoint: Endpoint | None = None) -> Call | None:
        if context.CURRENT.get() and is_suppressed():
            return None
        if _reading.collected:
            _reading.drain()
        scope = _given.scope()
        if scope is None:
            return None
        return Call(scope, self._sdk, endpoint or self._endpoint, known.server, body, stream=endpoint is None)

    def _broken(self, connection: Any, error: Exception) -> None:
        """The connection is at its end; what else is raised while waiting says nothing about the responses."""
        known = self._known.get(connection)
        if known is not None and type(error).__name__ in _CLOSED:
            for reading in _all(known):
                if type(error).__name__ == _CLOSED[0]:
                    reading.finish(semconv.OUTCOME_CLOSED)
                else:
                    reading.fail(error)


def _event(message: Any) -> Mapping[str, Any]:
    """An event; nothing where a message is none."""
    try:
        head = _head.decode(message)
        if head.type in _SOUNDS:
            return {"type": head.type, "response_id": head.response_id}
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        pass
    try:
        return fields(msgspec.json.decode(message))
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return {}


def _response_of(known: _Connection, event: Mapping[str, Any]) -> Reading | None:
    """The response under way to which an event belongs; one that names none belongs to the last of its lane."""
    if not known.open:
        return None
    name = event.get("response_id") or fields(event.get("response")).get("id")
    if name is not None:
        return known.open.get(name) if isinstance(name, str) else None
    kind = event.get("type")
    if not isinstance(kind, str) or not kind.startswith(("response.", "error")):
        return None
    lane = event.get("stream_id")
    return next((known.open[name] for name in reversed([*known.open]) if known.lanes.get(name) == lane), None)


def _take(reading: Reading, event: Mapping[str, Any]) -> None:
    """Fold an event that is no piece of the answer, and so is not counted as one."""
    if reading.pending:
        reading.fold_pending()
    if reading.fold is not None:
        reading.fold.extend([event])


def _forget(known: _Connection, reading: Reading) -> None:
    for name in [name for name, other in [*known.open.items()] if other is reading]:
        known.open.pop(name, None)
        known.lanes.pop(name, None)


def _all(known: _Connection) -> list[Reading]:
    """The responses under way, which are so no more."""
    readings = [*known.open.values()]
    known.open.clear()
    known.lanes.clear()
    return readings


def _watch_close(known: _Connection, connection: Any) -> None:
    """Be told of `close()` as long as a response is under way; one that ends takes the hook off."""
    if known.open:
        vars(connection)["close"] = partial(_close, known, connection)


def _close(known: _Connection, connection: Any, *args: Any, **kwargs: Any) -> Any:
    """In the place of a connection's own `close()`, a function or a coroutine function."""
    guard.run(_closed, known, connection)
    return type(connection).close(connection, *args, **kwargs)


def _closed(known: _Connection, connection: Any) -> None:
    vars(connection).pop("close", None)
    for reading in _all(known):
        guard.run(reading.finish, semconv.OUTCOME_CLOSED)
