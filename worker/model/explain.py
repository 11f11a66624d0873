"""Why a record is odd: each feature's share, and the value that would have made it normal.

Of the features that make up the joint distance most, each is given the value that the network
expects beside all others, and the row is measured again: what falls is the feature's share. (A
distance alone blames the neighbours too, whose reconstruction a culprit spoils.) What a changed
constant, an unseen category or an absence adds to the score is its own. Knows nothing of events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from worker.model.detector import KINDS, views_of
from worker.model.schema import SETTLED_CODE, Columns
from worker.records import Anomaly, FeatureShare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from worker.model.detector import Detector, Scores

    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]

FEATURES_SHOWN: Final = 10
"""Features that an anomaly lists at most; their contributions are made to sum to 1."""

CANDIDATES: Final = FEATURES_SHOWN
"""Features of a row that are tried with another value."""

DISTANCE_WEIGHT: Final = 0.3
"""Weight of the joint distance beside the fall: for rows that no single value mends."""

SHARE_MIN: Final = 1e-6
"""A feature with a smaller share is not listed: it had no part in it."""

_HALF: Final = 0.5
_ROWS_AT_ONCE: Final = 128
"""Rows explained together; each is measured CANDIDATES times, so this bounds the memory."""


@dataclass(frozen=True)
class Explanation:
    """For n rows and the f names of the schema (numbers, categories, watched), in that order.

    contributions: float64 (n, f), non-negative, each row sums to 1. expected: float64
    (n, numbers + categories), the values and category codes that the others lead to expect. A
    feature that is as expected has no share in what was measured.
    """

    contributions: Floats
    expected: Floats


def explain(detector: Detector, columns: Columns) -> Explanation:
    """Explain each row of `columns`, flagged or not, as it was scored."""
    chunks = [
        _explain(detector, columns.take(slice(start, start + _ROWS_AT_ONCE)))
        for start in range(0, max(len(columns), 1), _ROWS_AT_ONCE)
    ]
    return Explanation(
        contributions=np.concatenate([chunk.contributions for chunk in chunks]),
        expected=np.concatenate([chunk.expected for chunk in chunks]),
    )


def _explain(detector: Detector, columns: Columns) -> Explanation:
    t_view, _, rebuilt = views_of(detector.scaler, detector.network, columns)
    distances = _distances(detector, t_view, rebuilt)
    leading = np.argsort(-distances, axis=1, kind="stable")[:, :CANDIDATES]
    at = _Places(np.repeat(np.arange(len(columns)), leading.shape[1]), leading.ravel())
    expected = _values(detector, rebuilt)
    expected[at] = _expected_alone(detector, t_view, at)
    mended, is_other = _mended(columns, expected, at)

    fused = detector.fuse(detector.measure(columns))
    falls, near = np.zeros_like(distances), np.zeros_like(distances)
    falls[at] = np.maximum(fused[at.row] - detector.fuse(detector.measure(mended)), 0) * is_other
    near[at] = distances[at] * is_other
    shares = _shares(_shares(falls) + DISTANCE_WEIGHT * _shares(near))
    measured = shares * detector.calibration.score(fused)[:, None]
    surprises = detector.surprises(columns)
    contributions = _with_surprises(measured, surprises)
    return Explanation(contributions, expected)


class _Places(NamedTuple):
    """Pairs of a row and a feature (numbers, then categories); also an index into a matrix."""

    row: NDArray[np.intp]
    feature: NDArray[np.intp]


def _distances(detector: Detector, t_view: Floats32, rebuilt: Floats32) -> Floats:
    """The squared joint distance as the sum over features that it is, float64 (n, features)."""
    joint = detector.joint_space(t_view, rebuilt)
    _, nearest = detector.joints.nearest(joint)
    squares = (joint - detector.joints.centres[nearest]).astype(np.float64) ** 2
    width, owner = detector.scaler.width, detector.scaler.owner
    summed = np.zeros((len(squares), int(owner.max()) + 1))
    np.add.at(summed.T, owner, (squares[:, :width] + squares[:, width:]).T)
    return summed


def _expected_alone(detector: Detector, t_view: Floats32, at: _Places) -> Floats:
    """What the decoder gives for the feature of each pair when it sees only the others."""
    is_hidden = detector.scaler.owner == at.feature[:, None]
    hidden = np.where(is_hidden, np.float32(0), t_view[at.row])
    values = _values(detector, detector.network.decode(detector.network.encode(hidden)))
    return values[np.arange(len(values)), at.feature]


def _values(detector: Detector, view: Floats32) -> Floats:
    """The numbers, and then the category codes, of a t view; a boolean is 0 or 1."""
    numbers = detector.scaler.numbers_from(view)
    is_boolean = np.array([f.kind == "boolean" for f in detector.schema.numbers], dtype=bool)
    numbers[:, is_boolean] = numbers[:, is_boolean] >= _HALF
    return np.hstack([numbers, detector.scaler.categories_from(view)])


def _mended(columns: Columns, expected: Floats, at: _Places) -> tuple[Columns, NDArray[np.bool_]]:
    """A row for each pair with its feature as expected, and whether that is another value.

    What has come to stay is as expected.
    """
    values = np.hstack([columns.numbers, columns.codes])
    numbers = columns.numbers.shape[1]
    settled = (at.feature >= numbers) & (values[at] == SETTLED_CODE)
    is_other = (values[at] != expected[at]) & ~settled
    mended = values[at.row]
    mended[is_other, at.feature[is_other]] = expected[at][is_other]
    codes = mended[:, numbers:].astype(np.int64)
    return Columns(mended[:, :numbers], codes, columns.watched[at.row]), is_other


def _shares(weights: Floats) -> Floats:
    """Each row divided by its sum; a row of zeros stays one."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    shares: Floats = weights / total
    return shares


