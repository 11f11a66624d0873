"""Every private attribute of kafka-python that we touch; a test fails when one of them changes.

Read against 3.0.12 (the project pins it below 3.1). Nothing else in the adapter may look behind
the client's public face.
"""

# ruff: noqa: SLF001 - private access is what this module is for

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafka.errors import KafkaError
from kafka.record.default_records import DefaultRecordBatchBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafka import KafkaConsumer, KafkaProducer, TopicPartition

    from worker.records import Headers

STOP_S = 3.0
"""Longest wait for a sender thread that was told to stop at once."""


class Place(NamedTuple):
    """Where a consumer stands in a partition, as far as it knows without asking."""

    position: int | None
    highwater: int | None


def place(consumer: KafkaConsumer, partition: TopicPartition) -> Place:
    """Position and log end from memory; the public `position()` may wait for the network."""
    state = consumer._subscription.assignment.get(partition)
    if state is None:
        return Place(None, None)
    return Place(state.position.offset if state.position else None, state.highwater)


def committed(
    consumer: KafkaConsumer, partitions: Iterable[TopicPartition], timeout_s: float
) -> dict[TopicPartition, int]:
    """Committed offsets of those partitions that have one, in one request.

    The client keeps a request that timed out and hands its late, outdated answer to the next call;
    hence the clearing. Raises KafkaError.
    """
    coordinator = consumer._coordinator
    coordinator._offset_fetch_futures.clear()
    found = coordinator.fetch_committed_offsets(list(partitions), timeout_ms=timeout_s * 1000)
    return {partition: found[partition].offset for partition in found}


def learn_topics(consumer: KafkaConsumer, timeout_s: float) -> None:
    """Wait for what the cluster knows of the subscribed topics. Raises KafkaError.

    A member that joins without knowing the partitions is given none, and the whole group has to
    rebalance a second time.
    """
    learnt = consumer._cluster.request_update()
    consumer._net.run(consumer._manager.wait_for, learnt, timeout_s * 1000)


def drop_fetched(consumer: KafkaConsumer) -> None:
    """Forget parsed records. After a parse error the client would spin on them for ever."""
    fetcher = consumer._fetcher
    parked = list(fetcher._paused_partition_records.values())
    fetcher._paused_partition_records.clear()
    for records in (fetcher._next_partition_records, *parked):
        if records:
            records.drain()


def parsing(consumer: KafkaConsumer) -> tuple[TopicPartition, int] | None:
    """Partition and offset that the consumer was parsing when it raised."""
    records = consumer._fetcher._next_partition_records
    return (records.topic_partition, records.next_fetch_offset) if records else None


def connected(consumer: KafkaConsumer) -> bool:
    """Whether a connection to any broker is up."""
    return any(connection.connected for connection in list(consumer._manager._conns.values()))


def stop_sender(producer: KafkaProducer) -> bool:
    """Stop the sender thread without waiting for what it still has; whether it is gone.

    `close()` leaves it running when the flush inside times out.
    """
    sender = producer._sender
    if sender.is_alive():
        sender.force_close()
        sender.join(STOP_S)
    return not sender.is_alive()


def fail_pending(producer: KafkaProducer) -> None:
    """Answer requests that a stopped sender will never send, for whoever waits for them."""
    manager = producer._transaction_manager
    for _, _, handler in list(manager._pending_requests) if manager else ():
        handler.fail(KafkaError("the producer was given up"))


def record_size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Upper bound of the bytes that a record takes on its own, as the client's own limit counts."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
    return size
