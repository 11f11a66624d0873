"""Laws of scores: what every detector keeps for every row, however odd."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.machines import SCHEMA, changed, columns_of, detector, fitted, readings
from worker.model.detector import KINDS
from worker.model.explain import explain
from worker.model.schema import MISSING_CODE, SETTLED_CODE, SETTLED_NUMBER, Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.detector import Scores

TOLERANCE: Final = 1e-5
NUMBERS: Final = [feature.path for feature in SCHEMA.numbers if feature.kind == "number"]
EXTREMES: Final = (
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1e-300,
    1e16,
    1e38,
    -1e38,
    1e154,
    1e308,
    -1e308,
    float(np.finfo(np.float64).max),
    -float(np.finfo(np.float64).max),
)


def rows() -> Columns:
    """Normal rows that the detector has not seen."""
    return columns_of(readings(400, seed=7))


def score(columns: Columns) -> NDArray[np.float64]:
    return detector().score(columns).score


def is_finite(scores: Scores) -> bool:
    found = (scores.score, scores.latent_distance, scores.reconstruction_error)
    return all(np.isfinite(values).all() and (values >= 0).all() for values in found)


def test_a_fit_with_one_thread_gives_the_same_scores_again() -> None:
    np.testing.assert_array_equal(fitted(seed=0).score(rows()).score, score(rows()))


def test_another_seed_gives_another_detector() -> None:
    assert (fitted(seed=1).score(rows()).score != score(rows())).any()


def test_about_as_many_normal_rows_are_flagged_as_was_asked_for() -> None:
    scores = detector().score(columns_of(readings(4000, seed=8)))
    assert 0.002 < scores.flagged.mean() < 0.03


def test_no_rows_have_no_scores() -> None:
    assert len(detector().score(rows().take(slice(0)))) == 0


@pytest.mark.parametrize("size", [1, 2, 3, 64, 399])
def test_the_size_of_a_batch_changes_no_score(size: int) -> None:
    columns = rows()
    parts = [score(columns.take(slice(at, at + size))) for at in range(0, len(columns), size)]
    np.testing.assert_allclose(np.concatenate(parts), score(columns), atol=TOLERANCE)


@given(st.permutations(range(40)))
def test_the_order_of_rows_changes_no_score(order: list[int]) -> None:
    columns = columns_of(readings(40, seed=7))
    shuffled = score(columns.take(np.array(order)))
    np.testing.assert_allclose(shuffled, score(columns)[order], atol=TOLERANCE)


def test_more_rows_than_are_measured_at_once_change_no_score() -> None:
    many = columns_of(readings(50, seed=7) * 50)
    np.testing.assert_allclose(score(many), np.tile(score(many)[:50], 50), atol=TOLERANCE)


def test_the_order_of_members_in_a_record_changes_no_score() -> None:
    turned = [dict(reversed(reading.items())) for reading in readings(50, seed=7)]
    np.testing.assert_array_equal(
        score(columns_of(turned)), score(columns_of(readings(50, seed=7)))
    )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("path", NUMBERS)
def test_a_growing_spike_never_scores_lower(path: str, sign: int) -> None:
    """From where the data ends; inside of it another value may well fit better."""
    column = [feature.path for feature in SCHEMA.numbers].index(path)
    scaler = detector().scaler
    end = 16 if column in scaler.groups.columns else 5  # of a group's robust deviations
    reach = np.concatenate([np.arange(end, 50), np.geomspace(50, 1e250, 300)])
    for at in range(20):
        columns = rows().take(np.full(len(reach), at))
        levelled = np.zeros(columns.numbers.shape)
        levelled[:, column] = scaler.centre[column] + sign * reach * scaler.spread[column]
        grown = scaler.groups.restore(levelled, columns.codes, scaler.category_sizes)
        numbers = columns.numbers.copy()
        numbers[:, column] = grown[:, column]
        spiked = score(replace(columns, numbers=numbers))
        assert (np.diff(spiked) >= -TOLERANCE).all()
        assert spiked[-1] > spiked[0] + 10


@pytest.mark.parametrize("path", NUMBERS)
def test_a_big_spike_is_flagged(path: str) -> None:
    column = [feature.path for feature in SCHEMA.numbers].index(path)
    columns = rows()
    columns.numbers[:, column] += 1000 * detector().scaler.spread[column]
    scores = detector().score(columns)
    assert scores.flagged[~np.isnan(columns.numbers[:, column])].all()


@given(
    st.lists(
        st.lists(st.sampled_from((*EXTREMES, np.nan)) | st.floats(allow_infinity=False), min_size=6)
        .map(lambda found: found[:6])
        .filter(lambda found: len(found) == 6),
        min_size=1,
        max_size=20,
    )
)
def test_finite_columns_have_finite_scores_and_no_warnings(numbers: list[list[float]]) -> None:
    """Warnings are errors here."""
    few = rows().take(slice(0, len(numbers)))
    assert is_finite(detector().score(replace(few, numbers=np.array(numbers))))


def test_extreme_values_in_every_combination_have_finite_scores() -> None:
    rng = np.random.default_rng(0)
    columns = rows().take(rng.integers(0, 400, 5000))
    numbers = rng.choice([*EXTREMES, np.nan], size=columns.numbers.shape)
    assert is_finite(detector().score(replace(columns, numbers=numbers)))


def test_missing_values_in_every_combination_have_finite_scores() -> None:
    mask = np.array(list(product([False, True], repeat=8)))
    columns = rows().take(np.zeros(len(mask), dtype=np.intp))
    numbers = np.where(mask[:, :6], np.nan, columns.numbers)
    codes = np.where(mask[:, 6:], MISSING_CODE, columns.codes)
    scores = detector().score(Columns(numbers, codes, columns.watched))
    assert is_finite(scores)
    always = detector().schema.always_there
    assert 0 < always.sum() < 8
    is_watched = [scores.kind(row) == "watched" for row in range(len(scores))]
    np.testing.assert_array_equal(is_watched, (mask & always).any(axis=1))


@pytest.mark.parametrize("path", ["load", "state"])
def test_what_every_record_had_is_a_signal_where_it_is_gone(path: str) -> None:
    """Named as the reason, and scored as a category that was never seen."""
    whole = readings(50, seed=7)
    columns = columns_of([changed(reading, path, None) for reading in whole])
    scores = detector().score(columns)
    assert scores.flagged.all()
    assert {scores.kind(row) for row in range(50)} == {"watched"}
    names = detector().schema.names
    leading = explain(detector(), columns).contributions.argmax(axis=1)
    assert {names[place] for place in leading} == {path}


def test_what_is_gone_for_good_and_accepted_is_no_signal() -> None:
    columns = columns_of(readings(400, seed=7))
    before = detector().score(columns).flagged.mean()
    gone = columns.numbers.copy()
    gone[:, [f.path for f in detector().schema.numbers].index("load")] = SETTLED_NUMBER
    settled = Columns(gone, columns.codes, columns.watched)
    assert detector().score(settled).flagged.mean() < before + 0.05


def test_a_value_that_is_often_missing_is_mostly_not_flagged_where_it_is() -> None:
    without = [changed(reading, "humidity", None) for reading in readings(400, seed=7)]
    assert detector().score(columns_of(without)).flagged.mean() < 0.25


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("state", "exploded"),
        ("mode", "turbo"),
        ("firmware", "1.3"),
        ("firmware", []),
        ("motor.poles", 6),
    ],
)
def test_what_training_never_saw_is_flagged_as_watched(path: str, value: object) -> None:
    scores = detector().score(
        columns_of([changed(reading, path, value) for reading in readings(100, seed=7)])
    )
    assert (scores.score > detector().calibration.threshold).all()
    assert {scores.kind(row) for row in range(100)} == {"watched"}


def test_a_category_that_has_settled_is_no_longer_odd() -> None:
    """All rows have the new one, as after a roll-out: no more are flagged than were asked for."""
    columns, among = rows(), len(SCHEMA.categories)
    for j in range(among):
        settled = columns.codes.copy()
        settled[:, j] = SETTLED_CODE
        scores = detector().score(Columns(columns.numbers, settled, columns.watched))
        assert scores.flagged.mean() <= 0.03


def test_two_such_values_score_higher_than_one() -> None:
    (reading,) = readings(1, seed=7)
    one = changed(reading, "firmware", "1.3")
    two = changed(one, "state", "exploded")
    assert score(columns_of([two]))[0] > score(columns_of([one]))[0]


def test_an_absent_constant_is_no_signal() -> None:
    (reading,) = readings(1, seed=7)
    without = changed(changed(reading, "firmware", None), "motor.poles", None)
    assert score(columns_of([without])) == score(columns_of([reading]))


def test_a_value_that_training_rarely_saw_scores_higher_but_is_no_alarm_alone() -> None:
    north, south = (
        columns_of([changed(reading, "site", site) for reading in readings(400, seed=7)])
        for site in ("north", "south")
    )
    assert (score(south) > score(north)).all()
    share = next(w.other_share for w in detector().schema.watched if w.path == "site")
    assert detector().score(south).flagged.mean() * share < 2 * detector().calibration.alert_rate


def test_only_flagged_rows_have_a_kind() -> None:
    scores = detector().score(columns_of(readings(2000, seed=8)))
    kinds = [scores.kind(row) for row in range(len(scores))]
    assert [kind is not None for kind in kinds] == scores.flagged.tolist()
    assert {kind for kind in kinds if kind is not None} <= set(KINDS)


def test_a_score_beyond_what_the_calibration_shows_is_marked_extrapolated() -> None:
    spike = columns_of([changed(reading, "load", 1e9) for reading in readings(5, seed=7)])
    assert detector().score(spike).extrapolated.all()
    scores = detector().score(rows())
    supported = detector().calibration.score.supported
    np.testing.assert_array_equal(scores.extrapolated, scores.score > supported)
    assert not scores.extrapolated.all()


@pytest.mark.parametrize("rows_at_once", [1, 7, 500])
def test_a_score_does_not_depend_on_the_rows_beside_it(rows_at_once: int) -> None:
    """On the rows that were learned too, which may lie exactly on a centre."""
    table = columns_of(readings(1000, seed=1))
    whole = score(table)
    parts = [
        score(table.take(slice(start, start + rows_at_once)))
        for start in range(0, len(table), rows_at_once)
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-5)
