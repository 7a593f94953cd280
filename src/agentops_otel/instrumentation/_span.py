"""One LLM call as one span: started with what identifies it, ended exactly once with everything else.

The span is the current one while the SDK's own code runs (`enter()`), so that what happens in there becomes its child,
and never while the caller's code runs. The request is read when the call ends, not before it goes out: the SDK has
made a copy of the arguments by then, and the caller waits less for a first chunk.
Readers fail one by one: a request that cannot be read still has its span, an answer whose text cannot be read still
has its tokens. That is why each stands in a `try` of its own, which costs nothing as long as nothing fails.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
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

from .. import context, guard, semconv
from ..span_failure import message_of, write_failure
from ..text import stacktrace_of
from ..values import to_text
from . import _background, _credentials, _metrics
from ._content import NOTHING, Content, fields
from ._endpoint import NOT_AN_ANSWER, Attributes, Endpoint, Failure, Sdk, Server, Work

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from ..context import Scope
    from ._stream_usage import Question

_NO_CODES: Final = (NOT_AN_ANSWER, "error")
CANCELLATIONS: Final = frozenset({"CancelledError", "Cancelled"})  # asyncio's and trio's


class Call:
    """An LLM call under way, or the fetch of what one has made.

    Args:
        stream: the answer comes in pieces.
        raw: the caller gets the HTTP response: `true` (its body is read), `stream` (it is not read yet).
        fetch: the fetch that has shown the end of a call; the call is over then, and its span takes no time of its own.

    Attributes:
        args, kwargs: what the SDK's `request` is called with.
        attempts: how often a function of the SDK's that sends one request was seen to be called.
        by: what has begun it; a function of the SDK's that calls itself is known by that.
        question: what our request asks that the caller's own does not.
        response: the HTTP response, as soon as the SDK has it.
        retries: how often the SDK has sent the request again.
        sdk: whose call it is.
        status: of an HTTP response that the SDK itself does not look at; 0 else.
    """

    __slots__ = (
        "_attributes", "_chunk_times", "_end_time", "_open", "_server", "_start", "_started", "_timed", "_tokens",
        "args", "around", "attempts", "body", "by", "endpoint", "kwargs", "question", "raw", "response", "retries",
        "scope", "sdk", "status", "stream",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        sdk: Sdk,
        endpoint: Endpoint,
        server: Server,
        body: Mapping[str, Any],
        *,
        stream: bool = False,
        raw: str | None = None,
        fetch: Span | None = None,
        links: Sequence[Link] = (),
    ) -> None:
        self.scope = scope
        self.endpoint = endpoint
        self.body = body
        self.stream = stream
        self.raw = raw
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.question: Question | None = None
        self.response: Any = None
        self.by: object = None
        self.attempts = 0
        self.retries = 0
        self.sdk = sdk
        self.status = 0
        self._tokens: list[Token[Any]] = []
        self._server = server
        self._attributes: Attributes = {}
        self._end_time: int | None = None
        self._timed = fetch is None
        self._chunk_times: array[float] | None = None
        name, self._start = _identified(endpoint, server, body, stream=stream)
        self._started = time.perf_counter()
        parent = _parent(scope) if fetch is None else set_span_in_context(fetch, scope.parent())
        span = scope.start_span(
            name,
            kind=SpanKind.CLIENT,
            attributes=self._start,
            links=links,
            start_time=getattr(fetch, "start_time", None),
            parent=parent,
            leaf=True,
        )
        begun[sdk.name] = begun.get(sdk.name, 0) + 1
        # Popping from a list is atomic: only one thread gets the span, and ends it.
        self._open: list[Span] = [span]
        # A context of the caller's, and what it is for the SDK: made once for a call, however many chunks it has. The
        # invalid span of a disabled SDK must not hide the caller's.
        valid = span.get_span_context().is_valid
        self.around = (current := context.CURRENT.get()), set_span_in_context(span, parent) if valid else current

    @property
    def is_inside(self) -> bool:
        """Whether the SDK is working on it, between `begin()` and `leave()`."""
        return bool(self._tokens)

    @property
    def seconds(self) -> float:
        """How long the call has been going on."""
        return time.perf_counter() - self._started

    def begin(self) -> None:
        """The SDK's call begins; cannot fail."""
        try:
            self._tokens.append(under_way.set(self))
            self._tokens.append(self.enter())
        except Exception:
            guard.report("the context of a call")

    def leave(self) -> None:
        """The SDK's call is over; in the frame of `begin()`. Cannot fail."""
        while self._tokens:
            try:
                context.leave(self._tokens.pop())
            except Exception:
                guard.report("the context of a call")

    def enter(self) -> Token[Context]:
        """Make the span the current one, for the SDK's own code; `context.leave()` undoes it, in the same frame."""
        outside, inside = self.around
        current = context.CURRENT.get()
        if current is not outside:
            inside = set_span_in_context(get_current_span(inside), current)
            self.around = current, inside
        token: Token[Context] = context.CURRENT.set(inside)
        return token

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

    def take_response(self) -> Any:
        """Keep what the HTTP response says besides its body, and let go of it."""
        response, self.response = self.response, None
        if response is not None:
            self.read_headers(response)
            try:
                _credentials.learn_sent(response)
            except Exception:
                guard.report("the headers of a request")
        return response

    def read_headers(self, response: Any) -> None:
        """Keep what the headers of a response say; those of some HTTP libraries are no bytes."""
        wanted, attributes = self.sdk.response_headers, self._attributes
        try:
            headers = response.headers
            pairs = getattr(headers, "raw", None)
            for name, value in _as_bytes(headers) if pairs is None else pairs:
                found = wanted.get(name.lower())
                if found is not None:
                    attribute, kind = found
                    text = value.decode("latin-1")
                    if kind is str or text.isdecimal():
                        attributes[attribute] = kind(text)
        except Exception:
            guard.report("the headers of an answer")

    def read_head(self, result: Any) -> None:
        """Keep what a result, or the response of an exception, says beside the answer."""
        head = self.sdk.head
        if head is not None:
            try:
                head(fields(result), self._attributes)
            except Exception:
                guard.report("what a result says beside the answer")

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
            self._finish(span, response, error)
        except Exception:
            guard.report("the end of a call")
        finally:
            span.end(self._end_time)

    def _finish(self, span: Span, response: Any, error: BaseException | None) -> None:
        config = self.scope.config
        on_spans, on_events = config._content_on_spans, config._content_on_events
        attributes = self._attributes
        content = Content(config.max_content_length) if on_spans or on_events else None
        messages: Attributes = {}
        failure = self._read(span, response, content, attributes, messages)
        if content is not None:
            messages = self._encoded(content, messages, attributes)
            if on_spans:
                attributes.update(messages)
        if self.retries:
            attributes[semconv.RESEND_COUNT] = self.retries
        if error is not None:
            self._error(span, error)
        elif self.status >= 400:
            self._failure(span, _refusal(self.status, failure))
        elif failure is not None:
            self._failure(span, failure)
        getattr(span, "fill", span.set_attributes)(attributes)  # (a leaf knows that these are texts and numbers)
        leaf: Any = span
        if on_spans and content is not None and error is None and hasattr(leaf, "searched"):
            leaf.searched, leaf.known = content.searched, content.known
        instruments = _metrics.instruments()
        if instruments is not None:
            try:
                seconds = self.seconds if self._timed else None
                instruments.record({**self._start, **attributes}, seconds, self._chunk_times or ())
            except Exception:
                guard.report("the metrics of a call")
        if on_events and self.endpoint.makes is None:
            self.scope.emit(semconv.EVENT_OPERATION_DETAILS, {**self._start, **attributes, **messages}, span)

    def _read(
        self, span: Span, response: Any, content: Content | None, attributes: Attributes, messages: Attributes
    ) -> Failure | None:
        """Let the readers write into `attributes` and `messages`; the failure that came as an ordinary answer."""
        endpoint, failure = self.endpoint, None
        try:
            endpoint.request(self.body, attributes)
        except Exception:
            guard.report("the request of a call")
        if content is not None:
            try:
                endpoint.prompt(self.body, content, messages)
            except Exception:
                guard.report("the prompt of a call")
        if response is None:
            return None
        try:
            failure = endpoint.response(response, attributes)
        except Exception:
            guard.report("the answer of a call")
        if content is not None:
            try:
                output = endpoint.output(response, content)
                if output:
                    messages[endpoint.results] = output
            except Exception:
                guard.report("the text of an answer")
        if endpoint.work is not None:
            try:
                work = endpoint.work(response)
                if work is not None:
                    self._note_work(span, work, response, content, messages)
            except Exception:
                guard.report("an answer that can be fetched")
        return failure

    @staticmethod
    def _encoded(content: Content, messages: Attributes, beside: Attributes) -> Attributes:
        try:
            return content.encoded(messages, beside)
        except Exception:
            guard.report("the messages of a call")
            return {}

    def _failure(self, span: Span, failure: Failure) -> None:
        """A failure that came as an ordinary answer."""
        code, message = failure
        attributes = self._attributes
        outcome = attributes.get(semconv.STREAM_OUTCOME)
        if code == NOT_AN_ANSWER and outcome in (semconv.OUTCOME_CLOSED, semconv.OUTCOME_ABANDONED):
            return
        if outcome is not None:
            attributes[semconv.STREAM_OUTCOME] = semconv.OUTCOME_FAILED
        attributes[semconv.ERROR_TYPE] = code
        span.set_status(Status(StatusCode.ERROR, self._message(message)))

    def _note_work(self, span: Span, work: Work, response: Any, content: Content | None, messages: Attributes) -> None:
        """Count an answer that is made in the background where its end is seen first.

        A fetch that shows an end says what the answer repeats of the prompt, instructions and tools.
        """
        makes = self.endpoint.makes
        if makes is None:
            if not work.ended:
                self._attributes[semconv.RESPONSE_STATUS] = work.status
            _background.note(work, span.get_span_context())
            return
        links = _background.ends(work)
        if links is not None:
            Call(self.scope, self.sdk, makes, self._server, work.request, fetch=span, links=links).answered(response)
        if content is not None and work.ended:
            makes.prompt(work.request, content, messages)

    def _error(self, span: Span, error: BaseException) -> None:
        attributes = self._attributes
        if type(error).__name__ in CANCELLATIONS:
            attributes[semconv.CANCELLED] = True
            return
        name = attributes[semconv.ERROR_TYPE] = _qualified_name(type(error))
        try:
            attributes[semconv.ERROR_TYPE] = self.sdk.error_code(error) or name
            self._last_exchange(error)
        except Exception:
            guard.report("what an exception knows of its request")
        try:
            write_failure(span, self.scope.config, name, message_of(error), stacktrace_of(error))
        except Exception:
            guard.report("the exception of a call")

    def _message(self, text: str) -> str:
        config = self.scope.config
        return "" if config.capture_content == "off" else to_text(text, max_length=config.max_content_length)

    def _last_exchange(self, error: BaseException) -> None:
        """What an SDK's exception knows of its last request and response."""
        response = getattr(error, "response", None)
        self.read_head(response)
        answer = error if response is None else response  # aiohttp's error has the headers itself
        if getattr(answer, "headers", None) is not None:
            self.read_headers(answer)
        try:
            request = getattr(error, "request", None)
        except RuntimeError:  # httpx: "The .request property has not been set."
            return
        retries = getattr(request, "headers", NOTHING).get("x-stainless-retry-count")
        if isinstance(retries, str) and retries.isdecimal() and int(retries):
            self._attributes[semconv.RESEND_COUNT] = int(retries)


