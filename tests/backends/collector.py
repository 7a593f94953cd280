"""The OpenTelemetry Collector with the project's own configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.backends.server import Server

CONFIG = Path(__file__).parents[2] / "collector-config.yaml"


class Collector(Server):
    """A Collector that runs `collector-config.yaml`, or another file, with its addresses from the environment.

    Args:
        program: the built Collector.
        folder: for its log.
        config: the configuration file.
        overlay: another one, merged over it.
        environ: variables that the files read.
    """

    PORTS = ("grpc", "http", "health")

    def __init__(
        self,
        program: Path,
        folder: Path,
        *,
        config: Path = CONFIG,
        overlay: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(program, folder)
        self.configs = [config, *([overlay] if overlay else [])]
        self._environ = dict(environ or {})

    def arguments(self) -> list[str]:
        """The command line after the program."""
        return [f"--config={path}" for path in self.configs]

    def environ(self) -> Mapping[str, str]:
        """The variables that the configuration file reads."""
        return {
            "OTLP_GRPC_ENDPOINT": self.address("grpc"),
            "OTLP_HTTP_ENDPOINT": self.address("http"),
            "HEALTH_CHECK_ENDPOINT": self.address("health"),
            **self._environ,
        }

    @property
    def health_url(self) -> str:
        """URL that answers 200 when the server is ready."""
        return self.url("health") + "/"

    @property
    def otlp_http(self) -> str:
        """OTLP/HTTP endpoint, without `/v1/traces`."""
        return self.url("http")

    @property
    def otlp_grpc(self) -> str:
        """OTLP/gRPC endpoint as a URL."""
        return self.url("grpc")
