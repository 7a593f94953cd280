"""What went wrong, in three parts: what happened, what it means, what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is no page, as HTML, JSON or text; its parts are whole sentences."""

    status: int
    happened: str
    meaning: str = ""
    todo: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.happened, self.meaning, self.todo) if part)
