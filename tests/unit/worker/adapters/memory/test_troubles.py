"""The troubles that the in-memory broker makes to order, and what survives them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from worker.adapters.memory import (
    MemoryBroker,
    MemoryDelivery,
    MemoryPublisher,
    MemoryRecordHistory,
    MemoryRecordLog,
)
from worker.ports import MembershipLost, Retryable, Unreachable
from worker.records import Output, Partition, RawBatch

ONE = [Output("out", None, b"1")]


@dataclass
class Events:
    told: list[tuple[str, int]] = field(default_factory=list)

    def rebalanced(self, kind: str, partitions: int) -> None:
        self.told.append((kind, partitions))

    def offset_reset(self, partition: Partition) -> None:
        self.told.append(("reset", partition.partition))


@dataclass
class Desk:
    """A broker with records on `in`, and one member reading them."""

    broker: MemoryBroker = field(default_factory=lambda: MemoryBroker({"in": 1, "out": 1}))
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.broker.send([Output("in", None, value.encode()) for value in "abc"])
        self.log = MemoryRecordLog(self.broker, "in", "group", "beginning", self.events)
        self.delivery = MemoryDelivery(self.broker, self.log)

    def batch(self) -> RawBatch:
        batch = self.log.poll(10, 0)
        return batch if batch.records else self.log.poll(10, 0)

    def deliver(self, batch: RawBatch) -> None:
        self.delivery.deliver(ONE, batch.positions, batch.membership)

    def state(self) -> tuple[int, int]:
        """How many outputs are written, and the committed position."""
        return (
            len(self.broker.records("out")),
            self.broker.group("group").committed[Partition("in", 0)],
        )


def test_a_send_may_fail_before_it_writes() -> None:
    desk = Desk()
    desk.broker.fail_next_send(written=False)
    with pytest.raises(Retryable):
        desk.deliver(desk.batch())
    assert desk.state() == (0, 0)


def test_a_send_may_fail_after_it_wrote() -> None:
    desk = Desk()
    desk.broker.fail_next_send(written=True)
    with pytest.raises(Retryable):
        desk.deliver(desk.batch())
    assert desk.state() == (1, 0)


def test_a_commit_may_fail_before_it_is_stored() -> None:
    desk = Desk()
    batch = desk.batch()
    desk.broker.fail_next_commit(stored=False)
    with pytest.raises(Retryable):
        desk.deliver(batch)
    assert desk.state() == (1, 0)


def test_a_commit_may_fail_after_it_was_stored() -> None:
    desk = Desk()
    batch = desk.batch()
    desk.broker.fail_next_commit(stored=True)
    with pytest.raises(Retryable):
        desk.deliver(batch)
    assert desk.state() == (1, 3)


def test_a_trouble_happens_once() -> None:
    desk = Desk()
    batch = desk.batch()
    desk.broker.fail_next_send(written=False)
    with pytest.raises(Retryable):
        desk.deliver(batch)
    desk.deliver(batch)
    assert desk.state() == (1, 3)


def test_an_empty_send_does_not_use_a_trouble_up() -> None:
    desk = Desk()
    desk.broker.fail_next_send(written=False)
    desk.broker.send([])
    with pytest.raises(Retryable):
        desk.broker.send(ONE)


def test_a_rebalance_makes_what_was_polled_stale() -> None:
    desk = Desk()
    batch = desk.batch()
    desk.broker.rebalance("group")
    with pytest.raises(MembershipLost):
        desk.deliver(batch)
    assert desk.state() == (0, 0)
    assert len(desk.batch().records) == 3
    assert desk.events.told == [("assigned", 1), ("revoked", 0), ("assigned", 1)]


def test_a_lost_membership_is_noticed_by_delivery_and_mended_by_polling() -> None:
    desk = Desk()
    batch = desk.batch()
    desk.log.lose_membership()
    with pytest.raises(MembershipLost):
        desk.deliver(batch)
    assert len(desk.batch().records) == 3
    assert desk.events.told == [("assigned", 1), ("lost", 0), ("assigned", 1)]


def test_out_of_reach_everything_says_so_and_goes_on_afterwards() -> None:
    desk = Desk()
    batch = desk.batch()
    desk.broker.reachable = False
    with pytest.raises(Retryable):
        desk.log.poll(10, 0)
    with pytest.raises(Retryable):
        desk.deliver(batch)
    with pytest.raises(Unreachable):
        MemoryRecordHistory(desk.broker, "in").span(None, None)
    desk.broker.reachable = True
    desk.deliver(batch)
    assert desk.state() == (1, 3)


def test_a_publisher_forgets_what_was_not_flushed() -> None:
    desk = Desk()
    publisher = MemoryPublisher(desk.broker)
    publisher.publish(ONE)
    publisher.close()
    publisher.flush(0)
    assert desk.broker.records("out") == []


def test_retention_under_a_running_member_is_told() -> None:
    desk = Desk()
    desk.log.poll(1, 0)
    desk.broker.delete_before(Partition("in", 0), 2)
    assert [record.value for record in desk.log.poll(10, 0).records] == [b"c"]
    assert desk.events.told == [("assigned", 1), ("reset", 0)]


def test_a_waiting_poll_wakes_up_for_a_record() -> None:
    desk = Desk()
    desk.deliver(desk.batch())
    sender = threading.Timer(0.01, desk.broker.send, [[Output("in", None, b"d")]])
    sender.start()
    assert [record.value for record in desk.log.poll(10, 30).records] == [b"d"]
    sender.join()


def test_records_without_a_key_go_round_the_partitions() -> None:
    broker = MemoryBroker({"topic": 3})
    broker.send([Output("topic", None, b"x")] * 6)
    assert [record.partition for record in broker.records("topic")] == [0, 0, 1, 1, 2, 2]


def test_shares_are_ranges_and_the_first_members_hold_one_more() -> None:
    broker = MemoryBroker({"topic": 5})
    group, partitions = broker.group("group"), broker.partitions("topic")
    for member in ("a", "b", "c"):
        group.join(member)
    shares = [[p.partition for p in group.range_of(m, partitions)] for m in ("a", "b", "c")]
    assert shares == [[0, 1], [2, 3], [4]]


def test_more_members_than_partitions_leaves_some_without() -> None:
    broker = MemoryBroker({"topic": 1})
    group = broker.group("group")
    group.join("a")
    group.join("b")
    assert group.range_of("b", broker.partitions("topic")) == []
