"""The threats to a box, each by the number of its row in docs/security.md."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from agentops_otel import normalize
from agentops_otel.server.auth import make_token, one_time_url, read_token
from agentops_otel.server.gate import HEADERS
from agentops_otel.server.otlp.inflate import MOST_INFLATED, TooLarge, inflated
from agentops_otel.server.store.sqlite import SqliteStore
from tests.server.otlp_requests import TRACE, traces, traces_json
from tests.server.running import TOKEN, RunningBox


@pytest.fixture
def box(tmp_path):
    """Open to whoever is on this machine."""
    with RunningBox(tmp_path) as box:
        yield box


@pytest.fixture
def locked(tmp_path):
    """On this machine, with a token."""
    with RunningBox(tmp_path, token=TOKEN) as box:
        yield box


@pytest.fixture
def exposed(tmp_path):
    """As on all addresses."""
    with RunningBox(tmp_path, token=TOKEN, is_local=False) as box:
        yield box


def _program(tmp_path, *arguments, umask=0o022, **environment):
    """A box as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "agentops_otel.server", "--port", "0", "--grpc-port", "0", *arguments],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=umask,
    )


# S1 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_s1_other_machines_need_a_token(tmp_path, host):
    """A box that others can reach does not start without a token, and says how to make one."""
    process = _program(tmp_path, "--host", host)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "AGENTOPS_SERVER_TOKEN" in output


def test_s1_a_token_that_can_be_guessed_is_refused(tmp_path):
    """256 bits, or it does not start."""
    process = _program(tmp_path, "--host", "0.0.0.0", AGENTOPS_SERVER_TOKEN="secret")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "6 characters" in output


def test_s1_every_route_asks_who_is_there(exposed):
    """All routes that there are, also those that are added later; the form to log in and its style sheet are free."""
    routes = [route for route in exposed.app.routes if isinstance(route, Route)]
    assert len(routes) > 6
    for route in routes:
        path = re.sub(r"{[^}]*}", "x", route.path)
        for method in route.methods - {"HEAD"}:
            if route.path in ("/login", "/static/{version}/{name}"):
                continue
            assert exposed.ask(method, path).status == 401, f"{method} {path}"


def test_s1_ingestion_from_elsewhere_needs_a_key_of_a_project(exposed):
    """Without a key 401, with one that is not known 401, with a key its project."""
    key = exposed.store.create_key("team", time.time_ns())
    assert exposed.post("/v1/traces", traces()).status == 401
    assert exposed.post("/v1/traces", traces(), authorization="Bearer wrong").status == 401
    assert exposed.post("/v1/traces", traces(), authorization=f"Bearer {key}").status == 200
    assert exposed.store.session(TRACE, "team") is not None
    assert exposed.store.session(TRACE, "default") is None


# S2 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/sessions.json", "/api/sessions", "/live", "/s/x", "/nowhere"])
def test_s2_reading_needs_the_cookie(locked, path):
    """Also on this machine: other users of it are not let in."""
    assert locked.get(path).status == 401


def test_s2_a_one_time_address_lets_one_browser_in(locked):
    """The token leaves the address at once, the cookie is for this box alone, and the address works no second time."""
    url = one_time_url(TOKEN, locked.address, "/costs?since=7d").removeprefix(locked.address)
    answer = locked.get(url)
    assert answer.status == 303
    assert answer.headers["location"] == "/costs?since=7d"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    pair = cookie.partition(";")[0]
    assert str(locked.port) in pair.partition("=")[0]
    assert locked.get("/nowhere", cookie=pair).status == 404
    again = locked.get(url)
    assert "set-cookie" not in again.headers
    assert TOKEN not in url


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"), lambda text: "x" + text]
)
def test_s2_what_we_have_not_signed_lets_nobody_in(locked, change):
    """Neither an address nor a cookie can be made up."""
    path, _, code = one_time_url(TOKEN, "").partition("token=")
    assert "set-cookie" not in locked.get(f"{path}token={change(code)}").headers
    name = f"agentops-otel-{locked.port}"
    assert locked.get("/", cookie=f"{name}={change(locked.auth.cookie())}").status == 401


