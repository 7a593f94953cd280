"""Which keys go along with a request, and where they do not."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from agentops_otel.config import Configuration
from agentops_otel.pipeline.transports import open_transport
from agentops_otel.pipeline.transports.attempt import Verdict
from agentops_otel.pipeline.transports.headers import refused_credentials, request_headers
from agentops_otel.pipeline.transports.http import HttpTransport
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.pipeline.exporting import BOTH, EVENT, KEY, delivering, make_spans

ADA = "Basic " + base64.b64encode(b"ada:p@ss/w1").decode()


@BOTH
def test_key_and_headers(protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    """The key travels as the Authorization header and nowhere else; no line, name, error or repr holds it."""
    caplog.set_level(logging.DEBUG)
    settings = {"parent_key": "parent-secret-1", "headers": {"X-Tenant": "acme"}}
    with FaultServer(protocol) as server, delivering(server, protocol, settings=settings) as exporter:
        exporter.export(make_spans("a"))
        headers = dict(server.requests[0].headers)
        server.mode = fault_server.status(401)
        exporter.export(make_spans("b"))
        seen = (exporter.last_error, repr(exporter), repr(exporter.transport), exporter.transport.name, caplog.text)
    assert headers.pop("authorization") == f"Bearer {KEY}"
    assert headers.pop("x-agentops-parent-key") == "parent-secret-1"
    assert headers["x-tenant"] == "acme"
    assert KEY not in repr(headers)
    assert "401" in caplog.text or "UNAUTHENTICATED" in caplog.text
    assert KEY not in str(seen)
    assert "parent-secret-1" not in str(seen)


def test_key_needs_an_encrypted_way(monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]) -> None:
    """S18: a key is not sent over plain HTTP to another host, unless the network is said to be trusted."""

    def sent(url: str) -> dict[str, str]:
        transport = HttpTransport(Configuration(KEY, endpoint=url))
        return transport._traces.headers

    assert "authorization" not in sent("http://collector-a:4318")
    assert "authorization" not in sent("http://collector-a:4318")
    assert len([line for line in lines() if "not encrypted" in line]) == 1
    assert sent("https://collector-a:4318")["authorization"] == f"Bearer {KEY}"
    assert sent("http://localhost:4318")["authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
    assert sent("http://collector-a:4318")["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("arguments", "endpoint", "said"),
    [
        ({}, "https://a", "no key is set: set AGENTOPS_API_KEY"),
        ({}, "https://ada:x@a", "user and password of the endpoint were refused"),
        ({"headers": "x-tenant=acme"}, "https://ada:x@a", "user and password of the endpoint were refused"),
        ({"headers": "authorization=Bearer t"}, "https://ada:x@a", "the key in the headers was refused"),
        ({"headers": "x-key=t"}, "https://a", "the key in the headers was refused"),
        (
            {},
            "http://ada:x@a",
            "user and password of the endpoint were not sent because the connection is not encrypted",
        ),
        ({"api_key": KEY}, "http://a", "the API key was not sent because the connection is not encrypted"),
    ],
)
def test_what_is_said_of_refused_credentials(arguments: Any, endpoint: str, said: str) -> None:
    """What the backend had to go by is what the line names."""
    config = Configuration(endpoint=endpoint, **arguments)
    told = refused_credentials(config, request_headers(config, endpoint))
    assert told.startswith(said)
    assert "ada" not in told


@pytest.mark.parametrize(
    ("arguments", "url", "authorization"),
    [
        ({}, "http://ada:p%40ss%2Fw1@{}", ADA),
        ({}, "http://ada:p@ss%2Fw1@{}", ADA),
        ({}, "http://ada@{}", "Basic " + base64.b64encode(b"ada:").decode()),
        ({}, "http://:key@{}", "Basic " + base64.b64encode(b":key").decode()),
        ({"headers": {"Authorization": "Bearer t"}}, "http://ada:x@{}", "Bearer t"),
        ({"headers": "authorization=Bearer t"}, "http://ada:x@{}", "Bearer t"),
        ({"api_key": KEY}, "http://ada:x@{}", f"Bearer {KEY}"),
    ],
)
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_user_and_password_of_the_endpoint(protocol: str, arguments: Any, url: str, authorization: str) -> None:
    """They become Basic authorization, of both signals, unless something else authorizes; no name has them in it."""
    with FaultServer(protocol) as server:
        endpoint = url.format(server.url.partition("//")[2])
        transport = open_transport(Configuration(endpoint=endpoint, protocol=protocol, **arguments))
        assert transport.send(make_spans("a"), 5.0).verdict is Verdict.ACCEPTED
        transport.send_events([EVENT], Resource({}), 5.0)
        assert [request.headers["authorization"] for request in server.requests] == [authorization] * 2
        assert transport.name.removesuffix("/v1/traces") == server.url
        transport.close()


OTLP = "OTEL_EXPORTER_OTLP_"
PARENT = {"x-agentops-parent-key": "parent"}


@pytest.mark.parametrize(
    ("variables", "arguments", "with_spans", "with_events"),
    [
        ({"HEADERS": "x-a=1"}, {}, {"x-a": "1"}, {"x-a": "1"}),
        ({"TRACES_HEADERS": "x-a=1"}, {}, {"x-a": "1"}, {}),
        ({"LOGS_HEADERS": "x-b=2"}, {}, {}, {"x-b": "2"}),
        ({"TRACES_HEADERS": "x-a=1", "LOGS_HEADERS": "x-b=2"}, {}, {"x-a": "1"}, {"x-b": "2"}),
        ({"HEADERS": "x-c=3", "TRACES_HEADERS": "x-a=1"}, {}, {"x-a": "1"}, {"x-c": "3"}),
        ({"HEADERS": "x-c=3", "LOGS_HEADERS": "x-b=2"}, {}, {"x-c": "3"}, {"x-b": "2"}),
        ({"HEADERS": "x-c=3"}, {"headers": {"x-a": "1"}}, {"x-a": "1"}, {"x-c": "3"}),
        ({}, {"headers": {"x-a": "1"}}, {"x-a": "1"}, {}),
        ({}, {"api_key": KEY, "parent_key": "parent"}, {"authorization": f"Bearer {KEY}", **PARENT}, {}),
        (
            {"LOGS_HEADERS": "authorization=Bearer%20b"},
            {"api_key": KEY},
            {"authorization": f"Bearer {KEY}"},
            {"authorization": "Bearer b"},
        ),
    ],
)
@BOTH
def test_each_backend_gets_its_own_headers(
    protocol: str, variables: Any, arguments: Any, with_spans: Any, with_events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the signals go to two backends, none gets a key that was meant for the other."""
    with FaultServer(protocol) as one, FaultServer(protocol) as two:
        monkeypatch.setenv(f"{OTLP}TRACES_ENDPOINT", f"{one.url}/v1/traces")  # gRPC makes no use of a path
        monkeypatch.setenv(f"{OTLP}LOGS_ENDPOINT", f"{two.url}/v1/logs")
        for name, value in variables.items():
            monkeypatch.setenv(OTLP + name, value)
        send_both(Configuration(protocol=protocol, **arguments))
        assert sent_headers(one) == [with_spans]
        assert sent_headers(two) == [with_events]


