"""Fits tail curves: raw values of normal rows to -log10 tail probability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.calibration import TailCurve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TAIL_START: Final = 0.1
"""Tail probability from which on the tail's form is read."""
TAIL_END: Final = 0.005
"""Tail probability beyond which rows do not shape the curve: a few anomalies among them may not."""
TAIL_ROWS_MIN: Final = 5
"""Rows that must lie beyond the end of the empirical part, so that it is not one row's whim."""
KNOTS_MAX: Final = 512
SHAPE_MAX: Final = 0.5
"""Of either sign."""
SHAPE_PRIOR: Final = 0.1
"""Deviation of the prior on the shape, a normal at 0: parts with exponential tails were averaged,
so another tail has to be shown by the rows."""
SHORT_TAIL_KNOTS: Final = 16


def fit_curve(values: Floats) -> TailCurve:
    """The curve of raw values of normal rows (n,), at least one.

    Empirical up to a tail probability of TAIL_END (more for few rows), beyond it a generalised
    Pareto tail, fitted to what lies between TAIL_START and there. One with an end (a shape below 0)
    is followed as far as the rows reach; from there on the curve rises evenly.
    """
    ordered = np.sort(values)
    rows = len(ordered)
    end = min(max(TAIL_END, TAIL_ROWS_MIN / rows), TAIL_START / 2)
    shape, scale = _tail(ordered, end)
    knots, rarities = _empirical(ordered, end)
    if shape < 0:
        return _short_tailed(knots, rarities, scale, shape, rows)
    return TailCurve(knots, rarities, scale, shape, rows)


def fit_exponential_curve(values: Floats) -> TailCurve:
    """As fit_curve, with an exponential tail whose scale is the mean excess over TAIL_START.

    For the parts of a score: it stays linear in the distance, and only ranks are needed of it.
    """
    ordered = np.sort(values)
    start = float(np.quantile(ordered, 1 - TAIL_START))
    excess = ordered[ordered > start] - start
    scale = float(excess.mean()) if len(excess) else 0.0
    knots, rarities = _empirical(ordered, TAIL_START)
    return TailCurve(knots, rarities, max(scale, _least_scale(start)), 0.0, len(ordered))


def _short_tailed(
    knots: Floats, rarities: Floats, scale: float, shape: float, rows: int
) -> TailCurve:
    """The tail as knots down to a tail probability of one row, then exponential with `scale`.

    What no row shows is taken to be longer: a few anomalies among the rows would hide that it is.
    """
    rarity = np.linspace(0, max(math.log10(rows) - rarities[-1], 0), SHORT_TAIL_KNOTS)[1:]
    narrowed = 10 ** (shape * rarity)
    beyond = knots[-1] + scale * (narrowed - 1) / shape
    is_new = np.diff(beyond, prepend=knots[-1]) > 0
    return TailCurve(
        values=np.concatenate([knots, beyond[is_new]]),
        rarities=np.concatenate([rarities, rarities[-1] + rarity[is_new]]),
        scale=scale,
        shape=0.0,
        rows=rows,
    )


def _tail(ordered: Floats, end: float) -> tuple[float, float]:
    """Shape, and the scale at the quantile where the empirical part ends.

    Maximum likelihood over a grid. Values beyond the end count only as being there (censored), so
    what they are does not matter; the prior on the shape decides where there are few rows.
    """
    start, stop = (float(q) for q in np.quantile(ordered, [1 - TAIL_START, 1 - end]))
    excess = ordered[(ordered > start) & (ordered <= stop)] - start
    beyond = int((ordered > stop).sum())
    exponential = (float(excess.sum()) + beyond * (stop - start)) / max(len(excess), 1)
    exponential = max(exponential, _least_scale(stop))
    shapes = np.linspace(-SHAPE_MAX, SHAPE_MAX, 51)[:, None]
    scales = exponential * np.geomspace(0.4, 2.5, 61)[None, :]
    log_density = -len(excess) * np.log(scales) - _summed_log(excess, shapes, scales, extra=1)
    fit = log_density - (shapes / SHAPE_PRIOR) ** 2 / 2
    if beyond:
        fit -= beyond * _summed_log(np.array([stop - start]), shapes, scales, extra=0)
    at = np.unravel_index(np.argmax(fit), fit.shape)
    shape, scale = float(shapes[at[0], 0]), float(scales[0, at[1]])
    return shape, scale + shape * (stop - start)


def _summed_log(excess: Floats, shapes: Floats, scales: Floats, *, extra: int) -> Floats:
    """Sum over excesses of (1/shape + extra) * log(1 + shape * excess / scale), on the grid."""
    total = np.empty((len(shapes), scales.shape[1]))
    for i, shape in enumerate(shapes[:, 0]):
        relative = excess[:, None] / scales
        if shape == 0:
            total[i] = relative.sum(axis=0)
        else:  # a value beyond the end of a tail rules it out
            inside = np.log1p(np.maximum(shape * relative, -1 + 1e-12))
            ruled_out = (shape * relative <= -1).any(axis=0)
            total[i] = np.where(ruled_out, np.inf, (1 / shape + extra) * inside.sum(axis=0))
    return total


def _least_scale(at: float) -> float:
    """A curve must rise where the values do not vary at all."""
    return 1e-6 * (1 + abs(at))


def _empirical(ordered: Floats, end: float) -> tuple[Floats, Floats]:
    """Knots of -log10((rows at or above + 1) / (n + 1)), strictly rising in both."""
    rows = len(ordered)
    kept = np.arange(max(1, math.floor((1 - end) * rows)))
    if len(kept) > KNOTS_MAX:
        kept = kept[_spread_ranks(len(kept), rows)]
    knots = np.unique(ordered[kept])
    above = rows - np.searchsorted(ordered, knots, side="left")
    return knots, -np.log10(above / (rows + 1))


def _spread_ranks(kept: int, rows: int) -> NDArray[np.intp]:
    """Ranks evenly spaced in log tail probability, so that the tail has as many as the body."""
    least = (rows - kept + 1) / rows
    share = np.geomspace(1, least, KNOTS_MAX)
    ranks = np.unique(np.clip(np.round((1 - share) * rows), 0, kept - 1).astype(np.intp))
    return np.unique(np.concatenate([ranks, [kept - 1]]))
