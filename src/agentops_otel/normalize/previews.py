"""What was asked and what was answered, in short, for lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ..dialects.dialect import Content
from ..messages import as_json, messages, opened, plain, text_of
from ..rows import Kind, Message
from .said import NAME_LENGTH, Said

_LENGTH: Final = 300
# What an agent was asked, among the arguments of a function.
_QUESTIONS: Final = ("question", "prompt", "query", "task", "input", "message", "text", "topic")


def arguments_of(said: Said) -> str | None:
    """Without the wrapper that others put around the arguments of a Python function, where one half is empty."""
    text = said.content("arguments")
    if text is None or not text.startswith('{"args":'):
        return text
    found = opened(text)
    if not isinstance(found, dict) or found.keys() != {"args", "kwargs"} or (found["args"] and found["kwargs"]):
        return text
    return as_json(plain(found["kwargs"] or found["args"]))


def result_of(said: Said) -> str | None:
    """As a text what was written as one in JSON, or is the content of a tool's message of LangChain."""
    text = said.content("result")
    if not text or not text.startswith(('"', '{"type": "tool"')):
        return text
    found = opened(text)
    data = found.get("data") if isinstance(found, dict) else None
    content = data.get("content") if isinstance(data, dict) else found
    return content if isinstance(content, str) else text


def previews(kind: Kind, content: Content, arguments: str | None, result: str | None) -> tuple[str | None, str | None]:
    """What it was asked and what it answered, in short."""
    arguments = None if arguments in ("[]", "{}") else arguments
    if kind == "llm":
        last = next(_texts(reversed(content.input), "user"), None)
        return _brief(last), _brief(next(filter(None, (text_of(each.parts) for each in content.output)), None))
    if kind in ("tool", "action"):
        return _brief(arguments), _brief(result)
    users = [*_texts(content.input, "user")]
    said = [text for each in content.output if (text := text_of(each.parts))]
    asked = users[0] if users and (arguments or "{").startswith(("{", "[")) else _spoken_text(arguments, "user")
    return _brief(asked), _brief(_spoken_text(result, "assistant") or (said[-1] if said else None))


def _texts(found: Iterable[Message], role: str) -> Iterator[str]:
    return (text for each in found if each.role == role and (text := text_of(each.parts)))


def _brief(text: str | None) -> str | None:
    text = text and text[: _LENGTH * 4].strip()
    if not text:
        return None
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"


def _spoken_text(text: str | None, role: str) -> str | None:
    """The text in the arguments or the result of a function: ``{"question": "Who?"}`` asks ``Who?``.

    Of messages it is what the user said first, or the assistant last.
    """
    if not text or not text.startswith(("{", "[", '"')):
        return text
    found = opened(text)
    if isinstance(found, dict) and not _MESSAGES.isdisjoint(found):
        texts = [*_texts(messages(found, role), role)]
        return (texts[0] if role == "user" else texts[-1]) if texts else None
    return _text_in(found, 4) or text


_MESSAGES: Final = frozenset({"messages", "data", "role"})


def _text_in(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value
    if not depth or not value:
        return None
    if isinstance(value, list):
        texts = (_text_in(each, depth - 1) for each in value[:8])
    elif isinstance(value, dict):
        names = [name for name in _QUESTIONS if name in value] or [*value][:8]
        texts = (_text_in(value[name], depth - 1) for name in names)
    else:
        return None
    return next(filter(None, texts), None)


def calls_of(output: Iterable[Message]) -> tuple[str, ...]:
    """The names of the tools that an answer asks for."""
    return tuple(
        part["name"][:NAME_LENGTH] for message in output for part in message.parts if part["type"] == "tool_call"
    )
