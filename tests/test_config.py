"""Settings: where each one comes from, what is refused, and what is never shown."""

from __future__ import annotations

import logging
import queue
import socket
import threading
import uuid

import pytest

import agentops_otel as agentops
from agentops_otel import api, environment
from agentops_otel.config import EXPORT_SETTINGS, SETTINGS, Configuration, Settings
from agentops_otel.exceptions import ConfigurationError
from agentops_otel.pipeline.transports.file import file_path
from agentops_otel.testing import SpanCapture

# For every setting that the environment can give: three texts, and what each of them means.
VALUES = {
    "api_key": [("k1", "k1"), ("k2", "k2"), ("k3", "k3")],
    "parent_key": [("k1", "k1"), ("k2", "k2"), ("k3", "k3")],
    "endpoint": [("http://a:1", "http://a:1"), ("https://b", "https://b"), ("http://[::1]:3/x/", "http://[::1]:3/x")],
    "max_wait_time": [("1", 1), ("2", 2), ("3", 3)],
    "max_queue_size": [("1", 1), ("2", 2), ("3", 3)],
    "default_tags": [("a,b", ("a", "b")), (" c , c,d", ("c", "d")), ("e", ("e",))],
    "instrument_llm_calls": [("0", False), ("true", True), ("off", False)],
    "auto_start_session": [("false", False), ("1", True), ("no", False)],
    "skip_auto_end_session": [("true", True), ("0", False), ("YES", True)],
    "env_data_opt_out": [("true", True), ("0", False), ("on", True)],
    "protocol": [("grpc", "grpc"), ("http/protobuf", "http/protobuf"), ("GRPC", "grpc")],
    "headers": [("a=1", {"a": "1"}), ("B=x%20y,c=2", {"b": "x y", "c": "2"}), ("d=", {"d": ""})],
    "timeout": [("1", 1.0), ("2.5", 2.5), ("3", 3.0)],
    "service_name": [("a", "a"), ("b c", "b c"), ("d", "d")],
    "capture_content": [("metadata", "metadata"), ("NO_CONTENT", "metadata"), ("event_only", "event_only")],
    "max_content_length": [("1", 64), ("70", 70), ("80", 80)],
    "require_session": [("0", False), ("1", True), ("false", False)],
    "key_replaced": [("0", False), ("1", True), ("false", False)],
    "stream_usage": [("1", True), ("0", False), ("true", True)],
    "summary": [("0", False), ("1", True), ("false", False)],
    "shutdown_timeout": [("1", 1.0), ("0.5", 0.5), ("3", 3.0)],
    "artifact_store": [("/a", "/a"), ("s3://b", "s3://b"), ("c", "c")],
    "journal": [("memory", "memory"), ("off", "off"), ("DISK", "disk")],
    "journal_dir": [("/a", "/a"), ("~/b", "~/b"), ("c", "c")],
    "trace_url": [(f"http://a/{end}", f"http://a/{end}") for end in ("{trace_id}", "?s={session_id}", "{trace_id}/x")],
}
# Values that are meant as "without an end" are as long as every lock, socket and poll of a platform can wait.
ENDLESS = {
    "max_wait_time": (10**30, 10**400),
    "timeout": (1e300, 10**400),
    "shutdown_timeout": (1e300, 10**400),
}
# So are counts: as many as every container can hold.
COUNTLESS = (2**63 - 1, 2**63, 10**400)
WRONG = {
    "api_key": ["a b", "schlüssel", 17],
    "parent_key": ["a\nb"],
    "endpoint": [
        "localhost:4318",
        "ftp://a",
        "http://",
        "http://a:port",
        "",
        4318,
        "/a\0b",
        "file:///a%00b",
        "file://a/b",
        "file://",
    ],
    "max_wait_time": [0, -1, "x", 1.5, True],
    "max_queue_size": [0, "many"],
    "default_tags": [[1], [""], 7, {"a": 1}, b"x"],
    "instrument_llm_calls": ["maybe", 1],
    "auto_start_session": ["x"],
    "skip_auto_end_session": [2],
    "env_data_opt_out": ["?"],
    "protocol": ["http/json", "udp", 3],
    "headers": ["novalue", {"a": 1}, 3, "=x", "content-length=5", {"Transfer-Encoding": "chunked"}],
    "timeout": [-1, "soon", float("inf"), float("nan"), True],
    "service_name": ["", 3],
    "capture_content": ["all", 1],
    "max_content_length": [0, -5],
    "redact": ["x"],
    "require_session": ["x"],
    "key_replaced": ["x"],
    "stream_usage": ["x"],
    "summary": [3],
    "shutdown_timeout": [-0.1],
    "artifact_store": ["", 3, "file://a/b", "file://[a/b"],
    "journal": ["tape", True],
    "journal_dir": ["", 3, "a\0b", "\ud83d"],
    "exporter": ["x", SpanCapture],
    "trace_url": ["http://a/trace", "{trace_id}", "ftp://a/{trace_id}", "http://a/{trace}", "http://a/{trace_id", 3],
}
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
SILENT = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
INSECURE = {"OTEL_EXPORTER_OTLP_INSECURE": "true"}
FROM_ENVIRONMENT = [pytest.param(setting, id=setting.name) for setting in SETTINGS if setting.env]


