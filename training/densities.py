"""Counts how often each input column takes which value: a histogram with soft borders."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.marginals import Marginals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]

POINTS_MAX: Final = 32
"""Grid points of a column, fewer for few rows: the square root of their number."""

UNSEEN: Final = 0.5
"""Rows that are taken to be where there was none."""

_COLUMNS_AT_ONCE: Final = 16
"""Counted together: each value takes several times its own size meanwhile."""


def fit_marginals(t_view: Floats32, columns: int) -> Marginals:
    """The density of the first `columns` of float32 rows (n, d), at least one row.

    Each row counts at the two grid points beside it, by its nearness to them, so that a value on
    the border of two bins does not jump from one to the other with the unit that it is told in.
    """
    count = len(t_view)
    points = max(2, min(POINTS_MAX, math.isqrt(count)))
    starts = range(0, columns, _COLUMNS_AT_ONCE)
    blocks = [t_view[:, at : min(at + _COLUMNS_AT_ONCE, columns)] for at in starts]
    counted = [_counted(block.astype(np.float64), points) for block in blocks]
    low, step, weights = (np.concatenate(part) for part in zip(*counted, strict=True))
    beyond = np.zeros((columns, 1))
    around = np.hstack([beyond, weights, beyond])
    rarities = np.maximum(-np.log((around + UNSEEN) / count), 0)
    return Marginals(low.astype(np.float32), step.astype(np.float32), rarities.astype(np.float32))


def _counted(rows: Floats, points: int) -> tuple[Floats, Floats, Floats]:
    """Of each column: where its grid begins, its step, and the rows at each point (k, points)."""
    columns = rows.shape[1]
    low, high = rows.min(axis=0), rows.max(axis=0)
    step = np.where(high > low, (high - low) / (points - 1), 1.0)
    at = np.clip((rows - low) / step, 0, points - 1)
    left = np.minimum(at.astype(np.int64), points - 2)
    share = at - left
    place = np.arange(columns) * points + left
    weights = np.bincount(place.ravel(), (1 - share).ravel(), columns * points)
    weights += np.bincount(place.ravel() + 1, share.ravel(), columns * points)
    return low, step, weights.reshape(columns, points).astype(np.float64)
