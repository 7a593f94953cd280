"""The box itself: what arrives and what does not, who sends, how large the store is, keys and versions."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from ... import pricing
from ...version import __version__
from ..counts import Received
from ..page import Asked, page
from ..store import ApiKey, Filter, Price, Seen, StoreStats

_PROCESSES: Final = 200
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
class Program:
    """Processes of one service, host, runtime and SDK that sent spans."""

    service: str
    host: str
    runtime: str
    sdk: str
    packages: tuple[str, ...]
    """That were called, such as ``openai 3.52``."""
    processes: int
    sessions: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class SystemPage:
    """The page of the box."""

    endpoint: str
    """Where OTLP/HTTP and the pages are."""
    grpc_endpoint: str
    """Where OTLP/gRPC is; empty when it is not served."""
    grpc_missing: str
    """Why it is not served, and what changes that."""
    started_ns: int
    received: Received
    store: StoreStats
    retain_ns: int | None
    """Sessions older than this are removed; None: never for their age."""
    retain_bytes: int | None
    """The oldest sessions are removed when the store is larger than this; None: never for its size."""
    programs: Sequence[Program]
    """Of the last processes, the last seen first."""
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
        grpc_missing=box.grpc_missing,
        started_ns=box.started_ns,
        received=box.counts.read(asked.now_ns),
        store=store.stats(),
        retain_ns=box.retain_ns,
        retain_bytes=box.retain_bytes,
        programs=programs(store.processes(Filter(project=asked.where.project), limit=_PROCESSES)),
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


def programs(seen: Iterable[Seen]) -> list[Program]:
    """The programs of processes."""
    found: dict[tuple[str, str, str, str], Program] = {}
    for one in seen:
        process = one.process
        key = process.service, process.host, process.runtime, process.sdk
        known = found.get(key, Program(*key, packages=(), processes=0, sessions=0, last_ns=0))
        found[key] = replace(
            known,
            packages=tuple(dict.fromkeys((*known.packages, *one.sdks))),
            processes=known.processes + 1,
            sessions=known.sessions + one.sessions,
            last_ns=max(known.last_ns, one.last_ns),
        )
    return sorted(found.values(), key=lambda program: -program.last_ns)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
