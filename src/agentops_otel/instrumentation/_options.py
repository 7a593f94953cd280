"""The options that `request` of a Stainless client is called with: found, and replaced by a copy that says more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def given(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The options among the arguments of `request(cast_to, options, *, stream, stream_cls)`."""
    return args[1] if len(args) > 1 else kwargs["options"]


def changed(args: tuple[Any, ...], kwargs: dict[str, Any], fields: Mapping[str, Any]) -> Arguments:
    """The arguments with a copy of the options in which these fields are others; the caller's stay as they are."""
    options = given(args, kwargs)
    copy = options.model_copy() if hasattr(options, "model_copy") else options.copy()
    for name, value in fields.items():
        setattr(copy, name, value)
    return ((args[0], copy, *args[2:]), kwargs) if len(args) > 1 else (args, {**kwargs, "options": copy})
