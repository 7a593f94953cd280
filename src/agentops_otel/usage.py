"""Usage: the tokens of one LLM call, or of many, by class.

The classes are parts of the two totals and never added to them: cached and written tokens are inside `input_tokens`,
reasoning tokens inside `output_tokens`, audio tokens inside either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from . import semconv


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens by class, as the GenAI conventions count them.

    `a + b` adds class by class; a usage without any token is false.
    """

    input_tokens: int = 0
    """All input tokens: fresh, read from a cache and written to one."""
    output_tokens: int = 0
    """All output tokens: visible and reasoning."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.input_audio_tokens + other.input_audio_tokens,
            self.output_audio_tokens + other.output_audio_tokens,
        )

    def __bool__(self) -> bool:
        return self != _NONE

    def attributes(self) -> dict[str, int]:
        """The ``gen_ai.usage.*`` attributes: both totals always, a class only when it has tokens."""
        attributes = {
            semconv.USAGE_INPUT_TOKENS: self.input_tokens,
            semconv.USAGE_OUTPUT_TOKENS: self.output_tokens,
        }
        if self.cache_read_tokens:
            attributes[semconv.USAGE_CACHE_READ_TOKENS] = self.cache_read_tokens
        if self.cache_write_tokens:
            # Under both names while the conventions rename it.
            attributes[semconv.USAGE_CACHE_CREATION_TOKENS] = self.cache_write_tokens
            attributes[semconv.USAGE_CACHE_WRITE_TOKENS] = self.cache_write_tokens
        if self.reasoning_tokens:
            attributes[semconv.USAGE_REASONING_TOKENS] = self.reasoning_tokens
        if self.input_audio_tokens:
            attributes[semconv.USAGE_INPUT_AUDIO_TOKENS] = self.input_audio_tokens
        if self.output_audio_tokens:
            attributes[semconv.USAGE_OUTPUT_AUDIO_TOKENS] = self.output_audio_tokens
        return attributes

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, object]) -> Usage | None:
        """The usage a span carries, under today's names or the older ones; None when it carries no total.

        A value that is no whole number of at least 0 counts as not there.
        """
        read = attributes.get
        totals = [_first(read(name), read(old)) for name, old in _TOTALS]
        if totals == [None, None]:
            return None
        return cls(totals[0] or 0, totals[1] or 0, *(_first(*map(read, names)) or 0 for names in _CLASSES))


_NONE = Usage()
_TOTALS = (
    (semconv.USAGE_INPUT_TOKENS, semconv.OLD_USAGE_INPUT_TOKENS),
    (semconv.USAGE_OUTPUT_TOKENS, semconv.OLD_USAGE_OUTPUT_TOKENS),
)
# In the order of the fields.
_CLASSES: tuple[tuple[str, ...], ...] = (
    (semconv.USAGE_CACHE_READ_TOKENS, semconv.OLD_USAGE_CACHE_READ_TOKENS),
    (
        semconv.USAGE_CACHE_CREATION_TOKENS,
        semconv.USAGE_CACHE_WRITE_TOKENS,
        semconv.OLD_USAGE_CACHE_CREATION_TOKENS,
    ),
    (semconv.USAGE_REASONING_TOKENS, semconv.OLD_USAGE_REASONING_TOKENS),
    (semconv.USAGE_INPUT_AUDIO_TOKENS,),
    (semconv.USAGE_OUTPUT_AUDIO_TOKENS,),
)
USAGE_ATTRIBUTES: Final = frozenset(name for names in (*_TOTALS, *_CLASSES) for name in names)
"""The names that `Usage.from_attributes()` reads."""


def _first(*values: object) -> int | None:
    """The first value that is a token count."""
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None
