"""Sending dead letters back: each once, up to the end that was there at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.loops import ManualClock, RecordingMetrics
from worker.adapters.memory import MemoryBroker, MemoryDelivery, MemoryRecordLog
from worker.letters import REPLAYS, error_headers
from worker.ports import Retryable
from worker.records import Output, Partition
from worker.resend import STALL_S, Choice, Resending, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DLQ: Final = "pumps.dlq"
GROUP: Final = "latentwatch.pumps.dlq-replay"
ANY: Final = Choice("pumps", "pumps", frozenset(), replays_max=3)


def letter(
    number: int,
    reason: str = "not_json",
    topic: str = "pumps",
    replays: int = 0,
    more: Mapping[str, object] | None = None,
) -> Output:
    """A dead letter whose value is its number; `replays` is how often it was sent back."""
    counted = [(REPLAYS, b"%d" % replays)] if replays else []
    said = {"topic": topic, "partition": 0, "offset": number, "reason": reason, "timestamp": 5}
    return Output(DLQ, None, b"%d" % number, [*counted, *error_headers({**said, **(more or {})})])


class Desk:
    """A broker with letters, and replays of them."""

    def __init__(self, *letters: Output, partitions: int = 1) -> None:
        self.broker = MemoryBroker({DLQ: partitions, "pumps": 1}, record_bytes_max=5000)
        self.clock = ManualClock()
        self.broker.send(letters)

    def replay(
        self, choice: Choice = ANY, should_stop: Callable[[], bool] = lambda: False
    ) -> Tally:
        """One replay of all that is there now."""
        resending = self.resending()
        for _ in resending.run(choice, should_stop):
            pass
        resending._log.close()
        return resending.tally

    def resending(self, ends: Mapping[Partition, int] | None = None) -> Resending:
        log = MemoryRecordLog(self.broker, DLQ, GROUP, "beginning", RecordingMetrics())
        there = {p: self.broker.journal(p).end for p in self.broker.partitions(DLQ)}
        delivery = MemoryDelivery(self.broker, log)
        return Resending(log, delivery, self.clock, ends or there)

    def sent(self) -> list[str]:
        """The values on the input topic."""
        return [(record.value or b"").decode() for record in self.broker.records("pumps")]

    def committed(self) -> int:
        return self.broker.group(GROUP).committed[Partition(DLQ, 0)]


def test_every_letter_goes_back_and_is_remembered() -> None:
    desk = Desk(letter(1), letter(2, "empty"), letter(3))
    tally = desk.replay()
    assert desk.sent() == ["1", "2", "3"]
    assert desk.committed() == 3
    assert (tally.sent, tally.left) == ({"not_json": 2, "empty": 1}, {})


def test_a_record_that_failed_again_waits_for_the_next_replay() -> None:
    """Else a replay would chase the letters that it causes, for ever."""
    desk = Desk(letter(1))
    resending = desk.resending()
    for _ in resending.run(ANY, lambda: False):
        desk.broker.send([letter(2, replays=1)])
    assert (desk.sent(), desk.committed()) == (["1"], 1)


def test_what_is_not_chosen_is_left_and_passed_over() -> None:
    desk = Desk(
        letter(1),
        letter(2, "empty"),
        letter(3, topic="fans"),
        letter(4, more={"truncated.value.bytes": 9}),
        letter(5, replays=3),
        letter(6, replays=2),
        Output(DLQ, None, b"7"),
    )
    tally = desk.replay(Choice("pumps", "pumps", frozenset({"not_json"}), replays_max=3))
    assert desk.sent() == ["1", "6"]
    assert tally.left == {
        "of another reason": 1,
        "of another topic": 1,
        "cut, so no longer whole": 1,
        "sent back 3 times already": 1,
        "no dead letter of ours": 1,
    }
    assert desk.committed() == 7


def test_letters_of_any_topic_go_where_they_are_asked_to() -> None:
    desk = Desk(letter(1), letter(3, topic="fans"))
    desk.replay(Choice("pumps", None, frozenset(), replays_max=3))
    assert desk.sent() == ["1", "3"]


@pytest.mark.parametrize("written", [True, False])
def test_after_a_failed_send_it_goes_on_where_it_was(*, written: bool) -> None:
    desk = Desk(letter(1), letter(2))
    desk.broker.fail_next_send(written=written)
    tally = desk.replay()
    assert desk.sent() == ["1", "2"] * (2 if written else 1)
    assert tally.sent == {"not_json": 2}


def test_a_rebalance_sends_nothing_twice() -> None:
    desk = Desk(letter(1), partitions=1)
    resending = desk.resending()
    desk.broker.rebalance(GROUP)
    assert [dict(tally.sent) for tally in resending.run(ANY, lambda: False)] == [{"not_json": 1}]
    assert desk.sent() == ["1"]


def test_a_letter_too_large_for_the_topic_is_left() -> None:
    desk = Desk(letter(1), letter(2))
    desk.broker._append([Output(DLQ, None, b"x" * 6000, letter(3).headers)])
    tally = desk.replay()
    assert desk.sent() == ["1", "2"]
    assert tally.left == {"too large for the topic": 1}


def test_asked_to_stop_it_stops_after_the_batch_in_hand() -> None:
    desk = Desk(*[letter(number) for number in range(700)])
    tally = desk.replay(should_stop=lambda: bool(desk.sent()))
    assert tally.sent == {"not_json": 500}
    assert desk.committed() == 500


def test_without_progress_it_gives_up_with_what_went_wrong() -> None:
    desk = Desk(letter(1))
    desk.broker.reachable = False
    with pytest.raises(Retryable, match="out of reach"):
        desk.replay()
    assert STALL_S < sum(desk.clock.slept) < 2 * STALL_S


def test_partitions_of_another_replay_are_left_to_it() -> None:
    desk = Desk(*[letter(number) for number in range(20)], partitions=2)
    other = MemoryRecordLog(desk.broker, DLQ, GROUP, "beginning", RecordingMetrics())
    other.poll(1, 0)
    assert sum(desk.replay().sent.values()) == 10
    other.close()
    assert sum(desk.replay().sent.values()) == 10
    assert sorted(desk.sent(), key=int) == [str(number) for number in range(20)]


def test_what_another_replay_has_sent_meanwhile_is_not_waited_for() -> None:
    desk = Desk(letter(1))
    late = desk.resending()
    desk.replay()
    assert list(late.run(ANY, lambda: False)) == []
