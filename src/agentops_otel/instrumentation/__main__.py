"""`python -m agentops_otel.instrumentation [NAME ...]`: imports SDKs, and prints what is recorded of them as JSON.

Importing an SDK can take seconds and can fail; `agentops-otel doctor` lets a process of its own do it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module

import msgspec

from . import instrument, known, status


def main(names: list[str]) -> None:
    """Print one line of JSON for each SDK."""
    sdks = known()
    instrument(*names)
    for name in names or sorted(sdks):
        for module in sdks[name].modules:
            with suppress(Exception):  # the status says what is not there
                import_module(module)
    for each in status():
        if not names or each.name in names:
            sys.stdout.write(msgspec.json.encode(asdict(each)).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
