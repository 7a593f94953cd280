"""The one seam that every call of a client passes: `request` of `SyncAPIClient` and `AsyncAPIClient`.

Whatever a user calls (create, parse, a stream helper, a raw response, Azure, a copy of a client) arrives there once,
before the retries and after the SDK has turned the arguments into what goes on the wire, so that no argument is
consumed or changed by us. `_process_response`, which runs inside it, hands over the HTTP response; without it only
headers and retries are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from functools import partial
from typing import Any, Final

from opentelemetry.context import get_current

from .. import context, providers
from ..context import Scope
from ..log import logger
from ..suppression import is_suppressed
from . import _credentials, _guard, _raw, _reading, _stream
from ._endpoint import Endpoint, Sdk
from ._given import Given
from ._span import Call, Server

_RAW_HEADER: Final = "X-Stainless-Raw-Response"
_MOST_SERVERS: Final = 64


class Exchange:
    """Where `_process_response` leaves the HTTP response for the `request` around it."""

    __slots__ = ("response", "retries")

    def __init__(self) -> None:
        self.response: Any = None
        self.retries = 0


_exchange: Final[ContextVar[Exchange | None]] = ContextVar("agentops_otel_exchange", default=None)


class Seam:
    """The wrappers of one SDK's client classes."""

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk
        self.active = True
        # By the identity of a client's URL object, which is kept alive here: hashing a URL costs more than all else
        # in here.
        self._servers: dict[int, tuple[Any, Server]] = {}
        self._given: Given | None = None
        self._refusing: set[str] = set()  # base URLs of hosts that refuse to be asked for the usage of a stream

    def request(self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around `SyncAPIClient.request(cast_to, options, *, stream, stream_cls)`."""
        begun = _guard.run(self._begin, client, args, kwargs)
        if begun is None:
            return wrapped(*args, **kwargs)
        try:
            _guard.run(begun.enter)
            while True:
                try:
                    result = wrapped(*begun.args, **begun.kwargs)
                    break
                except BaseException as error:
                    if not _guard.run(begun.take_back, error):
                        _guard.run(begun.failed, error)
                        raise
        finally:
            _guard.run(begun.leave)
        _guard.run(begun.returned, result)
        return result

    def async_request(
        self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around `AsyncAPIClient.request`: the coroutine that it would have returned, or ours around it."""
        if _guard.run(self._endpoint, args, kwargs) is None:
            return wrapped(*args, **kwargs)
        return self._async_request(wrapped, client, args, kwargs)

    async def _async_request(
        self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        begun = _guard.run(self._begin, client, args, kwargs)
        if begun is None:
            return await wrapped(*args, **kwargs)
        try:
            _guard.run(begun.enter)
            while True:
                try:
                    result = await wrapped(*begun.args, **begun.kwargs)
                    break
                except BaseException as error:
                    if not _guard.run(begun.take_back, error):
                        _guard.run(begun.failed, error)
                        raise
        finally:
            _guard.run(begun.leave)
        _guard.run(begun.returned, result)
        return result

    @staticmethod
    def process_response(
        wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around `_process_response(*, response, retries_taken, ...)` of both clients."""
        _guard.run(_note_response, kwargs)
        return wrapped(*args, **kwargs)

    def _endpoint(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Endpoint | None:
        options = args[1] if len(args) > 1 else kwargs["options"]
        return self._sdk.endpoint(options.method, options.url, kwargs.get("stream") is True) if self.active else None

    def _begin(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Begun | None:
        """Start the span; None for a call that is not to be recorded."""
        endpoint = self._endpoint(args, kwargs)
        # An empty context suppresses nothing, and is the usual one.
        if endpoint is None or (get_current() and is_suppressed()):
            return None
        _guard.run(_credentials.learn, client)
        if _reading.collected:
            _reading.drain()
        scope = self._scope()
        if scope is None:
            return None
        options = args[1] if len(args) > 1 else kwargs["options"]
        stream = kwargs.get("stream") is True
        body = options.json_data if endpoint.body is None else endpoint.body(options)
        if options.extra_json is not None or not isinstance(body, Mapping):
            body = _body(options)
        # The values of the header: `true` (the body is read), `stream` (it is not read yet).
        headers = options.headers
        raw = headers.get(_RAW_HEADER) if isinstance(headers, Mapping) else None
        server = _guard.run(self._server, client) or Server(self._sdk.name)
        call = Call(scope, self._sdk, endpoint, server, body, stream=stream)
        begun = _Begun(call, args, kwargs, raw, stream=stream)
        if stream and scope.config.stream_usage and raw is None:
            _guard.run(self._ask_for_usage, client, begun, options)
        return begun

    def _scope(self) -> Scope | None:
        provider = providers.given.tracer
        if provider is None:
            return context.scope_for("LLM calls")
        if self._given is None or self._given.provider is not provider:
            self._given = Given(provider)
        return self._given.scope()

    def _ask_for_usage(self, client: Any, begun: _Begun, options: Any) -> None:
        """Ask for the usage of a stream, unless the host has refused that before."""
        host = str(client.base_url)
        if host not in self._refusing:
            begun.ask_for_usage(options, refused=partial(self._remember_refusal, host))

    def _remember_refusal(self, host: str) -> None:
        logger.debug("%s refuses stream_options; the token usage of its streams is not requested again", host)
        if len(self._refusing) >= _MOST_SERVERS:
            self._refusing.clear()
        self._refusing.add(host)

    def _server(self, client: Any) -> Server:
        url = client.base_url
        known = self._servers.get(id(url))
        if known is not None:
            return known[1]
        host = url.host
        server = Server(self._sdk.provider(type(client), host), host, url.port or (80 if url.scheme == "http" else 443))
        if len(self._servers) >= _MOST_SERVERS:
            self._servers.clear()
        self._servers[id(url)] = (url, server)
        return server


class _Begun:
    """A recorded call on its way through the SDK."""

    __slots__ = ("_exchange", "_hidden", "_own", "_refused", "_tokens", "args", "call", "kwargs", "raw", "stream")

    def __init__(
        self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any], raw: str | None, *, stream: bool
    ) -> None:
        self.call = call
        self.args = args
        self.kwargs = kwargs
        self.stream = stream
        self.raw = raw
        self._own: tuple[tuple[Any, ...], dict[str, Any]] | None = None  # the caller's arguments, if ours differ
        self._refused: Callable[[], None] | None = None
        self._hidden: Callable[[Any], bool] | None = None
        self._exchange = Exchange()
        self._tokens: list[Token[Any]] = []

    def enter(self) -> None:
        """The SDK's call begins."""
        self._tokens.append(_exchange.set(self._exchange))
        self._tokens.append(self.call.enter())

    def leave(self) -> None:
        """The SDK's call is over."""
        while self._tokens:
            context.leave(self._tokens.pop())

    def ask_for_usage(self, options: Any, refused: Callable[[], None]) -> None:
        """Send a copy of the request that asks for token usage, and hide the chunk that the caller did not ask for.

        Args:
            refused: called when the host refused the question, and took the caller's own request.
        """
        endpoint = self.call.endpoint
        asking = endpoint.usage_option(self.call.body) if endpoint.usage_option is not None else None
        if asking is None:
            return
        self._own, self._refused = (self.args, self.kwargs), refused
        copy = options.model_copy() if hasattr(options, "model_copy") else options.copy()
        copy.json_data = asking
        copy.extra_json = None
        self._hidden = endpoint.is_usage_only
        if len(self.args) > 1:
            self.args = (self.args[0], copy, *self.args[2:])
        else:
            self.kwargs = {**self.kwargs, "options": copy}

    def take_back(self, error: BaseException) -> bool:
        """Whether only our question for usage was refused: then the caller's own request is sent, without it."""
        own, self._own = self._own, None
        if own is None or not self.call.refuses_usage(error):
            return False
        self.args, self.kwargs = own
        self._hidden = None
        return True

    def failed(self, error: BaseException) -> None:
        self._exchanged()
        _guard.run(_credentials.learn_sent, error)
        self.call.failed(error)

    def returned(self, result: Any) -> None:
        """End the span, or leave that to the end of the stream."""
        if self._own is None and self._refused is not None:
            self._refused()
        try:
            self._returned(result)
        except Exception:
            if self._hidden is not None:
                _stream.hide(result, self._hidden)
            raise

    def _returned(self, result: Any) -> None:
        call = self.call
        response = self._exchanged()
        if self.raw is not None:
            response = response if response is not None else result.http_response
            _raw.follow(call, response, streamed=self.stream)
        elif self.stream and hasattr(result, "_iterator"):
            _stream.follow(call, result, self._hidden)
        else:
            call.answered("null" if result is None else result)

    def _exchanged(self) -> Any:
        """Note what the HTTP response says, and let go of it."""
        exchange = self._exchange
        response, exchange.response = exchange.response, None
        self.call.retries = exchange.retries
        if response is not None:
            _guard.run(self.call.headers, response)
            _guard.run(_credentials.learn_sent, response)
        return response


def _note_response(arguments: Mapping[str, Any]) -> None:
    exchange = _exchange.get()
    if exchange is not None:
        exchange.response = arguments.get("response")
        exchange.retries = arguments.get("retries_taken") or 0


def _body(options: Any) -> Mapping[str, Any]:
    """The JSON of a request as it will be sent, `extra_body` included."""
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    return {**body, **options.extra_json} if isinstance(options.extra_json, Mapping) else body
