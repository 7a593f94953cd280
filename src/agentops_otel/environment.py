"""What OpenTelemetry's packages read from the environment: a value that is not valid must not stop the program.

OpenTelemetry reads its variables while it is imported and while a provider is built, and raises for some wrong values.
Here each value is checked before: a wrong one is told once, and OpenTelemetry does not see it while `usable()` lasts.
Afterwards the environment is as it was, so child processes inherit what the user has set.

This module is imported before every other one of the package, because importing OpenTelemetry is what can fail.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .log import logger
from .secrets import scrub
from .text import plain_text, unprintable

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import TracerProvider

_lock = threading.RLock()  # building a provider asks for another one
_hidden: dict[str, str] = {}  # what OpenTelemetry does not see at the moment
_told: set[tuple[str, str]] = set()
_verdicts: dict[tuple[str, str], Wrong | None] = {}


class Wrong(NamedTuple):
    """What is said about a value that is not valid, and what OpenTelemetry gets to see in its place."""

    expected: str
    instead: str | None = None
    """None: as if the variable was not set."""


Check = Callable[[str], "Wrong | None"]


def warn(variable: str, shown: str, expected: str) -> None:
    """Say once that a variable's value is not used, and what was expected."""
    if (variable, shown) not in _told:
        _told.add((variable, shown))
        logger.warning("%s=%s is ignored: expected %s", variable, shown, expected)


def warn_of_part(variable: str, expected: str) -> None:
    """Say once that a part of a variable's value is left out, and what was expected in its place."""
    if (variable, expected) not in _told:
        _told.add((variable, expected))
        logger.warning("%s: a part is left out: expected %s", variable, expected)


def ignored() -> list[str]:
    """The variables of which something was said so."""
    return sorted({variable for variable, _ in _told})


def shown(value: object) -> str:
    """A value as a message may show it: one short line without secrets, whatever its class does."""
    try:
        text = scrub(plain_text(repr(value)))
    except BaseException as error:
        text = unprintable(value, error)
    return text if len(text) <= 80 else text[:77] + "..."


# What a value may be --------------------------------------------------------------------------------------------------


def _whole(minimum: int) -> Check:
    def check(text: str) -> Wrong | None:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if number > sys.maxsize:  # more than a container of Python's can have, which OpenTelemetry finds out late
            return Wrong(f"a whole number of at most {sys.maxsize}")
        return None if number >= minimum else Wrong(f"a whole number of at least {minimum}")

    return check


def _number(text: str) -> Wrong | None:
    try:
        right = 0 <= float(text) < float("inf")
    except ValueError:
        right = False
    return None if right else Wrong("a number of at least 0")


def _one_of(*words: str) -> Check:
    def check(text: str) -> Wrong | None:
        return None if text.lower() in words else Wrong(f"one of {', '.join(words)}")

    return check


def _ratio(text: str) -> Wrong | None:
    """Only a sampler by ratio reads it as a number; what another one's argument means is that sampler's business."""
    if not os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower().endswith("traceidratio"):
        return None
    try:
        right = 0 <= float(text) <= 1
    except ValueError:
        right = False
    return None if right else Wrong("a number from 0 to 1", instead="1.0")


def _file(text: str) -> Wrong | None:
    return None if os.path.isfile(text) and os.access(text, os.R_OK) else Wrong("a file that exists and can be read")


def _certificates(text: str) -> Wrong | None:
    """A file in which OpenSSL finds certificates, or a folder, which `requests` takes too."""
    import ssl

    try:
        if not os.path.isdir(text):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
    except OSError:  # SSLError is one
        return Wrong("a file with certificates that exists and can be read")
    return None


def _registered(group: str, name: str) -> bool:
    """Whether an installed package has an entry point of this name."""
    from importlib.metadata import entry_points

    return bool(entry_points(group=group, name=name))


def _entry_point(group: str, *known: str) -> Check:
    def check(text: str) -> Wrong | None:
        if text in known or _registered(group, text):
            return None
        return Wrong("the name of " + " or ".join([*map(repr, known), "an installed entry point"]) + f" in {group}")

    return check


def _sampler(text: str) -> Wrong | None:
    known = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off", "traceidratio")
    word = text.lower()
    if word in (*known, "parentbased_traceidratio") or _registered("opentelemetry_traces_sampler", text):
        return None
    return Wrong(f"one of {', '.join(known)}, parentbased_traceidratio")


def _propagators(text: str) -> Wrong | None:
    """OpenTelemetry raises whatever loading one of them raises."""
    for name in map(str.strip, text.split(",")):
        if name.lower() == "none":
            return None
        if name in ("tracecontext", "baggage"):
            continue
        try:
            from importlib.metadata import entry_points

            next(iter(entry_points(group="opentelemetry_propagator", name=name))).load()()
        except Exception as error:
            why = "is not installed" if isinstance(error, StopIteration) else f"raises {type(error).__name__}"
            return Wrong(f"names such as 'tracecontext,baggage'; {shown(name)} {why}")
    return None


