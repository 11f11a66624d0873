"""A broker that trusts nobody: SASL on one listener, mutual TLS on another, ACLs on everything.

A third listener, for the tests' own clients, lets anybody do anything.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from workbench.demo.node import Node, NodeConfig, free_ports, new_cluster_id

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

WATCHER = "watcher"
NEWCOMERS = ("nobody", "reader", "member", "publisher")
"""Who may do nothing but what a test allows."""
PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of a broker that lives for a minute
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority of our own; every file it writes lies in `folder`."""

    folder: Path
    authority: trustme.CA

    @property
    def ca_file(self) -> Path:
        """Whom to trust."""
        path = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(path)
        return path

    def issue(self, name: str, until: datetime | None = None) -> Path:
        """Certificate and key (PKCS #8, all that Java reads) of that common name, in one file."""
        made = self.authority.issue_cert(
            "127.0.0.1", "localhost", common_name=name, not_after=until
        )
        key = load_pem_private_key(made.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        path = self.folder / f"{name}.pem"
        path.write_bytes(key + b"".join(pem.bytes() for pem in made.cert_chain_pems))
        return path


class SecuredBroker:
    """Runs once it is built; nobody but the tests' own clients may do anything yet."""

    def __init__(self, jars: Path, folder: Path) -> None:
        self.certificates = Certificates(folder, trustme.CA())
        port, controller, sasl, tls = free_ports(4)
        self.sasl, self.tls = f"127.0.0.1:{sasl}", f"127.0.0.1:{tls}"
        properties = _properties(self, port, controller)
        config = NodeConfig(1, port, {1: controller}, properties_besides=properties)
        self.node = Node(config, jars, folder, new_cluster_id())
        self.node.start()
        with self._admin() as admin:
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
                change = UserScramCredentialUpsertion(WATCHER, mechanism, PASSWORD)
                assert admin.alter_user_scram_credentials([change]) == {WATCHER: None}

    @property
    def open(self) -> str:
        """Where anybody may do anything."""
        return self.node.config.address

    def allow(self, who: str, operation: str, kind: str, prefix: str) -> None:
        """Let `who` do it with everything of that kind whose name begins so."""
        resource = ResourcePattern(ResourceType[kind], prefix, ACLResourcePatternType.PREFIXED)
        acl = ACL(f"User:{who}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, resource)
        with self._admin() as admin:
            admin.create_acls([acl])

    def close(self) -> None:
        """End the broker."""
        self.node.stop()

    def _admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.open)


def unsecured_token(subject: str, lives_s: float = 3600) -> str:
    """A JSON web token without signature, which a broker's test handler takes."""
    now = time.time()
    parts: list[dict[str, object]] = [
        {"alg": "none"},
        {"sub": subject, "iat": now, "exp": now + lives_s},
    ]
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join(encoded).decode() + "."


def _properties(broker: SecuredBroker, port: int, controller: int) -> dict[str, object]:
    certificates = broker.certificates
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in (WATCHER, *NEWCOMERS))
    sasl, tls = "listener.name.sasl", "listener.name.tls"
    proven = f"SASL://{broker.sasl},TLS://{broker.tls}"
    return {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},{proven}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},{proven}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SASL:SASL_PLAINTEXT,TLS:SSL",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        f"{sasl}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        f"{sasl}.plain.sasl.jaas.config": f"{_PLAIN} {users};",
        f"{sasl}.scram-sha-256.sasl.jaas.config": _SCRAM,
        f"{sasl}.scram-sha-512.sasl.jaas.config": _SCRAM,
        f"{sasl}.oauthbearer.sasl.jaas.config": f'{_OAUTH} unsecuredLoginStringClaim_sub="broker";',
        f"{tls}.ssl.keystore.type": "PEM",
        f"{tls}.ssl.keystore.location": certificates.issue("broker"),
        f"{tls}.ssl.truststore.type": "PEM",
        f"{tls}.ssl.truststore.location": certificates.ca_file,
        f"{tls}.ssl.client.auth": "required",
        f"{tls}.ssl.principal.mapping.rules": "RULE:^CN=([^,]+),.*$/$1/,DEFAULT",
    }
