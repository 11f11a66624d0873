"""A detector, fitted and judged."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.telemetry import SMALL, absurd, encoded, readings
from training.discover import discover
from training.evaluate import evaluate
from training.fit import fit_detector
from worker.codec import JsonCodec
from worker.model.artifact import Evaluation
from worker.model.schema import Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from worker.model.detector import Detector

CODEC = JsonCodec(record_bytes_max=10_000, depth_max=10, missing_share_max=0.5)


@cache
def schema() -> FeatureSchema:
    found = discover(readings(500)).schema
    assert found is not None
    return found


def columns(rows: int, seed: int) -> Columns:
    return CODEC.decode(encoded(readings(rows, seed)), schema()).columns


def fitted(seed: int = 0, alert_rate: float = 1e-2) -> Detector:
    settings = replace(SMALL, seed=seed, alert_rate=alert_rate)
    return fit_detector(columns(600, seed=1), columns(400, seed=2), schema(), settings)


@cache
def detector() -> Detector:
    return fitted()


class TestFitting:
    def test_new_normal_rows_are_flagged_about_as_often_as_asked_for(self) -> None:
        made = fit_detector(columns(600, seed=1), columns(2000, seed=2), schema(), SMALL)
        flagged = float(made.score(columns(4000, seed=3)).flagged.mean())
        assert flagged == pytest.approx(SMALL.alert_rate, rel=0.7)

    def test_the_absurd_is_flagged_with_a_wide_margin(self) -> None:
        odd = CODEC.decode(encoded([absurd()]), schema()).columns
        assert detector().score(odd).score[0] > detector().calibration.threshold + 1

    def test_the_same_seed_gives_the_same_scores(self) -> None:
        new = columns(200, seed=4)
        assert (fitted().score(new).score == detector().score(new).score).all()

    def test_another_seed_gives_others(self) -> None:
        new = columns(200, seed=4)
        assert (fitted(seed=1).score(new).score != detector().score(new).score).any()

    @pytest.mark.parametrize(("rate", "threshold"), [(1e-2, 2), (1e-4, 4), (0.5, 0.301)])
    def test_the_threshold_follows_from_the_alert_rate(self, rate: float, threshold: float) -> None:
        calibration = replace(detector().calibration, alert_rate=rate)
        assert calibration.threshold == pytest.approx(threshold, abs=1e-3)

    def test_calibration_knows_its_rows(self) -> None:
        calibration = detector().calibration
        assert calibration.score.rows == 400
        assert not replace(calibration, alert_rate=5 / 400).is_extrapolated
        assert replace(calibration, alert_rate=1e-2).is_extrapolated

    def test_steps_are_told(self) -> None:
        told: list[int] = []
        fit_detector(
            columns(100, seed=1),
            columns(100, seed=2),
            schema(),
            SMALL,
            lambda done, _of: told.append(done),
        )
        assert told == list(range(1, SMALL.network.steps + 1))

    def test_centres_are_never_more_than_half_of_the_rows(self) -> None:
        few = fit_detector(columns(30, seed=1), columns(30, seed=2), schema(), SMALL)
        assert len(few.joints.centres) == 15


class TestHardRows:
    """Whatever the rows, a detector comes out whose scores are finite and rise with oddness."""

    @staticmethod
    def scores(fit: np.ndarray, new: np.ndarray) -> np.ndarray:
        features = tuple(Feature(path=f"x{i}", kind="number") for i in range(fit.shape[1]))

        def table(numbers: np.ndarray) -> Columns:
            none = np.empty((len(numbers), 0), dtype=np.int64)
            return Columns(numbers.astype(np.float64), none, none)

        made = fit_detector(table(fit), table(fit), FeatureSchema(features=features), SMALL)
        return made.score(table(new)).score

    def test_constant_rows(self) -> None:
        found = self.scores(np.ones((100, 2)), np.array([[1, 1], [1, 2], [50, 50]]))
        assert np.isfinite(found).all()
        assert found[0] < 1 < found[1] < found[2]

    def test_one_column(self) -> None:
        x = np.random.default_rng(0).normal(size=(300, 1))
        found = self.scores(x, np.array([[0.0], [8.0], [800.0]]))
        assert found[0] < 2 < found[1] < found[2]

    def test_fewer_rows_than_columns(self) -> None:
        x = np.random.default_rng(0).normal(size=(20, 60))
        found = self.scores(x, np.vstack([x[:1], x[:1] + 100]))
        assert found[0] < found[1]

    def test_missing_values(self) -> None:
        x = np.random.default_rng(0).normal(size=(300, 3))
        x[::3, 0] = np.nan
        found = self.scores(x, np.array([[np.nan, 0, 0], [np.nan, 90, -90], [np.nan] * 3]))
        assert np.isfinite(found).all()
        assert found[0] < found[1]

    def test_numbers_of_every_size(self) -> None:
        x = np.random.default_rng(0).normal(size=(300, 3)) * [1e-300, 1, 1e300]
        found = self.scores(x, np.vstack([x[:1], [[0, 40, 0]]]))
        assert np.isfinite(found).all()
        assert found[0] < found[1]


class TestEvaluating:
    def test_the_hold_out_is_counted_as_the_detector_sees_it(self) -> None:
        hold_out = columns(300, seed=5)
        scores = detector().score(hold_out)
        assert evaluate(detector(), hold_out) == Evaluation(
            rows=300,
            flagged=int(scores.flagged.sum()),
            mean_error=float(scores.reconstruction_error.mean()),
        )
