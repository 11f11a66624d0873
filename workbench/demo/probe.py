"""Whether a broker answers: a TCP connection first, then a metadata request."""

from __future__ import annotations

import socket

from kafka import KafkaAdminClient
from kafka.errors import KafkaError


def answers(bootstrap_servers: str, timeout_s: float) -> bool:
    """Whether at least one broker of the cluster is registered and answers within the time."""
    # The client keeps a thread and descriptors for each failed try, so it is only built on a port
    # that is open.
    if not any(_is_open(server, timeout_s) for server in bootstrap_servers.split(",")):
        return False
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers,
            bootstrap_timeout_ms=int(timeout_s * 1000),
            request_timeout_ms=int(timeout_s * 1000),
        )
    except KafkaError:
        return False
    try:
        return bool(client.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        client.close()


def _is_open(server: str, timeout_s: float) -> bool:
    host, _, port = server.strip().rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s):
            return True
    except OSError:
        return False
