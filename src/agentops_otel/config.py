# ruff: noqa: E501  (a table is read by its rows)
"""The settings: one table that reading, checking, the documentation and its test are made from.

A `Configuration` is complete when it is made: an argument wins over ``AGENTOPS_*``, that wins over ``OTEL_*``, that wins over the
default. A wrong argument raises `ConfigurationError`; a wrong environment variable is a warning and the next source is used, because
a deployment's typo must not stop an agent.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypedDict, TypeVar, get_args, overload
from urllib.parse import quote, unquote, urlsplit

import msgspec

from . import checks, environment, viewer
from .exceptions import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from typing_extensions import Self, Unpack


T = TypeVar("T")

Protocol = Literal["http/protobuf", "grpc", "console", "file"]
CaptureContent = Literal["full", "metadata", "off", "event_only", "span_and_event"]
Journal = Literal["disk", "memory", "off"]

PROTOCOLS: Final[tuple[str, ...]] = get_args(Protocol)
_OTLP: Final = ("http/protobuf", "grpc")  # what OpenTelemetry's own variables may name
DEFAULT_HTTP_ENDPOINT: Final = "http://localhost:4318"
DEFAULT_GRPC_ENDPOINT: Final = "http://localhost:4317"
JOURNALS: Final[tuple[str, ...]] = get_args(Journal)
CAPTURE_MODES: Final[tuple[str, ...]] = get_args(CaptureContent)

# https://opentelemetry.io/docs/specs/semconv/gen-ai/ : values of OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
_GENAI_CAPTURE: Final = {
    "no_content": "metadata",
    "false": "metadata",
    "span_only": "full",
    "true": "full",
    "event_only": "event_only",
    "span_and_event": "span_and_event",
}


class Settings(TypedDict, total=False):
    """The keyword arguments of `init()` and `Configuration`; `SETTINGS` says what each one means."""

    parent_key: str | None
    key_replaced: bool | None
    endpoint: str | None
    max_wait_time: int | None
    max_queue_size: int | None
    default_tags: list[str] | tuple[str, ...] | None
    instrument_llm_calls: bool | None
    auto_start_session: bool | None
    skip_auto_end_session: bool | None
    env_data_opt_out: bool | None
    protocol: Protocol | None
    headers: Mapping[str, str] | None
    timeout: float | None
    service_name: str | None
    capture_content: CaptureContent | None
    max_content_length: int | None
    redact: Callable[[Any, str], Any] | None
    require_session: bool | None
    stream_usage: bool | None
    summary: bool | None
    shutdown_timeout: float | None
    artifact_store: str | None
    journal: Journal | None
    journal_dir: str | None
    exporter: SpanExporter | None
    trace_url: str | None


class Setting(msgspec.Struct, Generic[T], frozen=True):
    """One setting: its name, where it is read from, its default, and what it means. Its value has the type `T`."""

    check: Callable[..., Any]
    default: Any
    help: str
    env: tuple[str, ...] = ()
    otel: tuple[str, ...] = ()
    otel_check: Callable[[object], Any] | None = None
    """For variables of OpenTelemetry that allow less than ours."""
    by_protocol: bool = False
    """Whether `check` takes the protocol, too."""
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        msgspec.structs.force_setattr(self, "name", name)

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        raise AttributeError(self.name)  # the values are in the `__dict__` of a Configuration, which comes first


# fmt: off
class _Table:
    """The table: each row is a setting, and the type of its value in a `Configuration`."""

    api_key: Setting[str | None] = Setting(checks.as_key, None, "Key of the project; sent only as the `Authorization: Bearer` header of OTLP requests, never as telemetry.",
            ("AGENTOPS_API_KEY",))
    key_replaced: Setting[bool] = Setting(checks.as_flag, False,
            "The API key replaces an earlier one of the same project: what is kept for the same endpoint under other keys is sent with it.",
            ("AGENTOPS_KEY_REPLACED",))
    parent_key: Setting[str | None] = Setting(checks.as_key, None, "Key of an organisation that may see the session too; sent as the `x-agentops-parent-key` header.",
            ("AGENTOPS_PARENT_KEY",))
    endpoint: Setting[str | None] = Setting(checks.as_endpoint, None,
            "OTLP endpoint as a URL; `http://localhost:4318` (gRPC: `http://localhost:4317`) when none is given. With protocol `file`: the path.",
            ("AGENTOPS_ENDPOINT", "AGENTOPS_API_ENDPOINT"), ("OTEL_EXPORTER_OTLP_ENDPOINT",), by_protocol=True)
    max_wait_time: Setting[int] = Setting(checks.as_milliseconds, 5000, "Longest time in milliseconds that a finished span waits before it is sent; to this machine, 200 when it is not set.",
            ("AGENTOPS_MAX_WAIT_TIME",), ("OTEL_BSP_SCHEDULE_DELAY",))
    max_queue_size: Setting[int] = Setting(checks.as_whole(1), 2048, "Largest number of finished spans that wait in memory. Further ones wait in the journal; without a journal they are dropped and counted.",
            ("AGENTOPS_MAX_QUEUE_SIZE",), ("OTEL_BSP_MAX_QUEUE_SIZE",))
    default_tags: Setting[tuple[str, ...]] = Setting(checks.as_tags, (), "Tags of every session.", ("AGENTOPS_DEFAULT_TAGS", "AGENTOPS_TAGS"))
    instrument_llm_calls: Setting[bool] = Setting(checks.as_flag, True, "Record the calls of the installed LLM SDKs.", ("AGENTOPS_INSTRUMENT_LLM_CALLS",))
    auto_start_session: Setting[bool] = Setting(checks.as_flag, True, "Let `init()` start a session.", ("AGENTOPS_AUTO_START_SESSION",))
    skip_auto_end_session: Setting[bool] = Setting(checks.as_flag, False,
            "Leave the session open at a normal exit, for a framework that ends it elsewhere; its end state stays open.",
            ("AGENTOPS_SKIP_AUTO_END_SESSION",))
    env_data_opt_out: Setting[bool] = Setting(checks.as_flag, False, "Leave host, process and package data out of the resource.", ("AGENTOPS_ENV_DATA_OPT_OUT",))
    protocol: Setting[Protocol] = Setting(checks.as_one_of(*PROTOCOLS, http="http/protobuf"), "http/protobuf",
            "How spans leave: `http/protobuf`, `grpc`, `console` (readable text on standard output) or `file` (OTLP JSON lines).",
            ("AGENTOPS_PROTOCOL",), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
            checks.as_one_of(*_OTLP))
    headers: Setting[Mapping[str, str]] = Setting(checks.as_headers, {}, "Further headers of OTLP requests.",
            ("AGENTOPS_HEADERS",), ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"), by_protocol=True)
    timeout: Setting[float] = Setting(checks.as_seconds, 10.0, "Longest time in seconds for one OTLP request, retries included.",
            ("AGENTOPS_TIMEOUT",), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"))
    service_name: Setting[str | None] = Setting(checks.as_text, None, "`service.name` of the resource.", ("AGENTOPS_SERVICE_NAME",), ("OTEL_SERVICE_NAME",))
    capture_content: Setting[CaptureContent] = Setting(checks.as_one_of(*CAPTURE_MODES, **_GENAI_CAPTURE), "full",
            "`full`: prompts, answers, tool arguments and results are recorded; `metadata`: none of them; `off`: also no exception texts, which can "
            "quote them; `event_only` and `span_and_event`: messages as the event `gen_ai.client.inference.operation.details`.",
            ("AGENTOPS_CAPTURE_CONTENT",), ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",))
    max_content_length: Setting[int] = Setting(checks.as_length, 65536,
            "Longest recorded text in characters; longer text is cut and says by how much. Less than 64 is taken for 64, so that kinds, states and ids stay whole.",
            ("AGENTOPS_MAX_CONTENT_LENGTH",))
    redact: Setting[Callable[[Any, str], Any] | None] = Setting(checks.as_callable, None, "Function `(value, path) -> value` that sees every recorded attribute before it leaves the process.")
    require_session: Setting[bool] = Setting(checks.as_flag, True, "Record only inside a session; when off, work outside a session makes plain spans.",
            ("AGENTOPS_REQUIRE_SESSION",))
    stream_usage: Setting[bool] = Setting(checks.as_flag, False, "Ask OpenAI for token usage on streams that did not ask for it, and hide the extra chunk from the caller.",
            ("AGENTOPS_STREAM_USAGE",))
    summary: Setting[bool] = Setting(checks.as_flag, True, "Print a summary to standard error when a session ends. Unless it is set, the first session alone is printed where that is no terminal; the others are lines of level INFO in the log.", ("AGENTOPS_SUMMARY",))
    shutdown_timeout: Setting[float] = Setting(checks.as_seconds, 2.0, "Longest time in seconds that ending a session and leaving the process may take together.",
            ("AGENTOPS_SHUTDOWN_TIMEOUT",))
    artifact_store: Setting[str | None] = Setting(checks.as_file, None,
            "Folder or fsspec URL for the files of a session, such as its video; `artifacts` in the user's data directory when none is given.",
            ("AGENTOPS_ARTIFACT_STORE",))
    journal: Setting[Journal] = Setting(checks.as_one_of(*JOURNALS), "disk",
            "`disk`: each finished span is written to a journal before it is sent, so that it survives the process and an outage; `memory`: spans "
            "that cannot be sent wait in memory only; `off`: they do not wait.",
            ("AGENTOPS_JOURNAL",))
    journal_dir: Setting[str | None] = Setting(checks.as_path, None,
            "Folder of the journal; `agentops-otel/journal` in the user's state directory (`XDG_STATE_HOME`, `~/.local/state`) when none is given.",
            ("AGENTOPS_JOURNAL_DIR",))
    exporter: Setting[SpanExporter | None] = Setting(checks.as_exporter, None, "Any OpenTelemetry `SpanExporter`; used instead of protocol and endpoint.")
    trace_url: Setting[str | None] = Setting(checks.as_trace_url, None,
            "Address of a trace in your backend, for the summary: a URL with `{trace_id}` or `{session_id}` in it, such as "
            "`http://localhost:16686/trace/{trace_id}`.",
            (viewer.VARIABLE,))
# fmt: on


SETTINGS: Final[tuple[Setting[Any], ...]] = tuple(row for row in vars(_Table).values() if isinstance(row, Setting))

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
_LOGS_HEADERS: Final = msgspec.structs.replace(
    _Table.headers, env=(), otel=("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
)
# What decides where spans go and how they are batched: sessions that agree on these share one pipeline.
EXPORT_SETTINGS: Final = (
    "api_key", "key_replaced", "parent_key", "endpoint", "max_wait_time", "max_queue_size", "protocol", "headers", "timeout", "service_name",
    "env_data_opt_out", "redact", "max_content_length", "exporter", "capture_content",
    "journal", "journal_dir",
)  # fmt: skip
_SECRET: Final = frozenset({"api_key", "parent_key", "headers"})


def _shown(name: str, value: object) -> str:
    """A value as an error message may show it: one short line, never a secret."""
    if name in _SECRET:
        return f"<{type(value).__name__}, not shown>"
    if isinstance(value, str) and (name == "endpoint" or (name == "trace_url" and "@" in value)):
        value = checks.without_secrets(value)
    return environment.shown(value)


def _from_environment(setting: Setting[Any], check: Callable[[object], Any]) -> tuple[Any, str | None]:
    """The first usable value of the environment and the variable it came from; unusable ones are warned about."""
    for variable in (*setting.env, *setting.otel):
        raw = os.environ.get(variable, "")
        if not raw.strip():
            continue
        try:
            read = setting.otel_check if setting.otel_check is not None and variable in setting.otel else check
            return read(raw), variable
        except checks.NotValid as wrong:
            environment.warn(variable, _shown(setting.name, raw), str(wrong))
        except checks.PartlyValid as partly:
            for expected in partly.expected:
                environment.warn_of_part(variable, expected)
            if partly.rest:
                return partly.rest, variable
    return setting.default, None


_EXPORTERS: Final = {
    "otlp": "", "otlp_proto_http": "http/protobuf", "otlp_proto_grpc": "grpc", "console": "console", "none": "none",
}  # fmt: skip


def _words(variable: str) -> list[str]:
    return [word for word in map(str.strip, os.environ.get(variable, "").lower().split(",")) if word]


def _named_exporter(variable: str) -> str:
    """What `OTEL_TRACES_EXPORTER` or `OTEL_LOGS_EXPORTER` says: a protocol, ``none``, or "" for what other variables say.

    Of several we serve one, and the first that sends.
    """
    words = _words(variable)
    unknown = [word for word in words if word not in _EXPORTERS]
    known = [word for word in words if word in _EXPORTERS]
    if unknown and known:
        environment.warn_of_part(variable, f"otlp, console or none, not {environment.shown(unknown[0])}")
    elif unknown:
        environment.warn(variable, environment.shown(os.environ[variable]), "otlp, console or none")
    sends = [word for word in known if word.startswith("otlp")]
    return _EXPORTERS[(sends or known or ["otlp"])[0]]


def check_names(names: Mapping[str, object] | set[str], function: str) -> None:
    """Raise TypeError, with the nearest setting's name, for a keyword that is no setting."""
    for name in names:
        if name not in _BY_NAME:
            import difflib

            near = difflib.get_close_matches(name, _BY_NAME, n=1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{function} got an unexpected keyword argument {name!r}{hint}")


class Configuration(_Table):
    """The settings of a session, complete and checked.

    Each keyword is one of `SETTINGS`; one that is left out or None, or an empty key, comes from the environment, else from
    the default. A configuration given to `start_session()` changes only what it names; the rest stays as `init()` was told.

    Raises:
        ConfigurationError: a value is not valid; the message names each wrong setting, its value and what was expected.
        TypeError: a keyword is not a setting.
    """

    _given: frozenset[str]  # names that came as an argument
    _sources: Mapping[str, str]  # name -> environment variable it came from
    _disabled: bool
    _exporters: Mapping[str, str]  # by signal
    _signal_endpoints: Mapping[str, str | None]
    _logs_headers: Mapping[str, str]  # what OpenTelemetry's variables say for log events

    def __init__(self, api_key: str | None = None, **settings: Unpack[Settings]) -> None:
        arguments: dict[str, Any] = {"api_key": api_key, **settings}
        check_names(arguments, "Configuration()")
        given = {name: value for name, value in arguments.items() if not _is_left_out(name, value)}
        wrong: dict[str, str] = {}
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        exporters = {signal: _named_exporter(f"OTEL_{signal.upper()}_EXPORTER") for signal in ("traces", "logs")}
        for setting in (_BY_NAME["protocol"], *SETTINGS):  # the protocol first: others are checked by it
            if setting.name in values:
                continue
            check = setting.check
            if setting.by_protocol:
                check = functools.partial(check, protocol=values["protocol"])
            if setting.name not in given:
                values[setting.name], variable = _from_environment(setting, check)
                if variable is not None:
                    sources[setting.name] = variable
                if setting.name == "protocol" and variable not in setting.env and exporters["traces"] in _OTLP:
                    values["protocol"] = exporters["traces"]
                continue
            values[setting.name] = setting.default
            try:
                values[setting.name] = check(given[setting.name])
            except (checks.NotValid, checks.PartlyValid) as expected:
                shown = _shown(setting.name, given[setting.name])
                wrong[setting.name] = f"{setting.name}={shown} is not valid: expected {expected}"
        if wrong:
            raise ConfigurationError("; ".join(wrong[name] for name in _BY_NAME if name in wrong))
        if str(values["endpoint"] or "").startswith(("file:", *checks.PATHS)) and values["exporter"] is None:
            values["protocol"] = "file"
        values["headers"] = MappingProxyType(values["headers"])
        values["_given"] = frozenset(given)
        values["_sources"] = sources
        values["_exporters"] = exporters
        self.__dict__.update(values)
        self.__dict__.update(self._from_opentelemetry())

    def _from_opentelemetry(self) -> dict[str, Any]:
        """What variables say that belong to no setting: the console, endpoints and headers of one signal, limits."""
        limit = environment.length_limit()
        check = functools.partial(checks.as_headers, protocol=self.protocol)
        more: dict[str, Any] = {
            "_disabled": environment.flag("OTEL_SDK_DISABLED"),
            "_signal_endpoints": {signal: self._own_endpoint(signal) for signal in ("traces", "logs")},
            "_logs_headers": MappingProxyType(_from_environment(_LOGS_HEADERS, check)[0]),
        }
        if limit is not None:
            more["max_content_length"] = min(self.max_content_length, max(limit, 1))
        if self._exporters["traces"] == "console" and not self._has_destination and not self._names("protocol"):
            more["protocol"] = "console"
        return more

    def _own_endpoint(self, signal: str) -> str | None:
        variable = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
        raw = os.environ.get(variable, "").strip()
        try:
            checked = checks.as_endpoint(raw, self.protocol) if raw else None
        except checks.NotValid as wrong:
            environment.warn(variable, _shown("endpoint", raw), str(wrong))
            return None
        return raw if "://" in raw else checked

    def _names(self, setting: str) -> bool:
        """Whether a setting comes from an argument or a variable of ours."""
        return setting in self._given or self._sources.get(setting) in _BY_NAME[setting].env

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Configuration cannot be changed: make a new one with {name}=...")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Configuration cannot be changed: {name} cannot be deleted")

    def _merged(self, other: Configuration | None) -> Configuration:
        """This configuration with what `other` was given as arguments."""
        if other is None:
            return self
        given = {name: getattr(other, name) for name in other._given}
        merged = self._changed(**given, _given=self._given | other._given)
        if other._given & {"endpoint", "protocol"} and "exporter" not in other._given:
            merged.__dict__["exporter"] = None
        if "endpoint" in other._given and "protocol" not in other._given:
            kept = "http/protobuf" if self.protocol in ("console", "file") else self.protocol
            merged.__dict__["protocol"] = "file" if other.protocol == "file" else kept
        return merged

    def _at(self, protocol: Protocol, traces: str) -> Configuration:
        """This configuration for the place that is known by its full address for traces."""
        other = self._merged(Configuration(protocol=protocol, endpoint=traces))
        logs = other._signal_endpoint("logs")
        if protocol == "http/protobuf" and other._signal_endpoint("traces") != traces:  # it is the signal's own
            other.__dict__["_given"] = other._given - {"endpoint"}
            other.__dict__["_sources"] = {name: of for name, of in other._sources.items() if name != "endpoint"}
            other.__dict__["_signal_endpoints"] = {"traces": traces, "logs": logs}
        return other

    def _without_key(self) -> Configuration:
        """This configuration for a place that its key is not for."""
        return self._changed(api_key=None, parent_key=None)

    def _for_logs(self) -> Configuration:
        """This configuration as it holds for log events.

        Keys and headers that were given to us are for where spans go, and for no other place. A variable of
        OpenTelemetry's is for the signal that it names:
        https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options
        """
        elsewhere = _origin(self._signal_endpoint("logs")) != _origin(self._signal_endpoint("traces"))
        other = self._without_key() if elsewhere else self
        return other._changed(headers=self._logs_headers) if elsewhere or not self._names("headers") else other

    def _changed(self, **values: Any) -> Configuration:
        other = object.__new__(Configuration)
        other.__dict__.update(self.__dict__, **values)
        return other

    def _environ(self) -> dict[str, str]:
        """The variables that give another process the settings of this one; what came from `OTEL_*` it has already."""
        variables = {}
        for setting in SETTINGS:
            ours = setting.name in self._given or self._sources.get(setting.name) in setting.env
            if ours and setting.env:
                variables[setting.env[0]] = _as_text(getattr(self, setting.name))
        return variables

    def _signal_endpoint(self, signal: str) -> str:
        """The full address for a signal, `traces` or `logs`: a URL for HTTP, scheme and authority for gRPC.

        A base endpoint gets the signal's path, a signal's own variable is used as it is, see
        https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
        """
        own = self._signal_endpoints[signal]
        if own and not self._names("endpoint"):
            return own
        if self.protocol == "grpc":
            return self.endpoint or DEFAULT_GRPC_ENDPOINT
        base = urlsplit(self.endpoint or DEFAULT_HTTP_ENDPOINT)
        return base._replace(path=f"{base.path.removesuffix('/v1/traces')}/v1/{signal}").geturl()

    @property
    def _credential(self) -> str | None:
        """The setting that says to the backend who sends: `headers`, `api_key`, or `endpoint` with a user in it."""
        if "authorization" in self.headers:
            return "headers"
        if self.api_key:
            return "api_key"
        if checks.authorization(self._signal_endpoint("traces")):
            return "endpoint"
        return "headers" if self.headers else None

    def _variable(self, setting: str) -> str:
        """The environment variable that a setting came from, or can be set with."""
        if setting == "endpoint" and self._signal_endpoints["traces"] and not self._names("endpoint"):
            return "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        return (
            _BY_NAME[setting].env[0] if setting in self._given else self._sources.get(setting, _BY_NAME[setting].env[0])
        )

    @property
    def _account(self) -> str | None:
        """What the project is known by at a destination: the key, else the user in the endpoint."""
        user = urlsplit(self._signal_endpoint("traces")).netloc.rpartition("@")[0].partition(":")[0]
        return self.api_key or (f"user {unquote(user)}" if user and "authorization" not in self.headers else None)

    def _warn_of_exporters(self) -> None:
        """Say once what `OTEL_TRACES_EXPORTER` and `OTEL_LOGS_EXPORTER` name that is not done."""
        if self._has_destination:  # they may be meant for another exporter
            return
        if len({_EXPORTERS.get(word) for word in _words("OTEL_TRACES_EXPORTER")} - {None}) > 1:
            environment.warn_of_part("OTEL_TRACES_EXPORTER", "one exporter; of several the first that sends is used")
        if "console" in _words("OTEL_LOGS_EXPORTER"):
            done = "not printed" if self._exports_logs else "neither printed nor sent"
            environment.warn_of_part("OTEL_LOGS_EXPORTER", f"otlp or none; log events are {done}")

    @property
    def _has_destination(self) -> bool:
        """Whether the user said where spans go, by argument or by a variable of ours; `OTEL_*` may belong to another exporter."""
        if "exporter" in self._given or self._names("endpoint") or self.protocol == "file":
            return True
        return self.protocol == "console" and self._names("protocol")

    @property
    def _exports(self) -> bool:
        """Whether spans leave at all: a destination that the user named to us counts more than `OTEL_TRACES_EXPORTER=none`."""
        return not self._disabled and (self._has_destination or self._exporters["traces"] != "none")

    @property
    def _tells(self) -> bool:
        """Whether a session's end is told. Where nothing is exported, no backend knows its id: only if the user asks."""
        return self.summary and not self._disabled and (self._exports or self._names("summary"))

    @property
    def _exports_logs(self) -> bool:
        """Whether log events leave, too."""
        return self._exports and (self._has_destination or self._exporters["logs"] not in ("none", "console"))

    @property
    def _secrets(self) -> tuple[str, ...]:
        """What must appear nowhere: our keys, and the password of an endpoint."""
        passwords = []
        for url in (self.endpoint, *self._signal_endpoints.values()):
            user = urlsplit(url or "").netloc.rpartition("@")[0]
            passwords += [user.partition(":")[2], unquote(user.partition(":")[2]), checks.authorization(url or "")]
        found = (self.api_key, self.parent_key, *passwords)
        return tuple(dict.fromkeys(text for text in found if text))

    @property
    def _content_on_spans(self) -> bool:
        """Whether prompts, answers, arguments and results are recorded as span attributes."""
        return self.capture_content in ("full", "span_and_event")

    @property
    def _content_on_events(self) -> bool:
        """Whether messages are recorded as log events."""
        return self.capture_content in ("event_only", "span_and_event")

    @property
    def _export_key(self) -> tuple[object, ...]:
        """Equal for two configurations whose spans may share one pipeline."""
        values = (getattr(self, name) for name in EXPORT_SETTINGS)
        return tuple(
            tuple(sorted(v.items())) if isinstance(v, Mapping) else v if _hashable(v) else id(v) for v in values
        )

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(name, getattr(self, name))}" for name in _BY_NAME if name in self._given)
        return f"Configuration({', '.join(shown)})"


def _is_left_out(name: str, value: object) -> bool:
    """Whether an argument counts as left out; `api_key=os.environ.get("KEY", "")` can be empty, and then there is no key."""
    return value is None or (name in ("api_key", "parent_key") and isinstance(value, str) and not value.strip())


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _as_text(value: object) -> str:
    """A setting's value as an environment variable says it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Mapping):
        return ",".join(f"{quote(name)}={quote(text)}" for name, text in value.items())
    return str(value)


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
