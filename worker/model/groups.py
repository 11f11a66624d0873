"""Numbers whose level depends on a category: each group of rows has its own centre and spread.

A price is ordinary or absurd for its symbol, a metric's value for its name and host; among all
rows together it says nothing. Fitted by training, frozen here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

_DOUBLE_MAX: Final = float(np.finfo(np.float64).max)


def _none() -> Codes:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Groups:
    """Which number columns have groups, what makes these, and the figures of each group.

    columns: int64 (g,), the number columns. by: int64 (g, 2), the category features whose codes
    together name a column's groups; the second is the number of category features where one alone
    does. centre, spread: float64 (g, m), in the order of `cells`, each row filled up to m.
    """

    columns: Codes = field(default_factory=_none)
    by: Codes = field(default_factory=lambda: _none().reshape(0, 2))
    centre: Floats = field(default_factory=lambda: np.empty((0, 0)))
    spread: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def __len__(self) -> int:
        """Number columns that have groups."""
        return len(self.columns)

    def level(self, numbers: Floats, codes: Codes, sizes: tuple[int, ...]) -> Floats:
        """Each such number as deviations from its group's centre; the others as they are.

        Rises with the number within a group; finite, or NaN where the number is.
        """
        if not len(self):
            return numbers
        levelled = numbers.copy()
        for at, column in enumerate(self.columns):
            cell = cells(codes, self.by[at], sizes)
            with np.errstate(over="ignore"):  # brought back below
                levelled[:, column] -= self.centre[at, cell]
                levelled[:, column] /= self.spread[at, cell]
            np.clip(levelled[:, column], -_DOUBLE_MAX, _DOUBLE_MAX, out=levelled[:, column])
        return levelled

    def restore(self, levelled: Floats, codes: Codes, sizes: tuple[int, ...]) -> Floats:
        """The inverse of level, for rows of these codes."""
        if not len(self):
            return levelled
        centre, spread = np.zeros(levelled.shape), self.units(codes, sizes, levelled.shape[1])
        for at, column in enumerate(self.columns):
            centre[:, column] = self.centre[at, cells(codes, self.by[at], sizes)]
        with np.errstate(over="ignore"):
            return np.clip(levelled * spread + centre, -_DOUBLE_MAX, _DOUBLE_MAX)

    def units(self, codes: Codes, sizes: tuple[int, ...], numbers: int) -> Floats:
        """What a difference of 1 in `level` is in the number's own unit: float64 (n, numbers)."""
        units = np.ones((len(codes), numbers))
        for at, column in enumerate(self.columns):
            units[:, column] = self.spread[at, cells(codes, self.by[at], sizes)]
        return units


def cells(codes: Codes, by: Codes, sizes: tuple[int, ...]) -> Codes:
    """The group of each row, int64 (n,), below cell_count(by, sizes).

    A code that is missing, was never seen or has settled since counts as one code more.
    """
    first, second = int(by[0]), int(by[1])
    cell = _known_or_other(codes[:, first], sizes[first])
    if second < len(sizes):
        cell = cell * (sizes[second] + 1) + _known_or_other(codes[:, second], sizes[second])
    return cell


def cell_count(by: Codes, sizes: tuple[int, ...]) -> int:
    """Groups that two category features, or one, can make."""
    first, second = int(by[0]), int(by[1])
    others = sizes[second] + 1 if second < len(sizes) else 1
    return (sizes[first] + 1) * others


def _known_or_other(codes: Codes, size: int) -> Codes:
    return np.where((codes >= 0) & (codes < size), codes, size)