def plain(value):
    return dict(value) if hasattr(value, "items") else value


def test_every_setting_is_a_keyword():
    """The table of settings and the typed keywords of `init()` name the same things."""
    assert {setting.name for setting in SETTINGS} - {"api_key"} == set(Settings.__annotations__)
    assert set(EXPORT_SETTINGS) <= {setting.name for setting in SETTINGS}
    assert {setting.name for setting in SETTINGS if setting.env} == set(VALUES)
    assert all(setting.help.endswith(".") for setting in SETTINGS)


@pytest.mark.parametrize("setting", FROM_ENVIRONMENT)
def test_precedence(setting, monkeypatch):
    """An argument wins over `AGENTOPS_*`, that over `OTEL_*`, that over the default; an empty variable is none."""
    (text1, value1), (text2, value2), (text3, value3) = VALUES[setting.name]

    def found(**arguments):
        return plain(getattr(Configuration(**arguments), setting.name))

    assert found() == plain(setting.default)
    for variable in reversed(setting.otel):
        monkeypatch.setenv(variable, text1)
        assert found() == value1, variable
        monkeypatch.setenv(variable, text3)
        assert found() == value3, variable
    for variable in reversed(setting.env):
        monkeypatch.setenv(variable, text2)
        assert found() == value2, variable
        assert Configuration()._sources[setting.name] == variable
    assert found(**{setting.name: text1}) == value1
    assert found(**{setting.name: value3}) == value3
    assert found(**{setting.name: None}) == value2
    for variable in setting.env:
        monkeypatch.setenv(variable, " ")
    assert found() == (value3 if setting.otel else plain(setting.default))


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value, id=f"{name}-{n}") for name, all_ in WRONG.items() for n, value in enumerate(all_)],
)
def test_a_wrong_argument_is_refused(name, value):
    """`init()` raises one error that names setting, value and what is allowed, and sets nothing up."""
    with pytest.raises(ConfigurationError) as raised:
        api.init(**{name: value})
    message = str(raised.value)
    assert message.startswith(f"{name}=")
    assert "expected" in message
    secret = name in ("api_key", "parent_key", "headers")
    if secret:
        assert not str(value) or str(value) not in message
    else:
        assert repr(value)[:77] in message
    assert api._client is None
    assert isinstance(raised.value, ValueError)


def test_all_wrong_settings_are_named_at_once():
    """One error says everything that is wrong."""
    with pytest.raises(ConfigurationError) as raised:
        Configuration(protocol="udp", timeout=-1, endpoint="nowhere")
    assert [part.split("=")[0] for part in str(raised.value).split("; ")] == ["endpoint", "protocol", "timeout"]


