"""Why a record is odd: each feature's share, and the value that the decoder expected instead.

The squared joint distance is a sum over features (reference recipe, section 2), so shares are
exact and not estimated. Knows nothing of events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.detector import KINDS, views_of
from worker.records import Anomaly, FeatureShare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from worker.model.detector import Detector, Scores
    from worker.model.schema import Columns, FeatureSchema

    Floats = NDArray[np.float64]

FEATURES_SHOWN: Final = 10
"""Features that an anomaly lists at most; their contributions are made to sum to 1."""

SHARE_MIN: Final = 1e-6
"""A feature with a smaller share is not listed: it had no part in it."""


@dataclass(frozen=True)
class Explanation:
    """For n rows and the f names of the schema (numbers, categories, watched), in that order.

    contributions: float64 (n, f), non-negative, each row sums to 1. numbers: float64
    (n, numbers), the expected values; codes: int64 (n, categories), the expected categories.
    """

    contributions: Floats
    numbers: Floats
    codes: NDArray[np.int64]


def explain(
    detector: Detector, columns: Columns, novelties: NDArray[np.bool_] | None = None
) -> Explanation:
    """Explain each row of `columns`, flagged or not.

    `novelties`, as Detector.novelties gives them, are what counts as never seen; None for all.
    """
    if novelties is None:
        novelties = detector.novelties(columns)
    t_view, _, _, rebuilt = views_of(detector.scaler, detector.network, columns)
    joint = detector.joint_space(t_view, rebuilt)
    _, nearest = detector.joints.nearest(joint)
    squares = (joint - detector.joints.centres[nearest]).astype(np.float64) ** 2
    width = detector.scaler.width
    by_feature = _summed(squares[:, :width] + squares[:, width:], detector.scaler.owner)
    return Explanation(
        contributions=_shares(by_feature, novelties, detector.schema),
        numbers=detector.scaler.numbers_from(rebuilt),
        codes=detector.scaler.categories_from(rebuilt),
    )


def _summed(by_column: Floats, owner: NDArray[np.int64]) -> Floats:
    """Input columns summed into the features that own them."""
    summed = np.zeros((len(by_column), int(owner.max()) + 1))
    for column, feature in enumerate(owner):
        summed[:, feature] += by_column[:, column]
    return summed


def _shares(by_feature: Floats, novelties: NDArray[np.bool_], schema: FeatureSchema) -> Floats:
    """Shares over all names; a value never seen weighs as much as all that is measured."""
    rows = len(by_feature)
    measured = np.hstack([by_feature, np.zeros((rows, len(schema.watched)))])
    measured += np.finfo(float).tiny  # a row that sits on its centre is explained by all alike
    shares = measured / measured.sum(axis=1, keepdims=True)
    shares[:, len(schema.numbers) :] += novelties
    normed: Floats = shares / shares.sum(axis=1, keepdims=True)
    return normed


def anomalies(
    detector: Detector, columns: Columns, scores: Scores, read: Callable[[int], Sequence[object]]
) -> list[Anomaly]:
    """The flagged rows, explained, in their order; `read(i)` gives the plain values of row i.

    The values are in the order of the schema's names, None where absent.
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
    # A new value that came to stay is no reason: such a row is of another kind than `watched`.
    is_watched = scores.kinds[rows] == KINDS.index("watched")
    explanation = explain(detector, flagged, detector.novelties(flagged) & is_watched[:, None])
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
    """What the decoder gives for name j: a number, true or false, a category, or the constant."""
    schema = detector.schema
    numbers, categories = len(schema.numbers), len(schema.categories)
    if j < numbers:
        value = float(explanation.numbers[i, j])
        if schema.numbers[j].kind == "boolean":
            return value >= 0.5  # noqa: PLR2004
        return _rounded(value, float(detector.scaler.spread[j]))
    if j < numbers + categories:
        code = explanation.codes[i, j - numbers]
        return schema.categories[j - numbers].categories[code]
    return schema.watched[j - numbers - categories].value


def _rounded(value: float, spread: float) -> float:
    """To 6 digits, or as many as show a thousandth of the spread of values far from zero."""
    far = math.log10(abs(value)) - math.log10(spread) if value else 0.0
    return float(f"{value:.{min(max(6, math.ceil(far) + 3), 17)}g}")
