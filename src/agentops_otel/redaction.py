"""A finished span made fit to leave the process: every part can be sent, secrets are out, the user's hook has run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from itertools import filterfalse
from time import monotonic
from typing import Any, Final, TypeAlias

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from . import media, secrets, semconv
from .log import logger
from .secrets import REDACTED, is_secret_name, scrub
from .span_copy import SpanCopy
from .text import MAX_LENGTH, MAX_TEXTS, brief, cut, encodable, limit, longest, shown, stops
from .values import MAX_ITEMS, sanitize

REDACTION_FAILED: Final = "<redaction failed>"
_INT64: Final = 1 << 63
_PLAIN: Final = (str, bool, int, float)

# These say which session and what kind of span it is; no hook can change them.
IDENTITY: Final = frozenset({semconv.SESSION_ID, semconv.SPAN_KIND})
# What describes a call without saying what was said in it: kept when a hook fails. Numbers are kept too.
_STRUCTURE: Final = IDENTITY | {
    semconv.PROJECT_ID,
    semconv.SESSION_END_STATE,
    semconv.SESSION_ROLE,
    semconv.OPENINFERENCE_SPAN_KIND,
    semconv.OPERATION_NAME,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.REQUEST_ENCODING_FORMATS,
    semconv.OUTPUT_TYPE,
    semconv.CONVERSATION_ID,
    semconv.RESPONSE_ID,
    semconv.RESPONSE_MODEL,
    semconv.RESPONSE_FINISH_REASONS,
    semconv.COST_CURRENCY,
    semconv.COST_SOURCE,
    semconv.PRICE_TABLE,
    semconv.SERVER_ADDRESS,
    semconv.ERROR_TYPE,
    semconv.REQUEST_ID,
    semconv.STREAM_OUTCOME,
    semconv.OPENAI_REQUEST_SERVICE_TIER,
    semconv.OPENAI_RESPONSE_SERVICE_TIER,
    semconv.REQUEST_SERVICE_TIER,
    semconv.RESPONSE_SERVICE_TIER,
    semconv.RESPONSE_INFERENCE_GEO,
    semconv.RESPONSE_ITERATIONS,
    semconv.OPENAI_SYSTEM_FINGERPRINT,
    semconv.OPENAI_API_TYPE,
    semconv.AGENT_ID,
    semconv.DATA_SOURCE_ID,
    semconv.REALTIME_SESSION_ID,
    semconv.TOOL_TYPE,
    semconv.TOOL_CALL_ID,
    semconv.ERROR_CODE,
    semconv.ERROR_TRIGGER_SPAN_ID,
    semconv.EVENT_ID,
    semconv.EVENT_AGENT_ID,
    semconv.EXCEPTION_TYPE,
}
_STATUS_PATH: Final = "status.description"
_SEEN_LENGTH: Final = 64
_SEEN_COUNT: Final = 4096
_UINT64: Final = (1 << 64) - 1


Hook: TypeAlias = Callable[[Any, str], Any]
# Seconds of a hook for one span: then it is called no more, and the span loses its content.
MAX_HOOK_SECONDS: Final = 2.0
_running: Final = threading.local()


class _HookFailed(Exception):
    """The user's hook raised, took too long, or returned what is no attribute value; the text says which."""


def in_hook() -> bool:
    """Whether the user's hook is running on this thread: what it records itself is not given to it again."""
    return getattr(_running, "hook", None) is not None


def _limited(hook: Hook) -> Hook:
    """The hook for one span. A call cannot be interrupted, so a slow one is noticed when it comes back."""
    until = monotonic() + MAX_HOOK_SECONDS

    def call(value: Any, path: str) -> Any:
        returned = hook(value, path)
        if monotonic() > until:
            raise _HookFailed(f"took more than {MAX_HOOK_SECONDS:g} s for one span")
        return returned

    return call


