"""Publishing to Kafka, and at-least-once delivery: publish, wait for every acknowledgement, commit.

After any failure the producer is given up and a new one is made: its state cannot be trusted then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from worker.adapters.kafka.client import abandon, open_producer
from worker.adapters.kafka.errors import translated
from worker.adapters.kafka.sending import (
    COMPRESSION,
    REQUEST_BYTES_MAX,
    acknowledge,
    require_fit,
    send,
)
from worker.ports import OutputTooLarge, Retryable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafka import KafkaProducer
    from kafka.producer.future import FutureRecordMetadata

    from worker.adapters.kafka.client import KafkaConnection, KafkaTimings
    from worker.adapters.kafka.log import KafkaRecordLog
    from worker.records import Membership, Output, Position


class KafkaPublisher:
    """Sends records, each to the partition of its key as Java's default partitioner does.

    Headers and timestamps that Kafka does not take are mended, see sending.send.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        timings: KafkaTimings,
        request_bytes_max: int = REQUEST_BYTES_MAX,
        compression: str | None = COMPRESSION,
    ) -> None:
        self._connection = connection
        self._timings = timings
        self._request_bytes_max = request_bytes_max
        self._compression = compression
        self._producer: KafkaProducer | None = None
        self._sent: list[FutureRecordMetadata] = []

    def publish(self, outputs: Iterable[Output]) -> None:
        """As the port says; nothing of `outputs` is queued when one is too large (OutputTooLarge).

        Raises Retryable when the cluster or the topic is out of reach, NotPermitted.
        """
        outputs = list(outputs)
        if not outputs:
            return
        require_fit(outputs, self._request_bytes_max, first=len(self._sent))
        try:
            if self._producer is None:
                self._producer = open_producer(
                    self._connection, self._timings, self._request_bytes_max, self._compression
                )
            self._sent.extend(send(self._producer, output) for output in outputs)
        except KafkaError as error:
            self.close()
            topics = ", ".join(sorted({output.topic for output in outputs}))
            raise translated(error, f"sending to {topics}") from error

    def flush(self, timeout_s: float) -> None:
        """As the port says."""
        if self._producer is None:
            return
        try:
            acknowledge(self._producer, self._sent, timeout_s)
        except OutputTooLarge:
            self.close()
            raise
        except KafkaError as error:
            self.close()
            raise translated(error, "sending") from error
        self._sent.clear()

    def close(self) -> None:
        """As the port says; the next publish makes a new producer."""
        self._sent.clear()
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer, self._timings.close_s)


class KafkaAtLeastOnce:
    """Nothing is lost; what was written before a failure is written again."""

    def __init__(
        self, publisher: KafkaPublisher, record_log: KafkaRecordLog, timings: KafkaTimings
    ) -> None:
        self._publisher = publisher
        self._log = record_log
        self._timings = timings

    def deliver(
        self,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        """As the port says."""
        ends_at = time.monotonic() + self._timings.deadline_s
        self._log.require(membership)
        self._publisher.publish(outputs)
        self._publisher.flush(ends_at - time.monotonic())
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            raise Retryable("no time was left to commit")
        self._log.commit(positions, membership, left_s)

    def close(self) -> None:
        """As the port says."""
        self._publisher.close()
