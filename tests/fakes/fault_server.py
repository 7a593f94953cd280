"""An OTLP backend on loopback, HTTP and gRPC, that fails in every way a real one can; its mode changes at any time.

``down()`` closes the listener and cuts live connections, ``up()`` comes back on the same port. Each request is recorded
with its time, path, headers and decoded content, stored or not; `span_ids()` and `spans()` tell what was stored.

A port may have been another test's a moment ago, in this run or in one beside it, and who knew it then may still come
to it. So a test says what must not have come, not that there was no connection: `asked` has the first line of each.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import random
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACES = "/v1/traces"
LOGS = "/v1/logs"
_UNPACKED = {"": bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}
# gRPC's number and name for what an HTTP status stands for.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True)
class Mode:
    """What the server does with a request. Made by the functions below; combine with `dataclasses.replace`."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    store: bool = True
    delay: float = 0.0  # seconds before the answer
    store_first: bool = False  # stored before the delay
    body: bytes | None = None  # instead of an OTLP answer
    body_size: int = 0  # so many bytes instead of an OTLP answer
    raw: bytes | None = None  # instead of HTTP
    reset: bool = False
    silent: bool = False  # never answer
    drip: float = 0.0  # seconds between two bytes of the answer
    rejects: int = 0
    rejects_message: str = ""
    bad_name: str | None = None  # refuse a request that holds a span whose name has this in it
    max_bytes: int | None = None  # refuse larger requests (inflated)
    signal: str | None = None  # only requests of this path; others are answered well


ok = Mode()


def slow(seconds: float) -> Mode:
    """Answer, and store, only after a while."""
    return Mode(delay=seconds)


def slow_but_stored(seconds: float) -> Mode:
    """Store at once, answer after a while."""
    return Mode(delay=seconds, store_first=True)


def status(code: int, headers: Mapping[str, str] | None = None, *, signal: str | None = None) -> Mode:
    """Refuse with an HTTP status, over gRPC with the code of the same meaning; ``retry-after`` is RetryInfo there."""
    return Mode(status=code, headers=headers or {}, store=False, signal=signal)


def garbage() -> Mode:
    """Status 200 and an answer that is not OTLP."""
    return Mode(store=False, body=b"\xff\xfe\x00garbage" * 20)


def not_http() -> Mode:
    """An answer that is not even HTTP."""
    return Mode(store=False, raw=b"\x00\x01\x02garbage\r\n\r\n")


def cut_off() -> Mode:
    """Status 200, and the connection ends before the head of the answer does."""
    return Mode(store=False, raw=b"HTTP/1.1 200 OK\r\nContent-")


def reset() -> Mode:
    """TCP reset instead of an answer."""
    return Mode(store=False, reset=True)


def partial(rejects: int, message: str = "") -> Mode:
    """Partial success: the last `rejects` spans are not stored; of a smaller request none is, whatever is claimed."""
    return Mode(rejects=rejects, rejects_message=message)


def big_body(size: int, code: int = 200) -> Mode:
    """An answer of `size` bytes."""
    return Mode(status=code, store=False, body_size=size)


def blackhole() -> Mode:
    """Accept and never answer."""
    return Mode(store=False, silent=True)


def redirect(location: str, code: int = 307) -> Mode:
    """A redirect."""
    return Mode(status=code, headers={"Location": location}, store=False)


def reject_if(name: str = "bad", code: int = 400) -> Mode:
    """Refuse requests that hold a span with `name` in its name."""
    return Mode(status=code, bad_name=name)


def too_large(limit: int, code: int = 413) -> Mode:
    """Refuse requests of more than `limit` bytes."""
    return Mode(status=code, max_bytes=limit)


def drip(seconds: float) -> Mode:
    """Answer byte by byte."""
    return Mode(store=False, drip=seconds)


@dataclass(frozen=True)
class Request:
    """One recorded request. `time` is `time.monotonic()`; `headers` have lower-case names (gRPC: the metadata)."""

    time: float
    path: str
    headers: Mapping[str, str]
    spans: tuple[Any, ...]
    logs: tuple[Any, ...]
    size: int
    connection: int
    stored: bool


def event_name(record: Any) -> str:
    """The name of a log event, also where the installed messages are older than its field, OTLP 1.5."""
    if hasattr(record, "event_name"):
        return str(record.event_name)
    (name,) = (field.data for field in UnknownFieldSet(record) if field.field_number == 12)
    return str(name.decode())


