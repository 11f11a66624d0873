"""JSON lines: one value a line.

An empty line is a record without bytes, as it is on a topic; what follows the last newline counts
only where there is something.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from worker.adapters.files.values import as_records
from worker.ports import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from worker.records import RawRecord

CHUNK_BYTES = 1024 * 1024
"""Read at once; of a pipe only what is there, so that what comes slowly is not held back."""
LINE_BYTES_MAX = 64 * 1024 * 1024
"""A longer line is cut there, which no reader takes for a record."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(stream: BinaryIO, name: str) -> Iterator[list[RawRecord]]:
    """The records of an open stream, in chunks, under `name` as their topic."""
    offset = 0
    for values in line_values(stream, name):
        yield as_records(name, offset, values)
        offset += len(values)


def line_values(stream: BinaryIO, name: str) -> Iterator[list[bytes]]:
    """The lines of an open stream, in chunks; of a longer one than LINE_BYTES_MAX its beginning.

    Raises Unreadable for a file that is one JSON array.
    """
    chunk = _first(stream, name)
    begun = _BegunLine()
    while chunk:
        first, *others = chunk.split(b"\n")
        begun.add(first)
        if others:
            *whole, last = others
            yield [line.removesuffix(b"\r") for line in (begun.taken(), *whole)]
            begun.add(last)
        chunk = _read(stream)
    if begun:
        yield [begun.taken().removesuffix(b"\r")]


class _BegunLine:
    """A line of which the end has not been read yet, in the pieces that it came in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def __bool__(self) -> bool:
        return self._size > 0

    def add(self, piece: bytes) -> None:
        """The next piece; beyond LINE_BYTES_MAX it is let go."""
        kept = piece[: LINE_BYTES_MAX - self._size]
        if kept:
            self._pieces.append(kept)
            self._size += len(kept)

    def taken(self) -> bytes:
        """The line; the next one begins."""
        line = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return line


def line_count(stream: BinaryIO, name: str) -> int:
    """How many values line_values gives; raises what that does."""
    return sum(len(values) for values in line_values(stream, name))


def _first(stream: BinaryIO, name: str) -> bytes:
    """The first chunk, less what a text editor may have put before it."""
    chunk = _read(stream).removeprefix(BYTE_ORDER_MARK)
    if ".json" in Path(name).suffixes and _is_one_array(chunk):
        raise Unreadable(
            f"{name} is one JSON array, not a record a line: jq -c '.[]' {name} > records.jsonl"
        )
    return chunk


def _is_one_array(chunk: bytes) -> bool:
    """Whether a file begins as one JSON array over all of it, and not as an array a line."""
    line, _, next_line = chunk.lstrip().partition(b"\n")
    is_whole = line.rstrip().endswith(b"]") and next_line.lstrip().startswith(b"[")
    return line.startswith(b"[") and not is_whole


def _read(stream: BinaryIO) -> bytes:
    read1 = getattr(stream, "read1", stream.read)
    chunk: bytes = read1(CHUNK_BYTES)
    return chunk
