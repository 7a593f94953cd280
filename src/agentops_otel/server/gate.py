"""What every request passes before it is routed: the host it asks for, where it comes from, and who asks.

A page of another site must not reach a box on this machine: a name that its owner points to 127.0.0.1 is refused by
its ``Host``, a request that its scripts send by ``Origin`` and ``Sec-Fetch-Site``, and no answer allows another site.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import COOKIE_LIFE, PARAMETER, Auth, asked_host
from .problem import Problem
from .receiver import is_for_receiver

ABOUT: Final = "/.well-known/agentops-otel"
LOGIN: Final = "/login"
STATIC: Final = "/static/"
SLASH: Final = "\ue000"
"""Stands for a slash in an id on its way through the routes; a character without a meaning of its own."""
MUTATION_HEADERS: Final = ("hx-request", "x-agentops-otel")
"""A form of another site cannot send one of these; htmx sends the first by itself."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
Answer = Callable[[Request, Problem], Awaitable[Response]]


class Gate:
    """An ASGI application in front of another one.

    Args:
        app: what is behind.
        auth: who may read.
        address: where the box says it is, ``http://127.0.0.1:4318``.
        answer: makes a response of a problem.
    """

    def __init__(self, app: ASGIApp, *, auth: Auth, address: str, answer: Answer) -> None:
        self._app = app
        self._auth = auth
        self._address = address
        self._answer = answer
        self._cookie = _cookie_name(address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope["path"] = _with_slashes_kept(scope)
        try:
            response = self._check(request)
        except Problem as problem:
            response = await self._answer(request, problem)
        await (response or self._app)(scope, receive, _with_headers(send))

    def _check(self, request: Request) -> Response | None:
        """An answer, or None to go on.

        Raises:
            Problem: the request is refused.
        """
        self._check_host(request)
        self._check_origin(request)
        path = request.scope["path"]
        if path == LOGIN or path.startswith(STATIC) or is_for_receiver(request):
            return None  # the receiver asks for a key by itself
        if path == ABOUT and self._auth.is_local:
            return None
        return self._check_reader(request)

    def _check_host(self, request: Request) -> None:
        host = asked_host(request.headers)
        # A request line with a whole address in it is one for a proxy, whatever its Host says.
        if not request.scope["path"].startswith("/") or not self._is_ours(host):
            raise Problem(
                403,
                f"This box does not answer for the host {host[:80] or '(none)'}.",
                "A page of another site may have sent this request.",
                f"Open {self._address}, or start the box with --allowed-host {host[:80] or 'NAME'}.",
            )

    def _is_ours(self, host: str) -> bool:
        if host in self._auth.hosts:
            return True
        if host in {"localhost", "127.0.0.1", "::1"}:
            return True
        # Nobody can point an address at another machine as they can a name.
        return not self._auth.is_local and (_is_address(host) or host == socket.gethostname().lower())

    def _check_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        here = request.headers.get("host", "")
        foreign = origin is not None and origin.partition("://")[2].lower() != here.lower()
        # A link from another site may open a page, which then has no cookie; nothing else comes from there.
        is_link = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
        if request.headers.get("sec-fetch-site") == "cross-site" and not is_link:
            foreign = True
        if foreign:
            raise Problem(
                403,
                "A page of another site has sent this request.",
                "Nothing was read or stored.",
                "Send it from a program instead of a browser, or open the dashboard itself.",
            )

    def _check_reader(self, request: Request) -> Response | None:
        query = QueryParams(request.scope["query_string"])
        code = query.get(PARAMETER)
        if code is not None and request.method == "GET":
            return self._redeem(request, code, query)
        if self._auth.token is None:
            self._check_mutation(request)
            return None
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._auth.is_token(key.strip()):
            return None
        if self._auth.is_cookie(_cookie(request.headers, self._cookie)):
            self._check_mutation(request)
            return None
        raise Problem(
            401,
            "This browser has not been let in yet.",
            "The dashboard holds prompts and results, so it opens only for whoever started it.",
            "Run agentops-otel open, or open the address that agentops-otel up has printed.",
        )

    def _check_mutation(self, request: Request) -> None:
        if request.method not in _SAFE_METHODS and not any(name in request.headers for name in MUTATION_HEADERS):
            raise Problem(
                403,
                "The request changes something and has no header that a page of another site cannot send.",
                "Nothing was changed.",
                "Send the header X-AgentOps-Otel: 1 with it.",
            )

    def _redeem(self, request: Request, code: str, query: QueryParams) -> Response:
        """The same page without the code, and the cookie if the code is valid."""
        rest = urlencode([(name, value) for name, value in query.multi_items() if name != PARAMETER])
        path = "/" + request.scope["raw_path"].decode("ascii", "replace").lstrip("/\\")  # `//host` is another site
        response = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        response.headers["cache-control"] = "no-store"
        if self._auth.token is not None and (self._auth.redeem(code) or self._auth.is_token(code)):
            let_in(response, self._auth, self._address)
        return response


def _with_slashes_kept(scope: Scope) -> str:
    """The path in which a slash that is part of an id is `SLASH`: ids of other instrumentations may hold some."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return str(scope["path"])
    return unquote(raw.decode("ascii", "replace").replace("%2F", SLASH).replace("%2f", SLASH))


def let_in(response: Response, auth: Auth, address: str) -> None:
    """Give a browser the cookie."""
    response.set_cookie(
        _cookie_name(address),
        auth.cookie(),
        max_age=COOKIE_LIFE,
        httponly=True,
        samesite="strict",
        secure=address.startswith("https:"),
    )


def _cookie_name(address: str) -> str:
    """Cookies know no ports: two boxes of one machine must not put each other's out."""
    return f"agentops-otel-{urlsplit(address).port or 80}"


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "private, no-cache")
        await send(message)

    return answer
