"""Fits the scaler: means, deviations, Gaussian quantiles where tails are heavy, mask columns."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from training.groups import FAR, STILL_SHARE, STILL_UNIT, fit_groups
from worker.model.scaler import Scaler
from worker.model.schema import MISSING_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.schema import Columns, FeatureSchema

    Floats = NDArray[np.float64]

KURTOSIS_MAX: Final = 4.0
"""A number column with heavier tails than this goes to its quantile form (recipe, section 2)."""

KNOTS_MAX: Final = 256
"""Knots of a quantile map at most."""

FAR_SHARE: Final = 0.001
"""Share of the values at each end, one at least, that are not among the others."""

MASK_SHARE_MIN: Final = 0.001
"""Being missing is part of the input where it happens in at least this share of the rows, and in
at most all but this share."""

MASK_SPREAD: Final = 3.0
"""Of a mask column, whose own deviation would put the few rows without a value far from all others:
that a value is missing is told to the network, and is hardly odd by itself."""

_ppf = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])


def fit_scaler(columns: Columns, schema: FeatureSchema) -> Scaler:
    """The scaler of these rows. Every number column needs one finite value at least."""
    sizes = tuple(len(feature.categories) for feature in schema.categories)
    unfitted = Scaler(
        centre=np.zeros(len(schema.numbers) + sum(sizes)),
        spread=np.ones(len(schema.numbers) + sum(sizes)),
        heavy=np.empty(0, dtype=np.int64),
        knots=np.empty((0, 1)),
        levels=np.empty((0, 1)),
        masked=np.empty(0, dtype=np.int64),
        category_sizes=sizes,
        groups=fit_groups(columns, schema),
    )
    masks = _masked(columns)
    missing = np.hstack([np.isnan(columns.numbers), columns.codes == MISSING_CODE])[:, masks]
    raw = np.hstack([unfitted.raw(columns), missing.astype(np.float64)])
    numbers = raw[:, : len(schema.numbers)]
    centre, spread = _moments(np.hstack([_reined_in(numbers), raw[:, len(schema.numbers) :]]))
    spread[: len(schema.numbers)] = _jumping(numbers, centre, spread)
    centre[unfitted.groups.columns], spread[unfitted.groups.columns] = 0, 1  # as they were fitted
    spread[raw.shape[1] - len(masks) :] = MASK_SPREAD
    heavy = _heavy(numbers, centre, spread)
    knots, levels = _quantile_maps(raw, heavy)
    return Scaler(centre, spread, heavy, knots, levels, masks, sizes, unfitted.groups)


def _masked(columns: Columns) -> NDArray[np.int64]:
    missing = np.hstack([np.isnan(columns.numbers), columns.codes == MISSING_CODE])
    share = missing.mean(axis=0)
    inside = (share >= MASK_SHARE_MIN) & (share <= 1 - MASK_SHARE_MIN)
    return np.flatnonzero(inside).astype(np.int64)


def _reined_in(numbers: Floats) -> Floats:
    """The values, with those far beyond all others of their column brought nearer."""
    ordered = np.sort(numbers, axis=0)  # what is missing comes last
    present = (~np.isnan(numbers)).sum(axis=0)
    ends = np.maximum(1, (FAR_SHARE * present).astype(np.int64))
    at = np.arange(numbers.shape[1])
    low = ordered[np.minimum(ends, (present - 1) // 2), at]
    high = ordered[np.maximum(present - 1 - ends, present // 2), at]
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.where(high > low, high - low, np.abs(low))
        for j in np.flatnonzero(size == 0):  # zeros have no size: that of the few others, 1 at most
            others = np.abs(numbers[:, j])
            size[j] = np.median(others[others > 0]).clip(0, 1) if (others > 0).any() else 1.0
        reined: Floats = np.clip(numbers, low - FAR * size, high + FAR * size)
    return reined


def _jumping(numbers: Floats, centre: Floats, spread: Floats) -> Floats:
    """The deviations of number columns, with the unit of a jump where the value never changes."""
    centre, spread = np.abs(centre[: numbers.shape[1]]), spread[: numbers.shape[1]]
    with np.errstate(invalid="ignore", over="ignore"):
        moved = np.nanmax(numbers, axis=0) - np.nanmin(numbers, axis=0)
    still = moved <= STILL_SHARE * np.nanmax(np.abs(numbers), axis=0)
    jump = np.where(centre > 0, STILL_UNIT * centre, STILL_UNIT)
    return np.where(still, np.maximum(jump, np.finfo(np.float64).tiny), spread)


def _moments(raw: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each column over its present values; 1 where it does not vary.

    In units of the column's largest power of two, so that no square leaves the range of a double.
    """
    largest = np.nanmax(np.abs(raw), axis=0)
    unit = np.ldexp(1.0, np.where(largest > 0, np.frexp(largest)[1] - 1, 0))
    scaled = raw / unit
    mean, deviation = np.nanmean(scaled, axis=0), np.nanstd(scaled, axis=0)
    still = ~(deviation > STILL_SHARE * largest / unit)
    return mean * unit, np.where(still, 1.0, deviation * unit)


def _heavy(numbers: Floats, centre: Floats, spread: Floats) -> NDArray[np.int64]:
    count = numbers.shape[1]
    with np.errstate(over="ignore"):
        z = (numbers - centre[:count]) / spread[:count]
        kurtosis = np.nanmean(z**4, axis=0)
    varied = np.array([len(np.unique(c[~np.isnan(c)])) > 2 for c in numbers.T], dtype=bool)  # noqa: PLR2004
    return np.flatnonzero((kurtosis > KURTOSIS_MAX) & varied).astype(np.int64)


def _quantile_maps(raw: Floats, heavy: NDArray[np.int64]) -> tuple[Floats, Floats]:
    maps = [_quantile_map(raw[~np.isnan(raw[:, column]), column]) for column in heavy]
    width = max((len(knots) for knots, _ in maps), default=1)
    knots = np.array([np.pad(k, (0, width - len(k)), mode="edge") for k, _ in maps])
    levels = np.array([np.pad(g, (0, width - len(g)), mode="edge") for _, g in maps])
    return knots.reshape(len(maps), width), levels.reshape(len(maps), width)


def _quantile_map(values: Floats) -> tuple[Floats, Floats]:
    """Values and the Gaussian quantiles of their mid-ranks, at KNOTS_MAX knots at most."""
    knots, counts = np.unique(values, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(values)
    if len(knots) > KNOTS_MAX:
        at = np.searchsorted(ranks, np.linspace(0, 1, KNOTS_MAX - 1)[1:-1]).clip(0, len(knots) - 1)
        kept = np.unique(np.concatenate([[0], at, [len(knots) - 1]]))
        knots, ranks = knots[kept], ranks[kept]
    half = 0.5 / len(values)
    return knots, _ppf(np.clip(ranks, half, 1 - half))
