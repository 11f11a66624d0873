"""Why a record is odd: each feature's share, and the value that would have made it normal.

Of the features that lead by joint distance, and of the rarest value, each is given what the
network expects beside all others, and the row is measured again: what falls is the feature's
share. (A distance alone blames the neighbours too, whose reconstruction a culprit spoils.) The
others share no more of the score than is left of it once the first one is mended, and what is
expected of them is told without it. What a changed constant, a rare value, an unseen
category or an absence adds to the score is its own. Knows nothing of events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from worker.model.schema import SETTLED_CODE, Columns
from worker.model.views import views_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.detector import Detector

    Codes = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]

CANDIDATES: Final = 10
"""Features of a row that may have a share in it."""

TRIED: Final = 6
"""Of these, the leading ones by distance and the rarest one, which are tried with another value."""

DISTANCE_WEIGHT: Final = 0.3
"""Weight of the joint distance beside the fall: for rows that no single value mends."""

RARITY_WEIGHT: Final = 0.3
"""Weight of the rarity of a value by itself, beside the same."""

FILLED: Final = 2
"""Times that what is not told of a row is filled in before it is rebuilt: at the centre of all it
would pull the others there, since the network learns with few inputs left out."""

_HALF: Final = 0.5
_TINY: Final = float(np.finfo(float).tiny)
_ROWS_AT_ONCE: Final = 128
"""Rows explained together; each is measured TRIED times, so this bounds the memory."""


@dataclass(frozen=True)
class Explanation:
    """For n rows and the f names of the schema (numbers, categories, watched), in that order.

    contributions: float64 (n, f), non-negative, each row sums to 1. expected: float64
    (n, numbers + categories), the values and category codes that the others lead to expect, within
    what training saw; values beyond that, and the first feature, count for nothing in what is
    expected of others. A feature that is as expected has no share in what was measured.
    deviations: float64 (n, numbers), one deviation of each number among rows like this one.
    """

    contributions: Floats
    expected: Floats
    deviations: Floats


def explain(detector: Detector, columns: Columns) -> Explanation:
    """Explain each row of `columns`, flagged or not, as it was scored."""
    chunks = [
        _explain(detector, columns.take(slice(start, start + _ROWS_AT_ONCE)))
        for start in range(0, max(len(columns), 1), _ROWS_AT_ONCE)
    ]
    return Explanation(
        contributions=np.concatenate([chunk.contributions for chunk in chunks]),
        expected=np.concatenate([chunk.expected for chunk in chunks]),
        deviations=np.concatenate([chunk.deviations for chunk in chunks]),
    )


def _explain(detector: Detector, columns: Columns) -> Explanation:
    t_view, _, rebuilt = views_of(detector.scaler, detector.network, columns)
    distances, rarities = _distances(detector, t_view, rebuilt), _rarities(detector, t_view)
    leading = _leading(distances, rarities)
    at, tried = _places(leading), _places(leading[:, :TRIED])
    is_unknown = _beyond(detector, t_view)
    expected = _expected(detector, t_view, is_unknown, columns.codes, at)
    may_share = _marked(at, distances) & _is_other(columns, expected)
    fused = detector.fuse(detector.measure(columns))
    falls = _falls(detector, columns, expected, fused, tried) * may_share
    weights = _shares(falls) + DISTANCE_WEIGHT * _shares(distances * may_share)
    weights += RARITY_WEIGHT * _shares(rarities * may_share)

    first = _Places(np.arange(len(columns)), weights.argmax(axis=1))
    is_first = _marked(first, weights)
    is_unknown |= _is_hidden(detector, first)
    of_others = _expected(detector, t_view, is_unknown, columns.codes, at)
    expected = np.where(is_first, expected, of_others)
    left = 1 - falls[first] / np.maximum(fused, _TINY)
    shares = _limited(weights * _is_other(columns, expected), is_first, left)
    surprises = detector.surprises(columns)
    raw = fused + surprises.rarities.sum(axis=1)
    unit = (detector.calibration.score(raw) / np.maximum(raw, _TINY))[:, None]
    added = surprises.rarities * unit + surprises.alarms
    measured = shares * fused[:, None] * unit
    contributions = _with_surprises(measured, added)
    return Explanation(contributions, expected, detector.scaler.deviations(columns.codes))


class _Places(NamedTuple):
    """Pairs of a row and a feature (numbers, then categories); also an index into a matrix."""

    row: NDArray[np.intp]
    feature: NDArray[np.intp]


def _marked(at: _Places, like: Floats) -> NDArray[np.bool_]:
    """A matrix of the shape of another, true at the pairs."""
    marked = np.zeros(like.shape, dtype=bool)
    marked[at] = True
    return marked


def _distances(detector: Detector, t_view: Floats32, rebuilt: Floats32) -> Floats:
    """The squared joint distance as the sum over features that it is, float64 (n, features)."""
    joint = detector.joint_space(t_view, rebuilt)
    _, nearest = detector.joints.nearest(joint)
    squares = (joint - detector.joints.centres[nearest]).astype(np.float64) ** 2
    width = detector.scaler.width
    return _by_feature(detector, squares[:, :width] + squares[:, width:])


def _rarities(detector: Detector, t_view: Floats32) -> Floats:
    """By how much each value is rarer than those of its feature are, float64 (n, features)."""
    marginals = detector.marginals
    seen = marginals.rarities[:, 1:-1]
    weights = np.exp(-seen)
    usual = (weights * seen).sum(axis=1) / weights.sum(axis=1)
    found = np.maximum(marginals.by_column(t_view) - usual, 0).astype(np.float64)
    return _by_feature(detector, found)


def _by_feature(detector: Detector, values: Floats) -> Floats:
    """Values (n, k) of the first k input columns, summed for each feature that owns them."""
    owner = detector.scaler.owner
    summed = np.zeros((len(values), int(owner.max()) + 1))
    np.add.at(summed.T, owner[: values.shape[1]], values.T)
    return summed


def _leading(distances: Floats, rarities: Floats) -> NDArray[np.intp]:
    """The candidates of each row in the order in which they are tried, (n, features).

    The rarest value of all takes the last place among those tried at the latest: a rare value may
    be well within the reach of the network.
    """
    order = np.argsort(-distances, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable").astype(np.float64)
    rarest = np.arange(len(rank)), rarities.argmax(axis=1)
    rank[rarest] = np.minimum(rank[rarest], TRIED - 1.5)
    return np.argsort(rank, axis=1, kind="stable")[:, :CANDIDATES]


def _places(features: NDArray[np.intp]) -> _Places:
    """Each row of (n, features) with each of its features."""
    return _Places(np.repeat(np.arange(len(features)), features.shape[1]), features.ravel())


def _beyond(detector: Detector, t_view: Floats32) -> NDArray[np.bool_]:
    """Bool (n, d): what lies beyond all that training saw, and so is evidence of nothing else."""
    low, high, step = _span(detector)
    numbers = t_view[:, : len(low)]
    beyond = np.zeros(t_view.shape, dtype=bool)
    beyond[:, : len(low)] = (numbers < low - step) | (numbers > high + step)
    return beyond


def _span(detector: Detector) -> tuple[Floats32, Floats32, Floats32]:
    """The least and the largest value of each number in training's t view, and a step of them."""
    marginals, numbers = detector.marginals, detector.scaler.number_count
    low, step = marginals.low[:numbers], marginals.step[:numbers]
    seen = marginals.rarities[:numbers, 1:-1]
    return low, low + step * np.float32(seen.shape[1] - 1), step


