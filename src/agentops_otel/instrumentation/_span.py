"""One LLM call as one span: started with what identifies it, ended exactly once with everything else.

The span is the current one while the SDK's own code runs (`enter()`), so that what happens in there becomes its child,
and never while the caller's code runs. The request is read when the call ends, not before it goes out: the SDK has
made a copy of the arguments by then, and the caller waits less for a first chunk.
Readers fail one by one: a request that cannot be read still has its span, an answer whose text cannot be read still
has its tokens.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)

from .. import semconv
from ..span_failure import message_of, write_failure
from ..text import stacktrace_of
from ..values import to_text
from . import _background, _guard, _metrics
from ._content import NOTHING, Content
from ._endpoint import NOT_AN_ANSWER, Answer, Attributes, Endpoint, Sdk, Work

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from ..context import Scope

CANCELLATIONS: Final = frozenset({"CancelledError", "Cancelled"})  # asyncio's and trio's


@dataclass(frozen=True, slots=True)
class Server:
    """Where a client's requests go; no address and port where the client does not say."""

    provider: str
    address: str = ""
    port: int = 0


class Call:
    """An LLM call under way, or the fetch of what one has made.

    Args:
        fetch: the fetch that has shown the end of a call; the call is over then, and its span takes no time of its own.
    """

    __slots__ = (
        "_attributes",
        "_chunk_times",
        "_end_time",
        "_open",
        "_sdk",
        "_server",
        "_start",
        "_started",
        "_timed",
        "around",
        "body",
        "endpoint",
        "retries",
        "scope",
    )

    def __init__(
        self,
        scope: Scope,
        sdk: Sdk,
        endpoint: Endpoint,
        server: Server,
        body: Mapping[str, Any],
        *,
        stream: bool,
        fetch: Span | None = None,
        links: Sequence[Link] = (),
    ) -> None:
        self.scope = scope
        self.endpoint = endpoint
        self.retries = 0
        self.body = body
        self._sdk = sdk
        self._server = server
        self._attributes: Attributes = {}
        self._end_time: int | None = None
        self._timed = fetch is None
        self._chunk_times: array[float] | None = None
        start: Attributes = {semconv.OPERATION_NAME: endpoint.operation, semconv.PROVIDER_NAME: server.provider}
        if server.address:
            start[semconv.SERVER_ADDRESS] = server.address
            start[semconv.SERVER_PORT] = server.port
        name = endpoint.operation
        if endpoint.makes is None:
            start[semconv.SPAN_KIND] = semconv.KIND_LLM
            model = body.get("model")
            if isinstance(model, str):
                start[semconv.REQUEST_MODEL] = model
                name = f"{name} {model}"
            if stream:
                start[semconv.REQUEST_STREAM] = True
        self._start = start
        self._started = time.perf_counter()
        parent = _parent(scope) if fetch is None else set_span_in_context(fetch, scope.parent())
        span = scope.start_leaf(
            name,
            kind=SpanKind.CLIENT,
            attributes=start,
            links=links,
            start_time=getattr(fetch, "start_time", None),
            parent=parent,
        )
        # Popping from a list is atomic: only one thread gets the span, and ends it.
        self._open: list[Span] = [span]
        # A context of the caller's, and what it is for the SDK: made once for a call, however many chunks it has. The
        # invalid span of a disabled SDK must not hide the caller's.
        valid = span.get_span_context().is_valid
        self.around = (current := get_current()), set_span_in_context(span, parent) if valid else current

    @property
    def seconds(self) -> float:
        """How long the call has been going on."""
        return time.perf_counter() - self._started

    def enter(self) -> Token[Context]:
        """Make the span the current one, for the SDK's own code; `context.leave()` undoes it, in the same frame."""
        outside, inside = self.around
        current = get_current()
        if current is not outside:
            inside = set_span_in_context(get_current_span(inside), current)
            self.around = current, inside
        return attach(inside)

    def chunk_times(self) -> array[float] | None:
        """Where to note when each chunk of the answer came; None where nobody measures it."""
        if self.endpoint.makes is None and _metrics.instruments() is not None:
            self._chunk_times = array("d")
        return self._chunk_times

    def stop(self) -> None:
        """The call is over now, although its span is ended later."""
        self._end_time = time.time_ns()

    def note(self, attributes: Mapping[str, Any]) -> None:
        """Keep attributes for the end of the span."""
        self._attributes.update(attributes)

    def refuses_usage(self, error: BaseException) -> bool:
        """Whether an exception says that the host does not know the option that asks for usage."""
        refuses = self._sdk.refuses_usage
        return refuses is not None and refuses(error)

    def headers(self, response: Any) -> None:
        """Keep what an HTTP response's headers say."""
        wanted = self._sdk.response_headers
        for name, value in response.headers.raw:
            found = wanted.get(name.lower())
            if found is not None:
                attribute, kind = found
                text = value.decode("latin-1")
                if kind is str or text.isdecimal():
                    self._attributes[attribute] = kind(text)

    def answered(self, response: Any) -> None:
        """End with an answer: the SDK's model, a JSON object, or something unreadable."""
        self._end(response, None)

    def failed(self, error: BaseException, partial: Any = None) -> None:
        """End with an exception and what had come by then; a cancelled call is no error."""
        self._end(partial, error)

    def _end(self, response: Any, error: BaseException | None) -> None:
        try:
            span = self._open.pop()
        except IndexError:
            return
        try:
            _guard.run(self._finish, span, response, error)
        finally:
            span.end(self._end_time)

    def _finish(self, span: Span, response: Any, error: BaseException | None) -> None:
        config = self.scope.config
        endpoint = self.endpoint
        on_spans, on_events = config._content_on_spans, config._content_on_events
        content = Content(config.max_content_length) if on_spans or on_events else None
        attributes = self._attributes
        attributes.update(_guard.run(endpoint.request, self.body) or NOTHING)
        messages: Attributes = (_guard.run(endpoint.prompt, self.body, content) or {}) if content is not None else {}
        answer = Answer()
        if response is not None:
            answer = _guard.run(endpoint.response, response) or answer
            attributes.update(answer.attributes)
            output = _guard.run(endpoint.output, response, content) if content is not None else None
            if output and content is not None:
                messages[semconv.OUTPUT_MESSAGES] = output
            if endpoint.work is not None:
                messages.update(_guard.run(self._note_work, span, endpoint.work, response, content) or NOTHING)
        if content is not None:
            messages = _guard.run(content.encoded, messages) or {}
        if answer.usage is not None:
            attributes.update(answer.usage.attributes())
        if self.retries:
            attributes[semconv.RESEND_COUNT] = self.retries
        if error is not None:
            _guard.run(self._error, span, error)
        elif answer.error is not None:
            self._failure(span, answer.error)
        span.set_attributes({**attributes, **messages} if on_spans else attributes)
        instruments = _metrics.instruments()
        if instruments is not None:
            seconds = self.seconds if self._timed else None
            times = self._chunk_times or ()
            _guard.run(instruments.record, {**self._start, **attributes}, seconds, answer.usage, times)
        if on_events and endpoint.makes is None:
            _guard.run(
                self.scope.emit, semconv.EVENT_OPERATION_DETAILS, {**self._start, **attributes, **messages}, span
            )

    def _failure(self, span: Span, error: tuple[str, str]) -> None:
        """A failure that came as an ordinary answer."""
        code, message = error
        attributes = self._attributes
        outcome = attributes.get(semconv.STREAM_OUTCOME)
        if code == NOT_AN_ANSWER and outcome in (semconv.OUTCOME_CLOSED, semconv.OUTCOME_ABANDONED):
            return
        if outcome is not None:
            attributes[semconv.STREAM_OUTCOME] = semconv.OUTCOME_FAILED
        attributes[semconv.ERROR_TYPE] = code
        span.set_status(Status(StatusCode.ERROR, self._message(message)))

    def _note_work(
        self, span: Span, read: Callable[[Any], Work | None], response: Any, content: Content | None
    ) -> Attributes:
        """Count an answer that is made in the background where its end is seen first.

        Returns:
            Of a fetch that shows an end: what the answer repeats of the prompt, instructions and tools.
        """
        work, makes = read(response), self.endpoint.makes
        if work is None:
            return {}
        if makes is None:
            if not work.ended:
                self._attributes[semconv.RESPONSE_STATUS] = work.status
            _background.note(work, span.get_span_context())
            return {}
        links = _background.ends(work)
        if links is not None:
            call = Call(self.scope, self._sdk, makes, self._server, work.request, stream=False, fetch=span, links=links)
            call.answered(response)
        return makes.prompt(work.request, content) if content is not None and work.ended else {}

    def _error(self, span: Span, error: BaseException) -> None:
        if type(error).__name__ in CANCELLATIONS:
            self._attributes[semconv.CANCELLED] = True
            return
        name = _qualified_name(type(error))
        self._attributes[semconv.ERROR_TYPE] = _guard.run(self._sdk.error_code, error) or name
        _guard.run(self._last_exchange, error)
        write_failure(span, self.scope.config, name, message_of(error), stacktrace_of(error))

    def _message(self, text: str) -> str:
        config = self.scope.config
        return "" if config.capture_content == "off" else to_text(text, max_length=config.max_content_length)

    def _last_exchange(self, error: BaseException) -> None:
        """What an SDK's exception knows of its last request and response."""
        response = getattr(error, "response", None)
        if hasattr(response, "headers"):
            self.headers(response)
        request = getattr(error, "request", None)
        retries = getattr(request, "headers", NOTHING).get("x-stainless-retry-count")
        if isinstance(retries, str) and retries.isdecimal() and int(retries):
            self._attributes[semconv.RESEND_COUNT] = int(retries)


def _parent(scope: Scope) -> Context:
    """The context of the parent.

    A call that is made inside the SDK's work on another one, by an event hook, say, is a call of its own beside it:
    below it, it would make that one a wrapper, which the totals do not count.
    """
    parent = scope.parent()
    around: Any = get_current_span(parent)
    if (getattr(around, "attributes", None) or NOTHING).get(semconv.SPAN_KIND) != semconv.KIND_LLM:
        return parent
    return set_span_in_context(NonRecordingSpan(around.parent or INVALID_SPAN_CONTEXT), parent)


def _qualified_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
