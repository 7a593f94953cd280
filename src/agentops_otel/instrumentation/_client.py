"""Around `request` of `SyncAPIClient` and `AsyncAPIClient`, which every call of a client passes.

Whatever a user calls (create, parse, a stream helper, a raw response, Azure, a copy of a client) arrives there once,
before the retries and after the SDK has turned the arguments into what goes on the wire, so that no argument is
consumed or changed by us. `_process_response`, which runs inside it, hands over the HTTP response; without it the
answer is read from the SDK's model, and headers and retries are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec

from .. import context, guard, secrets
from ..suppression import is_suppressed
from . import _credentials, _given, _options, _raw, _reading, _stream
from ._content import sent
from ._endpoint import Endpoint, Server, StainlessSdk, server_at
from ._span import Call, under_way
from ._stream_usage import Hosts

_RAW_HEADER: Final = "X-Stainless-Raw-Response"


class _Known:
    """What was found out about a client, and from what: it is right as long as that is the same."""

    __slots__ = ("forms", "key", "server", "url")

    def __init__(self, url: Any, key: Any, server: Server) -> None:
        self.url = url
        self.key = key
        self.server = server
        self.forms = secrets.forms


class ClientInstrumentation:
    """The wrappers of one SDK's client classes."""

    def __init__(self, sdk: StainlessSdk) -> None:
        self._sdk = sdk
        self.active = True
        self._clients: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()
        self._hosts = Hosts(sdk)

    def request(self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Around `SyncAPIClient.request(cast_to, options, *, stream, stream_cls)`."""
        call = guard.run(self._begin, client, args, kwargs)
        if call is None:
            return wrapped(*args, **kwargs)
        try:
            call.begin()
            while True:
                try:
                    result = wrapped(*call.args, **call.kwargs)
                    break
                except BaseException as error:
                    if not guard.run(_goes_on, call, error):
                        raise
        finally:
            call.leave()
        guard.run(_returned, call, result)
        return result

    def async_request(
        self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around `AsyncAPIClient.request`: the coroutine that it would have returned, or ours around it."""
        if guard.run(self._endpoint, args, kwargs) is None:
            return wrapped(*args, **kwargs)
        return self._async_request(wrapped, client, args, kwargs)

    async def _async_request(
        self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        call = guard.run(self._begin, client, args, kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        try:
            call.begin()
            while True:
                try:
                    result = await wrapped(*call.args, **call.kwargs)
                    break
                except BaseException as error:
                    if not guard.run(_goes_on, call, error):
                        raise
        finally:
            call.leave()
        guard.run(_returned, call, result)
        return result

    def process_response(
        self, wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Around `_process_response(*, response, retries_taken, ...)` of both clients."""
        try:
            call = under_way.get()
            if call is not None and call.sdk is self._sdk:
                call.response = kwargs.get("response")
                call.retries = kwargs.get("retries_taken") or 0
                _prepared(call, kwargs["options"])
        except Exception:
            guard.report("the response of a call")
        return wrapped(*args, **kwargs)

    def _endpoint(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Endpoint | None:
        options = _options.given(args, kwargs)
        return self._sdk.endpoint(options.method, options.url, kwargs.get("stream") is True) if self.active else None

    def _begin(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Start the span; None for a call that is not to be recorded."""
        endpoint = self._endpoint(args, kwargs)
        # An empty context suppresses nothing, and is the usual one.
        if endpoint is None or (context.CURRENT.get() and is_suppressed()):
            return None
        around = under_way.get()
        if around is not None and around.is_inside and around.sdk.is_built_on_others:
            return None  # another SDK makes its call with this one
        try:
            server = self._server(client)
            url = _options.given(args, kwargs).url
            if "://" in url:  # an SDK can have several hosts for its kinds of calls
                server = server_at(server.provider, url)
        except Exception:
            guard.report("the server of a call")
            server = Server(self._sdk.name)
        if _reading.collected:
            _reading.drain()
        scope = _given.scope()
        if scope is None:
            return None
        options = _options.given(args, kwargs)
        body = options.json_data if endpoint.body is None else endpoint.body(options)
        is_object = type(body) is dict or isinstance(body, Mapping)  # (the first is quick, and usual)
        if not is_object or (options.extra_json is not None and endpoint.body is None):
            body = _body(options)
        stream, headers = kwargs.get("stream") is True, options.headers
        raw = headers.get(_RAW_HEADER) if isinstance(headers, Mapping) else None
        call = Call(scope, self._sdk, endpoint, server, body, stream=stream, raw=raw)
        quiet = self._sdk.quiet
        is_traced = bool(quiet) and all(hasattr(options, name) for name in quiet)  # by release
        call.args, call.kwargs = _options.changed(args, kwargs, quiet) if is_traced else (args, kwargs)
        if stream and raw is None and scope.config.stream_usage:
            try:
                self._hosts.ask(client, call)
            except Exception:
                guard.report("the question for the usage of a stream")
        return call

    def _server(self, client: Any) -> Server:
        """Where the requests of a client go; what it lets itself in with is learnt."""
        known = self._clients.get(client)
        # The property imports a module each time.
        url, key = getattr(client, "_base_url", None) or client.base_url, getattr(client, "api_key", None)
        if known is None or known.url is not url or known.key is not key or known.forms is not secrets.forms:
            known = self._clients[client] = self._look_at(client, url, key, is_new=known is None)
        return known.server

    def _look_at(self, client: Any, url: Any, key: Any, *, is_new: bool) -> _Known:
        try:
            if is_new:
                _credentials.learn(client)
            else:
                secrets.learn(key)
        except Exception:
            guard.report("the keys of a client")
        host = url.host
        port = url.port or (80 if url.scheme == "http" else 443)
        return _Known(url, key, Server(self._sdk.provider(type(client), host), host, port))


def _goes_on(call: Call, error: BaseException) -> bool:
    """End the span with an exception, unless it refuses only what we asked: then the caller's own request is sent."""
    if call.question is not None and call.question.is_refused_by(error, call):
        return True
    if call.endpoint.body is None:
        call.body = sent(call.body)
    response = call.take_response()
    try:
        _credentials.learn_sent(error)
    except Exception:
        guard.report("the headers of a request")
    # An answer that the SDK refuses, as one that is not of the form that was asked for, is paid all the same.
    call.failed(error, _document(call.endpoint, response))
    return False


def _returned(call: Call, result: Any) -> None:
    """End the span, or leave that to the end of the stream."""
    try:
        question = call.question
        if question is not None:
            question.answered()
        response = call.take_response()
        if call.raw is not None:
            response = response if response is not None else result.http_response
            _raw.follow(call, response, streamed=call.stream)
        elif call.stream and hasattr(result, "_iterator"):
            _stream.follow(call, result, None if question is None else question.hidden)
        else:
            call.answered(_answer(call.endpoint, response, result))
    except Exception:
        question = call.question
        if question is not None and question.hidden is not None:
            _stream.hide(result, question.hidden)
        raise


def _answer(endpoint: Endpoint, response: Any, result: Any) -> Any:
    """The answer as its host sent it, which is read at a fraction of the price of the SDK's model; else that model."""
    document = _document(endpoint, response)
    if document is None:
        document = result
    return "null" if document is None else document


def _document(endpoint: Endpoint, response: Any) -> Any:
    """The JSON of an HTTP response; None without one."""
    try:
        return None if response is None else endpoint.document(response.content)
    # It is no JSON; nobody has read it; another HTTP library.
    except (msgspec.MsgspecError, ValueError, RuntimeError, AttributeError):
        return None


def _prepared(call: Call, options: Any) -> None:
    """Take the body as it was sent: what the caller has given may hold iterators, which the SDK alone may consume."""
    body = options.json_data
    if body is not call.body and call.question is None and call.endpoint.body is None and isinstance(body, Mapping):
        call.body = _body(options)


def _body(options: Any) -> Mapping[str, Any]:
    """The JSON of a request as it will be sent, `extra_body` included."""
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    return {**body, **options.extra_json} if isinstance(options.extra_json, Mapping) else body