class Redactor:
    """Takes secrets, and what the user's hook takes out, from finished spans.

    The hook is called as ``hook(value, path)`` for each attribute value but the identity ones, after secrets are
    gone. The path is the attribute's name; for an event ``event_name.attribute``, for a link ``link.attribute``, for
    the status ``status.description``. What it returns is used, None removes the value. When it raises an Exception,
    returns what is no attribute value, or has taken more than two seconds for a span, all content of that span becomes
    ``<redaction failed>`` and the span is kept. The same is done, without calling the hook, to spans that the hook
    itself makes. What stops the program, such as a KeyboardInterrupt, passes.

    Args:
        max_length: Longest value in characters; a JSON text, whose strings were cut when it was made, may be 16 times
            as long. Names and the status have no such limit in OpenTelemetry, and none of less than 65,536 here.
        withhold: takes out of a span what is not to be recorded at all, before anything else looks at it.
    """

    def __init__(
        self,
        hook: Hook | None = None,
        *,
        max_length: int = MAX_LENGTH,
        withhold: Callable[[ReadableSpan], ReadableSpan] | None = None,
    ) -> None:
        self._hook = hook
        self._withhold = withhold
        self._max_length = max_length
        self._max_name = max(max_length, MAX_LENGTH)
        self._reported = False
        # Names that are clean and whether each is a secret's, and short clean texts: they come again and again.
        self._names: dict[str, bool] = {}
        self._harmless: set[str] = set()
        self._seen: set[object] = set()  # also tuples of such texts
        self._known = secrets.forms
        self._scopes: dict[int, tuple[InstrumentationScope, InstrumentationScope]] = {}

    def clean(self, span: ReadableSpan) -> ReadableSpan:
        """`span` itself when nothing in it has to change, else a changed copy; never raises an Exception."""
        try:
            self._refresh()
            if self._is_clean_leaf(span):
                return span
            if self._withhold is not None:
                span = self._withhold(span)
            clean = self._clean(span)
            return clean if self._hook is None else self._hooked(clean, self._hook)
        except Exception as error:  # (fail closed: what could not be looked at does not leave)
            if stops(error):
                raise
            self._report(f"a span could not be redacted ({type(error).__name__})")
            return _bare(span)

    def hide(self, span: ReadableSpan) -> ReadableSpan:
        """`span` without content, as when the hook fails; never raises an Exception."""
        try:
            return _without_content(self._clean(span))
        except Exception:
            return _bare(span)

    def clean_attributes(self, attributes: Mapping[str, Any], name: str) -> dict[str, AttributeValue]:
        """The attributes of a log event called `name`, treated like those of a span."""
        # With a resource: left to itself the SDK runs its resource detectors on threads, for every span so made.
        carrier = ReadableSpan(name=name, attributes=dict(attributes), resource=Resource.get_empty())
        return plain_dict(self.clean(carrier).attributes)

    def clean_reason(self, reason: str) -> str | None:
        """The reason of an end as both places that will have it may: the attribute, and the description of the status.

        None when the hook takes it out of either.
        """
        said = self.clean_attributes({semconv.SESSION_END_STATE_REASON: reason}, semconv.EVENT_SESSION_END)
        kept = said.get(semconv.SESSION_END_STATE_REASON)
        if kept is None:
            return None
        status = Status(StatusCode.ERROR, str(kept))
        return self.clean(ReadableSpan("session", status=status, resource=Resource.get_empty())).status.description

    def clean_text(self, text: str) -> str:
        """A text for people, such as a line of the summary: without secrets, and not given to the hook."""
        self._refresh()
        return self._scrubbed(text)

    def _refresh(self) -> None:
        """Look at everything again when a secret was learnt that may be in what was clean until now."""
        if self._known is not secrets.forms:
            self._known = secrets.forms
            for memory in (self._names, self._harmless, self._seen, self._scopes):
                memory.clear()

    # -- one span

    def _is_clean_leaf(self, span: Any) -> bool:
        """Whether a quick look finds nothing to change in a span whose content was searched when it was written.

        See `pipeline/leaf.py`: while its attributes are a plain dict, OTLP has all types and times that it has.
        """
        searched = getattr(span, "searched", None)
        if not searched or self._hook is not None or span.known is not self._known:
            return False
        # (the SDK's properties make a copy of each)
        attributes, scope = span._attributes, span._instrumentation_scope  # noqa: SLF001
        if type(attributes) is not dict or span._events or span._links or span._status.description is not None:  # noqa: SLF001
            return False
        known = self._scopes.get(id(scope))
        if known is None or known[1] is not scope or span._name not in self._seen:  # noqa: SLF001
            return False
        return self._harmless.issuperset(attributes) and self._are_seen(attributes, searched)

    def _are_seen(self, attributes: dict[str, Any], searched: Collection[str]) -> bool:
        """Whether the values of attributes are clean, but for those that were searched already."""
        seen = self._seen
        unseen: list[str] = []
        others = attributes.copy()
        for name in searched:
            others.pop(name, None)
        try:
            for value in filterfalse(seen.__contains__, others.values()):
                kind = type(value)
                if kind is int:
                    if not 0 <= value < _INT64:  # (one below 0 is rare enough for the long way)
                        return False
                elif kind is str:
                    if len(value) > self._max_length:
                        return False
                    unseen.append(value)
                elif kind is tuple:
                    if not all(item in seen and item[:1] != "-" for item in value):
                        return False
                    if len(seen) < _SEEN_COUNT:
                        seen.add(value)
                elif kind is not float and kind is not bool:
                    return False
        except TypeError:  # of what has no hash, such as a list
            return False
        return not unseen or self._are_clean_texts(unseen)

    def _clean(self, span: ReadableSpan) -> ReadableSpan:
        given = plain_dict(span.attributes)
        attributes = self._attributes(given)
        changes: dict[str, Any] = {}
        coerced = 0 if attributes is None else _coerced(given, attributes)
        if (name := self._name(span.name)) is not span.name:
            changes["name"] = name
            coerced += not _is_text(span.name)
        if (events := span.events) and (clean_events := self._events(events)) is not None:
            changes["events"] = clean_events
        if (links := span.links) and (clean_links := self._links(links)) is not None:
            changes["links"] = clean_links
        status = self._status(span.status)
        if status is not span.status:
            changes["status"] = status
            coerced += status.status_code is not span.status.status_code
        scope = span.instrumentation_scope
        if scope is not None and (clean_scope := self._scope(scope)) is not scope:
            changes["instrumentation_scope"] = clean_scope
        wrong = _wrong_fields(span)
        if wrong:
            changes |= wrong
            coerced += len(wrong)
        if coerced:
            attributes = {**(given if attributes is None else attributes), semconv.COERCED: coerced}
        if attributes is not None:
            changes["attributes"] = attributes
        return SpanCopy(span, **changes) if changes else span

    def _attributes(self, attributes: Mapping[Any, Any]) -> dict[str, AttributeValue] | None:
        """The clean attributes; None when they are clean already."""
        most = longest()
        if (most is None or not _may_be_cut(attributes, most)) and self._are_clean(attributes):
            return None
        changed: dict[str, AttributeValue] | None = None
        for name, value in attributes.items():
            clean = self._value(name, value)
            clean_name = name if name in self._names else self._clean_name(name)
            if clean is value and clean_name is name:
                continue
            if changed is None:
                changed = dict(attributes)
            if clean_name is not name:
                changed.pop(name, None)
            changed[clean_name] = clean
        return changed

    def _are_clean(self, attributes: Mapping[Any, Any]) -> bool:
        """Whether a quick look finds nothing to change: one search through all texts together is enough for most."""
        seen, names = self._seen, self._names
        texts: list[str] = []
        for name, value in attributes.items():
            if names.get(name) is not False:
                return False
            kind = type(value)
            if kind is str:
                # A long text is not looked up: its hash alone would cost half of what the search costs.
                if len(value) > _SEEN_LENGTH or not (value in seen or _is_session_id(name, value)):
                    texts.append(value)
            elif kind is tuple:
                if len(value) > 8 or not all(type(item) is str and item in seen and item[:1] != "-" for item in value):
                    return False
            elif not (kind is bool or kind is float or (kind is int and -_INT64 <= value < _INT64)):
                return False
        if not texts:
            return True
        return max(map(len, texts)) <= self._max_length and self._are_clean_texts(texts)

    def _are_clean_texts(self, texts: Sequence[str]) -> bool:
        joined = "\n".join(texts)  # no secret begins or ends with what a line break would hide
        if any(map(media.is_whole, texts)) or scrub(media.replaced(encodable(joined))) is not joined:
            return False
        for text in texts:
            self._remember(text)
        return True

    def _value(self, name: Any, value: Any) -> AttributeValue:
        """One attribute's value without secrets; the same object when there is none."""
        if self._is_secret_name(name) and type(value) not in (bool, int, float):
            return REDACTED
        if type(value) is str:
            return value if _is_session_id(name, value) else self._whole(value)
        if type(value) is tuple and len(value) <= MAX_ITEMS and {*map(type, value)} == {str}:
            texts = tuple(map(self._whole, value))
            if any(text[:1] == "-" for text in texts):
                texts = _without_options(texts)
            return value if all(map(_same, texts, value)) else texts
        clean = sanitize(value, max_length=self._max_length)
        if isinstance(clean, str):
            return self._scrubbed(clean)
        if isinstance(clean, tuple):
            clean = tuple(self._scrubbed(item) if isinstance(item, str) else item for item in clean)
            return value if clean == value and type(value) is tuple else clean
        return clean

    def _is_secret_name(self, name: Any) -> bool:
        known = self._names.get(name)
        if known is not None:
            return known
        is_secret = is_secret_name(name if type(name) is str else shown(name, 1000))
        if type(name) is str and self._clean_name(name) is name:
            if len(self._names) >= _SEEN_COUNT:
                self._names.clear()
                self._harmless.clear()
            self._names[name] = is_secret
            if not is_secret:
                self._harmless.add(name)
        return is_secret

    def _whole(self, text: str) -> str:
        """A value of an attribute, which the SDK may have cut in the middle of a key."""
        clean = self._scrubbed(text)
        return clean if len(text) != longest() or clean.endswith(REDACTED) else secrets.without_half(clean)

    def _clean_name(self, name: Any) -> str:
        """The name of an attribute as it can be sent: a program may make names of values."""
        return scrub(media.replaced_alone(encodable(name if type(name) is str else shown(name))))

    def _scrubbed(self, text: str, max_length: int | None = None) -> str:
        if len(text) <= _SEEN_LENGTH and text in self._seen:
            return text
        most = max_length or self._max_length
        clean = text if type(text) is str else shown(text, most)
        if len(clean) > most:
            clean = media.replaced_alone(clean, most * MAX_TEXTS)
            clean = cut(clean, limit(clean, most))
        clean = scrub(media.replaced_alone(encodable(clean)))
        if clean is text:
            self._remember(text)
        return clean

    def _remember(self, text: str) -> None:
        """This text is clean; short ones come again and again."""
        if len(text) <= min(_SEEN_LENGTH, self._max_length):  # (a name may be longer, and the same text is no value)
            if len(self._seen) >= _SEEN_COUNT:
                self._seen.clear()
            self._seen.add(text)

    def _name(self, name: Any) -> str:
        return self._scrubbed(name if _is_text(name) else shown(name, 200), self._max_name)

    def _status(self, status: Status) -> Status:
        code, description = status.status_code, status.description
        clean = None if description is None else self._scrubbed(description, self._max_name)
        known = isinstance(code, StatusCode)
        return status if known and clean is description else Status(code if known else StatusCode.UNSET, clean)

    def _scope(self, scope: InstrumentationScope) -> InstrumentationScope:
        """The scope, of which there are few: each is looked at once."""
        known = self._scopes.get(id(scope))
        if known is not None and known[0] is scope:
            return known[1]
        texts = (scope.name, scope.version, scope.schema_url)
        clean = tuple(text if text is None else self._name(text) for text in texts)
        attributes = self._attributes(plain_dict(scope.attributes))
        same = attributes is None and all(map(_same, clean, texts))
        name, version, schema_url = clean
        cleaned = (
            scope if same else InstrumentationScope(name or "", version, schema_url, attributes or scope.attributes)
        )
        if len(self._scopes) >= _SEEN_COUNT:
            self._scopes.clear()
        self._scopes[id(scope)] = (scope, cleaned)
        return cleaned

    def _events(self, events: Sequence[Event]) -> tuple[Event, ...] | None:
        clean = tuple(map(self._event, events))
        return None if all(map(_same, clean, events)) else clean

    def _event(self, event: Event) -> Event:
        attributes = plain_dict(event.attributes)
        changed = self._attributes(attributes)
        name = self._name(event.name)
        timestamp = _time(event.timestamp) or 0
        if changed is None and name is event.name and timestamp is event.timestamp:
            return event
        return Event(name, attributes if changed is None else changed, timestamp)

    def _links(self, links: Sequence[Link]) -> tuple[Link, ...] | None:
        clean = tuple(map(self._link, links))
        return None if all(map(_same, clean, links)) else clean

    def _link(self, link: Link) -> Link:
        changed = self._attributes(plain_dict(link.attributes))
        return link if changed is None else Link(link.context, changed)

    # -- the user's hook

    def _hooked(self, span: ReadableSpan, hook: Hook) -> ReadableSpan:
        if in_hook():
            return _without_content(span)
        _running.hook = hook
        try:
            return self._with_hook(span, _limited(hook))
        except _HookFailed as failure:
            self._report(f"redact={getattr(hook, '__qualname__', type(hook).__name__)!r} {failure}")
            return _without_content(span)
        finally:
            _running.hook = None

    def _with_hook(self, span: ReadableSpan, hook: Hook) -> ReadableSpan:
        def each(attributes: Mapping[str, Any] | None, prefix: str = "") -> dict[str, AttributeValue]:
            return self._called_for_each(hook, plain_dict(attributes), prefix)

        description = span.status.description
        if description is not None:
            called = self._called(hook, description, _STATUS_PATH)
            description = called if called is None or isinstance(called, str) else str(called)
        given, kept = plain_dict(span.attributes), each(span.attributes)
        return SpanCopy(
            span,
            name=_with_session_name(span.name, given, kept),
            attributes=_with_copies(given, kept),
            events=tuple(
                Event(event.name, each(event.attributes, f"{event.name}."), event.timestamp) for event in span.events
            ),
            links=tuple(Link(link.context, each(link.attributes, "link.")) for link in span.links),
            status=Status(span.status.status_code, description),
        )

    def _called_for_each(self, hook: Hook, attributes: Mapping[str, Any], prefix: str) -> dict[str, AttributeValue]:
        kept: dict[str, AttributeValue] = {}
        for name, value in attributes.items():
            if name in IDENTITY:
                kept[name] = value
                continue
            called = self._called(hook, value, prefix + name)
            if called is not None:
                kept[name] = called
        return kept

    def _called(self, hook: Hook, value: Any, path: str) -> AttributeValue | None:
        try:
            returned = hook(value, path)
        except _HookFailed:
            raise
        except BaseException as error:
            if stops(error):
                raise
            raise _HookFailed(f"raised {type(error).__name__}") from error
        if returned is None or returned is value:
            return value if returned is value else None
        if not _is_attribute(returned):
            raise _HookFailed(f"returned {type(returned).__name__}, which is not a valid attribute value")
        return self._value("", returned)

    def _report(self, what: str) -> None:
        """Say it once: what fails for one span fails for the next thousand."""
        if self._reported:
            return
        self._reported = True
        logger.warning("%s; the content of such spans is replaced by %s", what[:300], REDACTION_FAILED)


