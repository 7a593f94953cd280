"""The span of a call that has none of ours below it, at a third of the price of the SDK's.

The SDK's span guards each attribute against limits and other threads, and asks a sampler and every processor. Where
nobody has set a limit, the sampler is the default one and our processor is alone on our own provider, all of that
changes nothing: there a `Leaf` keeps its attributes in a plain dict and goes straight to its session when it ends. It
is one of the SDK's spans for everybody who meets it, and becomes one in earnest as soon as it is asked for what a dict
cannot do, or another processor has come. In every other place, and with a release of the SDK whose spans have other
fields, `Leaves.start()` makes none.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanLimits
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from .. import clock, semconv

if TYPE_CHECKING:
    from .guarded import GuardedProcessors
    from .processor import SessionSpanProcessor, SessionSpans

_sdk: Any = sdk  # whose `time_ns` tests of agents replace, see `testing.py`
_logger: Final = logging.getLogger(sdk.__name__)  # as the SDK's span, whose warnings `LateCalls` knows
_PLAIN: Final = frozenset({bool, float, int, str, tuple})
_TEXT: Final = frozenset({str})
_UNSET: Final = Status(StatusCode.UNSET)
_FLAGS: Final = tuple(map(TraceFlags, range(4)))
_new: Final[Any] = tuple.__new__
# Newer SDKs hand on whether the trace id is random.
_INHERITED_FLAGS: Final = 0x03 if hasattr(IdGenerator, "is_trace_id_random") else TraceFlags.SAMPLED
_FIELDS: Final = frozenset({
    "_attributes", "_context", "_end_time", "_events", "_instrumentation_info", "_instrumentation_scope", "_kind",
    "_limits", "_links", "_lock", "_name", "_parent", "_record_end_metrics", "_record_exception", "_resource",
    "_sampler", "_set_status_on_exception", "_span_processor", "_start_time", "_status", "_trace_config",
})  # fmt: skip


class Leaf(Span):
    """See the module; made by `Leaves.start()`.

    Attributes:
        session: whose span it is.
        offset: `clock.offset()` at its start.
        ref: where the record of it is kept; None where there is none.
        searched: names of attributes of messages whose texts have been cut and searched for secrets.
        known: the `secrets.forms` that they were searched for.
        figures: once it has ended, all attributes but the messages; None unless it was filled, and nobody else has put
            something on it.
    """

    # What the SDK's span has in each instance: here what is the same for most is the class's, see `Leaves` for more.
    _end_time: int | None = None
    _events: Any = ()
    _links: Any = ()
    _status = _UNSET
    _record_end_metrics = _trace_config = None
    _record_exception = _set_status_on_exception = False
    _leaves: Leaves
    ref: Any = None
    searched: Collection[str] = ()
    known: object = None
    figures: dict[str, Any] | None = None
    _is_filled = _is_touched = False

    def __init__(
        self,
        session: SessionSpans,
        name: str,
        context: SpanContext,
        parent: SpanContext,
        kind: SpanKind,
        attributes: dict[str, Any],
        start_time: int | None,
    ) -> None:
        self._name = name
        self._context = context
        self._parent = parent
        self._kind = kind
        self._resource = self._leaves.tracer.resource  # which changes in a forked process
        self._lock = threading.Lock()
        self._attributes: Any = attributes
        self.session = session
        self.offset: int = clock.offset()
        self._start_time = _sdk.time_ns() if start_time is None else start_time

    def _as_the_sdk(self) -> None:
        """Put the attributes into the SDK's own mapping, which takes everything and has limits."""
        if type(self._attributes) is dict:
            limits = self._limits
            self._attributes = BoundedAttributes(
                limits.max_span_attributes,
                self._attributes,
                immutable=self._end_time is not None,
                max_value_len=limits.max_span_attribute_length,
            )

    def fill(self, attributes: Mapping[str, Any]) -> None:
        """`set_attributes()` for the call itself, before the end.

        Args:
            attributes: texts, numbers and tuples of texts, under names of the conventions.
        """
        own: Any = self._attributes
        if type(own) is dict and self._end_time is None:
            self._is_filled = True
            own.update(attributes)
        else:
            self.set_attributes(attributes)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """As the SDK's span."""
        self._is_touched = True
        own: Any = self._attributes
        if (
            type(own) is not dict
            or self._end_time is not None
            or len(own) + len(attributes) > self._leaves.most
            or not _are_plain(attributes)
        ):
            self._as_the_sdk()
            super().set_attributes(attributes)
            return
        for name in own.keys() & attributes.keys():  # as in the SDK, what is set again is the last
            del own[name]
        own.update(attributes)
        self.searched = ()

    def set_attribute(self, key: str, value: Any) -> None:
        """As the SDK's span."""
        self.set_attributes({key: value})

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """As the SDK's span."""
        self._is_touched = True
        if not self._events:
            self._events = self._new_events()  # type: ignore[no-untyped-call]
        super().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """As the SDK's span."""
        self._is_touched = True
        if not self._links:
            self._links = self._new_links(())
        super().add_link(context, attributes)

    def end(self, end_time: int | None = None) -> None:
        """End it once, and give it to its session."""
        leaves = self._leaves
        with self._lock:
            if self._end_time is not None:
                _logger.warning("Calling end() on an ended span.")
                return
            start: Any = self._start_time
            end = clock.corrected(_sdk.time_ns() if end_time is None else end_time, self.offset)
            end = max(start, end)
            is_leaf = type(self._attributes) is dict and leaves.processors.sole is leaves.sessions
            if is_leaf:
                self._end_time = end
        if is_leaf:
            if self._is_filled and not self._is_touched:
                self.figures = figures = self._attributes.copy()
                for message in semconv.MESSAGES:
                    figures.pop(message, None)
            leaves.sessions.on_end(self, self.session)
        else:
            self._as_the_sdk()
            super().end(end)

    def told(self) -> tuple[int, str, StatusCode, tuple[Any, Any]]:
        """What the totals ask of it, all at once: the parent's id, the name, the status, start and end."""
        parent: Any = self._parent
        return parent[1], self._name, self._status.status_code, (self._start_time, self._end_time)

    def complete(self, attributes: Mapping[str, Any], resource: Resource) -> None:
        """Add what is found out after its end, such as a price; for the pipeline that it is in."""
        self._attributes = {**self._attributes, **attributes}  # (not the same dict: somebody may be reading that)
        self._resource = resource


