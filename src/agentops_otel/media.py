"""Pictures, sound and files: what stands in their place, and how they are found in texts and objects.

They are never recorded. A reference says their type, their size and a digest, by which two can be told apart. Up to
`FULL_DIGEST` characters of base64 the digest is `sha256`, that of the decoded file. A larger one would cost
milliseconds of the caller's time, so its digest is `sha256_sample`: of its first and last 16 Ki characters, its length
and a checksum of all of it; of the first, the middle and the last 4 Mi characters when it is longer than that.

What is taken for media:

* bytes that begin like a known format, more than 64 bytes that are no UTF-8, and more bytes than a text may have;
* a `data:` URL, wherever it stands;
* base64 beside a media type (``{"data": ..., "mimeType": ...}``) or under a name such as ``b64_json``, in objects and
  in any text that has JSON in it;
* a text that is base64 and begins like a known format;
* bytes in Python's notation, as an error or an f-string has them, by the rule of the first line;
* a run of base64 in a text: 512 characters when it begins like a known format, 1,024 when it does not. Shorter ones are
  ids, hashes and signatures.
"""

from __future__ import annotations

import ast
import binascii
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from .text import encodable

_Data = TypeVar("_Data", str, bytes)

FULL_DIGEST: Final = 32 * 1024
SAMPLE: Final = 16 * 1024
PIECE: Final = 4 * 1024 * 1024
_SHORT_BYTES: Final = 64
_SHORT_BASE64: Final = 32
_KNOWN_RUN: Final = 512
_RUN: Final = 1024
_MOST_DEPTH: Final = 16
_UNKNOWN: Final = "application/octet-stream"

# How formats begin, as bytes.
_FORMATS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
BEGINNINGS: Final = frozenset(
    (
        *(
            "iVBO",
            "/9j/",
            "R0lG",
            "JVBE",
            "SUQz",
            "//uQ",
            "//tQ",
            "//vQ",
            "//NE",
            "//Mo",
            "T2dn",
            "Zkxh",
            "UEsD",
            "H4sI",
        ),
        *("GkXf", "SUkq", "TU0A", "UklG", "AAAB", "AAAA"),
    )
)
"""The first letters of their base64."""
# The formats of sound and pictures that OpenAI's API names without `image/` and `audio/`.
_SHORT_TYPES: Final = {
    **dict.fromkeys(
        ("wav", "mp3", "flac", "ogg", "opus", "aac", "m4a", "pcm16", "pcm", "g711_ulaw", "g711_alaw"), "audio"
    ),
    **dict.fromkeys(("png", "jpeg", "jpg", "gif", "webp", "bmp", "tiff"), "image"),
    **dict.fromkeys(("mp4", "webm", "mov"), "video"),
    "pdf": "application",
}
# What is text and may be read, unless it is base64.
_TEXT_TYPE: Final = re.compile(
    r"text/|application/(?:[\w.+-]*(?:json|xml|yaml|javascript)|x-www-form-urlencoded|graphql)\b", re.IGNORECASE
)
_REFERENCE: Final = re.compile(r"<\S+(?: of [\d,]+ bytes, sha256\w* [0-9a-f]{64}|, cut off)>")
_TYPE_KEYS: Final = (
    "mimeType",
    "mime_type",
    "media_type",
    "mediaType",
    "mimetype",
    "content_type",
    "contentType",
    "format",
)
_DATA_KEYS: Final = frozenset(("data", "blob", "bytes", "raw", "file_data", "image_data", "audio_data", "video_data"))
_BASE64_KEYS: Final = frozenset(
    ("b64_json", "base64", "partial_image_b64", "image_base64", "audio_base64", "image_b64")
)
KEYS: Final = _DATA_KEYS | _BASE64_KEYS
"""Names under which media may stand in an object."""
SIGNS: Final = KEYS.union(_TYPE_KEYS)
"""The same, and those of its type."""
_CONTENT: Final = "content"  # media where it is base64 and has a type beside it: most often it is a text

