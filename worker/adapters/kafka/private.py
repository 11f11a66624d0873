"""Every private attribute of kafka-python that we touch; a test fails when one of them changes.

Read against 3.0.12 (the project pins it below 3.1). Nothing else in the adapter may look behind
the client's public face.
"""

# ruff: noqa: SLF001 - private access is what this module is for

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from kafka.errors import (
    KafkaError,
    KafkaProtocolError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.transport import KafkaTCPTransport
from kafka.record.default_records import DefaultRecordBatchBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.net.compat import KafkaNetClient

    from worker.records import Headers

STOP_S = 3.0
"""Longest wait for a sender thread that was told to stop at once."""
POLL_STEP_S = 0.1
"""Shortest wait, inside a poll, for an answer that is outstanding."""


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


def partitions(consumer: KafkaConsumer, topic: str) -> int:
    """How many partitions the client knows of a topic, without asking."""
    return len(consumer._cluster.partitions_for_topic(topic) or ())


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


def wait_calmly(consumer: KafkaConsumer) -> None:
    """Let a poll wait for its records while a heartbeat is not answered.

    From the time that the next heartbeat is due the client's poll would not wait at all but spin,
    and each time round hang a few kilobytes on the fetch that is out: a broker that stands still
    would cost a core, and about 20 MB a second. Heartbeats have a task of their own, for which it
    is the same how long a poll waits; records that come end the wait.
    """
    coordinator = consumer._coordinator
    due_in = coordinator.time_to_next_poll
    coordinator.time_to_next_poll = lambda: max(POLL_STEP_S, due_in())


def remember_refusal(client: KafkaNetClient) -> None:
    """Let a client whose credentials were refused say so from then on, and not try again.

    While it looks for a first broker it takes a refusal for a broker that is down, tries on until
    the time is up, and reports nothing but that.
    """
    manager = client._manager
    connect = manager.get_connection
    refusals: list[BaseException] = []

    def closed(error: BaseException) -> None:
        if isinstance(error, SaslAuthenticationFailedError | UnsupportedSaslMechanismError):
            refusals.append(error)

    def get_connection(node_id: object, *args: object, **options: object) -> object:
        if refusals:
            raise refusals[0]
        is_new = node_id not in manager._conns
        connection = connect(node_id, *args, **options)
        if is_new:
            connection.close_future.add_errback(closed)
        return connection

    manager.get_connection = get_connection


async def _read_to_the_end(transport: KafkaTCPTransport) -> None:
    """Hand over what is read even where the connection's end comes with it.

    The client's own drops it then: a broker that refuses a password and hangs up would look like
    one that is down.
    """
    while transport._read and not transport._closed:
        await transport._net.wait_read(transport._sock)
        received, ended = transport._sock_recv()
        if not received:
            if ended:
                transport.abort(error=ended)
                return
            continue
        transport.last_read = time.monotonic()
        try:
            transport._protocol.data_received(received)
        except KafkaProtocolError as error:
            transport.abort(error=error)
            return
        # The end, if there was one, is read again, after whoever waits for the answer had a turn.


def hear_last_words() -> None:
    """Let every connection of this process hand over what came just before its end."""
    KafkaTCPTransport._read_from_sock = _read_to_the_end


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
