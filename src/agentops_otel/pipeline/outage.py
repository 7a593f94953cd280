"""Why a request did not reach its aim, in a few plain words: what happened at which address, and the likely mend."""

from __future__ import annotations

import socket
import ssl
from typing import Final, NamedTuple

from ..secrets import one_line
from .tls import NotPossible

USE_HTTP: Final = "use http://"
USE_HTTPS: Final = "use https://"
NO_GRPC: Final = "protocol 'grpc' needs a package that is not installed: pip install 'agentops-otel[grpc]'"
NO_ANSWER: Final = "no answer in time"

_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})
_CA: Final = "set OTEL_EXPORTER_OTLP_CERTIFICATE to the file of its certificate authority"
_TLS_ALERT: Final = "\x15\x03"
_TUNNEL: Final = "Tunnel connection failed: "
_PASSING: Final = ("429", "502", "503", "504")
# Words of gRPC's client library, about a connection that it has not, or no more. A server that answers has others.
_OF_THE_CLIENT: Final = (
    *("failed to connect", "no connection", "channel", "handshake", "proxy"),
    *("dns", "name resolution", "errors resolving", "lookup"),
    *("socket", "connection reset", "broken pipe", "recvmsg", "sendmsg", "eof", "transport closed", "stream removed"),
    *("goaway", "keepalive", "ping timeout"),
)
_HTTP2_SETTINGS: Final = "\x04"  # the type of the frame that a server sends first, behind three bytes of length


class Cause(NamedTuple):
    """A short text without secrets; `lasting`: waiting does not help, somebody has to change something."""

    text: str
    lasting: bool = False


def connection_failed(error: BaseException, place: str, *, secure: bool, answered: bool) -> Cause:
    """Why an HTTP request had no answer.

    Args:
        error: what was raised.
        place: host and port.
        secure: over TLS.
        answered: this server has answered before.
    """
    if isinstance(error, NotPossible):
        return Cause(str(error), lasting=True)
    if isinstance(error, ssl.SSLError):
        return _tls_failed(error, place)
    if isinstance(error, (socket.gaierror, UnicodeError)):  # the latter of a name that cannot be one
        return Cause(_unknown_name(place.rpartition(":")[0]))
    if isinstance(error, TimeoutError):
        return Cause(NO_ANSWER)
    if isinstance(error, ConnectionRefusedError):
        return Cause(_nothing_listens(place))
    if type(error).__name__ == "BadStatusLine":
        return _not_http(str(error), place)
    if isinstance(error, ConnectionError):
        return Cause(_closed(place, secure=secure) if not answered else "the connection was closed without an answer")
    if type(error).__name__ == "IncompleteRead":
        return Cause("the answer was cut off")
    if any(kind.__name__ == "HTTPException" for kind in type(error).__mro__):  # a header without end, or too many
        return Cause(_no_http(place))
    if isinstance(error, OSError) and error.strerror:
        return Cause(f"{place}: {one_line(error.strerror).lower()}")
    if isinstance(error, OSError) and str(error).startswith(_TUNNEL):
        why = str(error).removeprefix(_TUNNEL)
        return Cause(f"{place} makes no connection: {one_line(why)}", lasting=not why.startswith(_PASSING))
    return Cause(f"{place}: {type(error).__name__}")


def _tls_failed(error: ssl.SSLError, place: str) -> Cause:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Cause(_not_trusted(place, one_line(error.verify_message or "not valid")), lasting=True)
    if error.reason in _NOT_TLS:
        return Cause(_no_tls(place), lasting=True)
    why = one_line(error.reason or type(error).__name__).lower().replace("_", " ")
    return Cause(f"TLS with {place} failed ({why}); if it does not speak TLS, {USE_HTTP}")


def _not_http(line: str, place: str) -> Cause:
    if line.startswith(_TLS_ALERT):
        return Cause(expects_tls(place), lasting=True)
    if line[3:4] == _HTTP2_SETTINGS and line.startswith("\0\0"):
        return Cause(
            f"{place} speaks gRPC: set protocol='grpc', or use the port for HTTP (usually 4318)",
            lasting=True,
        )
    return Cause(_no_http(place))


def grpc_failed(code: str, details: str, place: str, *, secure: bool, answered: bool) -> Cause:
    """Why a gRPC call failed, from the words of the client library, which has no other way to tell."""
    if code == "UNIMPLEMENTED":
        return Cause(f"{code}: {place} does not take spans over gRPC; check the address", lasting=True)
    if code == "DEADLINE_EXCEEDED":
        return Cause(NO_ANSWER)
    if code != "UNAVAILABLE":
        return Cause(code)
    if "http1.x" in details or "Expected SETTINGS frame as the first frame" in details:
        return Cause(
            f"{place} does not speak gRPC: set protocol='http/protobuf', or use the port for gRPC (usually 4317)",
            lasting=True,
        )
    if not any(words in details.lower() for words in _OF_THE_CLIENT):
        return Cause(f"{code}, as {place} has answered")
    if "Connection refused" in details:
        return Cause(_nothing_listens(place))
    if "CERTIFICATE_VERIFY_FAILED" in details:
        return Cause(_not_trusted(place, "verification failed"), lasting=True)
    if "WRONG_VERSION_NUMBER" in details:
        return Cause(_no_tls(place), lasting=True)
    if any(words in details.lower() for words in ("dns", "name resolution", "errors resolving", "lookup")):
        return Cause(_unknown_name(place.rpartition(":")[0]))
    if not answered and any(words in details for words in ("Socket closed", "onnection reset", "handshake", "EOF")):
        return Cause(f"{code}: {_closed(place, secure=secure, grpc=True)}")
    return Cause(f"{code} (no connection to {place})")


def expects_tls(place: str) -> str:
    """A server that takes TLS only."""
    return f"{place} expects TLS: {USE_HTTPS}"


def _no_tls(place: str) -> str:
    return f"{place} does not speak TLS: {USE_HTTP}"


def _no_http(place: str) -> str:
    return f"the answer of {place} is not HTTP"


def _nothing_listens(place: str) -> str:
    return f"nothing listens at {place} (connection refused)"


def _not_trusted(place: str, why: str) -> str:
    return f"the certificate of {place} is not trusted ({why}): {_CA}"


def _unknown_name(host: str) -> str:
    return f"the host name {host!r} cannot be resolved; check its spelling and the DNS"


def _closed(place: str, *, secure: bool, grpc: bool = False) -> str:
    hint = f"if it does not speak TLS, {USE_HTTP}" if secure else f"if it expects TLS, {USE_HTTPS}"
    if grpc and not secure:
        hint = f"if it speaks HTTP and not gRPC, set protocol='http/protobuf'; {hint}"
    return f"{place} closed the connection without an answer; {hint}"
