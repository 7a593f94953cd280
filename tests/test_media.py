"""Pictures, sound and files: found wherever they stand, and told apart by what stands in their place."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops_otel import text as text_module
from agentops_otel.media import replaced, replaced_whole
from agentops_otel.values import sanitize, to_json, to_text

random_bytes = random.Random(7).randbytes


def png(size):
    """A PNG file, of which only the beginning is one."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 1, 1) + b"\x08\x06\0\0\0"
    return head + random_bytes(size - len(head))


FILES = {
    "png": ("image/png", png(200)),
    "large png": ("image/png", png(100_000)),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF" + random_bytes(300)),
    "gif": ("image/gif", b"GIF89a" + random_bytes(60)),
    "webp": ("image/webp", b"RIFF\x10\0\0\0WEBPVP8 " + random_bytes(300)),
    "wav": ("audio/wav", b"RIFF\x10\0\0\0WAVEfmt " + random_bytes(5000)),
    "mp3": ("audio/mpeg", b"ID3\x04" + random_bytes(700)),
    "ogg": ("audio/ogg", b"OggS\0" + random_bytes(700)),
    "pdf": ("application/pdf", b"%PDF-1.7\n%\xe2\xe3" + random_bytes(3000)),
    "zip": ("application/zip", b"PK\x03\x04" + random_bytes(400)),
    "mp4": ("video/mp4", b"\0\0\0\x18ftypmp42" + random_bytes(900)),
    "heic": ("image/heic", b"\0\0\0\x18ftypheic" + random_bytes(900)),
    "gzip": ("application/gzip", b"\x1f\x8b\x08\0" + random_bytes(400)),
}
UNKNOWN = random_bytes(5000)


def b64(data):
    return base64.b64encode(data).decode()


def pieces(encoded):
    """What must be nowhere: beginning, middle and end of a base64 text."""
    middle = len(encoded) // 2
    return encoded[40:70], encoded[middle : middle + 30], encoded[-34:-4]


@dataclass
class Content:
    mimeType: str
    data: object


PLACES = {
    "alone": lambda kind, data: b64(data),
    "bytes": lambda kind, data: data,
    "bytearray": lambda kind, data: bytearray(data),
    "memoryview": lambda kind, data: memoryview(data),
    "bytes of base64": lambda kind, data: b64(data).encode(),
    "data URL": lambda kind, data: f"data:{kind};base64,{b64(data)}",
    "data URL with a parameter": lambda kind, data: f"data:{kind};name=a.b;base64,{b64(data)}",
    "Markdown": lambda kind, data: f"see ![a](data:{kind};base64,{b64(data)}) and read on",
    "HTML": lambda kind, data: f"<img src='data:{kind};base64,{b64(data)}'>",
    "MCP": lambda kind, data: {"type": "image", "data": b64(data), "mimeType": kind},
    "MCP resource": lambda kind, data: {"resource": {"uri": "file:///a", "mimeType": kind, "blob": b64(data)}},
    "Anthropic": lambda kind, data: {"source": {"type": "base64", "media_type": kind, "data": b64(data)}},
    "GenAI conventions": lambda kind, data: {"type": "blob", "mime_type": kind, "content": b64(data)},
    "Gemini": lambda kind, data: {"inline_data": {"mime_type": kind, "data": data}},
    "OpenAI file": lambda kind, data: {"file": {"filename": "a", "file_data": f"data:{kind};base64,{b64(data)}"}},
    "OpenAI picture": lambda kind, data: {"data": [{"b64_json": b64(data)}]},
    "url-safe": lambda kind, data: {"data": base64.urlsafe_b64encode(data).decode(), "mimeType": kind},
    "dataclass": lambda kind, data: Content(kind, b64(data)),
    "dataclass of bytes": Content,
    "Python's notation": lambda kind, data: f"expected a text, not {data!r}, in a call",
    "Python's notation in a list": lambda kind, data: f"it's {[1, data, 'b']}",
    "Python's notation of a dataclass": lambda kind, data: repr(Content(kind, data)),
    "Python's notation in JSON": lambda kind, data: json.dumps({"it's": f"{bytearray(data)!r}"}),
    "Python's notation in JSON in JSON": lambda kind, data: json.dumps({"a": json.dumps({"b": repr(data)})}),
    "an exception": lambda kind, data: ValueError(data),
    "a list": lambda kind, data: [{"deep": [b64(data), data]}],
    "a list of texts": lambda kind, data: ["a", b64(data)],
    "a mapping of an own type": lambda kind, data: {"x": type("D", (dict,), {})(data=b64(data), mimeType=kind)},
    "JSON": lambda kind, data: json.dumps({"content": [{"data": b64(data), "mimeType": kind}]}),
    "JSON in JSON": lambda kind, data: json.dumps({"result": json.dumps({"data": b64(data), "mimeType": kind})}),
    "JSON in an object": lambda kind, data: {"output": json.dumps([{"blob": b64(data), "mimeType": kind}])},
    "JSON as PHP writes it": lambda kind, data: json.dumps({"a": f"data:{kind};base64,{b64(data)}"}).replace(
        "/", "\\/"
    ),
    "percent-encoded": lambda kind, data: f"data:{kind};base64,{b64(data).replace('+', '%2B').replace('=', '%3D')}",
}


