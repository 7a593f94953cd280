"""Finds the Chromium that the tests and the screenshots use, and installs one where it can.

    python tools/browser.py          # print its path, install it if need be

In this order: AGENTOPS_TEST_CHROMIUM, a Chromium or Chrome of the machine, Debian's package when we are root and there
is apt-get, Playwright's own download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "AGENTOPS_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# No sandbox: containers have no user namespaces, and the pages are our own. The rest keeps it from calling home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class BrowserError(Exception):
    """There is no Chromium; the text says what to do."""


def chromium() -> str | None:
    """The path of a Chromium that is installed; None when there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(MAC) if MAC.exists() else None) or _playwrights()


def installed() -> str:
    """The path of a Chromium, installed now if there was none.

    Raises:
        BrowserError: it cannot be installed.
    """
    found = chromium()
    if found:
        return found
    print("browser.py: installing Chromium", file=sys.stderr, flush=True)
    tried = [_package, _download] if shutil.which("apt-get") and _is_root() else [_download]
    for install in tried:
        install()
        found = chromium()
        if found:
            return found
    raise BrowserError(
        f"Chromium is missing and could not be installed: install it, or name one in {VARIABLE}, "
        "or run: pip install playwright && playwright install chromium"
    )


def _playwrights() -> str | None:
    cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    folder = Path(cache) if cache else Path.home() / ".cache" / "ms-playwright"
    found = sorted(folder.glob("chromium-*/chrome-linux*/chrome"))
    return str(found[-1]) if found else None


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _download() -> None:
    uv = shutil.which("uvx") or shutil.which("uv")
    command = [sys.executable, "-m", "playwright"]
    if uv:
        command = [uv, *([] if uv.endswith("uvx") else ["tool", "run"]), "playwright"]
    _run([*command, "install", "chromium"], seconds=300)


def _package() -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], environ=environ)
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], environ=environ)


def _run(command: list[str], *, seconds: float = 600, environ: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, timeout=seconds, check=False, capture_output=True, text=True, env=environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"browser.py: {' '.join(command[:3])}: {error}", file=sys.stderr)
        return
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        print(f"browser.py: {' '.join(command[:3])} failed: {''.join(last)}", file=sys.stderr)


if __name__ == "__main__":
    try:
        print(installed())
    except BrowserError as problem:
        sys.exit(f"browser.py: {problem}")
