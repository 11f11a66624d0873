"""Topics from outside the product: created, filled, and read whole with clients of their own.

None of the product's adapters is used here: they are what is measured.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    MetadataEmptyBrokerList,
    NotCoordinatorError,
)

from bench.stand.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kafka import OffsetAndMetadata
    from kafka.consumer.fetcher import ConsumerRecord

WAIT_MS = 30_000
WAIT_S = WAIT_MS / 1000
OUTPUTS = ("anomalies", "dlq", "scores")
RECORD_BYTES_MAX = 4 << 20


class Message(NamedTuple):
    """A record to produce; the partition follows from the key unless it is given."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


class Place(NamedTuple):
    """Where a record came to stand."""

    topic: str
    partition: int
    offset: int

    @property
    def id(self) -> str:
        """The name that outputs give to the record."""
        return f"{self.topic}-{self.partition}-{self.offset}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Short-lived clients of one cluster."""

    bootstrap_servers: str

    def create(self, topic: str, partitions: int) -> None:
        """A topic, and its output topics with one partition each, so in order of arrival."""
        names = {topic: partitions, **{f"{topic}.{suffix}": 1 for suffix in OUTPUTS}}
        with self._admin() as admin:
            admin.create_topics(
                {name: {"num_partitions": count} for name, count in names.items()},
                timeout_ms=WAIT_MS,
            )
            admin.wait_for_topics(list(names), timeout_ms=WAIT_MS)

    def produce(self, topic: str, messages: Iterable[Message]) -> list[Place]:
        """Put records on a topic, acknowledged; where each stands, in their order."""
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            acks="all",
            linger_ms=5,
            max_request_size=RECORD_BYTES_MAX,
        )
        try:
            sent = [
                producer.send(
                    topic,
                    value=message.value,
                    key=message.key,
                    headers=list(message.headers),
                    partition=message.partition,
                    timestamp_ms=message.timestamp_ms,
                )
                for message in messages
            ]
            stood = [future.get(WAIT_S) for future in sent]
        finally:
            producer.close()
        return [Place(each.topic, each.partition, each.offset) for each in stood]

    def ends(self, topic: str) -> dict[int, int]:
        """The end offset of each partition."""
        with closing(Reader(self.bootstrap_servers, topic)) as reader:
            return reader.ends()

    def committed(self, group: str) -> dict[int, int]:
        """The group's committed offset of each partition that has one."""
        with self._admin() as admin:
            what = f"{group} has a coordinator"
            found = wait_for(lambda: _asked(admin, group), WAIT_S, what)[0]
        return {tp.partition: at.offset for tp, at in found.items() if at.offset >= 0}

    def wait_committed(self, group: str, ends: Mapping[int, int], timeout_s: float) -> None:
        """Wait until the group has dealt with everything before `ends`."""

        def is_done() -> bool:
            committed = self.committed(group)
            return all(committed.get(partition, 0) >= end for partition, end in ends.items())

        wait_for(is_done, timeout_s, f"{group} has committed {dict(ends)}")

    def read(self, topic: str) -> list[ConsumerRecord]:
        """All that the topic holds now, of committed transactions."""
        with closing(Reader(self.bootstrap_servers, topic)) as reader:
            return reader.read_on()

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            yield admin
        finally:
            admin.close()


def _numbers(consumer: KafkaConsumer, topic: str) -> set[int]:
    """The topic's partitions; none while a broker that stood still is not back in its cluster."""
    try:
        return consumer.partitions_for_topic(topic) or set()
    except MetadataEmptyBrokerList:
        return set()


def _asked(
    admin: KafkaAdminClient, group: str
) -> Sequence[Mapping[TopicPartition, OffsetAndMetadata]]:
    """What the group has committed; no answer while a broker only begins to coordinate it."""
    try:
        return [admin.list_group_offsets([group]).get(group, {})]
    except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
        return []


class Reader:
    """Reads a topic from its beginning, each time up to what is its end then."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        """Connect and look up the partitions."""
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=RECORD_BYTES_MAX,
        )
        numbers = wait_for(
            lambda: _numbers(self._consumer, topic), WAIT_S, f"topic {topic} is there"
        )
        self._partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning(*self._partitions)

    def ends(self) -> dict[int, int]:
        """The end offset of each partition."""
        found = self._consumer.end_offsets(self._partitions, timeout_ms=WAIT_MS)
        return {tp.partition: end for tp, end in found.items()}

    def read_on(self) -> list[ConsumerRecord]:
        """What came since the last time, in order within each partition."""
        ends = self.ends()
        records: list[ConsumerRecord] = []

        def is_at_end() -> bool:
            for found in self._consumer.poll(timeout_ms=100).values():
                records.extend(found)
            return all(
                self._consumer.position(tp, timeout_ms=WAIT_MS) >= ends[tp.partition]
                for tp in self._partitions
            )

        wait_for(is_at_end, WAIT_S, f"all of {self._partitions} is read")
        return records

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close(autocommit=False)
