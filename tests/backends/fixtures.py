"""Pytest fixtures over the real servers, one of each for the whole run; loaded by tests/conftest.py.

A test that takes one gets the marker `backend`. Where a server is missing the test is skipped with the reason, or fails
when AGENTOPS_TEST_REQUIRE_ALL is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.backends.collector import Collector
from tests.backends.jaeger import Jaeger
from tools.backends import BACKENDS
from tools.browser import BrowserError
from tools.browser import installed as chromium_installed

BACKEND_FIXTURES = {"chromium", "jaeger", "collector", "collector_program"}
# Read once, here: the tests' environment is cleaned of most variables.
REQUIRE_ALL = os.environ.get("AGENTOPS_TEST_REQUIRE_ALL", "") not in ("", "0")


@pytest.hookimpl(tryfirst=True)  # before `-m "not backend"` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a real server."""
    for item in items:
        if BACKEND_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.backend)


def unavailable(reason: str) -> NoReturn:
    """Skip the test because a service is missing; fail it when everything is required."""
    if REQUIRE_ALL:
        pytest.fail(f"{reason} (AGENTOPS_TEST_REQUIRE_ALL is set)", pytrace=False)
    pytest.skip(reason)


def program(name: str) -> Path:
    """The built server; skips the test when it is not there."""
    path = BACKENDS[name].path
    if not path.exists():
        unavailable(f"{BACKENDS[name].title} is not built: python tools/backends.py build {name}")
    return path


@pytest.fixture(scope="session")
def collector_program() -> Path:
    """The Collector's program."""
    return program("collector")


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """A running Jaeger, shared by all tests: each looks for its own trace."""
    with Jaeger(program("jaeger"), tmp_path_factory.mktemp("jaeger")) as server:
        yield server


@pytest.fixture(scope="session")
def collector(jaeger: Jaeger, collector_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A running Collector with `collector-config.yaml`, which sends to `jaeger`."""
    environ = {"JAEGER_OTLP_ENDPOINT": jaeger.otlp_grpc_address, "DEBUG_VERBOSITY": "detailed"}
    with Collector(collector_program, tmp_path_factory.mktemp("collector"), environ=environ) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    try:
        return chromium_installed()
    except BrowserError as error:
        unavailable(str(error))
