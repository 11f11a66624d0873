"""Columns to the network's input and back."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.machines import SCHEMA, columns_of, detector, readings
from worker.model.scaler import SOFT_CLIP, Scaler, soft_clip, soft_unclip
from worker.model.schema import MISSING_CODE, SETTLED_CODE, Columns

NAN = math.nan


def scaler() -> Scaler:
    """Two numbers, the second heavy-tailed; a category of two; masks for number 0 and it."""
    return Scaler(
        centre=np.array([10.0, 0.0, 0.5, 0.25, 0.1, 0.1]),
        spread=np.array([2.0, 1.0, 0.5, 0.5, 0.1, 0.1]),
        heavy=np.array([1]),
        knots=np.array([[0.0, 1.0, 100.0]]),
        levels=np.array([[-2.0, 0.0, 2.0]]),
        masked=np.array([0, 2]),
        category_sizes=(2,),
    )


def columns(numbers: list[list[float]], codes: list[list[int]]) -> Columns:
    return Columns(np.array(numbers), np.array(codes), np.zeros((len(codes), 0), dtype=np.int64))


def test_each_input_column_belongs_to_a_feature() -> None:
    assert scaler().owner.tolist() == [0, 1, 2, 2, 0, 2]
    assert (scaler().number_count, scaler().width) == (2, 6)


def test_raw_holds_values_one_hots_and_masks() -> None:
    raw = scaler().raw(columns([[1, 2], [NAN, 3], [4, 5]], [[1], [0], [MISSING_CODE]]))
    expected = [[1, 2, 0, 1, 0, 0], [NAN, 3, 1, 0, 1, 0], [4, 5, 0, 0, 0, 1]]
    np.testing.assert_array_equal(raw, expected)


def test_an_unseen_category_is_neither_of_the_known_ones_nor_missing() -> None:
    assert scaler().raw(columns([[1, 2]], [[7]]))[0, 2:].tolist() == [0, 0, 0, 0]


def test_a_category_that_has_settled_stands_at_the_centre() -> None:
    view = scaler().view(columns([[1, 2]], [[SETTLED_CODE]]))
    assert view[0, 2:4].tolist() == [0, 0]


def test_a_missing_number_stands_at_the_centre() -> None:
    assert scaler().view(columns([[NAN, NAN]], [[0]]))[0, :2].tolist() == [0, 0]


def test_only_the_heavy_column_is_in_quantiles() -> None:
    view = scaler().view(columns([[14, 1], [14, 50.5]], [[0], [1]]))
    assert view[0].tolist() == [2, 0, 1, -0.5, -1, -1]
    assert view[:, 1].tolist() == [0, 1]


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_quantiles_values_grow_by_the_logarithm(sign: int) -> None:
    value = 100 + (math.e - 1) if sign > 0 else -(math.e - 1)
    t_view = scaler().view(columns([[10, value]], [[0]]))
    np.testing.assert_allclose(t_view[0, 1], sign * 3, rtol=1e-6)


def test_soft_clip_keeps_order_sign_and_the_middle() -> None:
    z = np.array([-1e308, -20.0, -SOFT_CLIP, -1.0, 0.0, SOFT_CLIP, 6.0, 1e308])
    clipped = soft_clip(z)
    assert (np.diff(clipped) > 0).all()
    assert clipped[2:6].tolist() == [-SOFT_CLIP, -1.0, 0.0, SOFT_CLIP]
    np.testing.assert_allclose(clipped[6], SOFT_CLIP + math.log(2))


def test_soft_unclip_is_its_inverse() -> None:
    z = np.array([-1e12, -7.0, -3.0, 0.0, 5.0, 8.0, 1e12])
    np.testing.assert_allclose(soft_unclip(soft_clip(z)), z, rtol=1e-9)


def test_values_and_categories_come_back_from_their_view() -> None:
    before = columns([[12, 0.5], [7, 70.0], [90, 3000.0], [9, -40.0]], [[0], [1], [1], [0]])
    t_view = scaler().view(before)
    np.testing.assert_allclose(
        scaler().numbers_from(t_view, before.codes), before.numbers, rtol=1e-4
    )
    assert scaler().categories_from(t_view).tolist() == before.codes.tolist()


def test_a_fitted_scaler_gives_real_readings_back() -> None:
    before = columns_of(readings(200, seed=5))
    fitted = detector().scaler
    t_view = fitted.view(before)
    present = ~np.isnan(before.numbers)
    found = fitted.numbers_from(t_view, before.codes)
    error = np.abs(found - before.numbers) / fitted.deviations(before.codes)
    assert error[present].max() < 1e-3
    known = before.codes[:, 0] != MISSING_CODE
    np.testing.assert_array_equal(fitted.categories_from(t_view)[known, 0], before.codes[known, 0])


@pytest.mark.parametrize("reach", [40.0, 700.0, 3e38])
@pytest.mark.parametrize("spread", [1.0, 1e300])
def test_the_farthest_views_stand_for_finite_values(reach: float, spread: float) -> None:
    wide = replace(scaler(), spread=scaler().spread * spread)
    t_view = np.array([[reach] * 6, [-reach] * 6], dtype=np.float32)
    numbers = wide.numbers_from(t_view, np.zeros((2, 1), dtype=np.int64))
    assert np.isfinite(numbers).all()
    assert (numbers[0] > numbers[1]).all()


def test_a_schema_of_numbers_alone_needs_no_copy() -> None:
    plain = Scaler(
        centre=np.zeros(1),
        spread=np.ones(1),
        heavy=np.empty(0, np.int64),
        knots=np.empty((0, 1)),
        levels=np.empty((0, 1)),
        masked=np.empty(0, np.int64),
        category_sizes=(),
    )
    rows = columns([[1.0]], [[]])
    assert plain.raw(rows) is rows.numbers
    assert plain.categories_from(np.zeros((1, 1), np.float32)).shape == (1, 0)


def test_the_machine_has_every_kind_of_column() -> None:
    """What the tests of the model lean on."""
    fitted = detector().scaler
    assert [SCHEMA.numbers[j].path for j in fitted.heavy] == ["load"]
    assert fitted.masked.tolist() == [4, 7]
    assert [SCHEMA.numbers[j].path for j in fitted.groups.columns] == ["load"]
