"""Where the token of OAUTHBEARER comes from: a file that somebody renews, or a token endpoint.

The client asks on its only network thread, so every answer is bounded in time.
"""

from __future__ import annotations

import base64
import http
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from kafka.errors import KafkaConnectionError, SaslAuthenticationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN_BYTES_MAX = 64 * 1024
ENDPOINT_TIMEOUT_S = 5.0
RENEW_EARLY_S = 30.0
"""A token is not used in the last seconds of its life: it has to last until the broker sees it."""
LIFETIME_S = 60.0
"""How long a token is kept whose endpoint does not say how long it lives."""


class FileToken(AbstractTokenProvider):  # type: ignore[misc]  # the client ships no types
    """The token that is in a file now; whoever writes the file renews it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self) -> str:
        """The file's content, trimmed. Raises SaslAuthenticationFailedError."""
        try:
            content = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise SaslAuthenticationFailedError(f"token file {self._path}: {reason}") from error
        if not content or len(content) > TOKEN_BYTES_MAX:
            raise SaslAuthenticationFailedError(f"token file {self._path}: no token in it")
        return content


class _Grant(msgspec.Struct, frozen=True):
    """What a token endpoint answers (RFC 6749, section 5.1)."""

    access_token: str
    expires_in: float = LIFETIME_S


@dataclass(slots=True)
class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # the client ships no types
    """A token granted for a client's id and secret (RFC 6749, section 4.4), kept while it lives."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    now: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False, init=False)
    _ends_at: float = field(default=0.0, init=False)

    def token(self) -> str:
        """A token that lives a while yet.

        Raises SaslAuthenticationFailedError where the endpoint refuses us, KafkaConnectionError
        where it is out of reach: the client tries again then.
        """
        if not self._token or self.now() >= self._ends_at - RENEW_EARLY_S:
            asked_at = self.now()
            grant = self._ask()
            self._token, self._ends_at = grant.access_token, asked_at + grant.expires_in
        return self._token

    def _ask(self) -> _Grant:
        form = {"grant_type": "client_credentials"}
        if self.scope is not None:
            form["scope"] = self.scope
        request = urllib.request.Request(  # noqa: S310 - http and https alone, the settings see to it
            self.url, urllib.parse.urlencode(form).encode(), {"Authorization": self._basic()}
        )
        try:
            with urllib.request.urlopen(request, timeout=ENDPOINT_TIMEOUT_S) as answer:  # noqa: S310 - as above
                return msgspec.json.decode(answer.read(TOKEN_BYTES_MAX), type=_Grant)
        except urllib.error.HTTPError as error:
            refused = error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR
            kind = SaslAuthenticationFailedError if refused else KafkaConnectionError
            raise kind(f"token endpoint {self.url} answers {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise KafkaConnectionError(f"token endpoint {self.url}: {reason}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SaslAuthenticationFailedError(
                f"token endpoint {self.url} answers something else than a token"
            ) from error

    def _basic(self) -> str:
        parts = (self.client_id, self.client_secret)
        pair = ":".join(urllib.parse.quote(part, safe="") for part in parts)
        return "Basic " + base64.b64encode(pair.encode()).decode()
