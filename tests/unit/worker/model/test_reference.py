"""Centres and ellipsoids: distance to what is normal."""

from __future__ import annotations

import numpy as np

from worker.model.reference import Centres, Ellipsoid


def floats32(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_the_nearest_centre_is_that_with_the_least_penalised_distance() -> None:
    centres = Centres(floats32([[0, 0], [10, 0]]), floats32([0, 9]))
    distance, index = centres.nearest(floats32([[3, 4], [10, 4], [10, 0]]))
    assert index.tolist() == [0, 1, 1]
    np.testing.assert_allclose(distance, [5, 5, 3], rtol=1e-6)


def test_a_penalty_can_turn_a_row_to_a_farther_centre() -> None:
    centres = Centres(floats32([[0], [10]]), floats32([100, 0]))
    distance, index = centres.nearest(floats32([[1]]))
    assert index.tolist() == [1]
    np.testing.assert_allclose(distance, [9])


def test_a_row_on_a_centre_is_at_no_distance_whatever_was_rounded() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32) * 100
    distance, index = Centres(rows, np.zeros(50, np.float32)).nearest(rows)
    assert index.tolist() == list(range(50))
    assert (distance < 0.5).all()


def test_distances_are_those_of_a_plain_search() -> None:
    rng = np.random.default_rng(1)
    rows, centres = (rng.normal(size=(n, 7)).astype(np.float32) for n in (40, 9))
    penalty = rng.uniform(0, 2, size=9).astype(np.float32)
    squares = ((rows[:, None, :] - centres[None]) ** 2).sum(axis=2) + penalty
    distance, index = Centres(centres, penalty).nearest(rows)
    np.testing.assert_allclose(distance, np.sqrt(squares.min(axis=1)), rtol=1e-4)
    assert index.tolist() == squares.argmin(axis=1).tolist()


def test_each_strength_of_the_penalties_has_a_search_of_its_own() -> None:
    centres = Centres(floats32([[0], [10]]), floats32([100, 0]))
    bare, once, twice = centres.distances(floats32([[1], [7]]), (0.0, 1.0, 2.0))
    np.testing.assert_allclose(bare, [1, 3])
    np.testing.assert_allclose(once, [9, 3])
    np.testing.assert_allclose(twice, once)
    np.testing.assert_array_equal(once, centres.nearest(floats32([[1], [7]]))[0])


def test_an_ellipsoid_measures_in_deviations() -> None:
    ellipsoid = Ellipsoid(floats32([1, 1]), floats32([[0.5, 0], [0, 0.1]]))
    distance = ellipsoid.distance(floats32([[1, 1], [3, 1], [1, 31], [3, 11]]))
    np.testing.assert_allclose(distance, [0, 1, 3, np.sqrt(2)], rtol=1e-6)
    assert distance.dtype == np.float64
