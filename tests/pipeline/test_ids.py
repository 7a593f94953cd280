"""One number is session id, trace id and, in its first half, root span id."""

from __future__ import annotations

import re
import uuid
from collections import Counter

import pytest
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from agentops_otel.pipeline import ids
from agentops_otel.pipeline.ids import SessionIdGenerator


def test_a_session_id_is_uuid_text_of_the_trace_id():
    """Text, trace id and root span id of a new session can be made from each other."""
    text = ids.new_session_id()
    number = ids.trace_id(text)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    assert f"{number:032x}" == text.replace("-", "")
    assert f"{ids.root_span_id(number):016x}" == text.replace("-", "")[:16]
    assert ids.session_id(number) == text


def test_no_bit_of_an_id_is_fixed():
    """Every one of the 128 bits takes both values: an id does not look like a UUID of version 4 by construction."""
    numbers = [ids.trace_id(ids.new_session_id()) for _ in range(500)]
    ones = Counter(bit for number in numbers for bit in range(128) if number >> bit & 1)
    assert all(150 < ones[bit] < 350 for bit in range(128))


def test_a_ratio_sampler_keeps_its_share():
    """A ratio of 0.1 keeps about 10 % of 2,000 ids; of version-4 UUIDs it would keep none."""
    sampler = TraceIdRatioBased(0.1)

    def kept(numbers: list[int]) -> int:
        return sum(sampler.should_sample(None, n, "session").decision is Decision.RECORD_AND_SAMPLE for n in numbers)

    assert 140 <= kept([ids.trace_id(ids.new_session_id()) for _ in range(2000)]) <= 260
    assert kept([uuid.uuid4().int for _ in range(2000)]) == 0


def test_a_root_span_id_is_never_zero():
    """Zero is no span id: a trace id whose first half is zero has a root with the id 1."""
    assert ids.root_span_id(7) == 1


UUID = "0123ABCD-4567-89ab-cdef-0123456789ab"


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(UUID, id="uuid"),
        pytest.param(UUID.upper(), id="upper-case"),
        pytest.param(UUID.replace("-", ""), id="trace-id"),
        pytest.param("{" + UUID + "}", id="braces"),
        pytest.param("urn:uuid:" + UUID, id="urn"),
        pytest.param(uuid.UUID(UUID), id="UUID-object"),
    ],
)
def test_any_spelling_of_a_uuid_is_accepted(spelling):
    """A session id is the same however it is written."""
    assert ids.parse_session_id(spelling) == UUID.lower()


def test_any_version_of_uuid_is_accepted():
    """An inherited id may be made by any other program."""
    for made in (uuid.uuid1(), uuid.uuid4(), uuid.uuid5(uuid.NAMESPACE_URL, "x"), uuid.UUID(int=1)):
        assert ids.parse_session_id(str(made)) == str(made)


@pytest.mark.parametrize("wrong", ["", "none", "1234", UUID + "0", None, 17, str(uuid.UUID(int=0))])
def test_what_is_no_uuid_is_refused(wrong):
    """The message quotes what was given, or says that zeros name nothing."""
    with pytest.raises(ValueError, match=re.escape(repr(wrong)) if str(wrong)[:4] != "0000" else "zeros"):
        ids.parse_session_id(wrong)


def test_a_long_wrong_id_is_quoted_in_part():
    """A message stays one line of bearable length."""
    with pytest.raises(ValueError) as raised:
        ids.parse_session_id("x" * 10_000)
    assert len(str(raised.value)) < 250


def test_only_the_root_gets_the_session_id():
    """Inside the block one span gets the session's ids, further ones and those after it get others."""
    generator = SessionIdGenerator(RandomIdGenerator())
    number = ids.trace_id(ids.new_session_id())
    with generator.root(number):
        assert generator.generate_trace_id() == number
        assert generator.is_trace_id_random()
        assert generator.generate_span_id() == ids.root_span_id(number)
        assert generator.generate_span_id() != ids.root_span_id(number)
        assert generator.generate_trace_id() != number
    assert generator.generate_trace_id() != number