def test_s2_an_address_from_before_the_start_is_not_valid(tmp_path):
    """Nobody remembers whether it was used."""
    url = one_time_url(TOKEN, "")
    time.sleep(1.2)
    with RunningBox(tmp_path, token=TOKEN) as box:
        assert "set-cookie" not in box.get(url).headers


def test_s2_the_token_itself_lets_programs_in(locked):
    """A command that can read the file of the token reads the box."""
    assert locked.get("/nowhere", authorization=f"Bearer {TOKEN}").status == 404
    assert locked.get("/nowhere", authorization=f"Bearer {TOKEN[:-1]}x").status == 401
    form = f"token={TOKEN}".encode()
    assert locked.post("/login", form, "application/x-www-form-urlencoded").headers["set-cookie"]
    assert locked.post("/login", b"token=x", "application/x-www-form-urlencoded").status == 401


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_s2_files_are_for_their_owner_alone(tmp_path):
    """Whatever the umask: token, store and folders."""
    process = _program(tmp_path, umask=0)
    try:
        url = process.stdout.readline()
        assert "token=" in url
        files = list((tmp_path / "agentops-otel").rglob("*"))
        assert {"token", "sessions.db"} <= {path.name for path in files}
        for path in (tmp_path / "agentops-otel", *files):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    finally:
        process.send_signal(signal.SIGINT)
        _output, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_s2_a_token_that_others_can_write_is_not_used(tmp_path):
    """Somebody else could have put it there."""
    make_token(str(tmp_path / "box"))
    (tmp_path / "box" / "token").chmod(0o666)
    with pytest.raises(PermissionError):
        read_token(str(tmp_path / "box"))


# S3 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/v1/traces", "/live", "/static/x/app.css", "/.well-known/agentops-otel", "/login"]
)
@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:4318", "127.0.0.1.evil.com", "", "localhost.evil.com", "0.0.0.0"]
)
def test_s3_a_name_that_is_not_ours_is_refused(box, host, path):
    """A page of another site whose name was pointed to this machine gets nothing, and stores nothing."""
    assert box.get(path, host=host).status in (400, 403)
    assert box.post(path, traces(), host=host).status in (400, 403)
    assert box.store.session(TRACE) is None


@pytest.mark.parametrize(
    "request_lines",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
        b"GET http://evil.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://evil.com/ HTTP/1.1\r\nHost: evil.com\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    ],
    ids=["two-hosts", "whole-address", "whole-address-and-host", "no-host", "half-an-address"],
)
def test_s3_a_host_that_is_not_clear_is_refused(box, request_lines):
    """Two names, a whole address in the request line, none."""
    assert box.said(request_lines).split()[1] in (b"400", b"403")


def test_s3_names_that_are_ours_are_answered(tmp_path):
    """This machine's names with any port (as through a tunnel), and those that were allowed."""
    with RunningBox(tmp_path, hosts=["box.example"]) as box:
        for host in ("localhost", "127.0.0.1:9999", "[::1]:4318", "box.example"):
            assert box.get("/.well-known/agentops-otel", host=host).status == 200


# S4 -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_s4_a_form_cannot_send_spans(box, media_type):
    """What a page may send anywhere without asking first is not OTLP."""
    assert box.post("/v1/traces", traces_json(), media_type).status == 415
    assert box.store.session(TRACE) is None


@pytest.mark.parametrize("path", ["/v1/traces", "/live", "/sessions.json"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.com"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
    ],
    ids=["origin", "null", "other-port", "cross-site", "no-cors"],
)
def test_s4_a_page_of_another_site_is_refused(box, path, headers):
    """Its browser says where a request comes from."""
    method = "POST" if path.startswith("/v1") else "GET"
    answer = box.ask(method, path, traces() if method == "POST" else None, **headers)
    assert answer.status == 403
    assert box.store.session(TRACE) is None


def test_s4_a_link_of_another_site_opens_a_page(locked):
    """It is a GET by a person; without the cookie, which does not come along, it shows nothing."""
    answer = locked.get("/", sec_fetch_site="cross-site", sec_fetch_mode="navigate", accept="text/html")
    assert answer.status == 401


