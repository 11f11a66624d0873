"""What the Kafka adapter promises beyond its ports, on a real broker."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import LogTruncationError
from kafka.record.default_records import DefaultRecordBatch

from tests.contracts.stands import TIMINGS, WAIT_S, Events, Member, new_name, publish, values
from tests.waiting import wait_until
from worker.adapters.kafka import (
    KafkaAtLeastOnce,
    KafkaConnection,
    KafkaPublisher,
    KafkaRecordLog,
    header_names,
    private,
    topic_state,
)
from worker.ports import MembershipLost, OutputTooLarge, Unreadable
from worker.records import Output, Partition, Position

if TYPE_CHECKING:
    from tests.contracts.stands import KafkaStand
    from tests.topics import TopicFactory
    from worker.records import Membership

pytestmark = pytest.mark.kafka

HOUR_MS = 3_600_000


class _NotUtf8(str):
    """A header's name that is encoded to bytes which nobody can decode, as a broken client does."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002
        return b"\xff\xfe"


def _publish_unreadable(stand: KafkaStand, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=stand.connection.bootstrap_servers)
    producer.send(topic, b"bad", headers=[(_NotUtf8("name"), b"")])
    producer.flush()
    producer.close()


def test_topic_state_counts_partitions_and_misses_what_is_not_there(
    kafka_stand: KafkaStand,
) -> None:
    topic, missing = kafka_stand.topic(3), new_name()
    state = topic_state(kafka_stand.connection, [topic, missing], 10.0)
    assert state == {topic: 3, missing: None}


def test_topic_state_creates_nothing_and_leaves_no_thread(kafka_stand: KafkaStand) -> None:
    before, missing = threading.active_count(), new_name()
    for _ in range(2):
        assert topic_state(kafka_stand.connection, [missing], 10.0) == {missing: None}
    wait_until(lambda: threading.active_count() <= before, what="no thread more than before")


