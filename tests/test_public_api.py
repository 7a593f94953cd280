"""The front door: what is visible is what is listed."""

from __future__ import annotations

import importlib.metadata
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import agentops_otel
from agentops_otel.config import SETTINGS


def test_all_is_what_is_visible():
    """`__all__` names every public object of the package, sorted."""
    visible = sorted(
        name
        for name, value in vars(agentops_otel).items()
        if name == "__version__"
        or not (name.startswith("_") or isinstance(value, types.ModuleType) or name == "annotations")
    )
    assert agentops_otel.__all__ == visible


def test_everything_public_is_documented():
    """Every public object says what it is."""
    names = [name for name in agentops_otel.__all__ if name != "__version__"]
    assert [name for name in names if not (getattr(agentops_otel, name).__doc__ or "").strip()] == []


def test_the_version_is_that_of_the_distribution():
    """The package, its metadata and the command line say the same version."""
    assert agentops_otel.__version__ == importlib.metadata.version("agentops-otel")
    for command in (["-m", "agentops_otel"], [str(Path(sys.executable).with_name("agentops-otel"))]):
        start = [sys.executable, *command] if command[0] == "-m" else command
        done = subprocess.run([*start, "--version"], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == f"agentops-otel {agentops_otel.__version__}\n"


def test_a_session_shows_what_its_user_needs():
    """Everything else on a session has an underscore."""
    documented = [
        "name",
        "owner",
        "config",
        "video",
        "session_id",
        "project_id",
        "init_timestamp",
        "end_timestamp",
        "end_state",
    ]
    shown = ["end_state_reason", "trace_id", "tags", "is_running", "totals", "host_env", "delivered"]
    calls = ["record", "score", "add_tags", "set_tags", "environ", "end", "end_session"]
    agentops_otel.start_session()
    session = agentops_otel.current_session()
    agentops_otel.end_session()
    assert _public(session) == sorted([*documented, *shown, *calls])


def test_a_configuration_shows_the_settings():
    """Everything else on a configuration has an underscore."""
    assert _public(agentops_otel.Configuration()) == sorted(setting.name for setting in SETTINGS)


def _public(value):
    return sorted(name for name in dir(value) if not name.startswith("_"))


def test_no_module_has_a_public_name():
    """No module is called like a public object: type checkers would take the module for it."""
    modules = {module.name for module in pkgutil.iter_modules(agentops_otel.__path__)}
    assert modules.isdisjoint(agentops_otel.__all__)
