"""The box beside other local dashboards: `python bench/server.py`, in an environment with `agentops-otel[server]`.

    python bench/server.py [--spans 200000] [--peers FOLDER] [--peer-spans 4000]

Said are, of each: the time from the start of the process to its first page, memory when idle and after the spans, how
many spans a second are taken and can be read back, what the first page transfers, and how long pages take. FOLDER has
a virtual environment for each peer, `phoenix` (arize-phoenix) and `mlflow`; without it only the box is measured. Peers
get fewer spans: the list of ours is filled with all of them first.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: E402

from tests.backends.server import answers, free_ports  # noqa: E402
from tests.fakes import plays  # noqa: E402
from tests.fakes.sessions import Run  # noqa: E402

CONNECTIONS = 4
BATCH = 512


def bodies(spans: int, each: int = 20) -> tuple[list[tuple[bytes, int]], list[Run]]:
    """Requests of about 512 spans, gzipped, and the sessions in them."""
    runs = list(plays.many(time.time_ns(), spans // each, each))
    made, request, count = [], ExportTraceServiceRequest(), 0
    for run in runs:
        request.MergeFromString(run.traces())
        count += len(run.spans)
        if count >= BATCH or run is runs[-1]:
            made.append((gzip.compress(request.SerializeToString(), 5), count))
            request, count = ExportTraceServiceRequest(), 0
    return made, runs


def send(url: str, made: Iterable[tuple[bytes, int]], more: Mapping[str, str]) -> float:
    """Post all bodies over a few connections; the seconds until the last answer of 200."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body, _ in made:
        waiting.put(body)
    failed: list[str] = []
    parts = urlsplit(url)

    def work() -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        with suppress(queue.Empty):
            while True:
                body = waiting.get_nowait()
                headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip", **more}
                connection.request("POST", "/v1/traces", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    failed.append(f"{answer.status} {text[:200]!r}")
        connection.close()

    crew = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    begun = time.perf_counter()
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    if failed:
        raise SystemExit(f"{url}: {len(failed)} requests failed, the first: {failed[0]}")
    return time.perf_counter() - begun


@dataclass
class Measured:
    """One column of the table."""

    name: str
    cold_s: float = 0.0
    idle_mb: float = 0.0
    full_mb: float = 0.0
    spans: int = 0
    rate: float = 0.0
    first_kb: float = 0.0
    pages_ms: dict[str, float] = field(default_factory=dict)


@contextmanager
def server(
    command: Sequence[str], environ: Mapping[str, str], url: str, path: str = "/"
) -> Iterator[tuple[int, float]]:
    """A server in a process group of its own: its process id, and the seconds to its first page.

    It is started twice: the first start compiles, as an installation may have done.
    """
    with _started(command, environ, url, path):
        pass
    with _started(command, environ, url, path) as started:
        yield started


@contextmanager
def _started(command: Sequence[str], environ: Mapping[str, str], url: str, path: str) -> Iterator[tuple[int, float]]:
    environ = {**os.environ, **environ}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environ}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not answers(url + path):
                if process.poll() is not None or time.perf_counter() - begun > 120:
                    log.seek(0)
                    raise SystemExit(f"{command[0]} did not start: {log.read()[-800:].decode(errors='replace')}")
                time.sleep(0.02)
            yield process.pid, time.perf_counter() - begun
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def memory(pid: int) -> float:
    """Resident memory of a process and its children, in MB."""
    first = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (first, *first.children(recursive=True))) / 1e6


def milliseconds(url: str, times: int = 15) -> float:
    """The median time of a GET on a kept connection."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        connection.request("GET", url[len(f"{parts.scheme}://{parts.netloc}") :], headers={"accept-encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{url}: {answer.status}")
        taken.append((time.perf_counter() - begun) * 1e3)
    connection.close()
    return statistics.median(taken)


def transferred(url: str) -> float:
    """What a browser receives for a page and all that it loads, in kB; 0 without Chromium or Playwright."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return 0.0
    from tools.browser import ARGUMENTS, chromium

    path = chromium()
    if path is None:
        return 0.0
    sizes: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        page = browser.new_page()
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        page.goto(url, wait_until="load")
        page.wait_for_timeout(3000)
        browser.close()
    return sum(sizes) / 1e3


