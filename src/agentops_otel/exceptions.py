"""The exceptions of this package.

* AgentOpsError
  x ConfigurationError (also a ValueError)

Only mistakes in the user's own call are raised. A failure inside the package is logged, never raised into the host.
"""

from __future__ import annotations


class AgentOpsError(Exception):
    """Base of every exception raised by this package."""


class ConfigurationError(AgentOpsError, ValueError):
    """A setting has a value that is not allowed; the message names the setting, the value and what is allowed."""
