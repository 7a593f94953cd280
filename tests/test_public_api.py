"""The front door: what is visible is what is listed."""

from __future__ import annotations

import pkgutil
import types

import agentops_otel


def test_all_is_what_is_visible():
    """`__all__` names every public object of the package, sorted."""
    visible = sorted(
        name
        for name, value in vars(agentops_otel).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    )
    assert agentops_otel.__all__ == visible


def test_everything_public_is_documented():
    """Every public object says what it is."""
    assert [name for name in agentops_otel.__all__ if not (getattr(agentops_otel, name).__doc__ or "").strip()] == []


def test_no_module_has_a_public_name():
    """No module is called like a public object: type checkers would take the module for it."""
    modules = {module.name for module in pkgutil.iter_modules(agentops_otel.__path__)}
    assert modules.isdisjoint(agentops_otel.__all__)
