"""The promises of RecordHistory: a stretch with two ends, whatever else happens to the log."""

from __future__ import annotations

import pytest

from tests.contracts.stands import WAIT_S, Stand, new_name, publish, values
from training.dataset import Bounds, read_stretch
from worker.ports import Unreachable
from worker.records import Output, Partition

TEN = [f"{n}" for n in range(10)]


def _read(stand: Stand, topic: str, span: dict[Partition, tuple[int, int]]) -> list[str]:
    return [value for chunk in stand.history(topic).read(span) for value in values(chunk)]


def _publish_at(stand: Stand, topic: str, stamps_ms: list[int]) -> None:
    publisher = stand.publisher()
    publisher.publish([Output(topic, None, f"{at}".encode(), (), at) for at in stamps_ms])
    publisher.flush(WAIT_S)


def test_the_whole_span_is_all_that_is_there(stand: Stand) -> None:
    topic = stand.topic(3)
    publish(stand, topic, TEN)
    span = stand.history(topic).span(None, None)
    assert {Partition(topic, n) for n in range(3)} == set(span)
    assert sum(end - first for first, end in span.values()) == 10
    assert sorted(_read(stand, topic, dict(span))) == TEN


def test_records_come_in_the_order_of_their_partition(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, TEN)
    assert _read(stand, topic, {Partition(topic, 0): (0, 10)}) == TEN


def test_a_span_ends_before_its_end_and_starts_at_its_start(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, TEN)
    assert TEN[3:7] == _read(stand, topic, {Partition(topic, 0): (3, 7)})


def test_an_empty_topic_and_an_empty_span_give_nothing(stand: Stand) -> None:
    topic = stand.topic(2)
    span = stand.history(topic).span(None, None)
    assert {Partition(topic, 0): (0, 0), Partition(topic, 1): (0, 0)} == span
    assert _read(stand, topic, dict(span)) == []


def test_reading_ends_while_a_producer_goes_on(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, TEN)
    history = stand.history(topic)
    read = []
    for chunk in history.read(history.span(None, None)):
        read += values(chunk)
        publish(stand, topic, ["later"])
    assert read == TEN


def test_reading_ends_on_a_gap_without_records(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, TEN)
    stand.gap(topic)
    span = stand.history(topic).span(None, None)
    assert {Partition(topic, 0): (0, 12)} == span
    assert _read(stand, topic, dict(span)) == TEN


def test_a_span_by_time_takes_its_start_in_and_leaves_its_end_out(stand: Stand) -> None:
    topic = stand.topic()
    _publish_at(stand, topic, [1000, 2000, 3000, 4000])
    history = stand.history(topic)
    partition = Partition(topic, 0)
    assert {partition: (1, 3)} == history.span(2000, 4000)
    assert {partition: (2, 4)} == history.span(2001, None)
    assert {partition: (0, 1)} == history.span(None, 2000)


def test_the_last_stretch_is_found_back_from_the_newest_record_before_a_gap(stand: Stand) -> None:
    topic = stand.topic()
    _publish_at(stand, topic, [1000, 2000, 3000, 4000])
    stand.gap(topic)
    bounds = Bounds(last_ms=1500)
    stretch = read_stretch(stand.history(topic), bounds, 100, lambda value: value)
    assert values(stretch.records) == ["3000", "4000"]


def test_a_time_after_the_last_record_is_the_end(stand: Stand) -> None:
    topic = stand.topic()
    _publish_at(stand, topic, [1000, 2000])
    history = stand.history(topic)
    assert {Partition(topic, 0): (2, 2)} == history.span(5000, None)
    assert {Partition(topic, 0): (0, 2)} == history.span(None, 5000)


def test_what_retention_took_since_is_left_out(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, TEN)
    stand.delete_before(Partition(topic, 0), 4)
    assert TEN[4:8] == _read(stand, topic, {Partition(topic, 0): (0, 8)})


def test_an_end_that_the_log_does_not_reach_is_its_own_end(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, TEN)
    assert _read(stand, topic, {Partition(topic, 0): (0, 1000)}) == TEN


def test_a_reading_given_up_does_not_disturb_the_next(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, TEN)
    history = stand.history(topic)
    span = history.span(None, None)
    next(iter(history.read(span)))
    assert [value for chunk in history.read(span) for value in values(chunk)] == TEN


def test_a_topic_that_is_not_there_is_unreachable(stand: Stand) -> None:
    history = stand.history(new_name())
    with pytest.raises(Unreachable):
        history.span(None, None)