def _expected(
    detector: Detector,
    t_view: Floats32,
    is_unknown: NDArray[np.bool_],
    codes: Codes,
    at: _Places,
) -> Floats:
    """The values that the known inputs lead to; for each pair, without those of its own feature."""
    expected = _values(detector, _rebuilt(detector, t_view, is_unknown), codes)
    is_hidden = is_unknown[at.row] | _is_hidden(detector, at)
    alone = _values(detector, _rebuilt(detector, t_view[at.row], is_hidden), codes[at.row])
    expected[at] = alone[np.arange(len(alone)), at.feature]
    return expected


def _rebuilt(detector: Detector, t_view: Floats32, is_unknown: NDArray[np.bool_]) -> Floats32:
    """What the network makes of rows (n, d) of which it is not told some inputs.

    These stand at the centre first, and then where the network expects them beside the others.
    """
    network = detector.network
    shown = np.where(is_unknown, np.float32(0), t_view)
    rows = np.flatnonzero(is_unknown.any(axis=1))
    for _ in range(FILLED):
        shown[rows] = np.where(is_unknown[rows], network.rebuild(shown[rows]), t_view[rows])
    return network.rebuild(shown)


def _falls(
    detector: Detector, columns: Columns, expected: Floats, fused: Floats, at: _Places
) -> Floats:
    """By how much the fused value of a row falls when a feature is as expected; 0 if not tried."""
    falls = np.zeros((len(fused), expected.shape[1]))
    mended = detector.measure(_mended(columns, expected, at))
    falls[at] = np.maximum(fused[at.row] - detector.fuse(mended), 0)
    return falls


