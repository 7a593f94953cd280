"""Connections to a backend that are kept from one request to the next."""

from __future__ import annotations

import gzip
import socket
import threading
from contextlib import contextmanager

import pytest

from agentops_otel.clock import monotonic
from agentops_otel.pipeline import outage
from agentops_otel.pipeline.connection import Connections
from agentops_otel.pipeline.tls import TlsFiles

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(*, closes):
    """A server that answers each request, and ends each connection after one answer without a word if `closes`."""
    accepted, ended = [], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                accepted.append(connection)
                threading.Thread(target=answer, args=(connection,)).start()

        def answer(connection):
            with connection:
                while _request(connection):
                    connection.sendall(ANSWER)
                    if closes:
                        break
            ended.set()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces", accepted, ended
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _request(connection):
    """Read one request whole, of which head and body may come apart; nothing at the connection's end."""
    received = b""
    while not received.endswith(b"\r\n\r\nspans"):
        piece = connection.recv(65536)
        if not piece:
            return b""
        received += piece
    return received


def post(connections, url):
    return connections.post(url, b"spans", {}, monotonic() + 10)


def test_a_connection_is_used_again():
    """One connection serves many requests while the server keeps it open."""
    connections = Connections(TlsFiles(None, None, None))
    with server(closes=False) as (url, accepted, _):
        assert [post(connections, url).body for _ in range(3)] == [b"ok"] * 3
        assert len(accepted) == 1
        connections.close()


def test_a_connection_that_the_server_has_closed_is_not_used_again():
    """A server ends idle connections: the next request goes over a new one, and does not fail first."""
    connections = Connections(TlsFiles(None, None, None))
    with server(closes=True) as (url, accepted, ended):
        for _ in range(3):
            assert post(connections, url).status == 200
            assert ended.wait(10)
            ended.clear()
        assert len(accepted) == 3
        connections.close()


def answered(raw, *, host="127.0.0.1"):
    """What `post` makes of one raw answer, and what the server was asked."""
    asked = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                request = b""
                while not request.endswith(b"spans"):
                    request += connection.recv(65536)
                asked.append(request.decode())
                connection.sendall(raw)

        thread = threading.Thread(target=serve)
        thread.start()
        connections = Connections(TlsFiles(None, None, None))
        try:
            shown = f"[{host}]" if ":" in host else host
            return post(connections, f"http://{shown}:{listener.getsockname()[1]}/v1/traces"), asked[0]
        finally:
            connections.close()
            thread.join()


@pytest.mark.parametrize("status", [100, 102, 103])
def test_an_answer_that_only_says_that_one_comes(status):
    """Any answer of the class 1xx is read over, however many there are; the one behind them counts."""
    interim = f"HTTP/1.1 {status} Soon\r\nLink: </style.css>\r\n\r\n".encode()
    answer, _ = answered(interim * 3 + ANSWER)
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip"])
def test_a_packed_answer(name):
    """An answer in gzip is unpacked, however its coding is written: names of codings have no case."""
    body = gzip.compress(b"ok")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
    assert answered(head.encode() + body)[0].body == b"ok"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_an_answer_in_chunks():
    """Chunks and their trailer are one body."""
    assert answered(CHUNKED + b"1\r\no\r\n1;x=y\r\nk\r\n0\r\nX-Trailer: 1\r\n\r\n")[0].body == b"ok"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (CHUNKED + b"3\r\nab", "the answer was cut off"),
        (CHUNKED + b"2\r\nok\r\n", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "the answer was cut off"),
        (b"HTTP/1.1 200 OK", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\n", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "the answer was cut off"),
        (b"HTTP/1.1 102 Soon\r\n\r\nHTTP/1.1 200 OK\r\n", "the answer was cut off"),
        (b"HTTP/1.1 102 Soon\r\n\r\n", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", "the answer of a:1 is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n", "the answer of a:1 is not HTTP"),
    ],
    ids=[
        "in a chunk",
        "without the last chunk",
        "before its length",
        "in the first line",
        "behind the first line",
        "in a header",
        "before the empty line",
        "behind one that says that it comes",
        "before it comes",
        "long header",
        "many headers",
    ],
)
def test_an_answer_that_cannot_be_read_is_told_in_words(raw, why):
    """No name of a class of Python's stands in a line for users."""
    with pytest.raises(Exception) as raised:
        answered(raw)
    assert outage.connection_failed(raised.value, "a:1", secure=False, answered=True).text == why


def test_an_address_of_ipv6():
    """Brackets stand in the address, in the header and in messages alike."""
    connections = Connections(TlsFiles(None, None, None))
    try:
        answer, asked = answered(ANSWER, host="::1")
    except OSError as error:
        if "address family" in str(error).lower() or "assign" in str(error).lower():
            pytest.skip("this machine has no IPv6")
        raise
    assert answer.status == 200
    assert "\r\nHost: [::1]:" in asked
    for url, place in (("http://[::1]:1/", "[::1]:1"), ("https://[::1]:1/", "[::1]:1")):
        with pytest.raises(ConnectionRefusedError):
            post(connections, url)
        assert connections.place == place


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_an_address_of_ipv6_without_a_port(scheme, port):
    """The last digits of an address are not taken for a port."""
    connections = Connections(TlsFiles(None, None, None))
    with pytest.raises(OSError) as raised:
        post(connections, f"{scheme}://[::1]/v1/traces")
    assert not isinstance(raised.value, socket.gaierror)
    assert connections.place == f"[::1]:{port}"


def test_an_answer_before_the_request_is_read():
    """A server may refuse what is too large and close, while we still send: its answer is read all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        connections = Connections(TlsFiles(None, None, None))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"
        try:
            assert connections.post(url, bytes(32 * 1024 * 1024), {}, monotonic() + 10).status == 413
            assert not connections._kept
        finally:
            connections.close()
            thread.join()


def test_a_connection_that_breaks_while_we_send():
    """Without an answer it is what it is: a connection that was reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        connections = Connections(TlsFiles(None, None, None))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces"
        with pytest.raises(ConnectionError):
            connections.post(url, bytes(32 * 1024 * 1024), {}, monotonic() + 10)
        thread.join()


def test_a_connection_that_was_left_behind_is_closed_when_its_answer_has_come():
    """Retired while one thread waits for an answer: that thread gets it, and no connection stays open."""
    asked, answered = threading.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        first, _ = listener.accept()
        with first:
            _request(first)
            asked.set()
            answered.wait(10)
            first.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            ends.append(first.recv(1))

    ends, statuses = list[bytes](), list[int]()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        connections = Connections(TlsFiles(None, None, None))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        sender = threading.Thread(target=lambda: statuses.append(post(connections, url).status), daemon=True)
        sender.start()
        assert asked.wait(10)
        connections.retire()
        answered.set()
        sender.join(10)
        server.join(10)
    assert statuses == [200]
    assert ends == [b""]