# Base64, also within JSON (line breaks and slashes escaped) and percent-encoded. Each repetition begins otherwise.
_BASE64: Final = r"(?:[A-Za-z0-9+/_-]+|\\{1,16}/|%2[BbFf])"
_BREAK: Final = r"(?:\\{1,16}[rn]|[\r\n])"
_TAIL: Final = r"(?:=|%3[Dd]){0,2}"
_CUT: Final = re.compile(r"(?:\.{3}|…) \[[\d,]+ characters cut\]")
# A line goes on in the next one when that has nothing else in it.
_INDENT: Final = r"(?:[ \t>]|\\{1,16}t){0,32}"
_LINE: Final = rf"{_BREAK}{{1,4}}{_INDENT}(?=(?:[A-Za-z0-9+/_-]|\\{{1,16}}/){{2,}}={{0,2}}(?:{_BREAK}|[\"'\\<)]|\Z))"
_WIDEST: Final = 1024  # no base64 that is written in lines has longer ones
_DATA_URL: Final = re.compile(
    r"data:([\w.+-]{1,64}\\{0,16}/[\w.+-]{1,128})?((?:;[^,;\"'\\\s()<>]{1,128}){0,8}),"
    rf"((?:{_BASE64}|{_LINE})*{_TAIL})",
    re.IGNORECASE,
)
# Base64 that has a name, at any depth of JSON within JSON. It is found by the sign behind the name, which is rare. What
# ends it is looked for apart: a pattern that ends with a quote would go back through all of a text that has none.
_QUOTE: Final = r"\\{0,16}[\"']"
_NAMED: Final = re.compile(rf":[ \t]{{0,8}}{_QUOTE}(?=(?:[A-Za-z0-9+/_-]|\\{{1,16}}/){{{_SHORT_BASE64}}})")
_LINES: Final = re.compile(rf"(?:{_BASE64}|{_LINE})*{_TAIL}")
_NAME: Final = re.compile(rf"[\"']({'|'.join({*KEYS, _CONTENT})}){_QUOTE}[ \t]{{0,8}}\Z")
_LONGEST_NAME: Final = 48
_CLOSED: Final = re.compile(rf"{_BREAK}{{0,4}}{_QUOTE}|\Z")
_NAMED_TYPE: Final = re.compile(
    rf"[\"']({'|'.join(_TYPE_KEYS)}){_QUOTE}[ \t]{{0,8}}:[ \t]{{0,8}}{_QUOTE}([\w.+/\\-]{{1,128}})(?=[;\"'])"
)
_BESIDE: Final = 512  # so far from the base64 its type is looked for
_URL_SIGN: Final = re.compile(":(?<=data:)")  # `re` finds one character twice as fast as `str.find()` finds five
_SVG: Final = re.compile(r".*?</svg>|.*", re.DOTALL)
_REST_OF_URL: Final = re.compile(r"[^\"'\\\s()<>]*")
_LONG_RUN: Final = re.compile(rf"(?:[A-Za-z0-9+/_-]|\\{{1,16}}/){{60}}(?:{_BASE64}|{_LINE})*{_TAIL}")
_ESCAPE: Final = re.compile(r"\\(?:[bfnrt]|u[0-9A-Fa-f]{4})")
_WHOLE: Final = re.compile(r"[A-Za-z0-9+/_\r\n-]+={0,2}\s*")
_NOISE: Final = re.compile(r"\\+[rnt]|\\+|[\r\n\t >]")
_END_OF_LINE: Final = re.compile(_BREAK)
_WINDOW: Final = 512
# Bytes in Python's notation, also within JSON, where each backslash is two or more.
_BYTE: Final = re.compile(r"\\x[0-9a-f]{2}")
_OPENED: Final = re.compile(r"b(?<![0-9A-Za-z_]b)\\{0,15}([\"'])")
_BACKSLASHES: Final = re.compile(r"\\+")
_QUOTES: Final = {quote: re.compile(rf"(?<!\\)(\\*){quote}") for quote in "'\""}
_PRINTED: Final = re.compile("[ -~]*")
_FAR: Final = 256  # before its first byte that is no character, a file has no more than this
_MOST_CUT: Final = 16  # such bytes are no accident in a text that was cut


