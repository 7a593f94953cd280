"""Jaeger, all in one process, with its store in memory and its query API as methods."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tests.backends.server import Server, loopback

_POLL = 0.1


class Jaeger(Server):
    """A Jaeger server; `trace()` and `search()` read back what arrived, in the format of Jaeger's JSON API."""

    # Every listener is named, or Jaeger binds its fixed port on all interfaces.
    PORTS = (
        "collector.otlp.grpc.host-port",
        "collector.otlp.http.host-port",
        "query.http-server.host-port",
        "query.grpc-server.host-port",
        "admin.http.host-port",
        "collector.grpc-server.host-port",
        "collector.http-server.host-port",
        "http-server.host-port",
        "processor.jaeger-binary.server-host-port",
        "processor.jaeger-compact.server-host-port",
        "processor.zipkin-compact.server-host-port",
    )

    def arguments(self) -> list[str]:
        """The command line after the program."""
        ports = [f"--{name}={self.address(name)}" for name in self.PORTS]
        return [*ports, "--memory.max-traces=10000", "--log-level=warn"]

    @property
    def health_url(self) -> str:
        """URL that answers 200 when the server is ready."""
        return self.url("admin.http.host-port") + "/"

    @property
    def otlp_http(self) -> str:
        """OTLP/HTTP endpoint, without `/v1/traces`."""
        return self.url("collector.otlp.http.host-port")

    @property
    def otlp_grpc(self) -> str:
        """OTLP/gRPC endpoint as a URL."""
        return self.url("collector.otlp.grpc.host-port")

    @property
    def query_url(self) -> str:
        """Base URL of the query API."""
        return self.url("query.http-server.host-port")

    @property
    def otlp_grpc_address(self) -> str:
        """OTLP/gRPC endpoint as `host:port`, as the Collector's exporter wants it."""
        return self.address("collector.otlp.grpc.host-port")

    def trace_url(self, session_id: str) -> str:
        """URL of the query API for one session; the dashes of a UUID are left out."""
        return f"{self.query_url}/api/traces/{session_id.replace('-', '')}"

    def trace(self, session_id: str, wait: float = 10.0, *, spans: int = 1) -> dict[str, Any]:
        """The trace of a session, as soon as it has that many spans.

        Args:
            session_id: UUID or 32 hexadecimal digits.
            wait: longest time in seconds.
            spans: how many spans there must be at least.

        Raises:
            AssertionError: there are fewer spans when the time is over; the text says how many.
        """
        deadline = time.monotonic() + wait
        while True:
            found = self._get(self.trace_url(session_id))
            seen = len(found[0]["spans"]) if found else 0
            if seen >= spans:
                return dict(found[0])
            if time.monotonic() >= deadline:
                raise AssertionError(f"Jaeger has {seen} of {spans} spans of trace {session_id} after {wait:g} s")
            time.sleep(_POLL)

    def search(
        self, service: str, tags: Mapping[str, str] | None = None, *, wait: float = 10.0
    ) -> list[dict[str, Any]]:
        """The traces that have a span of the service with all the tags; waits for the first one.

        Args:
            service: `service.name` of the resource.
            tags: span attributes and their values as text.
            wait: longest time in seconds; 0 looks once.
        """
        query = {"service": service, "limit": "1000", "tags": json.dumps(dict(tags or {}))}
        url = f"{self.query_url}/api/traces?{urllib.parse.urlencode(query)}"
        deadline = time.monotonic() + wait
        while True:
            found = self._get(url)
            if found or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL)

    def services(self) -> list[str]:
        """Names of the services that sent something."""
        return self._get(f"{self.query_url}/api/services")

    def _get(self, url: str) -> list[Any]:
        try:
            with loopback(url) as answer:
                return list(json.load(answer)["data"] or [])
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:  # an unknown trace
                    return []
                raise


def attributes(span: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a span (or a resource, event) of the JSON API as a dictionary."""
    return {tag["key"]: tag["value"] for tag in span.get("tags") or span.get("fields") or ()}