@pytest.mark.parametrize(
    "setting",
    [p for p in FROM_ENVIRONMENT if p.id not in ("service_name", "artifact_store", "journal_dir", "default_tags")],
)  # for the others any text is right
def test_a_wrong_variable_is_a_warning(setting, monkeypatch, caplog):
    """A deployment's typo is told in one line, and the next source is used."""
    wrong = next(str(value) for value in WRONG[setting.name] if str(value).strip())
    sources = [*setting.env, *setting.otel]
    for n, variable in enumerate(sources):
        monkeypatch.setenv(variable, wrong)
        if n + 1 < len(sources):
            monkeypatch.setenv(sources[n + 1], VALUES[setting.name][1][0])
        caplog.clear()
        with caplog.at_level(logging.WARNING, "agentops_otel"):
            found = getattr(Configuration(), setting.name)
            Configuration()  # tells it no second time
        assert plain(found) == (VALUES[setting.name][1][1] if n + 1 < len(sources) else plain(setting.default))
        assert len(caplog.records) == 1
        message = caplog.records[-1].getMessage()
        assert message.startswith((f"agentops-otel: {variable}=", f"agentops-otel: {variable}: "))
        assert "expected" in message
        if setting.name in ("api_key", "parent_key"):
            assert wrong not in message


@pytest.mark.parametrize("function", [api.init, Configuration])
def test_an_unknown_keyword_gets_a_suggestion(function):
    """A misspelt setting is a TypeError that names the nearest one."""
    with pytest.raises(
        TypeError, match=r"unexpected keyword argument 'max_queue_sise'\. Did you mean 'max_queue_size'"
    ):
        function(max_queue_sise=3)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'zzz'$"):
        function(zzz=3)
    assert api._client is None


def test_secrets_are_not_shown():
    """Keys and headers are in no repr and no error."""
    configuration = Configuration("secret-key", parent_key="secret-parent", headers={"x": "secret-header"}, timeout=3)
    assert "secret" not in repr(configuration)
    assert "timeout=3.0" in repr(configuration)
    with pytest.raises(ConfigurationError) as raised:
        Configuration("secret key", headers={"x": 1, "y": "secret"}, timeout=-1)
    assert "secret" not in str(raised.value)


def test_a_configuration_does_not_change():
    """A setting cannot be assigned or deleted."""
    configuration = Configuration()
    with pytest.raises(AttributeError):
        configuration.timeout = 3
    with pytest.raises(AttributeError):
        del configuration.timeout
    with pytest.raises(TypeError):
        configuration.headers["x"] = "y"


