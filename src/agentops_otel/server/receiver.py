"""OTLP over HTTP: ``POST /v1/traces``, ``/v1/logs`` and ``/v1/metrics``, in protobuf and JSON, plain and with gzip.

A request is answered with 200 when it is stored, and not before. What it is answered else says whether to send it
again: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..log import logger
from ..normalize import content_of, normalize, normalize_log
from ..rows import Score, SpanContent
from ..version import __version__
from .auth import Auth
from .counts import Counts, Signal
from .late import LateContent
from .live import Live
from .otlp import (
    DecodeError,
    TooMany,
    count_metrics,
    logs_from_json,
    logs_from_protobuf,
    spans_from_json,
    spans_from_protobuf,
)
from .otlp.inflate import MOST_WIRE, NotPacked, TooLarge, inflated
from .otlp.wire import CODES, response, status
from .store import DEFAULT_PROJECT, Batch, OverLimit, Store, StoreFull

SIGNALS: Final[tuple[Signal, ...]] = ("traces", "logs", "metrics")
ABOUT_HEADER: Final = "x-agentops-otel"
"""On an answer to a request that was stored: the version, and where the page of its session is."""
_AT_ONCE: Final = 4  # requests that are decoded or wait for their commit, which those that wait share
_DECODED_AT_ONCE: Final = 2
_MOST_WAITING: Final = 64  # requests
_MOST_WAITING_BYTES: Final = 64 << 20
_REASONS: Final = 3  # of spans that were left out, in one answer


class Refusal(Exception):
    """Why a request is not stored.

    Attributes:
        status: of HTTP.
        reason: one line for the sender.
        counted: the same without what differs from one request to the next, for the System page.
        retry_after: seconds; None when the same request will not be taken later either.
    """

    def __init__(self, status: int, reason: str, counted: str = "", retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.counted: str = counted or reason
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request that was stored."""

    records: int
    """Spans or log records that were stored."""
    rejected: int = 0
    reason: str = ""
    """Why those were not."""


