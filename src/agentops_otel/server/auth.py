"""Who may read: whoever has opened a one-time address of this box, or brings its token.

The token is a secret of 256 bits in a file that only its owner can read, beside the store. From it come one-time
addresses (which `agentops-otel open` can make without asking the box) and the cookie that a browser gets for one.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from ..pipeline.address import is_loopback
from ..pipeline.folder import Folder

TOKEN_FILE: Final = "token"
TOKEN_VARIABLE: Final = "AGENTOPS_SERVER_TOKEN"
PARAMETER: Final = "token"
SHORTEST: Final = 43  # characters: 256 bits in base64
_ADDRESS_LIFE: Final = 7 * 86_400.0
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
COOKIE_LIFE: Final = 90 * 86_400


def read_token(directory: str) -> str | None:
    """The token that a box of this directory was started with; None when there is none.

    Raises:
        PermissionError: the file or its folder is open to other users.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), Folder(directory) as folder:
        token = folder.read(TOKEN_FILE).decode("ascii", "replace").strip()
        return token if len(token) >= SHORTEST else None
    return None


def make_token(directory: str) -> str:
    """The token of a directory; it is made the first time.

    Raises:
        PermissionError: the file or its folder is open to other users.
        OSError: it cannot be written.
    """
    token = read_token(directory)
    if token is None:
        token = secrets.token_urlsafe(32)
        with Folder(directory, create=True) as folder:
            folder.replace(TOKEN_FILE, token.encode() + b"\n")
    return token


def one_time_url(token: str, address: str, path: str = "/") -> str:
    """An address that works once.

    Args:
        token: of the box.
        address: of the box, such as ``http://127.0.0.1:4318``.
        path: of the page, with its query.
    """
    said = f"{int(time.time() * 1000)}.{secrets.token_urlsafe(12)}"
    code = f"{said}.{_sign(token, 'url', said)}"
    return f"{address}{path}{'&' if '?' in path else '?'}{PARAMETER}={code}"


def proof(token: str, port: int, nonce: str) -> str:
    """What only a box with this token can say, at this port alone: whoever else listens there cannot ask it elsewhere.

    Args:
        token: of the box.
        port: at which it answers.
        nonce: chosen by who asks, who has not asked with it before.
    """
    return _sign(token, "box", f"{port} {nonce}")


def _sign(token: str, purpose: str, said: str) -> str:
    digest = hmac.new(token.encode(), f"{purpose}:{said}".encode(), hashlib.sha256).digest()
    return digest.hex()


def _is_signed(token: str, purpose: str, text: str) -> str | None:
    """What was signed, without its signature; None when the signature is not ours."""
    said, _, signature = text.rpartition(".")
    genuine = hmac.compare_digest(signature.encode(), _sign(token, purpose, said).encode())
    return said if genuine and said else None


def _age(said: str) -> float:
    try:
        return time.time() - int(said.partition(".")[0]) / 1000
    except ValueError:
        return float("inf")


def asked_host(headers: Headers) -> str:
    """The name that a request asks for, without the port; empty when it is none or more than one."""
    given = headers.getlist("host")
    if len(given) != 1:
        return ""
    try:
        return urlsplit(f"//{given[0]}").hostname or ""
    except ValueError:
        return ""


@dataclass(slots=True)
class Auth:
    """How a box knows who may read and who may send.

    Args:
        token: None where everybody on this machine may read (``--no-auth``).
        is_local: it listens on loopback only: then a sender needs no key.
        hosts: further names under which the box may be asked, such as that of a proxy.
    """

    token: str | None
    is_local: bool = True
    hosts: frozenset[str] = frozenset()
    _started: float = field(default_factory=time.time)
    _used: set[str] = field(default_factory=set)

    def is_from_here(self, headers: Headers) -> bool:
        """Whether a sender is a program on this machine, as far as the box can know."""
        return self.is_local and is_loopback(asked_host(headers)) and not any(name in headers for name in _FORWARDED)

    def redeem(self, code: str) -> bool:
        """Whether a one-time address is valid; it is not any more from now on.

        Addresses from before the start of this box are not: nobody remembers which of them were used.
        """
        said = _is_signed(self.token, "url", code) if self.token else None
        if said is None or said in self._used:
            return False
        age = _age(said)
        if age > _ADDRESS_LIFE or time.time() - age < self._started - 1:
            return False
        self._used.add(said)
        return True

    def is_token(self, text: str) -> bool:
        """Whether a text is the token itself."""
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    def cookie(self) -> str:
        """What a browser may read with from now on."""
        said = str(int(time.time() * 1000))
        return f"{said}.{_sign(self.token or '', 'cookie', said)}"

    def is_cookie(self, text: str) -> bool:
        """Whether a cookie is ours and not too old."""
        said = _is_signed(self.token, "cookie", text) if self.token else None
        return said is not None and _age(said) < COOKIE_LIFE


def token_from_environment() -> str | None:
    """The token that whoever starts a box has chosen."""
    return os.environ.get(TOKEN_VARIABLE) or None