def _is_hidden(detector: Detector, at: _Places) -> NDArray[np.bool_]:
    """Bool (pairs, d): the input columns of each pair's feature."""
    hidden: NDArray[np.bool_] = detector.scaler.owner == at.feature[:, None]
    return hidden


def _values(detector: Detector, view: Floats32, codes: Codes) -> Floats:
    """The numbers, and then the category codes, of a t view; a boolean is 0 or 1.

    The numbers are those of rows with these codes.
    """
    low, high, _ = _span(detector)
    numbers = detector.scaler.numbers_from(np.clip(view[:, : len(low)], low, high), codes)
    is_boolean = np.array([f.kind == "boolean" for f in detector.schema.numbers], dtype=bool)
    numbers[:, is_boolean] = numbers[:, is_boolean] >= _HALF
    return np.hstack([numbers, detector.scaler.categories_from(view)])


def _is_other(columns: Columns, expected: Floats) -> NDArray[np.bool_]:
    """Whether each value is another than expected; what has come to stay is as expected."""
    is_number = np.zeros(columns.numbers.shape, dtype=bool)
    settled = np.hstack([is_number, columns.codes == SETTLED_CODE])
    return np.asarray((np.hstack([columns.numbers, columns.codes]) != expected) & ~settled)


def _mended(columns: Columns, expected: Floats, at: _Places) -> Columns:
    """A row for each pair, with its feature as expected."""
    values = np.hstack([columns.numbers, columns.codes])
    mended = values[at.row]
    is_other = _is_other(columns, expected)[at]
    mended[is_other, at.feature[is_other]] = expected[at][is_other]
    numbers = columns.numbers.shape[1]
    codes = mended[:, numbers:].astype(np.int64)
    return Columns(mended[:, :numbers], codes, columns.watched[at.row])


def _limited(weights: Floats, is_first: NDArray[np.bool_], left: Floats) -> Floats:
    """Shares of the weights, where all but the first have `left` (n,) of the whole at most."""
    shares = _shares(weights)
    others = np.where(is_first, 0, shares)
    whole = others.sum(axis=1)
    limited = others * (np.minimum(left, whole) / np.maximum(whole, _TINY))[:, None]
    return np.asarray(np.where(is_first, shares + (whole - limited.sum(axis=1))[:, None], limited))


def _shares(weights: Floats) -> Floats:
    """Each row divided by its sum; a row of zeros stays one."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), _TINY)
    shares: Floats = weights / total
    return shares


def _with_surprises(measured: Floats, surprises: Floats) -> Floats:
    """Shares over all names of a score: of what was measured and of what was added to it.

    A row in which all is as expected is explained by all alike.
    """
    parts = surprises + _TINY
    parts[:, : measured.shape[1]] += measured
    return _shares(parts)
