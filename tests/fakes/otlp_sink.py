"""An OTLP/HTTP receiver on loopback that keeps the bytes of each request, unpacked, and answers 200."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import Self


class OtlpSink:
    """A context manager; `url` is the endpoint. Paths may have any prefix: only their last word is looked at."""

    def __init__(self) -> None:
        self.traces: list[bytes] = []
        self.logs: list[bytes] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def take(self, path: str, body: bytes) -> None:
        if path.rstrip("/").endswith("traces"):
            self.traces.append(body)
        elif path.rstrip("/").endswith("logs"):
            self.logs.append(body)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _handler(sink: OtlpSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._chunks() if self.headers.get("transfer-encoding") == "chunked" else self._whole()
            sink.take(self.path, gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            json = "json" in (self.headers.get("content-type") or "")
            answer = b"{}" if json else b""
            self.send_response(200)
            self.send_header("content-type", "application/json" if json else "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _whole(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_args: object) -> None:
            """Keep the test's output clean."""

    return Handler
