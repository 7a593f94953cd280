"""Which keys go along with a request, and where they do not."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from agentops_otel.config import Configuration
from agentops_otel.pipeline.log_event import LogEvent
from agentops_otel.pipeline.transports import open_transport
from agentops_otel.pipeline.transports.attempt import Verdict
from agentops_otel.pipeline.transports.headers import refused_credentials, request_headers
from agentops_otel.pipeline.transports.http import HttpTransport
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.pipeline.exporting import BOTH, KEY, delivering, make_spans

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
        return transport._sent_headers

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
        transport.send_events([LogEvent("x", 1, 2, 3, {})], Resource({}), 5.0)
        assert [request.headers["authorization"] for request in server.requests] == [authorization] * 2
        assert transport.name.removesuffix("/v1/traces") == server.url
        transport.close()


def test_user_and_password_need_an_encrypted_way(
    monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    """As a key they are not sent over plain HTTP to another host, unless the network is said to be trusted."""

    def sent(url: str) -> dict[str, str]:
        return HttpTransport(Configuration(endpoint=url))._sent_headers

    assert "authorization" not in sent("http://ada:geheim@collector-d:4318")
    (line,) = lines()
    assert "user and password of the endpoint are not sent to http://collector-d:4318/v1/traces" in line
    assert "geheim" not in line
    assert "authorization" in sent("https://ada:geheim@collector-d:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
    assert "authorization" in sent("http://ada:geheim@collector-d:4318")
