"""The box itself: what arrives and what does not, who sends, how large the store is, keys and versions."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ... import pricing
from ...version import __version__
from ..counts import Received
from ..page import Asked, page
from ..store import ApiKey, Filter, Price, Seen, StoreStats

_PACKAGES: Final = (
    "starlette",
    "uvicorn",
    "jinja2",
    "opentelemetry-sdk",
    "opentelemetry-proto",
    "protobuf",
    "grpcio",
    "genai-prices",
)


@dataclass(frozen=True, slots=True)
class Version:
    """A part, and the version that runs; empty when it is not installed."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class SystemPage:
    """The page of the box."""

    endpoint: str
    """Where OTLP/HTTP and the pages are."""
    grpc_endpoint: str
    """Where OTLP/gRPC is; empty when it is not served."""
    started_ns: int
    received: Received
    store: StoreStats
    retain_ns: int | None
    """Sessions older than this are removed; None: never for their age."""
    retain_bytes: int | None
    """The oldest sessions are removed when the store is larger than this; None: never for its size."""
    processes: Sequence[Seen]
    projects: Sequence[str]
    keys: Sequence[ApiKey]
    prices: Sequence[Price]
    price_table: str
    """The version of genai-prices that is installed."""
    versions: Sequence[Version]


@page("/system", "system.html")
def system(asked: Asked) -> SystemPage:
    """What the box is and does."""
    store, box = asked.store, asked.box
    return SystemPage(
        endpoint=box.endpoint,
        grpc_endpoint=box.grpc_endpoint,
        started_ns=box.started_ns,
        received=box.counts.read(asked.now_ns),
        store=store.stats(),
        retain_ns=box.retain_ns,
        retain_bytes=box.retain_bytes,
        processes=store.processes(Filter(project=asked.where.project)),
        projects=store.projects(),
        keys=store.keys(),
        prices=store.prices(),
        price_table=pricing.table_version(),
        versions=[
            Version("agentops-otel", __version__),
            Version("Python", platform.python_version()),
            Version("SQLite", sqlite3.sqlite_version),
            *(Version(name, _version(name)) for name in _PACKAGES),
        ],
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
