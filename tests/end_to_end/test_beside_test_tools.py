"""What programs use in their own tests, frozen clocks and mocked HTTP: we work beside it and leave no trace in it."""

from __future__ import annotations

import time

import pytest

from tests.fakes import fault_server
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import Program, run

FREEZERS = {
    "freezegun": "import freezegun; freezer = freezegun.freeze_time('2024-02-29')",
    "time_machine": "import time_machine; freezer = time_machine.travel(0, tick=False)",
}


@pytest.fixture
def server():
    with FaultServer() as server:
        yield server


@pytest.mark.parametrize("imported", ["before", "inside"])
@pytest.mark.parametrize("tool", FREEZERS)
def test_a_frozen_clock_stretches_no_wait(server, tool, imported):
    """With a backend that does not answer, ending a session and the process takes the time that it always takes."""
    server.mode = fault_server.blackhole()
    start, load = "freezer.start()", "import agentops_otel as agentops"
    with Program(
        f"""
        {FREEZERS[tool]}
        {load if imported == "before" else start}
        {start if imported == "before" else load}
        agentops.init(endpoint={server.url!r}, shutdown_timeout=1)
        agentops.record(agentops.ActionEvent("x"))
        print("ending", flush=True)
        agentops.flush(0.3)
        agentops.end_session("Success")
        print("ended", flush=True)
        """
    ) as program:
        assert program.line() == "ending"
        begun = time.monotonic()
        ended = program.end(60)
    assert ended.code == 0, ended.err
    assert ": 2 of 2 spans, because" in ended.err or "2 of 2 spans kept" in ended.err, ended.err
    assert time.monotonic() - begun < 20  # it was a minute for each wait


@pytest.mark.parametrize("tool", FREEZERS)
def test_a_clock_that_was_frozen_for_a_while(server, tool):
    """What began before the freeze and ends in it, or after it, has a sensible length, and the worker goes on."""
    ended = run(
        f"""
        import time
        {FREEZERS[tool]}
        import agentops_otel as agentops
        agentops.init(endpoint={server.url!r}, summary=False)
        with freezer:
            agentops.record(agentops.ActionEvent("frozen"))
            assert agentops.flush(5)
        agentops.record(agentops.ActionEvent("thawed"))
        time.sleep(1.5)  # a tick of the worker sends, without a flush
        agentops.end_session("Success")
        """
    )
    assert ended.code == 0, ended.err
    assert ended.err == ""
    (root,) = [span for span in server.spans() if span.name == "session"]
    assert 0 <= root.end_time_unix_nano - root.start_time_unix_nano < 60e9
    assert sorted(span.name for span in server.spans()) == ["frozen", "session", "thawed"]


def program(server, before, around):
    """Record one action inside a block of a tool, and say whether it was delivered and what the tool has seen."""
    return run(
        f"""
        {before}
        import agentops_otel as agentops
        agentops.init(endpoint={server.url!r}, summary=False)
        with {around} as tool:
            agentops.record(agentops.ActionEvent("inside"))
            print(agentops.flush(10))
            print(seen(tool))
        agentops.end_session("Success")
        """
    )


@pytest.mark.parametrize("mode", ["once", "none", "all"])
@pytest.mark.parametrize("first", ["agentops_otel", "vcr", "cassette"])
def test_vcrpy(server, tmp_path, mode, first):
    """Our requests are in no cassette, and a cassette that lets nothing through does not hold them up."""
    around = f"vcr.use_cassette({str(tmp_path / 'tape.yaml')!r}, record_mode={mode!r})"
    before = {
        "agentops_otel": "import agentops_otel, vcr",
        "vcr": "import vcr",
        "cassette": f"import contextlib, vcr; outer = contextlib.ExitStack(); outer.enter_context({around})",
    }[first]
    ended = program(server, f"{before}; seen = len", around)
    assert (ended.code, ended.out, ended.err) == (0, "True\n0\n", "")
    assert not (tmp_path / "tape.yaml").exists()
    assert len(server.spans()) == 2


@pytest.mark.parametrize(
    ("before", "around"),
    [
        ("import responses; seen = lambda tool: len(tool.calls)", "responses.RequestsMock()"),
        ("import requests_mock; seen = lambda tool: tool.call_count", "requests_mock.Mocker()"),
        (
            "from unittest import mock; seen = lambda tool: tool.call_count",
            "mock.patch('http.client.HTTPConnection.request', side_effect=OSError)",
        ),
        (
            "from unittest import mock; import urllib3; seen = lambda tool: tool.call_count",
            "mock.patch('urllib3.HTTPConnectionPool.urlopen', side_effect=OSError)",
        ),
    ],
    ids=["responses", "requests_mock", "http.client", "urllib3"],
)
def test_mocked_http(server, before, around):
    """What takes the place of the program's HTTP sees no request of ours, and every span arrives."""
    ended = program(server, before, around)
    assert (ended.code, ended.out, ended.err) == (0, "True\n0\n", "")
    assert len(server.spans()) == 2


@pytest.mark.parametrize("allowed", [True, False])
def test_mocked_sockets(server, allowed):
    """Where the sockets themselves are replaced, the spans wait at the latest until they are real again."""
    ended = run(
        f"""
        import httpretty
        import agentops_otel as agentops
        agentops.init(endpoint={server.url!r}, summary=False)
        httpretty.enable(allow_net_connect={allowed})
        agentops.record(agentops.ActionEvent("inside"))
        agentops.flush(1)
        httpretty.disable()
        agentops.record(agentops.ActionEvent("after"))
        print(agentops.flush(10))
        agentops.end_session("Success")
        """
    )
    assert (ended.code, ended.out) == (0, "True\n"), ended.err
    assert {span.name for span in server.spans()} == {"inside", "after", "session"}
