"""A session as Jaeger's query API shows it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tests.backends.collector import Collector
from tests.backends.jaeger import attributes


class Span:
    """One span of a trace; times are in seconds since 1970."""

    def __init__(self, data: Mapping[str, Any], processes: Mapping[str, Any]) -> None:
        self.id: str = data["spanID"]
        self.name: str = data["operationName"]
        self.attributes = attributes(data)
        self.start: float = data["startTime"] / 1e6
        self.duration: float = data["duration"] / 1e6
        self.events = [attributes(log) for log in data["logs"]]
        self.resource = attributes(processes[data["processID"]])
        self.service: str = processes[data["processID"]]["serviceName"]
        parents = [found for found in data["references"] if found["refType"] == "CHILD_OF"]
        self.parent: str | None = parents[0]["spanID"] if parents else None
        self.links = [found["spanID"] for found in data["references"] if found["refType"] != "CHILD_OF"]
        self.trace_ids = {data["traceID"], *(found["traceID"] for found in data["references"])}

    @property
    def status(self) -> str:
        """OK, ERROR or UNSET."""
        return self.attributes.get("otel.status_code", "UNSET")

    @property
    def status_text(self) -> str:
        """Description of the status."""
        return self.attributes.get("otel.status_description", "")

    @property
    def kind(self) -> str | None:
        """`agentops.span.kind`."""
        return self.attributes.get("agentops.span.kind")

    def json(self, name: str) -> Any:
        """An attribute that holds JSON; a list of texts is one, for Jaeger."""
        return json.loads(self.attributes[name])


class Trace:
    """The spans of a session."""

    def __init__(self, session_id: str, data: Mapping[str, Any]) -> None:
        self.session_id = session_id
        self.text = json.dumps(data, ensure_ascii=False)
        self.trace_id: str = data["traceID"]
        found = [Span(span, data["processes"]) for span in data["spans"]]
        self.spans = sorted(found, key=lambda span: span.start)

    @property
    def root_id(self) -> str:
        """Span id that the session's root must have."""
        return f"{UUID(self.session_id).int >> 64:016x}"

    @property
    def root(self) -> Span:
        """The only span without a parent."""
        (root,) = [span for span in self.spans if span.parent is None]
        return root

    def span(self, name: str) -> Span:
        """The only span of that name."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, f"{len(found)} spans {name!r} among {self.names}"
        return found[0]

    @property
    def names(self) -> list[str]:
        """Names of all spans, oldest first."""
        return [span.name for span in self.spans]

    def tree(self) -> str:
        """The spans below the root as indented text, children in the order in which they started."""
        return "\n".join(self._lines(self.root, 0))

    def _lines(self, span: Span, depth: int) -> list[str]:
        status = "" if span.status == "UNSET" else f" {span.status}"
        lines = ["  " * depth + f"{span.name} [{span.kind}]{status}"]
        for child in self.spans:
            if child.parent == span.id:
                lines += self._lines(child, depth + 1)
        return lines


def log_events(collector: Collector, trace_id: str, *names: str) -> dict[str, str]:
    """The log events of a trace as the Collector prints them, by name, once those that are named are there."""
    deadline = time.monotonic() + 10
    while True:
        records = re.split(r"LogRecord #\d+|ScopeLogs #\d+|ResourceLog #\d+", collector.output())
        found: dict[str, str] = {}
        for record in records:
            name = re.search(r"EventName: (\S+)", record)
            if name and f"Trace ID: {trace_id}" in record:
                found[name[1]] = record
        if set(names) <= set(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)
