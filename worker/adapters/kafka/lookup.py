"""Asks the cluster what is there, once, within a time, and leaves no thread or socket behind.

Waiting for something to appear is the caller's affair.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any, TypeVar

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from worker.adapters.kafka.client import bounded, open_admin
from worker.adapters.kafka.errors import translated
from worker.adapters.kafka.tls import prove
from worker.ports import NotPermitted, Unreachable
from worker.topics import Kept, TopicFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafka import KafkaAdminClient

    from worker.adapters.kafka.client import KafkaConnection

Answer = TypeVar("Answer")

RETENTION = "retention.ms"
IN_SYNC = "min.insync.replicas"
METADATA = "metadata.version"


def reachable(bootstrap_servers: str, timeout_s: float) -> bool:
    """Whether any of the servers takes a TCP connection; says nothing of what it speaks."""
    return any(_answers(server.strip(), timeout_s) for server in bootstrap_servers.split(","))


def topic_state(
    connection: KafkaConnection, names: Iterable[str], timeout_s: float
) -> Mapping[str, int | None]:
    """Number of partitions of each topic, None where there is no such topic.

    Raises Unreachable, or NotPermitted for credentials and for a topic that we may not describe.
    """
    facts = topic_facts(connection, names, timeout_s)
    for name, found in facts.items():
        if found is not None and found.partitions == 0:
            raise NotPermitted(f"we may not describe the topic {name}")
    return {name: found.partitions if found else None for name, found in facts.items()}


def topic_facts(
    connection: KafkaConnection, names: Iterable[str], timeout_s: float
) -> Mapping[str, TopicFacts | None]:
    """What the cluster says of each topic, None where there is no such topic.

    Raises Unreachable, or NotPermitted for credentials.
    """
    wanted = list(names)
    topics: list[dict[str, Any]] = asked(
        connection, timeout_s, "looking up topics", lambda admin: admin.describe_topics(wanted)
    )
    return {topic["name"]: _facts(topic) for topic in topics}


def topic_names(connection: KafkaConnection, timeout_s: float) -> list[str]:
    """The topics that we may see. Raises Unreachable or NotPermitted."""
    names: list[str] = asked(
        connection, timeout_s, "listing topics", lambda admin: admin.list_topics()
    )
    return names


def retentions(
    connection: KafkaConnection, names: Iterable[str], timeout_s: float
) -> Mapping[str, int | None]:
    """How long each topic keeps its records, in ms, -1 for ever, None where we may not know.

    Raises Unreachable or NotPermitted.
    """
    return _numbers(connection, names, RETENTION, timeout_s)


def kept(
    connection: KafkaConnection, names: Iterable[str], timeout_s: float
) -> Mapping[str, Kept | None]:
    """How safe the records of each topic are, None where there is none that we may see.

    Raises Unreachable or NotPermitted.
    """
    facts = topic_facts(connection, names, timeout_s)
    there = {name: found for name, found in facts.items() if found and found.partitions}
    in_sync = _numbers(connection, there, IN_SYNC, timeout_s)
    return {
        name: Kept(there[name].replication, in_sync.get(name)) if name in there else None
        for name in facts
    }


def metadata_level(connection: KafkaConnection, timeout_s: float) -> int | None:
    """The newest level of the cluster's metadata that a broker knows: it grows with each release.

    None where it does not tell. Raises Unreachable or NotPermitted.
    """
    features: dict[str, dict[str, tuple[int, int]]] = asked(
        connection,
        timeout_s,
        "looking up the brokers' release",
        lambda admin: admin.describe_features(),
    )
    known = features.get(METADATA, {})
    levels = [known[kind][1] for kind in ("supported", "finalized") if kind in known]
    return max(levels, default=None)


def _numbers(
    connection: KafkaConnection, names: Iterable[str], setting: str, timeout_s: float
) -> dict[str, int | None]:
    """A setting of each topic, None where we may not know."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, configs=[setting]) for name in names]
    if not wanted:
        return {}
    found: dict[str, dict[str, Any]] = asked(
        connection,
        timeout_s,
        "looking up how topics are set",
        lambda admin: admin.describe_configs(wanted, config_filter="all").get("topic", {}),
    )
    return {
        name: int(configs[setting]["value"]) if setting in configs else None
        for name, configs in found.items()
    }


def brokers(connection: KafkaConnection, timeout_s: float) -> int:
    """How many brokers the cluster has. Raises Unreachable or NotPermitted."""
    cluster: dict[str, Any] = asked(
        connection, timeout_s, "looking up the cluster", lambda admin: admin.describe_cluster()
    )
    return len(cluster["brokers"])


def may_join(connection: KafkaConnection, group: str, timeout_s: float) -> bool:
    """Whether we may read as a member of the consumer group; one that is not there yet counts.

    True as well where the cluster does not tell. Raises Unreachable or NotPermitted.
    """

    def ask(admin: KafkaAdminClient) -> bool:
        try:
            found: dict[str, Any] = admin.describe_groups([group])[group]
        except GroupAuthorizationFailedError:  # we may not even ask where it is looked after
            return False
        rights = found["authorized_operations"]
        return rights is None or "READ" in rights

    return asked(connection, timeout_s, "looking up the group", ask)


def asked(
    connection: KafkaConnection,
    timeout_s: float,
    doing: str,
    question: Callable[[KafkaAdminClient], Answer],
) -> Answer:
    """The answer to one question. Raises Unreachable or NotPermitted."""
    if not reachable(connection.bootstrap_servers, timeout_s):
        raise Unreachable(f"no broker answers at {connection.bootstrap_servers}")

    def ask() -> Answer:
        admin = open_admin(connection, timeout_s)
        try:
            return question(admin)
        finally:
            admin.close()

    try:
        # Connecting and asking take `timeout_s` each at most, by the client's own clock.
        return bounded(ask, 3 * timeout_s)
    except (KafkaError, TimeoutError) as error:
        _require_tls(connection, timeout_s)
        if isinstance(error, KafkaTimeoutError | TimeoutError):
            raise Unreachable(_silent(connection, doing)) from error
        raise translated(error, doing, otherwise=Unreachable) from error


def _silent(connection: KafkaConnection, doing: str) -> str:
    protocol = connection.security.get("security_protocol", "PLAINTEXT")
    return (
        f"{doing}: {connection.bootstrap_servers} takes connections but gives no answer in time;"
        f" is it a listener for {protocol} (kafka.security.protocol)?"
    )


def _require_tls(connection: KafkaConnection, timeout_s: float) -> None:
    """Raises NotPermitted where TLS fails for good; the client takes that for an absent broker."""
    context = connection.security.get("ssl_context")
    if isinstance(context, ssl.SSLContext):
        for server in connection.bootstrap_servers.split(","):
            prove(context, server.strip(), timeout_s)


def _answers(server: str, timeout_s: float) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s):
            return True
    except (OSError, ValueError):
        return False


def _facts(topic: dict[str, Any]) -> TopicFacts | None:
    error = for_code(topic["error_code"])
    if error is UnknownTopicOrPartitionError:
        return None
    if error is TopicAuthorizationFailedError:
        return TopicFacts(partitions=0, replication=0, rights=frozenset())
    if error is not NoError:
        raise translated(error(), f"looking up the topic {topic['name']}", otherwise=Unreachable)
    partitions, rights = topic["partitions"], topic.get("authorized_operations")
    return TopicFacts(
        partitions=len(partitions),
        replication=max((len(partition["replica_nodes"]) for partition in partitions), default=0),
        rights=None if rights is None else frozenset(rights),
    )
