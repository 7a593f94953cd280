"""OTLP over gRPC, on a port of its own, where ``grpcio`` is installed; the answers are those of the receiver's HTTP.

It is imported when it is wanted: ``grpc`` is large.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from ..log import logger
from .counts import Signal
from .inflate import MOST_WIRE
from .receiver import SIGNALS, Receiver, Refusal
from .wire import CODES, response, status

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
        at: addresses and ports to listen at.
        is_local: it listens on loopback only.
    """

    def __init__(self, receiver: Receiver, at: Sequence[tuple[str, int]], *, is_local: bool) -> None:
        self._receiver = receiver
        self._at = at
        self._is_local = is_local

    async def run(self) -> None:
        """Answer until it is cancelled."""
        await run_in_threadpool(import_module, "grpc.aio")  # a quarter of a second, in which pages are answered
        server = self._made()
        try:
            await server.start()
            await server.wait_for_termination()
        except RuntimeError as error:
            logger.warning("OTLP over gRPC is not received: %s", str(error)[:300])
        finally:
            await server.stop(1.0)

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
        for host, port in self._at:
            server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return server

    def _method(self, signal: Signal) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def export(request: bytes, context: Any) -> bytes:
            headers = Headers(raw=[(b"host", b"localhost")] if self._is_local else [])
            said = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
            headers = Headers({**headers, **said})
            sender = said.get("user-agent", "")
            try:
                project = await run_in_threadpool(self._receiver.project, headers)
                taken = await self._receiver.take(
                    signal, request, packed=False, as_json=False, project=project, sender=sender
                )
            except Refusal as refusal:
                self._receiver.count(refusal, sender)
                await _refuse(context, refusal)
                raise  # never: the line above ends the call
            return response(taken.rejected, taken.reason)

        return export


async def _refuse(context: Any, refusal: Refusal) -> None:
    """https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling: with a ``RetryInfo`` the sender tries again."""
    import grpc

    code = CODES[refusal.status]
    by_number = {each.value[0]: each for each in grpc.StatusCode}
    details = ((_DETAILS, status(code, refusal.reason, refusal.retry_after)),)
    await context.abort(by_number[code], refusal.reason, trailing_metadata=details)
