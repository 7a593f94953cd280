"""What a user reads about an outage names the address, what happened there, and the likely mend."""

from __future__ import annotations

import contextlib
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from opentelemetry.sdk.trace import TracerProvider

from agentops_otel.config import Configuration
from agentops_otel.pipeline import ids, outage
from agentops_otel.pipeline.transports import open_transport
from agentops_otel.pipeline.transports.attempt import Reply, Verdict
from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.tls_server import tls_server

BOTH = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


@pytest.fixture(autouse=True)
def no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificates of the machine that runs the tests do not matter."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def send(endpoint: str, timeout: float = 5.0, **settings: object) -> Reply:
    """The reply to one span, and the same reply to the next one."""
    span = TracerProvider().get_tracer("test").start_span("a")
    span.end()
    transport = open_transport(Configuration(endpoint=endpoint, **settings))
    try:
        return transport.send([span], timeout)
    finally:
        transport.close()


@pytest.fixture
def closed() -> str:
    """Host and port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def web_server() -> Iterator[str]:
    """Host and port of a web server that is no OTLP backend."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@BOTH
def test_nothing_listens(closed: str, protocol: str) -> None:
    """A port without a server is named."""
    reply = send(f"http://{closed}", protocol=protocol)
    assert (reply.verdict, reply.reason) == (Verdict.RETRY, f"nothing listens at {closed} (connection refused)")


@BOTH
def test_a_host_that_does_not_exist(protocol: str) -> None:
    """A name that no server knows is named."""
    reply = send("http://no-such-host.invalid:4318", protocol=protocol)
    assert reply.verdict is Verdict.RETRY
    assert reply.reason.startswith("the host name 'no-such-host.invalid' cannot be resolved")


@BOTH
def test_no_answer(protocol: str) -> None:
    """A server that takes the request and is silent has not answered in time."""
    with FaultServer(protocol, fault_server.blackhole()) as server:
        assert send(server.url, 0.5, protocol=protocol) == Reply(Verdict.RETRY, "no answer in time")


@BOTH
def test_tls_to_a_plain_port(protocol: str, web_server: str) -> None:
    """An endpoint with https at a server without TLS: the mend is http."""
    with FaultServer(protocol) as server:
        for place in (f"127.0.0.1:{server.port}", web_server):
            assert "does not speak TLS" in (reason := send(f"https://{place}", protocol=protocol).reason)
            assert place in reason
            assert reason.endswith("use http://")


@BOTH
def test_a_plain_request_to_a_tls_port(protocol: str) -> None:
    """An endpoint with http at a server with TLS that says nothing in plain text: the mend is https."""
    with tls_server() as server:
        reply = send(f"http://localhost:{server.port}", protocol=protocol)
        assert reply.verdict is Verdict.RETRY
        assert f"localhost:{server.port} closed the connection without an answer" in reply.reason
        assert reply.reason.endswith("if it expects TLS, use https://")


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html>400 The plain HTTP request was sent to HTTPS port</html>",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
    ids=["go", "nginx", "alert"],
)
def test_a_tls_port_that_says_so(greeting: bytes) -> None:
    """What servers say to a plain request is understood, and no span is taken for refused because of it."""
    with tls_server(greeting=greeting) as server:
        reply = send(f"http://localhost:{server.port}")
        assert (reply.verdict, reply.reason) == (Verdict.REFUSED, f"localhost:{server.port} expects TLS: use https://")


def test_http_to_a_grpc_port() -> None:
    """The protocol that is not spoken there, and both mends."""
    with FaultServer("grpc") as server:
        reply = send(server.url)
        assert reply.verdict is Verdict.REFUSED
        assert reply.reason.startswith(f"127.0.0.1:{server.port} speaks gRPC: set protocol='grpc'")


def test_grpc_to_an_http_port(web_server: str) -> None:
    """The other way round, at a backend and at any web server."""
    with FaultServer() as server:
        for place in (f"127.0.0.1:{server.port}", web_server):
            reply = send(f"http://{place}", protocol="grpc")
            assert reply.verdict is Verdict.REFUSED
            assert reply.reason.startswith(f"{place} does not speak gRPC: set protocol='http/protobuf'")


def test_grpc_of_a_server_that_is_not_ready() -> None:
    """A server that answers UNAVAILABLE was reached, and that is what the line says; once it is gone, it was not."""
    with FaultServer("grpc", fault_server.status(503)) as server:
        reply = send(server.url, protocol="grpc")
        assert reply.verdict is Verdict.RETRY
        assert reply.reason == f"UNAVAILABLE, as {server.url.removeprefix('http://')} has answered"
    assert "answered" not in send(server.url, protocol="grpc").reason


