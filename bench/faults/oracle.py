"""What became of every acknowledged record, read anew from the topics by an independent client.

Only committed outputs count, as for every careful reader.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bench.faults.monitor import Line, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bench.faults.feeder import Fed
    from bench.faults.stand import Names
    from bench.faults.topics import Read

ERRORS = "__latentwatch.errors."

Place = tuple[int, int]
"""Partition and offset of a record of the input."""


class Event(msgspec.Struct):
    """An anomaly event, as far as the bench reads it."""

    id: str


class Told(NamedTuple):
    """An output: the record that it is about, and where it stands."""

    place: Place
    partition: int


@dataclass(slots=True)
class Copies:
    """The outputs of one topic by the record that they are about."""

    times: Counter[Told] = field(default_factory=Counter)
    """How often each partition tells of each record, in order of the first time."""

    def add(self, told: Told) -> None:
        """The next output of its partition."""
        self.times[told] += 1

    def places(self) -> set[Place]:
        """Records that are told of."""
        return {told.place for told in self.times}

    def again(self) -> list[Place]:
        """Records that were told of before, once for each time too many."""
        total: Counter[Place] = Counter()
        for told, times in self.times.items():
            total[told.place] += times
        return [place for place, times in total.items() for _ in range(times - 1)]

    def behind(self) -> list[Place]:
        """Records whose output stands behind that of a later one of the same input partition.

        Repetitions count for nothing. Nor does a record without a key that was repeated into
        another partition: which of the two was first does not show.
        """
        partitions = Counter(told.place for told in self.times)
        last: dict[tuple[int, int], int] = {}
        found = []
        for told in self.times:
            offset, pair = told.place[1], (told.place[0], told.partition)
            if partitions[told.place] > 1:
                continue
            if offset < last.get(pair, -1):
                found.append(told.place)
            last[pair] = max(offset, last.get(pair, -1))
        return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """Places of records that are lost, and of outputs too many or out of order."""

    records: int
    lost: list[Place]
    duplicated: list[Place]
    reordered: list[Place]


def judge(
    read: Callable[[str], Iterable[Read]],
    names: Names,
    fed: Mapping[Place, Fed],
    *,
    events_count: bool,
) -> Verdict:
    """Compare what was fed with what came out; `read` gives all of a topic.

    Lost is also a record whose score says rejected or flagged, without its dead letter or event;
    the latter only where `events_count`, since a deleted topic takes its events with it.
    """
    scores, letters, events = Copies(), Copies(), Copies()
    rejected: set[Place] = set()
    flagged: set[Place] = set()
    for found in read(names.scores):
        line = msgspec.json.decode(found.value, type=Line)
        place = place_of(line.id)
        scores.add(Told(place, found.partition))
        if line.rejected is not None:
            rejected.add(place)
        if line.flagged:
            flagged.add(place)
    _take(letters, map(_letter, read(names.dead_letters)))
    _take(events, map(_event, read(names.anomalies)))
    expected = {place for place, each in fed.items() if each.kind != "skipped"}
    lost = expected - scores.places() - letters.places()
    lost |= rejected - letters.places()
    if events_count:
        lost |= flagged - events.places()
    copies = (scores, letters, events)
    return Verdict(
        records=len(fed),
        lost=sorted(lost),
        duplicated=[place for each in copies for place in each.again()],
        reordered=[place for each in copies for place in each.behind()],
    )


def _take(copies: Copies, told: Iterable[Told]) -> None:
    for each in told:
        copies.add(each)


def _letter(read: Read) -> Told:
    headers = dict(read.headers)
    partition, offset = (int(headers[ERRORS + name]) for name in ("partition", "offset"))
    return Told((partition, offset), read.partition)


def _event(read: Read) -> Told:
    return Told(place_of(msgspec.json.decode(read.value, type=Event).id), read.partition)
