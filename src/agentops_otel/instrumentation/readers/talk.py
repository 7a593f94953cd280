"""What is said over one connection: by whom a response was asked for, and what stands for the body of its request.

A response of the Realtime API is asked for by an event of the client, or begun by the server when a speaker pauses. Its
input is what was said since the one before; the rest of the conversation is at the provider.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from .._content import fields, items, sent
from .._endpoint import Heard
from . import audio

_MOST: Final = 256  # items that are kept for the next response, and responses that were asked for
_CREATE: Final = "response.create"
_TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"
Event = Mapping[str, Any]
Body = Mapping[str, Any]


def _given(event: Event) -> Event:
    """What an event of the client says. A list in it is the program's, which may go on with it at once."""
    return {name: [*value] if isinstance(value, list) else value for name, value in sent(event).items()}


class RealtimeTalk:
    """A connection to the Realtime API."""

    __slots__ = ("_asked", "_before", "_heard", "_model", "_session", "errors_end")

    def __init__(self, model: str | None) -> None:
        self.errors_end: bool = False
        self._model = model
        self._session: Event = {}
        self._asked: deque[Event] = deque(maxlen=_MOST)
        self._heard: dict[str, dict[str, Any]] = {}
        self._before: dict[str, dict[str, Any]] = {}  # the input of the response before, whose text may come late

    def sent(self, event: Event) -> None:
        """The client has sent an event."""
        if event.get("type") == _CREATE:
            self._asked.append(_given(event))

    def received(self, event: Event) -> Heard | None:
        """The server has sent an event that does not belong to a response."""
        kind = event.get("type")
        if kind in ("session.created", "session.updated"):
            self._session = {**self._session, **fields(event.get("session"))}
        elif kind in ("conversation.item.created", "conversation.item.added", "conversation.item.done"):
            self._hear(fields(event.get("item")))
        elif kind == _TRANSCRIBED:
            self._understand(event)
            answer = {"text": event.get("transcript"), "usage": event.get("usage")}
            return Heard(audio.TRANSCRIPT, {"model": self._ear()}, answer) if fields(answer["usage"]) else None
        return None

    def begins(self, event: Event) -> tuple[Body, Event]:
        """A response begins: what stands for the body of its request, and the event with the model that answers."""
        asked = fields(self._asked.popleft().get("response")) if self._asked else {}
        self._before, self._heard = self._heard, {}
        response = {**fields(event.get("response"))}
        if isinstance(self._session.get("model"), str):
            response["model"] = self._session["model"]
        return self._body(asked), {**event, "response": response}

    def refused(self, event: Event) -> Body | None:
        """The body of the request that an error refuses; None when it is about something else."""
        wanted = fields(event.get("error")).get("event_id")
        for asked in [*self._asked]:
            if wanted is None or asked.get("event_id") == wanted:
                self._asked.remove(asked)
                return self._body(fields(asked.get("response")))
        return None

    def _body(self, asked: Event) -> Body:
        given = [*self._before.values(), *items(asked.get("input"))]
        model = self._model or self._session.get("model")
        settings = {name: value for name, value in asked.items() if value is not None}
        return {
            "model": model,
            "settings": {**self._session, **settings},
            "id": self._session.get("id"),
            "input": given,
        }

    def _ear(self) -> Any:
        """The model that puts sound into words; the release of the API has it in another place than its preview."""
        heard = fields(fields(self._session.get("audio")).get("input"))
        return fields(heard.get("transcription") or self._session.get("input_audio_transcription")).get("model")

    def _hear(self, item: Event) -> None:
        """Keep an item that is the client's: the model's own are its output."""
        name = item.get("id")
        is_output = item.get("role") == "assistant" or item.get("type") == "function_call"
        if isinstance(name, str) and not is_output and len(self._heard) < _MOST:
            self._heard[name] = {**item}

    def _understand(self, event: Event) -> None:
        """Put the text of what was said in the place of the sound."""
        name = event.get("item_id")
        item = (self._heard.get(name) or self._before.get(name)) if isinstance(name, str) else None
        if item is not None:
            item["content"] = [{"type": "input_text", "text": event.get("transcript")}]


class ResponsesTalk:
    """A connection to the Responses API; requests of one lane are answered one after the other."""

    __slots__ = ("_asked", "_model", "errors_end")

    def __init__(self, model: str | None) -> None:
        self.errors_end: bool = True
        self._model = model
        self._asked: deque[Event] = deque(maxlen=_MOST)

    def sent(self, event: Event) -> None:
        """The client has sent an event."""
        if event.get("type") == _CREATE:
            self._asked.append(_given(event))

    def received(self, event: Event) -> Heard | None:
        """The server has sent an event that does not belong to a response."""

    def begins(self, event: Event) -> tuple[Body, Event]:
        """A response begins."""
        asked = self._take(event.get("stream_id"))
        return {} if asked is None else self._body(asked), event

    def refused(self, event: Event) -> Body | None:
        """The body of the request that an error refuses."""
        asked = self._take(event.get("stream_id"))
        return None if asked is None else self._body(asked)

    def _take(self, lane: Any) -> Event | None:
        for asked in [*self._asked]:
            if asked.get("stream_id") == lane:
                self._asked.remove(asked)
                return asked
        return None

    def _body(self, asked: Event) -> Body:
        return {"model": self._model, **{name: value for name, value in asked.items() if name != "type"}}