def ours(spans: int) -> Measured:
    """The box."""
    column, port = Measured("agentops-otel"), free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        db = f"{folder}/box.db"
        command = [sys.executable, "-m", "agentops_otel.server", "--db", db, "--port", str(port), "--no-auth"]
        environ = {"XDG_DATA_HOME": folder, "XDG_STATE_HOME": folder}
        made, runs = bodies(spans)
        with server(command, environ, url) as (pid, column.cold_s):
            time.sleep(2)
            column.idle_mb = memory(pid)
            send(url, made[:2], {})  # what is loaded with the first spans
            rest = made[2:]
            column.spans = sum(count for _, count in made)
            column.rate = sum(count for _, count in rest) / send(url, rest, {})
            column.full_mb = memory(pid)
            column.first_kb = transferred(url)
            middle = runs[len(runs) // 2].session_id
            pages = {
                "list": "/",
                "list, by cost": "/?sort=cost",
                "list as JSON": "/sessions.json",
                "one session": f"/s/{middle}",
                "costs": "/costs",
                "errors": "/errors",
                "search": "/search?q=webhooks",
            }
            column.pages_ms = {name: milliseconds(url + path) for name, path in pages.items()}
            for size in (5000, 20_000):
                run = plays.large(time.time_ns(), size)
                batches = [run.spans[first : first + BATCH] for first in range(0, len(run.spans), BATCH)]
                send(url, [(gzip.compress(run.traces(batch), 5), len(batch)) for batch in batches], {})
                column.pages_ms[f"waterfall of {size:,} spans"] = milliseconds(
                    f"{url}/s/{run.session_id}?tab=waterfall", 3
                )
        column.pages_ms["list, in the store"] = in_the_store(db)
    return column


def in_the_store(db: str) -> float:
    """The median time of the list's query, without HTTP and HTML."""
    from agentops_otel.server.store import Filter
    from agentops_otel.server.store.sqlite import SqliteStore

    store = SqliteStore(db)
    taken = []
    for _ in range(30):
        begun = time.perf_counter()
        store.sessions(Filter())
        taken.append((time.perf_counter() - begun) * 1e3)
    store.close()
    return statistics.median(taken)


def phoenix(folder: Path, spans: int) -> Measured:
    """Arize Phoenix; its spans can be read back some time after they are answered."""
    column, port = Measured("Phoenix"), free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as data:
        environ = {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free_ports(1)[0]),
            "PHOENIX_WORKING_DIR": data,
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        with server([str(folder / "bin" / "phoenix"), "serve"], environ, url) as (pid, column.cold_s):

            def count() -> int:
                query = json.dumps({"query": "{projects{edges{node{recordCount}}}}"}).encode()
                with urlopen(Request(f"{url}/graphql", query, {"content-type": "application/json"})) as answer:
                    edges = json.load(answer)["data"]["projects"]["edges"]
                return sum(edge["node"]["recordCount"] for edge in edges)

            _peer(column, pid, url, spans, count, {})
            column.pages_ms["list as JSON"] = milliseconds(f"{url}/v1/projects/default/spans?limit=50", 5)
    return column


def mlflow(folder: Path, spans: int) -> Measured:
    """MLflow's tracking server with SQLite."""
    column, port = Measured("MLflow"), free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as data:
        command = [
            str(folder / "bin" / "mlflow"),
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ]
        command += ["--backend-store-uri", f"sqlite:///{data}/mlflow.db", "--artifacts-destination", data]
        environ = {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with server(command, environ, url) as (pid, column.cold_s):
            search = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]}

            def listed(token: str = "") -> tuple[int, str]:
                asked = json.dumps({**search, "max_results": 100, **({"page_token": token} if token else {})}).encode()
                request = Request(f"{url}/api/3.0/mlflow/traces/search", asked, {"content-type": "application/json"})
                with urlopen(request) as answer:
                    found = json.load(answer)
                return len(found.get("traces", ())), found.get("next_page_token", "")

            def count() -> int:
                traces, token = listed()
                while token:
                    more, token = listed(token)
                    traces += more
                return traces * 20

            _peer(column, pid, url, spans, count, {"x-mlflow-experiment-id": "0"})
            begun = time.perf_counter()
            listed()
            column.pages_ms["list as JSON"] = (time.perf_counter() - begun) * 1e3
    return column


def _peer(column: Measured, pid: int, url: str, spans: int, count: Callable[[], int], more: Mapping[str, str]) -> None:
    time.sleep(2)
    column.idle_mb = memory(pid)
    column.first_kb = transferred(url)
    made, runs = bodies(spans)
    column.spans = sum(number for _, number in made)
    whole = len(runs) * 20 if column.name == "MLflow" else column.spans
    begun = time.perf_counter()
    send(url, made, more)
    while count() < whole and time.perf_counter() - begun < 300:
        time.sleep(0.2)
    column.rate = min(count(), whole) / whole * column.spans / (time.perf_counter() - begun)
    column.full_mb = memory(pid)


def table(columns: Sequence[Measured]) -> str:
    """A Markdown table, one column for each server."""
    rows: list[tuple[str, Callable[[Measured], str]]] = [
        ("spans", lambda each: f"{each.spans:,}"),
        ("start to first page", lambda each: f"{each.cold_s:.2f} s"),
        ("memory, idle", lambda each: f"{each.idle_mb:.0f} MB"),
        ("memory, with the spans", lambda each: f"{each.full_mb:.0f} MB"),
        ("spans taken and readable a second", lambda each: f"{each.rate:,.0f}"),
        ("first page, transferred", lambda each: f"{each.first_kb:,.0f} kB" if each.first_kb else ""),
    ]
    names = dict.fromkeys(name for each in columns for name in each.pages_ms)
    rows += [(name, partial(_page, name)) for name in names]
    lines = [f"| | {' | '.join(each.name for each in columns)} |", "|---|" + "---|" * len(columns)]
    lines += [f"| {name} | {' | '.join(cell(each) for each in columns)} |" for name, cell in rows]
    return "\n".join(lines)


def _page(name: str, column: Measured) -> str:
    taken = column.pages_ms.get(name)
    return "" if taken is None else f"{taken:.1f} ms"


def main() -> None:
    """Measure and print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--spans", type=int, default=200_000)
    options.add_argument("--peer-spans", type=int, default=4_000)
    options.add_argument("--peers", type=Path)
    given = options.parse_args()
    columns = [ours(given.spans)]
    for name, measure in (("phoenix", phoenix), ("mlflow", mlflow)):
        if given.peers is not None and (given.peers / name / "bin").exists():
            columns.append(measure((given.peers / name).resolve(), given.peer_spans))
    print(table(columns))


if __name__ == "__main__":
    main()
