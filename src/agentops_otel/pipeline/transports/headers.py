"""What a request carries besides its body: keys, the user's headers, how it is packed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ... import environment, secrets
from ...checks import authorization, insecure
from ...log import logger
from ..address import is_loopback, shown_url
from ..ids import project_id

if TYPE_CHECKING:
    from ...config import Configuration

_KEYS: Final = ("authorization", "x-agentops-parent-key")
_told: set[str] = set()  # hosts that were warned about once


def request_headers(config: Configuration, url: str) -> dict[str, str]:
    """The request headers, names in lower case. Keys do not go over plain HTTP to another machine.

    User and password in the URL are sent where nothing else authorizes. ``OTEL_EXPORTER_OTLP_INSECURE=true`` says that
    the way there is trusted. Headers that the user wrote are sent as they are.
    """
    keys = {}
    basic = authorization(url)
    if config.api_key:
        keys["authorization"] = f"Bearer {config.api_key}"
    elif basic and "authorization" not in config.headers:
        keys["authorization"] = basic
    if config.parent_key:
        keys["x-agentops-parent-key"] = config.parent_key
    parts = urlsplit(url)
    if keys and parts.scheme == "http" and not is_loopback(parts.hostname) and not insecure():
        keys.clear()
        host = parts.netloc.rpartition("@")[2]
        if host not in _told:
            _told.add(host)
            logger.warning(
                "%s not sent to %s because the connection is not encrypted: use https, or set "
                "OTEL_EXPORTER_OTLP_INSECURE=true if the network is trusted",
                "the API key is" if config.api_key or config.parent_key else "user and password of the endpoint are",
                shown_url(url),
            )
    sent = {**keys, **config.headers}
    for name, value in sent.items():  # a backend may repeat them
        secrets.learn(value, certain=name in _KEYS or secrets.is_secret_name(name))
    return sent


def refused_credentials(config: Configuration, sent: Mapping[str, str]) -> str:
    """What a backend refuses that says 401 or 403, in words."""
    setting = config._credential
    if setting is None:
        return "no key is set: set AGENTOPS_API_KEY"
    origin = "" if setting in config._given else f" from {config._variable(setting)}"
    if setting == "headers":
        return f"the key in the headers{origin} was refused"
    if "authorization" not in sent:
        return (
            f"{'the API key was' if setting == 'api_key' else 'user and password of the endpoint were'} not sent "
            "because the connection is not encrypted: use https, or set OTEL_EXPORTER_OTLP_INSECURE=true if the "
            "network is trusted"
        )
    if setting == "endpoint":
        return f"user and password of the endpoint{origin} were refused"
    return f"the API key{origin}, of project {project_id(config.api_key)}, was refused"


def compression(signal: str) -> str:
    """How request bodies of a signal are packed: gzip, if the environment does not say ``deflate`` or ``none``.

    https://opentelemetry.io/docs/specs/otel/protocol/exporter/#configuration-options
    """
    own = environment.value(f"OTEL_EXPORTER_OTLP_{signal.upper()}_COMPRESSION")
    return (own or environment.value("OTEL_EXPORTER_OTLP_COMPRESSION") or "gzip").lower()