def test_s4_our_own_pages_may_ask(box):
    """The origin of the page is that of the box."""
    answer = box.get("/.well-known/agentops-otel", origin=box.address, sec_fetch_site="same-origin")
    assert answer.status == 200


def test_s4_a_change_needs_a_header_that_a_form_cannot_send(locked):
    """With the cookie alone nothing is changed."""
    cookie = f"agentops-otel-{locked.port}={locked.auth.cookie()}"
    form = "application/x-www-form-urlencoded"
    assert locked.post("/costs", b"", form, cookie=cookie).status == 403
    assert locked.post("/costs", b"", form, cookie=cookie, x_agentops_otel="1").status != 403


# S5, S6 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/traces", "/", "/live"])
def test_s5_no_other_site_is_allowed(box, path):
    """A preflight is not answered with permission, nor is anything else."""
    asked = {"origin": "https://evil.com", "access_control_request_method": "POST"}
    for headers in (asked, {}):
        answer = box.ask("OPTIONS", path, **headers)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/v1/traces", "/.well-known/agentops-otel", "/static/x/app.css"])
def test_s6_every_answer_forbids_scripts_of_others(locked, path):
    """Errors too: what is shown is not always ours."""
    answer = locked.get(path)
    assert "script-src 'self'" in HEADERS["content-security-policy"]
    assert "unsafe" not in HEADERS["content-security-policy"]
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_s6_what_is_repeated_of_a_request_is_text(box):
    """An address that does not exist is named in the answer."""
    answer = box.get("/%3Cscript%3Ealert(1)%3C/script%3E", accept="text/html")
    assert answer.status == 404
    assert "<script>alert" not in answer.text


# S7 -------------------------------------------------------------------------------------------------------------------


def test_s7_names_of_attributes_stay_names(box):
    """A dotted name is never made into an object, so none can reach the prototype of all."""
    attributes = [
        {"key": key, "value": {"stringValue": "polluted"}}
        for key in ("__proto__.polluted", "constructor.prototype.polluted", "__proto__", "a.__proto__.b")
    ]
    assert box.post("/v1/traces", traces_json(attributes=attributes), "application/json").status == 200
    body = box.store.span(TRACE, "00000000000000a1").body
    assert body.attributes["__proto__.polluted"] == "polluted"


# S9, S10, S11 ---------------------------------------------------------------------------------------------------------


def _gzip_of_zeros(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(size >> 20)), packer.flush()])


def test_s9_a_small_gzip_of_a_gigabyte_is_refused(box):
    """What is unpacked stays within bounds, and so does memory."""
    bomb = _gzip_of_zeros(1 << 30)
    before = psutil.Process().memory_info().rss
    assert box.post("/v1/traces", bomb, content_encoding="gzip").status == 413
    assert psutil.Process().memory_info().rss - before < 150 << 20


def test_s9_what_packs_well_and_is_large_is_refused_at_its_bound():
    """Also when no ratio gives it away."""
    text = os.urandom(1 << 20)
    packed = gzip.compress(text * (MOST_INFLATED // len(text) + 1), 1)
    with pytest.raises(TooLarge, match="64 MiB"):
        inflated(packed)


@pytest.mark.parametrize("parts", [1, 3])
def test_s9_what_is_not_a_bomb_is_whole(parts):
    """Text that packs 100 to 1 is taken; a gzip may have several members."""
    text = b"".join(
        b"Turn %d of the same conversation, sent again with each turn of it.\n" % at for at in range(30_000)
    )
    assert inflated(gzip.compress(text) * parts) == text * parts


def test_s10_two_million_spans_in_a_few_bytes_are_refused(box):
    """They are counted before they are made."""
    spans = b"\x12\x00" * (2 << 20)
    scope = b"\x12" + _varint(len(spans)) + spans
    body = b"\x0a" + _varint(len(scope)) + scope
    before = psutil.Process().memory_info().rss
    assert box.post("/v1/traces", body).status == 413
    assert psutil.Process().memory_info().rss - before < 200 << 20


def _inside(tag, content):
    return bytes([tag]) + _varint(len(content)) + content


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(lambda: b"\x4a\x00" * (2 << 20), id="attributes"),
        pytest.param(lambda: b"\x5a\x00" * (2 << 20), id="events"),
        pytest.param(lambda: _inside(0x5A, b"\x1a\x00" * (2 << 20)), id="attributes-of-an-event"),
        pytest.param(lambda: _inside(0x4A, _inside(0x12, _inside(0x2A, b"\x0a\x00" * (2 << 20)))), id="list"),
        pytest.param(lambda: _inside(0x4A, _inside(0x12, _inside(0x32, b"\x0a\x00" * (2 << 20)))), id="map"),
    ],
)
def test_s10_what_a_span_holds_is_counted_too(box, inside):
    """One span with two million attributes, events, or items of a list."""
    body = _inside(0x0A, _inside(0x12, _inside(0x12, inside())))
    before = psutil.Process().memory_info().rss
    assert box.post("/v1/traces", body).status == 413
    assert psutil.Process().memory_info().rss - before < 100 << 20


