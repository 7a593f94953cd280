"""The two containers in which botocore hands over an answer that is not read yet: `EventStream`, `StreamingBody`.

The caller keeps both. Of the event stream only its generator, `_parse_event` and `close` are replaced, on that one
object; of the body only the HTTP response inside, by one that looks the same and keeps what is read of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from .. import guard, semconv
from ..following import StandIn
from ._content import NOTHING
from ._pieces import Pieces
from ._raw import Body
from ._reading import close
from ._span import Call


def follow(call: Call, result: Any) -> bool:
    """Follow the container in a result, and end the call when it is read; False when there is none."""
    for value in result.values() if isinstance(result, Mapping) else ():
        if hasattr(value, "_event_generator") and hasattr(value, "_parse_event"):
            _follow_events(call, value)
            return True
        if hasattr(value, "_raw_stream"):
            _follow_body(call, value)
            return True
    return is_other(call, result)


def is_other(call: Call, result: Any) -> bool:
    """Whether an answer is in a container that we do not know, which is the program's to read: then the call ends."""
    found = call.stream or (isinstance(result, Mapping) and "body" in result)
    if found:
        call.answered(None)
    return found


# ---- EventStream ----


class _Messages:
    """The messages of an event stream, as they come from the server; everything else is botocore's."""

    __slots__ = ("_inner", "_reading")

    def __init__(self, inner: Any, reading: Pieces) -> None:
        self._inner = inner
        self._reading = reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        reading = self._reading
        token = reading.enter()
        try:
            return next(self._inner)
        except StopIteration:
            guard.run(reading.finish, semconv.OUTCOME_COMPLETED)
            raise
        except BaseException as error:
            guard.run(reading.fail, error)
            raise
        finally:
            reading.leave(token)


def _follow_events(call: Call, stream: Any) -> None:
    reading = Pieces(call, stream)
    stream._event_generator = _Messages(stream._event_generator, reading)  # noqa: SLF001  (keeps the stream itself)
    stream._parse_event = partial(parse_event, reading, stream._parse_event)  # noqa: SLF001  (as above)
    stream.close = partial(close, reading, stream)


def parse_event(reading: Pieces, wrapped: Callable[[Any], Any], message: Any) -> Any:
    """Around the stream's own, which raises what the server sends as an error."""
    try:
        event = wrapped(message)
    except BaseException as error:
        guard.run(reading.fail, error)
        raise
    if event:
        guard.run(reading.take, event)
    return event


# ---- StreamingBody ----


def _follow_body(call: Call, body: Any) -> None:
    document = Document(call, body)
    response = body._raw_stream = _Response(body._raw_stream, document)  # noqa: SLF001  (keeps the body itself)
    # It knows nothing of the body, so that a body that nobody holds goes at once, and its connection with it.
    document.watch(response)


class Document(Body):
    """Reading a `StreamingBody`."""

    __slots__ = ("_at_end", "_length")

    def __init__(self, call: Call, body: Any) -> None:
        super().__init__(call, streamed=False)
        length = str(getattr(body, "_content_length", None))
        self._at_end = False
        self._length = int(length) if length.isdecimal() else None

    def take(self, data: bytes, *, is_last: bool) -> None:
        """Take in what was read; a length that is known says the end as well."""
        if self._at_end:
            return
        if data:
            self.add(data)
        self._at_end = is_last or self._size == self._length
        if self._at_end:
            self.finish(semconv.OUTCOME_COMPLETED)


Took = Callable[[Document, Any, tuple[Any, ...], Mapping[str, Any]], None]
"""Takes in what a method has returned that reads: its result and its arguments."""


class Kept(StandIn):
    """Something that is read; what comes is kept."""

    def __init__(self, inner: Any, document: Document) -> None:
        super().__init__(inner)
        self._self_document = document

    def _self_call(
        self, wrapped: Callable[..., Any], took: Took, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] = NOTHING
    ) -> Any:
        document = self._self_document
        token = document.enter()
        try:
            found = wrapped(*args, **kwargs)
        except StopIteration:
            guard.run(took, document, b"", args, kwargs)
            raise
        except BaseException as error:
            guard.run(document.fail, error)
            raise
        finally:
            document.leave(token)
        guard.run(took, document, found, args, kwargs)
        return found


class _Response(Kept):
    """An HTTP response."""

    def read(self, *args: Any, **kwargs: Any) -> Any:
        """Some bytes, or all that are left."""
        return self._self_call(self.__wrapped__.read, took_some, args, kwargs)

    def read1(self, *args: Any, **kwargs: Any) -> Any:
        """Some bytes."""
        return self._self_call(self.__wrapped__.read1, took_some, args, kwargs)

    def readline(self, *args: Any, **kwargs: Any) -> Any:
        """A line."""
        return self._self_call(self.__wrapped__.readline, _took_one, args, kwargs)

    def readlines(self, *args: Any, **kwargs: Any) -> Any:
        """All lines that are left."""
        return self._self_call(self.__wrapped__.readlines, _took_lines, args, kwargs)

    def readinto(self, *args: Any, **kwargs: Any) -> Any:
        """Some bytes, into a buffer."""
        return self._self_call(self.__wrapped__.readinto, _took_into, args, kwargs)

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """The pieces that are left, as they come."""
        pieces: Iterator[Any] = _Iterator(self.__wrapped__.stream(*args, **kwargs), self._self_document)
        return pieces

    def __iter__(self) -> Iterator[Any]:
        lines: Iterator[Any] = _Iterator(iter(self.__wrapped__), self._self_document)
        return lines

    def __next__(self) -> Any:
        return self._self_call(self.__wrapped__.__next__, _took_one)

    def close(self) -> Any:
        """Read no more."""
        try:
            return self.__wrapped__.close()
        finally:
            guard.run(self._self_document.closed)


class _Iterator(Kept):
    """An iterator of pieces or of lines."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._self_call(self.__wrapped__.__next__, _took_one)


def took_some(document: Document, found: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Take in bytes, as many as were asked for at most; all that were left where no number was given."""
    size = args[0] if args else kwargs.get("amt", kwargs.get("n"))
    is_rest = not isinstance(size, int) or size < 0
    document.take(found, is_last=is_rest or (not found and size != 0))


def _took_one(document: Document, found: Any, _args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> None:
    document.take(found, is_last=not found)


def _took_lines(document: Document, found: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    document.take(b"".join(found), is_last=not (args or kwargs))


def _took_into(document: Document, found: Any, args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> None:
    document.take(bytes(memoryview(args[0])[:found]), is_last=not found)