@pytest.mark.parametrize(
    ("details", "answered"),
    [
        ("", True),
        ("no healthy upstream", True),
        ("upstream connect error or disconnect/reset before headers. delayed connect error: Connection refused", True),
        ("failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:1: No route to host", False),
        ("Socket closed", False),
        ("recvmsg:Connection reset by peer", False),
        ("GOAWAY received", False),
    ],
)
def test_who_says_that_grpc_is_unavailable(details: str, answered: bool) -> None:
    """A proxy's or a server's own words are told apart from those of the client library about a connection."""
    cause = outage.grpc_failed("UNAVAILABLE", details, "host:1", secure=False, answered=True)
    assert cause.text == (
        "UNAVAILABLE, as host:1 has answered" if answered else "UNAVAILABLE (no connection to host:1)"
    )
    assert not cause.lasting


def test_grpc_to_a_port_that_only_hangs_up() -> None:
    """A server that says nothing may speak HTTP, or expect TLS: both mends, the likelier one first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(1000)

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        reply = send(f"http://127.0.0.1:{listener.getsockname()[1]}", protocol="grpc")
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert reply.reason.endswith(
        "without an answer; if it speaks HTTP and not gRPC, set protocol='http/protobuf'; if it expects TLS, use https://"
    )


@pytest.mark.parametrize("code", [401, 403])
@BOTH
def test_a_refused_key(protocol: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says that the key was refused, which one by its source and project, and never the key itself."""
    with FaultServer(protocol, fault_server.status(code)) as server:
        monkeypatch.setenv("AGENTOPS_API_KEY", "key-from-outside")
        reply = send(server.url, protocol=protocol)
        assert (reply.verdict, reply.key_refused) == (Verdict.REFUSED, True)
        project = ids.project_id("key-from-outside")
        assert reply.reason.endswith(f": the API key from AGENTOPS_API_KEY, of project {project}, was refused")
        reply = send(server.url, protocol=protocol, api_key="key-of-the-program")
        project = ids.project_id("key-of-the-program")
        assert reply.reason.endswith(f": the API key, of project {project}, was refused")
        for headers in ({"authorization": "Basic abc"}, {"x-tenant-key": "abc"}):
            monkeypatch.delenv("AGENTOPS_API_KEY", raising=False)
            reply = send(server.url, protocol=protocol, headers=headers)
            assert reply.reason.endswith(": the key in the headers was refused")
        reply = send(server.url, protocol=protocol)
        assert reply.reason.endswith(": no key is set: set AGENTOPS_API_KEY")


# What a backend says that repeats what it was sent: our own key, and another one where the line is cut.
REPEATED = f"no room for key-of-the-program-1234, {'no room, ' * 17} for sk-proj-AbCdEf0123456789xyz"


@BOTH
def test_a_backend_that_repeats_a_key(protocol: str) -> None:
    """What it says of spans that it refuses is told without the key."""
    with FaultServer(protocol, fault_server.partial(1, REPEATED)) as server:
        reason = send(server.url, protocol=protocol, api_key="key-of-the-program-1234").reason
    assert reason.startswith("no room for [redacted], no room,")
    assert "AbC" not in reason


@pytest.mark.parametrize("code", [302, 400, 403, 413, 500, 503])
def test_an_answer_whose_first_line_repeats_a_key(code: int) -> None:
    """The same holds for the words beside the status, and for where a redirect leads to."""
    head = f"HTTP/1.1 {code} {REPEATED}\r\nLocation: /key-of-the-program-1234\r\nContent-Length: 0\r\n\r\n"
    with FaultServer(mode=fault_server.Mode(store=False, raw=head.encode())) as server:
        reason = send(server.url, api_key="key-of-the-program-1234").reason
    assert reason.startswith(f"{code} no room for [redacted], no room,")
    assert "AbC" not in reason
    assert "1234" not in reason


@BOTH
def test_a_wrong_path(protocol: str) -> None:
    """Where nothing takes spans, the path, or the address of a gRPC server, is in doubt."""
    with FaultServer(protocol, fault_server.status(404)) as server:
        reply = send(f"{server.url}/api" if protocol != "grpc" else server.url, protocol=protocol)
        assert reply.verdict is Verdict.REFUSED
        said = "nothing takes spans at /api/v1/traces" if protocol != "grpc" else "does not take spans over gRPC"
        assert said in reply.reason