def _detectors(text: str) -> Wrong | None:
    names = [name for name in map(str.strip, text.split(",")) if name]
    group = "opentelemetry_resource_detector"
    unknown = [name for name in names if name not in ("otel", "*") and not _registered(group, name)]
    if not unknown:
        return None
    rest = ",".join(name for name in names if name not in unknown)
    return Wrong(f"names of installed resource detectors; {shown(unknown[0])} is not installed", rest or None)


def _pairs(text: str) -> Wrong | None:
    items = [item for item in text.split(",") if item.strip()]
    right = [item for item in items if item.partition("=")[1] and item.partition("=")[0].strip()]
    if len(right) == len(items):
        return None
    wrong = next(item for item in items if item not in right)
    return Wrong(f"pairs such as 'name=value,name2=value2'; {shown(wrong.strip())} is not one", ",".join(right) or None)


# The variables --------------------------------------------------------------------------------------------------------

_TRUTH: Final = _one_of("true", "false")
_SIGNALS: Final = ("", "TRACES_", "METRICS_", "LOGS_")


def _otlp(name: str, check: Check) -> dict[str, Check]:
    return {f"OTEL_EXPORTER_OTLP_{signal}{name}": check for signal in _SIGNALS}


# Read while OpenTelemetry is imported. The propagators come last: loading one imports the API, which reads the others.
_AT_IMPORT: Final[Mapping[str, Check]] = {
    "OTEL_PYTHON_CONTEXT": _entry_point("opentelemetry_context", "contextvars_context"),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": _whole(0),
    "OTEL_PROPAGATORS": _propagators,
}
# Variables of libraries below OpenTelemetry, which our requests obey. They are not checked for other requests.
_BELOW: Final[Mapping[str, Check]] = dict.fromkeys(
    ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), _certificates
)
# Read while something is set up, by us or by what we call. What `config.SETTINGS` reads is checked there.
CHECKS: Final[Mapping[str, Check]] = {
    **_AT_IMPORT,
    "OTEL_SDK_DISABLED": _TRUTH,
    "OTEL_PYTHON_TRACER_PROVIDER": _entry_point("opentelemetry_tracer_provider"),
    "OTEL_PYTHON_METER_PROVIDER": _entry_point("opentelemetry_meter_provider"),
    "OTEL_PYTHON_LOGGER_PROVIDER": _entry_point("opentelemetry_logger_provider"),
    "OTEL_PYTHON_EVENT_LOGGER_PROVIDER": _entry_point("opentelemetry_event_logger_provider"),
    "OTEL_PYTHON_ID_GENERATOR": _entry_point("opentelemetry_id_generator", "random"),
    "OTEL_TRACES_SAMPLER": _sampler,
    "OTEL_TRACES_SAMPLER_ARG": _ratio,
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": _detectors,
    "OTEL_RESOURCE_ATTRIBUTES": _pairs,
    "OTEL_ATTRIBUTE_COUNT_LIMIT": _whole(0),
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": _whole(0),
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": _whole(0),
    "OTEL_SPAN_EVENT_COUNT_LIMIT": _whole(0),
    "OTEL_SPAN_LINK_COUNT_LIMIT": _whole(0),
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": _whole(0),
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": _whole(0),
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": _whole(0),
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": _whole(0),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": _whole(1),
    "OTEL_BSP_EXPORT_TIMEOUT": _whole(0),
    "OTEL_BLRP_SCHEDULE_DELAY": _whole(1),
    "OTEL_BLRP_MAX_QUEUE_SIZE": _whole(1),
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": _whole(1),
    "OTEL_BLRP_EXPORT_TIMEOUT": _whole(0),
    "OTEL_METRIC_EXPORT_INTERVAL": _number,
    "OTEL_METRIC_EXPORT_TIMEOUT": _number,
    "OTEL_METRICS_EXEMPLAR_FILTER": _one_of("always_on", "always_off", "trace_based"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _one_of("cumulative", "delta", "lowmemory"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": _one_of(
        "explicit_bucket_histogram", "base2_exponential_bucket_histogram"
    ),
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": _number,
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": _number,
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": _TRUTH,
    **_otlp("INSECURE", _TRUTH),
    **_otlp("COMPRESSION", _one_of("gzip", "deflate", "none")),
    **_otlp("CERTIFICATE", _certificates),
    **_otlp("CLIENT_CERTIFICATE", _file),
    **_otlp("CLIENT_KEY", _file),
}
# What building a MeterProvider reads.
METRICS: Final = (
    "OTEL_PYTHON_METER_PROVIDER",
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
)
# OpenTelemetry's own, without processors: the first is what we build, too, and the second what is there without the
# variable.
_BARE_PROVIDERS: Final = ("sdk_tracer_provider", "default_tracer_provider")


def value(variable: str) -> str | None:
    """The value of a variable that is checked here; None when it is not set, or not valid, which is told once."""
    given = os.environ.get(variable, "")  # once: `usable()` of another thread may hide it while it is checked here
    text = given.strip()
    wrong = _verdict(variable, text) if text else None
    if wrong is not None:
        warn(variable, shown(given), wrong.expected)
        return wrong.instead
    return text or None


def flag(variable: str) -> bool:
    """Whether a variable says ``true``."""
    return (value(variable) or "").lower() == "true"


def length_limit() -> int | None:
    """The longest attribute that OpenTelemetry's SDK lets a span have; None without a limit.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#attribute-limits
    """
    named = (value("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"), value("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"))
    return min((int(text) for text in named if text is not None), default=None)


def _verdict(variable: str, text: str) -> Wrong | None:
    check = CHECKS.get(variable) or _BELOW[variable]
    if check in (_ratio, _file, _certificates):  # what is right depends on more than the text
        return check(text)
    if (variable, text) not in _verdicts:
        _verdicts[variable, text] = check(text)
    return _verdicts[variable, text]


@contextmanager
def usable(variables: Iterable[str] = tuple(CHECKS)) -> Iterator[None]:
    """In this block OpenTelemetry sees no value that is not valid; each such value is told once."""
    with _lock:
        taken: dict[str, str] = {}
        try:
            for variable in variables:
                _take(variable, taken)
            _hidden.update(taken)
            yield
        finally:
            os.environ.update(taken)
            for variable in taken:
                _hidden.pop(variable, None)


def after_fork() -> None:
    """In a forked child: the thread that has hidden something stayed in the parent."""
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()
    os.environ.update(_hidden)
    _hidden.clear()


def _take(variable: str, taken: dict[str, str]) -> None:
    given = os.environ.get(variable)
    if given is None:
        return
    text = given.strip()
    if variable == "OTEL_PYTHON_TRACER_PROVIDER" and text in _BARE_PROVIDERS:
        text = ""
    if variable == "OTEL_PROPAGATORS":  # its check may import what reads it
        os.environ.pop(variable)
        taken[variable] = given
    wrong = _verdict(variable, text) if text else None
    if wrong is not None:
        warn(variable, shown(given), wrong.expected)
    seen = text if wrong is None else wrong.instead
    if seen and seen == os.environ.get(variable):
        return
    taken[variable] = given
    if seen:
        os.environ[variable] = seen
    else:
        os.environ.pop(variable, None)


def _asked(get: Callable[[], Any], variable: str) -> Any:
    """A global provider; where the variable names one that cannot be built, the one that is there without it."""
    if variable not in os.environ:  # nothing is built, which would read the other variables
        return get()
    with usable((*METRICS, variable)):
        try:
            return get()
        except Exception as error:
            warn(variable, shown(os.environ.get(variable)), f"a provider that can be built ({type(error).__name__})")
        name = os.environ.pop(variable, None)
        try:
            return get()
        finally:
            if name is not None:
                os.environ[variable] = name


def id_generator() -> IdGenerator | None:
    """The generator that OTEL_PYTHON_ID_GENERATOR names, of another package; None where OpenTelemetry's own will do."""
    variable = "OTEL_PYTHON_ID_GENERATOR"
    name = value(variable)
    if name is None or name == "random":
        return None
    from importlib.metadata import entry_points

    try:
        generator: IdGenerator = next(iter(entry_points(group="opentelemetry_id_generator", name=name))).load()()
    except Exception as error:
        warn(variable, shown(os.environ.get(variable)), f"a generator that can be built ({type(error).__name__})")
        return None
    return generator


def tracer_provider() -> TracerProvider:
    """OpenTelemetry's global TracerProvider."""
    from opentelemetry.trace import get_tracer_provider

    provider: TracerProvider = _asked(get_tracer_provider, "OTEL_PYTHON_TRACER_PROVIDER")
    return provider


def meter_provider() -> MeterProvider:
    """OpenTelemetry's global MeterProvider."""
    from opentelemetry.metrics import get_meter_provider

    provider: MeterProvider = _asked(get_meter_provider, "OTEL_PYTHON_METER_PROVIDER")
    return provider


def logger_provider() -> LoggerProvider | None:
    """OpenTelemetry's global LoggerProvider; None where nothing can have set one."""
    if "opentelemetry._logs" not in sys.modules and "OTEL_PYTHON_LOGGER_PROVIDER" not in os.environ:
        return None
    from opentelemetry._logs import get_logger_provider

    provider: LoggerProvider = _asked(get_logger_provider, "OTEL_PYTHON_LOGGER_PROVIDER")
    return provider


_names_propagators = "OTEL_PROPAGATORS" in os.environ
with usable(_AT_IMPORT):
    import opentelemetry.metrics
    import opentelemetry.sdk.trace.export

    if _names_propagators:  # where it does not, there is nothing to go wrong, and only other packages need them
        import opentelemetry.propagate  # noqa: F401