class Receiver:
    """Takes requests of any way in (HTTP, gRPC) into a store.

    Args:
        store: where to.
        auth: which senders need a key.
        counts: counts what comes.
        live: is told what has changed.
        passes: keys of this process itself, and the project of each.
    """

    def __init__(
        self, store: Store, auth: Auth, counts: Counts, live: Live, passes: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._passes = passes
        self._store = store
        self._auth = auth
        self._counts = counts
        self._live = live
        self._late = LateContent(store)
        self._limiter: CapacityLimiter | None = None
        self._decoding = threading.BoundedSemaphore(_DECODED_AT_ONCE)
        self._waiting = 0
        self._waiting_bytes = 0

    async def take(
        self, signal: Signal, body: bytes, *, packed: bool, as_json: bool, project: str, sender: str
    ) -> Taken:
        """Decode and store a request; it is durable on return.

        Raises:
            Refusal: it is not stored.
        """
        if self._waiting >= _MOST_WAITING or self._waiting_bytes + len(body) > _MOST_WAITING_BYTES:
            raise Refusal(429, "the receiver has too much to do: send again in a second", retry_after=1)
        if self._limiter is None:  # it belongs to the event loop that runs
            self._limiter = CapacityLimiter(_AT_ONCE)
        self._waiting += 1
        self._waiting_bytes += len(body)
        try:
            taken = await to_thread.run_sync(
                self._store_request, signal, body, packed, as_json, project, limiter=self._limiter
            )
        finally:
            self._waiting -= 1
            self._waiting_bytes -= len(body)
        now_ns = time.time_ns()
        self._counts.accept(signal, taken.records, now_ns, size=len(body), sender=sender)
        if taken.rejected:
            self._counts.refuse(taken.reason, now_ns, records=taken.rejected, sender=sender)
        return taken

    def _store_request(self, signal: Signal, body: bytes, packed: bool, as_json: bool, project: str) -> Taken:  # noqa: FBT001
        try:
            with self._decoding:
                batch, rejected = _READERS[signal](inflated(body) if packed else body, as_json)
        except (TooLarge, TooMany) as error:
            raise Refusal(413, str(error)) from None
        except NotPacked as error:
            raise Refusal(400, str(error), "the body is not gzip") from None
        except DecodeError as error:
            raise Refusal(400, str(error), str(error).partition(":")[0]) from None
        except Exception:
            logger.exception("a request cannot be read; please report this")
            raise Refusal(500, "the request cannot be read, by a mistake of the receiver: its log says more") from None
        self._add(replace(batch, project=project))
        whole = self._late.keep(batch.contents, project) or self._late.joined(batch.spans, project)
        self._add(Batch(spans=whole, project=project))
        reasons = list(dict.fromkeys(rejected))
        text = "; ".join(reasons[:_REASONS]) + (f"; and {len(reasons) - _REASONS} more" if reasons[_REASONS:] else "")
        return Taken(batch.received, len(rejected), text)

    def _add(self, batch: Batch) -> None:
        if not (batch.spans or batch.events or batch.scores):
            return
        try:
            added = self._store.add(batch, time.time_ns())
        except OverLimit as error:
            raise Refusal(429, f"nothing was stored: {error}", "the store is at its limit", retry_after=30) from None
        except StoreFull as error:
            reason = f"the store is full, so nothing was stored: {error}"
            raise Refusal(503, reason, "the store is full", retry_after=30) from None
        except Exception as error:
            logger.warning("the store cannot be written: %s", str(error)[:300])
            raise Refusal(503, "the store cannot be written: its log says more", retry_after=30) from None
        self._live.changed(added.sessions)

    async def project(self, headers: Headers) -> str:
        """The project that a sender writes to.

        Raises:
            Refusal: its key is not known, or it needs one.
        """
        scheme, _, key = headers.get("authorization", "").partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if key:
            found = self._passes.get(key) or await to_thread.run_sync(self._store.project_of_key, key)
            if found is None:
                raise Refusal(
                    401,
                    "the API key is not known here: make one with agentops-otel keys create PROJECT"
                    + (", or send without a key, as none is needed on this machine" if self._auth.is_local else ""),
                    "the API key is not known",
                )
            return found
        if self._auth.is_from_here(headers):
            return DEFAULT_PROJECT
        raise Refusal(
            401,
            "an API key is needed: make one with agentops-otel keys create PROJECT and send it as "
            "Authorization: Bearer KEY",
            "no API key",
        )

    def count(self, refusal: Refusal, sender: str) -> None:
        """A request was refused."""
        self._counts.refuse(refusal.counted, time.time_ns(), sender=sender)


@dataclass(frozen=True, slots=True)
class _Read(Batch):
    contents: Sequence[SpanContent] = ()
    """Messages of spans, in log records."""
    received: int = 0
    """Spans, log records or metrics that are in order."""


def _traces(content: bytes, as_json: bool) -> tuple[_Read, list[str]]:  # noqa: FBT001
    found = spans_from_json(content) if as_json else spans_from_protobuf(content)
    return _Read(spans=[normalize(span) for span in found.spans], received=len(found.spans)), found.rejected


def _logs(content: bytes, as_json: bool) -> tuple[_Read, list[str]]:  # noqa: FBT001
    found = logs_from_json(content) if as_json else logs_from_protobuf(content)
    rows = [row for row in map(normalize_log, found.logs) if row is not None]
    scores = [row for row in rows if isinstance(row, Score)]
    events = [row for row in rows if not isinstance(row, Score)]
    contents = [each for log in found.logs if (each := content_of(log)) is not None]
    return _Read(events=events, scores=scores, contents=contents, received=len(found.logs)), found.rejected


def _metrics(content: bytes, as_json: bool) -> tuple[_Read, list[str]]:  # noqa: FBT001
    """Accepted, so that a sender of all three signals does not complain; kept is nothing of it."""
    return _Read(received=count_metrics(content, as_json=as_json)), []


_READERS: Final[dict[Signal, Callable[[bytes, bool], tuple[_Read, list[str]]]]] = {
    "traces": _traces,
    "logs": _logs,
    "metrics": _metrics,
}


# HTTP -----------------------------------------------------------------------------------------------------------------


def is_for_receiver(request: Request) -> bool:
    """Whether a request is meant for the receiver, if at another address."""
    path = request.scope["path"]
    if path.startswith("/v1/") or path.rstrip("/").endswith(tuple(f"/v1/{signal}" for signal in SIGNALS)):
        return True
    return request.method == "POST" and (
        path == "/" or _media_type(request) in ("application/x-protobuf", "application/grpc")
    )


def routes(receiver: Receiver, address: str) -> Iterator[BaseRoute]:
    """The three addresses."""
    about = f'{__version__}; url="{address}"'

    def at(signal: Signal) -> Route:
        async def answer(request: Request) -> Response:
            try:
                taken = await _take(receiver, signal, request)
            except Refusal as refusal:
                receiver.count(refusal, _sender(request))
                return _refused(request, refusal)
            except ClientDisconnect:
                receiver.count(Refusal(408, "the sender was gone before its request was whole"), _sender(request))
                return Response(status_code=408)
            return _stored(request, signal, taken, about)

        return Route(f"/v1/{signal}", answer, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])

    for signal in SIGNALS:
        yield at(signal)


