r"""What leaves the process: any Python object made into something OTLP carries, with the secrets taken out.

The one thing to know: nothing here raises, consumes an iterator or changes an object that it is given, whatever the
object is. What cannot be shown becomes a word in angle brackets: ``<cyclic>``, ``<generator>``, ``<unprintable T>``.

How values are written:

* text stays text; a lone surrogate, which UTF-8 cannot carry, becomes its escape (``\ud83d``); NUL bytes stay;
* numbers stay numbers, also a NumPy scalar and a Decimal that a float holds exactly; other Decimals and whole numbers
  that 64 bits cannot hold become text;
* NaN and infinity stay floats in an attribute; inside JSON, which has no such numbers, they are ``"NaN"``,
  ``"Infinity"`` and ``"-Infinity"``;
* bytes become their text when they are UTF-8, else base64; dates and times become ISO 8601;
* a list of values of one plain type stays a list; None and everything structured become JSON text;
* nesting is cut below 16, lists and mappings behind 1,000 items, both with a mark.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from itertools import islice
from json.encoder import encode_basestring
from time import monotonic
from types import GeneratorType
from typing import Any, Final, TypeAlias

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from . import semconv
from .log import logger
from .span_copy import SpanCopy

MAX_LENGTH: Final = 65536
MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 1000
# A whole JSON text, and all that one walk over an object may visit: `max_length` is for each string in it.
MAX_TEXTS: Final = 16
MAX_NODES: Final = 10_000
REDACTED: Final = "[redacted]"
REDACTION_FAILED: Final = "<redaction failed>"

_INT64: Final = 1 << 63
_PLAIN: Final = (str, bool, int, float)
_Json: TypeAlias = "str | bool | int | float | list[_Json] | dict[str, _Json] | None"

# ------------------------------------------------------------------------------------------------------------------
# text


# Where a word ends that may be a key. Longer ones than this are cut in their middle.
_LAST_END: Final = re.compile(r".*[^!#$%&*+./0-9:=?@A-Z\\^_`a-z|~-]", re.DOTALL)
_LONGEST_WORD: Final = 2048


def _whole_words(text: str, length: int) -> int:
    """`length`, or less where that would cut a word: the beginning of a key is not recognised as one."""
    found = _LAST_END.match(text[max(length - _LONGEST_WORD, 0) : length])
    return length if found is None else max(length - _LONGEST_WORD, 0) + found.end()


def cut(text: str, max_length: int) -> str:
    """At most `max_length` characters of `text`; a cut ends in a mark, part of them, that says how many are missing."""
    if len(text) <= max_length:
        return text
    # The mark's own length depends on the number in it; 32 characters are enough for any.
    kept = _whole_words(text, max(max_length - 32, 0))
    return f"{text[:kept]}… [{len(text) - kept:,} characters cut]"[: max(max_length, 1)]


def format_count(count: int, singular: str = "", plural: str | None = None) -> str:
    """A number with thousands separators and its noun: ``1 tool``, ``1,399 tools``."""
    if not singular:
        return f"{count:,}"
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def _limit(text: str, max_length: int) -> int:
    """How long a text may be that might be JSON of ours, whose strings were cut when it was made."""
    return max_length * MAX_TEXTS if text.startswith(("[", "{")) else max_length


def _encodable(text: str) -> str:
    """`text` with escapes in the place of lone surrogates; the same object when it has none."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def _clean_text(text: str, max_length: int) -> str:
    # str() of a subclass could run its code; this makes a plain str of it.
    plain = text if type(text) is str else str.__str__(text)
    # Cut first, so that the work is bounded, and again, because an escape is longer than what it stands for.
    return cut(_encodable(cut(plain, max_length)), max_length)


def shown(value: object, max_length: int = 1000) -> str:
    """What `str()` says of an object, whatever its code does; never raises an Exception."""
    try:
        return _clean_text(str(value), max_length)
    except BaseException as error:
        return _unprintable(value, error)


# BaseExceptions of these say that somebody wants the program to stop: Ctrl-C, a cancelled task, a timeout.
_STOPPING: Final = frozenset({"builtins", "asyncio", "gevent", "eventlet", "greenlet", "trio"})


def _stops(error: BaseException) -> bool:
    """Whether an exception is not the fault of the code that it came out of, and has to pass."""
    kind = type(error)
    if issubclass(kind, Exception) or kind is BaseException:
        return False
    return kind.__module__.partition(".")[0] in _STOPPING


def _unprintable(value: object, error: BaseException) -> str:
    """What is written for an object whose code has raised `error`; call it inside of the ``except`` block."""
    if _stops(error):
        raise error
    return f"<unprintable {_clean_text(type(value).__name__, 100)}>"


# ---------------------------------------------------------------------------------------------------------------
# objects


def sanitize(value: object, *, max_length: int = MAX_LENGTH) -> AttributeValue:
    """Any object as an attribute value that OTLP carries; never raises an Exception.

    Done twice, it changes nothing more.
    """
    kind = type(value)
    if kind is str:
        return _clean_text(value, _limit(value, max_length))  # type: ignore[arg-type]
    if kind is bool or kind is float:
        return value  # type: ignore[return-value]
    try:
        return _attribute(value, max_length)
    except BaseException as error:  # (an object can raise from anywhere, also from isinstance())
        return _unprintable(value, error)


def to_text(value: object, *, max_length: int = MAX_LENGTH) -> str:
    """Text as it is, everything else as JSON, each string in it cut at `max_length` characters.

    Never raises an Exception.
    """
    if issubclass(type(value), str):  # isinstance() asks the object, and an object can lie or raise
        return _clean_text(value, max_length)  # type: ignore[arg-type]
    return to_json(value, max_length=max_length)


