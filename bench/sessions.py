"""How long the end of a session holds a server's thread up: `python bench/sessions.py`.

Threads of a program run one `with session()` with one action after the other; a backend in another process takes some
time for each request. Said are the sessions a second, the time that the end of the block takes, and how many spans the
backend has when the process has gone.
"""

from __future__ import annotations

import argparse
import json
import threading
import time

from backend import backend

SECONDS = 5.0


def serve(url: str, threads: int, wait: bool) -> None:
    """Be the program; print sessions a second, the median and the 99th percentile of the ends in milliseconds."""
    import agentops_otel as agentops

    agentops.init(endpoint=url, summary=False, auto_start_session=False)
    options = {"wait": True} if wait else {}
    ends: list[float] = []
    until = time.perf_counter() + SECONDS

    def work() -> None:
        while time.perf_counter() < until:
            with agentops.session(**options):
                agentops.record(agentops.ActionEvent("work"))
                begun = time.perf_counter()
            ends.append(time.perf_counter() - begun)

    crew = [threading.Thread(target=work) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    ends.sort()
    print(json.dumps([len(ends), len(ends) / SECONDS, ends[len(ends) // 2] * 1e3, ends[len(ends) * 99 // 100] * 1e3]))


def measure(threads: int, delay: float, wait: bool) -> str:
    """One line of the table."""
    with backend("http/protobuf", delay) as server:
        said = server.run(__file__, "--serve", server.url, str(threads), str(int(wait)))
        number, rate, median, slow = json.loads(said.splitlines()[-1])
        shares = []
        for _ in range(2):
            shares.append(f"{server.arrived() / (2 * number):.1%}")
            server.flush()
    cells = (f"{delay:g} s", "waits" if wait else "does not wait", f"{rate:,.0f}", f"{median:.1f} ms", f"{slow:.1f} ms")
    return f"| {' | '.join((*cells, *shares))} |"


def main() -> None:
    """Measure and print a Markdown table, or be the program that is measured."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--threads", type=int, default=16)
    options.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        url, threads, wait = chosen.serve
        serve(url, int(threads), bool(int(wait)))
        return
    print("| a request takes | the end | sessions/s | median end | 99 % | arrived at the exit | in the end |")
    print("|---|---|---|---|---|---|---|")
    for delay in (0.0, 0.1):
        for wait in (True, False):
            print(measure(chosen.threads, delay, wait), flush=True)


if __name__ == "__main__":
    main()
