"""Documentation that cannot rot: what it names exists, what exists is named, its links resolve and its programs run."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import click
import pytest

import agentops_otel
from agentops_otel import semconv
from agentops_otel.cli.entry import program
from agentops_otel.config import SETTINGS
from agentops_otel.instrumentation import known
from examples.openai_server import OpenAIServer
from tests.fakes.fault_server import FaultServer
from tools.pages import __main__ as pages
from tools.pages.sdks import WORDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def _blocks(page):
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(page, text.count("\n", 0, found.start()) + 2, found[1], found[2])


def _examples():
    """The examples in the docstrings of what users call."""
    for name in agentops_otel.__all__:
        text = inspect.getdoc(getattr(agentops_otel, name)) or ""
        for found in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
            yield Block(ROOT / name, 0, "python", textwrap.dedent(found[1]))


PROGRAMS = [block for page in PAGES for block in _blocks(page) if block.language == "python"]
EXAMPLES = list(_examples())


def _read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def servers():
    with OpenAIServer() as llm, FaultServer() as backend:
        yield {"OPENAI_BASE_URL": llm.url, "OPENAI_API_KEY": "none", "AGENTOPS_ENDPOINT": backend.url}


@pytest.mark.parametrize("block", [*PROGRAMS, *EXAMPLES], ids=lambda block: block.id)
def test_a_program_in_the_documentation_runs(block, servers, tmp_path):
    """Each Python block is a program of its own, or a file of tests, and ends well."""
    program = tmp_path / "test_block.py"
    program.write_text(block.text, encoding="utf-8")
    command = [sys.executable, *_pytest(block), program.name]
    ours = ("AGENTOPS_", "OTEL_", "OPENAI_", "PYTEST_", "TRACEPARENT", "BAGGAGE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # for `tests.fakes`
    environ |= {"PYTHONUTF8": "1", "PYTHONPATH": path, **servers}
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{block.id}\n{done.stdout}\n{done.stderr}"
    assert "internal error" not in done.stderr
    assert "not delivered" not in done.stderr


def _pytest(block):
    if "\ndef test_" not in block.text:
        return []
    installed = entry_points(group="pytest11", name="agentops_otel")
    return ["-m", "pytest", "-q", *([] if installed else ["-p", "agentops_otel_pytest"])]


def test_the_documentation_has_programs():
    """The patterns that find them still do."""
    assert {"init", "session", "tool", "record"} <= {example.page.name for example in EXAMPLES}
    assert {"README.md", "docs/settings.md", "docs/testing.md"} <= {block.id.rpartition(":")[0] for block in PROGRAMS}


@pytest.mark.parametrize("name", pages.PAGES)
def test_what_a_page_repeats_of_the_package_is_current(name):
    """Every setting, every command with its options, every SDK with its tested versions."""
    page = _read(f"docs/{name}")
    assert page == pages.current(name, page), "run python -m tools.pages"


def test_every_sdk_has_its_words():
    """What is recorded of it, and what is not."""
    assert sorted(known()) == sorted(WORDS)


def test_a_page_that_is_not_current_is_named(tmp_path, monkeypatch, capsys):
    """`--check` says which and changes none; without it the page is written, and is current then."""
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    for name in pages.PAGES:
        (tmp_path / name).write_text(_read(f"docs/{name}"), encoding="utf-8")
    stale = tmp_path / "settings.md"
    stale.write_text(stale.read_text(encoding="utf-8").replace("| `endpoint` |", "| `end_point` |"), encoding="utf-8")
    assert pages.main(["--check"]) == 1
    assert capsys.readouterr().err == "docs/settings.md is not current: run python -m tools.pages\n"
    assert pages.main([]) == 0
    assert stale.read_text(encoding="utf-8") == _read("docs/settings.md")
    assert pages.main(["--check"]) == 0


def test_every_command_and_option_is_documented():
    """The page names each command in a heading, and each option in that command's table."""
    sections = dict(
        re.findall(r"^#{2,3} ([a-z ]+)\n(.*?)(?=^## |^### |\Z)", _read("docs/cli.md"), re.MULTILINE | re.DOTALL)
    )
    context = click.Context(program)
    commands = {name: program.get_command(context, name) for name in program.list_commands(context)}
    for name, group in list(commands.items()):
        commands |= {f"{name} {inner}": each for inner, each in getattr(group, "commands", {}).items()}
    assert len(commands) > 25
    for name, command in commands.items():
        options = [name for each in command.params if isinstance(each, click.Option) for name in each.opts]
        assert [option for option in options if f"`{option}" not in sections[name]] == [], name
        assert command.help, f"{name} does not say what it does"
        assert all(each.help for each in command.params if isinstance(each, click.Option)), name


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_is_documented(setting):
    """Each setting has its row, with every variable that it is read from."""
    [row] = [line for line in _read("docs/settings.md").splitlines() if line.startswith(f"| `{setting.name}` |")]
    assert setting.help in row
    assert [name for name in (*setting.env, *setting.otel) if f"`{name}`" not in row] == []