def test_s10_a_large_request_of_a_real_sender_is_taken(box):
    """Long texts are few parts: 15 MiB in 30 spans."""
    assert box.post("/v1/traces", traces(30, gen_ai_prompt="word " * 100_000)).status == 200
    assert box.store.session(TRACE).spans == 30


def _varint(value):
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For many requests that change little."""
    with RunningBox(tmp_path_factory.mktemp("fuzz")) as box:
        yield box


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceSpans",
                    "scopeSpans",
                    "spans",
                    "attributes",
                    "key",
                    "value",
                    "stringValue",
                    "arrayValue",
                    "values",
                    "kvlistValue",
                    "traceId",
                    "spanId",
                    "name",
                    "status",
                    "events",
                    "startTimeUnixNano",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)
_FUZZ = settings(
    max_examples=int(os.environ.get("AGENTOPS_TEST_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@_FUZZ
@given(
    body=st.binary(max_size=400)
    | st.builds(lambda at, byte: _changed(traces(3), at, byte), st.integers(0), st.integers(0, 255))
)
def test_s11_no_protobuf_breaks_the_receiver(shared, body):
    """Whatever comes, the answer is that of a sender's mistake."""
    assert shared.post("/v1/traces", body).status < 500
    assert shared.post("/v1/logs", body).status < 500


def _changed(body, at, byte):
    at %= len(body)
    return body[:at] + bytes([byte]) + body[at + 1 :]


