"""Text that can be sent: bounded, with a mark where it was cut, and never a lone surrogate."""

from __future__ import annotations

import re
import signal
import traceback
from functools import partial
from typing import Any, Final

MAX_LENGTH: Final = 65536
# A whole JSON text: `max_length` is for each string in it.
MAX_TEXTS: Final = 16
_BRIEF: Final = 4096

# The longest value that OpenTelemetry's SDK lets a span have, as the environment says; it would cut JSON anywhere.
_longest: int | None = None

# Where a word ends that may be a key. Longer ones than this are cut in their middle.
_LAST_END: Final = re.compile(r".*[^!#$%&*+./0-9:=?@A-Z\\^_`a-z|~-]", re.DOTALL)
_LONGEST_WORD: Final = 2048


def whole_words(text: str, length: int) -> int:
    """`length`, or less where that would cut a word: the beginning of a key is not recognised as one."""
    found = _LAST_END.match(text[max(length - _LONGEST_WORD, 0) : length])
    return length if found is None else max(length - _LONGEST_WORD, 0) + found.end()


def cut(text: str, max_length: int) -> str:
    """At most `max_length` characters of `text`; a cut ends in a mark, part of them, that says how many are missing."""
    if len(text) <= max_length:
        return text
    # The mark's own length depends on the number in it; 32 characters are enough below a billion. It is ASCII: for one
    # other character, Python keeps all of a text in two bytes each, and whoever searches or encodes it is much slower.
    kept = whole_words(text, max(max_length - 32, 0))
    shorter = text[:kept]
    shorter += f"... [{len(text) - kept:,} characters cut]"  # (in place: an f-string of both would copy it once more)
    return shorter[: max(max_length, 1)]


def brief(text: str, most: int = _BRIEF) -> str:
    """At most so many bytes of `text`, which is as UTF-8; 4 KiB, unless it is said otherwise."""
    if len(text) * 4 <= most:
        return text
    whole = encodable(text).encode()
    # (of a character that is cut in two, nothing is left)
    return text if len(whole) <= most else cut(text, len(whole[:most].decode("utf-8", "ignore")))


def bound(longest: int | None) -> None:
    """Let no JSON text of ours be longer than this; None lifts the bound."""
    global _longest  # noqa: PLW0603  (there is one environment)
    _longest = longest


def longest() -> int | None:
    """What `bound()` was told."""
    return _longest


def limit(text: str, max_length: int) -> int:
    """How long a text may be that might be JSON of ours, whose strings were cut when it was made."""
    if not text.startswith(("[", "{")):
        return max_length
    return max_length * MAX_TEXTS if _longest is None else min(max_length * MAX_TEXTS, max(_longest, 1))


def encodable(text: str) -> str:
    """`text` with escapes in the place of lone surrogates; the same object when it has none."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def plain_text(text: str) -> str:
    """A text that is nothing more: one of a class of the program's own may have no hash, and code that would run."""
    return text if type(text) is str else str.__str__(text)


def clean_text(text: str, max_length: int) -> str:
    """`text` as it can be sent: at most `max_length` characters, none of them a lone surrogate."""
    plain = plain_text(text)
    # Cut first, so that the work is bounded, and again, because an escape is longer than what it stands for.
    return cut(encodable(cut(plain, max_length)), max_length)


def shown(value: object, max_length: int = 1000) -> str:
    """What `str()` says of an object, whatever its code does; never raises an Exception."""
    try:
        return clean_text(str(value), max_length)
    except BaseException as error:
        return unprintable(value, error)


def stacktrace_of(error: BaseException) -> str | None:
    """The exception's traceback as Python prints it; None when it cannot be printed."""
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return None


# BaseExceptions of these say that somebody wants the program to stop: Ctrl-C, a cancelled task, a timeout.
_STOPPING: Final = frozenset({"builtins", "asyncio", "gevent", "eventlet", "greenlet", "trio"})


def stops(error: BaseException) -> bool:
    """Whether an exception is not the fault of the code that it came out of, and has to pass."""
    kind = type(error)
    if issubclass(kind, Exception) or kind is BaseException:
        return is_of_signal_handler(error)
    return kind.__module__.partition(".")[0] in _STOPPING


def is_of_signal_handler(error: BaseException) -> bool:
    """Whether a signal handler of the program has raised it, wherever that came: time limits are made so.

    Celery's SoftTimeLimitExceeded is one (https://docs.celeryq.dev/en/stable/userguide/workers.html#time-limits).
    """
    frames = {frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)}
    return not frames.isdisjoint(map(_code_of, map(signal.getsignal, signal.valid_signals())))


def _code_of(handler: Any) -> Any:
    while isinstance(handler, partial):
        handler = handler.func
    if isinstance(handler, int) or handler is None:  # SIG_DFL, SIG_IGN, one that was not set by Python
        return None
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__"):  # an object that can be called
        function = type(handler).__call__
    return getattr(function, "__code__", None)


def unprintable(value: object, error: BaseException) -> str:
    """What is written for an object whose code has raised `error`; call it inside of the ``except`` block."""
    if stops(error):
        raise error
    return f"<unprintable {clean_text(type(value).__name__, 100)}>"
