"""What goes into the topic: first what is learned from, then what is watched.

From the fleet, or from the user's own files. What is wrong with a record is kept beside it.
"""

from __future__ import annotations

import math
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from workbench.demo.faults import SHARE, Reach, Saboteur
from workbench.demo.fleet import BLOCK, STEP_S, Fleet
from workbench.demo.poison import POISONS
from worker.adapters.files import FilesHistory, read_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.demo.fleet import Readings

EARLY_BLOCKS: Final = 10
"""Blocks of the fleet's records to learn from: a week of its time."""
POISON_PER_FAULT: Final = 0.125
"""Live records of a fleet that nobody can read, beside its faults."""
EARLY_SHARE: Final = 0.7
"""Of the user's records, the share to learn from, where there are few."""
EARLY_MAX: Final = 100_000
SOURCE_STEP_MS: Final = 1000
"""Between the timestamps of the user's early records, whose own times are in them, if anywhere."""


class Item(NamedTuple):
    """A record to send. `label`: what is wrong with it; `factors`: what the fleet knows of it."""

    key: bytes | None
    value: bytes | None
    label: str | None = None
    factors: tuple[float, ...] = ()


class Feed(Protocol):
    """Records in their order, each asked for once: the early ones first."""

    @property
    def about(self) -> str:
        """In a few words, for people."""
        ...

    @property
    def judged(self) -> bool:
        """Whether labels tell what is wrong with a record, so that recall can be measured."""
        ...

    @property
    def rate(self) -> float:
        """Live records a second."""
        ...

    def early(self) -> Iterator[tuple[int, Item]]:
        """What is learned from, each with its timestamp in milliseconds, rising."""
        ...

    def live(self) -> Iterator[Item]:
        """What is watched; may end early."""
        ...


class FleetFeed:
    """The simulated fleet, its last record at `end_s`, about, when `live` records were taken.

    `faults`: their share of the live records; without any there is no poison either.
    """

    judged = True

    def __init__(
        self, seed: int, rate: float, live: int, end_s: float, faults: float = SHARE
    ) -> None:
        self.rate = rate
        self._poison = round(POISON_PER_FAULT * faults * BLOCK)
        blocks = EARLY_BLOCKS + math.ceil(live / BLOCK)
        self._seed = seed
        self._fleet = Fleet(seed, end_s - blocks * BLOCK * STEP_S)
        self._early = [self._fleet.block(number) for number in range(EARLY_BLOCKS)]
        self._saboteur = Saboteur(seed, Reach.of(self._early), faults)
        days = EARLY_BLOCKS * BLOCK * STEP_S / 86_400
        self.about = f"{EARLY_BLOCKS * BLOCK:,} records of a fleet of pumps, {days:.1f} of its days"

    def early(self) -> Iterator[tuple[int, Item]]:
        """Sound but for a few, of which nobody is told."""
        for number, block in enumerate(self._early):
            self._saboteur.contaminate(block, number)
            yield from zip((block.times_s * 1000).astype(int).tolist(), _items(block), strict=True)

    def live(self) -> Iterator[Item]:
        """Without end; faults and poison among the sound ones."""
        number = EARLY_BLOCKS
        while True:
            block = self._fleet.block(number)
            self._saboteur.spoil(block, number)
            rng = np.random.default_rng([self._seed, number, 2])
            yield from _with_poison(list(_items(block)), self._poison, rng)
            number += 1


class SourceFeed:
    """The user's own records: the first part to learn from, the rest live.

    Raises what FilesHistory raises.
    """

    judged = False

    def __init__(self, place: Path, rate: float, seconds: float, now_s: float) -> None:
        spans = FilesHistory(place).span(None, None).values()
        rows = sum(end for _, end in spans)
        live = min(int(rate * seconds), rows - int(EARLY_SHARE * rows))
        self._early = min(rows - live, EARLY_MAX)
        self._skipped = rows - live - self._early
        self._first_ms = round(now_s * 1000) - self._early * SOURCE_STEP_MS
        self._values = islice(_values(place), self._skipped, None)
        self.rate = min(rate, max(live, 1) / seconds)
        skipped = f", the {self._skipped:,} before them left out" if self._skipped else ""
        self.about = f"the first {self._early:,} of {rows:,} records of {place}{skipped}"

    def early(self) -> Iterator[tuple[int, Item]]:
        """The first part."""
        for i, value in enumerate(islice(self._values, self._early)):
            yield self._first_ms + i * SOURCE_STEP_MS, Item(None, value)

    def live(self) -> Iterator[Item]:
        """The rest."""
        for value in self._values:
            yield Item(None, value)


def _items(readings: Readings) -> Iterator[Item]:
    rows = zip(
        readings.keys(),
        readings.values(),
        readings.faults.tolist(),
        map(tuple, np.round(readings.factors, 4).tolist()),
        strict=True,
    )
    return (Item(*row) for row in rows)


def _with_poison(items: list[Item], count: int, rng: np.random.Generator) -> Iterator[Item]:
    """The items with `count` poisons of every kind in turn between them, anywhere."""
    kinds = list(POISONS)
    places = sorted(rng.integers(1, len(items), count).tolist())
    for i, (start, end) in enumerate(zip([0, *places], [*places, len(items)], strict=True)):
        yield from items[start:end]
        if i < count:
            kind = kinds[i % len(kinds)]
            yield Item(items[end - 1].key, POISONS[kind], kind)


def _values(place: Path) -> Iterator[bytes | None]:
    return chain.from_iterable((r.value for r in chunk) for chunk in read_files(place))
