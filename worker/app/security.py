"""From the settings' words for security to the client's own options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.kafka import ClientCredentials, FileToken, TlsFiles, tls_context
from worker.settings import SettingsError

if TYPE_CHECKING:
    from worker.settings import Security


def security_options(security: Security) -> dict[str, object]:
    """Options for every client of the worker. Raises SettingsError for files that are no good."""
    options: dict[str, object] = {"security_protocol": security.protocol}
    if security.mechanism == "OAUTHBEARER":
        options |= {
            "sasl_mechanism": security.mechanism,
            "sasl_oauth_token_provider": _token_provider(security),
        }
    elif security.mechanism is not None:
        options |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": security.revealed("password"),
        }
    if security.is_encrypted:
        options["ssl_context"] = _context(security)
    return options


def _token_provider(security: Security) -> FileToken | ClientCredentials:
    if security.token_file is not None:
        return FileToken(security.token_file)
    return ClientCredentials(
        security.token_url or "",
        security.username or "",
        security.revealed("password") or "",
        security.token_scope,
    )


def _context(security: Security) -> object:
    files = TlsFiles(
        ca=security.ca_file,
        certificate=security.certificate_file,
        key=security.key_file,
        key_password=security.revealed("key_password"),
        check_hostname=security.check_hostname,
    )
    try:
        return tls_context(files)
    except ValueError as error:
        raise SettingsError([f"kafka.security: {error}"]) from error
