"""Rows N1 to N19: whatever the network and the backend do, no span is lost, the end of the process is prompt and quiet.

Each row is the whole package in a process of its own. Outages are shorter here than in production, and so is the wait
for a batch; the full lengths are in `test_long.py`.
"""

from __future__ import annotations

import base64
import re
import shlex
import sys

import pytest

from tests.fakes import fault_server
from tests.fakes.fault_server import TRACES, FaultServer, ok, status
from tests.faults.program import Exit, Victim
from tests.faults.stage import BATCH, DRAIN, Stage

BOTH = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
GRPC = pytest.mark.parametrize("protocol", ["grpc"])
QUICK = {"AGENTOPS_MAX_WAIT_TIME": "500"}
KNOWN_DOWN = 0.6  # seconds to exit when nothing listens


def outlived(stage: Stage, seconds: float) -> None:
    """A victim meets the backend's fault for a while, then a backend that is well: it delivers everything, once."""
    victim = stage.victim("start()\nspans_until_told(50)", **QUICK)
    stage.wait_until(lambda: bool(stage.trace_requests()))
    stage.pause(seconds)
    stage.backend.mode = ok
    recovered(stage, victim)


def recovered(stage: Stage, victim: Victim, *, duplicates: int = 0) -> Exit:
    """The backend is well again, and the victim delivers while it lives, and then ends."""
    assert stage.drained(victim) <= 2 * DRAIN
    assert stage.duplicates() <= duplicates
    victim.go_on()
    exit_ = stage.ended_well(victim)
    # A slow machine may not get all of the last second away in time: then it says so.
    assert not stage.kept() or any("kept" in line for line in exit_.lines), exit_.lines
    stage.deliver_rest(victim, exact=False)
    assert stage.duplicates() <= duplicates + BATCH
    return exit_


@BOTH
def test_n1_down_all_the_time(stage, protocol):
    """A backend that is never there costs no span: all are kept, which one line says, and a flush delivers them."""
    stage.backend.down()
    victim = stage.victim("start()\nspans(100)")
    lines = stage.ended_well(victim, KNOWN_DOWN).lines
    kept = [line for line in lines if "101 of 101 spans" in line and f" in {stage.journal}" in line]
    assert len(kept) == 1, lines
    stage.backend.up()
    stage.deliver_rest(victim)
    assert stage.duplicates() == 0


def test_n1_the_next_process_delivers(stage):
    """What a process had to keep is delivered by the next one that starts, in the background."""
    stage.backend.down()
    victim = stage.victim("start()\nspans(100)")
    stage.ended_well(victim, KNOWN_DOWN)
    stage.backend.up()
    following = stage.victim("start()\npause()")
    stage.wait_until(lambda: victim.spans | victim.roots <= stage.stored() and not stage.kept())
    following.go_on()
    stage.ended_well(following)
    stage.arrived(victim, following)
    assert (stage.duplicates(), stage.kept()) == (0, 0)


@BOTH
def test_n1_the_next_process_is_short(stage, protocol):
    """A run that is over in a moment delivers, at its end, what the one before it had to keep."""
    stage.backend.down()
    victim = stage.victim("start()\nspans(100)")
    stage.ended_well(victim, KNOWN_DOWN)
    stage.backend.up()
    following = stage.victim("start()")
    stage.ended_well(following)
    stage.arrived(victim, following)
    assert (stage.duplicates(), stage.kept()) == (0, 0)


@BOTH
def test_n2_down_at_first(stage, protocol):
    """A backend that comes later than the program gets everything."""
    stage.backend.down()
    victim = stage.victim("start()\nspans_until_told(20)", **QUICK)
    stage.pause(4)
    stage.backend.up()
    recovered(stage, victim)


@BOTH
def test_n3_outage_in_the_middle(stage, protocol):
    """A backend that goes away and comes back, its connections cut: nothing is lost and two lines tell of it."""
    victim = stage.victim("start()\nspans_until_told(20)", **QUICK)
    stage.wait_until(lambda: bool(stage.stored()))
    stage.outage(8)
    lines = recovered(stage, victim, duplicates=BATCH).lines
    assert len([line for line in lines if "agentops-otel: Session" not in line]) <= 2, lines


