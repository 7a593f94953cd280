"""Makes the Python environments of the Makefile: `.venv/NAME`, with what is asked for installed.

    python tools/environment.py NAME REQUIREMENT...

Nothing is done when the environment is there and fits. What cannot be done is said in one line. Standard library only:
this is the first program that runs on a fresh machine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class SetupError(Exception):
    """An environment cannot be made; the text is one line that says what to do."""


def ensure(name: str, requirements: list[str]) -> Path:
    """The Python of the environment, made or brought up to date if need be; raise SetupError when it cannot be."""
    folder = ROOT / ".venv" / name
    python = folder / "bin" / "python"
    done = folder / ".installed"
    wanted = _fingerprint(requirements)
    if done.exists() and done.read_text(encoding="utf-8") == wanted and _runs(python):
        return python
    print(f"Installing {' '.join(requirements)} into .venv/{name}", file=sys.stderr, flush=True)
    log = ROOT / ".venv" / f"{name}.log"
    _make(folder, log)
    _install(python, requirements, log)
    done.write_text(wanted, encoding="utf-8")
    return python


def _fingerprint(requirements: list[str]) -> str:
    """Changes with the Python that starts us, with what is asked for, and with the project's own dependencies."""
    project = (ROOT / "pyproject.toml").read_bytes()
    parts = (sys.version, sys.base_prefix, str(ROOT), *requirements)
    return hashlib.sha256("\0".join(parts).encode() + project).hexdigest()


def _runs(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make(folder: Path, log: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(f"{folder.parent} cannot be written ({error}); make the clone's folder writable.") from None
    # A process of its own: on Debian, a Python without `ensurepip` prints pages before it fails.
    if not _logged([sys.executable, "-m", "venv", str(folder)], log):
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"{sys.executable} cannot make virtual environments: install its venv module (Debian, Ubuntu: "
            f"apt install {version}-venv) or name another Python: make PYTHON=/path/to/python (log: {log})"
        )


def _install(python: Path, requirements: list[str], log: Path) -> None:
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *requirements]
    if _logged(command, log):
        return
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.strip() for line in lines if line.lstrip().startswith("ERROR:")]
    reason = errors[-1][:300] if errors else "pip failed"
    raise SetupError(f"{reason} - is the network there, or pip's index set? (log: {log})")


def _logged(command: list[str], log: Path) -> bool:
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    with log.open("a", encoding="utf-8") as output:
        return subprocess.run(command, stdout=output, stderr=output, cwd=ROOT, env=environ, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    """Make one environment; returns the exit code."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        ensure(arguments[0], arguments[1:])
    except SetupError as error:
        print(f"environment.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
