"""Keys of projects: only a hash is stored, which says nothing of a key of 256 random bits."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from typing import Final

from ...pipeline.ids import project_id
from . import ApiKey
from .statement import statement

_PREFIX: Final = "ao_"
_SHOWN: Final = len(_PREFIX) + 8
_LONGEST: Final = 200


def create(connection: sqlite3.Connection, project: int, now_ns: int) -> str:
    """A new key; it can be read here and never again."""
    key = _PREFIX + secrets.token_urlsafe(32)
    connection.execute(statement("create_key"), (key[:_SHOWN], project, _hash(key), now_ns, project_id(key)))
    return key


def revoke(connection: sqlite3.Connection, key_id: str, now_ns: int) -> bool:
    """Refuse a key from now on."""
    return connection.execute(statement("revoke_key"), (now_ns, key_id)).rowcount > 0


def keys(connection: sqlite3.Connection) -> list[ApiKey]:
    """All keys, by the time they were made."""
    return [ApiKey(*row) for row in connection.execute(statement("keys"))]


def project_of(connection: sqlite3.Connection, key: str) -> tuple[str, bool] | None:
    """The project of a key that is not revoked, and whether the key is known by the id made of it."""
    if not key.startswith(_PREFIX) or len(key) > _LONGEST or not key.isascii():
        return None
    found = connection.execute(statement("project_of_key"), (key[:_SHOWN],)).fetchone()
    if found is None or not secrets.compare_digest(found[0], _hash(key)):
        return None
    return str(found[1]), found[2] is not None


def learn(connection: sqlite3.Connection, key: str) -> None:
    """Know a key of an earlier version by the id made of it; the key is valid."""
    connection.execute(statement("learn_key"), (project_id(key), key[:_SHOWN]))


def project_known_as(connection: sqlite3.Connection, known_as: str) -> str | None:
    """The project of the key of which an id was made, when it is not revoked."""
    found = connection.execute(statement("project_known_as"), (known_as,)).fetchone()
    return None if found is None else str(found[0])


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
