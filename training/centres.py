"""Finds what normal looks like: penalised k-means centres, and the ellipsoid of activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.reference import Centres, Ellipsoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats32 = NDArray[np.float32]

LLOYD_STEPS: Final = 5
REACH_SHARE: Final = 0.05
"""A centre's penalty grows with the distance in which it finds this share of the rows."""
NEIGHBOURS: Final = 6
"""A typical row pays about its own squared distance to this neighbour (recipe, section 9)."""
SAMPLE_ROWS: Final = 2000
FACTOR_MIN: Final = 0.05
ELLIPSOID_SHARE: Final = 0.75
ELLIPSOID_STEPS: Final = 5
RIDGE: Final = 1e-2
"""Share of the mean variance that is added to that of every direction, more for few rows."""
VARIANCE_MIN: Final = 1e-2
"""Mean variance of activations that is taken to be there at least: where all rows are alike, float
noise is no unit of distance."""
_ROWS_AT_ONCE: Final = 2048


def fit_centres(rows: Floats32, count: int, rng: np.random.Generator) -> Centres:
    """At most `count` centres of float32 rows (n, d), each with its penalty."""
    centres = _kmeans(rows, count, rng)
    sample = rows[rng.permutation(len(rows))[:SAMPLE_ROWS]]
    near = min(NEIGHBOURS, len(sample))
    far = min(max(NEIGHBOURS, int(REACH_SHARE * len(sample))), len(sample))
    typical = np.median(_neighbour_squares(sample[: SAMPLE_ROWS // 2], sample, (near, far)), axis=0)
    factor = max(typical[0] / max(typical[1], 1e-9), FACTOR_MIN)
    reach = _neighbour_squares(centres, sample, (far,))[:, 0]
    return Centres(centres, (factor * reach).astype(np.float32))


def fit_ellipsoid(table: Floats32) -> Ellipsoid:
    """Location and scatter of rows (n, k), from the nearest share of them by iteration.

    Concentration steps as in the minimum covariance determinant (Rousseeuw and Van Driessen,
    1999), from all rows on; a ridge keeps unused dimensions invertible.
    """
    rows = table.astype(np.float64)
    kept = np.ones(len(rows), dtype=bool)
    for _ in range(ELLIPSOID_STEPS):
        mean = rows[kept].mean(axis=0)
        scatter = np.cov(rows[kept].T).reshape(rows.shape[1], -1)
        ridge = max(RIDGE, _shrinkage(scatter, int(kept.sum()))) * max(
            np.trace(scatter) / len(scatter), VARIANCE_MIN
        )
        precision = np.linalg.inv(scatter + ridge * np.eye(len(scatter)))
        whitener = np.linalg.cholesky(precision)
        distance = np.linalg.norm((rows - mean) @ whitener, axis=1)
        kept = distance <= np.quantile(distance, ELLIPSOID_SHARE)
    return Ellipsoid(mean.astype(np.float32), whitener.astype(np.float32))


def _shrinkage(scatter: NDArray[np.float64], rows: int) -> float:
    """How far towards a ball a scatter from so few rows is best drawn.

    The closed form for Gaussian rows (Chen, Wiesel, Eldar and Hero, 2010): much where there are
    few rows for the directions that hold variance, next to nothing where there are many.
    """
    width = len(scatter)
    square, trace = float((scatter**2).sum()), float(np.trace(scatter)) ** 2
    noise = (1 - 2 / width) * square + trace
    signal = (rows + 1 - 2 / width) * (square - trace / width)
    return 1.0 if signal <= noise else noise / signal


def _kmeans(rows: Floats32, count: int, rng: np.random.Generator) -> Floats32:
    """Lloyd's steps from random rows; all distinct picks when there are few rows."""
    if len(rows) <= count:
        return rows.copy()
    centres: Floats32 = rows[rng.permutation(len(rows))[:count]].copy()
    for _ in range(LLOYD_STEPS):
        nearest = _nearest(rows, centres)
        sizes = np.bincount(nearest, minlength=count)
        sums = np.zeros(centres.shape, dtype=np.float64)
        np.add.at(sums, nearest, rows)
        used = sizes > 0
        centres[used] = (sums[used] / sizes[used, None]).astype(np.float32)
    return centres


def _nearest(rows: Floats32, centres: Floats32) -> NDArray[np.intp]:
    search = Centres(centres, np.zeros(len(centres), dtype=np.float32))
    chunks = range(0, len(rows), _ROWS_AT_ONCE)
    return np.concatenate([search.nearest(rows[i : i + _ROWS_AT_ONCE])[1] for i in chunks])


def _neighbour_squares(
    points: Floats32, sample: Floats32, ranks: tuple[int, ...]
) -> NDArray[np.float64]:
    """Squared distance of each point to its k-th nearest row of the sample, a column for each k."""
    out = np.empty((len(points), len(ranks)))
    sizes = np.einsum("ij,ij->i", sample, sample)
    for i in range(0, len(points), 256):
        chunk = points[i : i + 256]
        squares = sizes - 2 * (chunk @ sample.T) + np.einsum("ij,ij->i", chunk, chunk)[:, None]
        at = [k - 1 for k in ranks]
        out[i : i + 256] = np.maximum(np.partition(squares, at, axis=1)[:, at], 0)
    return out
