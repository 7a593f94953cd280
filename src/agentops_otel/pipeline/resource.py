"""What is known of this process and its host, as an OpenTelemetry resource, collected in the background.

A `TracerProvider` wants its resource at once, while the host takes its time to answer. So the provider is given
`HostResource.identity()`, which costs no I/O, and each span gets the rest when it is exported, where a slow disk does
not delay the program (`HostResource.merge_into()`). Never in here: command-line arguments and values of environment
variables, except OpenTelemetry's own ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME``.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import sys
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.resources import OTELResourceDetector, Resource, ResourceDetector, get_aggregated_resources
from opentelemetry.sdk.version import __version__ as otel_sdk_version

from .. import environment, semconv
from ..log import logger
from ..redaction import Redactor
from ..version import __version__
from .worker import ended

if sys.platform != "win32":
    import pwd  # here, and not in the background: see `loading.py`

SERVICE_NAME: Final = "service.name"
INSTANCE_ID: Final = "service.instance.id"
_DETECTORS: Final = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
PID: Final = "process.pid"

_UNKNOWN_SERVICE: Final = "unknown_service"
_MAX_PACKAGES: Final = 1000
_MAX_PACKAGES_TEXT: Final = 32 * 1024
_MACHINE_ID_FILES: Final = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostid")
_DETECT_TIMEOUT: Final = 4.0  # seconds; the SDK waits five for a detector

Attributes = dict[str, Any]
Piece = Callable[[], Mapping[str, Any]]


# The pieces: each may fail, or never return, without harm to the others ----------------------------------------------


def _sdk() -> Attributes:
    return {semconv.SDK_VERSION: __version__}


def _runtime() -> Attributes:
    return {
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": platform.python_version(),
    }


def _process() -> Attributes:
    return {PID: os.getpid(), "process.executable.name": os.path.basename(sys.executable or "")}


def _owner() -> Attributes:
    if sys.platform == "win32":
        return {"process.owner": os.getlogin()}
    try:
        return {"process.owner": pwd.getpwuid(os.getuid()).pw_name}  # getpass would read environment variables
    except KeyError:  # as in a container that runs with a user id of its own
        return {"process.owner": str(os.getuid())}


def _os() -> Attributes:
    kind = platform.system().lower()
    version = platform.version() if kind in ("windows", "sunos") else platform.release()
    return {"os.type": "solaris" if kind == "sunos" else kind, "os.version": version}


def _os_description() -> Attributes:
    try:
        return {"os.description": platform.freedesktop_os_release()["PRETTY_NAME"]}
    except (OSError, KeyError):
        return {"os.description": platform.platform(terse=True)}


def _host() -> Attributes:
    return {"host.name": socket.gethostname(), "host.arch": _arch(platform.machine())}


def _arch(machine: str) -> str:
    """The conventions' word for an architecture, https://opentelemetry.io/docs/specs/semconv/resource/host/."""
    words = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i386": "x86", "i686": "x86"}
    return words.get(machine.lower(), machine)


def _host_id() -> Attributes:
    for path in _MACHINE_ID_FILES:
        try:
            text = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if text:
            return {"host.id": text}
    return {}


def _container() -> Attributes:
    """The container id, from where Docker, Podman, containerd and Kubernetes leave it (cgroup 1, then cgroup 2)."""
    for path, pattern in (
        ("/proc/self/cgroup", r"[/-]([0-9a-f]{64})(?:\.scope)?$"),
        ("/proc/self/mountinfo", r"/(?:containers|sandboxes|overlay-containers)/([0-9a-f]{64})/"),
    ):
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if found := re.search(pattern, text, re.MULTILINE):
            return {"container.id": found[1]}
    return {}


def _cpu() -> Attributes:
    return {semconv.HOST_CPU_COUNT: os.cpu_count() or 0}


def _memory() -> Attributes:
    if sys.platform == "win32":
        import ctypes

        kilobytes = ctypes.c_ulonglong()
        ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
        return {semconv.HOST_MEMORY_TOTAL: kilobytes.value * 1024}
    return {semconv.HOST_MEMORY_TOTAL: os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}


def _disk() -> Attributes:
    usage = shutil.disk_usage(os.path.abspath(os.sep))
    return {semconv.HOST_DISK_TOTAL: usage.total, semconv.HOST_DISK_FREE: usage.free}


