"""The tags of a session, as users give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from .log import logger
from .values import MAX_ITEMS, to_text


def clean_tags(tags: object) -> list[str] | None:
    """Tags as a list without repetition, order kept; None, after a warning, when they are not strings."""
    if tags is None:
        return []
    kind = type(tags)
    if issubclass(kind, str):
        tags = [tags]
    elif not issubclass(kind, Iterable) or issubclass(kind, (bytes, Mapping)):
        logger.warning("tags: expected a list of strings, got %s; the tags are ignored", kind.__name__)
        return None
    try:
        tags = list(islice(tags, MAX_ITEMS))  # type: ignore[call-overload]
    except Exception as error:
        logger.warning("tags: they cannot be read (%s) and are ignored", type(error).__name__)
        return None
    texts = [to_text(tag) if issubclass(type(tag), str) else "" for tag in tags]
    if not all(texts):
        logger.warning("tags: expected non-empty strings; the tags are ignored")
        return None
    return list(dict.fromkeys(texts))
