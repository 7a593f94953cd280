"""How a page, an action and a problem become an answer: HTML for people, JSON for programs."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .gate import SLASH
from .page import Action, Asked, Box, Download, Missing, View, json_text
from .problem import Problem
from .query import where
from .render import environment, render
from .store import Store
from .store.database import StoreUnusable

_LARGEST_FORM: Final = 1024 * 1024


class Answers:
    """Makes answers for one box.

    Args:
        store: what the pages read.
        box: what the pages say of it.
    """

    def __init__(self, store: Store, box: Box) -> None:
        self._store = store
        self._box = box

    def page(self, view: View, *, as_json: bool) -> Callable[[Request], Awaitable[Response]]:
        """What answers at the address of a page."""

        def build(request: Request) -> Response:
            asked = self._asked(request)
            try:
                found = view.build(asked)
            except Missing as missing:
                raise Problem(404, str(missing)) from None
            except (sqlite3.Error, StoreUnusable) as error:
                raise _unreadable(error) from error
            if isinstance(found, Download):
                return _file(found)
            if as_json:
                return Response(json_text(found), media_type="application/json")
            return Response(render(view.template, found, asked), media_type="text/html")

        async def answer(request: Request) -> Response:
            return await run_in_threadpool(build, request)

        return answer

    def action(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        """What is done at a POST."""

        async def answer(request: Request) -> Response:
            asked = self._asked(request, await form(request))
            try:
                target = await run_in_threadpool(action.run, asked)
            except Missing as missing:
                raise Problem(404, str(missing)) from None
            if "hx-request" in request.headers:
                return Response(status_code=204, headers={"hx-redirect": target})
            if wants_json(request):
                return Response(json_text({"go": target}), media_type="application/json")
            return RedirectResponse(target, 303)

        return answer

    async def problem(self, request: Request, problem: Problem) -> Response:
        """An answer for what went wrong."""
        said = {"status": problem.status, "happened": problem.happened}
        said |= {"meaning": problem.meaning, "todo": problem.todo}
        if request.method not in ("GET", "HEAD") or wants_json(request):
            return Response(json_text(said), problem.status, media_type="application/json")
        if "hx-request" in request.headers or "text/html" not in request.headers.get("accept", ""):
            return Response(f"{problem}\n", problem.status, media_type="text/plain")
        html = environment().get_template("problem.html").render(page=problem)
        return Response(html, problem.status, media_type="text/html")

    def _asked(self, request: Request, sent: Mapping[str, list[str]] | None = None) -> Asked:
        now_ns = time.time_ns()
        query: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            query.setdefault(name, []).append(value)
        return Asked(
            store=self._store,
            path={name: str(value).replace(SLASH, "/") for name, value in request.path_params.items()},
            query=query,
            now_ns=now_ns,
            where=where(query, now_ns),
            box=self._box,
            form=sent or {},
        )


def _unreadable(error: Exception) -> Problem:
    return Problem(
        500,
        f"The store cannot be read: {str(error)[:200]}.",
        "Nothing was changed.",
        "agentops-otel db check says more.",
    )


def wants_json(request: Request) -> bool:
    """Whether a program asks."""
    path: str = request.scope["path"]
    return path.endswith(".json") or path.startswith("/api/") or "json" in request.headers.get("accept", "")


async def form(request: Request) -> dict[str, list[str]]:
    """The fields of a form, or of one JSON object.

    Raises:
        Problem: it is neither, or too large.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM:
            raise Problem(413, "The request is larger than 1 MiB.", "Nothing was changed.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded" or not body:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1000)
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Problem(400, "The request is neither a form nor a JSON object.", "Nothing was changed.") from None
    return {name: [str(each) for each in _several(value)] for name, value in fields.items() if value is not None}


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _file(download: Download) -> Response:
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", download.name).strip(".-") or "download"
    disposition = "inline" if download.inline else "attachment"
    return Response(
        download.body,
        media_type=download.media_type,
        headers={"content-disposition": f'{disposition}; filename="{name}"'},
    )