@pytest.mark.parametrize(
    ("arguments", "environment", "signal", "address"),
    [
        ({}, {}, "traces", "http://localhost:4318/v1/traces"),
        ({"protocol": "grpc"}, {}, "traces", "http://localhost:4317"),
        ({"endpoint": "http://a:1/base/"}, {}, "logs", "http://a:1/base/v1/logs"),
        ({"endpoint": "http://a:1/v1/traces"}, {}, "logs", "http://a:1/v1/logs"),
        ({"endpoint": "http://a:1/v1/traces"}, {}, "traces", "http://a:1/v1/traces"),
        ({"endpoint": "http://a:1/?token=x/y"}, {}, "traces", "http://a:1/v1/traces?token=x/y"),
        ({"endpoint": "http://a:1/base/?d=1&e=2"}, {}, "logs", "http://a:1/base/v1/logs?d=1&e=2"),
        ({"endpoint": "http://a:1/v1/traces?d=1"}, {}, "logs", "http://a:1/v1/logs?d=1"),
        ({"endpoint": "http://a:1?d=1"}, {}, "traces", "http://a:1/v1/traces?d=1"),
        ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://o:2/own/?d=1"}, "traces", "http://o:2/own/?d=1"),
        ({}, {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "nowhere"}, "logs", "http://localhost:4318/v1/logs"),
        ({"protocol": "grpc", "endpoint": "c:4317"}, {}, "traces", "https://c:4317"),
        ({"protocol": "grpc", "endpoint": "[::1]:4317"}, {}, "traces", "https://[::1]:4317"),
        ({"protocol": "grpc", "endpoint": "ada:p@c:4317"}, {}, "traces", "https://ada:p@c:4317"),
        ({"protocol": "grpc"}, {"AGENTOPS_ENDPOINT": "c:1", **INSECURE}, "traces", "http://c:1"),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:1", **GRPC, **INSECURE}, "logs", "http://c:1"),
        ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "c:1", **GRPC, **INSECURE}, "traces", "http://c:1"),
        (
            {},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:1", "OTEL_EXPORTER_OTLP_TRACES_INSECURE": "false", **GRPC, **INSECURE},
            "traces",
            "https://c:1",
        ),
        (
            {},
            {"OTEL_TRACES_EXPORTER": "otlp_proto_grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "c:1"},
            "traces",
            "https://c:1",
        ),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://o:1"}, "traces", "http://o:1/v1/traces"),
        ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://o:2/own"}, "traces", "http://o:2/own"),
        ({}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://o:2/own"}, "logs", "http://localhost:4318/v1/logs"),
        (
            {"endpoint": "http://a"},
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://o:2"},
            "traces",
            "http://a/v1/traces",
        ),
        (
            {},
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://o", "AGENTOPS_ENDPOINT": "http://a"},
            "traces",
            "http://a/v1/traces",
        ),
    ],
)
def test_the_address_of_a_signal(monkeypatch, arguments, environment, signal, address):
    """A base endpoint gets the signal's path, a signal's own variable is used as it is, ours win."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Configuration(**arguments)._signal_endpoint(signal) == address


@pytest.mark.parametrize(
    ("traces", "logs", "has_key"),
    [
        ("https://a/v1/traces", "https://a/v1/logs", True),
        ("https://a:443/v1/traces", "https://A/other", True),
        ("http://ada:x@a/v1/traces", "http://a:80/v1/logs", True),
        ("https://a/v1/traces", "http://a/v1/logs", False),
        ("https://a/v1/traces", "https://a:4318/v1/logs", False),
        ("https://a/v1/traces", "https://b.a/v1/logs", False),
        ("https://a/v1/traces", "https://b@a.b/v1/logs", False),
    ],
)
def test_where_the_key_goes_along_with_log_events(traces, logs, has_key, monkeypatch):
    """To the origin of the spans: its scheme, host and port, however they are written."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", logs)
    ours = Configuration("k", headers={"x": "1"})
    assert (ours._for_logs().api_key, dict(ours._for_logs().headers)) == (("k", {"x": "1"}) if has_key else (None, {}))
    assert (ours.api_key, dict(ours.headers)) == ("k", {"x": "1"})


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        ({}, {}, False),
        ({"api_key": "k"}, {}, False),
        ({"endpoint": "http://a"}, {}, True),
        ({"exporter": SpanCapture()}, {}, True),
        ({"protocol": "console"}, {}, True),
        ({}, {"AGENTOPS_ENDPOINT": "http://a"}, True),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, False),
    ],
)
def test_a_destination_of_the_users(monkeypatch, arguments, environment, named):
    """OpenTelemetry's own variables may belong to the host's exporter; only ours name a destination of ours."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Configuration(**arguments)._has_destination is named


# A header, and the part of it that a line may show.
UNSENDABLE = [
    ({"x-bad": "geheim\nb"}, "x-bad"),
    ({"x-bad": "geheim\r\nx-other: 1"}, "x-bad"),
    ({"x-bad": "geheim\0"}, "x-bad"),
    ({"x-bad": "geheim ключ"}, "x-bad"),
    ({"x-bad": "geheim \ud83d"}, "x-bad"),
    ({"a name": "geheim"}, "a name"),
    ({"": "geheim"}, ""),
    ({"x:bad": "geheim"}, "x…"),
    ({"authorization: Bearer geheim": "x"}, "authorization…"),
    ({"schlüssel": "geheim"}, "schl…"),
]


@pytest.mark.parametrize(("headers", "shown"), UNSENDABLE)
def test_a_header_that_http_cannot_carry_is_an_error(headers, shown):
    """An argument is refused in words that name the header and never show its value."""
    with pytest.raises(ConfigurationError) as raised:
        Configuration(headers={"x-good": "1", **headers})
    assert repr(shown) in str(raised.value)
    assert "geheim" not in str(raised.value)
    assert "x-good" not in str(raised.value)


@pytest.mark.parametrize(
    "variable", ["AGENTOPS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"]
)
@pytest.mark.parametrize(
    ("pair", "shown"),
    [
        ("x-bad=geheim%0Ab", "'x-bad'"),
        ("x-bad=geheim\nb", "'x-bad'"),
        ("x-bad=geheim%D0%BA", "'x-bad'"),
        ("x-bad=geheim%FF", "'x-bad'"),
        ("a name=geheim", "'a name'"),
        ("=geheim", "''"),
        ("sk-geheim", "(pair 2)"),
        ("Bearer sk-1geheim=", "'bearer…'"),
    ],
)
def test_one_bad_pair_of_a_variable_is_left_out(variable, pair, shown, monkeypatch, caplog):
    """It is named in one warning that never shows a value; the pairs beside it are sent."""
    monkeypatch.setenv(variable, f" X-Good = a%20b ,{pair}, x-other=c=d ")
    assert dict(Configuration().headers) == {"x-good": "a b", "x-other": "c=d"}
    (message,) = caplog.messages
    assert message.startswith(f"agentops-otel: {variable}: ")
    assert shown in message
    assert "geheim" not in message


def test_of_a_variable_without_one_good_pair_the_next_is_read(monkeypatch, caplog):
    """Headers of which nothing is left are as if not set."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "nothing")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x=1")
    assert dict(Configuration().headers) == {"x": "1"}
    assert len(caplog.messages) == 1


