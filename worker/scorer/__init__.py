"""Scores with the current model and swaps in a promoted one between batches."""

from worker.scorer.reload import ReloadingScorer
from worker.scorer.scoring import ScoringModel

__all__ = ["ReloadingScorer", "ScoringModel"]
