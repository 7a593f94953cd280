"""How one request leaves the process: OTLP over HTTP or gRPC, console, OTLP JSON lines in a file, or a user's exporter.

A transport makes exactly one attempt and says what came of it; waiting, repeating, splitting and counting belong to
`delivery.py`. Only the transport that is used is imported, and what speaks HTTP, gRPC or JSON with its first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...config import Configuration
    from .attempt import Transport


def open_transport(config: Configuration) -> Transport:
    """The transport for a configuration; nothing is connected yet."""
    if config.exporter is not None:
        from .custom import CustomTransport

        return CustomTransport(config.exporter)
    if config.protocol == "console":
        from .console import ConsoleTransport

        return ConsoleTransport()
    if config.protocol == "file":
        from .file import FileTransport, file_path

        return FileTransport(file_path(config.endpoint))
    if config.protocol == "grpc":
        from .grpc import GrpcTransport

        return GrpcTransport(config)
    from .http import HttpTransport

    return HttpTransport(config)
