"""A file, or a folder of files in the order of their names, as a log: a partition each."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from worker.adapters.files.kinds import count_of, files_in, values_of
from worker.adapters.files.values import as_records, require_unbounded
from worker.records import Partition

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from worker.records import RawRecord


class FilesHistory:
    """worker.ports.RecordHistory over a file or a folder; each file's name stands for its topic.

    A record's offset is its row in its file, from 0. Files are opened by each call, which raises
    Unreachable where one cannot be, Unreadable (exit 65) where it is not what its name says,
    FileKindUnknown (64), ParquetNotInstalled (78).
    """

    def __init__(self, place: Path) -> None:
        """Name the file or the folder."""
        self._place = place

    def span(self, start_ms: int | None, end_ms: int | None) -> Mapping[Partition, tuple[int, int]]:
        """All rows; a file knows no times, so both bounds must be None, else ValueError."""
        require_unbounded(start_ms, end_ms)
        return {
            Partition(name, 0): (0, count_of(path)) for name, path in _named(self._place).items()
        }

    def read(self, span: Mapping[Partition, tuple[int, int]]) -> Iterator[Sequence[RawRecord]]:
        """The rows in the span, in chunks."""
        for name, path in _named(self._place).items():
            start, end = span.get(Partition(name, 0), (0, 0))
            if start >= end:
                continue
            with closing(_chunks(name, path)) as chunks:
                for chunk in chunks:
                    kept = [record for record in chunk if start <= record.offset < end]
                    if kept:
                        yield kept
                    if chunk[-1].offset >= end - 1:
                        break

    def close(self) -> None:
        """Nothing stays open between calls."""


def read_files(place: Path) -> Iterator[list[RawRecord]]:
    """All records of a file or a folder, in chunks, read once; raises what FilesHistory does."""
    for name, path in _named(place).items():
        yield from _chunks(name, path)


def _chunks(name: str, path: Path) -> Generator[list[RawRecord], None, None]:
    offset = 0
    for values in values_of(path):
        yield as_records(name, offset, values)
        offset += len(values)


def _named(place: Path) -> dict[str, Path]:
    """The files by name; those of a folder with the way from there."""
    if not place.is_dir():
        return {path.name: path for path in files_in(place)}
    return {path.relative_to(place).as_posix(): path for path in files_in(place)}