@BOTH
def test_n4_slow(stage, protocol):
    """A backend that takes five seconds for each request does not hold up the end."""
    stage.backend.mode = fault_server.slow(5)
    victim = stage.victim("start()\nspans(600, per_second=200)", **QUICK)
    stage.ended_well(victim)
    stage.backend.mode = ok
    stage.deliver_rest(victim, exact=False)


@BOTH
def test_n5_stored_but_answered_late(stage, protocol):
    """A backend that stores and says so too late: nothing is lost, though it comes twice."""
    stage.backend.mode = fault_server.slow_but_stored(15)
    victim = stage.victim("start()\nspans(600)", **QUICK)
    stage.ended_well(victim)
    stage.backend.mode = ok
    stage.deliver_rest(victim, exact=False)


@BOTH
def test_n6a_retry_after(stage, protocol):
    """No request comes earlier than the backend asked for, and none is lost for it."""
    stage.backend.mode = status(429, {"retry-after": "2"}, signal=TRACES)
    outlived(stage, 5)
    refused = [request.time for request in stage.trace_requests() if not request.stored]
    times = [request.time for request in stage.trace_requests()]
    assert all(following - time >= 1.95 for time, following in zip(refused, times[1:], strict=False))


@BOTH
def test_n6b_long_retry_after(stage, protocol):
    """A wait longer than the program lives is kept: no second request, and the spans stay for the next start."""
    stage.backend.mode = status(429, {"retry-after": "30"}, signal=TRACES)
    victim = stage.victim("start()\nspans_until_told(50)", **QUICK)
    stage.wait_until(lambda: bool(stage.trace_requests()))
    stage.pause(3)
    victim.go_on()
    stage.ended_well(victim)
    assert len(stage.trace_requests()) == 1
    stage.backend.mode = ok
    stage.deliver_rest(victim)
    assert stage.duplicates() == 0


@pytest.mark.parametrize(("protocol", "code"), [("http/protobuf", 503), ("grpc", 503), ("grpc", 429)])
def test_n7_overloaded(stage, protocol, code):
    """A backend that refuses everything for a while gets everything afterwards."""
    stage.backend.mode = status(code)
    outlived(stage, 4)


@pytest.mark.parametrize(("protocol", "code"), [("http/protobuf", 400), ("http/protobuf", 500), ("grpc", 400)])
def test_n8_refused_once(stage, protocol, code):
    """One refusal of a batch is not the end of its spans."""
    stage.backend.mode = lambda _: ok if stage.trace_requests() else status(code, signal=TRACES)
    # One span alone that is refused is what is wrong: the first request waits for the others.
    victim = stage.victim("start()\nspans(200)\nagentops.flush(10)", AGENTOPS_MAX_WAIT_TIME="60000")
    stage.ended_well(victim)
    stage.arrived(victim)
    assert (stage.duplicates(), stage.kept()) == (0, 0)


@BOTH
def test_n8_one_bad_span(stage, protocol):
    """Of a batch that is refused because of one span, only that one is lost: put aside, counted and told."""
    stage.backend.mode = fault_server.reject_if("bad")
    victim = stage.victim("start()\nspans(100)\nspan('bad')\nspans(100)\nagentops.flush(10)")
    lines = stage.ended_well(victim).lines
    stage.arrived(victim, but=1)
    assert (stage.duplicates(), stage.kept()) == (0, 0)
    assert any("rejected" in line for line in lines), lines
    (aside,) = stage.journal.glob("*/rejected/*.jsonl")
    (line,) = aside.read_text(encoding="utf-8").splitlines()
    assert "bad" in line
    assert (victim.spans - stage.stored()).pop() in line


@BOTH
def test_n8_a_span_at_which_the_backend_fails(stage, protocol):
    """Such a span may be taken once the backend is mended: it is kept and arrives then, and holds up no other one."""
    stage.backend.mode = fault_server.reject_if("bad", 500)
    victim = stage.victim("start()\nspans(100)\nspan('bad')\nspans(100)\nagentops.flush(10)")
    stage.ended_well(victim)
    assert len(victim.spans - stage.stored()) == 1
    stage.backend.mode = ok
    stage.deliver_rest(victim)
    assert (stage.duplicates(), stage.kept()) == (0, 0)