async def wrong_address(receiver: Receiver, address: str, request: Request) -> Response:
    """An answer for OTLP that came to another address: it says the right one."""
    path = request.scope["path"][:100]
    right = f"OTLP goes to {address}/v1/traces, {address}/v1/logs and {address}/v1/metrics"
    refusal = Refusal(404, f"nothing is received at {path}: {right}", f"POST {path} is no address of OTLP")
    try:
        await receiver.project(request.headers)
    except Refusal as unknown:
        refusal = unknown
    receiver.count(refusal, _sender(request))
    return _refused(request, refusal)


async def _take(receiver: Receiver, signal: Signal, request: Request) -> Taken:
    project = await receiver.project(request.headers)
    if request.method != "POST":
        raise Refusal(405, f"/v1/{signal} takes OTLP by POST")
    media_type = _media_type(request)
    if media_type not in ("application/x-protobuf", "application/json"):
        said = f"the content type {media_type[:60] or '(none)'} is not taken"
        raise Refusal(
            415,
            f"{said}: send application/x-protobuf or application/json",
            said,
        )
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise Refusal(
            415,
            f"the compression {encoding[:40]} is not taken: send gzip or none "
            "(OTEL_EXPORTER_OTLP_COMPRESSION=gzip or none)",
            f"the compression {encoding[:40]} is not taken",
        )
    return await receiver.take(
        signal,
        await _body(request),
        packed=encoding == "gzip",
        as_json=media_type == "application/json",
        project=project,
        sender=_sender(request),
    )


async def _body(request: Request) -> bytes:
    too_large = Refusal(413, f"the request is larger than {MOST_WIRE >> 20} MiB: send it in parts")
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and int(said[:20]) > MOST_WIRE:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_WIRE:
            raise too_large
    return bytes(body)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _sender(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _stored(request: Request, signal: Signal, taken: Taken, about: str) -> Response:
    """https://github.com/open-telemetry/opentelemetry-proto, the messages ``Export…ServiceResponse``."""
    headers = {ABOUT_HEADER: about}
    if _media_type(request) == "application/json":
        said = {}
        if taken.rejected:
            name = {"traces": "rejectedSpans", "logs": "rejectedLogRecords"}.get(signal, "rejectedDataPoints")
            said = {"partialSuccess": {name: str(taken.rejected), "errorMessage": taken.reason}}
        return Response(msgspec.json.encode(said), media_type="application/json", headers=headers)
    body = response(taken.rejected, taken.reason)
    return Response(body, media_type="application/x-protobuf", headers=headers)


def _refused(request: Request, refusal: Refusal) -> Response:
    """An answer with a ``google.rpc.Status``, in the encoding of the request."""
    headers = {} if refusal.retry_after is None else {"retry-after": str(refusal.retry_after)}
    code = CODES[refusal.status]
    media_type = _media_type(request)
    if media_type == "application/x-protobuf":
        body = status(code, refusal.reason)
    elif media_type == "application/json":
        body = msgspec.json.encode({"code": code, "message": refusal.reason})
    else:
        media_type, body = "text/plain", f"{refusal.reason}\n".encode()
    return Response(body, refusal.status, media_type=media_type, headers=headers)
