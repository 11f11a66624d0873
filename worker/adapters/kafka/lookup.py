"""Asks the cluster what is there, once, within a time, and leaves no thread or socket behind.

Waiting for something to appear is the caller's affair.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from kafka.errors import (
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from worker.adapters.kafka.client import bounded, open_admin
from worker.adapters.kafka.errors import translated
from worker.ports import NotPermitted, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.adapters.kafka.client import KafkaConnection


def reachable(bootstrap_servers: str, timeout_s: float) -> bool:
    """Whether any of the servers takes a TCP connection; says nothing of what it speaks."""
    return any(_answers(server.strip(), timeout_s) for server in bootstrap_servers.split(","))


def topic_state(
    connection: KafkaConnection, names: Iterable[str], timeout_s: float
) -> Mapping[str, int | None]:
    """Number of partitions of each topic, None where there is no such topic.

    Raises Unreachable, or NotPermitted for credentials and for a topic that we may not describe.
    """
    if not reachable(connection.bootstrap_servers, timeout_s):
        raise Unreachable(f"no broker answers at {connection.bootstrap_servers}")
    try:
        # Connecting and asking take `timeout_s` each at most, by the client's own clock.
        topics = bounded(lambda: _describe(connection, list(names), timeout_s), 3 * timeout_s)
    except (KafkaError, TimeoutError) as error:
        raise translated(error, "looking up topics", otherwise=Unreachable) from error
    return {topic["name"]: _partitions(topic) for topic in topics}


def _answers(server: str, timeout_s: float) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s):
            return True
    except (OSError, ValueError):
        return False


def _describe(
    connection: KafkaConnection, names: list[str], timeout_s: float
) -> list[dict[str, Any]]:
    admin = open_admin(connection, timeout_s)
    try:
        topics: list[dict[str, Any]] = admin.describe_topics(names)
        return topics
    finally:
        admin.close()


def _partitions(topic: dict[str, Any]) -> int | None:
    error = for_code(topic["error_code"])
    if error is NoError:
        return len(topic["partitions"])
    if error is UnknownTopicOrPartitionError:
        return None
    if error is TopicAuthorizationFailedError:
        raise NotPermitted(f"we may not describe the topic {topic['name']}")
    raise translated(error(), f"looking up the topic {topic['name']}", otherwise=Unreachable)
