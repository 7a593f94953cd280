"""`make test`: builds the real servers, runs the environments of tox, and closes with one honest line.

    python tools/suite.py [ENVIRONMENT ...] [-- PYTEST-ARGUMENT ...]

As many environments run at once as the machine has processors, as most of the tests wait more than they compute: tox
says when each has ended, and prints all that one has said which failed. A single environment prints as it goes.

What each failed test says, a line for each environment and the sum over all of them come last, so that a log of which
only the end is kept has them. An environment that failed without a failing test (lint, an installation) counts as one
failure. AGENTOPS_TEST_REQUIRE_ALL=1 makes a missing server a failure; without it the tests that need one are skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.backends import BACKENDS, BackendError, build  # noqa: E402 (the program is run by its path)
from tools.browser import BrowserError, installed  # noqa: E402

WORK = ROOT / ".tox"
REPORTS = WORK / "reports"
# The longest first, as the others fit beside it; then what soonest says that something is wrong.
DEFAULT = ("main", "lint", "oldest", "sdks", "openai1", "openai2", "sdks-oldest", "sdks-oldest-2")
NEEDS_BACKENDS = "main"
_MOST_LINES, _LONGEST_LINE = 20, 2000  # of what a failed test says


@dataclass
class Count:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Count) -> None:
        """Add another count to this one."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def main(arguments: list[str]) -> int:
    """Run the environments; returns the exit code."""
    names, more = _split(arguments)
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    if NEEDS_BACKENDS in names and not _build_backends():
        return _close(Count(failed=1))
    # Only the matrix over Python versions may leave out an interpreter that this machine does not have.
    pythons = [name for name in names if re.fullmatch(r"py3\d+", name)]
    sdks = [name for name in names if name not in pythons]
    total = Count()
    for group, skip_missing in ((sdks, False), (pythons, True)):
        if group:
            total.add(_run(group, more, skip_missing=skip_missing))
    return _close(total)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments or list(DEFAULT), []
    cut = arguments.index("--")
    return arguments[:cut] or list(DEFAULT), arguments[cut + 1 :]


def _build_backends() -> bool:
    """Whether the tests can start, with or without the servers."""
    needed = {backend.title: partial(build, name) for name, backend in BACKENDS.items()} | {"Chromium": installed}
    for title, make in needed.items():
        try:
            make()
        except (BackendError, BrowserError) as error:
            if os.environ.get("AGENTOPS_TEST_REQUIRE_ALL", "") not in ("", "0"):
                print(f"suite.py: {error}", file=sys.stderr)
                return False
            print(f"suite.py: tests with {title} are skipped: {error}", file=sys.stderr)
    return True


def _run(names: list[str], more: list[str], *, skip_missing: bool) -> Count:
    result = REPORTS / "tox.json"
    result.unlink(missing_ok=True)
    tox = ["run"]
    if len(names) > 1:
        tox = ["run-parallel", "--parallel", "auto", *([] if sys.stdout.isatty() else ["--parallel-no-spinner"])]
        print(f"Running {', '.join(names)}, several at once. A line says when each has ended.", flush=True)
    command = [sys.executable, "-m", "tox", *tox, "-e", ",".join(names), "--result-json", str(result)]
    command += ["--skip-missing-interpreters", "true" if skip_missing else "false", *(["--", *more] if more else [])]
    code = subprocess.run(command, cwd=ROOT, env=_environ(), check=False).returncode
    total = Count()
    if len(names) > 1:
        for name in names:
            _tell_failures(name)
    for name in names:
        count = _count(name, result, skip_missing=skip_missing)
        if count != Count():  # lint has no tests
            print(f"{name}: {count}", flush=True)
        total.add(count)
    if code != 0 and total.failed == 0:
        total.failed = 1
    return total


def _environ() -> dict[str, str]:
    """Our environment, in which uv finds every Python of the machine and downloads none."""
    # pyenv's shims of versions that are not selected fail; the interpreters themselves are right.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(str(folder) for folder in pyenv.glob("3.*/bin"))
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *found))
    return {**os.environ, "PATH": path, "UV_PYTHON_DOWNLOADS": "never"}


def _count(name: str, result: Path, *, skip_missing: bool) -> Count:
    """What an environment's report says; an environment that failed otherwise counts as one failure."""
    report = REPORTS / f"{name}.xml"
    count = _tests(report) if report.exists() else Count()
    environment = _outcome(name, result)
    if environment is None and skip_missing:
        print(f"suite.py: {name} left out: this machine has no such Python", file=sys.stderr)
    elif count.failed == 0 and not environment:
        count.failed = 1
    return count


def _tell_failures(name: str) -> None:
    """Print the end of what each failed test of an environment says."""
    report = REPORTS / f"{name}.xml"
    if not report.exists():
        return
    for case in ET.parse(report).getroot().iter("testcase"):
        for failure in (*case.findall("failure"), *case.findall("error")):
            said = (failure.text or failure.get("message") or "").splitlines()[-_MOST_LINES:]
            lines = (line[:_LONGEST_LINE] for line in said)
            print(f"{name}: {case.get('classname')}::{case.get('name')}", *lines, sep="\n  ", flush=True)


def _outcome(name: str, result: Path) -> bool | None:
    """Whether all commands of an environment succeeded; None when none was run."""
    if not result.exists():
        return None
    environments: dict[str, Any] = json.loads(result.read_text(encoding="utf-8")).get("testenvs", {})
    commands = environments.get(name, {}).get("test") or []
    return all(command["retcode"] == 0 for command in commands) if commands else None


def _tests(report: Path) -> Count:
    count = Count()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        passed = int(suite.get("tests", 0)) - failed - skipped
        count.add(Count(passed, failed, skipped))
    return count


def _close(count: Count) -> int:
    print(f"total: {count}", flush=True)
    return 1 if count.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
