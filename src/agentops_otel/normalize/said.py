"""What a span says of the fields of its row, in whatever dialects it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..dialects.dialect import Field
from ..messages import as_text, opened

NAME_LENGTH: Final = 256
MESSAGE_LENGTH: Final = 2000
INT64: Final = 2**63
_MOST_TAGS: Final = 100


class Said:
    """What a span says of a field, in the first of its dialects that says anything of it."""

    __slots__ = ("_fields", "_get")

    def __init__(self, attributes: Mapping[str, Any], fields: Mapping[Field, tuple[str, ...]]) -> None:
        self._get = attributes.get
        self._fields = fields

    def value(self, name: Field) -> Any:
        """The first value that is not empty; None without one."""
        for attribute in self._fields.get(name, ()):
            value = self._get(attribute)
            if value is not None and value != "":
                return value
        return None

    def text(self, name: Field, length: int = NAME_LENGTH) -> str | None:
        """A text; None where it is empty or none."""
        for attribute in self._fields.get(name, ()):
            value = self._get(attribute)
            if type(value) is str and value and not value.isspace():
                return value[:length]
        return None

    def content(self, name: Field) -> str | None:
        """Any value as text, JSON where it is structured."""
        value = self.value(name)
        return None if value is None else as_text(value)

    def count(self, name: Field) -> int:
        """A whole number of at least 0; 0 for anything else."""
        value = self.value(name)
        return value if type(value) is int and 0 <= value < INT64 else 0

    def texts(self, name: Field) -> tuple[str, ...]:
        """A list of texts, which may be written as JSON; one text is a list of it."""
        value = self.value(name)
        if isinstance(value, str):
            value = opened(value) if value.startswith("[") else [value]
        found = [each[:NAME_LENGTH] for each in value if type(each) is str and each] if type(value) is list else []
        return tuple(dict.fromkeys(found[:_MOST_TAGS]))


def text_of_value(value: object, length: int = NAME_LENGTH) -> str | None:
    """A value as a text of at most so many characters; None for an empty one, or for what is none."""
    return value[:length] if isinstance(value, str) and value else None
