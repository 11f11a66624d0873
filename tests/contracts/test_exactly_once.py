"""What delivering exactly once promises beyond Delivery: all of a batch is seen once, or none."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from tests.contracts.stands import TIMINGS, WAIT_S, Events, Member, new_name, publish, values
from tests.waiting import wait_until
from worker.adapters.kafka import KafkaExactlyOnce, KafkaRecordLog
from worker.adapters.kafka.client import abandon, open_producer
from worker.ports import Fenced, MembershipLost, OutputTooLarge, Retryable
from worker.records import Output

if TYPE_CHECKING:
    from tests.contracts.stands import KafkaStand, Stand
    from worker.records import Membership

SOON_S = 30.0
"""Well below the time after which the broker itself ends a transaction."""


@pytest.fixture
def exactly_once() -> bool:
    return True


def test_what_a_failed_delivery_wrote_is_never_seen(stand: Stand) -> None:
    topic, out, missing = stand.topic(), stand.topic(), new_name()
    publish(stand, topic, "ab")
    member = stand.member(topic, new_name())
    outputs = [Output(out, None, b"1"), Output(missing, None, b"2")]
    with pytest.raises(Retryable):
        member.deliver(member.batch(), outputs)
    stand.create(missing)
    member.log.rewind()
    member.deliver(member.batch(), outputs)
    publish(stand, out, ["last"])
    assert values(stand.member(out, new_name()).consume(2)) == ["1", "last"]


def test_after_an_output_too_large_only_the_second_try_is_seen(stand: Stand) -> None:
    topic, out = stand.topic(), stand.topic()
    publish(stand, topic, "a")
    member = stand.member(topic, new_name())
    batch = member.batch()
    with pytest.raises(OutputTooLarge):
        member.deliver(batch, [Output(out, None, b"1"), Output(out, None, b"x" * (2 << 20))])
    member.deliver(batch, [Output(out, None, b"1"), Output(out, None, b"cut")])
    publish(stand, out, ["last"])
    assert values(stand.member(out, new_name()).consume(3)) == ["1", "cut", "last"]


def test_a_batch_lost_to_another_member_leaves_nothing(stand: Stand) -> None:
    topic, out, group = stand.topic(), stand.topic(), new_name()
    publish(stand, topic, "ab")
    member = stand.member(topic, group)
    batch = member.batch()
    stand.expel(member)
    other = stand.member(topic, group)
    other.deliver(other.batch(), [Output(out, None, b"theirs")])
    with pytest.raises(MembershipLost):
        member.deliver(batch, [Output(out, None, b"ours")])
    publish(stand, out, ["last"])
    assert values(stand.member(out, new_name()).consume(2)) == ["theirs", "last"]


# --- on a real broker alone


@pytest.mark.kafka
def test_the_broker_itself_refuses_a_member_that_has_left(
    kafka_stand: KafkaStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the membership of the poll; one that is taken later names nobody and is accepted."""
    topic, out, group = kafka_stand.topic(), kafka_stand.topic(), new_name()
    publish(kafka_stand, topic, "ab")
    member = kafka_stand.member(topic, group)
    batch = member.batch()
    kafka_stand.expel(member)
    publish(kafka_stand, topic, "c")
    other = kafka_stand.member(topic, group)
    other.consume(3)
    assert isinstance(member.log, KafkaRecordLog)

    def anybody(_membership: Membership | None) -> None:
        """As though the member left only after it was looked at."""

    monkeypatch.setattr(member.log, "require", anybody)
    with pytest.raises(MembershipLost):
        member.deliver(batch, [Output(out, None, b"ours")])
    assert _committed(kafka_stand, group, topic) == 3
    member.delivery.close()  # which ends what is open, or nobody could read on
    publish(kafka_stand, out, ["last"])
    assert values(kafka_stand.member(out, new_name()).consume(1)) == ["last"]


@pytest.mark.kafka
def test_what_a_dead_worker_left_open_is_ended_by_the_next_of_its_name(
    kafka_stand: KafkaStand,
) -> None:
    """At once: before it asks what is committed, which the open transaction would hold up."""
    topic, out, group, name = kafka_stand.topic(), kafka_stand.topic(), new_name(), new_name()
    publish(kafka_stand, topic, "ab")
    first = _member(kafka_stand, topic, group, name)
    batch = first.batch()
    assert batch.membership is not None
    producer = open_producer(kafka_stand.connection, TIMINGS, 1 << 20, None, name)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(out, b"never to be seen").get(WAIT_S)
    producer.send_offsets_to_transaction(
        {TopicPartition(topic, 0): OffsetAndMetadata(2, "", -1)}, batch.membership.detail
    )
    first.log.close()

    began = time.monotonic()
    second = _member(kafka_stand, topic, group, name)
    again = second.batch()
    assert values(again.records) == ["a", "b"]
    second.deliver(again, [Output(out, None, b"seen")])
    assert values(kafka_stand.member(out, new_name()).consume(1)) == ["seen"]
    assert time.monotonic() - began < SOON_S
    abandon(producer, TIMINGS.close_s)


