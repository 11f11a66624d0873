"""Laws of tables of every shape: few columns and many, few rows, holes, and columns twice."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.fit import FitSettings, fit_detector
from training.networks import NetworkSettings
from worker.model.explain import explain
from worker.model.schema import Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.detector import Detector

    Floats = NDArray[np.float64]

SETTINGS = FitSettings(alert_rate=0.01, network=NetworkSettings(steps=200))


def columns(rows: Floats) -> Columns:
    none = np.empty((len(rows), 0), dtype=np.int64)
    return Columns(rows, none, none)


def fitted(rows: Floats) -> Detector:
    """A detector that learned three quarters of the rows and was calibrated on the others."""
    schema = FeatureSchema(
        features=tuple(
            Feature(path=f"x{i}", kind="number", missing_share=float(share))
            for i, share in enumerate(np.isnan(rows).mean(axis=0))
        )
    )
    cut = 3 * len(rows) // 4
    return fit_detector(columns(rows[:cut]), columns(rows[cut:]), schema, SETTINGS)


def table(count: int, width: int, seed: int) -> Floats:
    """Columns that follow from three hidden values, with noise."""
    hidden = np.random.default_rng(99).normal(size=(3, width))
    rng = np.random.default_rng(seed)
    made: Floats = rng.normal(size=(count, 3)) @ hidden + 0.3 * rng.normal(size=(count, width))
    return made


def with_faults(rows: Floats, seed: int = 5) -> tuple[Floats, NDArray[np.bool_]]:
    """The first half of the rows with one value moved by four deviations."""
    rng = np.random.default_rng(seed)
    faulty, is_fault = rows.copy(), np.arange(len(rows)) < len(rows) // 2
    at = np.flatnonzero(is_fault)
    column = rng.integers(0, rows.shape[1], len(at))
    faulty[at, column] += rng.choice([-4, 4], len(at)) * rows.std(axis=0)[column]
    return faulty, is_fault


def with_holes(rows: Floats, share: float, seed: int) -> Floats:
    return np.where(np.random.default_rng(seed).random(rows.shape) < share, np.nan, rows)


def auroc(detector: Detector, rows: Floats, is_fault: NDArray[np.bool_]) -> float:
    return float(roc_auc_score(is_fault, detector.score(columns(rows)).score))


@cache
def whole() -> Detector:
    return fitted(table(2000, 8, seed=1))


@cache
def holed() -> Detector:
    return fitted(with_holes(table(2000, 8, seed=1), 0.3, seed=4))


def test_three_in_ten_values_missing_at_random_cost_little() -> None:
    """Where the moved value itself is there to be seen."""
    normal = table(1000, 8, seed=2)
    rows, is_fault = with_faults(normal)
    holes = np.where(rows != normal, rows, with_holes(rows, 0.3, seed=3))
    assert auroc(whole(), rows, is_fault) > 0.95
    assert auroc(holed(), holes, is_fault) > auroc(whole(), rows, is_fault) - 0.07


def test_holes_are_not_flagged_for_being_holes() -> None:
    new = with_holes(table(4000, 8, seed=6), 0.3, seed=7)
    assert 0.003 < holed().score(columns(new)).flagged.mean() < 0.03


def test_columns_that_stand_twice_cost_nothing() -> None:
    def doubled(rows: Floats, seed: int) -> Floats:
        return np.hstack([rows, rows + 1e-6 * np.random.default_rng(seed).normal(size=rows.shape)])

    rows, is_fault = with_faults(table(1000, 8, seed=2))
    twice = fitted(doubled(table(2000, 8, seed=1), 8))
    found = auroc(twice, doubled(rows, 9), is_fault)
    assert found > auroc(whole(), rows, is_fault) - 0.02


@pytest.mark.parametrize(("width", "count"), [(2, 2000), (1500, 300), (8, 300), (2, 300)])
def test_few_columns_many_columns_and_few_rows_are_learned(width: int, count: int) -> None:
    detector = fitted(table(count, width, seed=1))
    rows = table(200, width, seed=2)
    assert detector.score(columns(rows)).flagged.mean() < 0.2
    jump = rows[:10].copy()
    jump[:, width // 2] += 1e6
    assert (detector.score(columns(jump)).score > detector.score(columns(rows[:10])).score).all()
    first = explain(detector, columns(jump)).contributions.argmax(axis=1)
    assert (first == width // 2).all()


def test_a_sample_of_many_rows_tells_the_same_of_new_ones() -> None:
    """Beyond a number of rows training takes a sample."""
    many = fitted(table(20_000, 8, seed=1))
    rows, is_fault = with_faults(table(2000, 8, seed=2))
    assert auroc(many, rows, is_fault) == pytest.approx(auroc(whole(), rows, is_fault), abs=0.03)
