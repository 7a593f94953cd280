"""agentops-otel: the session layer for OpenTelemetry GenAI.

`init()` starts a session, the installed LLM SDKs are recorded from then on, `end_session("Success")` ends it.
"""

from __future__ import annotations

# The first of all: OpenTelemetry must not see variables that are not valid; then what happens at a fork is registered.
from . import environment, forks  # noqa: F401
from ._session import Session
from .api import (
    add_tags,
    current_session,
    end_session,
    flush,
    init,
    score,
    session,
    set_tags,
    shutdown,
    start_session,
)
from .config import Configuration
from .decorators import action, agent, record_action, record_function, record_tool, tool, track_agent, workflow
from .end_state import EndState
from .events import ActionEvent, ErrorEvent, Event, LLMEvent, ToolEvent, record
from .exceptions import AgentOpsError, ConfigurationError
from .instrumentation import instrument, uninstrument
from .notebook import load_ipython_extension
from .version import __version__

__all__ = [
    "ActionEvent",
    "AgentOpsError",
    "Configuration",
    "ConfigurationError",
    "EndState",
    "ErrorEvent",
    "Event",
    "LLMEvent",
    "Session",
    "ToolEvent",
    "__version__",
    "action",
    "add_tags",
    "agent",
    "current_session",
    "end_session",
    "flush",
    "init",
    "instrument",
    "load_ipython_extension",
    "record",
    "record_action",
    "record_function",
    "record_tool",
    "score",
    "session",
    "set_tags",
    "shutdown",
    "start_session",
    "tool",
    "track_agent",
    "uninstrument",
    "workflow",
]
