# ruff: noqa: E501  (a table is read by its rows)
"""The settings: one table that reading, checking, the documentation and its test are made from.

A `Configuration` is complete when it is made: an argument wins over ``AGENTOPS_*``, that wins over ``OTEL_*``, that wins over the
default. A wrong argument raises `ConfigurationError`; a wrong environment variable is a warning and the next source is used, because
a deployment's typo must not stop an agent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, get_args
from urllib.parse import quote, unquote, urlsplit

from .exceptions import ConfigurationError
from .log import logger

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from typing_extensions import Unpack


Protocol = Literal["http/protobuf", "grpc", "console", "file"]
CaptureContent = Literal["full", "metadata", "off", "event_only", "span_and_event"]
Journal = Literal["disk", "memory", "off"]

PROTOCOLS: Final[tuple[str, ...]] = get_args(Protocol)
DEFAULT_HTTP_ENDPOINT: Final = "http://localhost:4318"
DEFAULT_GRPC_ENDPOINT: Final = "http://localhost:4317"
JOURNALS: Final[tuple[str, ...]] = get_args(Journal)
_PATHS: Final = ("/", "./", "../", "~")  # what an endpoint begins with that is a file
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


class _Wrong(Exception):
    """A value that a check refuses; the text is what is allowed."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("a non-empty string")
    return value.strip()


def _key(value: object) -> str:
    text = _text(value)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise _Wrong("a key of printable ASCII characters without spaces")
    return text


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise _Wrong("true or false")


def _whole(minimum: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        allowed = f"a whole number of at least {minimum}"
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            raise _Wrong(allowed) from None
        if isinstance(number, bool) or not isinstance(number, int) or number < minimum:
            raise _Wrong(allowed)
        return number

    return check


def _seconds(value: object) -> float:
    allowed = "a number of seconds of at least 0"
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
    except ValueError:
        raise _Wrong(allowed) from None
    if not 0 <= number < float("inf"):
        raise _Wrong(allowed)
    return number


def _one_of(*words: str, **aliases: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        word = aliases.get(word, word)
        if word not in words:
            raise _Wrong("one of " + ", ".join(words))
        return word

    return check


def _endpoint(value: object) -> str:
    text = _text(value).rstrip("/")
    allowed = "a URL with scheme and host, such as http://localhost:4318 (for protocol 'file': file:///path or a path)"
    try:
        url = urlsplit(text)
        url.port  # noqa: B018  (reading it checks it)
    except ValueError:
        raise _Wrong(allowed) from None
    if url.scheme in ("http", "https") and url.hostname:
        return text
    if url.scheme == "file" or text.startswith(_PATHS):
        return text
    raise _Wrong(allowed)


def _tags(value: object) -> tuple[str, ...]:
    items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple, set, frozenset)) or not all(
        isinstance(item, str) and item for item in items
    ):
        raise _Wrong("a list of non-empty strings")
    return tuple(dict.fromkeys(items))


def _headers(value: object) -> dict[str, str]:
    allowed = "a mapping of header names to values, or text such as 'name=value,name2=value2'"
    if isinstance(value, str):
        pairs = [item.partition("=") for item in value.split(",") if item.strip()]
        if not all(name.strip() and equals for name, equals, _ in pairs):
            raise _Wrong(allowed)
        # Values are URL-encoded, https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
        return {name.strip().lower(): unquote(text.strip()) for name, _, text in pairs}
    if not isinstance(value, Mapping) or not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise _Wrong(allowed)
    return {name.lower(): text for name, text in value.items()}


def _callable(value: object) -> Callable[[Any, str], Any]:
    if not callable(value):
        raise _Wrong("a function (value, path) -> value")
    return value


def _exporter(value: object) -> Any:
    methods = (getattr(value, "export", None), getattr(value, "shutdown", None))
    if isinstance(value, type) or not all(map(callable, methods)):
        raise _Wrong("an OpenTelemetry SpanExporter (an object with export() and shutdown())")
    return value


@dataclass(frozen=True)
class Setting:
    """One setting: its name, where it is read from, its default, and what it means."""

    name: str
    check: Callable[[object], Any]
    default: Any
    help: str
    env: tuple[str, ...] = ()
    otel: tuple[str, ...] = ()


