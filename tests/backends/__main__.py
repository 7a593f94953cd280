"""`make jaeger`: Jaeger behind the Collector, and a program's session sent through both.

    python -m tests.backends PROGRAM.py

On a terminal the servers run until Ctrl-C; otherwise, or with ONCE=1, the trace is looked for and everything ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.backends.collector import Collector
from tests.backends.jaeger import Jaeger, attributes
from tests.backends.server import ServerError
from tools.backends import BackendError, build

WAIT_SECONDS = 15.0


class ShowError(Exception):
    """The session cannot be shown; the text is one line that says why."""


def main(program: str) -> int:
    """Run the servers and the program; returns the exit code."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="agentops-jaeger-") as folder,
            Jaeger(build("jaeger"), Path(folder)) as jaeger,
        ):
            environ = {"JAEGER_OTLP_ENDPOINT": jaeger.otlp_grpc_address}
            with Collector(build("collector"), Path(folder), environ=environ) as collector:
                _send(program, collector)
                _show(jaeger, collector)
                if _stays():
                    _wait()
    except (BackendError, ServerError, ShowError) as error:
        print(f"make jaeger: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    return 0


def _send(program: str, collector: Collector) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOPS_", "OTEL_"))}
    environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.otlp_http
    code = subprocess.run([sys.executable, program], env=environ, check=False).returncode
    if code != 0:
        raise ShowError(f"{program} ended with code {code}; its own output above says why.")


def _show(jaeger: Jaeger, collector: Collector) -> None:
    trace = _first_trace(jaeger)
    session_id = next((found for span in trace["spans"] if (found := attributes(span).get("session.id"))), "none")
    print(f"\nJaeger has the session {session_id} with {_spans(len(trace['spans']))}:")
    print(f"  trace      {jaeger.trace_url(trace['traceID'])}")
    service = next(iter(trace["processes"].values()))["serviceName"]
    print(f"  all traces {jaeger.query_url}/api/traces?service={quote(service)}")
    print(f"  send more  OTEL_EXPORTER_OTLP_ENDPOINT={collector.otlp_http}", flush=True)


def _spans(count: int) -> str:
    return "1 span" if count == 1 else f"{count} spans"


def _first_trace(jaeger: Jaeger) -> dict[str, Any]:
    """The trace in the empty Jaeger, once nothing more arrives for it."""
    deadline = time.monotonic() + WAIT_SECONDS
    seen = 0
    while time.monotonic() < deadline:
        traces = [trace for service in jaeger.services() for trace in jaeger.search(service, wait=0.0)]
        if traces and len(traces[0]["spans"]) == seen:
            return traces[0]
        seen = len(traces[0]["spans"]) if traces else 0
        time.sleep(1.0)
    raise ShowError(f"no trace arrived in Jaeger within {WAIT_SECONDS:.0f} s.")


def _stays() -> bool:
    return sys.stdout.isatty() and os.environ.get("ONCE", "") in ("", "0")


def _wait() -> None:
    print("\nJaeger and the Collector run until Ctrl-C.", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