def test_values_of_headers_are_stripped():
    """A key that was read from a file ends with a line break, which is no part of it."""
    headers = {" X-Key ": " key\n", "x-two": "é"}
    assert dict(Configuration(headers=headers).headers) == {"x-key": "key", "x-two": "é"}
    assert dict(Configuration(headers="x-key= key ,,x-two=%C3%A9").headers) == {"x-key": "key", "x-two": "é"}


@pytest.mark.parametrize("headers", [{"x": "é"}, {"x*y": "1"}, {"x-bin": "1"}])
def test_grpc_carries_less(headers):
    """What HTTP carries and the metadata of gRPC does not is refused where spans leave by gRPC."""
    assert Configuration(headers=headers).headers == headers
    with pytest.raises(ConfigurationError, match="gRPC"):
        Configuration(headers=headers, protocol="grpc")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://ada:geheim@host:port",
        "http://ada:ge?heim-geheim@host",
        "http://ada:geheim@ho st",
        "ada:geheim@host:4317",
        "ftp://ada:geheim@host",
        "http://host:port/?token=geheim",
        "http://host:port/?token=geheim@x",
    ],
)
def test_a_wrong_endpoint_shows_no_password(endpoint, monkeypatch, caplog):
    """Neither the error nor the warning, nor what is shown of the settings, has what may be secret in it."""
    with pytest.raises(ConfigurationError) as raised:
        Configuration(endpoint=endpoint)
    monkeypatch.setenv("AGENTOPS_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)
    Configuration()
    assert len(caplog.messages) == 2
    shown = f"{raised.value} {caplog.messages} {Configuration(endpoint='http://ada:geheim@host/?key=geheim')!r}"
    assert "geheim" not in shown
    assert "http://host" in shown


# What a person may paste into the wrong place: a key as it is, behind a name, within a URL, and behind other words.
PASTED = [
    f"{before}{secret}{after}"
    for secret in ("sk-proj-geheim0123456789geheim", "http://ada:geheim@host", "ftp://ada:geheim@host/{trace_id}/ ?q")
    for before, after in (("", ""), ("a=1,", ""), ("api_key=", " b"), ("x" * 60 + " ", ""), ("", "x" * 60))
]


@pytest.mark.parametrize("value", PASTED)
def test_nothing_that_is_printed_or_raised_has_a_secret_in_it(value, monkeypatch, caplog):
    """Whatever setting or variable gets a secret by mistake: neither an error, a warning nor a `repr()` repeats it."""
    said = []
    for setting in SETTINGS:
        for given in (value, [value], {value: 1}, {"a": [value]}):
            try:
                said.append(repr(Configuration(**{setting.name: given})))
            except ConfigurationError as error:
                said.append(str(error))
    variables = {name for setting in SETTINGS for name in (*setting.env, *setting.otel)} | {
        *environment.CHECKS,
        *environment._BELOW,
        *(f"OTEL_EXPORTER_OTLP_{signal}_{what}" for signal in ("TRACES", "LOGS") for what in ("ENDPOINT", "HEADERS")),
        "OTEL_TRACES_EXPORTER",
        "OTEL_LOGS_EXPORTER",
    }
    for name in variables:
        monkeypatch.setenv(name, value)
    said += [repr(Configuration()), repr(Configuration(protocol="grpc"))]
    for name in (*environment.CHECKS, *environment._BELOW):
        environment.value(name)
    assert len(caplog.messages) > 40
    assert [line for line in (*said, *caplog.messages) if "geheim" in line] == []


@pytest.mark.parametrize(
    ("variables", "arguments", "protocol", "exports", "logs"),
    [
        ({}, {}, "http/protobuf", True, True),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}, {}, "http/protobuf", True, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, {}, "http/protobuf", False, False),
        ({"OTEL_TRACES_EXPORTER": " None "}, {"api_key": "k"}, "http/protobuf", False, False),
        ({"OTEL_LOGS_EXPORTER": "none"}, {}, "http/protobuf", True, False),
        ({"OTEL_LOGS_EXPORTER": "console"}, {}, "http/protobuf", True, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, {}, "console", True, True),
        ({"OTEL_TRACES_EXPORTER": "console,otlp"}, {}, "http/protobuf", True, True),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_grpc"}, {}, "grpc", True, True),
        ({"OTEL_TRACES_EXPORTER": "console", "AGENTOPS_ENDPOINT": "http://a"}, {}, "http/protobuf", True, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, {"endpoint": "http://a"}, "http/protobuf", True, True),
        ({"OTEL_TRACES_EXPORTER": "console", "AGENTOPS_PROTOCOL": "grpc"}, {}, "grpc", True, True),
        (
            {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"},
            {},
            "http/protobuf",
            False,
            False,
        ),
        ({"OTEL_TRACES_EXPORTER": "none", "AGENTOPS_ENDPOINT": "http://a"}, {}, "http/protobuf", True, True),
        (
            SILENT,
            {"endpoint": "http://a"},
            "http/protobuf",
            True,
            True,
        ),
        ({"OTEL_TRACES_EXPORTER": "none"}, {"exporter": SpanCapture()}, "http/protobuf", True, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, {"protocol": "console"}, "console", True, True),
        ({"OTEL_SDK_DISABLED": "true"}, {"endpoint": "http://a"}, "http/protobuf", False, False),
    ],
)
def test_exporters_by_name(variables, arguments, protocol, exports, logs, monkeypatch):
    """`OTEL_TRACES_EXPORTER` and `OTEL_LOGS_EXPORTER` mean what they say, and a destination named to us counts more."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    config = Configuration(**arguments)
    assert (config.protocol, config._exports, config._exports_logs) == (protocol, exports, logs)


@pytest.mark.parametrize(
    ("value", "exports", "said"),
    [
        ("jaeger", True, "OTEL_TRACES_EXPORTER='jaeger' is ignored: expected otlp, console or none"),
        ("jaeger,none", False, "a part is left out: expected otlp, console or none, not 'jaeger'"),
        ("otlp,zipkin", True, "a part is left out: expected otlp, console or none, not 'zipkin'"),
    ],
)
def test_an_exporter_that_is_not_known(value, exports, said, monkeypatch, caplog):
    """Only what is not known is left out, and the line says so."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", value)
    assert Configuration()._exports is exports
    (line,) = caplog.messages
    assert said in line