# fmt: off
SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("api_key", _key, None, "Key of the project; sent only as the `Authorization: Bearer` header of OTLP requests, never as telemetry.",
            ("AGENTOPS_API_KEY",)),
    Setting("parent_key", _key, None, "Key of an organisation that may see the session too; sent as the `x-agentops-parent-key` header.",
            ("AGENTOPS_PARENT_KEY",)),
    Setting("endpoint", _endpoint, None,
            "OTLP endpoint as a URL; `http://localhost:4318` (gRPC: `http://localhost:4317`) when none is given. With protocol `file`: the path.",
            ("AGENTOPS_ENDPOINT", "AGENTOPS_API_ENDPOINT"), ("OTEL_EXPORTER_OTLP_ENDPOINT",)),
    Setting("max_wait_time", _whole(1), 5000, "Longest time in milliseconds that a finished span waits before it is sent.",
            ("AGENTOPS_MAX_WAIT_TIME",), ("OTEL_BSP_SCHEDULE_DELAY",)),
    Setting("max_queue_size", _whole(1), 2048, "Most finished spans that wait in memory; more are dropped and counted.",
            ("AGENTOPS_MAX_QUEUE_SIZE",), ("OTEL_BSP_MAX_QUEUE_SIZE",)),
    Setting("default_tags", _tags, (), "Tags of every session.", ("AGENTOPS_DEFAULT_TAGS", "AGENTOPS_TAGS")),
    Setting("instrument_llm_calls", _flag, True, "Record the calls of the installed LLM SDKs.", ("AGENTOPS_INSTRUMENT_LLM_CALLS",)),
    Setting("auto_start_session", _flag, True, "Let `init()` start a session.", ("AGENTOPS_AUTO_START_SESSION",)),
    Setting("skip_auto_end_session", _flag, False,
            "Leave the session open at a normal exit, for a framework that ends it elsewhere; nothing is decided about its end state.",
            ("AGENTOPS_SKIP_AUTO_END_SESSION",)),
    Setting("env_data_opt_out", _flag, False, "Leave host, process and package data out of the resource.", ("AGENTOPS_ENV_DATA_OPT_OUT",)),
    Setting("protocol", _one_of(*PROTOCOLS, http="http/protobuf"), "http/protobuf",
            "How spans leave: `http/protobuf`, `grpc`, `console` (readable text on standard output) or `file` (OTLP JSON lines).",
            ("AGENTOPS_PROTOCOL",), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")),
    Setting("headers", _headers, {}, "Further headers of OTLP requests.",
            ("AGENTOPS_HEADERS",), ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")),
    Setting("timeout", _seconds, 10.0, "Longest time in seconds for one OTLP request, retries included.",
            ("AGENTOPS_TIMEOUT",), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")),
    Setting("service_name", _text, None, "`service.name` of the resource.", ("AGENTOPS_SERVICE_NAME",), ("OTEL_SERVICE_NAME",)),
    Setting("capture_content", _one_of(*CAPTURE_MODES, **_GENAI_CAPTURE), "full",
            "`full`: prompts, answers, tool arguments and results are recorded; `metadata`: none of them; `off`: nor exception texts, which can "
            "quote them; `event_only` and `span_and_event`: messages as the event `gen_ai.client.inference.operation.details`.",
            ("AGENTOPS_CAPTURE_CONTENT",), ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",)),
    Setting("max_content_length", _whole(1), 65536, "Longest recorded text in characters; longer text is cut and says by how much.",
            ("AGENTOPS_MAX_CONTENT_LENGTH",)),
    Setting("redact", _callable, None, "Function `(value, path) -> value` that sees every recorded attribute before it leaves the process."),
    Setting("require_session", _flag, True, "Record only inside a session; when off, work outside a session makes plain spans.",
            ("AGENTOPS_REQUIRE_SESSION",)),
    Setting("stream_usage", _flag, False, "Ask OpenAI for token usage on streams that did not ask for it, and hide the extra chunk from the caller.",
            ("AGENTOPS_STREAM_USAGE",)),
    Setting("summary", _flag, True, "Print a summary to standard error when a session ends. Unless it is set, the first session alone is printed where that is no terminal; the others are lines of level INFO in the log.", ("AGENTOPS_SUMMARY",)),
    Setting("shutdown_timeout", _seconds, 2.0, "Longest time in seconds that ending a session and leaving the process may take together.",
            ("AGENTOPS_SHUTDOWN_TIMEOUT",)),
    Setting("artifact_store", _text, None,
            "Folder or fsspec URL for the files of a session, such as its video; `artifacts` in the user's data directory when none is given.",
            ("AGENTOPS_ARTIFACT_STORE",)),
    Setting("journal", _one_of(*JOURNALS), "disk",
            "`disk`: each finished span is written to a journal before it is sent, so that it survives the process and an outage; `memory`: spans "
            "that cannot be sent wait in memory only; `off`: they do not wait.",
            ("AGENTOPS_JOURNAL",)),
    Setting("journal_dir", _text, None,
            "Folder of the journal; `agentops-otel/journal` in the user's state directory (`XDG_STATE_HOME`, `~/.local/state`) when none is given.",
            ("AGENTOPS_JOURNAL_DIR",)),
    Setting("exporter", _exporter, None, "Any OpenTelemetry `SpanExporter`; used instead of protocol and endpoint."),
)
# fmt: on

_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
# What decides where spans go and how they are batched: sessions that agree on these share one pipeline.
EXPORT_SETTINGS: Final = (
    "api_key", "parent_key", "endpoint", "max_wait_time", "max_queue_size", "protocol", "headers", "timeout", "service_name",
    "env_data_opt_out", "redact", "max_content_length", "exporter", "capture_content",
    "journal", "journal_dir",
)  # fmt: skip
_SECRET: Final = frozenset({"api_key", "parent_key", "headers"})


def _shown(name: str, value: object) -> str:
    """A value as an error message may show it: one short line, never a secret."""
    if name in _SECRET:
        return f"<{type(value).__name__}, not shown>"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _from_environment(setting: Setting) -> tuple[Any, str | None]:
    """The first usable value of the environment and the variable it came from; unusable ones are warned about."""
    for variable in (*setting.env, *setting.otel):
        raw = os.environ.get(variable, "")
        if not raw.strip():
            continue
        try:
            return setting.check(raw), variable
        except _Wrong as wrong:
            logger.warning("%s=%s is ignored: allowed is %s", variable, _shown(setting.name, raw), wrong)
    return setting.default, None


def check_names(names: Mapping[str, object] | set[str], function: str) -> None:
    """Raise TypeError, with the nearest setting's name, for a keyword that is no setting."""
    for name in names:
        if name not in _BY_NAME:
            import difflib

            near = difflib.get_close_matches(name, _BY_NAME, n=1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{function} got an unexpected keyword argument {name!r}{hint}")


class Configuration:
    """The settings of a session, complete and checked.

    Each keyword is one of `SETTINGS`; one that is left out or None comes from the environment, else from the default. A
    configuration given to `start_session()` changes only what it names; the rest stays as `init()` was told.

    Raises:
        ConfigurationError: a value is not allowed; the message names every wrong setting, its value and what is allowed.
        TypeError: a keyword is not a setting.
    """

    api_key: str | None
    parent_key: str | None
    endpoint: str | None
    max_wait_time: int
    max_queue_size: int
    default_tags: tuple[str, ...]
    instrument_llm_calls: bool
    auto_start_session: bool
    skip_auto_end_session: bool
    env_data_opt_out: bool
    protocol: Protocol
    headers: Mapping[str, str]
    timeout: float
    service_name: str | None
    capture_content: CaptureContent
    max_content_length: int
    redact: Callable[[Any, str], Any] | None
    require_session: bool
    stream_usage: bool
    summary: bool
    shutdown_timeout: float
    artifact_store: str | None
    journal: Journal
    journal_dir: str | None
    exporter: SpanExporter | None
    _given: frozenset[str]  # names that came as an argument
    _sources: Mapping[str, str]  # name -> environment variable it came from

    def __init__(self, api_key: str | None = None, **settings: Unpack[Settings]) -> None:
        arguments: dict[str, Any] = {"api_key": api_key, **settings}
        check_names(arguments, "Configuration()")
        wrong: list[str] = []
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for setting in SETTINGS:
            argument = arguments.get(setting.name)
            if argument is None:
                values[setting.name], variable = _from_environment(setting)
                if variable is not None:
                    sources[setting.name] = variable
                continue
            try:
                values[setting.name] = setting.check(argument)
            except _Wrong as allowed:
                wrong.append(f"{setting.name}={_shown(setting.name, argument)}: allowed is {allowed}")
        if wrong:
            raise ConfigurationError("; ".join(wrong))
        if str(values["endpoint"] or "").startswith(("file:", *_PATHS)) and values["exporter"] is None:
            values["protocol"] = "file"
        values["headers"] = MappingProxyType(values["headers"])
        values["_given"] = frozenset(name for name, value in arguments.items() if value is not None)
        values["_sources"] = sources
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Configuration does not change; make a new one with {name}=...")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Configuration does not change; {name} stays")

    def _merged(self, other: Configuration | None) -> Configuration:
        """This configuration with what `other` was given as arguments."""
        if other is None:
            return self
        merged = object.__new__(Configuration)
        merged.__dict__.update(self.__dict__)
        merged.__dict__.update({name: getattr(other, name) for name in other._given})
        merged.__dict__["_given"] = self._given | other._given
        if other._given & {"endpoint", "protocol"} and "exporter" not in other._given:
            merged.__dict__["exporter"] = None
        if "endpoint" in other._given and "protocol" not in other._given:
            kept = "http/protobuf" if self.protocol in ("console", "file") else self.protocol
            merged.__dict__["protocol"] = "file" if other.protocol == "file" else kept
        return merged

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
        own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip()
        ours = "endpoint" in self._given or self._sources.get("endpoint", "").startswith("AGENTOPS_")
        if own and not ours:
            return own
        if self.protocol == "grpc":
            return self.endpoint or DEFAULT_GRPC_ENDPOINT
        base = (self.endpoint or DEFAULT_HTTP_ENDPOINT).removesuffix("/v1/traces")
        return f"{base}/v1/{signal}"

    @property
    def _has_destination(self) -> bool:
        """Whether the user said where spans go, by argument or by a variable of ours; `OTEL_*` may belong to another exporter."""
        named = {"endpoint", "exporter"} & self._given or self._sources.get("endpoint", "").startswith("AGENTOPS_")
        return bool(named) or self.protocol in ("console", "file")

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
