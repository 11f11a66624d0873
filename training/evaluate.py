"""Judges a detector on rows that it has neither learned nor been calibrated on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.model.artifact import Evaluation

if TYPE_CHECKING:
    from worker.model.detector import Detector
    from worker.model.schema import Columns


def evaluate(detector: Detector, hold_out: Columns) -> Evaluation:
    """What the detector says of the hold-out; at least one row."""
    scores = detector.score(hold_out)
    return Evaluation(
        rows=len(scores),
        flagged=int(scores.flagged.sum()),
        mean_error=float(scores.reconstruction_error.mean()),
    )
