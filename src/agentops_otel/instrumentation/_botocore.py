"""The two containers in which botocore hands over an answer that is not read yet: `EventStream`, `StreamingBody`.

The caller keeps both. Of the event stream only its generator, `_parse_event` and `close` are replaced, on that one
object; of the body only the HTTP response inside, by one that looks the same and keeps what is read of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import wrapt

from .. import guard, semconv
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
    stream._parse_event = partial(_parse_event, reading, stream)  # noqa: SLF001  (as above)
    stream.close = partial(close, reading, stream)


def _parse_event(reading: Pieces, stream: Any, message: Any) -> Any:
    """In the place of the stream's own, which raises what the server sends as an error."""
    try:
        event = type(stream)._parse_event(stream, message)  # noqa: SLF001  (it is what we stand for)
    except BaseException as error:
        guard.run(reading.fail, error)
        raise
    if event:
        guard.run(reading.take, event)
    return event


# ---- StreamingBody ----


def _follow_body(call: Call, body: Any) -> None:
    document = Document(call, body)
    copied = body._raw_stream = _Copied(body._raw_stream, document)  # noqa: SLF001  (keeps the body itself)
    # The copy knows nothing of the body, so that a body that nobody holds goes at once, and its connection with it.
    document.watch(copied)


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


class _Copied(wrapt.ObjectProxy):  # type: ignore[misc, type-arg, unused-ignore]  # by release
    """An HTTP response; what is read of it is kept."""

    def __init__(self, response: Any, document: Document) -> None:
        super().__init__(response)
        self._self_document = document

    def read(self, *args: Any, **kwargs: Any) -> Any:
        """Some bytes, or all that are left."""
        size = args[0] if args else kwargs.get("amt")
        step = partial(self.__wrapped__.read, *args, **kwargs)
        return self._self_take(step, is_last=not isinstance(size, int) or size < 0, may_be_empty=size == 0)

    def read1(self, *args: Any, **kwargs: Any) -> Any:
        """Some bytes."""
        return self._self_take(partial(self.__wrapped__.read1, *args, **kwargs))

    def readline(self, *args: Any, **kwargs: Any) -> Any:
        """A line."""
        return self._self_take(partial(self.__wrapped__.readline, *args, **kwargs))

    def readlines(self, *args: Any, **kwargs: Any) -> Any:
        """All lines that are left."""
        step = partial(self.__wrapped__.readlines, *args, **kwargs)
        return self._self_take(step, joined=b"".join, is_last=not args)

    def readinto(self, buffer: Any) -> Any:
        """Some bytes, into a buffer."""
        return self._self_take(
            partial(self.__wrapped__.readinto, buffer), joined=lambda size: bytes(memoryview(buffer)[:size])
        )

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """The pieces that are left, as they come."""
        return self._self_pieces(self.__wrapped__.stream(*args, **kwargs))

    def __iter__(self) -> Iterator[Any]:
        return self._self_pieces(iter(self.__wrapped__))

    def __next__(self) -> Any:
        return self._self_take(partial(next, self.__wrapped__))

    def close(self) -> Any:
        """Read no more."""
        try:
            return self.__wrapped__.close()
        finally:
            guard.run(self._self_document.closed)

    def _self_pieces(self, pieces: Iterator[Any]) -> Iterator[Any]:
        while True:
            try:
                piece = self._self_take(partial(next, pieces))
            except StopIteration:
                return
            yield piece

    def _self_take(
        self,
        step: Callable[[], Any],
        *,
        joined: Callable[[Any], bytes] = bytes,
        is_last: bool = False,
        may_be_empty: bool = False,
    ) -> Any:
        """What the response gives; `joined` makes bytes of it."""
        document = self._self_document
        token = document.enter()
        try:
            found = step()
        except StopIteration:
            guard.run(partial(document.take, b"", is_last=True))
            raise
        except BaseException as error:
            guard.run(document.fail, error)
            raise
        finally:
            document.leave(token)
        try:
            data = joined(found)
            document.take(data, is_last=is_last or not (data or may_be_empty))
        except Exception:
            guard.report("a piece of a body")
        return found