@pytest.mark.parametrize(
    ("protocol", "mode"),
    [
        pytest.param("http/protobuf", fault_server.garbage(), id="http-body"),
        pytest.param("http/protobuf", fault_server.not_http(), id="http-protocol"),
        pytest.param("http/protobuf", fault_server.cut_off(), id="http-cut-off"),
        pytest.param("grpc", fault_server.garbage(), id="grpc-body"),
    ],
)
def test_n9_garbage(stage, protocol, mode):
    """An answer that makes no sense acknowledges nothing."""
    stage.backend.mode = mode
    victim = stage.victim("start()\nspans(100)")
    stage.ended_well(victim)
    stage.backend.mode = ok
    stage.deliver_rest(victim)
    assert stage.duplicates() == 0


@BOTH
def test_n10_reset(stage, protocol):
    """Connections that are reset for a while cost nothing."""
    stage.backend.mode = fault_server.reset()
    outlived(stage, 3)


@BOTH
def test_n11_partial_success(stage, protocol):
    """Spans that the backend says it rejected are counted, told once, and not sent again."""
    stage.backend.mode = lambda _: ok if stage.trace_requests() else fault_server.partial(3, "three are too old")
    # Of a first request with fewer spans, sent while they are still made, fewer could be rejected.
    victim = stage.victim("start()\nspans(200)\nagentops.flush(10)", AGENTOPS_MAX_WAIT_TIME="60000")
    lines = stage.ended_well(victim).lines
    assert len([line for line in lines if "3 spans" in line and "rejected" in line and "too old" in line]) >= 1, lines
    stage.arrived(victim, but=3)
    assert (stage.duplicates(), stage.kept()) == (0, 0)


@pytest.mark.parametrize("code", [301, 302, 304, 307, 308])
def test_n12_redirect(stage, code):
    """A redirect is a failure: nobody follows it, nothing is lost, and one line says where it led."""
    with FaultServer() as elsewhere:
        stage.backend.mode = fault_server.redirect(f"{elsewhere.url}/moved/v1/traces", code)
        victim = stage.victim("start()\nspans(20)")
        lines = stage.ended_well(victim).lines
        assert len([line for line in lines if elsewhere.url in line]) >= 1, lines
        assert not [line for line in elsewhere.asked if "moved" in line]
        assert elsewhere.requests == []
    stage.backend.mode = ok
    stage.deliver_rest(victim)
    assert stage.duplicates() == 0


FLUSHES = """
from opentelemetry.trace import get_tracer_provider
start()
spans(100)
ways = {
    "slept": lambda: time.sleep(0.5),  # how late the machine itself is
    "flush": lambda: agentops.flush(0.5),
    "force_flush": lambda: get_tracer_provider().force_flush(500),
}
for _ in range(3):
    for name, way in ways.items():
        begun = time.monotonic()
        tell(name, way())
        tell(name + "_seconds", time.monotonic() - begun)
"""


@BOTH
def test_n13_blackhole(stage, protocol):
    """Against a backend that never answers, a flush keeps its time and says False, and so does the end."""
    stage.backend.mode = fault_server.blackhole()
    victim = stage.victim(FLUSHES)
    stage.ended_well(victim)
    late = max(float(seconds) for seconds in victim.told("slept_seconds")) - 0.5
    for way in ("flush", "force_flush"):
        assert set(victim.told(way)) == {"False"}
        took = [float(seconds) for seconds in victim.told(f"{way}_seconds")]
        assert min(took) <= 0.7 + late, took
        assert max(took) <= 2.5 + 3 * late, took
    stage.backend.mode = ok
    stage.deliver_rest(victim)
    assert stage.duplicates() == 0


