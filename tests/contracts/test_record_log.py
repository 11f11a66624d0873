"""The promises of RecordLog, with a Delivery beside it that commits."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tests.contracts.stands import WAIT_S, Member, Stand, new_name, publish, values
from tests.waiting import wait_until
from worker.ports import MembershipLost
from worker.records import Partition, Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.records import RawBatch


def test_records_of_a_partition_come_in_their_order(stand: Stand) -> None:
    topic = stand.topic()
    sent = [f"{n}" for n in range(100)]
    publish(stand, topic, sent)
    assert sent == values(stand.member(topic, new_name()).consume(100))


def test_a_poll_gives_no_more_records_than_asked_for_and_goes_on_from_there(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "abcde")
    member = stand.member(topic, new_name())
    polled = [values(member.batch(records_max=2).records) for _ in range(3)]
    assert polled == [["a", "b"], ["c", "d"], ["e"]]


def test_a_batch_says_where_to_go_on_and_who_polled_it(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "abc")
    batch = stand.member(topic, new_name()).batch()
    assert [Position(topic, 0, 3)] == list(batch.positions)
    assert batch.membership is not None


def test_an_empty_topic_gives_empty_batches(stand: Stand) -> None:
    member = stand.member(stand.topic(), new_name())
    member.join()
    assert (list((batch := member.poll()).records), list(batch.positions)) == ([], [])


def test_an_undelivered_batch_comes_again_after_a_rewind(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "abcd")
    member = stand.member(topic, new_name())
    member.deliver(member.batch(records_max=1))
    assert values(member.batch(records_max=2).records) == ["b", "c"]
    member.log.rewind()
    assert values(member.consume(3)) == ["b", "c", "d"]


def test_an_undelivered_batch_goes_to_the_next_member(stand: Stand) -> None:
    topic, group = stand.topic(), new_name()
    publish(stand, topic, "ab")
    first = stand.member(topic, group)
    first.deliver(first.batch(records_max=1))
    assert values(first.batch().records) == ["b"]
    first.close()
    assert values(stand.member(topic, group).consume(1)) == ["b"]


def test_what_was_delivered_does_not_come_again(stand: Stand) -> None:
    topic, group = stand.topic(2), new_name()
    publish(stand, topic, "abcdef")
    first = stand.member(topic, group)
    first.consume(6)
    first.close()
    publish(stand, topic, "g")
    assert values(stand.member(topic, group).consume(1)) == ["g"]


def test_two_members_share_the_partitions_and_nothing_is_lost(stand: Stand) -> None:
    topic, group = stand.topic(4), new_name()
    publish(stand, topic, [f"{n}" for n in range(40)])
    members = stand.member(topic, group), stand.member(topic, group)
    seen: set[str] = set()
    _share(members, 4, seen)
    assert frozenset() == members[0].log.assigned() & members[1].log.assigned()
    publish(stand, topic, [f"{n}" for n in range(40, 80)])
    wanted = {f"{n}" for n in range(80)}

    def all_came() -> bool:
        _consume(members, seen)
        return wanted <= seen

    wait_until(all_came, WAIT_S, "all records")
    assert seen == wanted


def test_the_member_that_stays_takes_over_from_the_one_that_leaves(stand: Stand) -> None:
    topic, group = stand.topic(2), new_name()
    first, second = stand.member(topic, group), stand.member(topic, group)
    _share((first, second), 2, set())
    second.close()
    publish(stand, topic, "abcdefgh")
    assert sorted("abcdefgh") == sorted(values(first.consume(8)))

    def has_both() -> bool:  # all may have come of the partition that it had
        first.poll()
        return len(first.log.assigned()) == 2

    wait_until(has_both, WAIT_S, "both partitions")
    assert {Partition(topic, 0), Partition(topic, 1)} == first.log.assigned()


def test_changes_of_assignment_are_told(stand: Stand) -> None:
    topic, group = stand.topic(2), new_name()
    first = stand.member(topic, group)
    first.join()
    assert first.events.rebalances == [("assigned", 2)]
    second = stand.member(topic, group)
    _share((first, second), 2, set())
    assert first.events.rebalances[:3] == [("assigned", 2), ("revoked", 0), ("assigned", 1)]


def test_a_member_that_was_expelled_joins_again_and_reads_on_from_the_committed(
    stand: Stand,
) -> None:
    topic = stand.topic()
    publish(stand, topic, "abc")
    member = stand.member(topic, new_name())
    member.deliver(member.batch(records_max=1))
    member.batch()
    stand.expel(member)
    assert values(member.consume(2)) == ["b", "c"]
    assert member.events.rebalances == [("assigned", 1), ("lost", 0), ("assigned", 1)]


def test_pause_gives_nothing_and_keeps_the_membership(stand: Stand) -> None:
    topic = stand.topic()
    member = stand.member(topic, new_name())
    member.join()
    member.log.pause()
    publish(stand, topic, "ab")
    paused = [member.poll() for _ in range(5)]
    assert [len(batch.records) for batch in paused] == [0] * 5
    member.log.resume()
    assert values(member.consume(2)) == ["a", "b"]
    assert member.events.rebalances == [("assigned", 1)]


def test_a_pause_holds_over_a_rewind(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "ab")
    member = stand.member(topic, new_name())
    member.batch()
    member.log.pause()
    member.log.rewind()
    assert [len(member.poll().records) for _ in range(5)] == [0] * 5
    member.log.resume()
    assert values(member.consume(2)) == ["a", "b"]


def test_a_pause_holds_for_partitions_that_are_assigned_meanwhile(stand: Stand) -> None:
    topic, group = stand.topic(2), new_name()
    first, second = stand.member(topic, group), stand.member(topic, group)
    _share((first, second), 2, set())
    first.log.pause()
    second.close()
    publish(stand, topic, "abcdefgh")
    polled: list[RawBatch] = []

    def holds_both() -> bool:
        polled.append(first.poll())
        return len(first.log.assigned()) == 2

    wait_until(holds_both, WAIT_S, "both partitions")
    polled += [first.poll() for _ in range(5)]
    assert {len(batch.records) for batch in polled} == {0}
    first.log.resume()
    assert sorted(values(first.consume(8))) == sorted("abcdefgh")


def test_without_a_commit_a_member_starts_at_the_beginning(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "ab")
    assert values(stand.member(topic, new_name(), "beginning").consume(2)) == ["a", "b"]


def test_without_a_commit_a_member_starts_at_the_end(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "ab")
    member = stand.member(topic, new_name(), "end")
    member.join()
    publish(stand, topic, "c")
    assert values(member.consume(1)) == ["c"]


def test_a_start_at_the_end_stays_where_it_was_over_a_restart(stand: Stand) -> None:
    topic, group = stand.topic(), new_name()
    publish(stand, topic, "ab")
    first = stand.member(topic, group, "end")
    first.join()
    first.close()
    publish(stand, topic, "c")
    assert values(stand.member(topic, group, "end").consume(1)) == ["c"]


def test_a_start_may_be_given_for_each_partition(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "abc")
    assert values(stand.member(topic, new_name(), {0: 1}).consume(2)) == ["b", "c"]


def test_a_partition_without_a_given_start_begins_at_the_beginning(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "ab")
    member = stand.member(topic, new_name(), {7: 1})
    assert values(member.consume(2)) == ["a", "b"]
    assert member.events.resets == []


def test_a_given_start_that_is_no_longer_in_the_log_becomes_the_beginning(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "abcd")
    stand.delete_before(Partition(topic, 0), 2)
    member = stand.member(topic, new_name(), {0: 1})
    assert values(member.consume(2)) == ["c", "d"]
    assert [Partition(topic, 0)] == member.events.resets


def test_a_committed_position_that_retention_passed_becomes_the_beginning_and_is_told(
    stand: Stand,
) -> None:
    topic, group = stand.topic(), new_name()
    publish(stand, topic, "abcd")
    first = stand.member(topic, group)
    first.deliver(first.batch(records_max=1))
    first.close()
    stand.delete_before(Partition(topic, 0), 3)
    second = stand.member(topic, group, "end")
    assert values(second.consume(1)) == ["d"]
    assert [Partition(topic, 0)] == second.events.resets


def test_positions_move_over_a_gap_without_records(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "ab")
    stand.gap(topic)
    member = stand.member(topic, new_name())
    positions: dict[str, int] = {}

    def beyond() -> bool:
        positions.update({p.topic: p.offset for p in member.poll().positions})
        return positions.get(topic) == 4

    wait_until(beyond, WAIT_S, "the position behind the gap")
    assert {Partition(topic, 0): 0} == member.log.lags()


def test_lags_count_what_is_not_polled(stand: Stand) -> None:
    topic = stand.topic()
    publish(stand, topic, "abcde")
    member = stand.member(topic, new_name())
    member.batch(records_max=2)
    assert {Partition(topic, 0): 3} == member.log.lags()


def test_close_may_be_called_twice(stand: Stand) -> None:
    member = stand.member(stand.topic(), new_name())
    member.join()
    member.close()
    member.close()


def _share(members: Sequence[Member], partitions: int, seen: set[str]) -> None:
    """Consume until every member has partitions, and together they have all."""

    def shared() -> bool:
        _consume(members, seen)
        held = [len(member.log.assigned()) for member in members]
        return all(held) and sum(held) == partitions

    wait_until(shared, WAIT_S, "a shared assignment")


def _consume(members: Sequence[Member], seen: set[str]) -> None:
    """One poll and delivery of each member; what was polled for nothing comes again."""
    for member in members:
        batch = member.poll()
        with suppress(MembershipLost):
            if batch.positions:
                member.deliver(batch)
            seen.update(values(batch.records))
