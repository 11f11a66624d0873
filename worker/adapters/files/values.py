"""Values in memory as a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.records import Partition, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.records import RawRecord

VALUES_AT_ONCE = 4096


class ValuesHistory:
    """worker.ports.RecordHistory over values in memory: one partition, no timestamps."""

    def __init__(self, values: Sequence[bytes | None], name: str) -> None:
        """Hold the values; `name` stands for their topic."""
        self._values = values
        self._partition = Partition(name, 0)

    def span(self, start_ms: int | None, end_ms: int | None) -> Mapping[Partition, tuple[int, int]]:
        """All values; they have no times, so both bounds must be None, else ValueError."""
        require_unbounded(start_ms, end_ms)
        return {self._partition: (0, len(self._values))}

    def read(self, span: Mapping[Partition, tuple[int, int]]) -> Iterator[Sequence[RawRecord]]:
        """The values in the span, in chunks."""
        start, end = span.get(self._partition, (0, 0))
        for at in range(start, end, VALUES_AT_ONCE):
            chunk = self._values[at : min(at + VALUES_AT_ONCE, end)]
            yield as_records(self._partition.topic, at, chunk)

    def close(self) -> None:
        """Nothing is held open."""


def as_records(name: str, offset: int, values: Sequence[bytes | None]) -> list[RawRecord]:
    """The values as records of `name` from `offset` on, without key and time."""
    return [Record(name, 0, offset + i, -1, None, value) for i, value in enumerate(values)]


def require_unbounded(start_ms: int | None, end_ms: int | None) -> None:
    """Raises ValueError where a stretch without times is to be bounded by time."""
    if start_ms is not None or end_ms is not None:
        raise ValueError("without timestamps a stretch cannot be bounded by time")
