"""One number is session id, trace id and, in its first half, root span id."""

from __future__ import annotations

import random
import re
import uuid
from collections import Counter

import pytest
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from agentops_otel.pipeline import ids
from agentops_otel.pipeline.ids import SessionIdGenerator
from tests.fakes.program import run


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


PROVIDERS = {
    "ours": "",
    "of-the-program": """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
""",
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_program_may_seed_its_random_numbers(provider):
    """Sessions, spans and repeats of what was not delivered take none of its numbers, and no id comes twice."""
    source = """
import agentops_otel as agentops
import random

ids = []

@agentops.tool
def pick():
    ids.append(trace.get_current_span().get_span_context().span_id)
    return random.random()

random.seed(42)
expected = [random.random() for _ in range(3)]
for _ in range(2):  # each run begins with the same seed
    random.seed(42)
    agentops.init(endpoint="http://127.0.0.1:9", journal="memory", summary=False)
    picked = [pick()]
    assert not agentops.flush(0.5)
    picked.append(pick())
    agentops.end_session("Success")
    agentops.shutdown(0.1)
    picked.append(random.random())
    assert picked == expected, (picked, expected)
print(len({*ids} - {0}))
"""
    ended = run("from opentelemetry import trace\n" + PROVIDERS[provider] + source)
    assert (ended.code, ended.out) == (0, "4\n"), ended.err


def test_other_tracers_take_no_number_of_the_program(make):
    """Their spans have their ids from the same generator, where the provider is ours."""
    tracer = make().provider.get_tracer("other")
    random.seed(42)
    before = random.getstate()
    made = [tracer.start_span("x").get_span_context() for _ in range(3)]
    assert random.getstate() == before
    assert len({context.span_id for context in made}) == len({context.trace_id for context in made}) == 3


def test_another_generator_stays_in_its_place():
    """One that a user has chosen is asked, also when its class is made from OpenTelemetry's default one."""

    class Counting(RandomIdGenerator):
        def generate_span_id(self):
            return 7

        def generate_trace_id(self):
            return 8

    generator = SessionIdGenerator(Counting())
    assert (generator.generate_span_id(), generator.generate_trace_id()) == (7, 8)


def test_a_generator_that_the_environment_names(tmp_path):
    """OTEL_PYTHON_ID_GENERATOR says where ids of spans come from."""
    about = tmp_path / "sevens-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sevens\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[opentelemetry_id_generator]\nsevens = sevens:Sevens\n")
    (tmp_path / "sevens.py").write_text(
        "from opentelemetry.sdk.trace import RandomIdGenerator\n"
        "class Sevens(RandomIdGenerator):\n"
        "    def generate_span_id(self): return 7\n"
    )
    ended = run(
        f"import sys; sys.path.append({str(tmp_path)!r})\n"
        "import agentops_otel as agentops\n"
        "from agentops_otel.testing import captured_session\n"
        "with captured_session() as captured:\n"
        "    agentops.record(agentops.ActionEvent('dig'))\n"
        "print(captured.find('dig').context.span_id)\n",
        {"OTEL_PYTHON_ID_GENERATOR": "sevens"},
    )
    assert (ended.code, ended.out) == (0, "7\n"), ended.err


def test_no_id_is_zero(monkeypatch):
    """Zero is no id: the next number is taken."""

    class Zeros(random.Random):
        given = iter([0, 0, 5, 0, 6])

        def getrandbits(self, k):
            return next(self.given)

    monkeypatch.setattr(ids, "_numbers", Zeros())
    generator = SessionIdGenerator(RandomIdGenerator())
    assert (generator.generate_span_id(), generator.generate_trace_id()) == (5, 6)
