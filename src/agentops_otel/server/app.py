"""The box as one ASGI application: receiver, pages, files and live events behind one gate."""

from __future__ import annotations

import pkgutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ExceptionHandler

from ..version import __version__
from . import assets, page, views
from . import live as live_pages
from . import receiver as receiving
from .answers import Answers, form
from .auth import Auth, proof
from .gate import ABOUT, HEADERS, LOGIN, STATIC, Gate, let_in
from .grpc import GrpcReceiver
from .live import Live
from .page import Box, json_text
from .problem import Problem
from .receiver import Receiver
from .store import Store
from .upkeep import upkeep


def create_app(
    store: Store,
    *,
    auth: Auth,
    box: Box | None = None,
    live: Live | None = None,
    grpc_at: Sequence[socket.socket] = (),
    passes: Mapping[str, str] = MappingProxyType({}),
) -> Starlette:
    """The ASGI application of a box.

    Args:
        store: where spans are kept; whoever calls closes it.
        auth: who may read and send.
        box: where it answers, what it has received, and how it was started.
        live: tells pages what has changed; for whoever ends the application while pages are open.
        grpc_at: sockets that listen for OTLP over gRPC.
        passes: keys with which this process itself sends, and the project of each.
    """
    box = box or Box(started_ns=time.time_ns(), endpoint="http://127.0.0.1:4318")
    live = live or Live(box.counts)
    receiver = Receiver(store, auth, box.counts, live, passes)
    grpc = GrpcReceiver(receiver, grpc_at, is_local=auth.is_local) if grpc_at else None
    answers = Answers(store, box)
    load_views()
    app = Starlette(
        routes=[
            *_own_routes(auth, box.endpoint),
            Route(live_pages.PATH, live.answer),
            *receiving.routes(receiver, box.endpoint),
            *_pages(answers),
        ],
        middleware=[
            Middleware(Gate, auth=auth, address=box.endpoint, answer=answers.problem),
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=4),
        ],
        exception_handlers=_handlers(receiver, answers, box.endpoint),
        lifespan=lambda _: upkeep(store, live, box, grpc),
    )
    app.router.redirect_slashes = False  # a sender would not follow
    return app


def _handlers(receiver: Receiver, answers: Answers, endpoint: str) -> dict[Any, ExceptionHandler]:
    """What is answered where there is no page, or where one could not be made."""

    async def answer_problem(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, Problem)  # noqa: S101  (as it is registered below)
        return await answers.problem(request, problem)

    async def missing(request: Request, _: Exception) -> Response:
        if receiving.is_for_receiver(request):
            return await receiving.wrong_address(receiver, endpoint, request)
        return await answers.problem(
            request,
            Problem(404, f"There is no page {request.url.path[:200]}.", todo="Go to / for the list of sessions."),
        )

    async def broken(request: Request, _: Exception) -> Response:
        response = await answers.problem(
            request,
            Problem(
                500,
                "The page could not be made.",
                "Nothing is lost: what was received is stored.",
                "The terminal in which the box runs says more. Please report it with these lines.",
            ),
        )
        response.headers.update(HEADERS)  # this answer does not go through the gate
        return response

    return {Problem: answer_problem, 404: missing, 405: missing, 500: broken}


def load_views() -> None:
    """Import every module of `views`, each of which registers its pages; once."""
    for module in pkgutil.iter_modules(views.__path__, f"{views.__name__}."):
        import_module(module.name)


def _own_routes(auth: Auth, address: str) -> Iterator[BaseRoute]:
    async def about(request: Request) -> Response:
        """Who answers here, for whoever finds the port taken."""
        said = {"name": "agentops-otel", "version": __version__, "address": address}
        nonce = request.query_params.get("nonce", "")
        if auth.token and nonce:
            said["proof"] = proof(auth.token, urlsplit(address).port or 0, nonce[:100])
        return Response(json_text(said), media_type="application/json")

    async def login(request: Request) -> Response:
        """The token itself instead of a one-time address, for a box on another machine."""
        token = (await form(request)).get("token", [""])[-1].strip()
        if not auth.is_token(token):
            raise Problem(401, "The token is not right.", todo="Copy it once more, or run agentops-otel open.")
        response = RedirectResponse("/", 303)
        let_in(response, auth, address)
        return response

    async def api(request: Request) -> Response:
        """What the JSON of each page is."""
        return Response(Path(__file__).with_name("openapi.json").read_bytes(), media_type="application/json")

    yield Route(ABOUT, about)
    yield Route("/api/openapi.json", api)
    yield Route(LOGIN, login, methods=["POST"])
    yield Route(STATIC + "{version}/{name}", _static)


def _static(request: Request) -> Response:
    """A file of the package, by its name in a list: no name reaches the file system."""
    asset = assets.assets().get(request.path_params["name"])
    if asset is None:
        raise Problem(404, "There is no such file.")
    forever = request.path_params["version"] == assets.version()
    headers = {
        "cache-control": "public, max-age=31536000, immutable" if forever else "no-cache",
        "vary": "accept-encoding",
    }
    packed = "gzip" in request.headers.get("accept-encoding", "")
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(asset.compressed if packed else asset.content, media_type=asset.media_type, headers=headers)


def _pages(answers: Answers) -> Iterator[BaseRoute]:
    """The routes of pages and actions; ``x.json`` stands before ``/{key}``, which would take it too."""
    for view in page.views:
        if view.template:
            as_json = answers.page(view, as_json=True)
            name = "/sessions" if view.path == "/" else view.path
            for path in (f"{name}.json", f"/api{name}"):
                yield Route(path, as_json)
    for view in sorted(page.views, key=lambda view: view.path.endswith("}")):
        yield Route(view.path, answers.page(view, as_json=False))
    for action in page.actions:
        yield Route(action.path, answers.action(action), methods=["POST"])
