"""Lets the client read records whose header names are no UTF-8, as other clients may write them.

Its parser takes such a record for a broken log; one would stop every worker for good. Touches
private parts of kafka-python, as private.py does, and is held against them by a test.
"""

# ruff: noqa: SLF001 - private access is what this module is for

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint

if TYPE_CHECKING:
    from kafka.record.default_records import DefaultRecord

_parse = DefaultRecordBatch._read_msg
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_BEFORE_KEY = 4
"""Numbers that stand before the key: length, attributes, time and offset."""


def tolerate() -> None:
    """From now on each byte of a name that is none of UTF-8 reads as `?`, in every consumer."""
    DefaultRecordBatch._read_msg = _read


def _read(batch: DefaultRecordBatch) -> DefaultRecord:
    try:
        return _parse(batch)
    except UnicodeDecodeError:
        _mend_names(batch)
        return _parse(batch)


def _mend_names(batch: DefaultRecordBatch) -> None:
    """Write readable names over those of the next record; each stays as long as it is."""
    buffer, at = bytearray(batch._buffer), batch._pos
    for _ in range(_BEFORE_KEY):
        _, at = decode_varint(buffer, at)
    for _ in ("key", "value"):
        at = _after(buffer, at)
    count, at = decode_varint(buffer, at)
    for _ in range(count):
        end = _after(buffer, at)
        _, at = decode_varint(buffer, at)
        buffer[at:end] = _readable(bytes(buffer[at:end]))
        at = _after(buffer, end)
    batch._buffer = buffer


def _after(buffer: bytearray, at: int) -> int:
    """Where the bytes end whose length stands at a place; those of null have no length."""
    length, at = decode_varint(buffer, at)
    return int(at + max(0, length))


def _readable(name: bytes) -> bytes:
    return _UNDECODABLE.sub("?", name.decode("utf-8", "surrogateescape")).encode()
