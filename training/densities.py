"""Counts how often each input column takes which value: a histogram with soft borders."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.marginals import Marginals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats32 = NDArray[np.float32]

POINTS_MAX: Final = 32
"""Grid points of a column, fewer for few rows: the square root of their number."""

UNSEEN: Final = 0.5
"""Rows that are taken to be where there was none."""


def fit_marginals(t_view: Floats32, columns: int) -> Marginals:
    """The density of the first `columns` of float32 rows (n, d), at least one row.

    Each row counts at the two grid points beside it, by its nearness to them, so that a value on
    the border of two bins does not jump from one to the other with the unit that it is told in.
    """
    rows = t_view[:, :columns].astype(np.float64)
    count = len(rows)
    points = max(2, min(POINTS_MAX, math.isqrt(count)))
    low, high = rows.min(axis=0), rows.max(axis=0)
    step = np.where(high > low, (high - low) / (points - 1), 1.0)
    at = np.clip((rows - low) / step, 0, points - 1)
    left = np.minimum(at.astype(np.int64), points - 2)
    share = at - left
    place = np.arange(columns) * points + left
    weights = np.bincount(place.ravel(), (1 - share).ravel(), columns * points)
    weights += np.bincount(place.ravel() + 1, share.ravel(), columns * points)
    beyond = np.zeros((columns, 1))
    around = np.hstack([beyond, weights.reshape(columns, points), beyond])
    rarities = np.maximum(-np.log((around + UNSEEN) / count), 0)
    return Marginals(low.astype(np.float32), step.astype(np.float32), rarities.astype(np.float32))
