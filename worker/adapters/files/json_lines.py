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
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(stream: BinaryIO, name: str) -> Iterator[list[RawRecord]]:
    """The records of an open stream, in chunks, under `name` as their topic."""
    offset = 0
    for values in line_values(stream, name):
        yield as_records(name, offset, values)
        offset += len(values)


def line_values(stream: BinaryIO, name: str) -> Iterator[list[bytes]]:
    """The lines of an open stream, in chunks. Raises Unreadable for one that is a JSON array."""
    chunk = _first(stream, name)
    rest = b""
    while chunk:
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line.removesuffix(b"\r") for line in lines]
        chunk = _read(stream)
    if rest:
        yield [rest.removesuffix(b"\r")]


def line_count(stream: BinaryIO, name: str) -> int:
    """How many values line_values gives; raises what that does."""
    return sum(len(values) for values in line_values(stream, name))


def _first(stream: BinaryIO, name: str) -> bytes:
    """The first chunk, less what a text editor may have put before it."""
    chunk = _read(stream).removeprefix(BYTE_ORDER_MARK)
    if ".json" in Path(name).suffixes and chunk.lstrip()[:1] == b"[":
        raise Unreadable(
            f"{name} is one JSON array, not a record a line: jq -c '.[]' {name} > records.jsonl"
        )
    return chunk


def _read(stream: BinaryIO) -> bytes:
    read1 = getattr(stream, "read1", stream.read)
    chunk: bytes = read1(CHUNK_BYTES)
    return chunk