def _are_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether the SDK would take all of these as they are: texts, numbers, and tuples of texts."""
    values = [*attributes.values()]
    kinds = [*map(type, values)]
    if not (_PLAIN.issuperset(kinds) and _TEXT.issuperset(map(type, attributes)) and "" not in attributes):
        return False
    position = -1
    for _ in range(kinds.count(tuple)):
        position = kinds.index(tuple, position + 1)
        if not _TEXT.issuperset(map(type, values[position])):
            return False
    return True


class Leaves:
    """Makes the leaves of a tracer of ours.

    Args:
        tracer: the SDK's, of our own provider.
        limits: of the provider.
        processors: all of the provider.
        sessions: ours among them.
    """

    def __init__(
        self, tracer: sdk.Tracer, limits: SpanLimits, processors: GuardedProcessors, sessions: SessionSpanProcessor
    ) -> None:
        self.tracer = tracer
        self.processors = processors
        self.sessions = sessions
        self.most: int = limits.max_span_attributes or 0
        self._tracer_config = getattr(tracer, "_tracer_config", None)
        # (private names, of which `offer()` has looked whether they are all)
        self._class = type(
            Leaf.__name__,
            (Leaf,),
            {
                "_leaves": self,
                "_instrumentation_info": tracer.instrumentation_info,
                "_instrumentation_scope": tracer._instrumentation_scope,  # noqa: SLF001
                "_limits": limits,
                "_sampler": tracer.sampler,
                "_span_processor": processors,
            },
        )

    def start(
        self,
        name: str,
        parent: SpanContext,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
        start_time: int | None,
    ) -> Leaf | None:
        """Start a leaf that keeps `attributes`; None where it has to be a span of the SDK's.

        Args:
            attributes: as those of `Leaf.fill()`.
            start_time: nanoseconds since the epoch; now when left out.
        """
        trace_id, _, _, flags, state, is_valid = parent
        tracer, sessions = self.tracer, self.sessions
        session = sessions.session(trace_id)
        if (
            session is None
            or self.processors.sole is not sessions
            or not is_valid
            or not flags & TraceFlags.SAMPLED
            or tracer.sampler is not DEFAULT_ON
            or getattr(tracer, "_tracer_config", None) is not self._tracer_config
        ):
            return None
        span_id = tracer.id_generator.generate_span_id()
        # As `SpanContext()` does it, which looks at all of it again.
        own: SpanContext = _new(SpanContext, (trace_id, span_id, False, _FLAGS[flags & _INHERITED_FLAGS], state, True))
        leaf: Leaf = self._class(session, name, own, parent, kind, attributes, start_time)
        if links:
            leaf._links = leaf._new_links(links)  # noqa: SLF001
            leaf._is_touched = True  # noqa: SLF001
        session.totals.begin(leaf, span_id, attributes, leaf.offset)
        if sessions.foreign:
            sessions.place(session, own)
        return leaf


@functools.cache
def _is_known() -> bool:
    """Whether the spans of this SDK have the fields that a leaf has, and no others."""

    class Probe(Span):
        pass

    try:
        fields = vars(Probe("probe", INVALID_SPAN_CONTEXT, resource=Resource.get_empty())).keys()
    except Exception:
        return False
    state = TraceState()
    return (
        fields <= _FIELDS
        and hasattr(sdk, "time_ns")
        and hasattr(Span, "_new_events")
        and hasattr(Span, "_new_links")
        and tuple(SpanContext(1, 2, False, _FLAGS[1], state)) == (1, 2, False, _FLAGS[1], state, True)
    )


def offer(tracer: Any, limits: SpanLimits, processors: GuardedProcessors, sessions: SessionSpanProcessor) -> None:
    """Let `Scope.start_span()` make leaves with a tracer, where spans of the SDK's would be the same.

    Args:
        tracer: of our own provider, which has these limits and these processors.
        sessions: the one of the processors that is ours.
    """
    metrics = getattr(tracer, "_tracer_metrics", None)
    counts = metrics is not None and bool(vars(metrics))  # of spans, by newer SDKs, when they are told to
    if (
        isinstance(tracer, sdk.Tracer)
        and not counts
        and getattr(tracer, "_is_enabled", lambda: True)()
        and hasattr(tracer, "_instrumentation_scope")
        and limits.max_span_attribute_length is None
        and _is_known()
    ):
        tracer.start_leaf = Leaves(tracer, limits, processors, sessions).start  # type: ignore[attr-defined]
