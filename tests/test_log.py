"""The log: who speaks."""

from __future__ import annotations

import logging
import subprocess
import sys

from agentops_otel.log import SPEAKER, logger


def test_every_line_says_who_speaks(caplog):
    """A line begins with our name, whatever its level and arguments; a line that has it gets it no second time."""
    caplog.set_level(logging.DEBUG, "agentops_otel")
    logger.warning("one %s", "word")
    logger.debug("two")
    logger.handle(caplog.records[0])  # as a server does that collects the log of its workers
    assert caplog.messages == [f"{SPEAKER}one word", f"{SPEAKER}two", f"{SPEAKER}one word"]


def test_without_a_logging_configuration_the_line_on_standard_error_says_it():
    """Python prints the bare message where the program has not configured logging."""
    program = "import agentops_otel; agentops_otel.end_session()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.startswith("agentops-otel: end_session()")
    assert done.stderr.count("\n") == 1
