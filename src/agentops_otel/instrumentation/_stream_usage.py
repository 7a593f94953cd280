"""Asks hosts for the token usage of a stream, with a request of ours in place of the caller's own.

A host that does not know the question refuses the request. Then the caller's own request is sent, and the host is not
asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ..log import logger
from . import _options

if TYPE_CHECKING:
    from ._endpoint import StainlessSdk
    from ._span import Call

_MOST_HOSTS: Final = 64


class Question:
    """What was asked of one host.

    Args:
        own: the caller's arguments, which ours replace.
        hidden: tells the chunk that the caller did not ask for.
    """

    __slots__ = ("_host", "_hosts", "_own", "hidden")

    def __init__(
        self,
        hosts: Hosts,
        host: str,
        own: tuple[tuple[Any, ...], dict[str, Any]],
        hidden: Callable[[Any], bool] | None,
    ) -> None:
        self._hosts = hosts
        self._host = host
        self._own: tuple[tuple[Any, ...], dict[str, Any]] | None = own
        self.hidden = hidden

    def is_refused_by(self, error: BaseException, call: Call) -> bool:
        """Whether only the question was refused: then the call goes on with the caller's own request."""
        own, self._own = self._own, None
        if own is None or not self._hosts.refuses_usage(error):
            return False
        call.args, call.kwargs = own
        self.hidden = None
        return True

    def answered(self) -> None:
        """The host has answered: one that took only the caller's own request is not asked again."""
        if self._own is None:
            self._hosts.remember(self._host)


class Hosts:
    """The hosts of one SDK's clients, and which of them refuse to be asked."""

    def __init__(self, sdk: StainlessSdk) -> None:
        self._sdk = sdk
        self._refusing: set[str] = set()  # by base URL

    def ask(self, client: Any, call: Call) -> None:
        """Let a call send a copy of its request that asks for token usage, unless the host has refused that before."""
        endpoint = call.endpoint
        asking = endpoint.usage_option(call.body) if endpoint.usage_option is not None else None
        host = str(client.base_url)
        if asking is None or host in self._refusing:
            return
        own = call.args, call.kwargs
        changed = _options.changed(*own, {"json_data": asking, "extra_json": None})
        call.question = Question(self, host, own, endpoint.is_usage_only)
        call.args, call.kwargs = changed  # last: who asks has to hide the answer

    def refuses_usage(self, error: BaseException) -> bool:
        """Whether an exception says that the host does not know the option that asks for usage."""
        refuses = self._sdk.refuses_usage
        return refuses is not None and refuses(error)

    def remember(self, host: str) -> None:
        """Do not ask this host again."""
        logger.debug("%s refuses stream_options; the token usage of its streams is not requested again", host)
        if len(self._refusing) >= _MOST_HOSTS:
            self._refusing.clear()
        self._refusing.add(host)
