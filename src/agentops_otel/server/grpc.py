"""OTLP over gRPC, on a port of its own, where ``grpcio`` is installed; the answers are those of the receiver's HTTP.

``grpc`` takes 14 MB and a quarter of a second, and most boxes never meet a sender of it. So the port is listened at
without it; the first connection loads it, and the bytes of each connection are handed to its server.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from ..log import logger
from .counts import Signal
from .otlp.inflate import MOST_WIRE
from .otlp.wire import CODES, response, status
from .receiver import SIGNALS, Receiver, Refusal

_SERVICES: Final[dict[Signal, str]] = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_DETAILS: Final = "grpc-status-details-bin"


def is_installed() -> bool:
    """Whether OTLP over gRPC can be taken."""
    return find_spec("grpc") is not None


class GrpcReceiver:
    """A server of the three services.

    Args:
        receiver: what takes the requests.
        sockets: that listen.
        is_local: they do so on loopback only.
    """

    def __init__(self, receiver: Receiver, sockets: Sequence[socket.socket], *, is_local: bool) -> None:
        self._receiver = receiver
        self._sockets = sockets
        self._is_local = is_local
        self._starting = asyncio.Lock()
        self._server: Any = None
        self._port = 0

    async def run(self) -> None:
        """Answer until it is cancelled."""
        doors = [await asyncio.start_server(self._connected, sock=each) for each in self._sockets]
        try:
            await asyncio.Event().wait()
        finally:
            for door in doors:
                door.close()
            if self._server is not None:
                await self._server.stop(1.0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand a connection to the server of gRPC."""
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", await self._started())
            await asyncio.gather(_copied(reader, inner_writer), _copied(inner_reader, writer))
        except (OSError, RuntimeError) as error:
            logger.warning("a connection of gRPC was not answered: %s", str(error)[:300])
        finally:
            writer.close()

    async def _started(self) -> int:
        """The port of the server, which is started when it is not there yet."""
        async with self._starting:
            if self._server is None:
                await run_in_threadpool(import_module, "grpc.aio")
                server = self._made()
                self._port = server.add_insecure_port("127.0.0.1:0")
                await server.start()
                self._server = server
        return self._port

    def _made(self) -> Any:
        import grpc  # type: ignore[import-untyped]

        server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MOST_WIRE),
                ("grpc.max_concurrent_streams", 64),
            ],
            maximum_concurrent_rpcs=64,
        )
        for signal in SIGNALS:
            method = grpc.unary_unary_rpc_method_handler(self._method(signal))
            server.add_generic_rpc_handlers(
                [grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": method})]
            )
        return server

    def _method(self, signal: Signal) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def export(request: bytes, context: Any) -> bytes:
            headers = Headers(raw=[(b"host", b"localhost")] if self._is_local else [])
            said = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
            headers = Headers({**headers, **said})
            sender = said.get("user-agent", "")
            try:
                project = await self._receiver.project(headers)
                taken = await self._receiver.take(
                    signal, request, packed=False, as_json=False, project=project, sender=sender
                )
            except Refusal as refusal:
                self._receiver.count(refusal, sender)
                await _refuse(context, refusal)
                raise  # never: the line above ends the call
            return response(taken.rejected, taken.reason)

        return export


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything of one side to the other, until it ends."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:  # one side is gone, so the other one ends too
        pass
    finally:
        writer.close()


async def _refuse(context: Any, refusal: Refusal) -> None:
    """https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling: with a ``RetryInfo`` the sender tries again."""
    import grpc

    code = CODES[refusal.status]
    by_number = {each.value[0]: each for each in grpc.StatusCode}
    details = ((_DETAILS, status(code, refusal.reason, refusal.retry_after)),)
    await context.abort(by_number[code], refusal.reason, trailing_metadata=details)
