"""Spans that a backend refused for good are kept for people to read, within bounds."""

from __future__ import annotations

import json
import os

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from agentops_otel.pipeline import rejected
from agentops_otel.pipeline.journal import Journal


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "journal" / "destination")


def make(number, size=0):
    context = SpanContext(1, number, is_remote=False)
    return ReadableSpan(f"span {number}", context, attributes={"a": "x" * size}, resource=Resource({"b": 2}))


def lines(directory):
    folder = os.path.join(directory, "rejected")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            yield from map(json.loads, file)


def test_refused_spans_can_be_read_by_people(directory):
    """One line each with the reason, also for a span that cannot be encoded; they count as acknowledged."""
    journal = Journal(directory)
    good, bad = make(1), make(2**70)
    places = [journal.append(good), journal.append(make(3))]
    journal.reject([(good, places[0], 'it is "bad"'), (bad, places[1], "not encodable")])
    first, second = lines(directory)
    assert first["reason"] == 'it is "bad"'
    assert first["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "span 1"
    assert (second["reason"], second["name"]) == ("not encodable", bad.name)
    assert journal.unacknowledged == 0
    journal.close()
    assert os.listdir(directory) == ["rejected"]


def test_only_the_last_refused_spans_are_kept(directory, monkeypatch):
    """The oldest files go, of whichever process they are."""
    monkeypatch.setattr(rejected, "_FILE_BYTES", 5_000)
    monkeypatch.setattr(rejected, "_MOST_BYTES", 20_000)
    for number in range(1, 61):
        rejected.keep(directory, f"process {number // 20}", [(make(number, 1000), "refused")])
    names = [line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] for line in lines(directory)]
    assert names == [f"span {number}" for number in range(61 - len(names), 61)]
    assert 8 <= len(names) <= 20


def test_what_cannot_be_kept_is_acknowledged_all_the_same(directory):
    """A span that was refused for good must not be sent again for want of a file."""
    journal = Journal(directory)
    place = journal.append(make(1))
    with open(os.path.join(directory, "rejected"), "w"):
        pass  # a file where the folder should be
    journal.reject([(make(1), place, "refused")])
    assert journal.unacknowledged == 0
    journal.close()
