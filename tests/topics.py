"""Topics for tests: a new one each time, ready to use when it is handed out."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from kafka import KafkaAdminClient

if TYPE_CHECKING:
    from collections.abc import Mapping

TOPIC_TIMEOUT_MS = 20_000


class TopicFactory:
    """`topics("readings", partitions=4)` gives the name of a new topic that has its leaders."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._admin = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers,
            bootstrap_timeout_ms=TOPIC_TIMEOUT_MS,
            request_timeout_ms=TOPIC_TIMEOUT_MS,
        )

    def __call__(
        self, name: str = "topic", partitions: int = 1, configs: Mapping[str, str] | None = None
    ) -> str:
        """Create `<name>-<random>`; raises KafkaTimeoutError where that takes too long."""
        topic = f"{name}-{uuid.uuid4().hex[:8]}"
        self.create(topic, partitions, configs)
        return topic

    def create(
        self, topic: str, partitions: int = 1, configs: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic of exactly this name, such as the output topic of another."""
        wanted = {topic: {"num_partitions": partitions, "configs": dict(configs or {})}}
        self._admin.create_topics(wanted, timeout_ms=TOPIC_TIMEOUT_MS)
        self._admin.wait_for_topics([topic], timeout_ms=TOPIC_TIMEOUT_MS)

    def close(self) -> None:
        """Let go of the connection; the topics stay."""
        self._admin.close()