@BOTH
def test_a_certificate_that_is_not_trusted(protocol: str) -> None:
    """The variable that names the authority is in the line; once it is named, that is no longer the trouble."""
    with tls_server() as server, pytest.MonkeyPatch.context() as environment:
        reply = send(f"https://localhost:{server.port}", protocol=protocol)
        assert reply.verdict is Verdict.REFUSED
        assert f"the certificate of localhost:{server.port} is not trusted" in reply.reason
        assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in reply.reason
        with server.authority.cert_pem.tempfile() as file:
            for variable in ("OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE"):
                environment.setenv(variable, file)
                reply = send(f"https://localhost:{server.port}", protocol=protocol)
                assert "certificate" not in reply.reason
                if protocol != "grpc":  # (the server does not speak HTTP/2)
                    assert reply.verdict is Verdict.ACCEPTED
                environment.delenv(variable)


def test_a_certificate_for_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trusted authority does not make a certificate right for every address."""
    with tls_server() as server, server.authority.cert_pem.tempfile() as file:
        monkeypatch.setenv("SSL_CERT_FILE", file)
        reply = send(f"https://127.0.0.1:{server.port}")
        assert reply.verdict is Verdict.REFUSED
        assert f"the certificate of 127.0.0.1:{server.port} is not trusted (IP address mismatch" in reply.reason


def test_a_client_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that asks for one gets the one that the standard variables name."""
    authority = trustme.CA()
    mine = authority.issue_cert("client")
    with (
        tls_server(client_ca=authority) as server,
        server.authority.cert_pem.tempfile() as trusted,
        mine.private_key_and_cert_chain_pem.tempfile() as both,
    ):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", trusted)
        assert send(f"https://localhost:{server.port}").verdict is not Verdict.ACCEPTED
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", both)
        assert send(f"https://localhost:{server.port}").verdict is Verdict.ACCEPTED


def write_encrypted(path: Path, key: bytes, form: serialization.PrivateFormat) -> None:
    loaded = serialization.load_pem_private_key(key, None)
    hidden = serialization.BestAvailableEncryption(b"geheim")
    path.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, form, hidden))


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("apart", [True, False])
@BOTH
def test_an_encrypted_key(
    protocol: str, apart: bool, form: serialization.PrivateFormat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The line names the file and what to do, in whatever form and wherever the key is."""
    mine, key = trustme.CA().issue_cert("client"), tmp_path / "key.pem"
    write_encrypted(key, mine.private_key_pem.bytes(), form)
    certificate = tmp_path / "certificate.pem" if apart else key
    with certificate.open("ab") as file:
        file.write(mine.cert_chain_pems[0].bytes())
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(certificate))
    if apart:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(key))
    reply = send("https://127.0.0.1:9", protocol=protocol)
    assert reply.verdict is Verdict.REFUSED
    assert reply.reason == (
        f"the key in {key} is encrypted: write it without its pass phrase "
        "(openssl pkey -in FILE -out NEW), and name that file in OTEL_EXPORTER_OTLP_CLIENT_KEY"
    )


def test_an_encrypted_key_leaves_standard_input_to_the_program(tmp_path: Path) -> None:
    """OpenSSL asks for no pass phrase, neither at the terminal nor of what the program reads."""
    mine = trustme.CA().issue_cert("client")
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    write_encrypted(tmp_path / "key.pem", mine.private_key_pem.bytes(), serialization.PrivateFormat.PKCS8)
    program = "import agentops_otel; agentops_otel.init(); agentops_otel.flush(); print('read', input())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "HOME": str(tmp_path),
            "AGENTOPS_ENDPOINT": "https://127.0.0.1:9",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(tmp_path / "certificate.pem"),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(tmp_path / "key.pem"),
        },
        input="first line\n",
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,  # without a terminal, at which OpenSSL would ask first
        check=False,
    )
    assert done.stdout == "read first line\n"
    assert "pass phrase:" not in done.stderr


@BOTH
def test_a_client_key_that_does_not_fit(protocol: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key that is not there, not one, or of another certificate is told in words, not in OpenSSL's."""
    authority = trustme.CA()
    mine, certificate, key = authority.issue_cert("client"), tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(mine.cert_chain_pems[0].bytes())
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(certificate))
    assert send("https://127.0.0.1:9", protocol=protocol).reason == (
        f"the client certificate {certificate} cannot be read (not in PEM form); "
        "where its key is in another file, name that in OTEL_EXPORTER_OTLP_CLIENT_KEY"
    )
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(key))
    for content, why in (
        (b"no key", "not in PEM form"),
        (authority.issue_cert("other").private_key_pem.bytes(), "key values mismatch"),
    ):
        key.write_bytes(content)
        reply = send("https://127.0.0.1:9", protocol=protocol)
        assert reply.verdict is Verdict.REFUSED
        assert reply.reason == f"the client certificate {certificate} with the key {key} cannot be read ({why})"


