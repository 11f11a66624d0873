"""The parts of a score and the kinds, on a detector that can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest

from worker.model.calibration import Calibration, TailCurve
from worker.model.detector import PARTS, PARTS_FUSED, WEIGHTS, Detector
from worker.model.marginals import Marginals
from worker.model.network import Layer, Network
from worker.model.reference import Centres, Ellipsoid
from worker.model.scaler import Scaler
from worker.model.schema import MISSING_CODE, SETTLED_CODE, Columns, Feature, FeatureSchema, Watched

OTHER_SHARE = 0.01
USUAL, UNSEEN = 4, 8
"""The largest value that training saw of x and y, and the rarity of what lies far beyond."""

SCHEMA = FeatureSchema(
    features=(Feature(path="x", kind="number"), Feature(path="y", kind="number")),
    watched=(
        Watched(path="v", value=1),
        Watched(path="w", value=1, other_share=OTHER_SHARE),
    ),
)


def floats32(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def straight(slope: float = 1.0, rows: int = 1000) -> TailCurve:
    """Rarity is so many times the value."""
    ends = np.array([0.0, 100.0])
    scale = 1 / (slope * np.log(10))
    return TailCurve(ends, slope * ends, scale=scale, shape=0.0, rows=rows)


def mean_detector() -> Detector:
    """Its code is the mean of x and y, which it gives back for both; all is normal at 0."""
    curve = straight()
    return Detector(
        schema=SCHEMA,
        scaler=Scaler(
            centre=np.zeros(2),
            spread=np.ones(2),
            heavy=np.empty(0, np.int64),
            knots=np.empty((0, 1)),
            levels=np.empty((0, 1)),
            masked=np.empty(0, np.int64),
            category_sizes=(),
        ),
        network=Network(
            (Layer(floats32([[0.5], [0.5]]), floats32([0])),),
            (Layer(floats32([[1, 1]]), floats32([0, 0])),),
        ),
        marginals=Marginals(
            low=floats32([-USUAL, -USUAL]),
            step=floats32([USUAL, USUAL]),
            rarities=floats32([[UNSEEN, 0, 0, 0, UNSEEN]] * 2),
        ),
        joints=Centres(floats32([[0, 0, 0, 0]]), floats32([0])),
        activations=Ellipsoid(floats32([0]), floats32([[1]])),
        part_tails=(curve,) * len(PARTS),
        unseen_shares=np.zeros(2),
        calibration=Calibration(curve, curve, straight(10), alert_rate=0.01),
    )


def columns(x: float, y: float, v: int = 0, w: int = 0) -> Columns:
    return Columns(np.array([[x, y]]), np.empty((1, 0), np.int64), np.array([[v, w]]))


def test_the_parts_measure_what_they_say() -> None:
    parts = mean_detector().measure(columns(5, 0))
    joint = np.sqrt(2.5**2 + 2.5**2 + 5**2 + 5**2)
    np.testing.assert_allclose(parts.marginal, [UNSEEN / 4])
    for part in (parts.nearest, parts.joint, parts.dense):
        np.testing.assert_allclose(part, [joint])
    np.testing.assert_allclose(parts.latent, [2.5])
    np.testing.assert_allclose(parts.error, [2.5])


def test_the_score_is_the_rarity_of_the_mean_of_the_largest_weighted_rarities() -> None:
    detector = mean_detector()
    scores = detector.score(columns(4, 0))
    rarities = np.array(WEIGHTS) * np.ravel(detector.measure(columns(4, 0)))
    largest = np.sort(rarities)[-PARTS_FUSED:]
    np.testing.assert_allclose(scores.score, [largest.mean()], rtol=1e-6)
    np.testing.assert_allclose(scores.latent_distance, [2])
    np.testing.assert_allclose(scores.reconstruction_error, [2])


@pytest.mark.parametrize(
    ("x", "y", "kind"),
    [
        (0, 0, None),
        (1.2, 1.2, None),
        (3, 3, "extreme"),
        (3, -3, "inconsistent"),
        (9, 9, "extreme"),
        (9, 0, "novel"),
        (30, 24, "extreme"),  # torn apart by no more than others for how far out it is
        (3.9, 0, "inconsistent"),
        (1.8, 0, "borderline"),
    ],
)
def test_the_kind_says_in_which_way_a_row_is_odd(x: float, y: float, kind: str | None) -> None:
    assert mean_detector().score(columns(x, y)).kind(0) == kind


def test_a_changed_constant_is_watched_however_the_rest_looks() -> None:
    scores = mean_detector().score(columns(9, 0, v=5))
    assert scores.kind(0) == "watched"
    plain = mean_detector().score(columns(9, 0)).score
    np.testing.assert_allclose(scores.score, plain + 3)


def test_a_rare_value_that_makes_the_alarm_is_of_the_kind_watched() -> None:
    """Of itself the row would not be flagged; a row that would be keeps its own kind."""
    assert mean_detector().score(columns(0, 0, w=5)).kind(0) == "watched"
    assert mean_detector().score(columns(9, 0)).kind(0) == "novel"


def test_the_rarity_of_a_watched_value_is_added_to_the_score() -> None:
    plain, rare = (mean_detector().score(columns(1, 1, w=w)).score for w in (0, 5))
    np.testing.assert_allclose(rare - plain, [2], rtol=1e-6)


@pytest.mark.parametrize("code", [MISSING_CODE, SETTLED_CODE])
def test_what_is_absent_or_has_come_to_stay_is_no_signal(code: int) -> None:
    changed = mean_detector().score(columns(1, 1, v=code, w=code))
    assert changed.score == mean_detector().score(columns(1, 1)).score
    assert changed.kind(0) is None


def test_a_score_beyond_the_calibration_rows_is_extrapolated() -> None:
    assert mean_detector().score(columns(0, 0)).extrapolated.tolist() == [False]
    assert mean_detector().score(columns(9, 9)).extrapolated.tolist() == [True]