class FaultServer:
    """A context manager; `url` is the endpoint for `protocol` ``http/protobuf`` or ``grpc``.

    `mode` is a `Mode` or a function of the seconds since the server's start that returns one. With `slim`, only names
    and ids of spans are kept: for tests whose spans would fill this process's memory.
    """

    def __init__(
        self, protocol: str = "http/protobuf", mode: Mode | Callable[[float], Mode] = ok, *, slim: bool = False
    ) -> None:
        self.protocol = protocol
        self.mode = mode
        self.slim = slim
        self.requests: list[Request] = []
        self.asked: list[str] = []  # the first line of each request, strangers' too: HTTP only
        self.numbers = itertools.count(1)  # of connections
        self.body_bytes_sent = 0  # of `big_body`, HTTP only; what the client's side took, kernel buffers included
        self.port = 0
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._backend: _Http | _Grpc | None = None

    def __enter__(self) -> FaultServer:  # noqa: PYI034  (typing.Self is newer than Python 3.10)
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    @property
    def url(self) -> str:
        """The OTLP endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Listen, on the same port as before."""
        self._stop = threading.Event()
        self._backend = _Grpc(self, self._stop) if self.protocol == "grpc" else _Http(self, self._stop)

    def down(self) -> None:
        """Stop listening and cut every connection."""
        self._stop.set()
        if self._backend is not None:
            self._backend.close()
        self._backend = None

    def spans(self) -> list[Any]:
        """The stored spans (OTLP messages), in order of arrival, duplicates included."""
        with self._lock:
            return [span for request in self.requests if request.stored for span in request.spans]

    def span_ids(self) -> list[str]:
        """The stored spans' ids in hex, duplicates included."""
        return [span.span_id.hex() for span in self.spans()]

    def logs(self) -> list[Any]:
        """The stored log records (OTLP messages)."""
        with self._lock:
            return [record for request in self.requests if request.stored for record in request.logs]

    def wait_for(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until a condition on the server holds."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def current_mode(self, path: str) -> Mode:
        """The mode for a request that comes now."""
        mode = self.mode if isinstance(self.mode, Mode) else self.mode(time.monotonic() - self._started)
        return mode if mode.signal in (None, path) else ok

    def decide(self, path: str, headers: Mapping[str, str], body: bytes, connection: int) -> Mode:
        """Record a request and settle what happens to it."""
        mode, stop = self.current_mode(path), self._stop  # another one after `up()`: this request stays cut off
        spans, logs = _decoded(path, body)
        if self.slim:
            spans, logs = tuple(map(_slim, spans)), ()
        if mode.bad_name is not None or mode.max_bytes is not None:
            bad = mode.bad_name is not None and any(mode.bad_name in span.name for span in spans)
            large = mode.max_bytes is not None and len(body) > mode.max_bytes
            mode = replace(mode, store=False) if bad or large else replace(mode, status=200)
        if mode.status >= 300:
            mode = replace(mode, store=False)
        request = Request(time.monotonic(), path, headers, spans, logs, len(body), connection, stored=False)
        with self._lock:
            self.requests.append(request)
            place = len(self.requests) - 1
        if mode.delay and not mode.store_first:
            stop.wait(mode.delay)
        if mode.store and not stop.is_set():
            kept = spans[: max(0, len(spans) - max(0, mode.rejects))]
            with self._lock:
                self.requests[place] = replace(request, spans=kept, stored=True)
        if mode.delay and mode.store_first:
            stop.wait(mode.delay)
        return mode


def _decoded(path: str, body: bytes) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    if path.partition("?")[0].endswith(LOGS):
        logs = ExportLogsServiceRequest.FromString(body)
        return (), tuple(r for rl in logs.resource_logs for sl in rl.scope_logs for r in sl.log_records)
    traces = ExportTraceServiceRequest.FromString(body)
    return tuple(s for rs in traces.resource_spans for ss in rs.scope_spans for s in ss.spans), ()


def _slim(span: Any) -> Any:
    return Span(name=span.name, trace_id=span.trace_id, span_id=span.span_id, parent_span_id=span.parent_span_id)


def _answer(path: str, mode: Mode) -> bytes:
    if mode.body_size:
        return b"\x00" * mode.body_size
    if mode.body is not None:
        return mode.body
    if path.partition("?")[0].endswith(LOGS):
        return ExportLogsServiceResponse().SerializeToString()
    response = ExportTraceServiceResponse()
    if mode.rejects or mode.rejects_message:
        response.partial_success.rejected_spans = mode.rejects
        response.partial_success.error_message = mode.rejects_message
    return response.SerializeToString()


class _Http:
    """HTTP/1.1 on bare sockets, because a fault is something a web framework does not let one do."""

    def __init__(self, owner: FaultServer, stop: threading.Event) -> None:
        self._owner = owner
        self._stop = stop
        self._live: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", owner.port), backlog=256)
        owner.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        _cut(self._listener)
        with self._lock:
            for connection in self._live:
                _cut(connection)
        for thread in list(self._threads):
            thread.join(5)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._live.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection, next(self._owner.numbers)), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with connection.makefile("rb") as reader:
                while not self._stop.is_set() and self._one(connection, reader, number):
                    pass
        except (OSError, ValueError, IndexError):  # not HTTP
            pass
        finally:
            with self._lock:
                self._live.discard(connection)
            _cut(connection)

    def _one(self, connection: socket.socket, reader: Any, number: int) -> bool:
        first = reader.readline()
        if not first:
            return False
        self._owner.asked.append(first.decode("latin-1"))
        line = first.decode()  # of TLS, it fails here
        if line.startswith("GET "):  # of a reader in another test, whose box had this port before
            return False
        headers: dict[str, str] = {}
        while (text := reader.readline().decode().strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", 0)))
        body = _UNPACKED[headers.get("content-encoding", "")](body)
        path = line.split()[1]
        mode = self._owner.decide(path, headers, body, number)
        if self._stop.is_set():
            return False
        if mode.silent:
            self._stop.wait()
            return False
        if mode.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if mode.raw is not None:
            connection.sendall(mode.raw)
            return False
        self._reply(connection, path, mode)
        return not mode.drip

    def _reply(self, connection: socket.socket, path: str, mode: Mode) -> None:
        body = _answer(path, mode) if mode.status == 200 and not mode.body_size else b""
        size = mode.body_size or len(body)
        head = {"content-type": "application/x-protobuf", "content-length": str(size), **mode.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        answer = f"HTTP/1.1 {mode.status} Status\r\n{lines}\r\n".encode() + body
        if mode.drip:
            self._drip(connection, answer, mode.drip)
            return
        connection.sendall(answer)
        piece = b"\x00" * 65536  # never the whole body in memory: the client's memory is not to be confused with ours
        for _ in range(mode.body_size // len(piece)):
            connection.sendall(piece)
            self._owner.body_bytes_sent += len(piece)
        connection.sendall(piece[: mode.body_size % len(piece)])

    def _drip(self, connection: socket.socket, answer: bytes, seconds: float) -> None:
        for byte in answer:
            connection.sendall(bytes([byte]))
            if self._stop.wait(seconds):
                return


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class _Grpc:
    """The trace and logs services, generic, so that an answer can be anything."""

    def __init__(self, owner: FaultServer, stop: threading.Event) -> None:
        import grpc

        self._owner = owner
        self._stop = stop
        self._pool = futures.ThreadPoolExecutor(16)
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])

        class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
            def service(handler, details: Any) -> Any:
                path = LOGS if "LogsService" in details.method else TRACES
                headers = {name.lower(): value for name, value in details.invocation_metadata}
                return grpc.unary_unary_rpc_method_handler(
                    lambda body, context: self._serve(grpc, path, headers, body, context)
                )

        self._server.add_generic_rpc_handlers((Handler(),))
        owner.port = self._bound(owner.port)
        self._server.start()

    def _bound(self, port: int) -> int:
        end = time.monotonic() + 5
        while True:
            try:
                return int(self._server.add_insecure_port(f"127.0.0.1:{port}"))
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def close(self) -> None:
        self._server.stop(0).wait(5)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _serve(self, grpc: Any, path: str, headers: Mapping[str, str], body: bytes, context: Any) -> bytes:
        mode = self._owner.decide(path, headers, body, 0)
        if mode.silent or mode.drip:
            self._stop.wait()
        if self._stop.is_set():
            context.abort(grpc.StatusCode.UNAVAILABLE, "down")
        if mode.reset or mode.raw is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")
        if mode.status != 200 and (not mode.store or mode.body_size):
            self._abort(grpc, mode, context)
        return _answer(path, mode)

    def _abort(self, grpc: Any, mode: Mode, context: Any) -> None:
        code = grpc.StatusCode[_CODES.get(mode.status, "UNKNOWN")]
        text = "received message larger than max" if mode.status == 413 else "refused by the test"
        after = {name.lower(): value for name, value in mode.headers.items()}.get("retry-after")
        if after is not None:
            detail = Status(code=code.value[0], message=text)
            detail.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=int(float(after)))))
            context.set_trailing_metadata((("grpc-status-details-bin", detail.SerializeToString()),))
        context.abort(code, text)


def chaos(share: float, seed: int = 0, code: int = 503) -> Callable[[float], Mode]:
    """A mode that refuses a share of the requests at random."""
    dice = random.Random(seed)
    return lambda _: status(code) if dice.random() < share else ok
