"""The SQL of the store: one file for each statement in the folder ``sql``, read once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

_FOLDER: Final = files(__package__) / "sql"


@cache
def statement(name: str) -> str:
    """The text of ``sql/{name}.sql``."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


@cache
def migrations() -> tuple[str, ...]:
    """What makes each version of the schema of the one before; the first makes it of nothing."""
    folder = _FOLDER / "schema"
    return tuple(
        (folder / name).read_text(encoding="utf-8")
        for name in sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    )
