"""What a shape of records is: how to make them, what is to be found in them, how they break."""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

Dice = random.Random
Record = dict[str, Any]
Fault = Callable[[Record, Dice], None]

START: Final = datetime(2026, 9, 1, tzinfo=UTC)
FAULTS_EACH: Final = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape of records.

    make: an endless run of normal records. found: every feature and its kind; left_out: paths that
    discovery lists with a reason that holds the given words; watched: every constant; types: what
    tells record types apart, and they. faults: by name, how a normal record is broken; none where
    the shape is for discovery alone.
    """

    name: str
    make: Callable[[Dice], Iterator[Record]]
    found: Mapping[str, str]
    left_out: Mapping[str, str]
    watched: tuple[str, ...] = ()
    types: tuple[str, tuple[str, ...]] | None = None
    faults: Mapping[str, Fault] = field(default_factory=dict)

    def records(self, rows: int, seed: int = 0) -> list[Record]:
        """Normal records."""
        return list(islice(self.make(random.Random(seed)), rows))

    def lives(
        self, rows: int, live: int, seed: int = 0
    ) -> tuple[list[Record], list[Record], set[int]]:
        """Normal records, those that follow, and the places of the broken ones among the latter."""
        dice = random.Random(seed)
        run = self.make(dice)
        train = list(islice(run, rows))
        follow = list(islice(run, live))
        kinds = list(self.faults.values()) * FAULTS_EACH
        places = sorted(dice.sample(range(live), len(kinds)))
        for place, fault in zip(places, kinds, strict=True):
            follow[place] = copy.deepcopy(follow[place])
            fault(follow[place], dice)
        return train, follow, set(places)


def moments(step_s: float) -> Iterator[datetime]:
    """Times, evenly apart."""
    at = START
    while True:
        yield at
        at += timedelta(seconds=step_s)


def iso(at: datetime) -> str:
    """ISO 8601 in milliseconds, as most programs write it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def drift(dice: Dice, mean: float, spread: float, memory: float = 0.95) -> Iterator[float]:
    """A quantity that wanders about its mean and comes back."""
    value = dice.gauss(0, 1)
    while True:
        value = memory * value + (1 - memory**2) ** 0.5 * dice.gauss(0, 1)
        yield mean + spread * value


def uid(dice: Dice) -> str:
    """A random UUID."""
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def address(dice: Dice) -> str:
    """An IPv4 address."""
    return f"203.0.{dice.randrange(256)}.{dice.randrange(1, 255)}"
