"""A calibration that no longer holds is noticed, soon and seldom in error."""

from __future__ import annotations

import numpy as np
import pytest

from worker.model.calibration import Calibration, TailCurve
from worker.model.calibration_watch import BLOCK_RECORDS, CalibrationState, CalibrationWatch

HOLDS = 0.01
MANY = 10_000


def watching(rows: int = MANY, reached: float = HOLDS) -> CalibrationWatch:
    """Of a calibration with so many rows, of which a share reached score 2."""
    curve = TailCurve(np.array([0.0, 3.0]), np.array([0.01, 3.0]), 0.4, 0.0, rows)
    return CalibrationWatch(Calibration(curve, curve, curve, 1e-4, reached))


def scores(records: int, share: float, seed: int) -> np.typing.NDArray[np.float64]:
    """Scores of which a share reaches 2, at random."""
    return np.where(np.random.default_rng(seed).random(records) < share, 2.0, 1.9)


def records_until(watch: CalibrationWatch, share: float, seed: int, *, broken: bool) -> int:
    """After how many records the verdict is as given, at most 100,000."""
    found = scores(100_000, share, seed)
    for start in range(0, len(found), BLOCK_RECORDS):
        state = watch.saw(found[start : start + BLOCK_RECORDS])
        if (state.broken is not None) == broken:
            return start + BLOCK_RECORDS
    return len(found)


def test_before_the_first_records_nothing_is_known() -> None:
    assert watching().state == CalibrationState(ratio=None, broken=None)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.08, 0.2, 1.0])
def test_a_shift_is_noticed_within_1000_records(share: float, seed: int) -> None:
    watch = watching()
    watch.saw(scores(20_000, HOLDS, seed))
    assert records_until(watch, share, seed + 100, broken=True) <= 1000
    assert watch.state.broken == "too many"


@pytest.mark.parametrize("seed", range(3))
def test_a_million_records_of_a_calibration_that_holds_raise_no_alarm(seed: int) -> None:
    watch = watching()
    found = scores(1_000_000, HOLDS, seed)
    for start in range(0, len(found), 5000):
        assert watch.saw(found[start : start + 5000]).broken is None


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.08, 0.2, 1.0])
def test_so_it_is_with_2000_calibration_rows_from_8_percent_on(share: float, seed: int) -> None:
    assert records_until(watching(2000), share, seed, broken=True) <= 1000


@pytest.mark.parametrize(("rows", "share"), [(600, 0.02), (600, 0.004), (200, 0.035), (200, 0.0)])
def test_what_few_calibration_rows_leave_open_is_no_broken_calibration(
    rows: int, share: float
) -> None:
    assert records_until(watching(rows), share, seed=0, broken=True) == 100_000


@pytest.mark.parametrize("rows", [2000, MANY])
def test_rows_that_are_alike_reach_2_as_seldom_as_they_do(rows: int) -> None:
    """Scores of discrete values have steps: the one above 2 may hold .4 %."""
    watch = watching(rows, reached=0.004)
    assert records_until(watch, 0.004, seed=0, broken=True) == 100_000
    assert watch.state.ratio == pytest.approx(1, abs=1)
    assert records_until(watching(rows, HOLDS), 0.0015, seed=0, broken=True) < 50_000


def test_scores_that_never_reach_2_are_noticed_too() -> None:
    watch = watching()
    assert records_until(watch, 0.0, seed=0, broken=True) <= 2500
    assert watch.state == CalibrationState(ratio=0.0, broken="too few")


@pytest.mark.parametrize("share", [0.06, 1.0, 0.0])
def test_a_calibration_that_holds_again_is_noticed(share: float) -> None:
    watch = watching()
    records_until(watch, share, seed=1, broken=True)
    assert records_until(watch, HOLDS, seed=2, broken=False) <= 4000


@pytest.mark.parametrize("share", [1.0, 0.06])
def test_a_calibration_that_stays_broken_is_said_to_be(share: float) -> None:
    watch = watching()
    records_until(watch, share, seed=1, broken=True)
    assert records_until(watch, share, seed=2, broken=False) == 100_000


def test_a_wave_of_anomalies_is_no_broken_calibration() -> None:
    watch = watching()
    watch.saw(scores(10_000, HOLDS, seed=3))
    watch.saw(np.full(200, 9.0))
    watch.saw(scores(10_000, HOLDS, seed=4))
    assert watch.state.broken is None


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_size_of_batches_changes_nothing(size: int) -> None:
    found = scores(3000, 0.06, seed=5)
    at_once, bit_by_bit = watching(), watching()
    at_once.saw(found)
    for start in range(0, len(found), size):
        bit_by_bit.saw(found[start : start + size])
    assert bit_by_bit.state == at_once.state
    assert at_once.state.broken == "too many"


def test_the_ratio_is_that_of_the_last_1000_records() -> None:
    watch = watching()
    watch.saw(np.full(500, 9.0))
    calm = np.zeros(1000)
    calm[:30] = 2.0
    assert watch.saw(calm).ratio == pytest.approx(3.0)


def test_no_records_change_nothing() -> None:
    watch = watching()
    watch.saw(scores(100, HOLDS, seed=6))
    before = watch.state
    assert watch.saw(np.empty(0)) == before
