"""The document of the API says what is there, and what is answered is what it says."""

from __future__ import annotations

import json
import os
import re
import time
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from agentops_otel.server import demo
from agentops_otel.server.store import Filter
from tests.server.running import RunningBox
from tools.openapi import FILE, FILTER, document


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    with RunningBox(tmp_path_factory.mktemp("api")) as box:
        demo.load(box.store, time.time_ns())
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
    said = json.loads(FILE.read_text())
    for path, methods in said["paths"].items():
        if "get" not in methods or not path.startswith("/api/") or re.search(r"[{]|compare", path):
            continue
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        named = said["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        answer = box.get(path)
        assert answer.status == 200, path
        assert set(json.loads(answer.body)) == set(named["required"]), path


_HOSTILE = st.sampled_from(
    [
        *("", "0", "-1", "1e9", "NaN", "9" * 19, "1d", "today", "2026-02-30", "success", "started", "desc", "model"),
        *(
            "' OR 1=1 --",
            '"; DROP TABLE session; --',
            "%_\\",
            "randomblob(100000000)",
            '"',
            "NEAR(a b)",
            "a AND",
            "*",
            "(",
        ),
        *("\x00", "\ud7ff", "\u202e", "a" * 3000, "../../etc/passwd", "{{7*7}}", "<script>", "default", "1,2", "last"),
    ]
)
_OWN = ("sort", "order", "cursor", "limit", "by", "a", "b", "pick", "tab", "span", "page", "under")


@settings(
    max_examples=int(os.environ.get("AGENTOPS_TEST_EXAMPLES", "200")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_query_breaks_a_page(box, data):
    """Any value of any parameter, also those of one page alone: a mistake of who asks is answered as one."""
    said = json.loads(FILE.read_text())["paths"]
    path = data.draw(st.sampled_from(sorted(path for path, methods in said.items() if "get" in methods)))
    key = st.sampled_from([row.session_id for row in box.store.sessions(Filter()).rows]) | _HOSTILE
    for name in re.findall(r"{[a-z_]+}", path):
        path = path.replace(name, quote(data.draw(key), safe=""))
    names = st.sampled_from(
        [*FILTER, "sort", "order", "cursor", "limit", "by", "a", "b", "pick", "tab", "span", "page", "under"]
    )
    query = data.draw(st.lists(st.tuples(names, key | st.text(max_size=20)), max_size=4))
    answer = box.get(f"{path}?{urlencode(query, errors='surrogatepass')}", accept="text/html")
    assert answer.status < 500, f"{path} {query}"
