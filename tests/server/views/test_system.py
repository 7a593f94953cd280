"""The page of the box."""

from __future__ import annotations

from agentops_otel.rows import Process
from agentops_otel.server.store import Seen
from agentops_otel.server.views.system import Program, programs
from agentops_otel.version import __version__
from tests.fakes import plays
from tests.fakes.sessions import SECOND
from tests.server.running import RunningBox
from tests.server.views.conftest import html, page, send, words


def test_what_arrives_and_what_is_refused_is_counted(empty):
    """Records of each signal, and each refusal with its reason."""
    run = send(empty, plays.refund(1_790_000_000 * SECOND))
    assert empty.post("/v1/traces", b"\xff\xff garbage").status == 400
    found = page(empty, "/system")
    accepted = {one["signal"]: one["records"] for one in found["received"]["accepted"]}
    assert accepted == {"traces": len(run.spans), "logs": len(run.records)}
    (refused,) = found["received"]["refused"]
    assert refused["requests"] == 1
    text = words(html(empty, "/system"))
    assert refused["reason"] in text
    assert f"{len(run.spans)} since the box was started" in text


def test_who_sends_is_told_by_program(shop):
    """Its host, its runtime, its SDK and the packages that it called."""
    found = {(one["service"], one["host"]): one for one in page(shop.box, "/system")["programs"]}
    desk = found["shop-api", "shop-api-1"]
    assert (desk["processes"], desk["sessions"]) == (3, 3)
    assert "openai 3.52" in " ".join(desk["packages"])
    assert "CPython 3.12.4" in words(html(shop.box, "/system"))


def test_processes_of_one_program_are_one_line():
    """Their sessions are added, and the last one counts."""
    one, other = Process("api", "h1", 1, "py", "i1", "sdk"), Process("api", "h1", 2, "py", "i2", "sdk")
    third = Process("api", "h2", 1, "py", "i3", "sdk")
    assert programs([Seen(one, 2, 10, ("a 1",)), Seen(third, 1, 30), Seen(other, 3, 20, ("b 2", "a 1"))]) == [
        Program("api", "h2", "py", "sdk", (), 1, 1, 30),
        Program("api", "h1", "py", "sdk", ("a 1", "b 2"), 2, 5, 20),
    ]


def test_store_retention_keys_and_versions_are_told(tmp_path):
    """What a person asks first when something is wrong."""
    day = 86_400 * SECOND
    with RunningBox(tmp_path, retain_ns=30 * day, retain_bytes=2 << 30, grpc_missing="it is off") as box:
        key = box.store.create_key("shop", 1_790_000_000 * SECOND)
        found, text = page(box, "/system"), html(box, "/system")
    assert found["store"]["path"].startswith(str(tmp_path))
    assert {"name": "agentops-otel", "version": __version__} in found["versions"]
    assert "30 days or 2 GiB" in words(text)
    assert "not served: it is off" in words(text)
    assert key not in text
    assert found["keys"][0]["project"] == "shop"


def test_a_box_that_nobody_sends_to_says_how(empty):
    """With the setting to copy."""
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT={empty.address}" in html(empty, "/system")
