"""How a session can end."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from opentelemetry.trace import StatusCode

from . import environment

_OTHER_WORDS: Final = {"failure": "fail", "error": "fail", "ok": "success"}  # of AgentOps, in one version or another
EndStateName = Literal["Success", "Fail", "Indeterminate"]


class EndState(str, Enum):
    """How a session ended."""

    Success = "Success"
    Fail = "Fail"
    Indeterminate = "Indeterminate"
    # AgentOps' spelling.
    SUCCESS = "Success"  # noqa: PIE796
    FAIL = "Fail"  # noqa: PIE796
    INDETERMINATE = "Indeterminate"  # noqa: PIE796

    @classmethod
    def parse(cls, value: object) -> EndState:
        """The end state of this name, in any case, or of one of AgentOps' other words for it.

        Raises:
            ValueError: there is no such end state.
        """
        name = value.value if type(value) is EndState else value
        word = name.strip().lower() if type(name) is str else ""
        for state in cls:
            if _OTHER_WORDS.get(word, word) == state.value.lower():
                return state
        allowed = ", ".join(state.value for state in cls)
        raise ValueError(
            f"{environment.shown(name)} is not a valid end state: expected one of {allowed}. The session stays open."
        )


STATUS: Final = {
    EndState.Success: StatusCode.OK,
    EndState.Fail: StatusCode.ERROR,
    EndState.Indeterminate: StatusCode.UNSET,
}
"""The status of the root span."""