def test_an_empty_key_is_none(monkeypatch):
    """`api_key=os.environ.get("KEY", "")` is as if no key was given: the environment's, else none."""
    assert Configuration("").api_key is None
    assert "api_key" not in Configuration(" ")._given
    monkeypatch.setenv("AGENTOPS_API_KEY", "key")
    assert Configuration("", parent_key="").api_key == "key"


@pytest.mark.parametrize("setting", ["endpoint", "artifact_store"])
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file://tmp/x.jsonl", "/tmp/x.jsonl"),
        ("file://Host/x.jsonl", "/Host/x.jsonl"),
        ("file://./x.jsonl", "./x.jsonl"),
        ("file://~/x.jsonl", "~/x.jsonl"),
        ("file://ada:geheim@host/x.jsonl", "/host/x.jsonl"),
    ],
)
def test_a_file_of_another_host(setting, url, path, monkeypatch, caplog):
    """Two slashes name a host: what was most likely meant is told, and nothing is written elsewhere."""
    with pytest.raises(ConfigurationError) as raised:
        Configuration(**{setting: url})
    told = f"expected a path such as {path}, or a URL with three slashes such as file:///tmp/traces.jsonl"
    assert str(raised.value).endswith(told)
    monkeypatch.setenv(f"AGENTOPS_{setting.upper()}", url)
    assert getattr(Configuration(), setting) is None
    assert told in caplog.text
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("url", ["file:///x", "file://localhost/x", "file:/x"])
def test_a_file_of_this_machine(url):
    """RFC 8089 knows three forms of the same."""
    assert file_path(Configuration(endpoint=url).endpoint) == "/x"


