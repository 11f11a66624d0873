"""Curves from raw values of normal rows to how rare they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.tails import KNOTS_MAX, SHORT_TAIL_KNOTS, fit_curve, fit_exponential_curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Draw = Callable[[np.random.Generator, int], Floats]

DRAWS: dict[str, Draw] = {
    "normal": lambda rng, n: np.abs(rng.normal(size=n)),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "gamma": lambda rng, n: rng.gamma(4.0, size=n),
    "heavy": lambda rng, n: rng.pareto(4.0, size=n),
}
ROWS = 4000
NEW = 200_000


def draws(kind: str, rows: int, seed: int = 0) -> Floats:
    return DRAWS[kind](np.random.default_rng(seed), rows)


def share_above(curve: Callable[[Floats], Floats], values: Floats, rarity: float) -> float:
    return float((curve(values) >= rarity).mean())


class TestRarity:
    @pytest.mark.parametrize("kind", DRAWS)
    @pytest.mark.parametrize("seed", range(3))
    def test_one_new_value_in_a_hundred_is_as_rare_as_that(self, kind: str, seed: int) -> None:
        curve = fit_curve(draws(kind, ROWS, seed))
        found = share_above(curve, draws(kind, NEW, seed=100), 2)
        assert found == pytest.approx(1e-2, rel=0.5)

    @pytest.mark.parametrize("kind", DRAWS)
    def test_one_in_a_thousand_too_where_the_tail_was_extrapolated(self, kind: str) -> None:
        new = draws(kind, NEW, seed=100)
        found = [share_above(fit_curve(draws(kind, ROWS, seed)), new, 3) for seed in range(9)]
        assert 1e-3 / 3 <= float(np.median(found)) <= 2e-3
        assert min(found) >= 1e-3 / 4
        assert max(found) <= 3e-3

    @pytest.mark.parametrize("kind", DRAWS)
    def test_the_body_is_uniform(self, kind: str) -> None:
        tail = 10 ** -fit_curve(draws(kind, ROWS))(draws(kind, NEW, seed=100))
        ordered = np.sort(tail)
        apart = np.abs(ordered - np.linspace(0, 1, len(ordered)))
        assert float(apart.max()) < 1.95 / np.sqrt(ROWS) + 1e-3  # Kolmogorov-Smirnov at 0.1 %

    def test_an_exponential_curve_gives_ranks_of_new_values_too(self) -> None:
        curve = fit_exponential_curve(draws("exponential", ROWS))
        found = share_above(curve, draws("exponential", NEW, seed=100), 3)
        assert found == pytest.approx(1e-3, rel=0.5)
        assert curve.shape == 0


class TestContamination:
    @pytest.mark.parametrize("kind", ["normal", "exponential", "gamma"])
    @pytest.mark.parametrize("size", [50.0, 1e6, 1e12])
    def test_a_few_huge_values_do_not_move_the_curve(self, kind: str, size: float) -> None:
        clean = draws(kind, ROWS)
        dirty = clean.copy()
        dirty[:: ROWS // 10] = size  # ten of 4000
        at = np.quantile(clean, 0.999) * np.array([1, 1.5, 2])
        curve = fit_curve(dirty)
        assert curve(at) == pytest.approx(fit_curve(clean)(at), rel=0.25)
        assert curve(np.array([size]))[0] > 6

    def test_how_huge_they_are_makes_no_difference(self) -> None:
        curves = []
        for size in (1e2, 1e9):
            values = draws("gamma", ROWS)
            values[:10] = size
            curves.append(fit_curve(values))
        assert (curves[0].shape, curves[0].scale) == (curves[1].shape, curves[1].scale)

    def test_a_handful_of_many_rows_sets_no_threshold(self) -> None:
        dirty = draws("normal", 40_000)
        dirty[:40] = 50.0
        assert fit_curve(dirty)(np.array([50.0]))[0] > 5


class TestManyRows:
    """What fifty of them show is believed."""

    @staticmethod
    def with_mode(rows: int, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        is_rare = rng.random(rows) < 0.003
        return np.where(is_rare, 30 + rng.normal(size=rows), np.abs(rng.normal(size=rows)))

    @pytest.mark.parametrize("rarity", [2.0, 2.5, 2.9, 4.0])
    def test_a_rare_kind_of_normal_rows_is_as_rare_as_it_is(self, rarity: float) -> None:
        curve = fit_curve(self.with_mode(40_000, seed=0))
        found = share_above(curve, self.with_mode(NEW, seed=100), rarity)
        assert found <= 1.3 * 10**-rarity

    @pytest.mark.parametrize("kind", DRAWS)
    def test_the_least_rate_that_is_shown_is_what_comes(self, kind: str) -> None:
        curve = fit_curve(draws(kind, 40_000))
        found = share_above(curve, draws(kind, NEW, seed=100), curve.supported)
        assert found == pytest.approx(50 / 40_000, rel=0.4)


class TestAtoms:
    """Values that many rows share, told apart by nothing but the noise of single precision."""

    LEVELS = np.array([0.0, 0.004, 0.3, 1.7])
    NOISE = 1e-6

    def values(self, seed: int, rows: int = ROWS) -> Floats:
        rng = np.random.default_rng(seed)
        return rng.choice(self.LEVELS, rows, p=[0.5, 0.3, 0.15, 0.05]) + self.NOISE * rng.random(
            rows
        )

    @pytest.mark.parametrize("fit", [fit_curve, fit_exponential_curve])
    def test_noise_changes_no_rarity(
        self, fit: Callable[[Floats], Callable[[Floats], Floats]]
    ) -> None:
        curve = fit(self.values(seed=0))
        rarities = [curve(self.LEVELS + off * self.NOISE) for off in (-2, 0, 1, 3)]
        np.testing.assert_allclose(rarities, [rarities[1]] * 4, rtol=0, atol=1e-3)
        assert rarities[1][:3] == pytest.approx(-np.log10([1, 0.5, 0.2]), abs=0.05)

    @pytest.mark.parametrize("fit", [fit_curve, fit_exponential_curve])
    def test_a_jump_is_clear_and_no_more_than_that(
        self, fit: Callable[[Floats], Callable[[Floats], Floats]]
    ) -> None:
        curve = fit(self.values(seed=0))
        hair, jump = curve(np.array([1.701, 40.0]))
        assert hair < np.log10(ROWS + 1)
        assert 5 < jump < 1000

    @pytest.mark.parametrize("fit", [fit_curve, fit_exponential_curve])
    def test_one_value_and_its_noise(
        self, fit: Callable[[Floats], Callable[[Floats], Floats]]
    ) -> None:
        noise = self.NOISE * np.random.default_rng(0).random(ROWS)
        curve = fit(noise)
        assert (curve(noise) < 1e-2).all()
        assert curve(np.array([1.0]))[0] > 5


class TestShape:
    @pytest.mark.parametrize("fit", [fit_curve, fit_exponential_curve])
    @pytest.mark.parametrize("kind", DRAWS)
    @pytest.mark.parametrize("rows", [1, 2, 5, 20, 100, ROWS])
    def test_it_rises_strictly_far_beyond_the_data(
        self, fit: Callable[[Floats], Callable[[Floats], Floats]], kind: str, rows: int
    ) -> None:
        values = draws(kind, rows)
        curve = fit(values)
        at = values.max() + np.geomspace(1e-3, 1e9, 200)
        rarity = curve(at)
        assert (np.diff(rarity) > 0).all()
        assert np.isfinite(rarity).all()
        assert rarity.min() >= 0

    @pytest.mark.parametrize("kind", DRAWS)
    def test_it_rises_strictly_within_the_data_and_below(self, kind: str) -> None:
        curve = fit_curve(draws(kind, ROWS))
        inside = np.linspace(curve.values[0], curve.values[-1], 500)
        assert (np.diff(curve(inside)) > 0).all()
        assert curve(np.array([-1e9]))[0] == pytest.approx(0)

    @pytest.mark.parametrize("kind", DRAWS)
    def test_it_has_no_step_where_the_tail_begins(self, kind: str) -> None:
        curve = fit_curve(draws(kind, ROWS))
        end = curve.values[-1]
        below, above = curve(np.array([end, end * (1 + 1e-12)]))
        assert above == pytest.approx(below, abs=1e-6)

    def test_a_heavy_tail_has_a_larger_shape_than_a_light_one(self) -> None:
        heavy, light = fit_curve(draws("heavy", ROWS)), fit_curve(draws("normal", ROWS))
        assert heavy.shape > 0.1 > light.shape

    @pytest.mark.parametrize("fit", [fit_curve, fit_exponential_curve])
    @pytest.mark.parametrize("value", [0.0, 7.0, 1e12])
    def test_rows_that_are_all_alike_make_everything_above_them_rare(
        self, fit: Callable[[Floats], Callable[[Floats], Floats]], value: float
    ) -> None:
        curve = fit(np.full(200, value))
        usual, other = curve(np.array([value, value + 1 + value]))
        assert usual < 0.01
        assert other > 5

    def test_it_says_how_many_rows_support_it(self) -> None:
        curve = fit_curve(draws("normal", 1000))
        assert curve.rows == 1000
        assert curve.supported == pytest.approx(-np.log10(0.005))

    def test_its_knots_are_bounded_whatever_the_rows(self) -> None:
        curve = fit_curve(draws("gamma", 50_000))
        assert len(curve.values) <= KNOTS_MAX + SHORT_TAIL_KNOTS
        assert curve.rarities[-1] > 2
