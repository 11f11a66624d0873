"""Keeps the books of a run: what was sent against what came out, record by record.

Knows what was wrong with a record only here, after the fact.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from workbench.demo.faults import KINDS, STUCK
from workbench.demo.poison import POISONS, TOMBSTONE
from worker.letters import ERROR_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.demo.feed import Item
    from workbench.demo.stage import Topics
    from worker.records import RawRecord

LAST: Final = 8
"""Anomalies shown at once."""


class Feature(msgspec.Struct, frozen=True):
    """A feature of an anomaly event."""

    name: str
    value: object
    expected: object
    contribution: float


class Source(msgspec.Struct, frozen=True):
    """Where the record of an anomaly event stood."""

    key: str | None


class Event(msgspec.Struct, frozen=True):
    """What is read of an anomaly event."""

    id: str
    event_time: str | None
    score: float
    severity: str
    kind: str
    source: Source
    features: list[Feature]


class ScoreLine(msgspec.Struct, frozen=True):
    """What is read of a line of the scores topic."""

    id: str
    flagged: bool
    rejected: str | None


@dataclass(frozen=True, slots=True)
class KindCount:
    """How one kind of record fared: sent, and flagged (of poison: rejected) of those."""

    kind: str
    sent: int
    found: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run; shares are NaN where nothing can be said. Latencies in milliseconds."""

    records: int
    anomalies: int
    dead_letters: int
    tombstones: int
    faults: Sequence[KindCount]
    sound: KindCount
    poison: KindCount
    recall: float
    precision: float
    stuck_recall: float
    lost: int
    duplicated: int
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Tally:
    """The books; everything is told to it in the order in which it happens.

    labels: of each record that is in the topic, by its id; the others are on the way.
    """

    topics: Topics
    judged: bool
    labels: dict[str, str | None] = field(default_factory=dict)
    sent: int = 0
    tombstones: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    last: deque[Event] = field(default_factory=lambda: deque(maxlen=LAST))
    _on_the_way: deque[str | None] = field(default_factory=deque)
    _scored: Counter[str] = field(default_factory=Counter)
    _flagged: set[str] = field(default_factory=set)
    _rejected: set[str] = field(default_factory=set)
    _events: Counter[str] = field(default_factory=Counter)
    _dead: Counter[str] = field(default_factory=Counter)

    @property
    def scored(self) -> int:
        """Records with a line in the scores topic."""
        return len(self._scored)

    @property
    def anomalies(self) -> int:
        """Records with an anomaly event."""
        return len(self._events)

    @property
    def dead_letters(self) -> int:
        """Records with a dead letter."""
        return len(self._dead)

    @property
    def lag(self) -> int:
        """Records sent of which nothing is known yet, tombstones apart."""
        return self.sent - self.tombstones - self.scored

    def send(self, items: Sequence[Item]) -> None:
        """The items were sent."""
        self.sent += len(items)
        self.tombstones += sum(item.label == TOMBSTONE for item in items)
        self._on_the_way.extend(item.label for item in items)

    def arrive(self, ids: Sequence[str]) -> None:
        """The first of those on the way have got these ids."""
        for record_id in ids:
            self.labels[record_id] = self._on_the_way.popleft()

    def receive(self, record: RawRecord, now_ms: float) -> None:
        """A record has come out, at `now_ms` since the epoch."""
        if record.topic == self.topics.scores:
            line = _LINES.decode(record.value or b"")
            self._scored[line.id] += 1
            if line.flagged:
                self._flagged.add(line.id)
            if line.rejected is not None:
                self._rejected.add(line.id)
        elif record.topic == self.topics.anomalies:
            event = _EVENTS.decode(record.value or b"")
            self._events[event.id] += 1
            self.last.append(event)
            if event.event_time is not None:
                self.latencies_ms.append(now_ms - _ms(event.event_time))
        else:
            self._dead[_origin(record)] += 1

    def is_complete(self) -> bool:
        """Whether everything that was sent is accounted for."""
        return not self._on_the_way and self._lost() == 0

    def is_flagged(self, record_id: str) -> bool:
        """Whether the record was flagged."""
        return record_id in self._events

    def summary(self) -> Summary:
        """The result, once no more is to come."""
        counts = {kind: self._count(kind, [kind]) for kind in KINDS}
        sound = self._count("sound", [None])
        five = [count for kind, count in counts.items() if kind != STUCK]
        found, missed = sum(c.found for c in five), sum(c.sent - c.found for c in five)
        poison = [kind for kind in POISONS if kind != TOMBSTONE]
        return Summary(
            records=self.sent,
            anomalies=self.anomalies,
            dead_letters=self.dead_letters,
            tombstones=self.tombstones,
            faults=list(counts.values()),
            sound=sound,
            poison=self._count("poison", poison),
            recall=self._share(found, found + missed),
            precision=self._share(found, found + sound.found),
            stuck_recall=self._share(counts[STUCK].found, counts[STUCK].sent),
            lost=self._lost() + len(self._on_the_way),
            duplicated=self._doubled(),
            p50_ms=self._percentile(50),
            p99_ms=self._percentile(99),
        )

    def _count(self, kind: str, labels: Sequence[str | None]) -> KindCount:
        found = self._dead if kind == "poison" else self._events
        ids = [record_id for record_id, label in self.labels.items() if label in labels]
        return KindCount(kind, len(ids), sum(record_id in found for record_id in ids))

    def _share(self, part: int, whole: int) -> float:
        return part / whole if self.judged and whole else math.nan

    def _lost(self) -> int:
        """Records without all the traces that they must leave; a tombstone leaves none."""
        return sum(
            label != TOMBSTONE and not self._has_its_traces(record_id)
            for record_id, label in self.labels.items()
        )

    def _has_its_traces(self, record_id: str) -> bool:
        if record_id not in self._scored:
            return False
        if record_id in self._flagged:
            return record_id in self._events
        return record_id not in self._rejected or record_id in self._dead

    def _doubled(self) -> int:
        """Traces beyond the first, and traces of what was never sent live."""
        return sum(
            count - (record_id in self.labels)
            for traces in (self._scored, self._events, self._dead)
            for record_id, count in traces.items()
        )

    def _percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies_ms, percent)) if self.latencies_ms else math.nan


def _origin(record: RawRecord) -> str:
    """The id of the record that a dead letter was made of."""
    headers = dict(record.headers)
    parts = [headers.get(ERROR_PREFIX + name) or b"?" for name in ("topic", "partition", "offset")]
    return b"-".join(parts).decode()


def _ms(moment: str) -> float:
    return datetime.fromisoformat(moment).astimezone(UTC).timestamp() * 1000


_EVENTS: Final = msgspec.json.Decoder(Event)
_LINES: Final = msgspec.json.Decoder(ScoreLine)
