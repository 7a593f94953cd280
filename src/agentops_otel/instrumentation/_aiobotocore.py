"""The two containers of botocore as aiobotocore has them, with coroutines in the place of functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

from .. import guard, semconv
from ._botocore import Document, Kept, is_other, parse_event, took_some
from ._pieces import Pieces
from ._reading import close
from ._span import Call


def follow(call: Call, result: Any) -> bool:
    """Follow the container in a result, and end the call when it is read; False when there is none."""
    for value in result.values() if isinstance(result, Mapping) else ():
        if hasattr(value, "_event_generator") and hasattr(value, "_parse_event"):
            _follow_events(call, value)
            return True
        for name in ("_raw_stream", "__wrapped__"):  # the second in release 2
            if hasattr(getattr(value, name, None), "content"):  # it is aiohttp's
                _follow_body(call, value, name)
                return True
    return is_other(call, result)


def _follow_events(call: Call, stream: Any) -> None:
    reading = Pieces(call, stream)
    stream._event_generator = _Messages(stream._event_generator, reading)  # noqa: SLF001  (keeps the stream itself)
    parse = stream._parse_event  # noqa: SLF001  (as above)
    around = _parse_event if iscoroutinefunction(parse) else parse_event  # which of both it is depends on the release
    stream._parse_event = partial(around, reading, parse)  # noqa: SLF001  (as above)
    stream.close = partial(close, reading, stream)


class _Messages:
    """The messages of an event stream, as they come from the server; everything else is the SDK's."""

    __slots__ = ("_inner", "_reading")

    def __init__(self, inner: Any, reading: Pieces) -> None:
        self._inner = inner
        self._reading = reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        reading = self._reading
        token = reading.enter()
        try:
            return await self._inner.__anext__()
        except StopAsyncIteration:
            guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
            raise
        except BaseException as error:
            guard.run(reading.fail, error)
            raise
        finally:
            reading.leave(token)


async def _parse_event(reading: Pieces, wrapped: Callable[[Any], Any], message: Any) -> Any:
    """Around the stream's own, which raises what the server sends as an error."""
    try:
        event = await wrapped(message)
    except BaseException as error:
        guard.run(reading.fail, error)
        raise
    if event:
        guard.run(reading.take, event)
    return event


def _follow_body(call: Call, body: Any, name: str) -> None:
    document = Document(call, body)
    response = _Response(getattr(body, name), document)
    setattr(body, name, response)  # keeps the body itself
    document.watch(response)


class _Readable(Kept):
    """Something that is read with coroutines."""

    async def read(self, *args: Any, **kwargs: Any) -> Any:
        """Some bytes, or all that are left."""
        document, wrapped = self._self_document, self.__wrapped__.read
        token = document.enter()
        try:
            found = await wrapped(*args, **kwargs)
        except BaseException as error:
            guard.run(document.fail, error)
            raise
        finally:
            document.leave(token)
        guard.run(took_some, document, found, args, kwargs)
        return found


class _Response(_Readable):
    """An HTTP response of aiohttp's, which a program also gets by itself where it enters the body of release 2."""

    @property
    def content(self) -> Any:
        """Its reader."""
        return _Readable(self.__wrapped__.content, self._self_document)

    async def __aenter__(self) -> Any:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> Any:
        try:
            return await self.__wrapped__.__aexit__(*error)
        finally:
            guard.run(self._self_document.closed)

    def close(self) -> Any:
        """Read no more."""
        try:
            return self.__wrapped__.close()
        finally:
            guard.run(self._self_document.closed)
