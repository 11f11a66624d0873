"""Anomalies with their reasons: scored rows and their explanation in the words of the schema."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.detector import KINDS
from worker.model.explain import CANDIDATES, explain
from worker.records import Anomaly, FeatureShare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from worker.model.detector import Detector, Scores
    from worker.model.explain import Explanation
    from worker.model.schema import Columns

FEATURES_SHOWN: Final = CANDIDATES
"""Features that an anomaly lists at most; their contributions are made to sum to 1."""

SHARE_MIN: Final = 1e-6
"""A feature with a smaller share is not listed: it had no part in it."""


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
            expected=_told(detector, explanation, i, int(j)),
            contribution=float(shares[j] / total),
        )
        for j in shown
    )


def _told(detector: Detector, explanation: Explanation, i: int, j: int) -> object:
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
    return _rounded(value, float(explanation.deviations[i, j]))


def _rounded(value: float, spread: float) -> float:
    """To 6 digits, or as many as show a thousandth of the spread of values far from zero."""
    far = math.log10(abs(value)) - math.log10(spread) if value else 0.0
    return float(f"{value:.{min(max(6, math.ceil(far) + 3), 17)}g}")