begun: Final[dict[str, int]] = {}
"""How many calls of each SDK this process has recorded; threads may cost it one now and then."""
under_way: Final[ContextVar[Call | None]] = ContextVar("agentops_otel_call", default=None)
"""The call that the SDK is working on here."""


def _identified(endpoint: Endpoint, server: Server, body: Mapping[str, Any], *, stream: bool) -> tuple[str, Attributes]:
    """The name of the span, and the attributes that it starts with."""
    start: Attributes = {semconv.OPERATION_NAME: endpoint.operation, semconv.PROVIDER_NAME: server.provider}
    if server.address:
        start[semconv.SERVER_ADDRESS] = server.address
        start[semconv.SERVER_PORT] = server.port
    name = endpoint.operation
    if endpoint.makes is None:
        start[semconv.SPAN_KIND] = endpoint.kind
        model, target = body.get("model"), body.get(endpoint.target)
        if isinstance(model, str):
            start[semconv.REQUEST_MODEL] = model
        if isinstance(target, str):
            name = f"{name} {target}"
        if stream:
            start[semconv.REQUEST_STREAM] = True
    return name, start


def _parent(scope: Scope) -> Context:
    """The context of the parent.

    A call that is made inside the SDK's work on another one, by an event hook, say, is a call of its own beside it:
    below it, it would make that one a wrapper, which the totals do not count.
    """
    parent = scope.parent()
    if parent is scope.context:  # the root
        return parent
    around: Any = get_current_span(parent)
    if (getattr(around, "attributes", None) or NOTHING).get(semconv.SPAN_KIND) != semconv.KIND_LLM:
        return parent
    return set_span_in_context(NonRecordingSpan(around.parent or INVALID_SPAN_CONTEXT), parent)


def _as_bytes(headers: Any) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers.items():
        if isinstance(name, str) and isinstance(value, str):
            yield name.encode("latin-1", "replace"), value.encode("latin-1", "replace")


def _refusal(status: int, failure: Failure | None) -> Failure:
    """What an answer with an error status says: the provider's code, else the status."""
    code, message = failure or (NOT_AN_ANSWER, "")
    return (str(status) if code in _NO_CODES else code), message


def _qualified_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
