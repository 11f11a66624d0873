"""Publishing to Kafka, and at-least-once delivery: publish, wait for every acknowledgement, commit.

After any failure the producer is given up and a new one is made: its state cannot be trusted then.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from worker.adapters.kafka import private
from worker.adapters.kafka.client import abandon, open_producer
from worker.adapters.kafka.errors import TOO_LARGE, translated
from worker.ports import OutputTooLarge, Retryable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafka import KafkaProducer
    from kafka.producer.future import FutureRecordMetadata

    from worker.adapters.kafka.client import KafkaConnection, KafkaTimings
    from worker.adapters.kafka.log import KafkaRecordLog
    from worker.records import Membership, Output, Position

REQUEST_BYTES_MAX = 1 << 20
"""Largest record that we try to send; a broker's own default takes twelve bytes more."""
AHEAD_MAX_MS = 30 * 60 * 1000
"""Kafka 4 refuses records stamped more than an hour ahead; half of that leaves room for clocks."""


class KafkaPublisher:
    """Sends records, each to the partition of its key as Java's default partitioner does.

    The client cannot send a header without a value: None becomes empty. A timestamp far in the
    future, which the broker would refuse for ever, becomes the time of sending.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        timings: KafkaTimings,
        request_bytes_max: int = REQUEST_BYTES_MAX,
        compression: str | None = "lz4",
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
        for index, output in enumerate(outputs, start=len(self._sent)):
            self._require_fits(index, output)
        try:
            if self._producer is None:
                self._producer = open_producer(
                    self._connection, self._timings, self._request_bytes_max, self._compression
                )
            self._sent.extend(_send(self._producer, output) for output in outputs)
        except KafkaError as error:
            self.close()
            topics = ", ".join(sorted({output.topic for output in outputs}))
            raise translated(error, f"sending to {topics}") from error

    def flush(self, timeout_s: float) -> None:
        """As the port says. Only every record's own outcome counts.

        The client's flush fails for batches that it had to split, and says nothing of records that
        were given up.
        """
        if self._producer is None:
            return
        ends_at, index = time.monotonic() + timeout_s, 0
        try:
            with suppress(KafkaError):
                self._producer.flush(max(0.0, timeout_s))
            for index, sent in enumerate(self._sent):  # noqa: B007 - names the one that failed
                sent.get(max(0.0, ends_at - time.monotonic()))
        except TOO_LARGE as error:
            self.close()
            raise OutputTooLarge(index, f"the broker takes no record so large: {error}") from error
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

    def _require_fits(self, index: int, output: Output) -> None:
        size = private.record_size(output.key, output.value, _headers(output))
        if size > self._request_bytes_max:
            raise OutputTooLarge(
                index, f"a record of {size} bytes; at most {self._request_bytes_max} are sent"
            )


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


def _send(producer: KafkaProducer, output: Output) -> FutureRecordMetadata:
    return producer.send(
        output.topic,
        key=output.key,
        value=output.value,
        headers=_headers(output),
        timestamp_ms=_timestamp(output),
    )


def _headers(output: Output) -> list[tuple[str, bytes]]:
    return [(name, value if value is not None else b"") for name, value in output.headers]


def _timestamp(output: Output) -> int | None:
    stamp = output.timestamp
    if stamp is None or stamp < 0 or stamp > time.time() * 1000 + AHEAD_MAX_MS:
        return None
    return stamp
