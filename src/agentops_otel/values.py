r"""Any Python object as what OTLP carries: text, a number, a list of them, or JSON.

The one thing to know: nothing here raises, consumes an iterator or changes an object that it is given, whatever the
object is. What cannot be shown becomes a word in angle brackets: ``<cyclic>``, ``<generator>``, ``<unprintable T>``.

How values are written:

* text stays text; a lone surrogate, which UTF-8 cannot carry, becomes its escape (``\ud83d``); NUL bytes stay;
* numbers stay numbers, also a NumPy scalar and a Decimal that a float holds exactly; other Decimals and whole numbers
  that 64 bits cannot hold become text;
* NaN and infinity stay floats in an attribute; inside JSON, which has no such numbers, they are ``"NaN"``,
  ``"Infinity"`` and ``"-Infinity"``;
* bytes become their text when they are UTF-8, else base64; pictures, sound and files become references (`media.py`);
* dates and times become ISO 8601;
* a list of values of one plain type stays a list; None and everything structured become JSON text, a named tuple an
  object;
* nesting is cut below 16, lists and mappings behind 1,000 items, both with a mark.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from inspect import getattr_static
from itertools import islice
from json.encoder import encode_basestring
from types import GeneratorType, MemberDescriptorType
from typing import Any, Final, TypeAlias

import msgspec
from opentelemetry.util.types import AttributeValue

from . import media
from .figures import format_count
from .log import logger
from .secrets import is_secret_name
from .text import MAX_LENGTH, MAX_TEXTS, clean_text, limit, longest, plain_text, shown, stops, unprintable

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 1000
# All that one walk over an object may visit.
MAX_NODES: Final = 10_000

_INT64: Final = 1 << 63
_OURS: Final = f"{__package__}."
_PLAIN: Final = (str, bool, int, float)
# What `str()` and `repr()` of these say, they may ask a database for: a query set runs its query.
_DATABASES: Final = ("django.db.", "mongoengine.")
# Mappings that are changed by reading them: a cache knows which of its items was used last.
_REMEMBERING: Final = ("cachetools", "shelve", "h5py", "zarr")
_NOT_HELD: Final = object()
_Json: TypeAlias = "str | bool | int | float | list[_Json] | dict[str, _Json] | None"


def sanitize(value: object, *, max_length: int = MAX_LENGTH) -> AttributeValue:
    """Any object as an attribute value that OTLP carries; never raises an Exception.

    Done twice, it changes nothing more.
    """
    kind = type(value)
    if kind is str:
        text = _without_media(value, max_length)  # type: ignore[arg-type]
        return clean_text(text, limit(text, max_length))
    if kind is bool or kind is float:
        return value  # type: ignore[return-value]
    try:
        return _attribute(value, max_length)
    except BaseException as error:  # (an object can raise from anywhere, also from isinstance())
        return unprintable(value, error)


def to_text(value: object, *, max_length: int = MAX_LENGTH) -> str:
    """Text as it is, everything else as JSON, each string in it cut at `max_length` characters.

    Never raises an Exception.
    """
    if issubclass(type(value), str):  # isinstance() asks the object, and an object can lie or raise
        return clean_text(_without_media(value, max_length), max_length)  # type: ignore[arg-type]
    return to_json(value, max_length=max_length)


def _without_media(text: str, max_length: int) -> str:
    """`text` with references in the place of pictures, sound and files; before it is cut, for their size and digest."""
    plain = plain_text(text)
    most = max_length * MAX_TEXTS
    return media.replaced_whole(plain, most) if media.may_be_in(plain, most) else plain


def to_json(value: object, *, max_length: int = MAX_LENGTH) -> str:
    """Any object as valid JSON; never raises an Exception.

    Each string in it is cut at `max_length` characters, and what is behind 16 times as many in all is left out.
    """
    if plain_texts(value, max_length=max_length) is not None:
        text = plain_json(value)
        if text is not None and media.replaced(text) is text:
            return text
    try:
        return _walked(value, max_length)
    except BaseException as error:
        return json.dumps(unprintable(value, error))


def _fits(text: str) -> bool:
    most = longest()
    return most is None or len(text) <= most


def _walked(value: object, max_length: int) -> str:
    """The JSON of a walk, of a shorter one where it became too long for the SDK."""
    characters = max_length * MAX_TEXTS // 2
    most = longest()
    if most is not None:
        characters = min(characters, most)
    while characters:
        text = _JSON_ENCODER.encode(_Walk(max_length, characters).tree(value))
        if _fits(text):
            return text
        characters //= 2
    return '"…"'


def _attribute(value: Any, max_length: int) -> AttributeValue:
    kind = type(value)
    if issubclass(kind, float):
        return float(value)  # NaN and infinity too, which JSON has to write as text
    if issubclass(kind, (list, tuple)):
        items = None if _is_named(kind) else _plain_list(value, max_length)
        return to_json(value, max_length=max_length) if items is None else items
    if value is None or issubclass(kind, dict):
        return to_json(value, max_length=max_length)
    simple = _Walk(max_length, max_length * MAX_TEXTS // 2).tree(value)
    if isinstance(simple, int) and not isinstance(simple, bool):
        return simple if -_INT64 <= simple < _INT64 else str(simple)
    if isinstance(simple, (str, bool, float)):
        return simple
    text = _JSON_ENCODER.encode(simple)
    return text if _fits(text) else _walked(value, max_length)


def _plain_list(values: list[Any] | tuple[Any, ...], max_length: int) -> AttributeValue | None:
    """The items when they are of one plain type, as OTLP wants them; None when they are not."""
    # Not what a subclass makes of its items and their number: that could go on for ever.
    base: Any = list if issubclass(type(values), list) else tuple
    length: int = base.__len__(values)
    items: Any = base.__getitem__(values, slice(MAX_ITEMS))
    kinds = {*map(type, items)}
    if kinds == {str}:
        return _text_list(items, length, max_length)
    if length > MAX_ITEMS or (len(kinds) > 1 and kinds != {int, float}) or not kinds <= set(_PLAIN):
        return None
    if float in kinds:
        return tuple(map(float, items))
    return None if kinds == {int} and not all(-_INT64 <= item < _INT64 for item in items) else tuple(items)


def _text_list(items: Sequence[str], length: int, max_length: int) -> tuple[str, ...]:
    texts = [clean_text(_without_media(item, max_length), max_length) for item in items]
    room = max_length * MAX_TEXTS
    if length == len(texts) and sum(map(len, texts)) <= room:
        return tuple(texts)
    room -= 40  # for the mark
    kept: list[str] = []
    for text in texts[: MAX_ITEMS - 1]:
        room -= len(text)
        if room < 0:
            break
        kept.append(text)
    return (*kept, f"… {format_count(length - len(kept), 'more item')}")


# ------------------------------------------------------------------------------------------------------------------
# The quick way: what an LLM's messages are made of goes to the encoder as it is.

# The names of the GenAI conventions' messages and of a JSON schema: no secrets' names, and no media.
_USUAL: Final = frozenset((
    "role", "parts", "type", "content", "finish_reason", "name", "id", "arguments", "response", "modality", "uri",
    "file_id", "mime_type", "sha256", "sha256_sample", "filename", "function", "description", "parameters",
    "properties", "required", "enum", "items", "strict", "additionalProperties",
))  # fmt: skip
_harmless: Final[set[str]] = set()
"""Other names that were looked at: a program has few."""
_MOST_HARMLESS: Final = 4096
_LONGEST_NAME: Final = 64
_SHORTEST_MEDIA: Final = 32
_BEGINS_MEDIA: Final = "".join({"{", "[", *(beginning[0] for beginning in media.BEGINNINGS)})
# How much JSON may make of each; what is near the bound takes the walk, which counts.
_LENGTH_OF_A_CHARACTER: Final = 6
_LENGTH_OF_A_NAME: Final = 48
_LENGTH_OF_A_VALUE: Final = 24
# Above this, encoders write floats differently.
_LARGEST_FLOAT: Final = 1e16


def plain_texts(*values: object, max_length: int = MAX_LENGTH, depth: int = MAX_DEPTH) -> list[str] | None:
    """All texts of JSON values that need no change, for a search through them, unusual names of objects included.

    Args:
        depth: how deep they may be.

    Returns:
        None where a value is not JSON through and through, is large, may name media, or has a name such as
        ``password`` in it.
    """
    try:
        return _plain_texts(values, max_length, depth)
    except Exception as error:  # (whatever the quick way cannot do, the walk can)
        if stops(error):
            raise
        logger.debug("the quick way to JSON failed: %s", type(error).__name__)
        return None


def _plain_texts(values: tuple[object, ...], max_length: int, depth: int) -> list[str] | None:
    texts: list[str] = []
    unusual: list[str] = []
    level: list[Any] = [list(values)]
    nodes = names = 0
    for _ in range(depth):
        inner: list[Any] = []
        for container in level:
            size = len(container)
            nodes += size
            if size > MAX_ITEMS or nodes > MAX_NODES:
                return None
            items = container
            if type(container) is dict:
                names += size
                items = container.values()
                unusual += [name for name in container if name not in _USUAL]
                if not media.SIGNS.isdisjoint(container) and media.kinds_in(container):
                    return None
            for item in items:
                kind = type(item)
                if kind is str:
                    texts.append(item)
                elif kind is dict or kind is list:
                    inner.append(item)
                elif item is not None and kind is not bool and not _is_plain_number(item):
                    return None
        if not inner:
            texts += unusual
            characters = names * _LENGTH_OF_A_NAME + nodes * _LENGTH_OF_A_VALUE
            return texts if are_small(texts, characters, max_length) and _are_harmless(unusual) else None
        level = inner
    return None


def _is_plain_number(item: object) -> bool:
    kind = type(item)
    if kind is int:
        return -_INT64 <= item < _INT64  # type: ignore[operator]
    return kind is float and -_LARGEST_FLOAT < item < _LARGEST_FLOAT  # type: ignore[operator]


def are_small(texts: list[str], characters: int, max_length: int) -> bool:
    """Whether the walk would cut nothing, and finds no media that is a text of its own.

    Args:
        characters: how long their JSON may be besides these texts.
    """
    length = 0
    for text in texts:
        own = len(text)
        length += own
        if own < _SHORTEST_MEDIA:
            continue
        if own > max_length or (text[0] in _BEGINS_MEDIA and media.may_be_whole(text)):
            return False
    return characters + length * _LENGTH_OF_A_CHARACTER <= max_length * MAX_TEXTS


def _are_harmless(names: list[str]) -> bool:
    """Whether none of these is the name of a secret."""
    if _harmless.issuperset(names):
        return True
    for name in names:
        if type(name) is not str or len(name) > _LONGEST_NAME or is_secret_name(name.rstrip("\\\"' ")):
            return False
    if len(_harmless) > _MOST_HARMLESS:
        _harmless.clear()
    _harmless.update(names)
    return True


_encode: Final = msgspec.json.Encoder().encode


def plain_json(value: object) -> str | None:
    """The JSON of a value of which `plain_texts()` has given the texts.

    Returns:
        None where there is a lone surrogate in it, or where the environment does not let an attribute be so long.
    """
    try:
        text = _encode(value).decode()
    except Exception as error:  # (the value may have been changed meanwhile, too)
        if stops(error):
            raise
        logger.debug("the quick way to JSON failed: %s", type(error).__name__)
        return None
    most = longest()
    return text if most is None or len(text) <= most else None


# ------------------------------------------------------------------------------------------------------------------
# the walk

_JSON_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), allow_nan=False
)


class _Walk:
    """One walk over an object, into plain JSON values; bounded in depth, items, visits and characters."""

    def __init__(self, max_length: int, characters: int) -> None:
        self._max_length = max_length
        self._characters = characters
        self._least = min(40, characters)  # of each text
        self._nodes = MAX_NODES
        self._open: set[int] = set()  # the containers above the current one

    def tree(self, value: Any, depth: int = 0) -> _Json:
        self._nodes -= 1
        self._characters -= 16  # what stands between the values, and a mark in the place of some
        try:
            return self._scalar(value, depth)
        except BaseException as error:  # (RecursionError too)
            return self._text(unprintable(value, error))

    def _text(self, text: str) -> str:
        shown = clean_text(text, max(min(self._max_length, self._characters), self._least))
        self._characters -= len(encode_basestring(shown))  # as JSON writes it: quotes and control characters are longer
        return shown

    def _scalar(self, value: Any, depth: int) -> _Json:
        kind: type[Any] = type(value)  # and not isinstance(), for which a lazy object makes what it stands for
        if value is None or value is True or value is False:
            return value
        if issubclass(kind, Enum):
            return self.tree(value.value, depth + 1) if depth < MAX_DEPTH else self._text(value.name)
        if issubclass(kind, str):
            return self._text(_without_media(value, self._max_length))
        if issubclass(kind, int):
            # Digits of a huge number take quadratic time, and Python refuses more than 4,300 of them.
            bits = int(value).bit_length()
            self._characters -= min(bits, 1024) // 3
            return int(value) if bits <= 1024 else f"<int of {bits} bits>"
        if issubclass(kind, float):
            return _number(float(value))
        if issubclass(kind, Decimal):
            return _number(float(value)) if _is_exact(value) else self._text(str(value))
        if issubclass(kind, (bytes, bytearray, memoryview)):
            data = bytes(value)
            longest = self._max_length * MAX_TEXTS
            return self._text(media.of_bytes(data, longest) or _without_media(_bytes_text(data), self._max_length))
        if issubclass(kind, (datetime, date, time)):
            return self._text(value.isoformat())
        return self._structure(value, depth)

    def _structure(self, value: Any, depth: int) -> _Json:
        kind = type(value)
        if str(kind.__module__).startswith(_OURS):
            kind = value.__class__  # what a proxy of ours stands for is there
        if issubclass(kind, GeneratorType):
            return "<generator>"
        if issubclass(kind, Iterator) or hasattr(kind, "__anext__"):
            return self._text(f"<{kind.__name__}>")
        if issubclass(kind, type) or callable(value):
            named = "" if _is_proxy(kind) else shown(getattr(value, "__qualname__", ""), 200)
            return self._text(f"<{kind.__name__} {named}>".replace(" >", ">"))
        if issubclass(kind, BaseException):
            said = f"{kind.__name__}: {shown(value, self._max_length * MAX_TEXTS)}"
            return self._text(_without_media(said, self._max_length))
        if id(value) in self._open:
            return "<cyclic>"
        self._open.add(id(value))
        try:
            return self._container(value, kind, depth)
        finally:
            self._open.discard(id(value))

    def _container(self, value: Any, kind: type[Any], depth: int) -> _Json:
        if _is_named(kind):  # (the names say which are secrets)
            return self._dict(zip(kind._fields, value, strict=False), len(kind._fields), depth)
        if issubclass(kind, (list, tuple, range, deque)):
            return self._list(value, len(value), depth)
        if issubclass(kind, AbstractSet):
            # In the order of their text, because a set's own order differs from run to run.
            return self._list(sorted(islice(value, MAX_ITEMS), key=lambda item: _said(item, 100)), len(value), depth)
        if issubclass(kind, dict):
            return self._dict(dict.items(value), len(value), depth)
        if issubclass(kind, Mapping):
            if _is_of(kind, _REMEMBERING):
                return self._text(f"<{kind.__name__} of {format_count(len(value), 'item')}>")
            return self._dict(value.items(), len(value), depth)
        if _is_proxy(kind):
            return self._text(f"<{kind.__name__}>")
        if _is_of(kind, _DATABASES):
            return self._text(_named(value))
        fields = _fields(value)
        if fields is not None:
            return self._dict(fields.items(), len(fields), depth)
        return self._foreign(value, depth)

    def _foreign(self, value: Any, depth: int) -> _Json:
        """An object of another library: a scalar as a number, a small array as a list, else what it says of itself."""
        shape = getattr(value, "shape", None)
        if shape == () and callable(getattr(value, "item", None)):
            item = value.item()
            return (
                self.tree(item, depth + 1)
                if type(item) is not type(value)
                else self._text(shown(value, self._max_length))
            )
        if isinstance(shape, tuple) and callable(getattr(value, "tolist", None)):
            if math.prod(shape) > MAX_ITEMS:
                return self._text(f"<{type(value).__name__} of shape {shape}>")
            return self.tree(value.tolist(), depth)
        return self._text(shown(value, self._max_length))

    def _full(self, depth: int) -> bool:
        return depth >= MAX_DEPTH or self._nodes <= 0 or self._characters <= 0

    def _list(self, values: Iterable[object], length: int, depth: int) -> _Json:
        if self._full(depth) and length:
            return f"<{format_count(length, 'item')}>"
        kept: list[_Json] = []
        for item in islice(values, MAX_ITEMS):
            if self._nodes <= 0 or self._characters <= 0:
                break
            kept.append(self.tree(item, depth + 1))
        if length > len(kept):
            kept.append(f"… {format_count(length - len(kept), 'more item')}")
        return kept

    def _dict(self, items: Iterable[tuple[object, object]], length: int, depth: int) -> _Json:
        if self._full(depth) and length:
            return f"<{format_count(length, 'item')}>"
        kept: dict[str, _Json] = {}
        seen = 0
        pairs = list(islice(items, MAX_ITEMS))
        named = {key: item for key, item in pairs if type(key) is str}
        kinds = media.kinds_in(named)
        for key, item in pairs:
            if self._nodes <= 0 or self._characters <= 0:
                break
            seen += 1
            name = self._text(key) if isinstance(key, str) else self._text(_said(key, 1000))
            if type(key) is str and key in kinds:
                kept[name] = self._text(media.of_data(item, kinds[key]))
            else:
                kept[name] = self.tree(item, depth + 1)
        if length > seen:
            kept["…"] = format_count(length - seen, "more item")
        return kept


def _is_named(kind: type[Any]) -> bool:
    """Whether its objects are named tuples, by the one sign that all of them have.

    https://docs.python.org/3/library/collections.html#collections.somenamedtuple._fields
    """
    return issubclass(kind, tuple) and type(getattr(kind, "_fields", None)) is tuple


def _is_proxy(kind: type) -> bool:
    """Whether its objects say that they are of another class: a lazy one makes what it stands for at any question."""
    return any("__class__" in vars(base) for base in kind.__mro__ if base is not object)


def _is_of(kind: type, packages: tuple[str, ...]) -> bool:
    """Whether a class or one that it is made from comes from one of these packages."""
    return any(str(base.__module__).startswith(packages) for base in kind.__mro__)


def _said(value: Any, max_length: int) -> str:
    """What an object says of itself, if it can say so without asking a database."""
    return _named(value) if _is_of(type(value), _DATABASES) else shown(value, max_length)


def _named(value: Any) -> str:
    """An object that asks a database for what it says, by its class; a model of Django's with its key."""
    kind = type(value)
    key = getattr(getattr(getattr(kind, "_meta", None), "pk", None), "attname", None)
    held = vars(value).get(key) if isinstance(key, str) else None
    return f"<{kind.__name__}>" if held is None else f"<{kind.__name__} {shown(held, 100)}>"


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124