def test_every_wire_name_is_documented():
    """Each constant of semconv.py is on the page of attributes."""
    page = _read("docs/attributes.md")
    names = {value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}
    assert len(names) > 100
    assert [name for name in sorted(names) if not re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", page)] == []


def test_every_documented_wire_name_exists():
    """The page of attributes names nothing that semconv.py does not have."""
    written = set(re.findall(r"`((?:agentops|gen_ai|openai)\.[a-z_.]+)`", _read("docs/attributes.md")))
    assert written - {value for value in vars(semconv).values() if isinstance(value, str)} == set()


def test_every_promise_has_its_test():
    """The tests that the page on reliability names exist."""
    named = set(re.findall(r"`(test_\w+)`", _read("docs/reliability.md")))
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 25
    assert sorted(named - set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE))) == []


ROWS = {"N": 18, "Q": 5, "P": 10, "K": 16, "A": 10, "L": 8, "T": 2, "C": 4}


@pytest.mark.parametrize(("letter", "count"), ROWS.items())
def test_every_fault_is_accounted_for(letter, count):
    """Each row of the page on reliability is there, and names a test or gives its reason."""
    page, _, _ = _read("docs/reliability.md").partition("\nMeasured on ")
    rows = re.findall(r"^\| ([A-Z]\d+(?:, [A-Z]\d+)*) \|(.*)$", page, re.MULTILINE)
    found = {name: text for names, text in rows for name in names.split(", ")}
    assert [name for name in (f"{letter}{number}" for number in range(1, count + 1)) if name not in found] == []
    assert all("`test_" in text or "not tested" in text for text in found.values())


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_exists(page):
    """What the pages say to `make` is in the Makefile."""
    text = _read(page)
    code = [*re.findall(r"`([^`\n]+)`", text), *(block.text for block in _blocks(ROOT / page))]
    named = {target for part in code for target in re.findall(r"\bmake ([a-z][a-z-]*)", part)}
    assert {"test"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_resolve(page):
    """Each relative link leads to a file that is there, and to a heading of it."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        if "://" in target:
            continue
        found = (page.parent / path) if path else page
        if not found.exists() or (heading and heading not in _headings(found)):
            broken.append(target)
    assert broken == []


def _headings(page):
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_house_in_the_documentation_is_the_house():
    """ARCHITECTURE.md names every module of the package, in a line of its own."""
    tree = next(block.text for block in _blocks(ROOT / "ARCHITECTURE.md") if "agentops_otel/" in block.text)
    named = [line.split()[0] for line in tree.splitlines() if line.strip()]
    package = ROOT / "src" / "agentops_otel"
    modules = {path.name for path in package.rglob("*.py")} - {"__init__.py"}
    assert sorted(modules - set(named)) == []
    assert sorted(name for name in named if name.endswith(".py") and name not in modules | {"__init__.py"}) == []


def test_the_walls_in_the_documentation_are_the_walls():
    """The layers of ARCHITECTURE.md are those that import-linter checks."""
    contract = re.search(r"^layers = \[\n(.*?)^\]", _read("pyproject.toml"), re.MULTILINE | re.DOTALL)[1]
    layers = [set(re.findall(r"\w+", line)) for line in contract.splitlines()]
    documented = next(block for block in _blocks(ROOT / "ARCHITECTURE.md") if "guard | loading" in block.text)
    assert [set(re.findall(r"\w+", line)) for line in documented.text.splitlines()] == layers
