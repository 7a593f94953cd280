"""A clock on the wall that is set back while things are going on: deadlines hold, and no span ends before it starts.

Each in a program of its own whose clock can be set: `time.time` and `time.time_ns` are replaced before anything else is
imported. Python's own waiting goes by the monotonic clock.
"""

from __future__ import annotations

import json
import textwrap

import pytest

from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Program, run

CLOCK = """
import time
class Clock:
    ahead = 0
    real, real_ns = time.time, time.time_ns
    @classmethod
    def set_back(cls):
        cls.ahead -= 3600
time.time = lambda: Clock.real() + Clock.ahead
time.time_ns = lambda: Clock.real_ns() + Clock.ahead * 10**9
import functools, gc, json, os, threading
print = functools.partial(print, flush=True)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
import agentops_otel as agentops
from agentops_otel.testing import SpanCapture
"""


def program(source, variables=None):
    ended = run(CLOCK + textwrap.dedent(source), variables, timeout=60)
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


# T1: while an export is repeated

RETRYING = """
if os.environ["PROVIDER"] == "host":
    trace.set_tracer_provider(TracerProvider())
agentops.init(endpoint=os.environ["ENDPOINT"], summary=False, max_wait_time=50, timeout=20, env_data_opt_out=True)
agentops.record(agentops.ActionEvent("search"))
agentops.flush(0.5)  # fails, and is repeated from now on
pipeline = agentops.api._client.provider.pipelines[0]
deadline = time.monotonic() + 20
while not pipeline.exporter.kept and time.monotonic() < deadline:
    time.sleep(0.01)
agentops.record(agentops.ActionEvent("search again"))
flush = agentops.flush if os.environ["FLUSH"] == "ours" else (
    lambda seconds: trace.get_tracer_provider().force_flush(int(seconds * 1000)))
setter = threading.Timer(0.3, Clock.set_back)  # in the middle of it
setter.start()
began = time.monotonic()
flushed = flush(1.0)
print(json.dumps([flushed, time.monotonic() - began]))
setter.join()
began = time.monotonic()
flushed = flush(1.0)  # and after it
print(json.dumps([flushed, time.monotonic() - began]))
import sys
sys.stdin.readline()
print(json.dumps([flush(30.0), 0]))  # half of it belongs to a request that is still waiting for an answer
began = time.monotonic()
agentops.end_session("Success")
agentops.shutdown()
print(json.dumps([True, time.monotonic() - began]))
"""


@pytest.mark.parametrize("mode", ["refusing", "silent"])
@pytest.mark.parametrize(("provider", "flush"), [("own", "ours"), ("own", "force_flush"), ("host", "force_flush")])
def test_t1_a_clock_set_back_while_an_export_is_repeated(mode, provider, flush):
    """`flush(t)` comes back by t, not by a clock an hour off, and says False; when the backend is back, True."""
    down = fault_server.status(503) if mode == "refusing" else fault_server.blackhole()
    with FaultServer(mode=down) as server:
        variables = {"ENDPOINT": server.url, "PROVIDER": provider, "FLUSH": flush}
        with Program(CLOCK + RETRYING, variables) as victim:
            for _ in range(2):
                flushed, seconds = json.loads(victim.line())
                assert flushed is False
                assert seconds < 3
            server.mode = fault_server.ok
            ended = victim.answer("\n")
        assert ended.code == 0, ended.err
        (flushed, _), (_, seconds) = map(json.loads, ended.out.splitlines())
        assert flushed is True
        assert seconds < 5
        # (twice, where a request was given up that the backend took all the same)
        assert {span.name for span in server.spans()} == {"search", "search again", "session"}


def test_t1_the_time_left_for_the_next_processor():
    """On our provider a clock set back while one processor flushes gives the others no hour more."""
    ((flushed, left),) = program("""
    from opentelemetry.sdk.trace import SpanProcessor
    class Setting(SpanProcessor):
        def force_flush(self, timeout_millis=30000):
            Clock.set_back()
            return True
    class Asked(SpanProcessor):
        def force_flush(self, timeout_millis=30000):
            self.left = timeout_millis
            return True
    asked = Asked()
    agentops.init(exporter=SpanCapture(), summary=False, env_data_opt_out=True)
    trace.get_tracer_provider().add_span_processor(Setting())
    trace.get_tracer_provider().add_span_processor(asked)
    print(json.dumps([trace.get_tracer_provider().force_flush(5000), asked.left]))
    """)
    assert flushed is True
    assert 0 < left <= 5000


# T2: inside of a span

SPANS = """
capture = SpanCapture(lambda: agentops.flush(10))
if {host}:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    agentops.init(summary=False, auto_start_session=False, env_data_opt_out=True)
    provider.add_span_processor(SimpleSpanProcessor(capture))
else:
    agentops.init(exporter=capture, summary=False, auto_start_session=False, env_data_opt_out=True)
tracer = trace.get_tracer("foreign")

@agentops.tool
def dig():
    Clock.set_back()
    time.sleep(0.05)

@agentops.action
def steps():
    yield 1
    Clock.set_back()
    time.sleep(0.05)

with agentops.session():
    dig()
    list(steps())
    event = agentops.ActionEvent("event")
    Clock.set_back()
    time.sleep(0.05)
    agentops.record(event)
    with tracer.start_as_current_span("foreign"):
        Clock.set_back()
        time.sleep(0.05)
    now = time.time_ns()
    span = tracer.start_span("given", start_time=now - 10**9)
    Clock.set_back()
    span.end(now - 5 * 10**8)
    tracer.start_span("backwards", start_time=now).end(now - 10**9)
with agentops.session(name="ahead"):
    with tracer.start_as_current_span("ahead"):
        Clock.ahead += 3600
        time.sleep(0.05)
print(json.dumps({{span.name: (span.end_time - span.start_time) / 1e9 for span in capture.spans}}))
"""


@pytest.mark.parametrize("host", [False, True], ids=["own provider", "host's provider"])
def test_t2_a_clock_set_back_inside_of_a_span(host):
    """Every span lasts as long as it did: root, decorated calls, events, other tracers' spans; given times stay."""
    (seconds,) = program(SPANS.format(host=host))
    assert seconds.pop("given") == pytest.approx(0.5)
    assert seconds.pop("backwards") == 0
    assert set(seconds) == {"session", "execute_tool dig", "steps", "event", "foreign", "ahead", "session ahead"}
    for name, lasted in seconds.items():
        assert 0.05 <= lasted < 30, name


LLM = """
import openai
from tests.fakes.llm_server import LlmServer, Reply, chat, chat_chunks
capture = SpanCapture(lambda: agentops.flush(10))
agentops.init(exporter=capture, summary=False, env_data_opt_out=True)
ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}
with LlmServer() as server, openai.OpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
    server.then(Reply(chat(), delay=0.3))
    setter = threading.Timer(0.1, Clock.set_back)
    setter.start()
    client.chat.completions.create(**ask)
    setter.join()
    for number, chunk in enumerate(client.chat.completions.create(stream=True, **ask)):
        if number == 1:
            Clock.set_back()
            time.sleep(0.05)
    chunks = client.chat.completions.create(stream=True, **ask)
    next(chunks)
    Clock.set_back()
    del chunks
    gc.collect()
print(json.dumps([(span.end_time - span.start_time) / 1e9 for span in capture.spans]))
"""


def test_t2_a_clock_set_back_inside_of_an_llm_call():
    """A call, a stream, and a stream that the garbage collector ends."""
    ((call, stream, abandoned),) = program(LLM)
    assert 0.1 <= call < 30
    assert 0.05 <= stream < 30
    assert 0 <= abandoned < 30
