"""Sends dead letters back, a batch at a time, up to where their topic ended at the start.

What was sent and what was passed over is committed, so that it is not sent again. Knows no client.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.letters import read_letter, sent_back
from worker.ports import MembershipLost, OutputTooLarge, Retryable
from worker.records import Output, Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from worker.ports import Clock, Delivery, LatentwatchError, RecordLog
    from worker.records import Position, RawBatch, RawRecord

RECORDS_MAX: Final = 500
POLL_S: Final = 0.5
RETRY_S: Final = 1.0
STALL_S: Final = 60.0
"""Without progress for so long it is given up."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters go back, and to which topic.

    `came_from`: only letters of records of that topic, None for any; `reasons`: only letters that
    were rejected for one of them, none for any; `replays_max`: only those that were sent back less
    often than that.
    """

    topic: str
    came_from: str | None
    reasons: frozenset[str]
    replays_max: int

    def of(self, record: RawRecord) -> Output | str:
        """The record to send, or why the letter stays where it is."""
        letter = read_letter(record)
        if not letter.reason:
            return "no dead letter of ours"
        if self.came_from is not None and letter.topic != self.came_from:
            return "of another topic"
        if self.reasons and letter.reason not in self.reasons:
            return "of another reason"
        if letter.cut:
            return "cut, so no longer whole"
        if letter.replays >= self.replays_max:
            return f"sent back {self.replays_max} times already"
        return sent_back(record, letter, self.topic)


@dataclass(slots=True)
class Tally:
    """What became of the letters so far: sent by their reason, left by why."""

    sent: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    def add(self, record: RawRecord, chosen: Output | str) -> None:
        """Count one letter."""
        if isinstance(chosen, str):
            self.left[chosen] += 1
        else:
            self.sent[read_letter(record).reason] += 1


class Resending:
    """One run: from what the group has committed to `ends`, the offsets to stop at."""

    def __init__(
        self, record_log: RecordLog, delivery: Delivery, clock: Clock, ends: Mapping[Partition, int]
    ) -> None:
        self._log = record_log
        self._delivery = delivery
        self._clock = clock
        self._left = dict(ends)
        self.tally = Tally()

    def run(self, choice: Choice, should_stop: Callable[[], bool]) -> Iterator[Tally]:
        """The tally after each batch that is committed; ends when all of our partitions are done.

        Partitions that another replay holds are left to it. Raises what the log and the delivery
        raise, Retryable after STALL_S without progress.
        """
        moved_at = self._clock.monotonic()
        problem: LatentwatchError = Retryable("no letters came: is another replay at work?")
        while not should_stop() and not self._is_done():
            try:
                moved = self._turn(self._log.poll(RECORDS_MAX, POLL_S), choice)
            except (Retryable, MembershipLost) as error:
                self._log.rewind()
                self._clock.sleep(RETRY_S)
                moved, problem = False, error
            if moved:
                moved_at = self._clock.monotonic()
                yield self.tally
            elif self._clock.monotonic() - moved_at > STALL_S:
                raise problem

    def _is_done(self) -> bool:
        ours = self._log.assigned()
        return not self._left or (bool(ours) and not ours & set(self._left))

    def _turn(self, batch: RawBatch, choice: Choice) -> bool:
        """Send what the batch holds of ours; whether anything was committed."""
        positions = [
            at._replace(offset=min(at.offset, self._left[Partition(at.topic, at.partition)]))
            for at in batch.positions
            if Partition(at.topic, at.partition) in self._left
        ]
        if not positions:
            self._drop_finished(batch)
            return False
        records = [
            record
            for record in batch.records
            if record.offset < self._left.get(Partition(record.topic, record.partition), 0)
        ]
        chosen = [choice.of(record) for record in records]
        self._deliver(chosen, positions, batch)
        for record, what in zip(records, chosen, strict=True):
            self.tally.add(record, what)
        for at in positions:
            if at.offset >= self._left[Partition(at.topic, at.partition)]:
                del self._left[Partition(at.topic, at.partition)]
        return True

    def _drop_finished(self, batch: RawBatch) -> None:
        """Partitions whose rest somebody else has sent meanwhile: nothing comes of them."""
        if batch.membership is not None and not batch.records:
            for partition, lag in self._log.lags().items():
                if lag == 0:
                    self._left.pop(partition, None)

    def _deliver(
        self, chosen: list[Output | str], positions: Sequence[Position], batch: RawBatch
    ) -> None:
        """Deliver what was chosen; what its topic takes no longer is left."""
        while True:
            at = [i for i, what in enumerate(chosen) if isinstance(what, Output)]
            outputs = [what for what in chosen if isinstance(what, Output)]
            try:
                self._delivery.deliver(outputs, positions, batch.membership)
            except OutputTooLarge as error:
                chosen[at[error.index]] = "too large for the topic"
            else:
                return
