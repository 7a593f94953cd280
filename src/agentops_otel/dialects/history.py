"""Messages as the conventions write them, of which each is read once, however many calls send it again.

A conversation of a hundred turns sends its first message a hundred times. Only what a message says is looked for among
those that were read before, so the answer of one call and the same message in the history of the next are one.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..messages import message, messages
from ..rows import Message

_MOST_BYTES: Final = 2 << 20
"""So many bytes of messages are kept at least, and twice as many at most."""
_Said = tuple[str, bytes]


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    """A message of the conventions, with nothing else in it."""

    role: str
    parts: msgspec.Raw
    finish_reason: str | None = None


_told: Final = msgspec.json.Decoder(list[_Told]).decode
_opened: Final = msgspec.json.Decoder(list[Any]).decode


class _Known:
    """Messages that were read before, the last ones. Two threads that read the same one do no harm."""

    def __init__(self) -> None:
        self._new: dict[_Said, Message] = {}
        self._old: dict[_Said, Message] = {}
        self._bytes = 0

    def message(self, told: _Told) -> Message:
        """The message, without its finish reason."""
        said = told.role, bytes(told.parts)
        known = self._new.get(said)
        if known is None:
            known = self._old.get(said)
            if known is None:
                known = message(told.role, _opened(told.parts))
            self._keep(said, known)
        return known

    def _keep(self, said: _Said, message: Message) -> None:
        size = len(said[1])
        if size > _MOST_BYTES:
            return
        self._bytes += size
        if self._bytes > _MOST_BYTES:
            self._old, self._new, self._bytes = self._new, {}, size
        self._new[said] = message


_known: Final = _Known()


def history(value: Any, role: str = "user") -> tuple[Message, ...]:
    """The same as `messages()`, with less work where the conventions are kept to the letter."""
    if type(value) is not str or not value.startswith("["):
        return messages(value, role)
    found: list[Message] = []
    before = ""
    try:
        for told in _told(value):
            known = _known.message(told)
            if told.role in _UNSAID or known.role == before == "assistant":  # (these may belong together)
                return messages(value, role)
            before = known.role
            if told.finish_reason:
                known = Message(before, known.parts, known.digest, told.finish_reason[:64])
            found.append(known)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return messages(value, role)
    return tuple(found)


_UNSAID: Final = ("", "message")
"""What a message says that does not say who speaks."""
