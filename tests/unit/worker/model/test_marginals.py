"""Looking up how rare a value is by itself."""

from __future__ import annotations

import numpy as np

from worker.model.marginals import Marginals


def floats32(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def marginals() -> Marginals:
    """The first column has points at 10 and 12, the second at 0 and 1; 9 is where nothing was."""
    rarities = floats32([[9, 1, 3, 9], [9, 0, 4, 9]])
    return Marginals(floats32([10, 0]), floats32([2, 1]), rarities)


def test_points_have_their_rarity_and_what_lies_between_is_linear() -> None:
    found = marginals().by_column(floats32([[10, 0], [12, 1], [11, 0.25]]))
    np.testing.assert_allclose(found, floats32([[1, 0], [3, 4], [2, 1]]))


def test_beyond_the_points_a_value_is_as_rare_as_what_never_was() -> None:
    found = marginals().by_column(floats32([[8, -1], [14, 2], [-1e30, 1e30], [9, 1.5]]))
    np.testing.assert_allclose(found, floats32([[9, 9], [9, 9], [9, 9], [5, 6.5]]))


def test_columns_after_those_that_were_counted_are_left_out() -> None:
    rows = floats32([[10, 1, 1e30], [12, 0, -5]])
    np.testing.assert_allclose(marginals().summed(rows), [5, 3])


def test_a_rarity_does_not_depend_on_the_rows_beside_it() -> None:
    rows = np.random.default_rng(0).normal(10, 3, (50, 2)).astype(np.float32)
    alone = np.concatenate([marginals().summed(rows[i : i + 1]) for i in range(50)])
    np.testing.assert_array_equal(marginals().summed(rows), alone)