@BOTH
def test_n14_proxy(stage, protocol):
    """No proxy of the environment sees what is sent to this machine."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY")
    with FaultServer() as proxy:
        proxies = {each: proxy.url for name in names for each in (name, name.lower())}
        victim = stage.victim("start(api_key='secret')\nspans(20)", **proxies)
        stage.ended_well(victim)
        assert not [line for line in proxy.asked if not line.startswith("GET ")]
    stage.arrived(victim)


MEMORY = """
start()
spans(600)
agentops.flush(2)
tell_memory()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_n15_endless_answer(stage):
    """An answer of 400 MiB is not read into memory."""
    control = stage.victim(MEMORY)
    stage.ended_well(control)
    stage.backend.mode = fault_server.big_body(400 << 20)
    victim = stage.victim(MEMORY)
    stage.ended_well(victim)
    grown = victim.number("memory") - control.number("memory")
    assert grown < 16 * 1024, f"{grown} KiB"
    stage.backend.mode = ok
    stage.arrived(control)
    assert stage.command("flush").code == 0
    stage.arrived(control, victim)


@GRPC
def test_n16_larger_than_a_grpc_message(stage, protocol):
    """A prompt of 10 MB, which a gRPC server refuses: its neighbours arrive whole, and it arrives cut and marked."""
    victim = stage.victim(
        "start()\nspans(20)\nspan('big', prompt='x' * 10_000_000)\nspans(20)\nagentops.flush(20)",
        AGENTOPS_MAX_CONTENT_LENGTH="100000000",
    )
    stage.ended_well(victim)
    stage.arrived(victim)
    (big,) = [span for span in stage.backend.spans() if span.name == "big"]
    (prompt,) = [pair.value.string_value for pair in big.attributes if pair.key == "prompt"]
    assert "characters cut]" in prompt[-40:]


def test_n17_larger_than_an_http_request(stage):
    """A text of 70 MB, more than the backend takes in a request: its neighbours arrive whole, and it arrives cut."""
    stage.backend.mode = fault_server.too_large(20 << 20)
    victim = stage.victim(
        "start()\nspans(20)\nspan('big', prompt='x' * 70_000_000)\nspans(20)\nagentops.flush(30)",
        AGENTOPS_MAX_CONTENT_LENGTH="100000000",
    )
    stage.ended_well(victim)
    stage.arrived(victim)


RIGHT = "the-right-key"


def lock(stage, code=401, authorization=f"Bearer {RIGHT}"):
    """From now on the stage's backend takes what comes with the right key only, and refuses everything else."""
    decide = stage.backend.decide

    def guarded(path, headers, body, connection):
        stage.backend.mode = ok if headers.get("authorization") == authorization else status(code)
        return decide(path, headers, body, connection)

    stage.backend.decide = guarded


def advised(text):
    """The words of the command that a line advises, as a shell reads them."""
    (command,) = re.findall(r"agentops-otel (flush[^\n|;()│]*)", " ".join(text.split()))
    return shlex.split(command)


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("wrong", ["a-wrong-key", None], ids=["wrong", "none"])
@pytest.mark.parametrize("where", ["variable", "argument"])
@BOTH
def test_n18_a_refused_key(stage, protocol, code, wrong, where):
    """One line says whose key was refused and which command sends the spans; as it stands, it does so."""
    lock(stage, code)
    variables = {"AGENTOPS_API_KEY": wrong} if wrong and where == "variable" else {}
    given = f"api_key={wrong!r}, " if wrong and where == "argument" else ""
    given += f"endpoint={stage.backend.url!r}" if where == "argument" else ""
    victim = stage.victim(f"start({given})\nspans(20)", **variables)
    lines = stage.ended_well(victim).lines
    said = "was refused" if wrong else "no key is set"
    assert [line for line in lines if said in line], lines
    assert not [line for line in lines if "a-wrong-key" in line], lines
    (advice,) = [line for line in lines if "agentops-otel flush" in line]
    outside = {} if where == "variable" else {"AGENTOPS_ENDPOINT": "", "AGENTOPS_PROTOCOL": ""}
    command = stage.command(*advised(advice), AGENTOPS_API_KEY=RIGHT, **outside)
    assert command.code == 0, command.out
    stage.arrived(victim)
    assert (stage.duplicates(), stage.kept()) == (0, 0)


