"""Where spans go, as the journal knows it: what is written for one destination is only ever sent there.

The name says protocol, address and project, and never a key: who replays brings the key of that project.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..config import Configuration
from .address import shown_url
from .claim import ABOUT
from .ids import project_id


def journal_directory(given: str | None = None) -> str:
    """The folder of all journals of a user: `given`, else in the state directory.

    https://specifications.freedesktop.org/basedir-spec/latest/ names it; on Windows it is the local application data.
    Where a user without a home asks for a folder in it, the result begins with ``~``, and nothing can be made there.
    """
    if given:
        path = os.path.expanduser(given)
        return path if path.startswith("~") else os.path.abspath(path)
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "agentops-otel", "journal")


class Destination(NamedTuple):
    """Protocol, address without secrets, and the project that a key stands for."""

    protocol: str
    endpoint: str
    project: str | None

    @classmethod
    def of(cls, config: Configuration) -> Destination | None:
        """Where a configuration sends to.

        None where another process could not send to: a user's own exporter, a console.
        """
        if config.exporter is not None or config.protocol == "console":
            return None
        if config.protocol == "file":
            from .transports.file import file_path

            endpoint = os.path.abspath(file_path(config.endpoint))
        else:
            endpoint = shown_url(config._signal_endpoint("traces"))
        return cls(config.protocol, endpoint, project_id(config._account))

    @classmethod
    def read(cls, folder: str) -> Destination | None:
        """The destination of a folder; None when nothing there says which."""
        try:
            with open(os.path.join(folder, ABOUT), encoding="utf-8") as file:
                about: Any = json.loads(file.read(8192))
        except (OSError, ValueError):
            return None
        if not isinstance(about, dict):
            return None
        protocol, endpoint, project = (about.get(name) for name in cls._fields)
        if not isinstance(protocol, str) or not isinstance(endpoint, str) or not isinstance(project, (str, type(None))):
            return None
        return cls(protocol, endpoint, project)

    def is_at(self, other: Destination | None) -> bool:
        """Whether it is the same place, whatever the project."""
        return other is not None and (self.protocol, self.endpoint) == (other.protocol, other.endpoint)

    def predecessors(self, directory: str, *, key_replaced: bool) -> list[str]:
        """Other folders in the journal's directory whose spans may be sent to this destination.

        What was kept for the same place without a key is, with any key. What was kept under another key is another
        project's, unless the user says that this key replaces it.
        """
        found = []
        try:
            names = os.listdir(directory)
        except OSError:
            return []
        for folder in (os.path.join(directory, name) for name in names):
            other = Destination.read(folder)
            if other is None or not self.is_at(other) or other == self:
                continue
            if key_replaced or (other.project is None and self.project is not None):
                found.append(folder)
        return found

    def about(self) -> Mapping[str, str | None]:
        """What `read()` reads."""
        return self._asdict()

    def folder(self, directory: str) -> str:
        """The folder for this destination in the journal's directory."""
        name = hashlib.sha256("\n".join((self.protocol, self.endpoint, self.project or "")).encode()).hexdigest()[:16]
        return os.path.join(directory, name)
