"""Fits tail curves: raw values of normal rows to -log10 tail probability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.calibration import TAIL_START, TailCurve, shown_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TAIL_REACH: Final = 20
"""The tail's form is read from so many times the tail probability where the empirical part ends."""
KNOTS_MAX: Final = 512
SHAPE_MAX: Final = 0.5
"""Of either sign."""
SHAPE_PRIOR: Final = 0.1
"""Deviation of the prior on the shape, a normal at 0: parts with exponential tails were averaged,
so another tail has to be shown by the rows."""
SHORT_TAIL_KNOTS: Final = 16
ALIKE: Final = 5e-4
"""Values nearer than this times 1 + their size are the same one. The parts are measured in single
precision, whose noise (up to 3e-4 where rows lie on a centre, docs/experiments.md) changes with the
shape of a batch and must not decide how rare a row is."""
ATOM_SHARE: Final = 0.02
"""A value that so many rows share is an atom: the curve is flat around it, not steep."""
FLAT: Final = 4 * ALIKE
"""How far it is flat on either side, times 1 + the value, and no more than a quarter of the way to
the next knot."""
FLAT_RISE: Final = 1e-3
"""Share of the rise to the next knot that is left to the flat part: the curve rises strictly."""
SCALE_MIN: Final = 4 * ALIKE
"""Least scale of a tail, times 1 + its place: rows alike stay so beyond the last knot, too."""
SPREAD_MIN: Final = 0.05
"""Least scale of a tail as a share of the deviation of all values."""
SCALE_UNKNOWN: Final = 0.05
"""Least scale where no row lies beyond the tail's start, times 1 + its place."""


def fit_curve(values: Floats, scale_unknown: float = SCALE_UNKNOWN) -> TailCurve:
    """The curve of raw values of normal rows (n,), at least one.

    Empirical up to the tail probability that so many rows show (shown_share), beyond it a
    generalised Pareto tail, fitted to what lies between TAIL_REACH times that and there. One with
    an end (a shape below 0) is followed as far as the rows reach; from there on the curve rises
    evenly. `scale_unknown` is the least scale where the rows show no tail at all.
    """
    ordered = _merged(np.sort(values))
    rows = len(ordered)
    end = shown_share(rows)
    shape, scale = _tail(ordered, end, scale_unknown)
    knots, rarities = _empirical(ordered, end)
    if shape < 0:
        return _short_tailed(knots, rarities, scale, shape, rows)
    return TailCurve(knots, rarities, scale, shape, rows)


def fit_exponential_curve(values: Floats) -> TailCurve:
    """As fit_curve, with an exponential tail whose scale is the mean excess over TAIL_START.

    For the parts of a score: it stays linear in the distance, and only ranks are needed of it.
    """
    ordered = _merged(np.sort(values))
    start = float(np.quantile(ordered, 1 - TAIL_START, method="lower"))
    excess = ordered[ordered > start] - start
    least = _least_scale(ordered, start, SCALE_UNKNOWN)
    scale = max(float(excess.mean()), least) if len(excess) else least
    knots, rarities = _empirical(ordered, TAIL_START)
    return TailCurve(knots, rarities, scale, 0.0, len(ordered))


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


def _tail(ordered: Floats, end: float, scale_unknown: float) -> tuple[float, float]:
    """Shape, and the scale at the quantile where the empirical part ends.

    Maximum likelihood over a grid. Values beyond the end count only as being there (censored), so
    what they are does not matter; the prior on the shape decides where there are few rows.
    """
    shares = [1 - min(TAIL_START, TAIL_REACH * end), 1 - end]
    start, stop = (float(q) for q in np.quantile(ordered, shares, method="lower"))
    excess = ordered[(ordered > start) & (ordered <= stop)] - start
    beyond = int((ordered > stop).sum())
    exponential = (float(excess.sum()) + beyond * (stop - start)) / max(len(excess), 1)
    exponential = max(exponential, _least_scale(ordered, stop, scale_unknown))
    if not len(excess):
        return 0.0, exponential
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


def _least_scale(ordered: Floats, at: float, unknown: float) -> float:
    """A curve must rise where the values do not vary, and by no more than they tell.

    Where no row lies beyond `at`, how far one is from there is told by how far all are apart.
    """
    spread = float(np.minimum(ordered, at).std())
    if ordered[-1] > at:
        return max(SPREAD_MIN * spread, SCALE_MIN * (1 + abs(at)))
    return max(spread, unknown * (1 + abs(at)))


def _merged(ordered: Floats) -> Floats:
    """Rising values, each replaced by the least one of those that are ALIKE."""
    merged = ordered.copy()
    first = 0
    while first < len(ordered):
        least = ordered[first]
        last = int(np.searchsorted(ordered, least + ALIKE * (1 + abs(least)), side="right"))
        merged[first:last] = least
        first = last
    return merged


def _empirical(ordered: Floats, end: float) -> tuple[Floats, Floats]:
    """Knots of -log10(rows at or above / (n + 1)), strictly rising in both."""
    rows = len(ordered)
    kept = np.arange(max(1, math.floor((1 - end) * rows)))
    if len(kept) > KNOTS_MAX:
        kept = kept[_spread_ranks(len(kept), rows)]
    knots = np.unique(ordered[kept])
    first = np.searchsorted(ordered, knots, side="left")
    count = np.searchsorted(ordered, knots, side="right") - first
    rarities = -np.log10((rows - first) / (rows + 1))
    return _with_flats(knots, rarities, count >= ATOM_SHARE * rows)


def _with_flats(
    knots: Floats, rarities: Floats, is_atom: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """A knot more on either side of each atom, but before the first and beyond the last one."""
    step, rise = np.diff(knots), np.diff(rarities)
    width = np.minimum(step / 4, FLAT * (1 + np.abs(knots[:-1])))
    left, right = is_atom[:-1], is_atom[1:]
    values = [knots, (knots[:-1] + width)[left], (knots[1:] - width)[right]]
    rare = [rarities, (rarities[:-1] + FLAT_RISE * rise)[left]]
    rare.append((rarities[1:] - FLAT_RISE * rise)[right])
    order = np.argsort(np.concatenate(values))
    return np.concatenate(values)[order], np.concatenate(rare)[order]


def _spread_ranks(kept: int, rows: int) -> NDArray[np.intp]:
    """Ranks evenly spaced in log tail probability, so that the tail has as many as the body."""
    least = (rows - kept + 1) / rows
    share = np.geomspace(1, least, KNOTS_MAX)
    ranks = np.unique(np.clip(np.round((1 - share) * rows), 0, kept - 1).astype(np.intp))
    return np.unique(np.concatenate([ranks, [kept - 1]]))
