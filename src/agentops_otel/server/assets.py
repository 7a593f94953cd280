"""The files under ``static/``: read once, compressed once, served under one version made of all their contents.

A browser keeps them for ever, since another content has another address; and a module that imports its neighbour gets
the neighbour of the same version.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    content: bytes
    compressed: bytes
    """With gzip."""
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """Every file by its name; what is not here is not served."""
    found = {}
    for file in sorted(resources.files(__package__).joinpath("static").iterdir(), key=lambda file: file.name):
        media_type = _TYPES.get(file.name.rpartition(".")[2])
        if media_type and file.is_file():
            content = file.read_bytes()
            found[file.name] = Asset(content, gzip.compress(content, 9, mtime=0), media_type)
    return MappingProxyType(found)


@cache
def version() -> str:
    """12 hex digits that change with any file."""
    digest = hashlib.sha256()
    for name, asset in assets().items():
        digest.update(f"{name}\0{len(asset.content)}\0".encode())
        digest.update(asset.content)
    return digest.hexdigest()[:12]


def static_url(name: str) -> str:
    """The address of a file: ``/static/{version}/{name}``.

    Raises:
        KeyError: there is no such file.
    """
    if name not in assets():
        raise KeyError(name)
    return f"/static/{version()}/{name}"
