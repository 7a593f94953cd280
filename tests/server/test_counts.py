"""What the receivers count."""

from __future__ import annotations

from agentops_otel.server.counts import OTHERS, SECONDS, Counts

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def test_records_and_requests_are_counted_by_signal():
    """Two requests with spans and one with logs are told apart."""
    counts = Counts()
    counts.accept("traces", 3, NOW, size=100, sender="python")
    counts.accept("traces", 4, NOW + 1, size=50, sender="python")
    counts.accept("logs", 1, NOW + 2, sender="go")
    read = counts.read(NOW + SECOND)
    assert [(each.signal, each.requests, each.records, each.bytes) for each in read.accepted] == [
        ("traces", 2, 7, 150),
        ("logs", 1, 1, 0),
    ]
    assert [(each.name, each.requests) for each in read.senders] == [("go", 1), ("python", 2)]
    assert read.spans == 7
    assert read.last_ns == NOW + 2


def test_the_rate_has_each_second_that_is_over():
    """The newest complete second is the last one, older ones fall out, and metrics are no part of it."""
    counts = Counts()
    counts.accept("traces", 5, NOW - SECONDS * SECOND - 1)
    counts.accept("traces", 7, NOW - SECONDS * SECOND)
    counts.accept("traces", 20, NOW - 2 * SECOND)
    counts.accept("logs", 10, NOW - SECOND)
    counts.accept("metrics", 10, NOW - SECOND)
    counts.accept("traces", 1_000, NOW)
    rates = counts.read(NOW).rates
    assert len(rates) == SECONDS
    assert rates[0] == 7
    assert rates[-2:] == (20, 10)
    assert sum(rates) == 37
    assert counts.read(NOW).a_second == 3.0


def test_a_clock_that_goes_back_loses_no_record():
    """Records that arrive after the clock was set back count into the newest second."""
    counts = Counts()
    counts.accept("traces", 5, NOW)
    counts.accept("traces", 6, NOW - 100 * SECOND)
    assert counts.read(NOW + SECOND).rates[-1] == 11


def test_refusals_are_counted_by_reason_the_last_first():
    """A refused request and a part of an accepted one are different numbers."""
    counts = Counts()
    counts.refuse("not OTLP", NOW, sender="curl/8")
    counts.refuse("too large", NOW + 1)
    counts.refuse("a trace id is not valid", NOW + 2, records=3)
    counts.refuse("not OTLP", NOW + 3, sender="curl/9")
    read = counts.read(NOW)
    assert [(each.reason, each.requests, each.records) for each in read.refused] == [
        ("not OTLP", 2, 0),
        ("a trace id is not valid", 0, 3),
        ("too large", 1, 0),
    ]
    assert read.refused[0].sender == "curl/9"


def test_no_sender_makes_the_counts_grow_without_end():
    """Long and ever new reasons and user agents are cut and counted together."""
    counts = Counts()
    for number in range(1_000):
        counts.refuse(f"{number} " + "x" * 10_000, NOW, sender="y" * 10_000)
        counts.accept("traces", 1, NOW, sender=f"{number} " + "z" * 10_000)
    read = counts.read(NOW)
    assert len(read.refused) == len(read.senders) == 51
    assert {each.reason: each.requests for each in read.refused}[OTHERS] == 950
    assert sum(each.requests for each in read.senders) == 1_000
    assert max(len(each.reason) for each in read.refused) == max(len(each.name) for each in read.senders) == 200
