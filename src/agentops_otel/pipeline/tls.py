"""Which certificates are trusted and shown, as the standard variables say."""

from __future__ import annotations

import os
import ssl

import msgspec

from .. import environment


class NotPossible(OSError):
    """A setting of the environment keeps us from connecting; the text says which."""


class TlsFiles(msgspec.Struct, frozen=True):
    """Files named by the standard variables, https://opentelemetry.io/docs/specs/otel/protocol/exporter/."""

    certificate: str | None
    client_certificate: str | None
    client_key: str | None

    @classmethod
    def from_environment(cls) -> TlsFiles:
        """What the environment names now."""

        def named(what: str) -> str | None:
            own = environment.value(f"OTEL_EXPORTER_OTLP_TRACES_{what}")
            return own or environment.value(f"OTEL_EXPORTER_OTLP_{what}")

        return cls(named("CERTIFICATE"), named("CLIENT_CERTIFICATE"), named("CLIENT_KEY"))

    @property
    def authorities(self) -> str | None:
        """The file, or folder, of the authorities that are trusted; None when none is named."""
        others = map(environment.value, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
        return self.certificate or next(filter(None, others), None)


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Trusts the authorities that are named, else those of this machine and those that `certifi` lists.

    Raises:
        NotPossible: a file that is named cannot be used.
    """
    named = files.authorities
    try:
        if named is not None and os.path.isdir(named):
            context = ssl.create_default_context(capath=named)
        else:
            context = ssl.create_default_context(cafile=named)
        if named is None and not os.environ.get("SSL_CERT_DIR"):
            import certifi

            context.load_verify_locations(certifi.where())
    except OSError as error:
        raise NotPossible(f"the trusted certificates in {named} cannot be read ({_said(error)})") from error
    context.set_alpn_protocols(["http/1.1"])
    if files.client_certificate:
        try:
            context.load_cert_chain(files.client_certificate, files.client_key)
        except OSError as error:
            raise NotPossible(
                f"the client certificate {files.client_certificate} cannot be read ({_said(error)})"
            ) from error
    return context


def _said(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
