"""Connections to a backend that are kept from one request to the next."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

from agentops_otel.clock import monotonic
from agentops_otel.pipeline.connection import Connections
from agentops_otel.pipeline.transport import TlsFiles

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
                while connection.recv(65536):
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
