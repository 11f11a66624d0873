"""The topics of a bench from outside the product: made, deleted, watched, read whole.

Uses librdkafka, which shares no code with the product's client. Every call has a time-out and
raises KafkaException where the cluster is out of reach.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench.stand.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from confluent_kafka import Message

CALL_S = 10.0
READ_S = 180.0
GROUPS = "__consumer_offsets"
TRANSACTIONS = "__transaction_state"
CLIENT = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 50,
    "reconnect.backoff.max.ms": 500,
    "topic.metadata.refresh.interval.ms": 1000,
    "log_level": 0,
}


class Read(NamedTuple):
    """A record as a reader of committed transactions sees it."""

    partition: int
    offset: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Topics:
    """Look-ups and changes on one cluster."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._admin = AdminClient(
            {
                "bootstrap.servers": bootstrap_servers,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def create(self, partitions: Mapping[str, int], replicas: int) -> None:
        """Make topics, each with its number of partitions; returns once every leader is known."""
        wanted = [NewTopic(name, count, replicas) for name, count in partitions.items()]
        for made in self._admin.create_topics(wanted, request_timeout=CALL_S).values():
            made.result(CALL_S)
        wait_for(lambda: self._have_leaders(partitions), CALL_S * 3, "new topics have leaders")

    def delete(self, name: str) -> None:
        """Delete a topic; returns once it is gone."""
        for gone in self._admin.delete_topics([name], request_timeout=CALL_S).values():
            gone.result(CALL_S)
        wait_for(
            lambda: name not in self._admin.list_topics(timeout=CALL_S).topics,
            CALL_S * 3,
            f"{name} is gone",
        )

    def leader(self, topic: str, partition: int) -> int:
        """The number of the node that leads a partition."""
        found = self._admin.list_topics(topic, timeout=CALL_S).topics[topic]
        return int(found.partitions[partition].leader)

    def coordinator(self, topic: str, name: str) -> int:
        """The node that coordinates a group or a transactional id of that name."""
        count = len(self._admin.list_topics(topic, timeout=CALL_S).topics[topic].partitions)
        return self.leader(topic, java_hash(name) % count)

    def is_whole(self, nodes: int) -> bool:
        """Whether all nodes are there and every replica is in sync."""
        found = self._admin.list_topics(timeout=CALL_S)
        return len(found.brokers) == nodes and all(
            len(partition.isrs) == len(partition.replicas) and partition.leader >= 0
            for topic in found.topics.values()
            for partition in topic.partitions.values()
        )

    def lag(self, topic: str, partitions: int, group: str) -> int:
        """Records, markers included, between what the group has committed and the end."""
        consumer = Consumer({**CLIENT, "bootstrap.servers": self._servers, "group.id": group})
        try:
            places = [TopicPartition(topic, number) for number in range(partitions)]
            committed = consumer.committed(places, timeout=CALL_S)
            ends = [consumer.get_watermark_offsets(each, timeout=CALL_S)[1] for each in places]
        finally:
            consumer.close()
        return sum(end - max(0, at.offset) for end, at in zip(ends, committed, strict=True))

    def read(self, topic: str) -> Iterator[Read]:
        """All of a topic, in order within each partition. TimeoutError after READ_S."""
        count = len(self._admin.list_topics(topic, timeout=CALL_S).topics[topic].partitions)
        consumer = reader(self._servers, topic, range(count), at_end=True)
        ended: set[int] = set()
        ends_at = time.monotonic() + READ_S
        try:
            while len(ended) < count:
                for message in consumer.consume(2000, 0.5):
                    error = message.error()
                    if error is None:
                        yield _read(message)
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                        ended.add(message.partition() or 0)
                if time.monotonic() > ends_at:
                    raise TimeoutError(f"{topic} could not be read whole in {READ_S:g} s")
        finally:
            consumer.close()

    def _have_leaders(self, names: Iterable[str]) -> bool:
        with suppress(KafkaException):
            found = self._admin.list_topics(timeout=CALL_S).topics
            return all(
                name in found
                and found[name].partitions
                and all(each.leader >= 0 for each in found[name].partitions.values())
                for name in names
            )
        return False


def reader(
    bootstrap_servers: str, topic: str, partitions: Iterable[int], *, at_end: bool = False
) -> Consumer:
    """A reader of committed records from the beginning; tells, if asked, of each end it reaches."""
    consumer = Consumer(
        {
            **CLIENT,
            "bootstrap.servers": bootstrap_servers,
            "group.id": "bench",
            "enable.partition.eof": at_end,
        }
    )
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    return consumer


def java_hash(text: str) -> int:
    """Java's hash of a text, made positive as Kafka does to choose a coordinator."""
    found = 0
    for character in text:
        found = (31 * found + ord(character)) & 0xFFFFFFFF
    return found & 0x7FFFFFFF


def _read(message: Message) -> Read:
    found = message.headers() or []
    headers = [(name, value) for name, value in dict(found).items() if isinstance(value, bytes)]
    return Read(message.partition() or 0, message.offset() or 0, message.value() or b"", headers)