@pytest.mark.parametrize(
    "write", [to_text, to_json, lambda value: str(sanitize(value))], ids=["text", "json", "attribute"]
)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("kind", "data"), FILES.values(), ids=FILES)
def test_media_is_never_written(kind, data, place, write):
    """Whatever the format and wherever it stands: nothing of it, but what it is and how long."""
    shown = write(place(kind, data))
    plain = shown.replace("\\/", "/").replace("\\", "")

    for piece in pieces(b64(data)):
        assert piece not in shown.replace("-", "+").replace("_", "/")
    assert f"{kind} of {len(data):,} bytes, sha256" in plain
    if len(data) <= 10_000:
        assert hashlib.sha256(data).hexdigest() in plain
    assert sanitize(shown) == shown or shown.startswith(("[", "("))


@pytest.mark.parametrize(
    "place",
    [place for name, place in PLACES.items() if "Markdown" not in name],
    ids=[n for n in PLACES if "Markdown" not in n],
)
def test_a_file_of_no_known_format_is_no_text_either(place):
    """5,000 random bytes: by their place or their length."""
    shown = to_json(place("application/x-own", UNKNOWN))
    for piece in pieces(b64(UNKNOWN)):
        assert piece not in shown.replace("-", "+").replace("_", "/")


def reference(media_type, data):
    """What stands in the place of a file."""
    return f"<{media_type} of {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}>"


def shown_within(written, depth):
    """What is shown of a text that lies so many times in JSON."""
    for _ in range(depth):
        written = json.dumps(written)
    shown = replaced(written)
    for _ in range(depth):
        shown = json.loads(shown)
    return shown


