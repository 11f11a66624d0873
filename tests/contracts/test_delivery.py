"""The promises of Delivery: outputs durable first, then positions, or neither position."""

from __future__ import annotations

import pytest

from tests.contracts.stands import Member, Stand, new_name, publish, values
from worker.ports import MembershipLost, OutputTooLarge, Retryable
from worker.records import Output, RawBatch

TOO_LARGE = b"x" * (2 << 20)


@pytest.fixture(params=[False, True], ids=["at_least_once", "exactly_once"])
def exactly_once(request: pytest.FixtureRequest) -> bool:
    """Each test runs in both modes, on every stand."""
    return bool(request.param)


def _committed_again(stand: Stand, topic: str, group: str) -> list[str]:
    """What the next member of the group is given: all that no position was committed for."""
    publish(stand, topic, ["last"])
    member = stand.member(topic, group)
    seen: list[str] = []
    while "last" not in seen:
        seen += values(member.batch().records)
    return seen[:-1]


def _stale(stand: Stand, topic: str, group: str) -> tuple[Member, RawBatch]:
    member = stand.member(topic, group)
    batch = member.batch()
    stand.expel(member)
    return member, batch


def test_outputs_are_there_and_positions_committed_when_it_returns(stand: Stand) -> None:
    topic, out, group = stand.topic(), stand.topic(), new_name()
    publish(stand, topic, "ab")
    member = stand.member(topic, group)
    member.deliver(member.batch(), [Output(out, None, b"1"), Output(out, None, b"2")])
    member.close()
    assert values(stand.member(out, new_name()).consume(2)) == ["1", "2"]
    assert _committed_again(stand, topic, group) == []


def test_a_batch_without_outputs_is_committed(stand: Stand) -> None:
    topic, group = stand.topic(), new_name()
    publish(stand, topic, "ab")
    member = stand.member(topic, group)
    member.deliver(member.batch())
    member.close()
    assert _committed_again(stand, topic, group) == []


def test_a_stale_membership_is_refused_before_anything_is_written(stand: Stand) -> None:
    topic, out, group = stand.topic(), stand.topic(), new_name()
    publish(stand, topic, "ab")
    member, batch = _stale(stand, topic, group)
    with pytest.raises(MembershipLost):
        member.deliver(batch, [Output(out, None, b"stale")])
    member.close()
    assert _committed_again(stand, topic, group) == ["a", "b"]
    publish(stand, out, ["other"])
    assert values(stand.member(out, new_name()).consume(1)) == ["other"]


def test_a_batch_of_an_older_generation_is_refused_after_joining_again(stand: Stand) -> None:
    topic, group = stand.topic(), new_name()
    publish(stand, topic, "ab")
    member, batch = _stale(stand, topic, group)
    again = member.batch()
    with pytest.raises(MembershipLost):
        member.deliver(batch)
    member.deliver(again)


def test_positions_without_a_membership_are_refused(stand: Stand) -> None:
    topic, group = stand.topic(), new_name()
    publish(stand, topic, "ab")
    member = stand.member(topic, group)
    batch = member.batch()
    with pytest.raises(MembershipLost):
        member.delivery.deliver([], batch.positions, None)
    member.close()
    assert _committed_again(stand, topic, group) == ["a", "b"]


def test_a_send_that_fails_commits_nothing_and_a_retry_succeeds(stand: Stand) -> None:
    topic, missing, group = stand.topic(), new_name(), new_name()
    publish(stand, topic, "ab")
    member = stand.member(topic, group)
    outputs = [Output(missing, None, b"1")]
    with pytest.raises(Retryable):
        member.deliver(member.batch(), outputs)
    stand.create(missing)
    member.log.rewind()
    batch = member.batch()
    assert values(batch.records) == ["a", "b"]
    member.deliver(batch, outputs)
    member.close()
    assert _committed_again(stand, topic, group) == []
    assert values(stand.member(missing, new_name()).consume(1)) == ["1"]


def test_an_output_that_is_too_large_is_named_and_nothing_committed(stand: Stand) -> None:
    topic, out, group = stand.topic(), stand.topic(), new_name()
    publish(stand, topic, "ab")
    member = stand.member(topic, group)
    batch = member.batch()
    outputs = [Output(out, None, b"1"), Output(out, None, TOO_LARGE), Output(out, None, b"3")]
    with pytest.raises(OutputTooLarge) as refused:
        member.deliver(batch, outputs)
    assert refused.value.index == 1
    member.deliver(batch, [outputs[0], outputs[2]])
    member.close()
    assert _committed_again(stand, topic, group) == []
    assert values(stand.member(out, new_name()).consume(2)) == ["1", "3"]


def test_close_may_be_called_twice(stand: Stand) -> None:
    delivery = stand.member(stand.topic(), new_name()).delivery
    delivery.close()
    delivery.close()
