"""Records as bytes on the wire, sent as a foreign producer may: what no client of ours would write.

Header names of any bytes, headers without value, any timestamp, every codec.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from kafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from kafka.record.util import calc_crc32c

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT_S = 30.0
CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, gzip_encode),
    "snappy": (2, snappy_encode),
    "lz4": (3, lz4_encode),
    "zstd": (4, zstd_encode),
}


class Sent(NamedTuple):
    """A record to put on the wire; without a timestamp it has that of its sending."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    timestamp_ms: int | None = None
    codec: str = "none"


def send(address: str, topic: str, records: Sequence[Sent]) -> list[int]:
    """Put each record on partition 0 in a batch of its own; their offsets. The broker leads it."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        return [_produced(connection, topic, batch(record)) for record in records]


def batch(record: Sent) -> bytes:
    """A batch of format 2 with one record."""
    number, encode = CODECS[record.codec]
    stamp = int(time.time() * 1000) if record.timestamp_ms is None else record.timestamp_ms
    after_crc = struct.pack(">hiqqqhii", number, 0, stamp, stamp, -1, -1, -1, 1)
    after_crc += bytes(encode(_record(record)))
    after_length = struct.pack(">ibI", -1, 2, calc_crc32c(after_crc)) + after_crc
    return struct.pack(">qi", 0, len(after_length)) + after_length


def _record(record: Sent) -> bytes:
    headers = b"".join(_sized(name) + _sized(value) for name, value in record.headers)
    body = b"\0" + _varint(0) + _varint(0) + _sized(record.key) + _sized(record.value)
    body += _varint(len(record.headers)) + headers
    return _varint(len(body)) + body


def _sized(content: bytes | None) -> bytes:
    return _varint(-1) if content is None else _varint(len(content)) + content


def _varint(number: int) -> bytes:
    left = number << 1 if number >= 0 else (-number << 1) - 1
    found = bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


def _produced(connection: socket.socket, topic: str, records: bytes) -> int:
    """Send one Produce request of version 7; the offset that the broker gave."""
    name = topic.encode()
    head = struct.pack(">hhih", 0, 7, 1, -1)
    body = struct.pack(">hhiih", -1, -1, int(TIMEOUT_S * 1000), 1, len(name)) + name
    body += struct.pack(">iii", 1, 0, len(records)) + records
    connection.sendall(struct.pack(">i", len(head + body)) + head + body)
    (size,) = struct.unpack(">i", _received(connection, 4))
    answer = _received(connection, size)
    error, offset = struct.unpack_from(">hq", answer, 4 + 4 + 2 + len(name) + 4 + 4)
    if error:
        raise AssertionError(f"the broker refuses the record with error {error}")
    return int(offset)


def _received(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            raise AssertionError("the broker hung up")
        found += more
    return found
