"""Measures of scores against labels, without any adjustment of points.

Higher scores are odder; labels are 0 or 1. Ties count as they should: half a pair, one threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]
    Flags = NDArray[np.bool_]


def auroc(label: Labels, score: Floats) -> float:
    """Chance that an anomaly scores above a normal row; both must be there."""
    positive = int(label.sum())
    negative = len(label) - positive
    ranks = _mean_ranks(score)
    above = ranks[label == 1].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def average_precision(label: Labels, score: Floats) -> float:
    """Precision at each threshold, weighted with the anomalies that it adds."""
    found, flagged = _curve(label, score)
    gained = np.diff(found, prepend=0)
    return float((gained * found / flagged).sum() / label.sum())


def best_f1(label: Labels, score: Floats) -> float:
    """F1 at the best threshold there is: what an oracle would get."""
    found, flagged = _curve(label, score)
    return float((2 * found / (flagged + label.sum())).max())


def f1_at_count(label: Labels, score: Floats) -> float:
    """F1 when as many rows are flagged as there are anomalies; ties are flagged in row order."""
    count = int(label.sum())
    flagged = np.argsort(-score, kind="stable")[:count]
    return float(label[flagged].sum() / count)


class Events(NamedTuple):
    """How many events there are, how many have a flagged row, and the rows until the first of each.

    delay: summed over the events found.
    """

    events: float
    found: float
    delay: float


def events_found(label: Labels, score: Floats, false_alarms_max: float) -> Events:
    """At the lowest threshold that keeps false alarms within the number allowed.

    An event is a run of anomalous rows; a false alarm a run of flagged rows that touches none.
    """
    threshold = _threshold(label, score, false_alarms_max)
    starts, ends = runs(label == 1)
    delays = []
    for start, end in zip(starts, ends, strict=True):
        hits = np.flatnonzero(score[start:end] > threshold)
        if len(hits):
            delays.append(int(hits[0]))
    return Events(float(len(starts)), float(len(delays)), float(sum(delays)))


def runs(flags: Flags) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where runs of True start, and where they have ended."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def false_alarms(label: Labels, flagged: Flags) -> int:
    """Runs of flagged rows without an anomalous row."""
    starts, ends = runs(flagged)
    anomalous = np.concatenate([[0], np.cumsum(label)])
    return int((anomalous[ends] == anomalous[starts]).sum())


def mean_ranks_of(values: Floats) -> Floats:
    """Ranks of methods (columns) in each row, 1 for the highest, averaged over rows."""
    ranks = np.array([_mean_ranks(-row) for row in values])
    mean: Floats = ranks.mean(axis=0)
    return mean


def _threshold(label: Labels, score: Floats, false_alarms_max: float) -> float:
    """Lowest of many, from the top down while the number is kept."""
    candidates = np.unique(np.quantile(score, 1 - np.geomspace(1 / len(score), 0.5, 400)))[::-1]
    best = float(score.max())
    for candidate in candidates:
        if false_alarms(label, score > candidate) > false_alarms_max:
            break
        best = float(candidate)
    return best


def _curve(label: Labels, score: Floats) -> tuple[Floats, Floats]:
    """Anomalies among the flagged, and rows flagged, at each distinct score from the top."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    return np.cumsum(label[order])[last].astype(np.float64), (last + 1).astype(np.float64)


def _mean_ranks(values: Floats) -> Floats:
    """Ranks from 1 for the lowest; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    mean: Floats = (upper - (counts - 1) / 2)[place]
    return mean
