"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "agentops_otel"


def _root_imports(source: str, path: Path) -> Iterator[int]:
    """Lines that import the package root; `from . import semconv` is about the module, not about the root's names."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and any(alias.name == "agentops_otel" for alias in node.names):
            yield node.lineno
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level == 0 and node.module == "agentops_otel":
            yield node.lineno
        if node.level == depth and node.module is None and not all(_is_module(alias.name) for alias in node.names):
            yield node.lineno


def _is_module(name: str) -> bool:
    return (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name).is_dir()


def _tests(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            yield node


def _sources() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_the_package_root(path):
    """Modules import the module they need, never `agentops_otel` itself: that way lie import cycles."""
    lines = list(_root_imports(path.read_text(encoding="utf-8"), path))
    assert not lines, f"{path.relative_to(ROOT)} imports the package root on line {lines[0]}"


@pytest.mark.parametrize(
    ("source", "module", "found"),
    [
        pytest.param("import agentops_otel", "_session.py", True, id="import"),
        pytest.param("import agentops_otel.semconv", "_session.py", False, id="import-module"),
        pytest.param("from agentops_otel import init", "_session.py", True, id="from-root"),
        pytest.param("from agentops_otel.config import Configuration", "_session.py", False, id="from-module"),
        pytest.param("from . import init", "_session.py", True, id="relative-name"),
        pytest.param("from . import semconv", "_session.py", False, id="relative-module"),
        pytest.param("from .. import init", "pipeline/ids.py", True, id="relative-name-from-folder"),
        pytest.param("from . import init", "pipeline/ids.py", False, id="relative-name-of-folder"),
        pytest.param("def f():\n    from agentops_otel import init", "_session.py", True, id="inside-function"),
    ],
)
def test_an_import_of_the_package_root_is_recognised(source, module, found):
    """The rule above sees every way to write the import and leaves the allowed ones alone."""
    assert bool(list(_root_imports(source, PACKAGE / module))) is found


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_there_is_one_logger(path):
    """No module makes a logger of its own, and only what people ask for or the summary is printed."""
    code = ast.unparse(_without_docstrings(ast.parse(path.read_text(encoding="utf-8"))))
    if path.name != "log.py":
        assert "getLogger('agentops_otel')" not in code, "use agentops_otel.log.logger"
    if path.name != "summary.py" and path.parent.name != "cli":
        assert not re.search(r"sys\.stderr|\bprint\(|warnings\.warn\(", code), "lines go through agentops_otel.log"


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return tree


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: str(path.relative_to(ROOT / "tests"))
)
def test_every_test_has_a_docstring(path):
    """Each test says in one line which behaviour it is about."""
    tests = _tests(ast.parse(path.read_text(encoding="utf-8")))
    silent = [test.name for test in tests if not (ast.get_docstring(test) or "").strip()]
    assert not silent, f"no docstring: {', '.join(silent)}"