def test_a_file_endpoint_means_the_file_protocol():
    """A file URL says how spans leave; `protocol` need not."""
    assert Configuration(endpoint="file:///tmp/x.jsonl").protocol == "file"


def test_a_sessions_configuration_changes_what_it_names(monkeypatch):
    """What a session's configuration leaves out stays as `init()` was told, not as the environment says."""
    base = Configuration("key", endpoint="http://a", max_wait_time=7, default_tags=["x"])
    monkeypatch.setenv("AGENTOPS_MAX_QUEUE_SIZE", "5")
    merged = base._merged(Configuration(max_wait_time=9))
    assert (merged.api_key, merged.endpoint, merged.max_wait_time, merged.max_queue_size) == (
        "key",
        "http://a",
        9,
        2048,
    )
    assert base.max_wait_time == 7
    assert base._merged(None) is base


def test_a_session_that_names_an_endpoint_goes_there():
    """A session's endpoint wins over the exporter, file or console that `init()` was told."""
    capture = SpanCapture()
    there = Configuration(endpoint="http://there")
    assert Configuration(exporter=capture)._merged(there).exporter is None
    assert Configuration(protocol="console")._merged(there).protocol == "http/protobuf"
    assert Configuration(protocol="grpc")._merged(there).protocol == "grpc"
    assert Configuration(endpoint="http://a")._merged(Configuration(endpoint="file:///x")).protocol == "file"
    assert Configuration(endpoint="http://a")._merged(Configuration(exporter=capture)).exporter is capture


def test_equal_settings_share_a_pipeline():
    """Settings that do not matter for export do not part two sessions; those that do, do."""
    one = Configuration(endpoint="http://a", headers={"x": "1", "y": "2"}, default_tags=["a"])
    two = Configuration(endpoint="http://a", headers={"y": "2", "x": "1"}, summary=False)
    assert one._export_key == two._export_key
    assert hash(one._export_key)
    for other in (
        {"endpoint": "http://b"},
        {"headers": {"x": "1"}},
        {"api_key": "k"},
        {"max_wait_time": 3},
        {"exporter": SpanCapture()},
    ):
        assert one._merged(Configuration(**other))._export_key != one._export_key


def test_a_child_process_gets_the_settings(monkeypatch):
    """Every setting that the environment can carry comes out of `environ()` as it went in."""
    given = {name: values[1][1] for name, values in VALUES.items()}
    variables = Configuration(**given)._environ()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    child = Configuration()
    assert {name: plain(getattr(child, name)) for name in given} == given


