"""Runs the tests that take a `stage` some at a time, as they mostly wait; each still passes or fails for itself."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.stage import Stage

HTTP = "http/protobuf"
_AT_ONCE = min(8, 2 * (os.cpu_count() or 1))


class Ahead:
    """Begins every selected test that takes a `stage` in its order; a test's own turn waits for the outcome.

    Such a test is called with a `Stage` and its parameters, in a thread. It may take nothing else.
    """

    def __init__(self, items: list[pytest.Function], folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._over = False
        self._stages: set[Stage] = set()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "stage")
        self.futures: dict[str, Future[None]] = {item.nodeid: self._pool.submit(self._play, item) for item in items}

    def close(self) -> None:
        """End everything that still runs."""
        with self._lock:
            self._over = True
            stages = list(self._stages)
        for stage in stages:
            stage.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _play(self, item: pytest.Function) -> None:
        parameters = dict(item.callspec.params) if hasattr(item, "callspec") else {}
        stage = Stage(self._folder / re.sub(r"\W+", "-", item.name), parameters.get("protocol", HTTP))
        with self._lock:
            if self._over:
                return
            self._stages.add(stage)
        try:
            with stage:
                item.function(stage, **parameters)
        finally:
            with self._lock:
                self._stages.discard(stage)


@pytest.fixture(scope="session")
def ahead(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ahead]:
    items = [item for item in request.session.items if "stage" in getattr(item, "fixturenames", ())]
    ahead = Ahead(items, tmp_path_factory.mktemp("faults"))
    yield ahead
    ahead.close()


@pytest.fixture
def stage(ahead: Ahead, request: pytest.FixtureRequest) -> Future[None]:
    """For the test's own thread; the test itself gets a `Stage`."""
    return ahead.futures[request.node.nodeid]


@pytest.fixture
def alone(tmp_path) -> Iterator[Stage]:
    """A stage for a test that needs the machine for itself."""
    with Stage(tmp_path, slim=True) as stage:
        yield stage


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """The call of a test that was begun ahead is the wait for its outcome."""
    future = pyfuncitem.funcargs.get("stage")
    if not isinstance(future, Future):
        return None
    future.result()
    return True