def _with_surprises(measured: Floats, surprises: Floats) -> Floats:
    """Shares over all names of a score: of what was measured and of what was added to it.

    A row in which all is as expected is explained by all alike.
    """
    parts = surprises + np.finfo(float).tiny
    parts[:, : measured.shape[1]] += measured
    return _shares(parts)


def anomalies(
    detector: Detector, columns: Columns, scores: Scores, read: Callable[[int], Sequence[object]]
) -> list[Anomaly]:
    """The flagged rows, explained, in their order; `columns` as they were scored.

    `read(i)` gives the plain values of row i, in the order of the schema's names, None if absent.
    """
    return _explained(detector, columns, scores, read, np.flatnonzero(scores.flagged))


def oddest(
    detector: Detector,
    columns: Columns,
    scores: Scores,
    read: Callable[[int], Sequence[object]],
    most: int,
) -> list[Anomaly]:
    """The rows with the highest scores, flagged or not, the highest first, explained."""
    rows = np.argsort(-scores.score, kind="stable")[:most]
    return _explained(detector, columns, scores, read, rows)


def _explained(
    detector: Detector,
    columns: Columns,
    scores: Scores,
    read: Callable[[int], Sequence[object]],
    rows: NDArray[np.intp],
) -> list[Anomaly]:
    if not len(rows):
        return []
    flagged = columns.take(rows)
    explanation = explain(detector, flagged)
    return [
        Anomaly(
            row=int(row),
            score=float(scores.score[row]),
            kind=KINDS[scores.kinds[row]],
            latent_distance=float(scores.latent_distance[row]),
            reconstruction_error=float(scores.reconstruction_error[row]),
            features=_features(detector, explanation, i, read(int(row))),
        )
        for i, row in enumerate(rows)
    ]


def _features(
    detector: Detector, explanation: Explanation, i: int, values: Sequence[object]
) -> tuple[FeatureShare, ...]:
    shares = explanation.contributions[i]
    shown = np.argsort(-shares, kind="stable")[:FEATURES_SHOWN]
    shown = shown[shares[shown] >= SHARE_MIN]
    total = shares[shown].sum()
    return tuple(
        FeatureShare(
            name=detector.schema.names[j],
            value=values[j],
            expected=_expected(detector, explanation, i, int(j)),
            contribution=float(shares[j] / total),
        )
        for j in shown
    )


def _expected(detector: Detector, explanation: Explanation, i: int, j: int) -> object:
    """What was expected of name j: a number, true or false, a category, or the constant."""
    schema = detector.schema
    numbers, categories = len(schema.numbers), len(schema.categories)
    if j >= numbers + categories:
        return schema.watched[j - numbers - categories].value
    value = float(explanation.expected[i, j])
    if j >= numbers:
        return schema.categories[j - numbers].categories[int(value)]
    if schema.numbers[j].kind == "boolean":
        return bool(value)
    return _rounded(value, float(detector.scaler.spread[j]))


def _rounded(value: float, spread: float) -> float:
    """To 6 digits, or as many as show a thousandth of the spread of values far from zero."""
    far = math.log10(abs(value)) - math.log10(spread) if value else 0.0
    return float(f"{value:.{min(max(6, math.ceil(far) + 3), 17)}g}")
