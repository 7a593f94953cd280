"""Writes src/agentops_otel/server/openapi.json from the pages that are registered and the dataclasses they return.

Run `python tools/openapi.py` to write it, with `--check` to get exit code 1 when it is not current.
"""

from __future__ import annotations

import json
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from agentops_otel.server import page
from agentops_otel.server.app import load_views
from agentops_otel.version import __version__

FILE: Final = Path(__file__).parents[1] / "src" / "agentops_otel" / "server" / "openapi.json"
FILTER: Final = {
    "q": "Words of prompts, answers, tool arguments and errors, or the beginning of an id.",
    "state": "running, success, fail or indeterminate; may be repeated.",
    "tag": "May be repeated.",
    "model": "May be repeated.",
    "agent": "May be repeated.",
    "tool": "May be repeated.",
    "error": "Type or fingerprint of an error; may be repeated.",
    "fate": "fatal, recovered or open; may be repeated.",
    "host": "May be repeated.",
    "since": "24h, today, an ISO date or time, or nanoseconds since the epoch.",
    "until": "As `since`.",
    "project": "Of the key that the spans were sent with.",
}
PLAIN: Final = {str: "string", int: "integer", float: "number", bool: "boolean", bytes: "string"}


class Schemas:
    """JSON Schemas of types; those of dataclasses are named, and collected."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type."""
        origin, inside = get_origin(kind), get_args(kind)
        if kind in PLAIN:
            return {"type": PLAIN[kind]}
        if kind is type(None):
            return {"type": "null"}
        if isinstance(kind, type) and is_dataclass(kind):
            return self._reference(kind)
        if origin is Literal:
            return {"enum": list(inside)}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(each) for each in inside]}
        if origin is tuple and inside[-1:] != (...,):
            return {"type": "array", "prefixItems": [self.of(each) for each in inside]}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(inside[1])}
        if isinstance(origin, type) and issubclass(origin, (Sequence, frozenset, set)):
            return {"type": "array", "items": self.of(inside[0])}
        if isinstance(kind, type) and issubclass(kind, str):
            return {"type": "string"}
        return {}

    def _reference(self, kind: Any) -> dict[str, Any]:
        # With its module: two modules may have a type of the same name.
        name = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
        if name not in self.named:
            self.named[name] = {}  # a type may hold itself
            hints = get_type_hints(kind)
            own = [each for each in fields(kind) if not each.name.startswith("_")]
            self.named[name] = {
                "type": "object",
                "description": _first_paragraph(kind.__doc__),
                "properties": {each.name: self.of(hints[each.name]) for each in own},
                "required": [each.name for each in own],
            }
        return {"$ref": f"#/components/schemas/{name}"}


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def _parameters(path: str) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found = [
        {"name": name, "in": "path", "required": True, "schema": text} for name in re.findall(r"{([a-z_]+)}", path)
    ]
    return [*found, *({"$ref": f"#/components/parameters/{name}"} for name in FILTER)]


def _filter(name: str, about: str) -> dict[str, Any]:
    text = {"type": "string"}
    schema = {"type": "array", "items": text} if "repeated" in about else text
    return {"name": name, "in": "query", "description": about, "schema": schema}


def _page(view: page.View, schemas: Schemas) -> dict[str, Any]:
    kind = get_type_hints(view.build).get("return", Any)
    content = {"application/json": {"schema": schemas.of(kind)}} if view.template else {}
    return {
        "summary": _first_paragraph(view.build.__doc__),
        "parameters": _parameters(view.path),
        "responses": {"200": {"description": "The page.", **({"content": content} if content else {})}, **PROBLEMS},
    }


PROBLEM: Final = {
    "type": "object",
    "properties": {
        "status": {"type": "integer"},
        **{name: {"type": "string"} for name in ("happened", "meaning", "todo")},
    },
}
PROBLEMS: Final = {
    status: {
        "description": about,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, about in {
        "400": "The query is not valid.",
        "401": "The token is missing: send it as `Authorization: Bearer`.",
        "403": "The request comes from a page of another site.",
        "404": "There is no such thing.",
    }.items()
}


def document() -> dict[str, Any]:
    """The OpenAPI document of the box."""
    load_views()
    schemas = Schemas()
    paths: dict[str, Any] = {}
    for view in page.views:
        name = f"/api{'/sessions' if view.path == '/' else view.path}" if view.template else view.path
        paths[name] = {"get": _page(view, schemas)}
    for action in page.actions:
        about = _first_paragraph(action.run.__doc__)
        answer = {"200": {"description": "Done."}, **PROBLEMS}
        paths[action.path] = {**paths.get(action.path, {}), "post": {"summary": about, "responses": answer}}
    for signal in ("traces", "logs", "metrics"):
        kinds: dict[str, Any] = {kind: {} for kind in ("application/x-protobuf", "application/json")}
        answers = {"200": "Stored.", "400": "Not OTLP.", "401": "The key is not known.", "413": "Too large."}
        answers |= {"415": "Another encoding.", "429": "Later.", "503": "The store is full."}
        paths[f"/v1/{signal}"] = {
            "post": {
                "summary": f"OTLP/HTTP: {signal}.",
                "requestBody": {"content": kinds},
                "responses": {status: {"description": about} for status, about in answers.items()},
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "agentops-otel",
            "version": __version__,
            "description": "What the pages show, as JSON. Each page `/x` is also `/x.json`, which is the same. Times "
            "are nanoseconds since the epoch, durations nanoseconds, amounts US dollars.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "parameters": {name: _filter(name, about) for name, about in FILTER.items()},
            "schemas": dict(sorted({"Problem": PROBLEM, **schemas.named}.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": typing.cast("list[str]", [])}],
    }


def main() -> int:
    """Write or compare."""
    text = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv:
        return int(FILE.read_text(encoding="utf-8") != text)
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
