"""The document of the API says what is there, and what is answered is what it says."""

from __future__ import annotations

import json
import re
import time

import pytest
from starlette.routing import Route

from agentops_otel.server import demo
from tests.server.running import RunningBox
from tools.openapi import FILE, document


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    with RunningBox(tmp_path_factory.mktemp("api")) as box:
        yield box


def test_the_document_is_current():
    """It is written from the pages that are registered."""
    assert json.loads(FILE.read_text()) == json.loads(json.dumps(document())), "run python tools/openapi.py"


def test_every_route_is_in_the_document(box):
    """Pages as JSON, downloads, what changes something and OTLP; not what only a browser asks for."""
    said = json.loads(box.get("/api/openapi.json").body)["paths"]
    for route in (route for route in box.app.routes if isinstance(route, Route)):
        path = route.path.removesuffix(".json") if not route.path.endswith("export.json") else route.path
        name = "/sessions" if path == "/" else path
        own = ("/login", "/live", "/.well-known/agentops-otel", "/api/openapi", "/static/{version}/{name}")
        assert path in own or {path, f"/api{name}"} & said.keys(), f"{route.path} is not in the document"


def test_an_answer_has_the_fields_that_the_document_names(box):
    """The top of each page, with sessions in the store."""
    demo.load(box.store, time.time_ns())
    said = json.loads(FILE.read_text())
    for path, methods in said["paths"].items():
        if "get" not in methods or not path.startswith("/api/") or re.search(r"[{]|compare", path):
            continue
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        named = said["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        answer = box.get(path)
        assert answer.status == 200, path
        assert set(json.loads(answer.body)) == set(named["required"]), path
