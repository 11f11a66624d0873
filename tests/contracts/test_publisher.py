"""The promises of Publisher, and what a record keeps on its way through a log."""

from __future__ import annotations

import pytest

from tests.contracts.stands import WAIT_S, Stand, new_name, values
from worker.ports import OutputTooLarge, Publisher, Retryable
from worker.records import Output, RawRecord

STAMP_MS = 1_700_000_000_123


def _sent(stand: Stand, output: Output) -> RawRecord:
    publisher = stand.publisher()
    publisher.publish([output])
    publisher.flush(WAIT_S)
    (record,) = stand.member(output.topic, new_name()).consume(1)
    return record


def test_key_value_timestamp_and_headers_survive(stand: Stand) -> None:
    headers = [("h", b"\xff\x00"), ("h", b"again"), ("empty", b""), ("näme", b"1")]
    topic = stand.topic()
    record = _sent(stand, Output(topic, b"\x00\xfe", b"\x80 value", headers, STAMP_MS))
    assert (topic, 0, 0) == (record.topic, record.partition, record.offset)
    assert (record.key, record.value, record.timestamp) == (b"\x00\xfe", b"\x80 value", STAMP_MS)
    assert headers == list(record.headers)


def test_a_tombstone_stays_one(stand: Stand) -> None:
    assert _sent(stand, Output(stand.topic(), b"key", None)).value is None


def test_an_empty_value_is_no_tombstone(stand: Stand) -> None:
    assert _sent(stand, Output(stand.topic(), b"key", b"")).value == b""


def test_a_record_without_a_key_has_none(stand: Stand) -> None:
    assert _sent(stand, Output(stand.topic(), None, b"value")).key is None


def test_records_of_one_key_share_a_partition_and_keep_their_order(stand: Stand) -> None:
    topic = stand.topic(4)
    publisher = stand.publisher()
    sent = [f"{key}{n}" for n in range(20) for key in "abcdef"]
    publisher.publish([Output(topic, value[0].encode(), value.encode()) for value in sent])
    publisher.flush(WAIT_S)
    records = stand.member(topic, new_name()).consume(len(sent))
    for key in "abcdef":
        of_key = [record for record in records if record.key == key.encode()]
        assert [f"{key}{n}" for n in range(20)] == values(of_key)
        assert len({record.partition for record in of_key}) == 1


def test_a_flush_with_nothing_queued_returns(stand: Stand) -> None:
    stand.publisher().flush(0.0)


def test_a_missing_topic_is_retryable_and_what_was_queued_is_forgotten(stand: Stand) -> None:
    publisher, topic = stand.publisher(), stand.topic()
    with pytest.raises(Retryable):
        _publish_and_flush(publisher, Output(new_name(), None, b"lost"))
    _publish_and_flush(publisher, Output(topic, None, b"kept"))
    assert values(stand.member(topic, new_name()).consume(1)) == ["kept"]


def test_too_large_is_said_of_the_place_since_the_last_flush(stand: Stand) -> None:
    publisher, topic = stand.publisher(), stand.topic()
    _publish_and_flush(publisher, Output(topic, None, b"before"))
    publisher.publish([Output(topic, None, b"first")])
    with pytest.raises(OutputTooLarge) as refused:
        _publish_and_flush(publisher, Output(topic, None, b"x" * (2 << 20)))
    assert refused.value.index == 1


def _publish_and_flush(publisher: Publisher, output: Output) -> None:
    publisher.publish([output])
    publisher.flush(WAIT_S)
