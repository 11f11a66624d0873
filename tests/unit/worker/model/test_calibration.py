"""Raw distances on one scale of rarity."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from worker.model.calibration import SEVERITIES, Calibration, TailCurve, severity, shown_share


def curve(shape: float = 0.0, rows: int = 1000) -> TailCurve:
    return TailCurve(np.array([1.0, 2.0, 4.0]), np.array([0.1, 1.0, 2.0]), 0.5, shape, rows)


def test_between_knots_the_rarity_is_linear() -> None:
    np.testing.assert_allclose(curve()(np.array([1.0, 1.5, 2.0, 3.0, 4.0])), [0.1, 0.55, 1, 1.5, 2])


def test_an_exponential_tail_goes_on_where_the_knots_end() -> None:
    """Ten scales of ln 10 further the tail probability is 1e-10 of what it was."""
    np.testing.assert_allclose(curve()(np.array([4 + 10 * 0.5 * math.log(10)])), [12.0])


def test_a_heavy_tail_grows_by_the_logarithm() -> None:
    shape = 0.5
    expected = 2 + math.log1p(shape * 8 / 0.5) / (shape * math.log(10))
    np.testing.assert_allclose(curve(shape)(np.array([12.0])), [expected])


def test_below_the_knots_the_rarity_falls_towards_nothing() -> None:
    np.testing.assert_allclose(curve()(np.array([0.5])), [0.1 * math.exp(-1)])


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_the_rarity_rises_strictly_and_stays_finite(shape: float) -> None:
    values = np.concatenate([np.linspace(-3, 8, 200), np.geomspace(10, 1e300, 50)])
    rarities = curve(shape)(values)
    assert (np.diff(rarities) > 0).all()
    assert np.isfinite(rarities).all()
    assert rarities[0] >= 0


@pytest.mark.parametrize(
    ("rows", "share"),
    [(20, 0.05), (100, 0.05), (500, 0.01), (1000, 0.005), (10_000, 0.005), (50_000, 1e-3)],
)
def test_calibration_rows_show_what_enough_of_them_lie_beyond(rows: int, share: float) -> None:
    assert shown_share(rows) == pytest.approx(share)
    assert curve(rows=rows).supported == pytest.approx(-math.log10(share))
    calibration = Calibration(curve(rows=rows), curve(), curve(), alert_rate=0.9 * share)
    assert calibration.supported_rate == pytest.approx(share)
    assert calibration.is_extrapolated
    assert not replace(calibration, alert_rate=1.1 * share).is_extrapolated


@pytest.mark.parametrize(("alert_rate", "threshold"), [(0.01, 2.0), (1e-4, 4.0)])
def test_the_threshold_follows_from_the_alert_rate(alert_rate: float, threshold: float) -> None:
    calibration = Calibration(curve(), curve(), curve(), alert_rate)
    assert calibration.threshold == threshold


@pytest.mark.parametrize(
    ("score", "level"),
    [(3.0, "info"), (3.99, "info"), (4.0, "warning"), (4.99, "warning"), (5.0, "critical")],
)
def test_severity_rises_with_each_factor_of_ten(score: float, level: str) -> None:
    assert severity(score, 3.0) == level
    assert level in SEVERITIES