@pytest.mark.parametrize("before", ["\n", "\t", "\x01", " "])
@pytest.mark.parametrize("line", [60, 64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_base64_in_lines_is_found(line, end, before):
    """As in a mail, in a text and in JSON, with whatever the line before it ends; what is around it stays."""
    for data in (UNKNOWN, UNKNOWN[:4998]):  # with padding and without
        encoded = b64(data)
        lines = end.join(encoded[at : at + line] for at in range(0, len(encoded), line))
        file = reference("application/octet-stream", data)
        for depth in range(3):
            written = f"attached:{before}{lines}{end}-- end"
            assert shown_within(written, depth) == f"attached:{before}{file}{end}-- end"


@pytest.mark.parametrize("after", ["\nWhat is this?", "\n\nDescribe\nit", "\nDescribe", "\r\nokay\r\n", ")", " x"])
@pytest.mark.parametrize("data", [png(3000), png(3001), png(3002), UNKNOWN], ids=["3000", "3001", "3002", "unknown"])
def test_the_text_behind_a_data_url_stays(data, after):
    """Its first word, too, on the next line; and the digest is that of the file alone."""
    file = reference("image/png", data)
    for depth in range(3):
        written = f"x data:image/png;base64,{b64(data)}{after}"
        assert shown_within(written, depth) == f"x {file}{after}"


@pytest.mark.parametrize("first", ["", "\n"])
@pytest.mark.parametrize("before", ["", "  ", "\t", "> ", "        "])
def test_a_data_url_in_lines(before, first):
    """Indented as in YAML, or quoted as in a mail; also where the first line is empty."""
    encoded = b64(UNKNOWN)
    lines = f"\n{before}".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    file = reference("image/png", UNKNOWN)
    for depth in range(3):
        written = f"x ![](data:image/png;base64,{first}{before if first else ''}{lines}) y"
        assert shown_within(written, depth) == f"x ![]({file}) y"


@pytest.mark.parametrize(
    "svg",
    [
        "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'><path d=\"M1 2\"/></svg>",
        "data:image/svg+xml,%3Csvg%20xmlns=%27http://www.w3.org/2000/svg%27%3E%3Cpath d%3D%22M1%202%22/%3E%3C/svg%3E",
        "data:text/html,%3Cscript%3Ealert%281%29%3C%2Fscript%3E",
    ],
)
def test_a_data_url_that_is_no_base64(svg):
    """Pictures that are text are pictures."""
    shown = replaced(f"before {svg.partition(' d%3D')[0]} after")
    assert "M1" not in shown
    assert "script" not in shown
    assert shown.startswith("before <")
    assert shown.endswith(" after")


TEXTS = [
    r"C:\x86\xab b'\xe4' and b'" + "text " * 5 + r"\xe4\xf6'",
    repr("äöü€".encode() * 100),
    "b'" * 3000 + r"\x00",
    'url = f"data:image/jpeg;base64,{encoded}" or "data:image/png;base64," + encoded',
    "a sentence: data: none; see data:, and metadata:yes",
    'event: message\ndata: {"type": "delta", "delta": "a"}\n\ndata: [DONE]',
    "x" * 70_000,
    "word " * 5000,
    "0123456789abcdef" * 100,
    hashlib.sha512(b"1").hexdigest() * 20,
    "/usr/lib/python3.11/site-packages/" * 50,
    json.dumps({"ids": [b64(random_bytes(24)) for _ in range(100)]}),
    json.dumps({"data": {"a": [1, 2, 3]}, "format": "date"}),
    '{"data":"hello world, this is a text","mimeType":"text/plain"}',
    '{"data":"{}","content_type":"application/json; charset=utf-8"}',
    '{"content":"hello/world/this/is/a/text/1/andA","mime_type":"text/plain"}',
    '{"data":"' + b64(random_bytes(120)) + '"}',
    '{"content":"' + b64(random_bytes(120)) + '"},{"mime_type":"image/png"}',
    b64(random_bytes(300)),
    "\n".join(f"line-{number}/of/a/list/of/names" for number in range(200)),
    "日本語の長い文章。" * 300,
    "GIF89a is how it begins; R0lGODlh too. iVBORw0KGgo is the other. AAAA AAAB",
    "R0lGODlhIsOnlyTheBeginning of a sentence with many words",
    "sig " + b64(random_bytes(64)),
    "https://host/" + "a1B2c3D4/" * 20 + "?q=1",
]


@pytest.mark.parametrize("text", TEXTS, ids=[text[:20] for text in TEXTS])
def test_what_is_no_media_stays(text):
    """Ids, hashes, short base64, long words and texts that only talk of it are the same object."""
    assert replaced(text) is text
    assert replaced_whole(text) is text


NAMED = {
    "MCP": lambda kind, data: {"type": "image", "data": b64(data), "mimeType": kind},
    "MCP blob": lambda kind, data: {"mimeType": kind, "blob": b64(data)},
    "Anthropic": lambda kind, data: {"source": {"type": "base64", "media_type": kind, "data": b64(data)}},
    "OpenAI": lambda kind, data: {"data": [{"b64_json": b64(data)}]},
    "GenAI conventions": lambda kind, data: {"type": "blob", "mime_type": kind, "content": b64(data)},
    "in lines": lambda kind, data: {"data": base64.encodebytes(data).decode(), "mimeType": kind},
}


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize(
    "write", [json.dumps, lambda value: json.dumps(value).replace("/", "\\/"), repr], ids=["json", "php", "repr"]
)
@pytest.mark.parametrize("place", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("data", [png(300), UNKNOWN[:300]], ids=["png", "unknown"])
def test_short_media_that_is_named_is_found_in_any_text(data, place, write, depth):
    """In a sentence, and deep in it: by its name and its type, however short it is."""
    text = write(place("image/png", data))
    for _ in range(depth):
        text = json.dumps({"inner": text})
    clean = replaced(f"the tool said: {text}, and so on")
    assert not any(piece in clean.replace("\\", "") for piece in pieces(b64(data)))
    assert "of 300 bytes, sha256 " + hashlib.sha256(data).hexdigest() in clean
    assert clean.startswith("the tool said: ")
    assert clean.endswith(", and so on")


@pytest.mark.parametrize("end", ["", "... [900 characters cut]"])
def test_short_media_that_was_cut_is_not_left(end):
    """Its name says what it is, also where the rest of it is gone."""
    clean = replaced('[{"mimeType": "image/png", "data": "' + b64(png(300))[:100] + end)
    assert clean.startswith('[{"mimeType": "image/png", "data": "<image/png')
    assert clean.endswith(end or ">")


def test_pictures_that_differ_anywhere_have_other_digests():
    """In one byte of the middle, in the size, in the first or the last byte: of small and of large ones."""
    for size in (300, 20_000, 60_000, 2_000_000):
        picture = png(size)
        changed = [bytearray(picture) for _ in range(3)]
        changed[0][size // 2] ^= 1
        changed[1][-1] ^= 1
        changed[2][size // 3] ^= 128
        variants = [picture, *map(bytes, changed), picture + b"\0", picture[:-1]]
        for shown in (
            [to_text(variant) for variant in variants],
            [to_text(f"data:image/png;base64,{b64(variant)}") for variant in variants],
            [to_json({"data": b64(variant), "mimeType": "image/png"}) for variant in variants],
        ):
            assert len(set(shown)) == len(variants)
        assert to_text(picture) == to_text(bytes(bytearray(picture)))


def test_the_digest_is_that_of_the_file():
    """What stands in the place of a file can be compared with a file."""
    data = png(20_000)
    expected = f"<image/png of 20,000 bytes, sha256 {hashlib.sha256(data).hexdigest()}>"
    assert json.loads(to_text(data)) == to_text(b64(data)) == replaced(f"data:image/png;base64,{b64(data)}") == expected


@pytest.mark.parametrize("quotes", [b"", b"'", b'"', b"'\"", b"\\", b"\\'", b'\\"', b"\\'\""])
def test_bytes_in_notation_end_where_they_end(quotes):
    """Whatever quotes and backslashes are in them, and however deep in JSON; what is around them stays."""
    for data in (UNKNOWN[:200] + quotes, quotes + UNKNOWN[:200], UNKNOWN[:100] + quotes + UNKNOWN[100:200]):
        file = reference("application/octet-stream", data)
        for depth in range(4):
            written = f"it's {data!r} and \"b\" b'\\xe4' {data!r}!"
            assert shown_within(written, depth) == f"it's {file} and \"b\" b'\\xe4' {file}!"


# The second is that of earlier releases.
CUT = pytest.mark.parametrize("mark", ["... [116,000 characters cut]", "… [116,000 characters cut]"], ids=ascii)


@CUT
def test_bytes_in_notation_that_were_cut(mark):
    """They have no end, and no size that could be said."""
    assert replaced(f"got {UNKNOWN!r}"[:700] + mark) == f"got <application/octet-stream, cut off>{mark}"


@CUT
def test_what_was_cut_before_is_called_so(mark):
    """The beginning of a picture that somebody else cut: no size and no digest, because they would be wrong."""
    cut = b64(png(90_000))[:4000] + mark
    assert replaced(cut) == f"<image/png, cut off>{mark}"
    assert replaced(f"a data:image/png;base64,{cut}") == f"a <image/png, cut off>{mark}"


def test_the_mark_of_a_cut_is_known():
    """What `cut()` writes is what is looked for behind media."""
    text = text_module.cut(b64(png(90_000)), 4000)
    assert replaced(text).startswith("<image/png, cut off>... [")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["data", "blob", "bytes", "b64_json", "file_data", "url", "content", "result"])


@settings(max_examples=60, deadline=None, database=None)
@given(ANY, KEYS, st.binary(min_size=600, max_size=900), st.integers(0, 3), st.booleans())
def test_media_at_any_place_of_anything(value, key, data, depth, with_type):
    """Base64 of any bytes, deep in anything, as JSON in JSON: never written when it is long or named."""
    encoded = b64(b"\x89PNG\r\n\x1a\n" + data)
    tree = {key: encoded, "other": value} | ({"mimeType": "image/png"} if with_type else {})
    for _ in range(depth):
        tree = {"inner": json.dumps(tree, default=repr), "beside": value}
    assert encoded[20:50] not in to_json(tree)
    assert encoded[-30:-4] not in to_json(tree)
