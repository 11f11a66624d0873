"""A bounded stretch of a topic (RecordHistory), read without a group and without committing."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from kafka import TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from worker.adapters.kafka import private
from worker.adapters.kafka.client import bounded, open_consumer
from worker.adapters.kafka.errors import translated
from worker.adapters.kafka.fetch import fetch
from worker.adapters.kafka.lookup import topic_state
from worker.ports import Unreachable
from worker.records import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from worker.adapters.kafka.client import KafkaConnection, KafkaTimings
    from worker.records import RawRecord

Result = TypeVar("Result")

CHUNK_RECORDS = 4096
POLL_S = 0.5


class KafkaRecordHistory:
    """What `topic` holds, of committed transactions only.

    Raises Unreachable or NotPermitted, here and in every method.
    """

    def __init__(self, connection: KafkaConnection, timings: KafkaTimings, topic: str) -> None:
        self._connection = connection
        self._timings = timings
        self._topic = topic
        self._consumer = _asked("connecting", lambda: open_consumer(connection, timings, None))

    def span(self, start_ms: int | None, end_ms: int | None) -> Mapping[Partition, tuple[int, int]]:
        """As the port says; by each record's own timestamp where the log is in that order."""
        partitions = self._partitions()
        end = self._ends(partitions)
        first = self._by_time(partitions, start_ms, end) if start_ms is not None else None
        last = self._by_time(partitions, end_ms, end) if end_ms is not None else end
        if first is None:
            first = self._beginnings(partitions)
        return {Partition(*tp): (first[tp], max(first[tp], last[tp])) for tp in partitions}

    def read(self, span: Mapping[Partition, tuple[int, int]]) -> Iterator[Sequence[RawRecord]]:
        """As the port says. What retention has taken since is missing, the rest is read.

        Raises Unreachable after `history_stall_s` without progress, Unreadable.
        """
        # An end that the log does not reach (cut, or created anew) would never come.
        reached = self._ends(
            [TopicPartition(*p) for p, (first, end) in span.items() if first < end]
        )
        left = {tp: min(end, span[Partition(*tp)][1]) for tp, end in reached.items()}
        self._begin({tp: span[Partition(*tp)][0] for tp in left})
        silent_s = 0.0
        while left := self._unfinished(left):
            before, began = self._places(left), time.monotonic()
            chunk = self._chunk(left)
            if chunk:
                yield chunk
            silent_s += time.monotonic() - began
            if chunk or self._places(left) != before:
                silent_s = 0.0
            elif silent_s > self._timings.history_stall_s:
                raise Unreachable(f"reading {self._topic} made no progress for {silent_s:.0f} s")

    def close(self) -> None:
        """As the port says."""
        with suppress(KafkaError, TimeoutError):
            bounded(lambda: self._consumer.close(autocommit=False), self._timings.close_s)

    def _begin(self, offsets: Mapping[TopicPartition, int]) -> None:
        private.drop_fetched(self._consumer)
        self._consumer.assign(list(offsets))
        for tp, offset in offsets.items():
            self._consumer.resume(tp)
            self._consumer.seek(tp, offset)

    def _unfinished(self, left: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The partitions whose end is not reached; the others are fetched no more."""
        places = self._places(left)
        for tp, end in left.items():
            if places[tp] >= end:
                self._consumer.pause(tp)
        return {tp: end for tp, end in left.items() if places[tp] < end}

    def _places(self, partitions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        return {tp: private.place(self._consumer, tp).position or 0 for tp in partitions}

    def _chunk(self, left: Mapping[TopicPartition, int]) -> list[RawRecord]:
        try:
            fetched = fetch(self._consumer, CHUNK_RECORDS, POLL_S, otherwise=Unreachable)
        except OffsetOutOfRangeError as error:
            self._skip_deleted(error.args[0])
            return []
        return [
            record
            for tp, records in fetched.items()
            for record in records
            if record.offset < left.get(tp, 0)
        ]

    def _skip_deleted(self, refused: Mapping[TopicPartition, int]) -> None:
        for tp, beginning in self._beginnings(list(refused)).items():
            if beginning <= refused[tp]:
                raise Unreachable(f"{tp.topic}-{tp.partition} was cut below offset {refused[tp]}")
            self._consumer.seek(tp, beginning)

    def _partitions(self) -> list[TopicPartition]:
        count = topic_state(self._connection, [self._topic], self._timings.connect_s)[self._topic]
        if count is None:
            raise Unreachable(f"there is no topic {self._topic}")
        return [TopicPartition(self._topic, number) for number in range(count)]

    def _beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return self._offsets(self._consumer.beginning_offsets, partitions)

    def _ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return self._offsets(self._consumer.end_offsets, partitions)

    def _by_time(
        self, partitions: list[TopicPartition], at_ms: int, end: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """The first offset at or after a time; the end where there is none."""
        wanted = dict.fromkeys(partitions, max(0, at_ms))
        found = self._offsets(self._consumer.offsets_for_times, wanted)
        return {tp: min(end[tp], found[tp].offset) if found[tp] else end[tp] for tp in partitions}

    def _offsets(self, look_up: Callable[..., Result], wanted: object) -> Result:
        request_ms = self._timings.request_s * 1000
        return _asked("looking up offsets", lambda: look_up(wanted, timeout_ms=request_ms))


def _asked(doing: str, call: Callable[[], Result]) -> Result:
    try:
        return call()
    except KafkaError as error:
        raise translated(error, doing, otherwise=Unreachable) from error
