"""What a file of an SDK may be: short, and about what is a call, not about how it is followed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from agentops_otel import instrumentation
from agentops_otel.instrumentation import _known

FOLDER = Path(instrumentation.__file__).parent
FILES = sorted({file for file, *_ in _known._BUILT_IN.values()})
MOST_LINES, MOST_OF_STAINLESS = 150, 90


def _source(file):
    return (FOLDER / f"{file}.py").read_text(encoding="utf-8")


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("file", FILES)
def test_it_is_short(file):
    """Clients of OpenAI's generator need 90 lines at most, others 150."""
    source = _source(file)
    most = MOST_OF_STAINLESS if "StainlessSdk(" in source else MOST_LINES
    assert len(source.splitlines()) <= most


@pytest.mark.parametrize("file", FILES)
def test_it_says_what_and_not_how(file):
    """It imports neither wrapt nor OpenTelemetry nor the SDK, and nothing in it is asynchronous."""
    tree = ast.parse(_source(file))
    assert not {"wrapt", "opentelemetry", file} & set(_imported(tree))
    kinds = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_every_file_of_the_folder_is_listed():
    """Files without an underscore are SDKs, and each is known."""
    assert sorted(path.stem for path in FOLDER.glob("[a-z]*.py")) == FILES
