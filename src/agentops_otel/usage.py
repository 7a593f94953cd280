"""Usage: the tokens of one LLM call, or of many, by class.

The classes are parts of the two totals and never added to them: cached and written tokens are inside `input_tokens`,
reasoning tokens inside `output_tokens`, tokens of a modality (text, image, audio, video) inside either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from . import semconv
from .frozen import dataclass


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
    input_text_tokens: int = 0
    input_image_tokens: int = 0
    input_video_tokens: int = 0
    output_text_tokens: int = 0
    output_image_tokens: int = 0
    missing: frozenset[str] = field(default=frozenset(), compare=False)
    """The totals that are not known, by their field's name: 0 here, and no attribute. Embeddings have no output."""
    cache_write_1h_tokens: int = 0
    """Those of `cache_write_tokens` that are kept for an hour, which have a price of their own."""
    cache_read_audio_tokens: int = 0
    """Those of `cache_read_tokens` that are sound, which have a price of their own."""
    cache_read_image_tokens: int = 0
    """Those that are pictures."""
    output_video_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in _NAMES})

    def __bool__(self) -> bool:
        return self != _NONE

    def attributes(self) -> dict[str, int]:
        """The ``gen_ai.usage.*`` attributes: both totals if they are known, a class only when it has tokens."""
        attributes = {names[0]: getattr(self, name) for name, names in _TOTALS.items() if name not in self.missing}
        for name, names in _CLASSES.items():
            tokens = getattr(self, name)
            if tokens:
                attributes[names[0]] = tokens
        if self.cache_write_tokens:
            # Under both names while the conventions rename it.
            attributes[semconv.USAGE_CACHE_WRITE_TOKENS] = self.cache_write_tokens
        return attributes

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, object]) -> Usage | None:
        """The usage a span carries, under today's names or the older ones; None when it carries no total.

        A value that is no whole number of at least 0 counts as not there.
        """
        if USAGE_ATTRIBUTES.isdisjoint(attributes):
            return None
        if type(attributes) is not dict:  # reading the SDK's mapping takes a lock
            attributes = {name: attributes[name] for name in USAGE_ATTRIBUTES.intersection(attributes)}
        found: dict[str, Any] = {}
        for attribute, name in _LAST_FIRST:
            tokens = attributes.get(attribute)
            if tokens is not None and isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0:
                found[name] = tokens
        if "input_tokens" in found and "output_tokens" in found:
            return cls(**found)
        missing = frozenset(name for name in _TOTALS if name not in found)
        return cls(**found, missing=missing) if len(missing) < len(_TOTALS) else None


# The fields, and the attributes that say them: the first is written, all are read.
_TOTALS: Final[dict[str, tuple[str, ...]]] = {
    "input_tokens": (semconv.USAGE_INPUT_TOKENS, semconv.OLD_USAGE_INPUT_TOKENS),
    "output_tokens": (semconv.USAGE_OUTPUT_TOKENS, semconv.OLD_USAGE_OUTPUT_TOKENS),
}
_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "cache_read_tokens": (semconv.USAGE_CACHE_READ_TOKENS, semconv.OLD_USAGE_CACHE_READ_TOKENS),
    "cache_write_tokens": (
        semconv.USAGE_CACHE_CREATION_TOKENS,
        semconv.USAGE_CACHE_WRITE_TOKENS,
        semconv.OLD_USAGE_CACHE_CREATION_TOKENS,
    ),
    "reasoning_tokens": (semconv.USAGE_REASONING_TOKENS, semconv.OLD_USAGE_REASONING_TOKENS),
    "input_audio_tokens": (semconv.USAGE_INPUT_AUDIO_TOKENS,),
    "output_audio_tokens": (semconv.USAGE_OUTPUT_AUDIO_TOKENS,),
    "input_text_tokens": (semconv.USAGE_INPUT_TEXT_TOKENS,),
    "input_image_tokens": (semconv.USAGE_INPUT_IMAGE_TOKENS,),
    "input_video_tokens": (semconv.USAGE_INPUT_VIDEO_TOKENS,),
    "output_text_tokens": (semconv.USAGE_OUTPUT_TEXT_TOKENS,),
    "output_image_tokens": (semconv.USAGE_OUTPUT_IMAGE_TOKENS,),
    "cache_write_1h_tokens": (semconv.USAGE_CACHE_WRITE_1H_TOKENS,),
    "cache_read_audio_tokens": (semconv.USAGE_CACHE_READ_AUDIO_TOKENS,),
    "cache_read_image_tokens": (semconv.USAGE_CACHE_READ_IMAGE_TOKENS,),
    "output_video_tokens": (semconv.USAGE_OUTPUT_VIDEO_TOKENS,),
}
_NAMES: Final = (*_TOTALS, *_CLASSES)
_NONE: Final = Usage()
USAGE_ATTRIBUTES: Final = frozenset(name for names in (*_TOTALS.values(), *_CLASSES.values()) for name in names)
"""The names that `Usage.from_attributes()` reads."""
_FIELDS: Final = {name: field for field, names in (_TOTALS | _CLASSES).items() for name in names}
# So that of two names of one field the first has the last word.
_LAST_FIRST: Final = tuple(reversed(_FIELDS.items()))