def test_a_log_of_tls_keys_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The line names the file that is wrong, not the trusted certificates."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "nowhere" / "keys"))
    assert send("https://127.0.0.1:9").reason == (
        f"{tmp_path}/nowhere/keys cannot be written (no such file or directory): unset SSLKEYLOGFILE"
    )


def test_a_file_that_is_no_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file is named, and no span is lost by it."""
    (tmp_path / "file.pem").write_text("no certificate")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(tmp_path / "file.pem"))
    reply = send("https://127.0.0.1:9")
    assert reply.verdict is Verdict.REFUSED
    assert f"{tmp_path}/file.pem cannot be read" in reply.reason


def test_grpc_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to install; it costs no span."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    reply = send("http://127.0.0.1:9", protocol="grpc")
    assert reply.verdict is Verdict.REFUSED
    assert reply.reason.endswith("is not installed: pip install 'agentops-otel[grpc]'")


def test_a_proxy_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is not spoken to in plain HTTP is named as such, not silently passed by."""
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1080")
    reply = send("http://backend.invalid:4318")
    assert reply.verdict is Verdict.REFUSED
    assert "socks5:// is not supported" in reply.reason


def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, web_server: str) -> None:
    """What the proxy answered to CONNECT is told."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{web_server}")
    reply = send("https://backend.invalid:4318")
    assert reply.verdict is Verdict.REFUSED
    assert reply.reason.startswith(f"the proxy {web_server} makes no connection: 501 ")


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://[::1", "http://me:secret@127.0.0.1:99999"])
def test_a_proxy_that_is_no_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A wrong variable is told in words, without a password in it."""
    monkeypatch.setenv("HTTP_PROXY", url)
    reply = send("http://backend.invalid:4318")
    assert (reply.verdict, reply.reason) == (
        Verdict.REFUSED,
        "the proxy for http:// addresses is not a valid URL: name an http:// proxy, or set NO_PROXY",
    )


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".invalid", "bücher..invalid"])
def test_a_host_name_that_cannot_be_one(host: str) -> None:
    """A name that cannot be asked for is told as one that is not known."""
    assert send(f"http://{host}:4318").reason.startswith(f"the host name {host!r} cannot be resolved")


@pytest.mark.skipif(sys.platform != "linux" or not socket.has_ipv6, reason="zones by number, as Linux has them")
def test_an_address_with_a_zone() -> None:
    """The zone is written `%25` in a URL, and `%` for the system."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as unused:
            port = unused.getsockname()[1]
    except OSError:
        pytest.skip("this machine has no IPv6")
    for zone in ("%251", "%1"):
        told = f"nothing listens at [::1%1]:{port} (connection refused)"
        assert send(f"http://[::1{zone}]:{port}").reason == told


def test_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment names as the way out is used, with its password, except for what NO_PROXY names."""
    with FaultServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        assert send("http://backend.invalid:4318").verdict is Verdict.ACCEPTED
        (request,) = proxy.requests
        assert request.path == "http://backend.invalid:4318/v1/traces"
        assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert request.headers["host"] == "backend.invalid:4318"
        for no_proxy, endpoint in (
            ("backend.invalid", "http://backend.invalid:4318"),
            ("192.0.2.0/24", "http://192.0.2.1:4318"),
            ("*", "http://backend.invalid"),
        ):
            monkeypatch.setenv("NO_PROXY", no_proxy)
            assert send(endpoint, 0.2).verdict is Verdict.RETRY
        assert len(proxy.requests) == 1


@contextmanager
def tunnel(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that leads every CONNECT to one port of this machine; its own port, and the heads that it was sent."""
    heads: list[bytes] = []

    def pipe(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        heads.append(head)
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pipe, args=(server, client))
            back.start()
            pipe(client, server)
            back.join()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=accept)]
        threads[0].start()
        yield listener.getsockname()[1], heads
        listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def test_tls_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets its password and the address, and none of the key and the spans, which go through it in TLS."""
    with (
        tls_server("backend.invalid") as server,
        server.authority.cert_pem.tempfile() as trusted,
        tunnel(server.port) as (port, heads),
    ):
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{port}")
        assert send("https://backend.invalid:4318", api_key="the-key") == Reply(Verdict.ACCEPTED)
    (head,) = heads
    assert head.startswith(b"CONNECT backend.invalid:4318 HTTP/1.")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in head
    assert b"the-key" not in head
    assert server.requests == 1
