"""Dead letters for people: counted, shown, sent back."""

from __future__ import annotations

import heapq
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.adapters.clock import Stop, SystemClock
from worker.adapters.kafka import (
    KafkaAtLeastOnce,
    KafkaPublisher,
    KafkaRecordHistory,
    KafkaRecordLog,
    committed_offsets,
    forget_group,
    quiet_client_logs,
)
from worker.app.parts import (
    LOOK_UP_S,
    connection_of,
    require_topics,
    stop_on_signals,
    timings_of,
)
from worker.letters import read_letter
from worker.resend import Resending, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.adapters.kafka import KafkaConnection
    from worker.records import Partition, RawRecord
    from worker.resend import Choice
    from worker.settings import Settings

TAIL = 4
"""So many times the letters asked for are looked at first, from the end of each partition."""


@dataclass(slots=True)
class LetterGroup:
    """Letters of one reason from one topic; `newest_ms` is the timestamp of the newest record."""

    topic: str
    reason: str
    stage: str
    letters: int = 0
    newest_ms: int = -1
    cut: int = 0
    came_back: int = 0
    replays_most: int = 0

    def add(self, record: RawRecord) -> None:
        """Count one."""
        letter = read_letter(record)
        self.letters += 1
        self.newest_ms = max(self.newest_ms, record.timestamp)
        self.cut += bool(letter.cut)
        self.came_back += letter.replays > 0
        self.replays_most = max(self.replays_most, letter.replays)


def replay_group(settings: Settings, to: str) -> str:
    """The group that remembers what was sent back to a topic."""
    own = f"{settings.group}.dlq-replay"
    return own if to == settings.topic else f"{own}.{to}"


def list_letters(settings: Settings) -> list[LetterGroup]:
    """All letters on the topic, by topic and reason, the most frequent first.

    Raises Unreachable, NotPermitted.
    """
    groups: dict[tuple[str, str, str], LetterGroup] = {}
    with _history(settings) as history:
        for chunk in history.read(history.span(None, None)):
            for record in chunk:
                letter = read_letter(record)
                key = (letter.topic, letter.reason, letter.stage)
                groups.setdefault(key, LetterGroup(*key)).add(record)
    return sorted(groups.values(), key=lambda group: (-group.letters, group.topic, group.reason))


def newest_letters(settings: Settings, count: int, reasons: frozenset[str]) -> list[RawRecord]:
    """The newest letters of these reasons (none for any), the newest first.

    Raises Unreachable, NotPermitted.
    """
    with _history(settings) as history:
        whole, length = history.span(None, None), TAIL * count
        while True:
            span = {p: (max(first, end - length), end) for p, (first, end) in whole.items()}
            found: list[RawRecord] = []
            for chunk in history.read(span):
                fitting = [r for r in chunk if not reasons or read_letter(r).reason in reasons]
                found = heapq.nlargest(count, [*found, *fitting], key=_age)
            if len(found) == count or span == whole:
                return found
            length *= TAIL


def letter_at(settings: Settings, partition: int, offset: int) -> RawRecord | None:
    """The letter at a place, None where there is none. Raises Unreachable, NotPermitted."""
    with _history(settings) as history:
        span = {
            p: (max(first, offset), min(end, offset + 1))
            for p, (first, end) in history.span(None, None).items()
            if p.partition == partition and first <= offset < end
        }
        return next((record for chunk in history.read(span) for record in chunk), None)


def preview(settings: Settings, choice: Choice, *, again: bool) -> Tally:
    """What a replay would do now; sends nothing. Raises Unreachable, NotPermitted."""
    connection, tally = _ready(settings, choice), Tally()
    group = replay_group(settings, choice.topic)
    committed = {} if again else committed_offsets(connection, group, LOOK_UP_S)
    with _history(settings) as history:
        for chunk in history.read(_open(history.span(None, None), committed)):
            for record in chunk:
                tally.add(record, choice.of(record))
    return tally


def replay_letters(
    settings: Settings, choice: Choice, *, again: bool
) -> Iterator[tuple[Tally, bool]]:
    """Send letters back; after each batch the tally so far, and whether it was stopped.

    Starts after what was sent before, or with `again` at the beginning. SIGINT and SIGTERM stop it
    after the batch in hand. Raises Unreachable, NotPermitted, GroupInUse, Retryable, Unreadable.
    """
    stop, connection = Stop(), _ready(settings, choice)
    timings, group = timings_of(settings.kafka), replay_group(settings, choice.topic)
    if again:
        forget_group(connection, group, LOOK_UP_S)
    with _history(settings) as history:
        ends = history.span(None, None)
    committed = committed_offsets(connection, group, LOOK_UP_S)
    left = {p: end for p, (_, end) in _open(ends, committed).items()}
    if not left:
        yield Tally(), False
        return
    stop_on_signals(stop)
    with ExitStack() as stack:
        letters = settings.output.dead_letter_topic
        log = KafkaRecordLog(connection, timings, letters, group, "beginning", _Nobody())
        stack.callback(log.close)
        delivery = KafkaAtLeastOnce(KafkaPublisher(connection, timings), log, timings)
        stack.callback(delivery.close)
        resending = Resending(log, delivery, SystemClock(stop), left)
        for tally in resending.run(choice, stop.is_set):
            yield tally, False
        yield resending.tally, stop.is_set()


class _Nobody:
    """LogEvents that nobody wants to hear."""

    def rebalanced(self, kind: str, partitions: int) -> None:
        """Nothing to do."""

    def offset_reset(self, partition: Partition) -> None:
        """Nothing to do: letters that retention took cannot be sent."""


def _ready(settings: Settings, choice: Choice) -> KafkaConnection:
    """A connection, once the topics are known to be there."""
    quiet_client_logs()
    connection = connection_of(settings.kafka)
    require_topics(connection, [settings.output.dead_letter_topic, choice.topic])
    return connection


def _history(settings: Settings) -> closing[KafkaRecordHistory]:
    quiet_client_logs()
    connection, topic = connection_of(settings.kafka), settings.output.dead_letter_topic
    require_topics(connection, [topic])
    return closing(KafkaRecordHistory(connection, timings_of(settings.kafka), topic))


def _open(
    span: Mapping[Partition, tuple[int, int]], committed: Mapping[Partition, int]
) -> dict[Partition, tuple[int, int]]:
    """What of each partition is not committed yet; the others are left out."""
    rest = {p: (max(first, committed.get(p, first)), end) for p, (first, end) in span.items()}
    return {p: (first, end) for p, (first, end) in rest.items() if first < end}


def _age(record: RawRecord) -> tuple[int, int]:
    return record.timestamp, record.offset