def to_json(value: object, *, max_length: int = MAX_LENGTH) -> str:
    """Any object as valid JSON; never raises an Exception.

    Each string in it is cut at `max_length` characters, and what is behind 16 times as many in all is left out.
    """
    try:
        if _is_plain_json(value, max_length):
            return _dumped(value)
    except Exception as error:  # (whatever the quick way cannot do, the walk can)
        logger.debug("the quick way to JSON failed: %s", type(error).__name__)
    try:
        return _JSON_ENCODER.encode(_Walk(max_length).tree(value))
    except BaseException as error:
        return json.dumps(_unprintable(value, error))


def _attribute(value: object, max_length: int) -> AttributeValue:
    if isinstance(value, float):
        return float(value)  # NaN and infinity too, which JSON has to write as text
    if isinstance(value, (list, tuple)):
        items = _plain_list(value, max_length)
        return to_json(value, max_length=max_length) if items is None else items
    if value is None or isinstance(value, dict):
        return to_json(value, max_length=max_length)
    simple = _Walk(max_length).tree(value)
    if isinstance(simple, int) and not isinstance(simple, bool):
        return simple if -_INT64 <= simple < _INT64 else str(simple)
    if isinstance(simple, (str, bool, float)):
        return simple
    return _JSON_ENCODER.encode(simple)


def _plain_list(values: list[Any] | tuple[Any, ...], max_length: int) -> AttributeValue | None:
    """The items when they are of one plain type, as OTLP wants them; None when they are not."""
    # Not what a subclass makes of its items and their number: that could go on for ever.
    base: Any = list if isinstance(values, list) else tuple
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
    texts = [_clean_text(item, max_length) for item in items]
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


# The quick way: what an LLM's messages are made of goes to the encoder as it is.
_JSON_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), allow_nan=False
)


def _dumped(value: object) -> str:
    core = sys.modules.get("pydantic_core")  # three times as fast, and there when an LLM SDK is; never imported by us
    if core is None:
        return _JSON_ENCODER.encode(value)
    text: str = core.to_json(value).decode("utf-8")
    return text


def _is_plain_json(value: object, max_length: int) -> bool:
    """Whether `value` is JSON through and through, small, and needs no change."""
    level: list[Any] = [value]
    nodes = characters = 0
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                characters += len(item)
                if len(item) > max_length or not (item.isascii() or _encodable(item) is item):
                    return False
            elif kind is dict or kind is list:
                # (join() raises when a key is no text: the caller takes the walk then)
                keys = "".join(item) if kind is dict and len(item) <= MAX_ITEMS else ""
                characters += len(keys)
                if len(item) > MAX_ITEMS or not keys.isascii():
                    return False
                inner += item.values() if kind is dict else item
                if len(inner) > MAX_NODES:
                    return False
            elif not _is_plain_number(item):
                return False
        nodes += len(level)
        # JSON may write a character as six and a number as 24, so what is near the bound takes the walk, which counts.
        if nodes > MAX_NODES or characters * 6 + nodes * 24 > max_length * MAX_TEXTS:
            return False
        if not inner:
            return True
        level = inner
    return False


def _is_plain_number(item: object) -> bool:
    kind = type(item)
    if kind is int:
        return -_INT64 <= item < _INT64  # type: ignore[operator]
    return kind is bool or item is None or (kind is float and math.isfinite(item))  # type: ignore[arg-type]


