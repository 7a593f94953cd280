"""Gates G6 to G8: kills at random moments, a backend that mostly fails, and steady work for a long time.

Each has a short form for every run and a long one behind the mark `long`; so have the outages of `test_network.py`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes import fault_server
from tests.fakes.fault_server import TRACES, ok
from tests.faults.stage import BATCH, DRAIN


def forms(name: str, short: int, long: int, *, minutes: int):
    """A parameter with its short form and its long one, which may take so many minutes."""
    long_form = pytest.param(long, marks=[pytest.mark.long, pytest.mark.timeout(minutes * 60)])
    return pytest.mark.parametrize(name, [short, long_form])


@forms("kills", 20, 1000, minutes=90)
def test_g8_random_kills(alone, kills):
    """Every span whose end was seen is there after SIGKILL at any moment, and no byte of a journal is unreadable.

    While one is killed, the next one already replays what the others left, and is killed too.
    """
    dice = random.Random(kills)
    delays = [dice.uniform(0, 1.0) for _ in range(kills)]

    def kill(delay: float):
        victim = alone.victim("start()\nspans(10**9)")
        alone.pause(delay)
        os.kill(victim.pid, signal.SIGKILL)
        assert victim.exit().code == -signal.SIGKILL
        return victim

    with ThreadPoolExecutor(2) as pool:
        victims = list(pool.map(kill, delays))
    state = alone.state()
    assert sum(destination.unreadable for destination in state.destinations) == 0
    done = alone.command("flush", "--timeout=900")
    assert done.code == 0, (done.out, done.err)
    alone.arrived(*victims, untold=kills)
    assert alone.kept() == 0
    told = sum(len(victim.spans) for victim in victims)
    print(f"G8: {kills} kills: 0 of {told:,} spans lost, {alone.duplicates():,} sent twice")


@forms("seconds", 20, 300, minutes=20)
def test_g7_a_backend_that_mostly_fails(alone, seconds):
    """Bursts and idle times against a backend that refuses 70 % of all requests: sent is received, once each."""
    alone.backend.mode = fault_server.chaos(0.7)
    victim = alone.victim(
        f"""
        import random
        start()
        until = time.monotonic() + {seconds}
        while time.monotonic() < until:
            spans(random.randint(1, 2000))
            time.sleep(random.uniform(0, 1))
        """
    )
    alone.pause(seconds)
    alone.ended_well(victim)
    arrived = len(alone.stored())
    alone.backend.mode = ok
    alone.deliver_rest(victim, exact=False)
    assert alone.duplicates() <= BATCH
    requests = alone.trace_requests()
    refused = sum(not request.stored for request in requests)
    print(
        f"G7: {seconds} s: {len(victim.spans) + 1:,} spans, {refused} of {len(requests)} requests refused, "
        f"{arrived:,} had arrived at the end, 0 lost, {alone.duplicates()} sent twice"
    )


SOAK = """
import resource
start()

def sample():
    with open("/proc/self/statm") as statm:
        tell("rss", int(statm.read().split()[1]) * resource.getpagesize())
    tell("descriptors", len(os.listdir("/proc/self/fd")))
    tell("threads", threading.active_count())

until = time.monotonic() + {seconds}
while time.monotonic() < until:
    spans(1000, per_second=1000)
    sample()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@forms("seconds", 20, 3600, minutes=90)
def test_g6_soak(alone, seconds):
    """A thousand spans a second for long: memory, descriptors and threads stay what they are."""
    victim = alone.victim(SOAK.format(seconds=seconds))
    alone.pause(seconds)
    alone.ended_well(victim)
    alone.deliver_rest(victim, exact=False)
    warm, late = {}, {}
    for what in ("rss", "descriptors", "threads"):
        samples = [int(value) for value in victim.told(what)]
        warm[what] = max(samples[len(samples) // 5 : len(samples) * 2 // 5])
        late[what] = max(samples[len(samples) * 4 // 5 :])
    print(f"G6: {seconds} s: {len(victim.spans):,} spans, at first {warm}, at the end {late}, 0 lost")
    assert late["rss"] - warm["rss"] < 10e6
    assert late["descriptors"] <= warm["descriptors"] + 2  # a segment and a connection may just be changing
    assert late["threads"] <= warm["threads"]


BOTH = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


@BOTH
@pytest.mark.long
@pytest.mark.timeout(600)
def test_n3_outage_of_a_minute(stage, protocol):
    """As in `test_network.py`, in full length: a minute without a backend in two minutes of work."""
    victim = stage.victim("start()\nspans_until_told(20)")
    stage.pause(30)
    stage.outage(60)
    drained = stage.drained(victim)
    stage.pause(30)
    victim.go_on()
    lines = stage.ended_well(victim).lines
    assert len([line for line in lines if "agentops-otel: Session" not in line]) <= 2, lines
    stage.deliver_rest(victim, exact=False)
    assert stage.duplicates() <= BATCH
    assert drained <= DRAIN + 5, f"{drained:.1f} s"  # up to five seconds of it are the wait for a batch
    print(f"N3 {protocol}: drained {drained:.1f} s after the return, 0 lost, {stage.duplicates()} sent twice")


@BOTH
@pytest.mark.long
@pytest.mark.timeout(600)
def test_n5_answered_after_the_time_is_up(stage, protocol):
    """As in `test_network.py`, with a program that lives to see its requests time out."""
    stage.backend.mode = fault_server.slow_but_stored(15)
    victim = stage.victim("start()\nspans_until_told(20)")
    stage.pause(40)
    stage.backend.mode = ok
    stage.drained(victim)
    victim.go_on()
    stage.ended_well(victim)
    stage.deliver_rest(victim, exact=False)
    print(f"N5 {protocol}: 0 lost, {stage.duplicates()} sent twice")


@BOTH
@pytest.mark.long
@pytest.mark.timeout(600)
def test_n6b_long_retry_after_is_waited_for(stage, protocol):
    """A program that lives longer than the backend asked it to wait sends then, and not before."""
    stage.backend.mode = lambda _: (
        ok if stage.trace_requests() else fault_server.status(429, {"retry-after": "30"}, signal=TRACES)
    )
    victim = stage.victim("start()\nspans_until_told(20)")
    stage.wait_until(lambda: bool(stage.trace_requests()))
    stage.drained(victim)
    victim.go_on()
    stage.ended_well(victim)
    first, second = (request.time for request in stage.trace_requests()[:2])
    assert second - first >= 29.9
    stage.deliver_rest(victim, exact=False)
    assert stage.duplicates() == 0
