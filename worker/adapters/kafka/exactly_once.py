"""Exactly-once delivery: outputs and positions in one transaction, fenced by the membership.

Readers with isolation level read_committed see each output once. After any failure the producer is
given up and a new one is made under the same transactional id: that aborts what the old one left
open, or waits for a commit that was under way, and only then may anybody ask what is committed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

from worker.adapters.kafka.client import abandon, bounded, open_producer
from worker.adapters.kafka.errors import plain, translated
from worker.adapters.kafka.sending import (
    COMPRESSION,
    REQUEST_BYTES_MAX,
    acknowledge,
    require_fit,
    send,
)
from worker.ports import Fenced, LatentwatchError, Retryable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafka import KafkaProducer

    from worker.adapters.kafka.client import KafkaConnection, KafkaTimings
    from worker.adapters.kafka.log import KafkaRecordLog
    from worker.records import Membership, Output, Position

FENCED = (ProducerFencedError, InvalidProducerEpochError)
OWN_TIMEOUT_SHARE = 0.8
"""Fenced this late in the time of a transaction, it is that time that has run out, not a twin."""


class KafkaExactlyOnce:
    """Each output once, for whoever reads what is committed.

    `record_log` gets ready to deliver, by `prepare`, before it asks where to go on. Of all workers
    that live at a time one alone may have the `transactional_id`; the next one under the same name
    ends what this one left open.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        timings: KafkaTimings,
        record_log: KafkaRecordLog,
        transactional_id: str,
        compression: str | None = COMPRESSION,
    ) -> None:
        self._connection = connection
        self._timings = timings
        self._log = record_log
        self._transactional_id = transactional_id
        self._compression = compression
        self._producer: KafkaProducer | None = None
        self._left_open = False
        record_log.before_settling(self.prepare)

    def prepare(self) -> None:
        """Have a producer with nothing open under our transactional id; cheap where there is one.

        Raises Retryable or NotPermitted.
        """
        self._ready()

    def deliver(
        self,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        """As the port says; whether a failed transaction was committed, prepare settles."""
        self._log.require(membership)
        require_fit(outputs, REQUEST_BYTES_MAX)
        producer, began = self._ready(), time.monotonic()
        try:
            # No call of the client that a transaction takes has an end of its own.
            bounded(
                lambda: self._transact(producer, outputs, positions, membership),
                self._timings.deadline_s,
            )
        except TimeoutError as error:
            self._give_up()
            message = f"a transaction did not finish within {self._timings.deadline_s:g} s"
            raise Retryable(message) from error
        except LatentwatchError:  # one that is too large for the broker
            self._give_up()
            raise
        except KafkaError as error:
            lasted_s = time.monotonic() - began
            self._give_up()
            judged = self._judged(error, lasted_s)
            if isinstance(judged, Fenced):
                self._left_open = False  # it is the twin's now
            raise judged from error

    def close(self) -> None:
        """As the port says. Ends what a failed transaction left open, where that can be done soon.

        Else readers of our outputs would wait until the broker ends it.
        """
        if self._left_open:
            with suppress(LatentwatchError):
                self._ready()
        self._left_open = False
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer, self._timings.close_s)

    def _give_up(self) -> None:
        producer, self._producer = self._producer, None
        self._left_open = True
        if producer is not None:
            abandon(producer, self._timings.close_s)

    def _ready(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = self._opened()
            self._left_open = False
        return self._producer

    def _opened(self) -> KafkaProducer:
        doing = f"getting ready for transactions of {self._transactional_id}"
        try:
            producer = open_producer(
                self._connection,
                self._timings,
                REQUEST_BYTES_MAX,
                self._compression,
                self._transactional_id,
            )
        except KafkaError as error:
            raise translated(error, doing) from error
        try:
            bounded(producer.init_transactions, self._timings.delivery_s + 1.0)
        except (KafkaError, TimeoutError) as error:
            abandon(producer, self._timings.close_s)
            raise translated(error, doing) from error
        return producer

    def _transact(
        self,
        producer: KafkaProducer,
        outputs: Sequence[Output],
        positions: Sequence[Position],
        membership: Membership | None,
    ) -> None:
        producer.begin_transaction()
        sent = [send(producer, output) for output in outputs]
        if sent:
            # Every outcome is looked at: the client commits with a record missing that ran out of
            # time. One second more than the client's own limit, which then says what is wrong.
            acknowledge(producer, sent, self._timings.delivery_s + 1.0)
        if positions and membership is not None:
            producer.send_offsets_to_transaction(
                {TopicPartition(p.topic, p.partition): _offset(p) for p in positions},
                membership.detail,
            )
        producer.commit_transaction()

    def _judged(self, error: KafkaError, lasted_s: float) -> LatentwatchError:
        """What to raise for a transaction that failed after `lasted_s`."""
        doing = f"a transaction of {self._transactional_id}"
        if isinstance(plain(error), FENCED):
            if lasted_s < OWN_TIMEOUT_SHARE * self._timings.transaction_s:
                return Fenced(
                    f"another worker runs as {self._transactional_id}: give each a slot of its own,"
                    " and let whatever restarts them wait between two tries"
                )
            return Retryable(f"{doing} was out of time after {lasted_s:.0f} s: {error}")
        return translated(error, doing)


def _offset(position: Position) -> OffsetAndMetadata:
    return OffsetAndMetadata(position.offset, "", -1)
