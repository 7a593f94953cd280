"""A server of OpenAI's websockets on loopback: it greets, and answers what it is asked with the next queued events."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any

from typing_extensions import Self
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

CUT = "cut"
"""In the place of an event: the connection is closed with an error."""
END = "end"
"""The connection is closed as it should be."""
_ASKS = ("response.create", "input_audio_buffer.commit")


class TalkServer:
    """The server; a context manager that stops it.

    Attributes:
        greeting: the events that each connection begins with.
        paths: the path of each connection, with its query.
        received: the events that came.
    """

    def __init__(self, *greeting: dict[str, Any]) -> None:
        self.greeting = greeting
        self.paths: list[str] = []
        self.received: list[dict[str, Any]] = []
        self._answers: deque[list[Any]] = deque()
        self._server: Server = serve(self._talk, "127.0.0.1", 0, compression=None)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._server.socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1"

    def then(self, *answers: list[Any]) -> None:
        """Answer the next requests with these events."""
        self._answers.extend(answers)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def _talk(self, connection: ServerConnection) -> None:
        self.paths.append(connection.request.path if connection.request is not None else "")
        try:
            for event in self.greeting:
                connection.send(json.dumps(event))
            for message in connection:
                event = json.loads(message)
                self.received.append(event)
                if event["type"] in _ASKS and not self._answer(connection, self._answers.popleft()):
                    return
        except ConnectionClosed:
            pass

    @staticmethod
    def _answer(connection: ServerConnection, events: list[Any]) -> bool:
        """Send the events; whether the connection goes on."""
        for event in events:
            if event in (CUT, END):
                connection.close(1011 if event == CUT else 1000)
                return False
            connection.send(json.dumps(event))
        return True
