"""How a client proves who it is, and how it knows the broker: SASL and TLS.

Every secret may be given as a file instead: its name with `_file`; sources.py reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

ENCRYPTED = ("SSL", "SASL_SSL")
PROVEN = ("SASL_PLAINTEXT", "SASL_SSL")
OAUTHBEARER = "OAUTHBEARER"


class Security(BaseModel):
    """What the broker asks for; by default nothing. Names and values are Kafka's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="Of the broker's listener: `SSL` encrypts, `SASL_...` asks for a proof.",
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="Proof of who we are; needed with `SASL_...`."
    )
    username: str | None = Field(
        None,
        description="For PLAIN and SCRAM; for OAUTHBEARER with `token_url` the client's id.",
    )
    password: SecretStr | None = Field(
        None,
        description="For PLAIN and SCRAM; for OAUTHBEARER with `token_url` the client's secret.",
    )
    token_file: Path | None = Field(
        None,
        description="For OAUTHBEARER: a file with the token, read anew for each connection.",
    )
    token_url: Annotated[str, Field(pattern="^https?://")] | None = Field(
        None,
        description="For OAUTHBEARER: address that grants tokens for client credentials.",
    )
    token_scope: str | None = Field(None, description="Scope to ask a token for.")
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of who may have signed the broker's; else the system's.",
    )
    certificate_file: Path | None = Field(
        None, description="Our certificate (PEM) and its chain, where the broker asks for one."
    )
    key_file: Path | None = Field(
        None, description="Key of `certificate_file` (PEM), if it is not in the same file."
    )
    key_password: SecretStr | None = Field(None, description="What the key is encrypted with.")
    check_hostname: bool = Field(
        default=True, description="Whether the broker's certificate must name its host."
    )

    @property
    def is_encrypted(self) -> bool:
        """Whether the protocol is TLS."""
        return self.protocol in ENCRYPTED

    def revealed(self, name: Literal["password", "key_password"]) -> str | None:
        """A secret as it is, for the one place that needs it."""
        secret: SecretStr | None = getattr(self, name)
        return secret.get_secret_value() if secret is not None else None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """What belongs together is there together, and nothing that would have no effect."""
        for problem in (self._proof(), self._encryption()):
            if problem:
                raise ValueError(problem)
        return self

    def _proof(self) -> str | None:
        if self.protocol not in PROVEN:
            given = self._given("mechanism", "username", "password", "token_file", "token_url")
            return f"{given} has no effect with protocol {self.protocol}" if given else None
        if self.mechanism is None:
            return f"mechanism is needed with protocol {self.protocol}"
        if self.mechanism == OAUTHBEARER:
            return self._token()
        if self.username is None or self.password is None:
            return f"username and password (or password_file) are needed with {self.mechanism}"
        return None

    def _token(self) -> str | None:
        if (self.token_file is None) == (self.token_url is None):
            return "OAUTHBEARER needs either token_file or token_url"
        if self.token_url is not None and (self.username is None or self.password is None):
            return "token_url needs username and password: the client's id and secret"
        return None

    def _encryption(self) -> str | None:
        names = ("ca_file", "certificate_file", "key_file", "key_password")
        if not self.is_encrypted:
            given = self._given(*names)
            return f"{given} has no effect with protocol {self.protocol}" if given else None
        if self.certificate_file is None:
            given = self._given("key_file", "key_password")
            return f"{given} has no effect without certificate_file" if given else None
        return None

    def _given(self, *names: str) -> str | None:
        """The first of these that was given."""
        return next((name for name in names if getattr(self, name) is not None), None)