def type_of(data: bytes) -> str | None:
    """The media type by which `data` begins; None when no format is known that begins so."""
    for beginning, media_type in _FORMATS:
        if data.startswith(beginning):
            return media_type
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return "image/heic" if data[8:11] in (b"hei", b"mif", b"avi") else "video/mp4"
    return None


def _type_of_base64(base64: str) -> str | None:
    if base64[:4] not in BEGINNINGS:
        return None
    try:
        return type_of(binascii.a2b_base64(base64[:32]))
    except ValueError:
        return None


def digest(base64: str, skip: int = 0) -> tuple[int, str, str]:
    """Of base64 text that starts after `skip` characters: the number of bytes, the digest's name and the digest."""
    length = len(base64) - skip
    padding = 2 if base64.endswith("==") else 1 if base64.endswith("=") else 0
    size = max(0, length * 3 // 4 - padding)
    if length <= FULL_DIGEST:
        try:
            return size, "sha256", hashlib.sha256(binascii.a2b_base64(base64[skip:].encode())).hexdigest()
        except ValueError:  # not base64 after all
            pass
    return size, "sha256_sample", _sampled(length, [encodable(piece).encode() for piece in _pieces(base64, skip)])


def _pieces(data: _Data, skip: int = 0) -> list[_Data]:
    """Beginning, middle and end of large data behind `skip`; smaller data whole."""
    length = len(data) - skip
    if length <= 3 * PIECE:
        return [data[skip:]]
    return [data[at : at + PIECE] for at in (skip, skip + (length - PIECE) // 2, skip + length - PIECE)]


def _sampled(length: int, pieces: list[bytes]) -> str:
    checked = hashlib.sha256(pieces[0][:SAMPLE])
    checked.update(pieces[-1][-SAMPLE:])
    checked.update(f"{length} {[*map(zlib.crc32, pieces)]}".encode())
    return checked.hexdigest()


def _reference(media_type: str | None, size: int, name: str, value: str) -> str:
    return f"<{media_type or _UNKNOWN} of {size:,} bytes, {name} {value}>"


def of_base64(base64: str, media_type: str | None = None) -> str:
    """The reference to a file from its base64."""
    plain = base64
    if "%" in plain:
        plain = unquote_to_bytes(plain).decode("utf-8", "replace")
    if "\\" in plain or "\n" in plain or "\r" in plain:
        plain = _NOISE.sub("", plain)
    if "-" in plain or "_" in plain:
        plain = plain.replace("-", "+").replace("_", "/")
    missing = -len(plain) % 4
    if missing and len(plain) <= FULL_DIGEST:
        plain += "=" * missing
    return _reference(media_type or _type_of_base64(plain), *digest(plain))


def of_bytes(data: bytes, longest: int) -> str | None:
    """The reference to bytes that are a file; None for a text that is not too long, and for a few bytes of anything."""
    media_type = type_of(data)
    if media_type is None and len(data) <= longest:
        if len(data) <= _SHORT_BYTES:
            return None
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return None
    return _reference(media_type, len(data), *digest_of(data))


def of_data(data: Any, media_type: str | None) -> str:
    """The reference to what is said to be media: base64 or bytes."""
    if issubclass(type(data), str):
        return of_base64(data, media_type)
    whole = bytes(data)
    return _reference(media_type, len(whole), *digest_of(whole))


def digest_of(data: bytes) -> tuple[str, str]:
    """The digest's name and the digest of a file."""
    if len(data) <= FULL_DIGEST * 3 // 4:
        return "sha256", hashlib.sha256(data).hexdigest()
    return "sha256_sample", _sampled(len(data), _pieces(data))


# ------------------------------------------------------------------------------------------------------------------
# in a text


def replaced(text: str, most: int | None = None) -> str:
    """`text` with references in the place of `data:` URLs and long base64; the same object when there is none.

    Args:
        most: how many characters of the result are looked at, for a text that will be cut.
    """
    if _may_have_a_url(text, most):
        text = _without(text, most, _url)
    if _may_have_bytes(text, most):
        text = _without(text, most, _literal)
    if _may_have_a_name(text, most):
        text = _without(text, most, _named)
    if len(text) >= _WINDOW and _may_have_a_run(text, most):
        text = _without(text, most, _run)
    return text


def _end(text: str, most: int | None) -> int:
    return len(text) if most is None else most


def may_be_inside(text: str, most: int | None = None) -> bool:
    """Whether `replaced()` may find something in a text; quick."""
    return (
        _may_have_a_url(text, most)
        or _may_have_bytes(text, most)
        or (len(text) >= _WINDOW and _may_have_a_run(text, most))
    )


def may_be_whole(text: str, most: int | None = None) -> bool:
    """Whether a text, of 32 characters at least, may be media as a whole, or JSON in which some is named; quick."""
    if text[0] in "{[":
        return any(text.find(name, 0, most) >= 0 for name in ("data", "b64", "base64", "blob", "bytes", "raw"))
    return text[:4] in BEGINNINGS


def may_be_in(text: str, most: int | None = None) -> bool:
    """Whether there may be any media in a text; quick."""
    return len(text) >= _SHORT_BASE64 and (may_be_whole(text, most) or may_be_inside(text, most))


def is_whole(text: str) -> bool:
    """Whether a text is a file, which may be a short one."""
    return text[:4] in BEGINNINGS and _type_of_base64(text) is not None and _WHOLE.fullmatch(text) is not None


def replaced_alone(text: str, most: int | None = None) -> str:
    """As `replaced()`, of a text that stands alone and may be a short picture."""
    return of_base64(text) if is_whole(text) else replaced(text, most)


def replaced_whole(text: str, most: int | None = None) -> str:
    """As `replaced_alone()`, and of JSON in which media is named as such."""
    text = replaced_alone(text, most)
    if text[:1] in ("{", "[") and (most is None or len(text) <= most):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        clean = replaced_in(value)
        if clean is not value:
            return json.dumps(clean, ensure_ascii=False, separators=(",", ":"))
    return text


_Found: TypeAlias = tuple[int, int, str]


def _without(text: str, most: int | None, find: Callable[[str, int, int], tuple[int, _Found | None] | None]) -> str:
    """`text` with references, of which `find` gives place and text; it looks on from where it says.

    What is taken away does not count: so much more is looked at.
    """
    pieces: list[str] = []
    at = done = 0
    end = len(text) if most is None else min(len(text), most)
    while at < end:
        looked = find(text, at, end)
        if looked is None:
            break
        at, found = looked
        if found is not None:
            pieces += (text[done : found[0]], found[2])
            done = found[1]
            end = min(len(text), end + done - found[0])
    return "".join((*pieces, text[done:])) if pieces else text


def _url(text: str, at: int, end: int) -> tuple[int, _Found | None] | None:
    """The next `data:` URL."""
    start = text.find("data:", at, end)
    found = _DATA_URL.match(text, start) if start >= 0 else None
    if start < 0:
        return None
    if found is None or not (found[1] or found[2]):
        return start + 5, None  # "data:," is none, and `{"data":...` neither
    media_type = (found[1] or "").replace("\\", "")
    if found[2].lower().endswith(";base64"):
        if not found[3]:  # a program that makes such a URL
            return found.end(), None
        last = _end_of_lines(text, found.start(3), found.end())
        reference = _cut_off(text, last, media_type) or of_base64(text[found.start(3) : last], media_type)
    else:
        rest = _SVG if media_type == "image/svg+xml" and text.startswith("<", found.start(3)) else _REST_OF_URL
        url = rest.match(text, found.start(3))
        last = found.end() if url is None else url.end()
        data = unquote_to_bytes(encodable(text[found.start(3) : last]))
        reference = _reference(media_type or "text/plain", len(data), *digest_of(data))
    return last, (start, last, reference)


def _literal(text: str, at: int, end: int) -> tuple[int, _Found | None] | None:
    """The next bytes in Python's notation."""
    byte = _BYTE.search(text, at, end)
    if byte is None:
        return None
    opened = next(reversed([*_OPENED.finditer(text, max(at, byte.start() - _FAR), byte.start())]), None)
    if opened is None:
        return byte.end(), None
    before = text[opened.end() : byte.start() + 1]
    backslashes = len(before) - len(before.rstrip("\\"))
    one = backslashes & -backslashes  # so many are one, and what is behind an odd number of them is escaped
    quotes = _QUOTES[opened[1]].finditer(text, byte.end())
    closing = next((quote for quote in quotes if len(quote[1]) // one % 2 == 0), None)
    printed = _PRINTED.match(text, byte.start(), len(text) if closing is None else closing.end())
    last = byte.end() if printed is None else printed.end()
    mark = _CUT.search(text, byte.end(), last)
    last = last if mark is None else mark.start()
    if closing is not None and last == closing.end():
        body = text[opened.end() : closing.start() + len(closing[1]) // one * one]
        data = _evaluated(opened[1], body, one)
        reference = None if data is None else of_bytes(data, len(data))
        return last, None if reference is None else (opened.start(), last, reference)
    if len(_BYTE.findall(text, byte.start(), last)) < _MOST_CUT:
        return last, None
    return last, (opened.start(), last, f"<{_UNKNOWN}, cut off>")


def _evaluated(quote: str, body: str, one: int) -> bytes | None:
    plain = _BACKSLASHES.sub(lambda found: "\\" * (len(found[0]) // one), body)
    try:
        value = ast.literal_eval(f"b{quote}{plain}{quote}")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, bytes) else None


def _named(text: str, at: int, end: int) -> tuple[int, _Found | None] | None:
    """The next base64 under a name such as `data`, in what is JSON or looks like it."""
    found = _NAMED.search(text, at, end)
    if found is None:
        return None
    start = found.end()
    named = _NAME.search(text[max(found.start() - _LONGEST_NAME, 0) : found.start()])
    lines = None if named is None else _LINES.match(text, start)  # also what is behind `end`
    if named is None or lines is None:
        return start, None
    base64, last = lines[0], lines.end()
    beside = _object_around(text, found.start(), last)
    media_type = _type_in({key: kind.replace("\\", "") for key, kind in _NAMED_TYPE.findall(beside)})
    plain = _NOISE.sub("", base64)
    if named[1] not in kinds_in({named[1]: plain, "mimeType": media_type}) and _type_of_base64(plain) is None:
        return last, None
    reference = _cut_off(text, last, media_type)
    if reference is None and _CLOSED.match(text, last):
        reference = of_base64(base64, media_type)
    return last, None if reference is None else (start, last, reference)


def _object_around(text: str, start: int, end: int) -> str:
    """What stands beside a part of an object, as far as no other object begins or ends."""
    before, behind = text[max(start - _BESIDE, 0) : start], text[end : end + _BESIDE]
    return re.split(r"[{}]", before)[-1] + re.split(r"[{}]", behind)[0]


def _run(text: str, at: int, end: int) -> tuple[int, _Found | None] | None:
    """The next run of base64; of what is none, however long, only so much is looked at as tells."""
    found = _LONG_RUN.search(text, at, min(len(text), end + _RUN))
    if found is None:
        return None
    start, last = found.span()
    if last - start < _KNOWN_RUN:
        return last, None
    escape = _ESCAPE.match(text, max(start - 1, 0))
    start = start if escape is None else escape.end()  # the letters of what JSON escapes are none of it
    head = text[start : start + _WINDOW]
    media_type = _type_of_base64(head.replace("\\", "")[:32])
    if media_type is None and (last - start < _RUN or not _is_mixed(head)):
        return last, None
    whole = _LONG_RUN.match(text, start) or found
    last = _end_of_lines(text, start, whole.end())
    return last, (start, last, _cut_off(text, last, media_type) or of_base64(text[start:last], media_type))


def _end_of_lines(text: str, start: int, last: int) -> int:
    """Where base64 ends: behind a line that is longer than any of several, the next one is a word of the text."""
    if _END_OF_LINE.search(text, start, min(last, start + _WIDEST + 1)) is not None:
        return last
    # (`find()` of one character is much faster than a pattern, and a picture has megabytes)
    possible = [at for at in (text.find(character, start, last) for character in "\n\r\\") if at >= 0]
    end = _END_OF_LINE.search(text, min(possible), last) if possible else None
    return last if end is None else end.start()


def _cut_off(text: str, end: int, media_type: str | None) -> str | None:
    """The reference to what was cut before anybody looked: there is no size and no digest of it."""
    return f"<{media_type or _UNKNOWN}, cut off>" if _CUT.match(text, end) else None


def _may_have_a_url(text: str, most: int | None) -> bool:
    # (`find()` is many times as fast as a pattern)
    end = _end(text, most)
    first = text.find(":", 0, end)
    return first >= 0 and _URL_SIGN.search(text, first, end) is not None


def _may_have_bytes(text: str, most: int | None) -> bool:
    end = _end(text, most)
    first = text.find("\\", 0, end)
    return first >= 0 and _BYTE.search(text, first, end) is not None


def _may_have_a_run(text: str, most: int | None) -> bool:
    """Whether somewhere no blank and no quote is for as long as base64 is worth a look."""
    # (a run that begins before `most` goes on behind it)
    at, last = 0, len(text) - _WINDOW
    if most is not None:
        last = min(last, most)
    while at <= last:
        end = at + _WINDOW
        found = text.rfind(" ", at, end)
        if found < 0:
            found = max(text.rfind('"', at, end), text.rfind(".", at, end), text.rfind(",", at, end))
        if found < 0:
            if text[at:end].isascii():
                return True
            found = at + _WINDOW // 2
        at = found + 1
    return False


def _may_have_a_name(text: str, most: int | None) -> bool:
    end = _end(text, most)
    first = text.find(":", 0, end)
    return first >= 0 and _NAMED.search(text, first, end) is not None


def _is_mixed(head: str) -> bool:
    """Whether there are letters of both cases and digits, as base64 has: hexadecimal digits and long words have not."""
    return head.lower() != head != head.upper() and any(map(str.isdigit, head))


# ------------------------------------------------------------------------------------------------------------------
# in an object


def replaced_in(value: Any, depth: int = 0) -> Any:
    """JSON with references in the place of media; the same object when there is none."""
    if isinstance(value, str):
        return replaced_whole(value) if may_be_in(value) else value
    if depth >= _MOST_DEPTH:
        return value
    if isinstance(value, dict):
        kinds = kinds_in(value)
        clean = {
            key: of_data(item, kinds[key]) if key in kinds else replaced_in(item, depth + 1)
            for key, item in value.items()
        }
        return value if all(clean[key] is value[key] for key in value) else clean
    if isinstance(value, list):
        items = [replaced_in(item, depth + 1) for item in value]
        return value if all(map(_same, items, value)) else items
    return value


def _same(one: object, other: object) -> bool:
    return one is other


def kinds_in(value: Mapping[Any, Any]) -> dict[str, str | None]:
    """Of an object that says of itself that it holds media: under which names, and of which type each is."""
    if SIGNS.isdisjoint(value):
        return {}
    kinds: dict[str, str | None] = {}
    media_type = _type_in(value)
    is_media = media_type is not None and not _TEXT_TYPE.match(media_type)
    for key in KEYS:
        data = value.get(key)
        if issubclass(type(data), (bytes, bytearray, memoryview)):
            kinds |= {key: media_type} if is_media else {}
            continue
        if not issubclass(type(data), str) or not data or data.startswith("data:") or _REFERENCE.fullmatch(data):
            continue
        if is_media or _is_base64(data, _SHORT_BASE64 if media_type or key in _BASE64_KEYS else _KNOWN_RUN // 2):
            kinds[key] = media_type
    content = value.get(_CONTENT)
    if is_media and isinstance(content, str) and _is_base64(content, _SHORT_BASE64):
        kinds[_CONTENT] = media_type
    return kinds


def _type_in(value: Mapping[Any, Any]) -> str | None:
    for key in _TYPE_KEYS:
        media_type = value.get(key)
        if isinstance(media_type, str):
            if "/" in media_type:
                return media_type[:128]
            if media_type in _SHORT_TYPES:
                return f"{_SHORT_TYPES[media_type]}/{media_type}"
    return None


def _is_base64(text: str, least: int) -> bool:
    return (
        len(text) >= least
        and len(text.rstrip()) % 4 in (0, 2, 3)
        and _WHOLE.fullmatch(text) is not None
        and _is_mixed(text)
    )
