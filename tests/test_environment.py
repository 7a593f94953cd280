"""Variables of OpenTelemetry: no value of any of them stops the program, or the recording."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentops_otel import environment
from agentops_otel.config import SETTINGS
from tests.fakes.fault_server import FaultServer
from tests.fakes.program import run

PROGRAM = """
import os
before = dict(os.environ)
import agentops_otel as agentops
assert dict(os.environ) == before
agentops.init(summary=False)
assert dict(os.environ) == before
@agentops.tool
def dig(): return 1
dig()
from opentelemetry import trace
trace.get_tracer("another").start_span("other").end()
agentops.end_session("Success")
assert dict(os.environ) == before
"""

# One wrong value of each variable that OpenTelemetry's packages, or we in their place, read at import or set-up.
WRONG = dict.fromkeys(environment.CHECKS, "b@d") | {
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "udp",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "-1",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "nowhere",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "ftp://nowhere",
    "OTEL_EXPORTER_OTLP_HEADERS": "no-equals-sign",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a name=1",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "another name=1",
    "OTEL_TRACES_EXPORTER": "zipkin",
    "OTEL_LOGS_EXPORTER": "zipkin",
    "OTEL_BSP_SCHEDULE_DELAY": "0",
    "OTEL_BSP_MAX_QUEUE_SIZE": "many",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "maybe",
    "OTEL_TRACES_SAMPLER_ARG": "7",
}
# Read by nothing that we call: by `opentelemetry-instrument` before it starts the program, by exporters that are not
# ours, by nobody at all. For some of them any text is right.
ELSEWHERE = {
    "OTEL_CONFIG_FILE",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_LOG_LEVEL",
    "OTEL_METRICS_EXPORTER",
    "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH",
    "OTEL_PYTHON_CONFIGURATOR",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
    "OTEL_PYTHON_DISTRO",
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED",
    "OTEL_SEMCONV_STABILITY_OPT_IN",
    "OTEL_SERVICE_NAME",
}
PREFIXES_ELSEWHERE = (
    "OTEL_EXPORTER_JAEGER_",
    "OTEL_EXPORTER_PROMETHEUS_",
    "OTEL_EXPORTER_ZIPKIN_",
    "OTEL_PYTHON_EXPORTER_OTLP_",
)
CRASH_ALONE = [  # at import or set-up of OpenTelemetry, in the oldest or newest release
    ("OTEL_PROPAGATORS", "b3"),
    ("OTEL_PROPAGATORS", "tracecontext,,baggage"),
    ("OTEL_PYTHON_CONTEXT", "greenlets"),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1"),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1.5"),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "none"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "x"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "x"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "9" * 30),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "9" * 30),
    ("OTEL_PYTHON_TRACER_PROVIDER", "nope"),
    ("OTEL_PYTHON_METER_PROVIDER", "nope"),
    ("OTEL_TRACES_SAMPLER", "sometimes"),
    ("OTEL_PYTHON_ID_GENERATOR", "xray"),
    ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process,nope"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
    ("OTEL_SDK_DISABLED", "maybe"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
]
NO_VALUE = [  # as good as not set, or what is there without the variable: nothing to tell
    ("OTEL_PROPAGATORS", ""),
    ("OTEL_PYTHON_CONTEXT", ""),
    ("OTEL_PYTHON_TRACER_PROVIDER", ""),
    ("OTEL_PYTHON_METER_PROVIDER", " "),
    ("OTEL_TRACES_SAMPLER", ""),
    ("OTEL_TRACES_SAMPLER", " always_on "),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", " "),
    ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", ",,"),
    ("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider"),
    ("OTEL_PYTHON_TRACER_PROVIDER", "default_tracer_provider"),
    ("OTEL_PYTHON_METER_PROVIDER", "default_meter_provider"),
    ("OTEL_PYTHON_ID_GENERATOR", "random"),
]


def _recorded(variables, program=PROGRAM):
    """The lines on standard error; the program came to its end, and all it did was recorded."""
    with FaultServer() as server:
        ended = run(program, {"AGENTOPS_ENDPOINT": server.url, **variables})
        assert ended.code == 0, ended.err
        assert {span.name for span in server.spans()} == {"session", "execute_tool dig", "other"}
    return ended.err.splitlines()


def test_every_variable_is_looked_at():
    """Each variable that the installed OpenTelemetry packages name is checked, or known to be read elsewhere."""

    modules = [module for name, module in sys.modules.items() if name.endswith(".environment_variables")]
    named = {
        text
        for module in modules
        if module.__name__.startswith("opentelemetry.")
        for text in vars(module).values()
        if isinstance(text, str) and text.startswith("OTEL_") and not text.startswith(PREFIXES_ELSEWHERE)
    }
    named -= {name for name in named if name.endswith("_CONFIGURATOR")}  # of `opentelemetry-instrument`, too
    of_settings = {variable for setting in SETTINGS for variable in setting.otel}
    assert named - set(WRONG) - ELSEWHERE == {"OTEL_EXPORTER_OTLP_ENDPOINT"} & named
    assert of_settings - set(WRONG) == {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"}


def test_wrong_values_of_all_variables_at_once():
    """Each is told in one line that names it and its value, and everything is as without them."""
    sampler = WRONG["OTEL_TRACES_SAMPLER"]
    lines = _recorded(
        {name: value for name, value in WRONG.items() if name != "OTEL_TRACES_SAMPLER"}
        | {
            "OTEL_TRACES_SAMPLER": "traceidratio",  # else nobody reads the argument
        }
    )
    told = {
        name: [line for line in lines if line.startswith((f"agentops-otel: {name}=", f"agentops-otel: {name}: "))]
        for name in WRONG
    }
    told.pop("OTEL_TRACES_SAMPLER")
    assert {name: len(found) for name, found in told.items() if len(found) != 1} == {}
    assert len(lines) == len(told), lines
    for name, (line,) in told.items():
        assert "expected" in line
        if not name.endswith("HEADERS"):
            assert f"{name}={WRONG[name]!r}" in line
    (line,) = _recorded({"OTEL_TRACES_SAMPLER": sampler})
    assert line.startswith(f"agentops-otel: OTEL_TRACES_SAMPLER={sampler!r} is ignored: expected")


def test_a_program_prints_no_secret_that_a_variable_has():
    """Also not of the variables that are read while something is recorded."""
    names = {*WRONG, "AGENTOPS_SESSION_ID", "AGENTOPS_PRICES_FILE", "AGENTOPS_TRACE_URL", "TRACEPARENT", "HTTPS_PROXY"}
    ended = run(PROGRAM, dict.fromkeys(names, "http://ada:geheim@host/?api_key=geheim0123456789"))
    assert ended.code == 0, ended.err
    assert "AGENTOPS_SESSION_ID" in ended.err
    assert "geheim" not in ended.out + ended.err


@pytest.mark.parametrize(("name", "value"), CRASH_ALONE)
def test_a_wrong_value_alone(name, value):
    """What raises in OpenTelemetry is one line of ours, and everything is recorded."""
    (line,) = _recorded({name: value})
    assert line.startswith(f"agentops-otel: {name}={value!r} is ignored: expected")


@pytest.mark.parametrize(("name", "value"), NO_VALUE)
def test_nothing_to_tell(name, value):
    """An empty value, or the name of what OpenTelemetry has anyhow, is no word and no harm."""
    assert _recorded({name: value}) == []


def test_of_lists_only_the_wrong_part_is_left_out():
    """The other attributes and detectors are used."""
    program = PROGRAM.replace(
        'agentops.end_session("Success")',
        """