@pytest.mark.parametrize("user", ["ada", "bob"])
@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("AGENTOPS_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/traces"),
        (None, ""),
    ],
    ids=["ours", "base", "traces", "argument"],
)
def test_n18_a_refused_user(stage, variable, path, user):
    """The line says that user and password of the address were refused, and where the right ones belong."""
    lock(stage, authorization="Basic " + base64.b64encode(f"{user}:right".encode()).decode())
    address = "http://{}@" + stage.backend.url.removeprefix("http://") + path
    place = {"AGENTOPS_ENDPOINT": "", "AGENTOPS_PROTOCOL": ""}
    given = "" if variable else f"endpoint={address.format('ada:wrong')!r}"
    wrong = {variable: address.format("ada:wrong")} if variable else {}
    victim = stage.victim(f"start({given})\nspans(20)", **{**place, **wrong})
    lines = stage.ended_well(victim).lines
    assert [line for line in lines if "user and password of the endpoint" in line], lines
    assert not [line for line in lines if "wrong" in line or "AGENTOPS_API_KEY" in line], lines
    (advice,) = [line for line in lines if "agentops-otel flush" in line]
    named = variable or "AGENTOPS_ENDPOINT"
    assert f"set the right user and password in {named}, then: agentops-otel flush" in advice
    command = stage.command(*advised(advice), **{**place, named: address.format(f"{user}:right")})
    assert command.code == 0, command.out
    stage.arrived(victim)
    assert (stage.duplicates(), stage.kept()) == (0, 0)


def test_n18_a_replaced_key(stage):
    """Without being told, nothing that was kept under one key is sent with another; the command says how to tell it."""
    lock(stage)
    victim = stage.victim("start()\nspans(20)", AGENTOPS_API_KEY="the-old-key")
    stage.ended_well(victim)
    for variables in ({}, {"AGENTOPS_API_KEY": "another-wrong-key"}):
        command = stage.command("flush", **variables)
        assert command.code == 1
        assert "the key of project" in command.out
    later = stage.victim("start()\nspans(1)\ntime.sleep(2)", AGENTOPS_API_KEY=RIGHT)
    stage.ended_well(later)
    assert later.spans <= stage.stored()
    assert not victim.spans & stage.stored()
    assert stage.kept() >= len(victim.spans)
    command = stage.command(*advised(command.out), AGENTOPS_API_KEY=RIGHT)
    assert command.code == 0, command.out
    stage.arrived(victim, later)
    assert stage.kept() == 0


@pytest.mark.parametrize("before", [{"AGENTOPS_API_KEY": "the-old-key"}, {}], ids=["replaced", "forgotten"])
def test_n18_the_next_run_sends_them(stage, before):
    """A run that is told that its key replaces another sends what was kept; what had no key needs no telling."""
    lock(stage)
    victim = stage.victim("start()\nspans(20)", **before)
    stage.ended_well(victim)
    told = {"AGENTOPS_KEY_REPLACED": "true"} if before else {}
    later = stage.victim("start()", AGENTOPS_API_KEY=RIGHT, **told)
    stage.ended_well(later)
    assert victim.spans <= stage.stored()
    assert stage.duplicates() == 0


@pytest.mark.parametrize("answer", [status(404), fault_server.redirect("http://elsewhere")], ids=["404", "redirect"])
def test_n19_a_wrong_address(stage, answer):
    """What was kept for a wrong address is sent to the right one by the command that the line advises."""
    stage.backend.mode = answer
    victim = stage.victim("start()\nspans(20)", AGENTOPS_ENDPOINT=f"{stage.backend.url}/wrong")
    lines = stage.ended_well(victim).lines
    stage.backend.mode = ok
    (advice,) = [line for line in lines if "agentops-otel flush" in line]
    assert advised(advice) == ["flush", "--endpoint", "URL"]
    command = stage.command("flush", "--endpoint", stage.backend.url)
    assert command.code == 0, command.out
    stage.arrived(victim)
    assert stage.kept() == 0


def test_n18_a_key_goes_nowhere_else(stage):
    """What was kept without a key for one place is sent there without the key of another."""
    stage.backend.down()
    victim = stage.victim("start()\nspans(5)")
    stage.ended_well(victim)
    stage.backend.up()
    command = stage.command("flush", AGENTOPS_API_KEY="a-key", AGENTOPS_ENDPOINT="http://127.0.0.1:9")
    assert command.code == 0, command.out
    stage.arrived(victim)
    assert not [request for request in stage.backend.requests if "authorization" in request.headers]