def _is_exact(value: Decimal) -> bool:
    return value.is_finite() and Decimal(repr(float(value))) == value


def _bytes_text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(data).decode("ascii")


def _fields(value: Any) -> dict[str, Any] | None:
    """The fields of a dataclass or a pydantic model, read without calling any method of it."""
    if dataclasses.is_dataclass(type(value)):
        held = ((field.name, _held(value, field.name)) for field in dataclasses.fields(value))
        return {name: item for name, item in held if item is not _NOT_HELD}
    if hasattr(type(value), "model_fields") or hasattr(type(value), "__fields__"):
        extra = getattr(value, "__pydantic_extra__", None)
        return {**vars(value), **(extra if isinstance(extra, dict) else {})}
    return None


def _held(value: Any, name: str) -> Any:
    """A field that the object itself holds, or its class; one that a descriptor would have to make is not asked for.

    An attribute of SQLAlchemy's that is not loaded would be read from the database, and what waits be written first.
    """
    own = getattr(value, "__dict__", None)
    if isinstance(own, dict) and name in own:
        return own[name]
    found = getattr_static(type(value), name, _NOT_HELD)
    if isinstance(found, MemberDescriptorType):  # a slot
        try:
            return found.__get__(value)
        except AttributeError:
            return None
    return _NOT_HELD if hasattr(type(found), "__get__") else found
