"""A backend that fails, victims that send to it, and the rules that hold whatever the fault is.

Every victim runs in the default configuration, told nothing but the endpoint, with a home of its own under the test's
folder. What it says of itself (`truth.py`) is compared with what the backend has stored.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fakes.fault_server import TRACES, FaultServer, Request
from tests.fakes.program import Ended, Program
from tests.faults.program import Exit, Victim, command

BATCH = 512  # spans in one request
EXIT = 2.0  # seconds that the end of a process may take, whatever the backend does
DRAIN = 10.0  # seconds until everything is delivered once the backend is back
MOST_LINES = 5


class Stage:
    """A context manager; `backend` is up, and can be taken down.

    Args:
        folder: for homes and truth files.
        protocol: of backend and victims.
        slim: the backend keeps ids only.
    """

    def __init__(self, folder: Path, protocol: str = "http/protobuf", *, slim: bool = False) -> None:
        self.folder = folder
        self.backend = FaultServer(protocol, slim=slim)
        self._closed = threading.Event()
        self._running: list[Program] = []
        self._started = 0
        self.journal = folder / "home" / "agentops-otel" / "journal"  # where the victims' journals are by default

    def __enter__(self) -> Stage:  # noqa: PYI034  (typing.Self is newer than Python 3.10)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.backend.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything, from any thread."""
        self._closed.set()
        for program in self._running:
            program.__exit__(None, None, None)
        self._running.clear()
        self.backend.down()

    # What is played --------------------------------------------------------------------------------------------------

    @property
    def variables(self) -> dict[str, str]:
        """The environment of victims and commands."""
        home = str(self.folder / "home")
        return {
            "AGENTOPS_ENDPOINT": self.backend.url,
            "AGENTOPS_PROTOCOL": self.backend.protocol,
            "HOME": home,
            "XDG_DATA_HOME": home,
            "XDG_STATE_HOME": home,
        }

    def victim(self, body: str, **variables: str) -> Victim:
        """Start a victim; the body usually begins with `start()`, whose "ready" is waited for."""
        (self.folder / "home").mkdir(exist_ok=True)
        self._started += 1
        truth = self.folder / f"truth{self._started}"
        victim = Victim(body, truth, {**self.variables, **variables})
        self._running.append(victim)
        assert not self._closed.is_set(), "the run is over"
        victim.wait_for("ready")
        return victim

    def command(self, *arguments: str, **variables: str) -> Ended:
        """Run a command of `agentops-otel`."""
        program = command(*arguments, variables={**self.variables, **variables})
        self._running.append(program)
        return program.end(1000.0)  # the test's own time limit is shorter

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        assert not self._closed.wait(seconds), "the run is over"

    def outage(self, seconds: float) -> None:
        """Nothing listens for a while, and living connections are cut."""
        self.backend.down()
        self.pause(seconds)
        self.backend.up()

    def wait_until(self, condition: Callable[[], bool], timeout: float = 60.0) -> float:
        """Wait for a condition; returns the seconds that it took."""
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() - begun < timeout, f"not after {timeout} s"
            self.pause(0.02)
        return time.monotonic() - begun

    # What came of it -------------------------------------------------------------------------------------------------

    def stored(self) -> set[str]:
        """Ids of the spans that the backend has stored."""
        return set(self.backend.span_ids())

    def duplicates(self) -> int:
        """How many spans were stored more than once, counted each time."""
        ids = self.backend.span_ids()
        return len(ids) - len(set(ids))

    def trace_requests(self) -> list[Request]:
        """The requests that brought spans."""
        return [request for request in self.backend.requests if request.path == TRACES]

    def drained(self, victim: Victim) -> float:
        """Wait until the backend has every span that the victim has ended up to now; returns the seconds it took."""
        due = victim.spans
        return self.wait_until(lambda: due <= self.stored())

    def state(self) -> Any:
        """What is in the journals of this stage."""
        from agentops_otel.pipeline.overview import state

        return state(str(self.journal))

    def kept(self) -> int:
        """How many spans are in the journals of this stage, unacknowledged."""
        return sum(destination.spans for destination in self.state().destinations)

    # Rules -----------------------------------------------------------------------------------------------------------

    def ended_well(self, victim: Victim, budget: float = EXIT, code: int = 0) -> Exit:
        """Wait for the victim's end: its own exit code, in time, and without noise."""
        exit_ = victim.exit()
        assert exit_.code == code, f"exit code {exit_.code}: {exit_.lines}"
        noise = [line for line in exit_.lines if "Traceback" in line or "internal error" in line]
        assert not noise, f"noise: {exit_.lines}"
        assert len(exit_.lines) <= MOST_LINES, f"{len(exit_.lines)} lines: {exit_.lines}"
        shapes = [re.sub(r"\d+", "0", line) for line in exit_.lines]
        assert len(shapes) == len(set(shapes)), f"said twice: {exit_.lines}"
        if exit_.seconds > budget:  # late, or is it the machine? The same exit with a backend that is well tells.
            allowed = budget + 0.3 + exit_.starved + 2 * max(map(self._healthy_exit, range(3)))
            assert exit_.seconds <= allowed, (
                f"{exit_.seconds:.2f} s to exit, {allowed:.2f} s allowed ({exit_.starved:.2f} s of them without a "
                f"processor), and stood late:\n{exit_.stood}"
            )
        return exit_

    def _healthy_exit(self, number: int) -> float:
        with Stage(self.folder / f"healthy {number}", self.backend.protocol) as other:
            victim = other.victim("start()\nspans(100)")
            return victim.exit().seconds

    def deliver_rest(self, *victims: Victim, exact: bool = True) -> None:
        """The backend is well again: what the victims left in the journal arrives, and nothing of it is lost.

        Args:
            victims: have ended.
            exact: the backend stored nothing that it did not acknowledge; then recorded = stored + kept.
        """
        due = set().union(*(victim.spans | victim.roots for victim in victims))
        stored, kept = len(due & self.stored()), self.kept()
        balanced = stored + kept == len(due) or (not exact and stored + kept > len(due))
        assert balanced, f"{len(due)} recorded, {stored} stored, {kept} kept"
        if kept:
            done = self.command("flush", "--timeout=900")
            assert done.code == 0, f"flush: {done.code}, {done.out}, {done.err}"
            assert f"{kept:,} sent" in done.out, done.out
        self.arrived(*victims)
        assert self.kept() == 0, f"{self.kept()} still kept"

    def arrived(self, *victims: Victim, but: int = 0, untold: int = 0) -> None:
        """Every span of the victims, root included, is stored, and nothing else.

        Args:
            victims: whose spans they are.
            but: so many are missing.
            untold: so many victims were killed, each perhaps between the end of a span and the telling of it.
        """
        due = set().union(*(victim.spans | victim.roots for victim in victims))
        lost = due - self.stored()
        assert len(lost) == but, f"{len(lost)} of {len(due)} lost: {sorted(lost)[:5]}"
        strange = self.stored() - due
        assert len(strange) <= untold, f"{len(strange)} spans that nobody recorded: {sorted(strange)[:5]}"
