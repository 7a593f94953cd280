"""Texts without secrets and media: what was said in a conversation comes again with each of its calls.

So the search through the texts of a call takes as long as what is new in it, not as the whole conversation.
"""

from __future__ import annotations

from typing import Final

from .. import secrets

LONGEST: Final = 32 * 1024
"""Characters of a text that is remembered."""
MOST: Final = 1024 * 1024
"""Characters of all of them."""
_COST: Final = 64  # of a text besides its own characters


class CleanTexts:
    """Those that were searched for the same known secrets."""

    __slots__ = ("_room", "known", "texts")

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known: tuple[str, ...] = known
        self.texts: set[str] = set()
        self._room = MOST

    def others(self, texts: list[str]) -> list[str]:
        """Those that are not known to be clean."""
        clean = self.texts
        return [text for text in texts if len(text) > LONGEST or text not in clean]

    def keep(self, texts: list[str]) -> None:
        """Remember these, but for long ones."""
        if self.known is not secrets.forms:  # another one was learnt meanwhile
            return
        for text in texts:
            if len(text) <= LONGEST:
                self._room -= len(text) + _COST
                if self._room < 0:
                    self.texts, self._room = set(), MOST
                self.texts.add(text)


_last = CleanTexts(())


def of(known: tuple[str, ...]) -> CleanTexts:
    """Those that are clean as far as these known secrets are concerned."""
    global _last  # noqa: PLW0603
    clean = _last
    if clean.known is not known:
        clean = CleanTexts(known)
        if known is secrets.forms:
            _last = clean
    return clean
