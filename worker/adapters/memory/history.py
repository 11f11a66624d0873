"""A bounded stretch of a topic in memory (RecordHistory)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.adapters.memory.broker import MemoryBroker
    from worker.records import Partition, Record

CHUNK_RECORDS = 1000


class MemoryRecordHistory:
    """What `topic` holds. Raises Unreachable where there is no such topic, or no broker."""

    def __init__(self, broker: MemoryBroker, topic: str) -> None:
        self._broker = broker
        self._topic = topic

    def span(self, start_ms: int | None, end_ms: int | None) -> Mapping[Partition, tuple[int, int]]:
        """As the port says."""
        self._require_reachable()
        found = {}
        with self._broker.lock:
            for partition in self._broker.partitions(self._topic):
                journal = self._broker.journal(partition)
                first = journal.beginning if start_ms is None else journal.first_at(start_ms)
                end = journal.end if end_ms is None else journal.first_at(end_ms)
                found[partition] = (first, max(first, end))
        return found

    def read(self, span: Mapping[Partition, tuple[int, int]]) -> Iterator[Sequence[Record]]:
        """As the port says. What retention has taken since is missing, the rest is read."""
        for partition, (first, end) in span.items():
            self._require_reachable()
            with self._broker.lock:
                records = self._broker.journal(partition).between(first, end)
            for at in range(0, len(records), CHUNK_RECORDS):
                yield records[at : at + CHUNK_RECORDS]

    def close(self) -> None:
        """As the port says: there is nothing to let go of."""

    def _require_reachable(self) -> None:
        if not self._broker.reachable:
            raise Unreachable("the broker is out of reach")
