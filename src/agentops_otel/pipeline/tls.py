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
        if error.filename is not None and error.filename == os.environ.get("SSLKEYLOGFILE"):
            raise NotPossible(f"{error.filename} cannot be written ({_said(error)}): unset SSLKEYLOGFILE") from error
        raise NotPossible(f"the trusted certificates in {named} cannot be read ({_said(error)})") from error
    context.set_alpn_protocols(["http/1.1"])
    load_client_certificate(context, files)
    return context


def load_client_certificate(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Let a context show the client certificate, where one is named.

    Raises:
        NotPossible: the certificate or its key cannot be used.
    """
    certificate, key = files.client_certificate, files.client_key
    if certificate is None:
        return

    def pass_phrase() -> str:
        # Without this function OpenSSL asks at the terminal, and takes what is meant for the program:
        # https://docs.python.org/3/library/ssl.html#ssl.SSLContext.load_cert_chain
        raise NotPossible(
            f"the key in {key or certificate} is encrypted: write it without its pass phrase "
            "(openssl pkey -in FILE -out NEW), and name that file in OTEL_EXPORTER_OTLP_CLIENT_KEY"
        )

    try:
        context.load_cert_chain(certificate, key, password=pass_phrase)
    except NotPossible:
        raise
    except OSError as error:
        named = f"{certificate} with the key {key}" if key else certificate
        mend = "" if key else "; where its key is in another file, name that in OTEL_EXPORTER_OTLP_CLIENT_KEY"
        raise NotPossible(f"the client certificate {named} cannot be read ({_said(error)}){mend}") from error


def _said(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):  # OpenSSL names no reason where it finds nothing between BEGIN and END
        return error.reason.lower().replace("_", " ") if error.reason else "not in PEM form"
    return (error.strerror or type(error).__name__).lower()