def test_a_child_process_keeps_what_opentelemetry_says(monkeypatch):
    """Settings from `OTEL_*` and defaults are not made into variables of ours."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://o")
    assert Configuration(timeout=3)._environ() == {"AGENTOPS_TIMEOUT": "3.0"}


@pytest.mark.parametrize(
    ("name", "value", "by_variable"),
    [
        pytest.param(name, value, by_variable, id=f"{name}-{n}-{by_variable}")
        for name, values in ENDLESS.items()
        for n, value in enumerate(values)
        for by_variable in (False, True)
        if not (by_variable and name != "max_wait_time" and isinstance(value, int))  # as a text that is infinity
    ],
)
def test_the_longest_wait(name, value, by_variable, monkeypatch):
    """A time that no lock can wait is the longest one that each can, from an argument and from a variable."""
    if by_variable:
        monkeypatch.setenv(f"AGENTOPS_{name.upper()}", str(value))
    seconds = getattr(Configuration(**({} if by_variable else {name: value})), name)
    seconds = seconds / 1000 if name == "max_wait_time" else seconds
    done = threading.Event()
    done.set()
    assert done.wait(seconds)
    with socket.socket() as sock:
        sock.settimeout(seconds)
    assert 24 * 3600 < seconds < 2**31 / 1000
    waiting = queue.SimpleQueue()
    waiting.put(1)
    assert waiting.get(timeout=seconds) == 1


@pytest.mark.parametrize("value", COUNTLESS, ids=["most", "more", "endless"])
@pytest.mark.parametrize("source", ["argument", "AGENTOPS_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"])
def test_a_queue_without_an_end(value, source, monkeypatch):
    """A size that no queue can have is as large as one can be: what is recorded is sent."""
    capture = SpanCapture()
    if source != "argument":
        monkeypatch.setenv(source, str(value))
    api.init(exporter=capture, summary=False, **({"max_queue_size": value} if source == "argument" else {}))
    assert api.current_session() is not None
    api.end_session("Success")
    assert [span.name for span in capture.spans] == ["session"]


@pytest.mark.parametrize("value", COUNTLESS, ids=["most", "more", "endless"])
def test_a_content_without_an_end(value):
    """A length that no text has is no limit."""
    capture = SpanCapture()
    api.init(exporter=capture, summary=False, max_content_length=value)
    api.end_session("Fail", "x" * 100_000)
    assert capture.find("session").attributes["agentops.session.end_state_reason"] == "x" * 100_000


def test_the_shortest_content_leaves_our_own_words_whole():
    """Kinds, states and ids of agents are no content; whoever reads the spans needs them as they are."""
    capture = SpanCapture()
    api.init(exporter=capture, summary=False, max_content_length=64)

    @agentops.agent
    class Researcher:
        def search(self, text):
            return text

    Researcher().search("x" * 1000)
    agentops.record(agentops.LLMEvent(model="gpt-4.1", prompt="x" * 1000, completion="x" * 1000))
    api.end_session("Indeterminate", "x" * 1000)
    root = capture.find("session").attributes
    assert root["agentops.session.end_state"] == "Indeterminate"
    assert len(root["agentops.session.end_state_reason"]) <= 64
    [agent] = [span.attributes for span in capture.spans if span.name == "invoke_agent Researcher"]
    assert uuid.UUID(agent["gen_ai.agent.id"])
    assert {span.attributes["agentops.span.kind"] for span in capture.spans} == {"agent", "llm", "session"}
    assert {span.attributes["session.id"] for span in capture.spans} == {root["session.id"]}


@pytest.mark.parametrize("port", ["99999", "-1", "port"])
def test_a_port_that_there_is_not(port):
    """The error names what is wrong, which is not the scheme and not the host."""
    with pytest.raises(ConfigurationError, match=f":{port}' is not valid: expected a URL with a port from 0 to 65535"):
        Configuration(endpoint=f"http://127.0.0.1:{port}")