@_FUZZ
@given(document=_JSON, wrap=st.booleans())
def test_s11_no_json_breaks_the_receiver(shared, document, wrap):
    """Objects with the right names in the wrong places, too."""
    if wrap:
        document = {"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}]}
    body = json.dumps(document).encode()
    assert shared.post("/v1/traces", body, "application/json").status < 500
    assert shared.post("/v1/logs", body, "application/json").status < 500


# Every name that a dialect reads, as it stands in the sources.
_NAMES = sorted(
    {
        name
        for place in ("dialects/*.py", "normalize/*.py", "semconv.py", "messages.py")
        for file in Path(normalize.__file__).parents[1].glob(place)
        for name in re.findall(r'"([a-z_]+(?:\.[a-z_0-9]+)+)"', file.read_text(encoding="utf-8"))
    }
)
_PART = st.dictionaries(
    st.sampled_from(["role", "parts", "type", "content", "text", "name", "arguments", "id", "tool_calls", "function"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
        max_leaves=6,
    ),
    max_size=5,
)
_TEXT = st.text(max_size=30) | st.builds(json.dumps, st.lists(_PART, max_size=3) | _PART | _JSON)
_VALUE = (
    st.builds(lambda text: {"stringValue": text}, _TEXT)
    | st.builds(lambda number: {"intValue": number}, st.integers(-(2**63), 2**63 - 1))
    | st.builds(lambda number: {"doubleValue": number}, st.floats(allow_nan=False, allow_infinity=False))
    | st.builds(lambda truth: {"boolValue": truth}, st.booleans())
    | st.builds(lambda texts: {"arrayValue": {"values": [{"stringValue": text} for text in texts]}}, st.lists(_TEXT))
)


@_FUZZ
@given(attributes=st.lists(st.tuples(st.sampled_from(_NAMES), _VALUE), max_size=6), trace=st.integers(1, 3))
def test_s11_no_attribute_of_a_dialect_breaks_the_receiver(shared, attributes, trace):
    """Each name that is read, with a value of any type, and with messages that are almost right."""
    said = [{"key": name, "value": value} for name, value in attributes]
    body = traces_json(trace=f"{trace:032x}", attributes=said)
    assert shared.post("/v1/traces", body, "application/json").status == 200
    assert shared.get(f"/s/{trace:032x}", accept="text/html").status < 500


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", "-" + "9" * 30, "NaN"])
def test_s11_no_number_breaks_the_receiver(box, number):
    """Python reads no whole number of more than 4,300 digits."""
    body = traces_json().replace(b'"00000000000000a1"', number.encode())
    assert box.post("/v1/traces", body, "application/json").status in (200, 400)


# S12 ------------------------------------------------------------------------------------------------------------------


def test_s12_connections_that_say_nothing_keep_nobody_out(box):
    """200 of them: the oldest ones make place."""
    held = []
    try:
        for number in range(200):
            each = socket.create_connection(("127.0.0.1", box.port))
            held.append(each)
            if number % 2:
                each.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: loc")
        assert box.post("/v1/traces", traces()).status == 200
    finally:
        for each in held:
            each.close()


@pytest.mark.parametrize(
    "part",
    [
        b"GET / HTTP/1.1\r\nHost: l",
        b"",
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\ncontent-type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ],
)
def test_s12_a_slow_sender_is_let_go(box, part, monkeypatch):
    """Headers and body have a time in which to come."""
    monkeypatch.setattr("agentops_otel.server.connection._HEADERS", 0.2)
    monkeypatch.setattr("agentops_otel.server.connection._BODY", 0.2)
    with socket.create_connection(("127.0.0.1", box.port), timeout=20) as slow:
        slow.sendall(part)
        while slow.recv(65_536):
            pass


# S13 ------------------------------------------------------------------------------------------------------------------


def test_s13_more_than_can_be_stored_is_put_off(tmp_path):
    """429 with Retry-After when too much waits, so that senders keep it and memory does not."""
    may_store = Event()

    class Slow(SqliteStore):
        def add(self, batch, now_ns):
            may_store.wait(60)
            return super().add(batch, now_ns)

    large = traces(1, big="x" * (15 << 20))
    with RunningBox(tmp_path, store=Slow(tmp_path / "sessions.db")) as box, ThreadPoolExecutor(6) as senders:
        try:
            sent = [senders.submit(box.post, "/v1/traces", large) for _ in range(6)]
            put_off = next(as_completed(sent, timeout=60)).result()
        finally:
            may_store.set()
        assert put_off.status == 429
        assert put_off.headers["retry-after"] == "1"
        assert [each.result().status for each in sent].count(200) == 4


# S14, S15 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/static/x/..%2f..%2fauth.py",
        "/static/x/%2e%2e%2fauth.py",
        "/static/..%2f..%2f..%2f..%2fetc/passwd",
        "/static/x/%00",
        "/static/x/..%5cauth.py",
        "/static//etc/passwd",
        "/static/x//etc/passwd",
    ],
)
def test_s14_no_name_reaches_the_file_system(box, path):
    """Files are known by a list of their names."""
    answer = box.get(path)
    assert answer.status == 404
    assert b"root:" not in answer.body
    assert b"import" not in answer.body


def test_s15_nothing_that_is_received_is_fetched(box, monkeypatch):
    """An address in a span is text: the box connects to nobody."""
    wanted = []
    connect = socket.socket.connect

    def watched(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            wanted.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    url = "http://192.0.2.1/video.mp4"
    body = traces(1, agentops_session_video=url, input_value=f"![]({url})", http_url=url)
    assert box.post("/v1/traces", body).status == 200
    for path in (f"/s/{TRACE}", f"/s/{TRACE}.json", "/", "/sessions.json"):
        box.get(path, accept="text/html")
    assert not wanted
