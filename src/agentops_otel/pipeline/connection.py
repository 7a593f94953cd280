"""HTTP connections that other code in the program does not see, kept from one request to the next.

`http.client` is loaded a second time, for us alone: what records, mocks or traces the program's HTTP (vcrpy, an APM
agent) puts its own classes and functions into the modules that the program uses, and the export of spans belongs
neither into a cassette nor into a test's list of calls. `socket` is the program's, so that gevent works.
"""

from __future__ import annotations

import base64
import importlib.util
import ipaddress
import selectors
import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from ..clock import monotonic
from .address import is_loopback
from .descriptor import Descriptor
from .tls import NotPossible, TlsFiles, tls_context

MAX_REPLY_BYTES: Final = 64 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_NAME_A_PROXY: Final = "name an http:// proxy, or set NO_PROXY"
_UNQUOTED: Final = "!#$%&'()*+,/:;=?@[]~"  # of a path and a query


def _own_copy(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return importlib.import_module(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_http: Final = _own_copy("http.client")


class _Head:
    """Reads the lines of an answer's head, and knows the last one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.last = b""

    def readline(self, *limit: int) -> bytes:
        self.last = self._file.readline(*limit)
        return self.last

    def close(self) -> None:
        self._file.close()


class _Response(_http.HTTPResponse):  # type: ignore[name-defined,misc]
    """An answer. Of those that only say that one comes, `http.client` reads over 100, and here over 102 and 103.

    A head without the empty line at its end was cut off, which `http.client` does not mind.
    """

    fp: Any

    def begin(self, **options: Any) -> None:
        file = self.fp
        self.fp = head = _Head(file)
        try:
            super().begin(**options)
            while 102 <= self.status < 200:
                self.headers = self.msg = None
                super().begin(**options)
        finally:
            if self.fp is head:  # else it was closed
                self.fp = file
        if head.last not in (b"\r\n", b"\n"):
            raise _http.IncompleteRead(b"")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server has answered."""

    status: int
    phrase: str
    headers: Mapping[str, str]  # any case
    body: bytes | None  # None: longer than `MAX_REPLY_BYTES`


class Connections:
    """Kept connections, one for each server; for one thread at a time.

    Redirects are not followed, ``.netrc`` is never read, and this machine's own addresses are never reached through a
    proxy.

    Attributes:
        place: host and port of the last request, for messages.
    """

    def __init__(self, tls: TlsFiles) -> None:
        self.place: str = ""
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._kept: dict[tuple[str, str], tuple[Any, Descriptor]] = {}
        self._retired = False

    def post(self, url: str, body: bytes, headers: Mapping[str, str], until: float) -> Answer:
        """Send one request and read the answer, until `clock.monotonic()` is `until` as far as sockets let us.

        Raises:
            OSError: no connection, or no answer in time.
            Exception: the answer is not HTTP.
        """
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc)
        self.place = _place(parts)
        proxy = proxy_for(parts)
        if proxy is not None:
            self.place = f"the proxy {_place(proxy)}"
        target, sent = _target(parts), dict(headers)
        if proxy is not None and parts.scheme == "http":
            target = f"http://{parts.netloc}{target}"
            sent |= _proxy_authorization(proxy)
        connection = self._taken(place) or self._opened(parts, proxy)
        try:
            _set_time(connection, until)
            broken = _broken_while_sending(connection, target, body, sent)
            _set_time(connection, until)
            try:
                response = connection.getresponse()
            except Exception:
                if broken is not None:
                    raise broken from None
                raise
            content = _bounded_body(response, connection, until)
        except BaseException:
            connection.close()
            raise
        if content is None or connection.sock is None or broken is not None:
            connection.close()
        else:
            self._kept[place] = connection, Descriptor(connection.sock.fileno())
            if self._retired:  # by another thread, perhaps just before the line above
                self.close()
        return Answer(response.status, response.reason or "", response.headers, content)

    def _taken(self, place: tuple[str, str]) -> Any:
        """The kept connection to a server; None when there is none, or the server or the program has closed it."""
        kept = self._kept.pop(place, None)
        if kept is None:
            return None
        connection, descriptor = kept
        if descriptor.is_ours and not _is_readable(connection.sock):
            return connection
        _close(connection, descriptor)
        return None

    def close(self) -> None:
        """Close the connections."""
        kept, self._kept = self._kept, {}
        for connection, descriptor in kept.values():
            _close(connection, descriptor)

    def retire(self) -> None:
        """Close what is idle, and a connection that is in use by another thread once that has its answer."""
        self._retired = True
        self.close()

    def _opened(self, parts: SplitResult, proxy: SplitResult | None) -> Any:
        first = parts if proxy is None else proxy
        host, port = _host(first), _port(first)  # without a port, the end of an IPv6 address would be taken for one
        if parts.scheme == "http":
            connection = _http.HTTPConnection(host, port)
            connection.response_class = _Response
            return connection
        if self._context is None:
            self._context = tls_context(self._tls)
        connection = _http.HTTPSConnection(host, port, context=self._context)
        connection.response_class = _Response
        if proxy is not None:
            connection.set_tunnel(_host(parts), parts.port or 443, _proxy_authorization(proxy))
        return connection


def _close(connection: Any, descriptor: Descriptor) -> None:
    """Close a connection, but not what has the number of its socket where the program has closed that."""
    if not descriptor.is_ours:
        connection.sock.detach()
    connection.close()


def _host(parts: SplitResult) -> str:
    """The host; the zone of a link-local address as `socket` takes it: https://www.rfc-editor.org/rfc/rfc6874."""
    return (parts.hostname or "").replace("%25", "%")


def _port(parts: SplitResult) -> int:
    return _PORTS[parts.scheme] if parts.port is None else parts.port


def _place(parts: SplitResult) -> str:
    """Host and port for messages, an IPv6 address in its brackets."""
    host = _host(parts)
    return f"{f'[{host}]' if ':' in host else host}:{_port(parts)}"


def _target(parts: SplitResult) -> str:
    return quote(parts.path or "/", _UNQUOTED) + (f"?{quote(parts.query, _UNQUOTED)}" if parts.query else "")


def _broken_while_sending(connection: Any, target: str, body: bytes, headers: Mapping[str, str]) -> OSError | None:
    """Send a request; what has broken the connection meanwhile, when an answer may be there.

    A server may refuse what is too large, and close, before it has read it.
    """
    try:
        connection.request("POST", target, body, headers)
    except (BrokenPipeError, ConnectionResetError) as error:
        if connection.sock is None:  # it broke before there was a connection
            raise
        return error
    return None


def _is_readable(sock: socket.socket) -> bool:
    """Whether there is something to read where no answer is due: the end of a connection that was idle for too long."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


def _set_time(connection: Any, until: float) -> None:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    connection.timeout = left
    if connection.sock is not None:
        connection.sock.settimeout(left)


def _bounded_body(response: Any, connection: Any, until: float) -> bytes | None:
    """The reply's body, None when it is longer than we read; a drip of bytes ends at `until`."""
    body = b""
    while len(body) <= MAX_REPLY_BYTES:
        if connection.sock is not None:  # else the answer ends with the connection, and has the socket alone
            _set_time(connection, until)
        elif monotonic() >= until:
            raise TimeoutError
        piece = response.read1(MAX_REPLY_BYTES)
        if not piece:
            if response.length:
                raise _http.IncompleteRead(body, response.length)
            response.close()
            coding = response.headers.get("content-encoding", "").strip().lower()
            return _inflated(body) if coding in ("gzip", "x-gzip") else body
        body += piece
    return None


def _inflated(body: bytes) -> bytes | None:
    try:
        text = zlib.decompressobj(31).decompress(body, MAX_REPLY_BYTES + 1)
    except zlib.error:
        return None
    return text if len(text) <= MAX_REPLY_BYTES else None


# Proxies --------------------------------------------------------------------------------------------------------------


def proxy_for(parts: SplitResult) -> SplitResult | None:
    """The proxy that the environment, or the system's settings, name for an address.

    Raises:
        NotPossible: it is none that is spoken to in plain HTTP.
    """
    if is_loopback(parts.hostname):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    url = proxies.get(parts.scheme) or proxies.get("all")
    if not url or proxy_bypass(f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""):
        return None
    if _is_in_network(parts.hostname, proxies.get("no", "")):
        return None
    try:
        proxy = urlsplit(url if "://" in url else f"http://{url}")
        proxy.port  # noqa: B018  (reading it checks it)
    except ValueError:
        raise NotPossible(f"the proxy for {parts.scheme}:// addresses is not a valid URL: {_NAME_A_PROXY}") from None
    if proxy.scheme != "http" or not proxy.hostname:
        raise NotPossible(f"a proxy of kind {proxy.scheme}:// is not supported: {_NAME_A_PROXY}")
    return proxy


def _is_in_network(host: str | None, no_proxy: str) -> bool:
    """Whether NO_PROXY names a network that has this address: ``10.0.0.0/8``."""
    for item in no_proxy.split(","):
        try:
            if "/" in item and ipaddress.ip_address(host or "") in ipaddress.ip_network(item.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