_FIELD: Final = re.compile(r"^(Name|Version):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def _packages() -> Attributes:
    """Installed distributions as one text, ``name==version`` a line, sorted, and cut when there are very many."""
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for distribution in distributions():
        # Its `metadata` is a parsed e-mail, whose body is the package's README: that takes a second for some hundred.
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or distribution.read_text("")
        fields = dict(_FIELD.findall((text or "").replace("\r", "").partition("\n\n")[0]))
        if name := fields.get("Name"):
            found.setdefault(name.lower(), f"{name}=={fields.get('Version')}")
        if len(found) >= _MAX_PACKAGES:
            break
        time.sleep(0)  # reading some hundred files must not hold the user's threads up
    text = "\n".join(found[name] for name in sorted(found))
    if len(text) > _MAX_PACKAGES_TEXT:
        text = text[:_MAX_PACKAGES_TEXT].rpartition("\n")[0]
    return {semconv.PYTHON_PACKAGES: text}


def _configured() -> Attributes:
    """What the detectors find that the user named in ``OTEL_EXPERIMENTAL_RESOURCE_DETECTORS``."""
    # (`Resource.create()` would read the variable itself, which could then be hidden while the program reads it)
    names = [
        name for part in (environment.value(_DETECTORS) or "").split(",") if (name := part.strip()) not in ("", "otel")
    ]
    if not names:
        return {}
    from importlib.metadata import entry_points

    registered = {each.name: each for each in entry_points(group="opentelemetry_resource_detector")}
    if "*" in names:
        names = sorted(registered.keys() - {"otel"})
    detectors = []
    for name in names:
        try:
            detectors.append(registered[name].load()())
        except Exception as error:
            logger.warning("the resource detector %r cannot be used: %r", name, error)
    found = dict(get_aggregated_resources(detectors, Resource.get_empty()).attributes)
    found.pop(INSTANCE_ID, None)  # the SDK's own random one; ours is given already
    return found


_ALWAYS: Final[tuple[Piece, ...]] = (_sdk, _runtime)
# A piece that never returns costs those after it, so what asks name services and disks comes last.
_HOST: Final[tuple[Piece, ...]] = (
    _process,
    _os,
    _host,
    _cpu,
    _memory,
    _host_id,
    _container,
    _os_description,
    _packages,
    _owner,
    _disk,
)


class _Collection:
    """One run over the pieces in a daemon thread; what is known so far can be read at any time."""

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        self.done = threading.Event()
        self.known: Attributes = {}
        self.packages: Attributes | None = None  # not in the resource, which backends show with each span
        self.version = 0
        self._pieces = deque(pieces)
        self._held = False
        self._thread: threading.Thread | None = None
        self.go_on()

    def go_on(self) -> None:
        """Start the thread, which has come to no end yet."""
        thread = threading.Thread(target=self._run, name="agentops-otel-resource", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no new threads while the interpreter shuts down
            self.done.set()
        else:
            self._thread = thread

    def _run(self) -> None:
        while self._pieces:
            if self._held:
                self.is_interrupted = True
                return
            found = _tried(self._pieces.popleft())
            if semconv.PYTHON_PACKAGES in found:
                self.packages = found
            elif found:
                # Replaced, not changed: a reader may be going through it.
                self.known = {**self.known, **found}
                self.version += 1
        self.done.set()

    is_interrupted = False  # by a fork

    def hold(self) -> None:
        """Before a fork: ask for no further piece."""
        self._held = True

    def join(self, until: float) -> bool:
        """Wait for the end of the thread; whether it has come."""
        return ended(self._thread, until)

    def release(self) -> None:
        """In the parent, after the fork: the next reader starts the thread for what is left."""
        self._held = False


def _tried(piece: Piece) -> Attributes:
    try:
        return {key: value for key, value in piece().items() if value not in (None, "")}
    except Exception:
        logger.debug(
            "a part of the host's description is missing: %s", getattr(piece, "__name__", piece), exc_info=True
        )
        return {}


class _Shared(Resource):
    """A resource with its hash kept.

    The OTLP encoder groups spans by resource and hashes it for each span, which is a JSON dump of all attributes.
    """

    _hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = super().__hash__()
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)


class HostResource:
    """The resource of this process: at once what identifies it, later all that is known; right in a forked child too.

    Args:
        pieces: what is collected in the background; for tests.
    """

    def __init__(self, pieces: tuple[Piece, ...] = _HOST) -> None:
        self._host_pieces = pieces
        self._pieces: tuple[Piece, ...] = ()
        self._collection: _Collection | None = None
        self._beginning = threading.RLock()
        self._foreign: dict[int, tuple[Resource, int, Resource]] = {}
        self._own_identity()
        self._parents: Attributes = {}
        RESOURCES.add(self)

    def _own_identity(self) -> None:
        self._pid = os.getpid()
        self._instance_id = str(uuid.uuid4())

    def hold(self) -> None:
        """Before a fork: ask nothing further of the host."""
        if self._collection is not None:
            self._collection.hold()

    def join(self, until: float) -> bool:
        """Wait for the end of the thread until `until` (`monotonic()`); whether it has come."""
        return self._collection is None or self._collection.join(until)

    def release(self) -> None:
        """In the parent, after the fork: the next reader lets the collection go on."""
        if self._collection is not None:
            self._collection.release()

    def after_fork(self) -> None:
        """In a forked child: another process id and instance id, the same host."""
        self._parents = {PID: self._pid, INSTANCE_ID: self._instance_id}
        self._own_identity()
        self._foreign = {}
        self._beginning = threading.RLock()  # a thread that stayed in the parent may hold the one before
        if self._collection is not None and not self._collection.done.is_set():
            self._collection = None  # its thread stayed in the parent; the next reader starts a new one

    def start(self, *, opt_out: bool = False) -> None:
        """Begin to collect in the background; a second call changes nothing.

        Args:
            opt_out: only service, SDK and runtime; nothing is asked of host, process or packages.
        """
        if self._pieces:
            return
        self._pieces = _ALWAYS if opt_out else (*_ALWAYS, *self._host_pieces, _configured)
        self._begin()

    def _begin(self) -> _Collection:
        """Begin to collect, once, whoever comes first: a fork waits for one thread only."""
        with self._beginning:
            if self._collection is None:
                self._collection = _Collection(self._pieces)
            return self._collection

    def identity(self, service_name: str | None = None) -> Resource:
        """What a `TracerProvider` is made with: service, SDK and the user's ``OTEL_RESOURCE_ATTRIBUTES``; no I/O.

        Args:
            service_name: `service.name`; wins over the environment. Without any it is ``unknown_service:python``.
        """
        with environment.usable(("OTEL_RESOURCE_ATTRIBUTES",)):
            named = OTELResourceDetector().detect().attributes
        attributes: Attributes = {
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": otel_sdk_version,
            SERVICE_NAME: _unknown_service(),
            INSTANCE_ID: self._instance_id,
            **named,
        }
        if service_name:
            attributes[SERVICE_NAME] = service_name
        return Resource(attributes)

    def get(self, timeout: float = 0.0) -> Resource:
        """All that is known after at most `timeout` seconds: `identity()` and what has been collected."""
        collection = self._running()
        if collection is not None and timeout > 0:
            collection.done.wait(timeout)
        return Resource(self._merged(self.identity().attributes))

    def packages(self) -> Attributes | None:
        """The installed packages; None while they are not known yet."""
        collection = self._running()
        if collection is None:
            return {}
        return collection.packages or ({} if collection.done.is_set() else None)

    def merge_into(self, resource: Resource) -> Resource:
        """A provider's resource completed by what is known; the provider's own attributes win.

        The same object comes back until more is known, so that a batch shares it.
        """
        collection = self._running()
        version = -1 if collection is None else collection.version
        cached = self._foreign.get(id(resource))
        if cached is not None and cached[0] is resource and cached[1] == version:
            return cached[2]
        if len(self._foreign) >= 64:
            self._foreign.clear()
        attributes = Redactor().clean_attributes(self._merged(resource.attributes), "resource")
        merged = _Shared(attributes, resource.schema_url)
        self._foreign[id(resource)] = (resource, version, merged)
        return merged

    def _running(self) -> _Collection | None:
        collection = self._collection
        if collection is None:
            if self._pieces:
                collection = self._begin()
        elif collection.is_interrupted and not collection.done.is_set():
            collection.is_interrupted = False
            collection.go_on()
        return collection

    def _known(self) -> Attributes:
        known = dict(self._collection.known) if self._collection is not None else {}
        if PID in known:
            known[PID] = self._pid
        return known

    def _merged(self, own: Mapping[str, Any]) -> Attributes:
        """A provider's attributes over ours; but a name that only says "unknown", and what the parent process left."""
        ours: Attributes = {INSTANCE_ID: self._instance_id, **self._known()}
        attributes = {**ours, **own}
        if str(own.get(SERVICE_NAME, _UNKNOWN_SERVICE)).startswith(_UNKNOWN_SERVICE) and SERVICE_NAME in ours:
            attributes[SERVICE_NAME] = ours[SERVICE_NAME]
        for key, left in self._parents.items():
            if attributes.get(key) == left:
                attributes[key] = self._pid if key == PID else self._instance_id
        return attributes


RESOURCES: Final[weakref.WeakSet[HostResource]] = weakref.WeakSet()
"""All that there are; `forks.py` sees to them."""


def _unknown_service() -> str:
    executable = os.path.basename(sys.executable or "")
    return f"{_UNKNOWN_SERVICE}:{executable}" if executable else _UNKNOWN_SERVICE


# One per process, shared by every pipeline and the detector.
HOST: Final = HostResource()


class HostResourceDetector(ResourceDetector):
    """The host's description for any OpenTelemetry SDK: ``OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=agentops``."""

    def detect(self) -> Resource:
        """What could be collected within four seconds; a piece that hangs costs itself and those after it."""
        collection = _Collection((*_ALWAYS, *_HOST))
        collection.done.wait(_DETECT_TIMEOUT)
        return Resource(collection.known)
