"""What a group has committed, and where each partition goes on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka import OffsetAndMetadata

from worker.adapters.kafka import private
from worker.adapters.kafka.starts import Bounds, Start, first_start, next_start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafka import KafkaConsumer, TopicPartition

    from worker.records import StartRule


class Offsets:
    """The offsets of the group that `consumer` is in. Every method raises KafkaError.

    Of the topic's partitions those from `known` on were added after the start: whatever the rule
    says of a first start, nobody has read them, so they are read from their beginning. 0 is for a
    topic that was not known at the start.
    """

    def __init__(
        self, consumer: KafkaConsumer, rule: StartRule, known: int, request_s: float
    ) -> None:
        self._consumer = consumer
        self._rule = rule
        self._known = known
        self._request_s = request_s

    def starts(
        self, owned: Sequence[TopicPartition], refused: Mapping[TopicPartition, int | None]
    ) -> dict[TopicPartition, Start]:
        """Where to read each partition next; what is not what was committed is committed at once.

        Else a restart before the first batch would start at a later end and miss what came between.
        `refused` are those whose position the broker did not take, with the offset at which their
        log was cut where that is known.
        """
        if not owned:
            return {}
        committed = private.committed(self._consumer, owned, self._request_s)
        starts = {tp: Start(at, moved=False) for tp, at in committed.items()}
        unsure = [tp for tp in owned if tp not in committed or tp in refused]
        for tp, bounds in self._bounds(unsure).items():
            if tp in committed:
                starts[tp] = next_start(committed[tp], bounds, refused[tp])
            else:
                is_added = self._known and tp.partition >= self._known
                rule = "beginning" if is_added else self._rule
                starts[tp] = first_start(rule, tp.partition, bounds)
        self.commit({tp: starts[tp].offset for tp in unsure}, self._request_s)
        return starts

    def commit(self, offsets: Mapping[TopicPartition, int], timeout_s: float) -> None:
        """Commit as the member that the client is now."""
        if offsets:
            self._consumer.commit(
                {tp: OffsetAndMetadata(at, "", -1) for tp, at in offsets.items()},
                timeout_ms=timeout_s * 1000,
            )

    def _bounds(self, partitions: list[TopicPartition]) -> dict[TopicPartition, Bounds]:
        if not partitions:
            return {}
        request_ms = self._request_s * 1000
        beginning = self._consumer.beginning_offsets(partitions, timeout_ms=request_ms)
        end = self._consumer.end_offsets(partitions, timeout_ms=request_ms)
        return {tp: Bounds(beginning[tp], end[tp]) for tp in partitions}
