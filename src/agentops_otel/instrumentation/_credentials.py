"""What a traced client lets itself in with: learnt, so that it leaves in no text, whatever it looks like.

Error texts of providers repeat keys, and a key of an own gateway has no shape by which it is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from .. import secrets
from ._content import NOTHING

# Names of the clients of OpenAI's, Azure's, Anthropic's and Groq's SDKs.
_ATTRIBUTES: Final = ("api_key", "admin_api_key", "auth_token", "webhook_secret", "_azure_ad_token")
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
# Parameters of a URL that let in, and whose name does not say so: of Google, and of Azure's functions
# (https://learn.microsoft.com/azure/azure-functions/function-keys-how-to). A model, a version of an API or the place in
# a list is no secret, whatever it looks like.
_PARAMETERS: Final = ("code", "key")
_MOST_PLAIN: Final = 1024
_plain: Final[set[tuple[bytes, bytes]]] = set()  # headers of requests that are no secrets; nearly all come again
# Headers that need no look as long as no other secret is learnt: that may displace those that were learnt from them.
# The list is that of the last request, which is compared faster than a set is asked; with its query.
_looked_at: tuple[object, list[Any], bytes, set[tuple[bytes, bytes]]] = (None, [], b"", set())
_LENGTH: Final = (b"Content-Length", b"content-length")


def learn(client: Any) -> None:
    """Learn the keys of a client before its first call."""
    for name in _ATTRIBUTES:
        secrets.learn(getattr(client, name, None))
    learn_headers(getattr(client, "default_headers", NOTHING))
    learn_query(getattr(client, "default_query", NOTHING).items())


def learn_sent(holder: Any) -> None:
    """Learn what the request of a response or an error was sent with: its own headers and query, a key made for it."""
    global _looked_at  # noqa: PLW0603
    try:
        headers, query = holder.request.headers, holder.request.url.query
        # (`raw` makes a list of pairs anew each time)
        lines = headers._list if hasattr(headers, "_list") else headers.raw  # noqa: SLF001
        if lines and lines[-1][-2] in _LENGTH:  # of the body: another one each time
            lines = lines[:-1]
        forms, last, last_query, known = _looked_at
        if forms is secrets.forms and lines == last and query == last_query:
            return
        sent = headers.raw
    except (AttributeError, RuntimeError):  # httpx raises the latter for a response that nobody has asked for
        return
    if query:
        learn_query(parse_qsl(query.decode()))
    if forms is secrets.forms and known.issuperset(sent):
        _looked_at = forms, lines, query, known
        return
    for pair in sent:
        if pair in _plain:
            continue
        name, value = (part.decode("latin-1") for part in pair)
        if not _learn_header(name, value):
            if len(_plain) >= _MOST_PLAIN:
                _plain.clear()
            _plain.add(pair)
    fresh = secrets.forms is not forms or len(known) >= _MOST_PLAIN
    _looked_at = secrets.forms, lines, query, {*sent} if fresh else known.union(sent)


def learn_headers(headers: Any) -> None:
    """Learn the values of headers that are secrets, or may be."""
    for name, value in headers.items():
        _learn_header(name, value)


def learn_query(parameters: Iterable[tuple[str, Any]]) -> None:
    """Learn the values of a URL's parameters that are secrets by their name."""
    for name, value in parameters:
        lower = name.lower()
        if lower in _PARAMETERS or secrets.is_secret_name(lower):
            secrets.learn(value)


def _learn_header(name: str, value: Any) -> bool:
    lower = name.lower()
    if lower.startswith(("x-stainless-", *_OPEN)):
        return False
    return secrets.learn(value, certain=secrets.is_secret_name(lower))
