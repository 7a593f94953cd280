"""Servers that speak TLS, or answer in plain text to who does not, on loopback; certificates are made by trustme."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import trustme


@contextmanager
def tls_server(host: str = "localhost", *, greeting: bytes = b"", client_ca: trustme.CA | None = None) -> Iterator[Tls]:
    """A TLS server that answers every request well, with a certificate for `host` of an authority of its own.

    Args:
        host: the name, or address, in the certificate.
        greeting: sent in plain text to a client that does not begin with TLS.
        client_ca: the authority of client certificates, which are then asked for.
    """
    server = Tls(host, greeting, client_ca)
    try:
        yield server
    finally:
        server.close()


class Tls:
    """See `tls_server`."""

    def __init__(self, host: str, greeting: bytes, client_ca: trustme.CA | None) -> None:
        self.authority = trustme.CA()
        self.requests = 0
        self._greeting = greeting
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(host).configure_cert(self._context)
        if client_ca is not None:
            client_ca.configure_trust(self._context)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        try:
            with connection:
                if self._greeting and connection.recv(1, socket.MSG_PEEK) != b"\x16":
                    connection.sendall(self._greeting)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):  # else the kernel resets the connection
                        pass
                    return
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self._answer(secure)
        except OSError:
            pass

    def _answer(self, secure: ssl.SSLSocket) -> None:
        with secure.makefile("rb") as reader:
            while reader.readline().strip():
                length = 0
                while (line := reader.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                reader.read(length)
                self.requests += 1
                secure.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