class _Walk:
    """One walk over an object, into plain JSON values; bounded in depth, items, visits and characters."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._characters = max_length * MAX_TEXTS // 2
        self._nodes = MAX_NODES
        self._open: set[int] = set()  # the containers above the current one

    def tree(self, value: Any, depth: int = 0) -> _Json:
        self._nodes -= 1
        self._characters -= 16  # what stands between the values, and a mark in the place of some
        try:
            return self._scalar(value, depth)
        except BaseException as error:  # (RecursionError too)
            return self._text(_unprintable(value, error))

    def _text(self, text: str) -> str:
        shown = _clean_text(text, max(min(self._max_length, self._characters), 40))
        self._characters -= len(encode_basestring(shown))  # as JSON writes it: quotes and control characters are longer
        return shown

    def _scalar(self, value: Any, depth: int) -> _Json:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.tree(value.value, depth + 1) if depth < MAX_DEPTH else self._text(value.name)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            # Digits of a huge number take quadratic time, and Python refuses more than 4,300 of them.
            bits = int(value).bit_length()
            self._characters -= min(bits, 1024) // 3
            return int(value) if bits <= 1024 else f"<int of {bits} bits>"
        if isinstance(value, float):
            return _number(float(value))
        if isinstance(value, Decimal):
            return _number(float(value)) if _is_exact(value) else self._text(str(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._text(_bytes_text(bytes(value[: self._max_length])))
        if isinstance(value, (datetime, date, time)):
            return self._text(value.isoformat())
        return self._structure(value, depth)

    def _structure(self, value: Any, depth: int) -> _Json:
        if isinstance(value, GeneratorType):
            return "<generator>"
        if isinstance(value, Iterator) or hasattr(type(value), "__anext__"):
            return self._text(f"<{type(value).__name__}>")
        if isinstance(value, type) or callable(value):
            return self._text(
                f"<{type(value).__name__} {shown(getattr(value, '__qualname__', ''), 200)}>".replace(" >", ">")
            )
        if isinstance(value, BaseException):
            return self._text(f"{type(value).__name__}: {shown(value, self._max_length)}")
        if id(value) in self._open:
            return "<cyclic>"
        self._open.add(id(value))
        try:
            return self._container(value, depth)
        finally:
            self._open.discard(id(value))

    def _container(self, value: Any, depth: int) -> _Json:
        if isinstance(value, (list, tuple, range, deque)):
            return self._list(value, len(value), depth)
        if isinstance(value, AbstractSet):
            # In the order of their text, because a set's own order differs from run to run.
            return self._list(sorted(islice(value, MAX_ITEMS), key=lambda item: shown(item, 100)), len(value), depth)
        if isinstance(value, Mapping):
            return self._dict(value.items(), len(value), depth)
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
        for key, item in islice(items, MAX_ITEMS):
            if self._nodes <= 0 or self._characters <= 0:
                break
            seen += 1
            name = self._text(key) if isinstance(key, str) else self._text(shown(key, 1000))
            kept[name] = self.tree(item, depth + 1)
        if length > seen:
            kept["…"] = format_count(length - seen, "more item")
        return kept


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
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if hasattr(type(value), "model_fields") or hasattr(type(value), "__fields__"):
        extra = getattr(value, "__pydantic_extra__", None)
        return {**vars(value), **(extra if isinstance(extra, dict) else {})}
    return None


# ---------------------------------------------------------------------------------------------------------------
# secrets
#
# Every text is searched on the user's thread, so the search is in two steps. A sign is a pattern that begins with one
# rare character, which `re` and `in` find at memory speed; only where it is found do the whole patterns run. Those too
# begin with what is literal and look back from there: a pattern that begins with a look back is tried at every
# character. All patterns are linear: a repetition is bounded or cannot start again inside what it has passed.


# Most texts are searched as JSON, some of them JSON within JSON, or within a URL or a log. There a line break is two or
# six characters, and the last one is often a letter: a word begins behind it nevertheless.
_ESCAPES: Final = (
    r"\\[abefnrtv0]",
    r"\\u[0-9A-Fa-f]{4}",
    r"\\x[0-9A-Fa-f]{2}",
    "%[0-9A-Fa-f]{2}",
    r"\[[0-9]m",  # a terminal's colours
    r"[\[;][0-9]{2}m",
)
# A space as such texts write it.
_BLANK: Final = r"(?:[ \t]|\\{1,8}t|\\{1,8}u00[2Aa]0|%20)"
_BEHIND_ESCAPE: Final = re.compile("|".join(f"(?<={escape})" for escape in _ESCAPES))


def _begins(start: str, before: str = "A-Za-z0-9") -> str:
    """A pattern that looks back on `start`: true where a word begins with it."""
    return f"(?:(?<![{before}]{start})|" + "|".join(f"(?<={escape}{start})" for escape in _ESCAPES) + ")"


def _word(start: str, before: str = "A-Za-z0-9") -> str:
    """A pattern for `start` where a word begins."""
    return start + _begins(start, before)


def _ends(*starts: str) -> str:
    """A pattern that looks back on one of `starts`, where a word begins."""
    return "(?:" + "|".join(f"(?<={start}){_begins(start)}" for start in starts) + ")"


def _kept(mark: str = "") -> Callable[[re.Match[str]], str]:
    """A replacement that leaves the first group; a template takes twice the time up to Python 3.11."""
    behind = mark + REDACTED
    return lambda found: found[1] + behind


_Secret: TypeAlias = tuple[str, str | Callable[[re.Match[str]], str]]
# Anchor, sign, and the patterns with what they are replaced by.
_PATTERNS: Final[tuple[tuple[str, str, tuple[_Secret, ...]], ...]] = (
    (
        "-",
        r"-(?:BEGIN|(?<=[a-z]-)(?:(?<=sk-)|(?<=xox[a-z]-)|(?<=xai-)|(?<=pplx-)|(?<=glpat-)))",
        (
            # OpenAI, Anthropic, OpenRouter, DeepSeek and others. A word such as "sk-learn-like" has no digit and is
            # short.
            (
                (
                    rf"({_word('sk-')}(?:ant-|proj-|or-|svcacct-|admin-)?)"
                    r"(?=[A-Za-z_*-]{0,64}[0-9]|[A-Za-z_*-]{20})[A-Za-z0-9_*-]{8,}"
                ),
                _kept("…"),
            ),
            (rf"({_word('xox[a-z]-')})[A-Za-z0-9-]{{8,}}", _kept("…")),  # Slack
            # xAI, Perplexity, GitLab.
            (
                (
                    rf"-(?<=[ixt]-){_ends('xai-', 'pplx-', 'glpat-')}"
                    r"(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{16,}"
                ),
                f"-…{REDACTED}",
            ),
            (
                (
                    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)"
                    r"(?:.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|.*)"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "_",
        r"_(?<=[khpousrt]_)(?:(?<=gsk_)|(?<=gh[opsur]_)|(?<=github_pat_)|(?<=[rs]k_))|_(?<=hf_)",
        # Groq, Hugging Face, GitHub; Stripe.
        (
            (
                (
                    rf"_(?<=[kfopsurt]_)(?:{_ends('gsk_', 'hf_', 'gh[opsur]_')}(?=[A-Za-z0-9]{{16}})"
                    rf"|{_ends('github_pat_')})[A-Za-z0-9_]{{16,}}"
                ),
                f"_…{REDACTED}",
            ),
            (rf"_(?<=[et]_){_ends('[rs]k_(?:live|test)_')}[A-Za-z0-9]{{8,}}", f"_…{REDACTED}"),
        ),
    ),
    (
        "I",
        r"I(?:za(?<=AIza)|A(?<=A[KS]IA))",
        # Google, AWS.
        (
            (rf"{_word('AIza')}[A-Za-z0-9_-]{{20,}}", f"AIza…{REDACTED}"),
            (rf"IA{_ends('A[KS]IA')}[A-Z0-9]{{12,}}", f"IA…{REDACTED}"),
        ),
    ),
    (
        "J",
        r"J(?<=eyJ)",
        # A JSON web token.
        (
            (
                rf"{_word('eyJ', 'A-Za-z0-9_-')}[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{4,}}(?:\.[A-Za-z0-9_-]*)?",
                f"eyJ…{REDACTED}",
            ),
        ),
    ),
    (
        "B",
        r"B(?=earer[ \t\\%])",
        (
            (
                (
                    rf"({_word('Bearer', 'A-Za-z0-9_')}{_BLANK}{{1,4}})(?=[A-Za-z0-9._~+/=-]{{6}})"
                    r"(?=[^\s]{0,64}[0-9]|[^\s]{20})(?:[A-Za-z0-9._~+=-]|\\{0,8}/){6,}"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "=",
        r"=(?<=[ge]=)(?:(?<=[?&]sig=)|(?<=[sS]ignature=))",
        # The signature of a URL that lets in whoever has it.
        ((r"([?&](?:sig|[A-Za-z-]{0,16}[sS]ignature)=)[^&#\s\"'<>\\\[]{8,}", _kept()),),
    ),
    (
        "-",
        r"-[A-Za-z](?<=--[A-Za-z])",
        # An option of a command line: `--api-key KEY`; with `=` it is a named secret.
        (
            (
                (
                    rf"(--(?=[A-Za-z0-9]){_begins('--', 'A-Za-z0-9_-')}(?=[A-Za-z0-9_-]{{3,94}}{_BLANK}{{1,4}}[^\s\[-])"
                    rf"(?:[A-Za-z0-9]{{1,20}}[_-]){{0,4}}(?i:key|token|secret|password|passphrase){_BLANK}{{1,4}})[^\s\"'\\]{{8,}}"
                ),
                _kept(),
            ),
        ),
    ),
    (
        "@",
        r"@(?<=[^\s/:\"'<>\\@]@)[A-Za-z0-9\[]",
        # User and password of a URL; a user alone, as in ssh://git@host, is none unless it is as long as a key.
        (
            (
                r"(:(?:\\{0,8}/){2})(?:[^\s/@:\"'<>\\]{0,64}:[^\s/@\"'<>\\]{1,128}|[^\s/@:\"'<>\\]{20,128})(?=@)",
                _kept(),
            ),
        ),
    ),
)
_SHAPES: Final = tuple(
    (anchor, re.compile(sign), tuple((re.compile(secret, re.DOTALL), replacement) for secret, replacement in secrets))
    for anchor, sign, secrets in _PATTERNS
)

# Names whose value is a secret, each as a whole word: `max_tokens` and `token_count` are none.
_NAMES: Final = (
    "access-key",
    "access_key",
    "accesskey",
    "api-key",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "private-key",
    "private_key",
    "privatekey",
    "secret",
    "secret-key",
    "secret_key",
    "secretkey",
    "token",
)
# The last letters of those names, with the sign that stands behind them.
_LETTERS: Final = r"[eErRwWsSiIaAlLoO][yYnNtTdDeElLsS]"
_TAIL: Final = (
    r"(?:[_iIeEsStT-][kK][eE][yY]|[oO][kK](?:[eE][nN]|[iI][eE])|[cC][rR][eE][tT]|[wW][oO][rR][dD]|[sS][sS][wW][dD]"
    r"|[rR][aA][sS][eE]|[tT][iI](?:[aA][lL]|[oO][nN](?<=[zZ][aA][tT][iI][oO][nN]))|[iI][aA][lL][sS]|[kK][iI][eE][sS])"
)


def _behind_a_name(sign: str) -> re.Pattern[str]:
    # From the cheap to the dear: two letters, then four; first without a quote, then with one, then with an escaped
    # one, whose backslashes are 1, 3 or 7, as deep as the JSON lies within JSON.
    plain, quoted, escaped, *deeper = (
        f"(?<={_LETTERS}{end})(?<={_TAIL}{end})"
        for end in (
            sign,
            rf"[\"' ]{sign}",
            rf"[\\\"'][\"' ]{sign}",
            rf"\\{{3}}[\"']{sign}",
            rf"\\{{7}}[\"']{sign}",
        )
    )
    deep = rf"(?<=\\\\[\"']{sign})(?:{'|'.join(deeper)})"
    return re.compile(rf"{sign}(?:{plain}|(?<=[\"' ]{sign})(?:{quoted}|{escaped}|{deep}))")


_COLON: Final = _behind_a_name(":")
_EQUALS: Final = _behind_a_name("=")
# Long runs of plain characters are one step each: a step for each character takes memory for each.
_QUOTED: Final = re.compile(rf"""{_BLANK}{{0,8}}(?:"([^"\\]*(?:\\.[^"\\]*)*)|'([^'\r\n]*))""", re.DOTALL)
_OPENED: Final = re.compile(rf"""{_BLANK}{{0,8}}(\\{{0,16}})\"""")
_LINE: Final = re.compile(r"[^\r\n]*")
_BARE: Final = re.compile(rf"{_BLANK}{{0,8}}([^\s\"'&;,<>(){{}}\[\]\\|`]+)(?!\()")
_SCHEME: Final = re.compile(
    rf"{_BLANK}{{0,8}}((?i:bearer|basic|digest|token|apikey){_BLANK}{{1,4}}[^\s\"'&;,<>(){{}}\[\]\\|`]{{4,}})"
)
# A quoted value with more quotes than this inside is an attack, too.
_MOST_QUOTES: Final = 100
# More named secrets than this in one text is an attack on our time; what is behind them goes too.
_MOST_NAMED: Final = 5000


def _is_secret_name(text: str) -> bool:
    """Whether `text` ends with a secret's name: ``OPENAI_API_KEY``, ``accessToken``, ``request.header.cookie``."""
    end = text[-20:]
    lower = end.lower()
    if not lower.endswith(_NAMES):
        return False
    for name in _NAMES:
        if lower.endswith(name):
            at = len(text) - len(name)
            before = text[at - 1 : at]
            if not (before.isascii() and before.isalpha()) or (text[at].isupper() and before.islower()):
                return True
            if _BEHIND_ESCAPE.match(text, at) is not None:
                return True
    return False


def _named_secrets(text: str, sign: re.Pattern[str], *, loose: int) -> str:
    """`text` without the values behind secrets' names; `loose`: how long a bare word without a digit must be."""
    first = sign.search(text)
    if first is None:
        return text
    pieces: list[str] = []
    done = 0
    for count, found in enumerate(sign.finditer(text, first.start())):
        at = found.start()
        if at < done:
            continue
        if count > _MOST_NAMED:
            return "".join((*pieces, text[done:at], REDACTED))
        before = text[max(at - 40, 0) : at]
        name = before.rstrip("\\\"' ")
        if not _is_secret_name(name):
            continue
        span = _secret_value(text, found.end(), loose=loose, in_json=before.endswith(('"', "'")))
        if span is not None:
            pieces += (text[done : span[0]], REDACTED)
            done = span[1]
    return "".join((*pieces, text[done:])) if pieces else text


def _secret_value(text: str, at: int, *, loose: int, in_json: bool) -> tuple[int, int] | None:
    """Where the value behind a secret's name begins and ends; None when it is none or redacted already."""
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        start, end = quoted.span(quoted.lastindex or 0)
        if end == len(text):  # a quote that nothing closes: it was cut off, or is no such quote
            end = _end_of_line(text, start)
        return (start, end) if end > start and not text.startswith(REDACTED, start) else None
    opened = _OPENED.match(text, at)
    if opened is not None:
        start, end = opened.end(), _closing(text, opened.end(), len(opened.group(1)))
        return (start, end) if end > start and not text.startswith(REDACTED, start) else None
    scheme = _SCHEME.match(text, at)
    if scheme is not None:
        return scheme.span(1)
    bare = _BARE.match(text, at)
    # Numbers and words of JSON stay, or it would be JSON no more.
    if bare is None or in_json:
        return None
    word = bare.group(1)
    if len(word) < 4 or (len(word) < loose and not any(map(str.isdigit, word))):
        return None
    return bare.span(1)


def _closing(text: str, start: int, depth: int) -> int:
    """Where a value ends that was opened by a quote behind `depth` backslashes: 1 within JSON, 3 within that."""
    at = start - 1
    for _ in range(_MOST_QUOTES):
        at = text.find('"', at + 1)
        if at < 0:
            break  # cut off
        run = at
        while run > start and text[run - 1] == "\\":
            run -= 1
        backslashes = at - run
        if backslashes < depth or backslashes % (2 * depth + 2) == depth:
            return at - min(backslashes, depth)
    return _end_of_line(text, start)


def _end_of_line(text: str, start: int) -> int:
    line = _LINE.match(text, start)
    return len(text) if line is None else line.end()


def scrub(text: str) -> str:
    """`text` without what looks like a secret; the same object when nothing does. Linear in the length of the text."""
    for anchor, sign, secrets in _SHAPES:
        if anchor in text and sign.search(text) is not None:
            for secret, replacement in secrets:
                text = secret.sub(replacement, text)
    if ":" in text:
        text = _named_secrets(text, _COLON, loose=20)
    if "=" in text:
        text = _named_secrets(text, _EQUALS, loose=12)
    return text


# -----------------------------------------------------------------------------------------------------------------
# spans

# These say which session and what kind of span it is; no hook can change them.
IDENTITY: Final = frozenset({semconv.SESSION_ID, semconv.SPAN_KIND})
# What describes a call without saying what was said in it: kept when a hook fails. Numbers are kept too.
_STRUCTURE: Final = IDENTITY | {
    semconv.PROJECT_ID,
    semconv.SESSION_END_STATE,
    semconv.SESSION_ROLE,
    semconv.OPERATION_NAME,
    semconv.PROVIDER_NAME,
    semconv.REQUEST_MODEL,
    semconv.REQUEST_ENCODING_FORMATS,
    semconv.OUTPUT_TYPE,
    semconv.CONVERSATION_ID,
    semconv.RESPONSE_ID,
    semconv.RESPONSE_MODEL,
    semconv.RESPONSE_FINISH_REASONS,
    semconv.COST_CURRENCY,
    semconv.COST_SOURCE,
    semconv.PRICE_TABLE,
    semconv.SERVER_ADDRESS,
    semconv.ERROR_TYPE,
    semconv.REQUEST_ID,
    semconv.STREAM_OUTCOME,
    semconv.OPENAI_REQUEST_SERVICE_TIER,
    semconv.OPENAI_RESPONSE_SERVICE_TIER,
    semconv.OPENAI_SYSTEM_FINGERPRINT,
    semconv.OPENAI_API_TYPE,
    semconv.AGENT_ID,
    semconv.TOOL_TYPE,
    semconv.TOOL_CALL_ID,
    semconv.ERROR_CODE,
    semconv.ERROR_TRIGGER_SPAN_ID,
    semconv.EVENT_ID,
    semconv.EVENT_AGENT_ID,
    semconv.EXCEPTION_TYPE,
}
_STATUS_PATH: Final = "status.description"
_SEEN_LENGTH: Final = 64
_SEEN_COUNT: Final = 4096
_UINT64: Final = (1 << 64) - 1


Hook: TypeAlias = Callable[[Any, str], Any]
# Seconds of a hook for one span: then it is called no more, and the span loses its content.
MAX_HOOK_SECONDS: Final = 2.0
_running: Final = threading.local()


class _HookFailed(Exception):
    """The user's hook raised, took too long, or returned what is no attribute value; the text says which."""


def in_hook() -> bool:
    """Whether the user's hook is running on this thread: what it records itself is not given to it again."""
    return getattr(_running, "hook", None) is not None


def _limited(hook: Hook) -> Hook:
    """The hook for one span. A call cannot be interrupted, so a slow one is noticed when it comes back."""
    until = monotonic() + MAX_HOOK_SECONDS

    def call(value: Any, path: str) -> Any:
        returned = hook(value, path)
        if monotonic() > until:
            raise _HookFailed(f"took more than {MAX_HOOK_SECONDS:g} s for one span")
        return returned

    return call


class Redactor:
    """Takes secrets, and what the user's hook takes out, from finished spans.

    The hook is called as ``hook(value, path)`` for each attribute value but the identity ones, after secrets are
    gone. The path is the attribute's name; for an event ``event_name.attribute``, for a link ``link.attribute``, for
    the status ``status.description``. What it returns is used, None removes the value. When it raises an Exception,
    returns what is no attribute value, or has taken more than two seconds for a span, all content of that span becomes
    ``<redaction failed>`` and the span is kept. The same is done, without calling the hook, to spans that the hook
    itself makes. What stops the program, such as a KeyboardInterrupt, passes.

    Args:
        max_length: Longest text in characters; a JSON text, whose strings were cut when it was made, may be 16 times
        as long. forbidden: Texts that never leave, such as our own API key.
    """

    def __init__(
        self,
        hook: Hook | None = None,
        *,
        max_length: int = MAX_LENGTH,
        forbidden: tuple[str, ...] = (),
    ) -> None:
        self._hook = hook
        self._max_length = max_length
        self._forbidden = tuple(text for text in forbidden if text)
        self._reported = False
        # Names that can be sent and whether each is a secret's, and short clean texts: they come again and again.
        self._names: dict[str, bool] = {}
        self._seen: set[str] = set()
        self._scopes: dict[int, tuple[InstrumentationScope, InstrumentationScope]] = {}

    def clean(self, span: ReadableSpan) -> ReadableSpan:
        """`span` itself when nothing in it has to change, else a changed copy; never raises an Exception."""
        try:
            clean = self._clean(span)
            return clean if self._hook is None else self._hooked(clean, self._hook)
        except Exception as error:  # (fail closed: what could not be looked at does not leave)
            self._report(f"a span could not be redacted ({type(error).__name__})")
            return _bare(span)

    def hide(self, span: ReadableSpan) -> ReadableSpan:
        """`span` without content, as when the hook fails; never raises an Exception."""
        try:
            return _without_content(self._clean(span))
        except Exception:
            return _bare(span)

    def clean_attributes(self, attributes: Mapping[str, Any], name: str) -> dict[str, AttributeValue]:
        """The attributes of a log event called `name`, treated like those of a span."""
        # With a resource: left to itself the SDK runs its resource detectors on threads, for every span so made.
        carrier = ReadableSpan(name=name, attributes=dict(attributes), resource=Resource.get_empty())
        return plain_dict(self.clean(carrier).attributes)

    def clean_text(self, text: str) -> str:
        """A text for people, such as the reason of an end: without secrets, and not given to the hook."""
        return self._scrubbed(text)

    # -- one span

    def _clean(self, span: ReadableSpan) -> ReadableSpan:
        given = plain_dict(span.attributes)
        attributes = self._attributes(given)
        changes: dict[str, Any] = {}
        coerced = 0 if attributes is None else _coerced(given, attributes)
        if (name := self._name(span.name)) is not span.name:
            changes["name"] = name
            coerced += not _is_text(span.name)
        if (events := span.events) and (clean_events := self._events(events)) is not None:
            changes["events"] = clean_events
        if (links := span.links) and (clean_links := self._links(links)) is not None:
            changes["links"] = clean_links
        status = self._status(span.status)
        if status is not span.status:
            changes["status"] = status
            coerced += status.status_code is not span.status.status_code
        scope = span.instrumentation_scope
        if scope is not None and (clean_scope := self._scope(scope)) is not scope:
            changes["instrumentation_scope"] = clean_scope
        wrong = _wrong_fields(span)
        if wrong:
            changes |= wrong
            coerced += len(wrong)
        if coerced:
            attributes = {**(given if attributes is None else attributes), semconv.COERCED: coerced}
        if attributes is not None:
            changes["attributes"] = attributes
        return SpanCopy(span, **changes) if changes else span

    def _attributes(self, attributes: Mapping[Any, Any]) -> dict[str, AttributeValue] | None:
        """The clean attributes; None when they are clean already."""
        if self._are_clean(attributes):
            return None
        changed: dict[str, AttributeValue] | None = None
        for name, value in attributes.items():
            clean = self._value(name, value)
            clean_name = name if name in self._names else shown(name)
            if clean is value and clean_name is name:
                continue
            if changed is None:
                changed = dict(attributes)
            if clean_name is not name:
                changed.pop(name, None)
            changed[clean_name] = clean
        return changed

    def _are_clean(self, attributes: Mapping[Any, Any]) -> bool:
        """Whether a quick look finds nothing to change: one search through all texts together is enough for most."""
        seen, names = self._seen, self._names
        texts: list[str] = []
        for name, value in attributes.items():
            if names.get(name) is not False:
                return False
            kind = type(value)
            if kind is str:
                # A long text is not looked up: its hash alone would cost half of what the search costs.
                if len(value) > _SEEN_LENGTH or not (value in seen or _is_session_id(name, value)):
                    texts.append(value)
            elif kind is tuple:
                if len(value) > 8 or not all(type(item) is str and item in seen and item[:1] != "-" for item in value):
                    return False
            elif not (kind is bool or kind is float or (kind is int and -_INT64 <= value < _INT64)):
                return False
        if not texts:
            return True
        joined = "\n".join(texts)  # no secret begins or ends with what a line break would hide
        if max(map(len, texts)) > self._max_length or self._scrubbed_text(joined) is not joined:
            return False
        for text in texts:
            self._remember(text)
        return True

    def _value(self, name: Any, value: Any) -> AttributeValue:
        """One attribute's value without secrets; the same object when there is none."""
        if self._is_secret_name(name) and type(value) not in (bool, int, float):
            return REDACTED
        if type(value) is str:
            return self._scrubbed(value)
        if type(value) is tuple and len(value) <= MAX_ITEMS and {*map(type, value)} == {str}:
            texts = tuple(map(self._scrubbed, value))
            if any(text[:1] == "-" for text in texts):
                texts = _without_options(texts)
            return value if all(map(_same, texts, value)) else texts
        clean = sanitize(value, max_length=self._max_length)
        if isinstance(clean, str):
            return self._scrubbed(clean)
        if isinstance(clean, tuple):
            clean = tuple(self._scrubbed(item) if isinstance(item, str) else item for item in clean)
            return value if clean == value and type(value) is tuple else clean
        return clean

    def _is_secret_name(self, name: Any) -> bool:
        known = self._names.get(name)
        if known is not None:
            return known
        is_secret = _is_secret_name(name if type(name) is str else shown(name, 1000))
        if type(name) is str and _encodable(name) is name:
            if len(self._names) >= _SEEN_COUNT:
                self._names.clear()
            self._names[name] = is_secret
        return is_secret

    def _scrubbed(self, text: str) -> str:
        if len(text) <= _SEEN_LENGTH and text in self._seen:
            return text
        clean = text if type(text) is str else shown(text, self._max_length)
        if len(clean) > self._max_length:
            clean = cut(clean, _limit(clean, self._max_length))
        clean = self._scrubbed_text(clean)
        if clean is text:
            self._remember(text)
        return clean

    def _scrubbed_text(self, text: str) -> str:
        text = _encodable(text)
        for forbidden in self._forbidden:
            if forbidden in text:
                text = text.replace(forbidden, REDACTED)
        return scrub(text)

    def _remember(self, text: str) -> None:
        """This text is clean; short ones come again and again."""
        if len(text) <= _SEEN_LENGTH:
            if len(self._seen) >= _SEEN_COUNT:
                self._seen.clear()
            self._seen.add(text)

    def _name(self, name: Any) -> str:
        return self._scrubbed(name if _is_text(name) else shown(name, 200))

    def _status(self, status: Status) -> Status:
        code, description = status.status_code, status.description
        clean = None if description is None else self._scrubbed(description)
        known = isinstance(code, StatusCode)
        return status if known and clean is description else Status(code if known else StatusCode.UNSET, clean)

    def _scope(self, scope: InstrumentationScope) -> InstrumentationScope:
        """The scope, of which there are few: each is looked at once."""
        known = self._scopes.get(id(scope))
        if known is not None and known[0] is scope:
            return known[1]
        texts = (scope.name, scope.version, scope.schema_url)
        clean = tuple(text if text is None else self._name(text) for text in texts)
        attributes = self._attributes(plain_dict(scope.attributes))
        same = attributes is None and all(map(_same, clean, texts))
        name, version, schema_url = clean
        cleaned = (
            scope if same else InstrumentationScope(name or "", version, schema_url, attributes or scope.attributes)
        )
        if len(self._scopes) >= _SEEN_COUNT:
            self._scopes.clear()
        self._scopes[id(scope)] = (scope, cleaned)
        return cleaned

    def _events(self, events: Sequence[Event]) -> tuple[Event, ...] | None:
        clean = tuple(map(self._event, events))
        return None if all(map(_same, clean, events)) else clean

    def _event(self, event: Event) -> Event:
        attributes = plain_dict(event.attributes)
        changed = self._attributes(attributes)
        name = self._name(event.name)
        timestamp = _time(event.timestamp) or 0
        if changed is None and name is event.name and timestamp is event.timestamp:
            return event
        return Event(name, attributes if changed is None else changed, timestamp)

    def _links(self, links: Sequence[Link]) -> tuple[Link, ...] | None:
        clean = tuple(map(self._link, links))
        return None if all(map(_same, clean, links)) else clean

    def _link(self, link: Link) -> Link:
        changed = self._attributes(plain_dict(link.attributes))
        return link if changed is None else Link(link.context, changed)

    # -- the user's hook

    def _hooked(self, span: ReadableSpan, hook: Hook) -> ReadableSpan:
        if in_hook():
            return _without_content(span)
        _running.hook = hook
        try:
            return self._with_hook(span, _limited(hook))
        except _HookFailed as failure:
            self._report(f"redact={getattr(hook, '__qualname__', type(hook).__name__)!r} {failure}")
            return _without_content(span)
        finally:
            _running.hook = None

    def _with_hook(self, span: ReadableSpan, hook: Hook) -> ReadableSpan:
        def each(attributes: Mapping[str, Any] | None, prefix: str = "") -> dict[str, AttributeValue]:
            return self._called_for_each(hook, plain_dict(attributes), prefix)

        description = span.status.description
        if description is not None:
            called = self._called(hook, description, _STATUS_PATH)
            description = called if called is None or isinstance(called, str) else str(called)
        return SpanCopy(
            span,
            attributes=each(span.attributes),
            events=tuple(
                Event(event.name, each(event.attributes, f"{event.name}."), event.timestamp) for event in span.events
            ),
            links=tuple(Link(link.context, each(link.attributes, "link.")) for link in span.links),
            status=Status(span.status.status_code, description),
        )

    def _called_for_each(self, hook: Hook, attributes: Mapping[str, Any], prefix: str) -> dict[str, AttributeValue]:
        kept: dict[str, AttributeValue] = {}
        for name, value in attributes.items():
            if name in IDENTITY:
                kept[name] = value
                continue
            called = self._called(hook, value, prefix + name)
            if called is not None:
                kept[name] = called
        return kept

    def _called(self, hook: Hook, value: Any, path: str) -> AttributeValue | None:
        try:
            returned = hook(value, path)
        except _HookFailed:
            raise
        except BaseException as error:
            if _stops(error):
                raise
            raise _HookFailed(f"raised {type(error).__name__}") from error
        if returned is None or returned is value:
            return value if returned is value else None
        if not _is_attribute(returned):
            raise _HookFailed(f"returned {type(returned).__name__}, which is no attribute value")
        return self._value("", returned)

    def _report(self, what: str) -> None:
        """Say it once: what fails for one span fails for the next thousand."""
        if self._reported:
            return
        self._reported = True
        logger.warning("%s; the content of such spans is replaced by %s", what[:300], REDACTION_FAILED)


def _is_session_id(name: str, value: str) -> bool:
    """Whether this is the one text that every span has and that is new in every session: 32 hex digits and dashes."""
    return name == semconv.SESSION_ID and len(value) == 36 and value.isascii()


def _is_text(value: Any) -> bool:
    return issubclass(type(value), str)


def _same(one: object, other: object) -> bool:
    return one is other


def plain_dict(attributes: Any) -> dict[str, Any]:
    """A dict of what a span, an event or a link calls its attributes.

    `copy()` of the SDK's mapping is one C call; reading it item by item is fifty times slower.
    """
    if not attributes:
        return {}
    try:
        copied = attributes.copy()
    except AttributeError:
        copied = dict(attributes)
    return copied if type(copied) is dict else dict(copied)


def _without_options(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """A command line without what stands behind ``--api-key`` and the like."""
    before = ("", *arguments)
    return tuple(
        REDACTED if option[:1] == "-" != argument[:1] and _is_secret_name(option) else argument
        for option, argument in zip(before, arguments, strict=False)
    )


def _coerced(given: Mapping[Any, Any], clean: Mapping[str, Any]) -> int:
    """How many attributes OTLP cannot carry as they were: whole numbers beyond 64 bits, names that are no text."""
    return sum(
        name not in clean or (type(value) is int and type(clean[name]) is not int) for name, value in given.items()
    )


def _wrong_fields(span: ReadableSpan) -> dict[str, Any]:
    """What stands in for a kind, a start and an end that OTLP does not carry; empty when all three are right."""
    start, end = span.start_time, span.end_time
    right: dict[str, Any] = {}
    if type(start) is not int or type(end) is not int or not 0 <= start <= _UINT64 or not 0 <= end <= _UINT64:
        times = _time(start), _time(end)
        if times[0] is not start:
            right["start_time"] = next((time for time in times if time is not None), 0)
        if times[1] is not end:
            right["end_time"] = next((time for time in reversed(times) if time is not None), 0)
    if not isinstance(span.kind, SpanKind):
        right["kind"] = SpanKind.INTERNAL
    return right


def _time(value: Any) -> int | None:
    """Nanoseconds since 1970 as OTLP carries them, from whatever was given as a time; None for what is none."""
    if value is None or (type(value) is int and 0 <= value <= _UINT64):
        return value
    for convert in (int, float):
        with suppress(Exception):
            return min(max(int(convert(value)), 0), _UINT64)
    return None


def _is_attribute(value: Any) -> bool:
    if issubclass(type(value), (*_PLAIN, bytes)):  # (isinstance() asks the object)
        return True
    return type(value) in (list, tuple) and all(issubclass(type(item), _PLAIN) for item in value)


def _hidden(attributes: Mapping[str, Any] | None) -> dict[str, AttributeValue]:
    """The attributes with every text that may be content replaced."""
    return {
        name: value if name in _STRUCTURE or isinstance(value, (bool, int, float)) else REDACTION_FAILED
        for name, value in plain_dict(attributes).items()
    }


def _without_content(span: ReadableSpan) -> ReadableSpan:
    description = None if span.status.description is None else REDACTION_FAILED
    return SpanCopy(
        span,
        attributes=_hidden(span.attributes),
        events=tuple(Event(event.name, _hidden(event.attributes), event.timestamp) for event in span.events),
        links=tuple(Link(link.context, _hidden(link.attributes)) for link in span.links),
        status=Status(span.status.status_code, description),
    )


def _bare(span: ReadableSpan) -> ReadableSpan:
    """What is left of a span that cannot even be read: which span it is, and when."""
    return ReadableSpan(
        name=REDACTION_FAILED,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        kind=span.kind,
        start_time=_time(span.start_time) or 0,
        end_time=_time(span.end_time),
        instrumentation_scope=span.instrumentation_scope,
    )
