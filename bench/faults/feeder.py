"""Produces records with unique ids at a steady rate; what counts is what the brokers acknowledged.

Uses librdkafka, which shares no code with the product's client.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaException, Producer

from bench.faults.records import poison, reading

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from bench.faults.records import Kind, Record

BURST_MAX = 500
FLUSH_S = 130.0
TICK_S = 0.01


class Fed(NamedTuple):
    """An acknowledged record: what must become of it, and when that was known."""

    kind: Kind
    at: float


class Feeder:
    """Feeds `rate` records a second from a thread of its own until it is stopped.

    `fed` maps (partition, offset) to what was acknowledged there.
    """

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int, rate: float) -> None:
        self._servers = bootstrap_servers
        self._topic = topic
        self._rate = rate
        self._partitions = partitions
        self._poison: deque[Record] = deque()
        self._poisons = 0
        self._number = 0
        self._stopped = threading.Event()
        self.fed: dict[tuple[int, int], Fed] = {}
        self.failed = 0
        self.left = 0
        self._ends = dict.fromkeys(range(partitions), -1)
        self._producer = _producer(bootstrap_servers)
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._thread.start()

    def ends(self) -> dict[int, int]:
        """The last acknowledged offset of each partition that must leave a line of scores."""
        return dict(self._ends)

    def poison(self, count: int) -> None:
        """Put that many hostile records into the stream, one after another."""
        self._poison.extend(poison(self._poisons + i) for i in range(count))
        self._poisons += count

    @property
    def poison_left(self) -> int:
        """How many of those are still to be sent."""
        return len(self._poison)

    def stop(self) -> None:
        """Send no more and wait for the acknowledgements. Safe to call twice."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._thread.join()
            self.left = self._producer.flush(FLUSH_S)

    def _run(self) -> None:
        began, due_before = time.monotonic(), 0
        while not self._stopped.wait(TICK_S):
            due = int((time.monotonic() - began) * self._rate)
            for _ in range(min(due - due_before, BURST_MAX)):
                self._send()
            due_before = due
            self._producer.poll(0)

    def _send(self) -> None:
        if self._poison:
            record = self._poison.popleft()
        else:
            record, self._number = reading(self._number), self._number + 1

        def acknowledged(error: KafkaError | None, message: Message) -> None:
            self._took(record.kind, error, message)

        try:
            self._producer.produce(
                self._topic, value=record.value, key=record.key, on_delivery=acknowledged
            )
        except (KafkaException, BufferError):  # the client is broken for good, or full
            self.failed += 1
            self._producer = _producer(self._servers)

    def _took(self, kind: Kind, error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is not None or partition is None or offset is None:
            self.failed += 1
            return
        self.fed[partition, offset] = Fed(kind, time.monotonic())
        if kind != "skipped":
            self._ends[partition] = max(self._ends[partition], offset)

    def close(self) -> None:
        """Feed no more; returns when its thread has ended."""
        self._stopped.set()
        self._thread.join()


def _producer(bootstrap_servers: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "partitioner": "murmur2_random",  # as Java's clients, so as the product's outputs
            "sticky.partitioning.linger.ms": 0,
            "message.timeout.ms": 120_000,
            "message.max.bytes": 1_000_000,
            "queue.buffering.max.messages": 1_000_000,
            "reconnect.backoff.max.ms": 500,
            "topic.metadata.refresh.interval.ms": 2000,
            "log_level": 0,
        }
    )
