"""Faults of six kinds put into readings, each marked beside the record, never in it.

The same seed spoils the same records. Knows nothing of detectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.demo.fleet import BLOCK, CHOICES, MACHINES, ROUNDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.demo.fleet import Readings

    Floats = NDArray[np.float64]

SPIKE: Final = "spike"
BROKEN: Final = "broken relation"
SHIFT: Final = "level shift"
CATEGORY: Final = "unseen category"
CONSTANT: Final = "changed constant"
STUCK: Final = "stuck sensor"
KINDS: Final = (SPIKE, BROKEN, SHIFT, CATEGORY, CONSTANT, STUCK)

SHARE: Final = 0.02
"""Of the live records are faults, of each kind as many, unless another share is asked for."""
RUNS: Final = {SHIFT: 5, STUCK: 20}
"""Records of one machine in a row that such a fault lasts, where there are so many; the others hit
one record."""
CONTAMINATED: Final = 0.0002
"""Share of faults in the records that are learned from, where nobody knows of them."""
SPIKE_DEVIATIONS: Final = (6.0, 9.0)
SHIFT_DEVIATIONS: Final = (3.0, 5.0)

_NEW_VALUES: Final = {"live": ("purge", "sea water", "3.5.0"), "early": ("test", "air", "3.3.9")}
"""Values never seen in training: of each choice, and of the constant; and others for training."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What each sensor reads when all is well: means, deviations, and all values in order."""

    means: Floats
    deviations: Floats
    ordered: Sequence[Floats]

    @classmethod
    def of(cls, blocks: Sequence[Readings]) -> Reach:
        """Taken from sound readings."""
        numbers = np.concatenate([block.numbers for block in blocks])
        columns = [np.sort(column[~np.isnan(column)]) for column in numbers.T]
        return cls(
            means=np.nanmean(numbers, axis=0),
            deviations=np.nanstd(numbers, axis=0),
            ordered=columns,
        )

    def from_other_half(self, sensor: int, value: float, rng: np.random.Generator) -> float:
        """A value that the sensor does read, but from the half of its range without `value`."""
        ordered = self.ordered[sensor]
        middle = len(ordered) // 2
        other = ordered[:middle] if value > ordered[middle] else ordered[middle:]
        return float(rng.choice(other))


class Saboteur:
    """Spoils blocks of readings in place; `share` of the live records, to a thousandth about."""

    def __init__(self, seed: int, reach: Reach, share: float = SHARE) -> None:
        self._seed = seed
        self._reach = reach
        self._of_each = max(round(share * BLOCK / len(KINDS)), 1) if share else 0

    def spoil(self, readings: Readings, number: int) -> None:
        """Put a live block's share of faults into it."""
        rng = np.random.default_rng([self._seed, number, 1])
        for kind in sorted(KINDS, key=lambda kind: -RUNS.get(kind, 1)):  # long ones need room
            run = max(min(RUNS.get(kind, 1), self._of_each), 1)
            for _ in range(self._of_each // run):
                self._put(readings, kind, _free_rows(readings, run, rng), rng, _NEW_VALUES["live"])

    def contaminate(self, readings: Readings, number: int) -> None:
        """Put what may be odd in the records that are learned from into a block of them."""
        rng = np.random.default_rng([self._seed, number, 1])
        share = CONTAMINATED * BLOCK
        for i in range(int(number * share), int((number + 1) * share)):
            rows = _free_rows(readings, 1, rng)
            self._put(readings, KINDS[i % len(KINDS)], rows, rng, _NEW_VALUES["early"])

    def _put(
        self,
        readings: Readings,
        kind: str,
        rows: NDArray[np.int64],
        rng: np.random.Generator,
        values: Sequence[str],
    ) -> None:
        readings.faults[rows] = kind
        if kind == CATEGORY:
            choice = int(rng.integers(len(CHOICES)))
            readings.choices[rows, choice] = values[choice]
        elif kind == CONSTANT:
            readings.constant[rows] = values[-1]
        else:
            self._put_numbers(readings.numbers, kind, rows, rng)

    def _put_numbers(
        self, numbers: Floats, kind: str, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> None:
        means, deviations = self._reach.means, self._reach.deviations
        present = np.flatnonzero(~np.isnan(numbers[[rows[0] - MACHINES, *rows]]).any(axis=0))
        first, second = rng.choice(present, 2, replace=False)
        if kind == SPIKE:
            away = rng.uniform(*SPIKE_DEVIATIONS) * rng.choice([-1, 1])
            numbers[rows, first] = means[first] + away * deviations[first]
        elif kind == BROKEN:
            (row,) = rows
            numbers[row, first] = self._reach.from_other_half(first, numbers[row, first], rng)
        elif kind == STUCK:
            numbers[rows, first] = numbers[rows[0] - MACHINES, first]
        else:
            for sensor in (first, second):
                away = rng.uniform(*SHIFT_DEVIATIONS) * rng.choice([-1, 1])
                numbers[rows, sensor] += away * deviations[sensor]


def _free_rows(readings: Readings, run: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sound records of one machine in a row, not the block's first: a sensor repeats the last."""
    while True:
        machine, first = rng.integers(MACHINES), rng.integers(1, ROUNDS - run + 1)
        rows = (first + np.arange(run)) * MACHINES + machine
        if not any(readings.faults[rows]):
            return rows.astype(np.int64)