@pytest.fixture
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client as it comes, for which some records cannot be read that now can be."""
    monkeypatch.setattr(header_names, "tolerate", lambda: None)
    monkeypatch.setattr(DefaultRecordBatch, "_read_msg", header_names._parse)


@pytest.mark.usefixtures("_strict")
def test_a_record_that_cannot_be_read_is_named_and_the_poll_never_spins(
    kafka_stand: KafkaStand,
) -> None:
    topic = kafka_stand.topic()
    publish(kafka_stand, topic, "ab")
    _publish_unreadable(kafka_stand, topic)
    member = kafka_stand.member(topic, new_name())
    member.consume(2)
    for _ in range(3):
        with pytest.raises(Unreadable, match=f"{topic}, partition 0, offset 2"):
            wait_until(lambda: member.poll().records, WAIT_S)


@pytest.mark.usefixtures("_strict")
def test_a_history_with_a_record_that_cannot_be_read_says_where(kafka_stand: KafkaStand) -> None:
    topic = kafka_stand.topic()
    _publish_unreadable(kafka_stand, topic)
    history = kafka_stand.history(topic)
    span = history.span(None, None)
    for _ in range(2):
        with pytest.raises(Unreadable, match=f"{topic}, partition 0, offset 0"):
            list(history.read(span))


def test_the_brokers_own_limit_names_the_output_too(
    kafka_stand: KafkaStand, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("small", 1, {"max.message.bytes": "4000"})
    large = random.Random(1).randbytes(20_000)
    publisher = kafka_stand.publisher()
    publisher.publish([Output(topic, None, value) for value in (b"a", b"b", large, b"c")])
    with pytest.raises(OutputTooLarge) as refused:
        publisher.flush(WAIT_S)
    assert refused.value.index == 2


def test_a_batch_too_large_of_records_that_are_not_is_split(
    kafka_stand: KafkaStand, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("small", 1, {"max.message.bytes": "4000"})
    numbers = random.Random(2)
    sent = [numbers.randbytes(300) for _ in range(100)]
    publisher = kafka_stand.publisher()
    publisher.publish([Output(topic, None, value) for value in sent])
    publisher.flush(WAIT_S)
    records = kafka_stand.member(topic, new_name()).consume(100)
    assert [record.value for record in records] == sent


@pytest.mark.parametrize("ahead_ms", [2 * HOUR_MS, 10_000 * HOUR_MS])
def test_a_timestamp_far_in_the_future_becomes_now_instead_of_being_refused(
    kafka_stand: KafkaStand, ahead_ms: int
) -> None:
    topic = kafka_stand.topic()
    now_ms = int(time.time() * 1000)
    publisher = kafka_stand.publisher()
    publisher.publish([Output(topic, None, b"value", (), now_ms + ahead_ms)])
    publisher.flush(WAIT_S)
    (record,) = kafka_stand.member(topic, new_name()).consume(1)
    assert abs(record.timestamp - now_ms) < HOUR_MS


def test_a_timestamp_that_is_none_becomes_now(kafka_stand: KafkaStand) -> None:
    topic = kafka_stand.topic()
    publisher = kafka_stand.publisher()
    publisher.publish([Output(topic, None, b"value", (), -1)])
    publisher.flush(WAIT_S)
    (record,) = kafka_stand.member(topic, new_name()).consume(1)
    assert abs(record.timestamp - time.time() * 1000) < HOUR_MS


def test_a_header_without_a_value_arrives_empty(kafka_stand: KafkaStand) -> None:
    topic = kafka_stand.topic()
    publisher = kafka_stand.publisher()
    publisher.publish([Output(topic, None, b"value", [("name", None)])])
    publisher.flush(WAIT_S)
    (record,) = kafka_stand.member(topic, new_name()).consume(1)
    assert list(record.headers) == [("name", b"")]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd", "snappy", "gzip"])
def test_every_compression_is_written_and_read(
    kafka_stand: KafkaStand, compression: str | None
) -> None:
    topic = kafka_stand.topic()
    publisher = KafkaPublisher(kafka_stand.connection, TIMINGS, compression=compression)
    publisher.publish([Output(topic, None, b"value" * 100)])
    publisher.flush(WAIT_S)
    publisher.close()
    assert values(kafka_stand.member(topic, new_name()).consume(1)) == ["value" * 100]


def test_only_committed_transactions_are_read(kafka_stand: KafkaStand) -> None:
    topic = kafka_stand.topic()
    kafka_stand.gap(topic)
    publish(kafka_stand, topic, ["seen"])
    history = kafka_stand.history(topic)
    chunks = history.read(history.span(None, None))
    assert [value for chunk in chunks for value in values(chunk)] == ["seen"]
    assert values(kafka_stand.member(topic, new_name()).consume(1)) == ["seen"]


def test_a_member_whose_poll_comes_too_late_cannot_commit(kafka_stand: KafkaStand) -> None:
    topic, group = kafka_stand.topic(), new_name()
    publish(kafka_stand, topic, "ab")
    hasty = type(TIMINGS)(session_s=6.0, heartbeat_s=0.2, poll_interval_max_s=1.0)
    log = KafkaRecordLog(kafka_stand.connection, hasty, topic, group, "beginning", Events())
    late = Member(log, KafkaAtLeastOnce(kafka_stand.publisher(), log, hasty), Events())
    batch = late.batch()
    wait_until(lambda: _left(log, batch.membership), WAIT_S, "the client left the group by itself")
    with pytest.raises(MembershipLost):
        late.deliver(batch)
    assert _committed(kafka_stand.connection, group, topic) == 0
    assert values(late.consume(2)) == ["a", "b"]
    late.close()


def test_what_was_polled_while_the_client_left_the_group_is_dropped(
    kafka_stand: KafkaStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = kafka_stand.topic()
    publish(kafka_stand, topic, "ab")
    member = kafka_stand.member(topic, new_name())
    member.join()
    assert isinstance(member.log, KafkaRecordLog)
    poll = member.log._consumer.poll
    found: list[int] = []

    def poll_and_leave(**options: object) -> dict[TopicPartition, list[object]]:
        fetched: dict[TopicPartition, list[object]] = poll(**options)
        if fetched:
            kafka_stand.expel(member)
            found.append(sum(len(records) for records in fetched.values()))
        return fetched

    with monkeypatch.context() as patch:
        patch.setattr(member.log._consumer, "poll", poll_and_leave)
        batches = [member.poll() for _ in range(3) if not found]
    assert found == [2]
    assert [(len(b.records), b.membership) for b in batches][-1] == (0, None)
    assert values(member.consume(2)) == ["a", "b"]


def test_a_commit_is_refused_to_an_older_generation(kafka_stand: KafkaStand) -> None:
    topic, group = kafka_stand.topic(), new_name()
    publish(kafka_stand, topic, "ab")
    member = kafka_stand.member(topic, group)
    old = member.batch()
    kafka_stand.expel(member)
    member.batch()
    assert isinstance(member.log, KafkaRecordLog)
    with pytest.raises(MembershipLost):
        member.log.commit(old.positions, old.membership, 3.0)
    assert _committed(kafka_stand.connection, group, topic) == 0


@pytest.mark.parametrize(
    ("cut_at", "expected"), [(OffsetAndMetadata(1, "", -1), ["b", "c"]), (None, ["a", "b", "c"])]
)
def test_a_log_cut_below_the_committed_position_is_read_again_from_the_cut(
    kafka_stand: KafkaStand,
    monkeypatch: pytest.MonkeyPatch,
    cut_at: OffsetAndMetadata | None,
    expected: list[str],
) -> None:
    topic = kafka_stand.topic()
    publish(kafka_stand, topic, "abc")
    member = kafka_stand.member(topic, new_name())
    member.consume(3)
    assert isinstance(member.log, KafkaRecordLog)

    def cut(**_: object) -> None:
        raise LogTruncationError({TopicPartition(topic, 0): cut_at})

    # What the client raises after an unclean election, which one broker cannot be brought to.
    with monkeypatch.context() as patch:
        patch.setattr(member.log._consumer, "poll", cut)
        assert member.poll().records == ()
    assert values(member.consume(len(expected))) == expected
    assert member.events.resets == [Partition(topic, 0)]


def test_the_group_goes_on_at_once_when_a_member_closes(kafka_stand: KafkaStand) -> None:
    topic, group = kafka_stand.topic(), new_name()
    first = kafka_stand.member(topic, group)
    first.join()
    first.close()
    began = time.monotonic()
    kafka_stand.member(topic, group).join()
    assert time.monotonic() - began < TIMINGS.session_s


def test_a_first_member_is_given_its_partitions_in_the_first_generation(
    kafka_stand: KafkaStand,
) -> None:
    topic = kafka_stand.topic(2)
    publish(kafka_stand, topic, "a")
    batch = kafka_stand.member(topic, new_name()).batch()
    assert batch.membership is not None
    assert batch.membership.generation == 1


def test_a_partition_that_is_added_is_read_from_its_beginning(kafka_stand: KafkaStand) -> None:
    """Whoever starts at the end would miss what is written before it is noticed."""
    topic = kafka_stand.topic()
    member = kafka_stand.member(topic, new_name(), "end")
    member.join()
    kafka_stand.add_partition(topic)
    assert isinstance(member.log, KafkaRecordLog)
    private.learn_topics(member.log._consumer, WAIT_S)  # by itself it would ask every 30 s
    assert values(member.consume(1)) == ["before anybody knew"]


def test_positions_of_a_partition_are_committed_as_they_are_given(
    kafka_stand: KafkaStand,
) -> None:
    topic, group = kafka_stand.topic(), new_name()
    publish(kafka_stand, topic, "abc")
    member = kafka_stand.member(topic, group)
    batch = member.batch()
    member.delivery.deliver([], [Position(topic, 0, 2)], batch.membership)
    assert _committed(kafka_stand.connection, group, topic) == 2


def _left(log: KafkaRecordLog, membership: Membership | None) -> bool:
    try:
        log.require(membership)
    except MembershipLost:
        return True
    return False


def _committed(connection: KafkaConnection, group: str, topic: str) -> int | None:
    """The group's position in partition 0, as somebody else sees it."""
    consumer = KafkaConsumer(
        bootstrap_servers=connection.bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    try:
        offset: int | None = consumer.committed(TopicPartition(topic, 0), timeout_ms=10_000)
        return offset
    finally:
        consumer.close()
