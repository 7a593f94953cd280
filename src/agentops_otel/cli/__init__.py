"""The command line `agentops-otel`: one file per command, each with its `command`."""

from __future__ import annotations

from .entry import main

__all__ = ["main"]
