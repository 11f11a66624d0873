"""Parquet: every row is a record with the columns' names as its keys; a null is absent.

Needs pyarrow, an extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from worker.adapters.files.arrow import json_values
from worker.ports import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS_AT_ONCE = 4096
DAMAGED: Final = (pa.ArrowException, EOFError, UnicodeDecodeError)

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def parquet_values(path: Path) -> Iterator[list[bytes]]:
    """The rows as JSON records, in chunks; one row group after the other is read.

    Raises OSError where the file cannot be opened, Unreadable where it is no Parquet.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
                yield _records(batch)
    except DAMAGED as error:
        raise _unreadable(path, error) from error


def parquet_rows(path: Path) -> int:
    """How many rows there are; only the file's end is read. Raises as parquet_values does."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except DAMAGED as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> Unreadable:
    return Unreadable(f"{path} is no Parquet file, or a damaged one: {error}")


def _records(batch: Any) -> list[bytes]:  # noqa: ANN401 - pyarrow ships no types
    names = batch.schema.names
    columns = [_members(name, column) for name, column in zip(names, batch.columns, strict=True)]
    if not columns:
        return [b"{}"] * batch.num_rows
    return [b"{" + b",".join(filter(None, row)) + b"}" for row in zip(*columns, strict=True)]


def _members(name: str, column: Any) -> list[bytes]:  # noqa: ANN401
    """What a column adds to each record: name and value, or nothing."""
    key = _encode(name) + b":"
    return [b"" if value is None else key + _encode(value) for value in json_values(column)]
