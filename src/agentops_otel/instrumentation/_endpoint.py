"""What an SDK's file has to say: a table of `Endpoint`s, each a handful of pure readers.

Readers see requests and responses as they are, JSON objects or the SDK's models alike (`_content.fields` opens both),
and write what they say into one dict of attributes. What a reader has written before it fails stays. They know nothing
of spans, streams, threads or coroutines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from .. import semconv
from ._content import Content, Message

Attributes = dict[str, Any]
Failure = tuple[str, str]
"""The code and the message of a failure that came as an ordinary answer."""
NOT_AN_ANSWER: Final = "invalid_response"
"""The code of an answer with nothing of an answer in it, such as a proxy's page; of a part of one it is no news."""


class Fold(Protocol):
    """Puts the chunks of one stream together again."""

    done: bool  # whether the answer is complete

    def extend(self, chunks: Sequence[Any]) -> None:
        """Take in the next chunks, many at a time; one that cannot be read costs itself, and no exception leaves."""

    def response(self) -> Mapping[str, Any]:
        """The response so far, in the shape of an answer that was not streamed."""


class Work(msgspec.Struct, frozen=True):
    """How far the making of an answer is that can be fetched by its id."""

    response_id: str
    status: str
    ended: bool
    background: bool
    request: Mapping[str, Any]  # what the answer repeats of the request that made it


class Endpoint(msgspec.Struct, frozen=True):
    """One kind of call: how to read its request, its response and its stream."""

    operation: str
    request: Callable[[Mapping[str, Any], Attributes], None]  # writes the settings
    prompt: Callable[[Mapping[str, Any], Content, Attributes], None]  # writes the messages
    response: Callable[[Any, Attributes], Failure | None]  # writes what the answer says besides its text
    output: Callable[[Any, Content], list[Message]]
    fold: Callable[[], Fold] | None = None
    usage_option: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] | None = (
        None  # request that asks for usage, if it did not
    )
    is_usage_only: Callable[[Any], bool] | None = None  # chunk that only such a request gets; cannot fail
    work: Callable[[Any], Work | None] | None = None  # for answers that can be fetched by their id
    makes: Endpoint | None = None  # of a fetch, which is no LLM call itself: the endpoint that makes what it fetches
    body: Callable[[Any], Mapping[str, Any]] | None = None  # what stands for the body of a request without one
    document: Callable[[bytes], Any] = msgspec.json.decode  # answer from its body; ValueError where that is no JSON
    kind: str = semconv.KIND_LLM
    target: str = "model"  # the field of the request that stands in the name of the span
    results: str = semconv.OUTPUT_MESSAGES  # the attribute of what `output` returns


class Heard(NamedTuple):
    """A call of another model that the server has made: it has put into words what it was sent as sound."""

    endpoint: Endpoint
    body: Mapping[str, Any]
    answer: Mapping[str, Any]


class Talk(Protocol):
    """One connection.

    Attributes:
        errors_end: whether an error ends the response under way.
    """

    errors_end: bool

    def sent(self, event: Mapping[str, Any]) -> None:
        """The client has sent an event."""

    def received(self, event: Mapping[str, Any]) -> Heard | None:
        """The server has sent an event that does not belong to a response; the call that it tells of, if it does."""

    def begins(self, event: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A response begins: what stands for the body of its request, and the event as its fold gets it."""

    def refused(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The body of the request that an error refuses; None when it is about something else."""


class Server(msgspec.Struct, frozen=True):
    """Where a client's requests go; no address and port where the client does not say."""

    provider: str
    address: str = ""
    port: int = 0


@lru_cache(maxsize=256)
def server_at(provider: str, url: str) -> Server:
    """The server of a URL."""
    try:
        parts = urlsplit(url)
        return Server(provider, parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    except ValueError:
        return Server(provider)


class Request(msgspec.Struct, frozen=True):
    """One LLM call as a function of an SDK is asked for it."""

    endpoint: Endpoint
    body: Mapping[str, Any]
    server: Server
    stream: bool = False
    lazy: bool = False  # the server is asked when the caller reads what the function has returned, not before
    keys: Sequence[Any] = ()  # credentials, which are to leave in no text


def no_code(_error: BaseException) -> str | None:
    """For an SDK whose exceptions have no codes."""
    return None


class Sdk(msgspec.Struct, frozen=True, kw_only=True):
    """What is particular to an SDK, whatever of it is wrapped."""

    name: str
    is_built_on_others: bool = False  # what other SDKs do inside its calls is part of them
    error_code: Callable[[BaseException], str | None] = no_code  # the provider's own code, if an exception carries one
    response_headers: Mapping[bytes, tuple[str, type]] = {}  # lower-case header -> attribute and its type
    # What a result, or the `response` of an exception, says beside the answer.
    head: Callable[[Mapping[str, Any], Attributes], None] | None = None
    # An answer, or a piece of one, as the SDK hands it over -> as the readers take it; None for a piece without news.
    opened: Callable[[Any], Any] | None = None
    # Follows an answer in a container of the SDK's own, and ends the call; False for any other.
    follow: Callable[[Any, Any], bool] | None = None


class StainlessSdk(Sdk, frozen=True, kw_only=True):
    """An SDK with the client that OpenAI's, Anthropic's and Groq's share: one `request` for every call."""

    endpoint: Callable[[str, str, bool], Endpoint | None]  # (method, path, stream) -> what it is
    provider: Callable[[type, str], str]  # (client class, host) -> value of gen_ai.provider.name
    # Whether an exception refuses nothing but `Endpoint.usage_option`.
    refuses_usage: Callable[[BaseException], bool] | None = None
    quiet: Mapping[str, Any] = {}  # what its request options say when it is not to trace a call itself
