"""What normal looks like: centres of normal rows, and the ellipsoid of their activations.

Both only measure distance here; training finds them (training/centres.py).
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
class Centres:
    """Penalised centres of a space: the distance of x is sqrt(min over c of |x-c|^2 + penalty(c)).

    centres: float32 (m, d); penalty: float32 (m,), larger where training rows are sparse, so that
    a few anomalies among them explain little (reference recipe, section 9).
    """

    centres: Floats32
    penalty: Floats32

    @cached_property
    def _squares(self) -> Floats32:
        """|c|^2: the part of the squared distance that rows do not change."""
        squares: Floats32 = np.einsum("ij,ij->i", self.centres, self.centres)
        return squares

    @cached_property
    def _doubled(self) -> Floats32:
        return np.ascontiguousarray(-2 * self.centres.T)

    def nearest(self, x: Floats32) -> tuple[Floats, NDArray[np.intp]]:
        """Distance, float64 (n,), and the index of the centre that gives it, for rows (n, d).

        The search is in expanded squares, which is fast and inexact where a row is close to a
        centre; the distance itself comes from the difference, or it would vary with the batch.
        """
        return self._nearest(x, x @ self._doubled, 1.0)

    def distances(self, x: Floats32, strengths: tuple[float, ...]) -> tuple[Floats, ...]:
        """The distance under each of these multiples of the penalties; one search for all."""
        products = x @ self._doubled
        return tuple(self._nearest(x, products, strength)[0] for strength in strengths)

    def _nearest(
        self, x: Floats32, products: Floats32, strength: float
    ) -> tuple[Floats, NDArray[np.intp]]:
        penalty = np.float32(strength) * self.penalty
        index = (products + (self._squares + penalty)).argmin(axis=1)
        difference = x - self.centres[index]
        least = np.einsum("ij,ij->i", difference, difference).astype(np.float64)
        return np.sqrt(least + penalty[index]), index


@dataclass(frozen=True)
class Ellipsoid:
    """Location and scatter of normal rows. mean: float32 (k,); whitener: float32 (k, k)."""

    mean: Floats32
    whitener: Floats32

    def distance(self, rows: Floats32) -> Floats:
        """Mahalanobis distance, float64 (n,), of rows, float32 (n, k)."""
        white = (rows - self.mean) @ self.whitener
        squares: Floats = np.einsum("ij,ij->i", white, white).astype(np.float64)
        return np.asarray(np.sqrt(squares))
