"""Numbers on the level of their group, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worker.model.groups import Groups, cell_count, cells
from worker.model.schema import MISSING_CODE, SETTLED_CODE

SIZES = (2, 3)
MAX = float(np.finfo(np.float64).max)


def groups() -> Groups:
    """Number 1 has groups by the first category, number 2 by both; filled up to 12 groups."""
    both = np.arange(12.0)
    return Groups(
        columns=np.array([1, 2]),
        by=np.array([[0, 2], [0, 1]]),
        centre=np.array([[10.0, 1000.0, 500.0, *[0.0] * 9], 100 * both]),
        spread=np.array([[1.0, 50.0, 200.0, *[1.0] * 9], 1 + both]),
    )


def test_each_number_is_its_deviation_from_its_group() -> None:
    numbers = np.array([[7.0, 12.0, 103.0], [7.0, 1200.0, 600.0]])
    levelled = groups().level(numbers, np.array([[0, 1], [1, 2]]), SIZES)
    np.testing.assert_allclose(levelled, np.array([[7, 2, 1.5], [7, 4, 0]]))


@pytest.mark.parametrize("code", [MISSING_CODE, SETTLED_CODE, 2, 1 << 30])
def test_a_code_that_training_did_not_know_has_the_figures_of_the_others(code: int) -> None:
    levelled = groups().level(np.array([[0.0, 900.0, 0.0]]), np.array([[code, 0]]), SIZES)
    assert levelled[0, 1] == 2


def test_the_numbers_come_back_for_every_group() -> None:
    codes = np.array([[a, b] for a in (-2, -1, 0, 1, 9) for b in (-1, 0, 1, 2, 3)])
    numbers = np.random.default_rng(0).lognormal(0, 3, size=(len(codes), 3))
    numbers[3] = math.nan
    levelled = groups().level(numbers, codes, SIZES)
    np.testing.assert_allclose(groups().restore(levelled, codes, SIZES), numbers, atol=1e-9)


def test_a_unit_is_what_one_deviation_is() -> None:
    codes = np.array([[0, 0], [1, 2]])
    units = groups().units(codes, SIZES, 3)
    shifted = groups().restore(np.ones((2, 3)), codes, SIZES)
    np.testing.assert_array_equal(shifted - groups().restore(np.zeros((2, 3)), codes, SIZES), units)


def test_a_larger_number_is_larger_within_its_group_and_finite_at_both_ends() -> None:
    small = Groups(
        np.array([0]), np.array([[0, 2]]), np.array([[-1e308, 0, 0]]), np.full((1, 3), 1e-300)
    )
    numbers = np.array([[-MAX], [-1e9], [0.0], [1e-9], [3.0], [MAX]])
    for code in (0, 1, 2):
        levelled = small.level(numbers, np.full((6, 2), code), SIZES)
        assert np.isfinite(levelled).all()
        assert (levelled[1:, 0] >= levelled[:-1, 0]).all()
    wide = Groups(small.columns, small.by, small.centre, np.full((1, 3), 1e300))
    back = wide.restore(np.array([[1e300], [-1e300]]), np.zeros((2, 2), dtype=np.int64), SIZES)
    assert back[:, 0].tolist() == [MAX, -MAX]


def test_two_categories_make_a_group_for_each_pair_and_for_what_is_not_known() -> None:
    by = np.array([0, 1])
    codes = np.array([[a, b] for a in (0, 1, -1) for b in (0, 1, 2, -1)])
    assert cells(codes, by, SIZES).tolist() == list(range(12))
    assert cell_count(by, SIZES) == 12
    assert cell_count(np.array([1, 2]), SIZES) == 4


def test_without_groups_nothing_is_copied() -> None:
    numbers, codes = np.zeros((2, 1)), np.zeros((2, 0), dtype=np.int64)
    assert Groups().level(numbers, codes, ()) is numbers
    assert Groups().restore(numbers, codes, ()) is numbers
