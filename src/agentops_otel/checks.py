"""What a value of a setting or of an argument may be: each check returns it as it is used, or raises `NotValid`.

Most take what an argument or an environment variable says alike.
"""

from __future__ import annotations

import base64
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from . import environment, viewer

PATHS: Final = ("/", "./", "../", "~")  # what an endpoint begins with that is a file
_LONGEST: Final = 1_000_000
"""Seconds, eleven days: as long as every lock, socket and poll can wait. More is taken for that."""
_SHORTEST: Final = 64
_MOST: Final = 2**31 - 1
"""Of what is counted: as many as every container of Python's can have, and memory cannot. More is taken for that."""


class NotValid(Exception):
    """A value that a check refuses; the text is what was expected."""


class PartlyValid(Exception):
    """A value of which a part is not valid: what is left of it, and for each such part what was expected."""

    def __init__(self, rest: Any, expected: list[str]) -> None:
        super().__init__("; ".join(expected))
        self.rest = rest
        self.expected = expected


def as_text(value: object) -> str:
    """A text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise NotValid("a non-empty string")
    return value.strip()


def as_path(value: object) -> str:
    """A text by which a file or a folder can be called."""
    text = as_text(value)
    try:
        os.fsencode(text)
    except UnicodeError:
        raise NotValid("a path that the file system can encode") from None
    if "\0" in text:
        raise NotValid("a path without zero bytes")
    return text


def as_key(value: object) -> str:
    """A text that a header can carry."""
    text = as_text(value)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise NotValid("a key of printable ASCII characters without spaces")
    return text


def as_flag(value: object) -> bool:
    """A bool, or a word for one."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise NotValid("true or false")


def as_whole(minimum: int) -> Callable[[object], int]:
    """A check for whole numbers of at least `minimum`."""

    def check(value: object) -> int:
        expected = f"a whole number of at least {minimum}"
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            raise NotValid(expected) from None
        if isinstance(number, bool) or not isinstance(number, int) or number < minimum:
            raise NotValid(expected)
        return min(number, _MOST)

    return check


def as_length(value: object) -> int:
    """A whole number of characters, at least 1; kinds, states and ids stay whole, so few are taken for 64."""
    return max(as_whole(1)(value), _SHORTEST)


def as_milliseconds(value: object) -> int:
    """A whole number of milliseconds, at least 1."""
    return min(as_whole(1)(value), _LONGEST * 1000)


def as_seconds(value: object) -> float:
    """A number of seconds, at least 0."""
    expected = "a number of seconds of at least 0"
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        raise NotValid(expected) from None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < float("inf"):
        raise NotValid(expected)
    return float(min(number, _LONGEST))  # a whole number may be larger than a float can be


def as_cost(value: object) -> float:
    """US dollars: whatever is a number, at least 0."""
    try:
        amount = float(value)  # type: ignore[arg-type]
    except Exception:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise NotValid("US dollars as a number of at least 0")
    return amount


