"""Files as logs: one JSON value a line, the line's number from 0 as its offset.

An empty line is a record without bytes, as it is on a topic; what follows the last newline counts
only where there is something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.ports import Unreachable
from worker.records import Partition, RawRecord, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from io import BufferedReader
    from pathlib import Path

VALUES_AT_ONCE = 4096
CHUNK_BYTES = 1024 * 1024
"""Read at once; of a pipe only what is there, so that what comes slowly is not held back."""


class JsonLinesHistory:
    """worker.ports.RecordHistory over a file of JSON lines: one partition, no timestamps."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is opened by each call. Raises Unreachable where it cannot be."""
        self._path = path
        self._partition = Partition(path.name, 0)

    def span(self, start_ms: int | None, end_ms: int | None) -> Mapping[Partition, tuple[int, int]]:
        """All lines; a file knows no times, so both bounds must be None, else ValueError."""
        _require_unbounded(start_ms, end_ms)
        with _opened(self._path) as stream:
            return {self._partition: (0, sum(1 for _ in stream))}

    def read(self, span: Mapping[Partition, tuple[int, int]]) -> Iterator[Sequence[RawRecord]]:
        """The lines in the span, in chunks."""
        start, end = span.get(self._partition, (0, 0))
        with _opened(self._path) as stream:
            for chunk in read_lines(stream, self._path.name):
                kept = [record for record in chunk if start <= record.offset < end]
                if kept:
                    yield kept

    def close(self) -> None:
        """Nothing stays open between calls."""


class ValuesHistory:
    """worker.ports.RecordHistory over values in memory: one partition, no timestamps."""

    def __init__(self, values: Sequence[bytes | None], name: str) -> None:
        """Hold the values; `name` stands for their topic."""
        self._values = values
        self._partition = Partition(name, 0)

    def span(self, start_ms: int | None, end_ms: int | None) -> Mapping[Partition, tuple[int, int]]:
        """All values; they have no times, so both bounds must be None, else ValueError."""
        _require_unbounded(start_ms, end_ms)
        return {self._partition: (0, len(self._values))}

    def read(self, span: Mapping[Partition, tuple[int, int]]) -> Iterator[Sequence[RawRecord]]:
        """The values in the span, in chunks."""
        start, end = span.get(self._partition, (0, 0))
        for at in range(start, end, VALUES_AT_ONCE):
            yield _records(
                self._partition.topic, at, self._values[at : min(at + VALUES_AT_ONCE, end)]
            )

    def close(self) -> None:
        """Nothing is held open."""


def read_lines(stream: BufferedReader, name: str) -> Iterator[list[RawRecord]]:
    """The records of an open stream of JSON lines, in chunks, under `name` as their topic."""
    offset, rest = 0, b""
    while chunk := stream.read1(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield _records(name, offset, [line.removesuffix(b"\r") for line in lines])
        offset += len(lines)
    if rest:
        yield _records(name, offset, [rest.removesuffix(b"\r")])


def _records(name: str, offset: int, values: Sequence[bytes | None]) -> list[RawRecord]:
    return [Record(name, 0, offset + i, -1, None, value) for i, value in enumerate(values)]


def _require_unbounded(start_ms: int | None, end_ms: int | None) -> None:
    if start_ms is not None or end_ms is not None:
        raise ValueError("without timestamps a stretch cannot be bounded by time")


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise Unreachable(msg) from error
