"""What the contract suites run on: a broker in memory, or a real one, behind the same few verbs."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from tests.waiting import wait_until
from worker.adapters.kafka import (
    KafkaAtLeastOnce,
    KafkaConnection,
    KafkaExactlyOnce,
    KafkaPublisher,
    KafkaRecordHistory,
    KafkaRecordLog,
    KafkaTimings,
)
from worker.adapters.memory import (
    MemoryBroker,
    MemoryDelivery,
    MemoryExactlyOnce,
    MemoryPublisher,
    MemoryRecordHistory,
    MemoryRecordLog,
)
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.topics import TopicFactory
    from worker.ports import Delivery, Publisher, RecordHistory, RecordLog
    from worker.records import Partition, RawBatch, RawRecord, StartRule

POLL_S = 0.2
WAIT_S = 30.0
TIMINGS = KafkaTimings(
    session_s=6.0, heartbeat_s=0.5, request_s=3.0, delivery_s=4.0, deadline_s=6.0, close_s=3.0
)


@dataclass
class Events:
    """What a log told of."""

    rebalances: list[tuple[str, int]] = field(default_factory=list)
    resets: list[Partition] = field(default_factory=list)

    def rebalanced(self, kind: str, partitions: int) -> None:
        self.rebalances.append((kind, partitions))

    def offset_reset(self, partition: Partition) -> None:
        self.resets.append(partition)


@dataclass
class Member:
    """One member of a group: its log, how it delivers, what it was told."""

    log: RecordLog
    delivery: Delivery
    events: Events

    def poll(self, records_max: int = 500) -> RawBatch:
        return self.log.poll(records_max, POLL_S)

    def batch(self, records_max: int = 500) -> RawBatch:
        """The next poll with records."""
        polled: list[RawBatch] = []

        def found() -> bool:
            polled.append(self.poll(records_max))
            return bool(polled[-1].records)

        wait_until(found, WAIT_S, "a batch with records")
        return polled[-1]

    def deliver(self, batch: RawBatch, outputs: Sequence[Output] = ()) -> None:
        self.delivery.deliver(outputs, batch.positions, batch.membership)

    def consume(self, count: int) -> list[RawRecord]:
        """Poll and deliver until `count` records have come."""
        seen: list[RawRecord] = []

        def enough() -> bool:
            batch = self.poll()
            if batch.positions:
                self.deliver(batch)
            seen.extend(batch.records)
            return len(seen) >= count

        wait_until(enough, WAIT_S, f"{count} records")
        return seen

    def join(self) -> None:
        """Poll until partitions are ours."""

        def assigned() -> bool:
            self.poll()
            return bool(self.log.assigned())

        wait_until(assigned, WAIT_S, "an assignment")

    def close(self) -> None:
        self.delivery.close()
        self.log.close()


class Stand(Protocol):
    """A broker to test on."""

    def topic(self, partitions: int = 1) -> str: ...

    def create(self, topic: str) -> None:
        """Make a topic of that name."""

    def publisher(self) -> Publisher: ...

    def member(self, topic: str, group: str, start: StartRule = "beginning") -> Member: ...

    def history(self, topic: str) -> RecordHistory: ...

    def expel(self, member: Member) -> None:
        """The member falls out of its group between two polls, as after one that came too late."""

    def gap(self, topic: str) -> None:
        """Move the end of every partition on without a record that anybody may read."""

    def delete_before(self, partition: Partition, offset: int) -> None:
        """Take away the oldest records."""

    def close(self) -> None: ...


class MemoryStand:
    """In memory."""

    def __init__(self, *, exactly_once: bool = False) -> None:
        self._broker = MemoryBroker()
        self._delivery = MemoryExactlyOnce if exactly_once else MemoryDelivery

    def topic(self, partitions: int = 1) -> str:
        name = new_name()
        self._broker.create_topic(name, partitions)
        return name

    def create(self, topic: str) -> None:
        self._broker.create_topic(topic, 1)

    def publisher(self) -> Publisher:
        return MemoryPublisher(self._broker)

    def member(self, topic: str, group: str, start: StartRule = "beginning") -> Member:
        events = Events()
        log = MemoryRecordLog(self._broker, topic, group, start, events)
        return Member(log, self._delivery(self._broker, log), events)

    def history(self, topic: str) -> RecordHistory:
        return MemoryRecordHistory(self._broker, topic)

    def expel(self, member: Member) -> None:
        assert isinstance(member.log, MemoryRecordLog)
        member.log.lose_membership()

    def gap(self, topic: str) -> None:
        for partition in self._broker.partitions(topic):
            self._broker.skip(partition, 2)

    def delete_before(self, partition: Partition, offset: int) -> None:
        self._broker.delete_before(partition, offset)

    def close(self) -> None:
        pass


class KafkaStand:
    """On a real broker; every client that it hands out is closed with it."""

    def __init__(
        self, bootstrap_servers: str, topics: TopicFactory, *, exactly_once: bool = False
    ) -> None:
        self.connection = KafkaConnection(bootstrap_servers, "contract")
        self._topics = topics
        self._exactly_once = exactly_once
        self._to_close: list[Callable[[], None]] = []

    def topic(self, partitions: int = 1) -> str:
        return self._topics("contract", partitions)

    def create(self, topic: str) -> None:
        self._topics.create(topic)

    def publisher(self) -> KafkaPublisher:
        publisher = KafkaPublisher(self.connection, TIMINGS)
        self._to_close.append(publisher.close)
        return publisher

    def member(self, topic: str, group: str, start: StartRule = "beginning") -> Member:
        events = Events()
        log = KafkaRecordLog(self.connection, TIMINGS, topic, group, start, events)
        member = Member(log, self.delivery(log, new_name()), events)
        self._to_close.append(member.close)
        return member

    def delivery(self, log: KafkaRecordLog, transactional_id: str) -> Delivery:
        """How a member delivers on this stand."""
        if self._exactly_once:
            return KafkaExactlyOnce(self.connection, TIMINGS, log, transactional_id)
        return KafkaAtLeastOnce(self.publisher(), log, TIMINGS)

    def history(self, topic: str) -> RecordHistory:
        history = KafkaRecordHistory(self.connection, TIMINGS, topic)
        self._to_close.append(history.close)
        return history

    def expel(self, member: Member) -> None:
        # What the client's own heartbeat does when a poll comes too late.
        assert isinstance(member.log, KafkaRecordLog)
        member.log._consumer._coordinator.maybe_leave_group()

    def gap(self, topic: str) -> None:
        admin = self._admin()
        (described,) = admin.describe_topics([topic])
        admin.close()
        producer = KafkaProducer(
            bootstrap_servers=self.connection.bootstrap_servers, transactional_id=new_name()
        )
        producer.init_transactions()
        producer.begin_transaction()
        for partition in range(len(described["partitions"])):
            producer.send(topic, b"never to be seen", partition=partition)
        producer.flush()
        producer.abort_transaction()
        producer.close()

    def add_partition(self, topic: str) -> None:
        """Give a topic of one partition a second one, with a record in it."""
        admin = self._admin()
        admin.create_partitions({topic: 2})
        admin.close()
        producer = KafkaProducer(bootstrap_servers=self.connection.bootstrap_servers)
        wait_until(
            lambda: producer.partitions_for(topic) == {0, 1}, WAIT_S, "the partition is known"
        )
        producer.send(topic, b"before anybody knew", partition=1).get(WAIT_S)
        producer.close()

    def delete_before(self, partition: Partition, offset: int) -> None:
        admin = self._admin()
        admin.delete_records({TopicPartition(*partition): offset})
        admin.close()

    def close(self) -> None:
        for close in reversed(self._to_close):
            with suppress(TimeoutError):
                close()

    def _admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.connection.bootstrap_servers)


def new_name() -> str:
    """A name for a topic or a group that nobody has used."""
    return f"contract-{uuid.uuid4().hex[:8]}"


def publish(stand: Stand, topic: str, values: Iterable[str], key: bytes | None = None) -> None:
    """Put records on a topic, acknowledged."""
    publisher = stand.publisher()
    publisher.publish([Output(topic, key, value.encode()) for value in values])
    publisher.flush(WAIT_S)


def values(records: Iterable[RawRecord]) -> list[str]:
    """What the records say."""
    return [(record.value or b"").decode() for record in records]
