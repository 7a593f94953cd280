"""The log: the one logger of this package, in which every line says who speaks.

Without a logging configuration Python prints the bare text on standard error, among the lines of everybody else.
"""

from __future__ import annotations

import logging
from typing import Final

SPEAKER: Final = "agentops-otel: "
"""How every line begins that a user can see, also those that are printed and not logged."""


def _sign(record: logging.LogRecord) -> bool:
    if not str(record.msg).startswith(SPEAKER):
        record.msg = f"{SPEAKER}{record.msg}"
    return True


logger: Final = logging.getLogger("agentops_otel")
logger.addFilter(_sign)
