"""Encryption to the broker, and certificates: both sides', checked once before anything is tried.

The client retries a failed handshake as if the broker were down; a certificate that is refused
stays refused, so that is found out here, in the words of the TLS library.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.ports import NotPermitted

if TYPE_CHECKING:
    from pathlib import Path

LATE_REFUSAL_S = 0.5
"""With TLS 1.3 a broker refuses our certificate only after the handshake; so long we listen."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Who may have signed the broker's certificate, and what we show; all PEM."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    check_hostname: bool = True


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer with these certificates. Raises ValueError, naming the file."""
    if files.ca is None:  # whom the system trusts
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = files.check_hostname
    current = files.ca
    try:
        if files.ca is not None:
            context.load_verify_locations(files.ca)
        current = files.certificate
        if files.certificate is not None:
            # A function, since OpenSSL would ask at the terminal for what it lacks.
            context.load_cert_chain(files.certificate, files.key, lambda: files.key_password or "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{_names(current, files)}: {reason}") from error
    return context


def prove(context: ssl.SSLContext, address: str, timeout_s: float) -> None:
    """One handshake with a broker; returns also where it cannot be reached.

    Raises NotPermitted where either side refuses the other's certificate.
    """
    host, _, port = address.rpartition(":")
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")) as encrypted,
        ):
            encrypted.settimeout(LATE_REFUSAL_S)
            encrypted.recv(1)
    except TimeoutError:
        return  # nobody there, or nothing to complain of
    except ssl.SSLError as error:
        if isinstance(error, ssl.SSLEOFError):
            return
        raise NotPermitted(f"TLS with {address}: {_told(error)}") from error
    except OSError:
        return


def _names(current: Path | None, files: TlsFiles) -> str:
    if current == files.certificate and files.key is not None:
        return f"{files.certificate} with {files.key}"
    return str(current)


def _told(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is refused: {error.verify_message}"
    return f"the broker refuses us: {(error.reason or str(error)).lower().replace('_', ' ')}"