def _may_be_cut(attributes: Mapping[Any, Any], most: int) -> bool:
    """Whether the SDK may have cut a value: it lets none be longer."""
    return any(
        len(value) == most if type(value) is str else type(value) is tuple and most in map(len, filter(_is_text, value))
        for value in attributes.values()
    )


def _is_session_id(name: str, value: str) -> bool:
    """Whether this is the one text that every span has and that is new in every session: 32 hex digits and dashes."""
    return name == semconv.SESSION_ID and len(value) == 36 and value.isascii()


def _with_copies(given: Mapping[str, Any], kept: dict[str, AttributeValue]) -> dict[str, AttributeValue]:
    """What the hook has kept; a short copy of a value follows what the hook has made of the value."""
    for copy, originals in semconv.COPIES.items():
        for original in originals:
            if copy not in kept or original not in given:
                continue
            value = kept.get(original)
            if value is None:
                del kept[copy]
            elif value is not given[original]:
                kept[copy] = brief(value) if isinstance(value, str) else value
    return kept


def _with_session_name(name: str, given: Mapping[str, Any], kept: Mapping[str, AttributeValue]) -> str:
    """The name of a root span, in which that of the session stands: it follows what the hook has made of that."""
    before = given.get(semconv.SESSION_NAME)
    now = kept.get(semconv.SESSION_NAME)
    if now == before or not isinstance(before, str) or not name.endswith(before):
        return name
    return name.removesuffix(before) + str(now) if now is not None else name.removesuffix(before).rstrip()