@pytest.mark.parametrize(
    ("variables", "arguments", "with_spans", "with_events"),
    [
        ({"HEADERS": "x-a=1"}, {}, {"x-a": "1"}, {"x-a": "1"}),
        ({"HEADERS": "x-c=3", "TRACES_HEADERS": "x-a=1"}, {}, {"x-a": "1"}, {"x-c": "3"}),
        ({"HEADERS": "x-c=3", "LOGS_HEADERS": "x-b=2"}, {}, {"x-c": "3"}, {"x-b": "2"}),
        ({"HEADERS": "x-c=3", "LOGS_HEADERS": "x-b=2"}, {"headers": {"x-a": "1"}}, {"x-a": "1"}, {"x-a": "1"}),
        (
            {},
            {"api_key": KEY, "parent_key": "parent", "headers": {"x-a": "1"}},
            {"authorization": f"Bearer {KEY}", "x-a": "1", **PARENT},
            {"authorization": f"Bearer {KEY}", "x-a": "1", **PARENT},
        ),
    ],
)
@BOTH
def test_one_backend_gets_both(
    protocol: str, variables: Any, arguments: Any, with_spans: Any, with_events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where both signals go to one place, keys and headers that were given to us go along with both."""
    with FaultServer(protocol) as server:
        monkeypatch.setenv(f"{OTLP}ENDPOINT", server.url)
        for name, value in variables.items():
            monkeypatch.setenv(OTLP + name, value)
        send_both(Configuration(protocol=protocol, **arguments))
        assert sent_headers(server) == [with_spans, with_events]


def test_an_address_of_both_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both go to the very same URL, each still has its own headers, and its own packing."""
    with FaultServer() as server:
        for signal in ("TRACES", "LOGS"):
            monkeypatch.setenv(f"{OTLP}{signal}_ENDPOINT", f"{server.url}/otlp")
            monkeypatch.setenv(f"{OTLP}{signal}_HEADERS", f"x-signal={signal}")
        monkeypatch.setenv(f"{OTLP}LOGS_COMPRESSION", "none")
        transport = open_transport(Configuration())
        transport.send(make_spans("a"), 5.0)
        transport.send_events([], Resource({}), 5.0)  # the server takes whatever comes there for spans
        transport.close()
        assert sent_headers(server) == [{"x-signal": "TRACES"}, {"x-signal": "LOGS"}]
        assert [request.headers.get("content-encoding") for request in server.requests] == ["gzip", None]


def test_log_events_at_the_default_address_have_no_headers_of_the_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address for spans alone leaves log events where they are, without what was meant for that address."""
    monkeypatch.setenv(f"{OTLP}TRACES_ENDPOINT", "https://vendor/v1/traces")
    monkeypatch.setenv(f"{OTLP}TRACES_HEADERS", "x-vendor-key=geheim")
    transport = HttpTransport(Configuration(KEY))
    assert transport._logs.url == "http://localhost:4318/v1/logs"
    assert transport._traces.headers.items() >= {("x-vendor-key", "geheim"), ("authorization", f"Bearer {KEY}")}
    assert transport._logs.headers.keys() == {"content-type", "accept-encoding", "user-agent", "content-encoding"}


def send_both(config: Configuration) -> None:
    """Send a span, then a log event."""
    transport = open_transport(config)
    assert transport.send(make_spans("a"), 5.0).verdict is Verdict.ACCEPTED
    assert transport.send_events([EVENT], Resource({}), 5.0).verdict is Verdict.ACCEPTED
    transport.close()


def sent_headers(server: FaultServer) -> list[dict[str, str]]:
    """Of each request, the headers that say who sends."""
    return [
        {name: text for name, text in request.headers.items() if name.startswith(("x-", "authorization"))}
        for request in server.requests
    ]


def test_user_and_password_need_an_encrypted_way(
    monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    """As a key they are not sent over plain HTTP to another host, unless the network is said to be trusted."""

    def sent(url: str) -> dict[str, str]:
        return HttpTransport(Configuration(endpoint=url))._traces.headers

    assert "authorization" not in sent("http://ada:geheim@collector-d:4318")
    (line,) = lines()
    assert "user and password of the endpoint are not sent to http://collector-d:4318/v1/traces" in line
    assert "geheim" not in line
    assert "authorization" in sent("https://ada:geheim@collector-d:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
    assert "authorization" in sent("http://ada:geheim@collector-d:4318")
