"""Requests that are forms with files: what stands for their body, and what is recorded of a file.

A file is never read here: of one that the program has opened only the name and the size are known.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from .._content import Content, Part, items

FILES: Final = "files"
"""The field that holds the files of a form, as pairs of a field's name and a file."""
# Classes of files whose methods are Python's own, so that to ask one of them runs no code of the program.
_OPENED: Final = (io.BufferedReader, io.BufferedRandom, io.FileIO)


def body(options: Any) -> Mapping[str, Any]:
    """The fields of a request, `extra_body` included, and its files."""
    given, more, files = options.json_data, options.extra_json, options.files
    fields = {**given} if isinstance(given, Mapping) else {}
    if isinstance(more, Mapping):
        fields.update(more)
    if files:
        fields[FILES] = tuple(files.items() if isinstance(files, Mapping) else files)
    return fields


def file_parts(body: Mapping[str, Any], modality: str, content: Content) -> list[Part]:
    """A reference to each file of a form."""
    return [_part(file, modality, content) for file in _files(body)]


def _files(body: Mapping[str, Any]) -> Iterator[Any]:
    for pair in items(body.get(FILES)):
        if isinstance(pair, tuple) and len(pair) == 2:
            yield pair[1]


def _part(file: Any, modality: str, content: Content) -> Part:
    """The SDK takes a file as it is, or as (name, file, type, headers)."""
    several = file if isinstance(file, tuple) else (None, file)
    name, data, media_type = (*several, None, None, None)[:3]
    media_type = media_type if isinstance(media_type, str) else None
    if type(data) is io.BytesIO:
        with suppress(ValueError):  # it is closed
            data = data.getvalue()
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    if isinstance(data, bytes):
        part = content.binary(modality, media_type, data)
    else:
        part = content.other("file", modality=modality, mime_type=media_type)
        if type(data) in _OPENED:
            name = name or _name_of(data)
            with suppress(ValueError, OSError):
                part["bytes"] = os.fstat(data.fileno()).st_size
    return content.named(part, name) if isinstance(name, str) else part


def _name_of(file: Any) -> str | None:
    return os.path.basename(file.name) if isinstance(file.name, str) else None
