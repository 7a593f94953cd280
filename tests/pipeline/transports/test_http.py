"""OTLP over HTTP: what an answer means, redirects, proxies, kept connections."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from agentops_otel.config import Configuration
from agentops_otel.pipeline.transports import http as http_module
from agentops_otel.pipeline.transports.http import HttpTransport
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer, Mode
from tests.pipeline.exporting import COMPRESSION, EVENT, KEY, ONE_ATTEMPT, delivering, make_spans, times


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("86400", 300.0, id="capped"),
        pytest.param("-5", 0.0, id="negative"),
        pytest.param("soon", None, id="nonsense"),
        pytest.param("nan", None, id="nan"),
        pytest.param("inf", 300.0, id="endless"),
        pytest.param("Fri, 31 Dec 9999999999999999999 23:59:59 GMT", None, id="year"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 +99999999999999", None, id="zone"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -2359", 300.0, id="last day"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 +2359", 0.0, id="first day"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_retry_after_header(value: str | None, seconds: float | None) -> None:
    """A Retry-After header in seconds is read, bounded to 300 s, and nonsense is ignored."""
    assert http_module._retry_after(value) == seconds


def test_retry_after_date() -> None:
    """A Retry-After header may be a date."""
    seconds = http_module._retry_after(formatdate(time.time() + 60, usegmt=True))
    assert seconds is not None
    assert 57 < seconds <= 60


@pytest.mark.parametrize(
    ("kind", "body", "accepted"),
    [
        pytest.param("application/x-protobuf", b"", True, id="empty"),
        pytest.param("application/json", b"{}", True, id="json"),
        pytest.param("application/json", b'{"partialSuccess": {}, "extra": 1}', True, id="json-with-more"),
        pytest.param("text/html", b"<html>Please log in</html>", False, id="captive-portal"),
        pytest.param("application/json", b"not json", False, id="bad-json"),
    ],
)
def test_what_counts_as_an_acknowledgement(kind: str, body: bytes, accepted: bool) -> None:
    """A 2xx acknowledges only with an OTLP answer or an empty one."""
    mode = Mode(body=body, headers={"content-type": kind})
    with FaultServer(mode=mode) as server, delivering(server, **ONE_ATTEMPT) as exporter:
        assert (exporter.export(make_spans("a")) is SpanExportResult.SUCCESS) is accepted
        assert exporter.counts.acknowledged == int(accepted)


@pytest.mark.parametrize("code", [301, 302, 304, 307, 308])
def test_redirect_is_a_failure(code: int, lines: Callable[[], list[str]]) -> None:
    """N12: a redirect is not followed and acknowledges nothing; one line names its target, without the query."""
    with FaultServer() as elsewhere:
        mode = fault_server.redirect(f"{elsewhere.url}/login?token=t0k3n", code)
        with FaultServer(mode=mode) as server, delivering(server) as exporter:
            exporter.export(make_spans("a"))
            exporter.export(make_spans("b"))
            assert (exporter.counts.acknowledged, exporter.kept) == (0, 2)
            assert not [line for line in elsewhere.asked if "login" in line]
            assert elsewhere.requests == []
            assert len(server.requests) == 2
    assert len(lines()) == 1
    assert f"{elsewhere.url}/login" in lines()[0]
    assert "t0k3n" not in lines()[0]


@pytest.mark.parametrize("code", [302, 304])
def test_redirect_without_a_target(code: int, lines: Callable[[], list[str]]) -> None:
    """N12: where a redirect names no target, none is made up."""
    with FaultServer(mode=fault_server.status(code)) as server, delivering(server) as exporter:
        exporter.export(make_spans("a"))
        assert (exporter.counts.acknowledged, exporter.kept, exporter.refused) == (0, 1, True)
    assert lines() == [f"agentops-otel: spans cannot be delivered to {server.url}/v1/traces: {code} Status"]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_loopback_never_goes_through_a_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """N14: a proxy in the environment does not see what is sent to this machine."""
    with FaultServer() as proxy, FaultServer() as server:
        monkeypatch.setenv(variable, proxy.url)
        with delivering(server) as exporter:
            assert exporter.export(make_spans("a")) is SpanExportResult.SUCCESS
        assert not [line for line in proxy.asked if not line.startswith("GET ")]
        assert len(server.requests) == 1


def test_other_hosts_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is used for another host; the API key stays home when that way is not encrypted."""
    with FaultServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with delivering("http://collector.invalid:4318") as exporter:
            exporter.export(make_spans("a"))
        assert proxy.requests[0].path == "http://collector.invalid:4318/v1/traces"
        assert "authorization" not in proxy.requests[0].headers


def test_netrc_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S18: credentials of .netrc do not reach the backend, not even in place of a key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(make_spans("a"))
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("variables", "traces", "logs"), COMPRESSION)
def test_compression(
    variables: dict[str, str], traces: str | None, logs: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are packed as the environment says, each signal by its own variable first."""
    for signal, compression in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION", compression)
    with FaultServer() as server, delivering(server) as exporter:
        exporter.export(make_spans("a"))
        exporter.send_events([EVENT], Resource({}))
        assert [(request.path, request.headers.get("content-encoding")) for request in server.requests] == [
            (fault_server.TRACES, traces),
            (fault_server.LOGS, logs),
        ]
        assert len(server.span_ids()) == len(server.logs()) == 1


@pytest.mark.parametrize("code", [200, 400])
def test_endless_reply(code: int) -> None:
    """N15: of a huge reply only a piece is read, the rest is left with the server, and it acknowledges nothing."""
    size = 400 * 1024 * 1024
    with FaultServer(mode=fault_server.big_body(size, code)) as server, delivering(server) as exporter:
        outcome = exporter.send(make_spans("a"), time.monotonic() + 20)
        assert outcome.acknowledged == []
        assert len(outcome.rejected) == (code == 400)
        # What the kernel's buffers took is counted by the server too.
        assert server.body_bytes_sent < 32 * 1024 * 1024


def test_connections_are_kept() -> None:
    """Requests share one connection."""
    with FaultServer() as server, delivering(server) as exporter:
        for _ in range(5):
            exporter.export(make_spans("a"))
        assert len(server.requests) == 5
        assert len({request.connection for request in server.requests}) == 1


def test_a_kept_connection_that_breaks_is_no_outage(lines: Callable[[], list[str]]) -> None:
    """A server that closes a kept connection under a request is reached over a new one at once, without a word."""
    mode = times(fault_server.ok, fault_server.reset(), fault_server.ok)
    with FaultServer(mode=mode) as server, delivering(server, backoff=20) as exporter:
        exporter.export(make_spans("a"))
        assert exporter.export(make_spans("b")) is SpanExportResult.SUCCESS
        assert [span.name for span in server.spans()] == ["a", "b"]
        assert [request.connection for request in server.requests] == [1, 1, 2]
    assert lines() == []


def test_logs_that_go_elsewhere_get_no_key_that_was_not_meant_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which credentials go along is decided by the address of the signal."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://ada:geheim@one/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://two/v1/logs")
    transport = HttpTransport(Configuration())
    assert transport._traces.headers["authorization"].startswith("Basic ")
    assert "authorization" not in transport._logs.headers
    assert transport._logs.headers["content-type"] == "application/x-protobuf"