def _is_text(value: Any) -> bool:
    return issubclass(type(value), str)


def _same(one: object, other: object) -> bool:
    return one is other


def plain_dict(attributes: Any) -> dict[str, Any]:
    """A dict of what a span, an event or a link calls its attributes.

    `copy()` of the SDK's mapping is one C call; reading it item by item is fifty times slower.
    """
    if not attributes:
        return {}
    try:
        copied = attributes.copy()
    except AttributeError:
        copied = dict(attributes)
    return copied if type(copied) is dict else dict(copied)


def _without_options(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """A command line without what stands behind ``--api-key`` and the like."""
    before = ("", *arguments)
    return tuple(
        REDACTED if option[:1] == "-" != argument[:1] and is_secret_name(option) else argument
        for option, argument in zip(before, arguments, strict=False)
    )


def _coerced(given: Mapping[Any, Any], clean: Mapping[str, Any]) -> int:
    """How many attributes OTLP cannot carry as they were: whole numbers beyond 64 bits, names that are no text."""
    return sum(
        (name not in clean and (type(name) is not str or encodable(name) is not name))
        or (type(value) is int and type(clean.get(name, 0)) is not int)
        for name, value in given.items()
    )


def _wrong_fields(span: ReadableSpan) -> dict[str, Any]:
    """What stands in for a kind, a start and an end that OTLP does not carry; empty when all three are right."""
    start, end = span.start_time, span.end_time
    right: dict[str, Any] = {}
    if type(start) is not int or type(end) is not int or not 0 <= start <= _UINT64 or not 0 <= end <= _UINT64:
        times = _time(start), _time(end)
        if times[0] is not start:
            right["start_time"] = next((time for time in times if time is not None), 0)
        if times[1] is not end:
            right["end_time"] = next((time for time in reversed(times) if time is not None), 0)
    if not isinstance(span.kind, SpanKind):
        right["kind"] = SpanKind.INTERNAL
    return right


def _time(value: Any) -> int | None:
    """Nanoseconds since 1970 as OTLP carries them, from whatever was given as a time; None for what is none."""
    if value is None or (type(value) is int and 0 <= value <= _UINT64):
        return value
    for convert in (int, float):
        with suppress(Exception):
            return min(max(int(convert(value)), 0), _UINT64)
    return None


def _is_attribute(value: Any) -> bool:
    if issubclass(type(value), (*_PLAIN, bytes)):  # (isinstance() asks the object)
        return True
    return type(value) in (list, tuple) and all(issubclass(type(item), _PLAIN) for item in value)


def _hidden(attributes: Mapping[str, Any] | None) -> dict[str, AttributeValue]:
    """The attributes with every text that may be content replaced."""
    return {
        name: value if name in _STRUCTURE or isinstance(value, (bool, int, float)) else REDACTION_FAILED
        for name, value in plain_dict(attributes).items()
    }


def _without_content(span: ReadableSpan) -> ReadableSpan:
    description = None if span.status.description is None else REDACTION_FAILED
    return SpanCopy(
        span,
        attributes=_hidden(span.attributes),
        events=tuple(Event(event.name, _hidden(event.attributes), event.timestamp) for event in span.events),
        links=tuple(Link(link.context, _hidden(link.attributes)) for link in span.links),
        status=Status(span.status.status_code, description),
    )


def _bare(span: ReadableSpan) -> ReadableSpan:
    """What is left of a span that cannot even be read: which span it is, and when."""
    return ReadableSpan(
        name=REDACTION_FAILED,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        kind=span.kind,
        start_time=_time(span.start_time) or 0,
        end_time=_time(span.end_time),
        instrumentation_scope=span.instrumentation_scope,
    )
