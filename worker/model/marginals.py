"""How rare each value is by itself: the density of every input column among normal rows.

Distances ask whether a row lies near others, which it does where a few anomalies among the training
rows look like it; the sum of these rarities over columns hardly moves for a few rows in a hundred.
Training counts (training/densities.py), here it is only looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Marginals:
    """-log of the share of training rows around a value, for the first k columns of a t view.

    low: float32 (k,), the least value of training; step: float32 (k,), > 0, from one grid point to
    the next; rarities: float32 (k, m + 2), >= 0, at m points from `low` on and at one more beyond
    each end, where nothing was. Linear between points, so that rounding a value changes little;
    constant beyond them.
    """

    low: Floats32
    step: Floats32
    rarities: Floats32

    @cached_property
    def _first(self) -> NDArray[np.int32]:
        """Where each column's points begin among those of all."""
        columns, points = self.rarities.shape
        return np.arange(0, columns * points, points, dtype=np.int32)

    @cached_property
    def _rises(self) -> Floats32:
        """From each point to the next one; 0 at the last."""
        return np.diff(self.rarities, axis=1, append=self.rarities[:, -1:])

    def by_column(self, t_view: Floats32) -> Floats32:
        """The rarity of each value, in nats: float32 (n, k)."""
        columns, points = self.rarities.shape
        at = (t_view[:, :columns] - self.low) / self.step + 1
        np.clip(at, 0, points - 1, out=at)
        left = at.astype(np.int32)
        at -= left
        left += self._first
        found: Floats32 = self._rises.take(left)
        found *= at
        found += self.rarities.take(left)
        return found

    def summed(self, t_view: Floats32) -> Floats:
        """The rarity of each row as if its columns had nothing to do with each other: (n,)."""
        summed: Floats = self.by_column(t_view).sum(axis=1, dtype=np.float64)
        return summed