@pytest.mark.kafka
def test_of_two_workers_of_one_name_the_older_is_told_to_end(kafka_stand: KafkaStand) -> None:
    topic, name = kafka_stand.topic(2), new_name()
    publish(kafka_stand, topic, "ab")
    older = _member(kafka_stand, topic, new_name(), name)
    batch = older.batch()
    younger = _member(kafka_stand, topic, new_name(), name)
    younger.deliver(younger.batch())
    with pytest.raises(Fenced, match=f"another worker runs as {name}"):
        older.deliver(batch)


@pytest.mark.kafka
def test_fenced_because_our_own_time_ran_out_is_tried_again(kafka_stand: KafkaStand) -> None:
    """The broker's word for both is the same; only the time that has passed tells them apart."""
    topic, group, name = kafka_stand.topic(), new_name(), new_name()
    publish(kafka_stand, topic, "ab")
    short = type(TIMINGS)(transaction_s=0.001)
    log = KafkaRecordLog(kafka_stand.connection, TIMINGS, topic, group, "beginning", Events())
    delivery = KafkaExactlyOnce(kafka_stand.connection, TIMINGS, log, name)
    member = Member(log, delivery, Events())
    batch = member.batch()
    younger = open_producer(kafka_stand.connection, TIMINGS, 1 << 20, None, name)
    younger.init_transactions()
    abandon(younger, TIMINGS.close_s)
    delivery._timings = short
    with pytest.raises(Retryable, match="out of time"):
        member.deliver(batch)
    delivery._timings = TIMINGS
    member.log.rewind()
    member.deliver(member.batch())
    member.close()


@pytest.mark.kafka
def test_a_member_with_a_name_comes_back_without_a_new_generation(kafka_stand: KafkaStand) -> None:
    topic, group = kafka_stand.topic(), new_name()
    publish(kafka_stand, topic, "a")
    generations = []
    for _ in range(2):
        connection = type(kafka_stand.connection)(
            kafka_stand.connection.bootstrap_servers, "contract", instance="slot-0"
        )
        log = KafkaRecordLog(connection, TIMINGS, topic, group, "beginning", Events())
        batch = Member(log, kafka_stand.delivery(log, new_name()), Events()).batch()
        assert batch.membership is not None
        generations.append(batch.membership.generation)
        log.close()
    assert generations == [1, 1]


@pytest.mark.kafka
def test_of_two_members_of_one_name_the_older_is_fenced(kafka_stand: KafkaStand) -> None:
    topic, group = kafka_stand.topic(), new_name()
    publish(kafka_stand, topic, "a")
    connection = type(kafka_stand.connection)(
        kafka_stand.connection.bootstrap_servers, "contract", instance="slot-0"
    )
    logs = [
        KafkaRecordLog(connection, TIMINGS, topic, group, "beginning", Events()) for _ in range(2)
    ]
    older, younger = (Member(log, kafka_stand.delivery(log, new_name()), Events()) for log in logs)
    batch = older.batch()
    younger.batch()
    with pytest.raises(Fenced):
        older.deliver(batch)
    older.close()
    younger.close()


@pytest.mark.kafka
def test_nothing_of_a_delivery_is_left_running(kafka_stand: KafkaStand) -> None:
    topic = kafka_stand.topic()
    publish(kafka_stand, topic, "ab")
    member = kafka_stand.member(topic, new_name())
    member.deliver(member.batch())
    member.delivery.close()
    wait_until(lambda: "kafka-bounded" not in _threads(), what="no call of the client goes on")
    assert "kafka-producer" not in " ".join(_threads())


def _member(stand: KafkaStand, topic: str, group: str, name: str) -> Member:
    log = KafkaRecordLog(stand.connection, TIMINGS, topic, group, "beginning", Events())
    return Member(log, stand.delivery(log, name), Events())


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def _committed(stand: KafkaStand, group: str, topic: str) -> int | None:
    consumer = KafkaConsumer(bootstrap_servers=stand.connection.bootstrap_servers, group_id=group)
    try:
        found: int | None = consumer.committed(TopicPartition(topic, 0), timeout_ms=10_000)
        return found
    finally:
        consumer.close(autocommit=False)
