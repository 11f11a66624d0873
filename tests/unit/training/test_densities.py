"""Counting how often a column takes which value."""

from __future__ import annotations

import numpy as np
import pytest

from training.densities import POINTS_MAX, UNSEEN, fit_marginals

RNG = np.random.default_rng(0)
ROWS = 4000


def floats32(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_values_have_the_share_of_rows_that_have_them() -> None:
    rows = floats32([[0]] * 90 + [[1]] * 10)
    found = fit_marginals(rows, 1).by_column(floats32([[0], [1], [0.5]]))[:, 0]
    shares = (np.array([90, 10, 0]) + UNSEEN) / 100
    np.testing.assert_allclose(found, -np.log(shares), rtol=1e-5)


def test_a_gap_inside_of_the_data_is_as_rare_as_what_lies_outside() -> None:
    two_states = np.concatenate([RNG.normal(-5, 0.3, ROWS), RNG.normal(5, 0.3, ROWS)])
    gap, outside, inside = fit_marginals(floats32(two_states[:, None]), 1).summed(
        floats32([[0], [30], [5]])
    )
    assert gap == pytest.approx(outside)
    assert gap > inside + 5


def test_a_column_that_never_changed_is_rare_as_soon_as_it_does() -> None:
    marginals = fit_marginals(np.full((400, 1), 3, np.float32), 1)
    same, changed = marginals.summed(floats32([[3], [4]]))
    assert same == 0
    assert changed == pytest.approx(-np.log(UNSEEN / 400), rel=1e-5)


@pytest.mark.parametrize(("rows", "points"), [(1, 2), (100, 10), (50_000, POINTS_MAX)])
def test_few_rows_have_few_points(rows: int, points: int) -> None:
    table = RNG.normal(size=(rows, 2)).astype(np.float32)
    assert fit_marginals(table, 2).rarities.shape == (2, points + 2)


def test_the_unit_of_whole_numbers_does_not_move_them_to_another_bin() -> None:
    whole = RNG.poisson(12, ROWS).astype(np.float64)[:, None]
    new = np.arange(40.0)[:, None]
    as_is = fit_marginals(floats32(whole), 1).summed(floats32(new))
    scaled = fit_marginals(floats32(whole * 0.3048), 1).summed(floats32(new * 0.3048))
    np.testing.assert_allclose(scaled, as_is, atol=1e-3)


def test_only_the_columns_asked_for_are_counted() -> None:
    table = RNG.normal(size=(100, 3)).astype(np.float32)
    assert fit_marginals(table, 2).rarities.shape[0] == 2
