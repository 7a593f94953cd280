"""Which LLM SDKs are recorded, and which are not and why, as `agentops-otel doctor` says it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final, Literal

from .. import instrumentation
from ..figures import format_count
from ..instrumentation import Status

State = Literal["ok", "note", "warning", "failure"]
_PATIENCE: Final = 60.0  # seconds for the import of one SDK; some take five on a busy machine
_PROGRAM: Final = "agentops_otel.instrumentation"


def findings(*, wanted: bool) -> Iterator[tuple[str, State, str]]:
    """Name, state and text for each SDK that is installed, and one for all others.

    Args:
        wanted: whether the settings want them to be recorded.
    """
    known = instrumentation.status()
    for each in known:
        if each.version is None:
            continue
        if wanted:
            yield each.name, *_said(each, _patched(each.name))
        else:
            yield each.name, "warning", "not recorded: AGENTOPS_INSTRUMENT_LLM_CALLS is false"
    absent = [each.name for each in known if each.version is None]
    if absent:
        yield "other SDKs", "note", f"not installed: {', '.join(absent)}"


def _patched(name: str) -> dict[str, Any] | str:
    """What a process of its own says of an SDK that it has imported; else why it says nothing."""
    command = [sys.executable, "-m", _PROGRAM, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"its import took longer than {_PATIENCE:.0f} seconds"
    except (OSError, ValueError, IndexError):
        return "its import has ended the process"
    return found


def _said(each: Status, found: dict[str, Any] | str) -> tuple[State, str]:
    if isinstance(found, str):
        return "failure", f"{each.version}: not recorded: {found}"
    state, targets = found["state"], found["targets"]
    if state == "waiting for import":
        return "failure", f"{each.version}: not recorded: it cannot be imported"
    if state == "failed":
        return "failure", f"{each.version}: not recorded: {found['reason']}"
    if state == "partly patched":
        missing = ", ".join(f"{target} is {said}" for target, said in targets.items() if said != "live")
        return "warning", f"{each.version}: recorded in part: {missing}"
    if state == "untested version":
        return "warning", f"{each.version}: recorded, but tested are only the versions {each.tested}"
    return "ok", f"{each.version}: recorded ({format_count(len(targets), 'patch', 'patches')})"
