"""Records whose header names are no UTF-8 can be read, and no others are touched."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from kafka.record import MemoryRecords

from tests.wire import CODECS, Sent, batch
from worker.adapters.kafka import header_names

if TYPE_CHECKING:
    from kafka.record.default_records import DefaultRecord


@pytest.fixture(autouse=True)
def _tolerant() -> None:
    header_names.tolerate()


def parsed(sent: Sent) -> DefaultRecord:
    """As the consumer reads it."""
    (found,) = MemoryRecords(batch(sent)).next_batch()
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_each_byte_that_is_no_utf_8_reads_as_a_question_mark(codec: str) -> None:
    headers = [(b"\xffone\xc3", b"1"), ("é".encode(), None), (b"\xfe\xfe", b"\xff"), (b"", b"")]
    found = parsed(Sent(b"{}", b"key", headers, 1_767_225_600_123, codec))
    assert found.headers == [("?one?", b"1"), ("é", None), ("??", b"\xff"), ("", b"")]
    assert (found.key, found.value, found.timestamp) == (b"key", b"{}", 1_767_225_600_123)


def test_a_tombstone_without_key_is_read_too() -> None:
    found = parsed(Sent(None, None, [(b"\xed\xa0\x80", b"1")]))
    assert (found.key, found.value, found.headers) == (None, None, [("???", b"1")])


def test_a_name_of_a_megabyte_takes_no_time() -> None:
    began = time.monotonic()
    found = parsed(Sent(b"{}", None, [(b"\xff" * 1_000_000, b"1")]))
    assert found.headers == [("?" * 1_000_000, b"1")]
    assert time.monotonic() - began < 5


def test_the_client_still_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this fails the client has learnt it, and the module can go."""
    monkeypatch.setattr(
        "kafka.record.default_records.DefaultRecordBatch._read_msg", header_names._parse
    )
    with pytest.raises(Exception, match="UnicodeDecodeError"):
        parsed(Sent(b"{}", None, [(b"\xff", b"1")]))
