"""Fails when too little of the package has types that pyright shows to a user: `pyright --verifytypes`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ENOUGH = 0.98


def main() -> int:
    """Say what has no type and how much has one; returns the exit code."""
    checker = str(Path(sys.executable).with_name("basedpyright"))
    options = ["--pythonpath", sys.executable, "--verifytypes", "agentops_otel", "--ignoreexternal", "--outputjson"]
    done = subprocess.run([checker, *options], capture_output=True, text=True, check=False)
    completeness = json.loads(done.stdout)["typeCompleteness"]
    score: float = completeness["completenessScore"]
    if score >= ENOUGH:
        return 0
    for symbol in completeness["symbols"]:
        if not symbol["isTypeKnown"]:
            print(symbol["name"])
    print(f"Only {score:.1%} of the package has types that pyright knows; {ENOUGH:.0%} is the least.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