def as_one_of(*words: str, **aliases: str) -> Callable[[object], str]:
    """A check for one of `words`, or for an alias of one."""

    def check(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        word = aliases.get(word, word)
        if word not in words:
            raise NotValid("one of " + ", ".join(words))
        return word

    return check


def as_file(value: object) -> str:
    """A text that may be a ``file:`` URL, and then names a file of this machine.

    https://www.rfc-editor.org/rfc/rfc8089#section-2: behind two slashes stands a host.
    """
    text = as_text(value)
    if not text.lower().startswith("file:"):
        return text
    right = "a URL with three slashes such as file:///tmp/traces.jsonl"
    try:
        url = urlsplit(text)
    except ValueError:
        raise NotValid(right) from None
    host = url.netloc.rpartition("@")[2]
    if host.lower() not in ("", "localhost"):
        path = host + url.path
        path = path if path.startswith(PATHS) else f"/{path}"
        raise NotValid(f"a path such as {path}, or {right}")
    if not as_path(unquote(url.path) or "/").strip("/"):
        raise NotValid(right)
    return text


_HOST_AND_PORT: Final = re.compile(r"(?:[^/?#\s\[\]:]+:[^/?#\s]*@)?(?:[^/?#@\s\[\]:]+|\[[0-9A-Fa-f:.%]+\]):\d+")


def insecure() -> bool:
    """Whether the user says that the way to the backend is trusted without encryption."""
    own = environment.value("OTEL_EXPORTER_OTLP_TRACES_INSECURE")
    return (own or environment.value("OTEL_EXPORTER_OTLP_INSECURE") or "").lower() == "true"


def authorization(url: str) -> str | None:
    """User and password of a URL as an `Authorization` header says them; None when it has none."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at or not user:
        return None
    name, _, password = user.partition(":")
    return "Basic " + base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()


def without_secrets(url: str) -> str:
    """A URL, valid or not, without what may be user, password, or a key in the query."""
    address, mark, _ = url.partition("?")
    if mark and "@" in url[len(address) :] and "@" not in address:
        return f"{url.partition('//')[0]}//…"  # the password may have the question mark in it
    scheme, slashes, rest = address.rpartition("//") if "//" in address else ("", "", address)
    return scheme + slashes + rest.rpartition("@")[2]


def as_endpoint(value: object, protocol: str = "http/protobuf") -> str:
    """A URL, or a path for protocol `file`; with gRPC also `host:port`, which is made a URL."""
    text = as_text(value)
    expected = (
        "a URL with scheme and host, such as http://localhost:4318 (with protocol 'grpc' also host:port, "
        "with protocol 'file' also file:///path or a path)"
    )
    if text.startswith(PATHS):
        return as_path(text).rstrip("/")
    if protocol == "grpc" and _HOST_AND_PORT.fullmatch(text):
        text = f"{'http' if insecure() else 'https'}://{text}"
    try:
        url = urlsplit(text)
    except ValueError:
        raise NotValid(expected) from None
    try:
        url.port  # noqa: B018  (reading it checks it)
    except ValueError:
        raise NotValid("a URL with a port from 0 to 65535, such as http://localhost:4318") from None
    if url.scheme == "file":
        return as_file(text).rstrip("/")
    if url.scheme in ("http", "https") and url.hostname and text.isprintable() and " " not in text:
        return url._replace(path=url.path.rstrip("/"), fragment="").geturl()
    raise NotValid(expected)


def as_tags(value: object) -> tuple[str, ...]:
    """A list of texts, or one text with commas."""
    items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple, set, frozenset)) or not all(
        isinstance(item, str) and item for item in items
    ):
        raise NotValid("a list of non-empty strings")
    return tuple(dict.fromkeys(items))


_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_OF_THE_REQUEST: Final = ("content-encoding", "content-length", "transfer-encoding")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
# https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: the names and values of gRPC's metadata
_METADATA_NAME: Final = re.compile(r"[0-9a-z_.-]+(?<!-bin)")
_METADATA_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_WORDS: Final = re.compile(r"[A-Za-z]?[a-z_-]*(?: [A-Za-z]?[a-z_-]*)*")


def as_headers(value: object, protocol: str = "http/protobuf") -> dict[str, str]:
    """Headers by name, as a mapping or as text."""
    expected = "a mapping of header names to values, or text such as 'name=value,name2=value2'"
    if isinstance(value, str):
        return _header_text(value, protocol)
    if not isinstance(value, Mapping) or not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise NotValid(expected)
    headers = {name.strip().lower(): text.strip() for name, text in value.items()}
    wrong = [why for name, text in headers.items() if (why := _unsendable(name, text, protocol)) is not None]
    if wrong:
        raise NotValid("; ".join(wrong))
    return headers


def _header_text(value: str, protocol: str) -> dict[str, str]:
    """The pairs of a text; each that is not valid is left out.

    Values are URL-encoded:
    https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
    """
    headers: dict[str, str] = {}
    wrong: list[str] = []
    for place, item in enumerate(value.split(","), 1):
        if not item.strip():
            continue
        name, equals, text = item.partition("=")
        name, text = unquote(name).strip().lower(), unquote(text).strip()
        why = _unsendable(name, text, protocol) if equals else "'=' between name and value"
        if why is None:
            headers[name] = text
        else:
            wrong.append(f"{why} (pair {place})")
    if wrong:
        raise PartlyValid(headers, wrong)
    return headers


def _unsendable(name: str, text: str, protocol: str) -> str | None:
    """What was expected of a header that cannot be sent; None when it can. The value is never part of it."""
    if not _HEADER_NAME.fullmatch(name):
        return f"a header name of letters, digits and hyphens, not {_nameable(name)}"
    if name in _OF_THE_REQUEST:
        return f"no header {name!r}, which each request sets itself"
    if not _HEADER_VALUE.fullmatch(text):
        return f"a value of header {name!r} without line breaks, control characters and letters outside of Latin-1"
    if protocol == "grpc" and not (_METADATA_NAME.fullmatch(name) and _METADATA_VALUE.fullmatch(text)):
        return f"a name and a value of header {name!r} in ASCII, as gRPC sends them"
    return None


def _nameable(name: str) -> str:
    """A wrong header name for a message: of what may be a key, written in the wrong place, only the first word."""
    if len(name) <= 40 and _WORDS.fullmatch(name):
        return repr(name)
    first = re.match(r"[A-Za-z][a-z_-]*(?![0-9A-Za-z])", name)
    return repr((first[0] if first else "") + "…")


def as_trace_url(value: object) -> str:
    """A link in which the ids are filled in."""
    text = as_text(value)
    if not viewer.is_template(text):
        raise NotValid(viewer.EXPECTED)
    return text


def as_callable(value: object) -> Callable[[Any, str], Any]:
    """A function."""
    if not callable(value):
        raise NotValid("a function (value, path) -> value")
    return value


def as_exporter(value: object) -> Any:
    """An object with the methods of a `SpanExporter`."""
    methods = (getattr(value, "export", None), getattr(value, "shutdown", None))
    if isinstance(value, type) or not all(map(callable, methods)):
        raise NotValid("an OpenTelemetry SpanExporter (an object with export() and shutdown())")
    return value
