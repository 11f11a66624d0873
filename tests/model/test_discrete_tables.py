"""Laws of tables whose rows repeat: no float noise decides how rare a row is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from training.fit import FitSettings, fit_detector
from worker.model.schema import Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from worker.model.detector import Detector

TOLERANCE: Final = 1e-3
ROWS: Final = 4000
STATES: Final = ("idle", "run", "stop")

STATE = Feature(path="state", kind="category", categories=STATES)
DOOR = Feature(path="door", kind="boolean")
COUNTS = (Feature(path="errors", kind="number"), Feature(path="retries", kind="number"))
FEATURES: Final = {
    "a category": (STATE,),
    "a boolean": (DOOR,),
    "both": (DOOR, STATE),
    "small counts": COUNTS,
    "constants": COUNTS,
}


def rows(kind: str, count: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    numbers = {
        "a category": np.empty((count, 0)),
        "a boolean": rng.random((count, 1)) < 0.5,
        "both": rng.random((count, 1)) < 0.5,
        "small counts": rng.poisson([2, 0.3], (count, 2)),
        "constants": np.full((count, 2), [4, 7]),
    }[kind]
    codes = rng.choice(3, (count, 1), p=[0.7, 0.2, 0.1])
    none = np.empty((count, 0), dtype=np.int64)
    return Columns(numbers.astype(np.float64), codes if STATE in FEATURES[kind] else none, none)


@cache
def detector(kind: str, seed: int) -> Detector:
    settings = FitSettings(alert_rate=1e-2, seed=seed)
    schema = FeatureSchema(features=FEATURES[kind])
    return fit_detector(rows(kind, ROWS, seed), rows(kind, 1000, seed + 50), schema, settings)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", FEATURES)
def test_the_size_of_a_batch_changes_no_score_and_no_flag(kind: str, seed: int) -> None:
    columns = rows(kind, 2048, seed + 100)
    whole = detector(kind, seed).score(columns)
    for size in (1, 17, 150):
        few = min(len(columns), 150 * size)
        parts = [
            detector(kind, seed).score(columns.take(slice(at, min(at + size, few))))
            for at in range(0, few, size)
        ]
        score = np.concatenate([part.score for part in parts])
        np.testing.assert_allclose(score, whole.score[:few], rtol=0, atol=TOLERANCE)
        flagged = np.concatenate([part.flagged for part in parts])
        np.testing.assert_array_equal(flagged, whole.flagged[:few])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", FEATURES)
def test_about_as_many_are_flagged_as_was_asked_for_or_none(kind: str, seed: int) -> None:
    assert detector(kind, seed).score(rows(kind, 4000, seed + 100)).flagged.mean() < 0.02


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["small counts", "constants"])
def test_a_clear_jump_is_flagged_with_a_score_that_can_be_told(kind: str, seed: int) -> None:
    columns = rows(kind, 50, seed + 100)
    columns.numbers[:, 0] = 1000
    score = detector(kind, seed).score(columns).score
    assert score.min() > 4
    assert score.max() < 1e4
