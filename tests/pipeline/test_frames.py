"""Records in a file are found whatever lies around them, and one that was cut short is told apart from damage."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops_otel.pipeline.frames import Kind, frame, frames


def test_every_byte_counts():
    """A record with a changed byte is no record, and its neighbours are read."""
    records = [frame(Kind.SPAN, number, b"payload %d" % number) for number in range(3)]
    whole = b"".join(records)
    for position in range(len(records[0]), len(records[0]) + len(records[1])):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        found = list(frames(bytes(damaged)))
        assert [each and each.seq for each in found] == [0, None, 2]


def test_a_file_may_end_anywhere():
    """A record whose writing was cut short is told apart from damage, at every byte; those before it are whole."""
    records = [frame(Kind.SPAN, number, b"x" * number) for number in range(5)]
    whole, ends = b"".join(records), [0]
    for record in records:
        ends.append(ends[-1] + len(record))
    for end in range(len(whole) + 1):
        found = list(frames(whole[:end]))
        assert None not in found
        complete = sum(each <= end for each in ends[1:])
        torn = end - ends[complete]
        expected = [(Kind.SPAN, seq, len(records[seq])) for seq in range(complete)]
        assert [each[:2] + each[3:4] for each in found] == expected + ([(Kind.TORN, 0, torn)] if torn else [])


@pytest.mark.parametrize(
    "tail",
    [
        b"\xf7",
        b"\xf7AJ",
        frame(Kind.SPAN, 9, b"payload")[:9],
        frame(Kind.SPAN, 9, b"payload")[:-1],
    ],
)
def test_only_the_end_of_a_file_is_cut_short(tail):
    """The beginning of a record with another record behind it is damage, and so is what never was a beginning."""
    after = frame(Kind.SPAN, 1, b"after")
    assert [each and each.kind for each in frames(tail)] == [Kind.TORN]
    assert [each and each.kind for each in frames(tail + after)] == [None, Kind.SPAN]
    assert [each and each.kind for each in frames(b"x" + tail)] == [None]
    assert [each and each.kind for each in frames(tail[:-1] + b"x")] == [None if len(tail) < 6 else Kind.TORN]


def test_a_whole_record_with_another_byte_is_never_cut_short():
    """Damage of the last record is damage, unless it is the length that says how much should follow."""
    whole = frame(Kind.SPAN, 1, b"payload" * 100)
    for position in (*range(6), *range(10, len(whole))):
        changed = bytearray(whole)
        changed[position] ^= 1 << position % 8
        assert list(frames(bytes(changed))) == [None]


def test_a_payload_may_contain_what_looks_like_a_record():
    """A record in a record is not found, unless the outer one is damaged."""
    inner = frame(Kind.SPAN, 1, b"inner")
    outer = frame(Kind.SPAN, 2, inner)
    assert [each.seq for each in frames(outer)] == [2]
    assert [each and each.seq for each in frames(b"x" + outer[1:])] == [None, 1]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_rubbish_between_records_is_passed_over(before, after):
    """Whatever lies around it, an intact record is found."""
    record = frame(Kind.SPAN, 42, b"payload")
    assert 42 in [each.seq for each in frames(before + record + after) if each is not None]


def test_a_forged_file_does_not_cost_the_square_of_its_size():
    """A file made of headers that all claim the rest of it is given up soon."""
    size = 4 << 20
    header = struct.pack("<4sBBIQI", b"\xf7AJ\xff", 1, Kind.SPAN, size // 2, 0, 0)
    assert list(frames(header * (size // len(header)))) == [None]
