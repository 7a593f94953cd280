"""What a traced client lets itself in with: learnt, so that it leaves in no text, whatever it looks like.

Error texts of providers repeat keys, and a key of an own gateway has no shape by which it is known.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakSet

from .. import secrets
from ._content import NOTHING

# Names of the clients of OpenAI's, Azure's, Anthropic's and Groq's SDKs.
_ATTRIBUTES: Final = ("admin_api_key", "auth_token", "webhook_secret", "_azure_ad_token")
# Headers that say something of the program, and are wanted in messages.
_OPEN: Final = (
    "accept",
    "anthropic-",
    "content-",
    "host",
    "http-referer",
    "idempotency-",
    "openai-",
    "trace",
    "user-agent",
)
_seen: Final[WeakSet[Any]] = WeakSet()  # clients whose other keys are learnt; headers take time


def learn(client: Any) -> None:
    """Learn the keys of a client before its call: its API key each time, for it may be a new one."""
    secrets.learn(getattr(client, "api_key", None))
    if client in _seen:
        return
    _seen.add(client)
    for name in _ATTRIBUTES:
        secrets.learn(getattr(client, name, None))
    learn_headers(getattr(client, "default_headers", NOTHING))


def learn_sent(error: BaseException) -> None:
    """Learn what the request of a failed call was sent with: its own headers, a token that was made for it."""
    learn_headers(getattr(getattr(error, "request", None), "headers", NOTHING))


def learn_headers(headers: Any) -> None:
    """Learn the values of headers that are secrets, or may be."""
    for name, value in headers.items():
        lower = name.lower()
        if not lower.startswith(("x-stainless-", *_OPEN)):
            secrets.learn(value, certain=secrets.is_secret_name(lower))
