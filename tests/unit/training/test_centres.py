"""Centres of normal rows and the ellipsoid of their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.centres import fit_centres, fit_ellipsoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats32 = NDArray[np.float32]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def blobs(rows: int, spread: float = 0.1, seed: int = 1) -> Floats32:
    """Rows around four corners of a square."""
    draw = np.random.default_rng(seed)
    corners = np.array([[0, 0], [0, 10], [10, 0], [10, 10]], dtype=np.float32)
    rows_at = corners[draw.integers(0, 4, rows)] + draw.normal(scale=spread, size=(rows, 2))
    return rows_at.astype(np.float32)


class TestCentres:
    def test_every_blob_has_a_centre(self) -> None:
        centres = fit_centres(blobs(1000), 16, rng())
        corners = np.array([[0, 0], [0, 10], [10, 0], [10, 10]], dtype=np.float32)
        apart = np.linalg.norm(corners[:, None] - centres.centres[None], axis=2)
        assert (apart.min(axis=1) < 0.5).all()

    def test_a_row_far_from_all_lies_farther_than_any_normal_one(self) -> None:
        centres = fit_centres(blobs(1000), 16, rng())
        normal, _ = centres.nearest(blobs(1000, seed=2))
        odd, _ = centres.nearest(np.array([[5, 5], [30, 30]], dtype=np.float32))
        assert odd.min() > normal.max()

    def test_lonely_rows_explain_little(self) -> None:
        """A centre that a few anomalies among the rows have for themselves is penalised."""
        rows = blobs(1000)
        rows[:3] = np.array([[100, 100], [100, 100.1], [100.1, 100]])
        centres = fit_centres(rows, 200, rng())
        at_anomaly, _ = centres.nearest(np.array([[100, 100]], dtype=np.float32))
        normal, _ = centres.nearest(blobs(1000, seed=2))
        assert at_anomaly[0] > normal.max()

    def test_the_same_rows_and_seed_give_the_same_centres(self) -> None:
        first, second = (fit_centres(blobs(500), 16, rng()) for _ in range(2))
        assert (first.centres == second.centres).all()
        assert (first.penalty == second.penalty).all()

    @pytest.mark.parametrize("rows", [1, 2, 5, 16])
    def test_few_rows_are_their_own_centres(self, rows: int) -> None:
        found = fit_centres(blobs(rows), 16, rng())
        assert (found.centres == blobs(rows)).all()
        assert np.isfinite(found.penalty).all()
        assert (found.penalty >= 0).all()

    def test_rows_that_are_all_alike_have_centres_without_distance(self) -> None:
        rows = np.ones((300, 3), dtype=np.float32)
        distance, _ = fit_centres(rows, 16, rng()).nearest(rows)
        assert distance.max() < 1e-3

    def test_a_centre_without_rows_stays_where_it_was(self) -> None:
        rows = np.repeat(np.array([[0.0], [1.0]], dtype=np.float32), 50, axis=0)
        assert set(fit_centres(rows, 8, rng()).centres[:, 0].tolist()) == {0.0, 1.0}

    def test_more_rows_than_are_searched_at_once_are_all_used(self) -> None:
        rows = np.linspace(0, 1, 5000, dtype=np.float32)[:, None]
        found = np.sort(fit_centres(rows, 4, rng()).centres[:, 0])
        assert found[0] < 0.3
        assert found[-1] > 0.7


class TestEllipsoid:
    def test_distances_of_gaussian_codes_do_not_depend_on_scale_and_direction(self) -> None:
        codes = np.random.default_rng(1).normal(size=(4000, 3)).astype(np.float32)
        mixed = codes @ np.array([[3, 1, 0], [0, 1, 0], [0, 2, 5]], dtype=np.float32) + 7
        ratio = fit_ellipsoid(mixed).distance(mixed) / fit_ellipsoid(codes).distance(codes)
        assert float(np.quantile(ratio, 0.9) / np.quantile(ratio, 0.1)) < 1.3

    def test_anomalies_among_the_codes_do_not_widen_it(self) -> None:
        codes = np.random.default_rng(1).normal(size=(1000, 3)).astype(np.float32)
        dirty = codes.copy()
        dirty[:100] += 50
        clean, found = fit_ellipsoid(codes), fit_ellipsoid(dirty)
        assert np.abs(found.mean - clean.mean).max() < 0.2
        assert found.distance(dirty[:100]).min() > 2 * found.distance(codes).max()

    def test_unused_dimensions_stay_finite(self) -> None:
        codes = np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)
        codes[:, 2:] = 0
        assert np.isfinite(fit_ellipsoid(codes).distance(codes)).all()

    def test_codes_that_are_all_alike_have_no_distance(self) -> None:
        codes = np.full((100, 3), 2.5, dtype=np.float32)
        assert fit_ellipsoid(codes).distance(codes).max() < 1e-3

    def test_new_rows_lie_about_as_far_as_those_it_was_fitted_to_however_few(self) -> None:
        """Or all new rows would look odd: 60 rows of 40 numbers hardly show a scatter."""
        draw = np.random.default_rng(1).normal(size=(600, 40)).astype(np.float32)
        found = fit_ellipsoid(draw[:60])
        assert np.median(found.distance(draw[60:])) < 1.5 * np.median(found.distance(draw[:60]))

    def test_a_code_of_one_dimension_is_enough(self) -> None:
        codes = np.random.default_rng(1).normal(size=(500, 1)).astype(np.float32)
        distance = fit_ellipsoid(codes).distance(np.array([[0], [10]], dtype=np.float32))
        assert distance[0] < 1
        assert distance[1] > 5