import time
agentops.flush()
for _ in range(100):
    known = agentops.current_session().host_env
    if "process.runtime.description" in known: break
    time.sleep(0.05)
print(known.get("team"), known.get("stage"), "process.runtime.description" in known)
agentops.end_session("Success")
""",
    )
    with FaultServer() as server:
        variables = {
            "AGENTOPS_ENDPOINT": server.url,
            "OTEL_RESOURCE_ATTRIBUTES": "team=red,broken,stage=a%20b",
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "nope,process",
        }
        ended = run(program, variables)
    assert (ended.code, ended.out) == (0, "red a b True\n"), ended.err
    assert len(ended.err.splitlines()) == 2
    assert "'broken'" in ended.err
    assert "'nope'" in ended.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_is_told_nothing_again():
    """OpenTelemetry reads some of the variables again in a forked child."""
    program = PROGRAM.replace(
        'agentops.end_session("Success")',
        """
import os
child = os.fork()
if not child: os._exit(0)
os.waitpid(child, 0)
agentops.end_session("Success")
""",
    )
    variables = {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "nope", "PYTHONWARNINGS": "ignore"}
    (line,) = _recorded(variables, program)
    assert "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS='nope'" in line


def test_a_child_process_inherits_what_the_user_has_set(monkeypatch):
    """A value is hidden for the length of the block only."""
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3")
    with environment.usable():
        assert "OTEL_PROPAGATORS" not in os.environ
    assert os.environ["OTEL_PROPAGATORS"] == "b3"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_something_is_hidden():
    """The child has the environment that the user has set, and does not wait for a thread of its parent."""
    ended = run(
        """
        import os, threading
        import agentops_otel as agentops
        from agentops_otel import environment
        inside, go_on = threading.Event(), threading.Event()
        def hide():
            with environment.usable(["OTEL_SPAN_LINK_COUNT_LIMIT"]):
                inside.set()
                go_on.wait(30)
        thread = threading.Thread(target=hide)
        thread.start()
        inside.wait(30)
        assert "OTEL_SPAN_LINK_COUNT_LIMIT" not in os.environ
        child = os.fork()
        if not child:
            with environment.usable(): pass
            os._exit(0 if os.environ["OTEL_SPAN_LINK_COUNT_LIMIT"] == "x" else 1)
        print(os.waitpid(child, 0)[1])
        go_on.set()
        thread.join()
        print(os.environ["OTEL_SPAN_LINK_COUNT_LIMIT"])
        """,
        {"OTEL_SPAN_LINK_COUNT_LIMIT": "x", "PYTHONWARNINGS": "ignore"},
    )
    assert (ended.code, ended.out) == (0, "0\nx\n"), ended.err


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_environment_is_put_back_whatever_is_raised(error, monkeypatch):
    """An exception in the block changes nothing of that."""
    monkeypatch.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "x")
    with pytest.raises(error), environment.usable():
        assert "OTEL_SPAN_LINK_COUNT_LIMIT" not in os.environ
        raise error
    assert os.environ["OTEL_SPAN_LINK_COUNT_LIMIT"] == "x"


def test_a_value_that_is_hidden_while_it_is_checked(monkeypatch, caplog):
    """Another thread, which builds a provider, tells of it; the one that checks it tells nothing else."""
    variable = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
    monkeypatch.setenv(variable, "nope")
    monkeypatch.setattr(environment, "_verdicts", {})
    checked, hidden, check = threading.Event(), threading.Event(), environment.CHECKS[variable]

    def slow(text):
        if threading.current_thread() is not threading.main_thread():
            checked.set()
            assert hidden.wait(30)
        return check(text)

    monkeypatch.setattr(environment, "CHECKS", {**environment.CHECKS, variable: slow})
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(environment.value, variable)
        assert checked.wait(30)
        with environment.usable([variable]):
            assert variable not in os.environ
            hidden.set()
            assert found.result(30) is None
    (line,) = caplog.messages
    assert f"{variable}='nope' is ignored" in line
