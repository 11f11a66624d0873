"""The scaler that training fits."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from training.scales import KNOTS_MAX, fit_scaler
from worker.model.schema import MISSING_CODE, Columns, Feature, FeatureSchema

ROWS = 2000
RNG = np.random.default_rng(7)
GAUSSIAN = RNG.normal(size=ROWS)
HEAVY = RNG.lognormal(0, 2, size=ROWS)


def schema(numbers: int, categories: int = 0) -> FeatureSchema:
    return FeatureSchema(
        features=(
            *(Feature(path=f"n{i}", kind="number") for i in range(numbers)),
            *(
                Feature(path=f"c{i}", kind="category", categories=("a", "b", "c"))
                for i in range(categories)
            ),
        )
    )


def columns(*numbers: np.ndarray, codes: np.ndarray | None = None) -> Columns:
    table = np.column_stack(numbers) if numbers else np.empty((len(codes or ()), 0))
    texts = np.empty((len(table), 0), dtype=np.int64) if codes is None else codes
    return Columns(table, texts, np.empty((len(table), 0), dtype=np.int64))


class TestView:
    def test_a_number_is_centred_and_scaled_to_deviation_one(self) -> None:
        table = columns(50 + 3 * GAUSSIAN)
        view = fit_scaler(table, schema(1)).view(table)
        assert float(view.mean()) == pytest.approx(0, abs=1e-5)
        assert float(view.std()) == pytest.approx(1, abs=1e-5)

    def test_small_changes_of_large_numbers_survive(self) -> None:
        table = columns(33.6e9 + 1000 * GAUSSIAN)
        view = fit_scaler(table, schema(1)).view(table)
        assert len(np.unique(view)) > 0.99 * ROWS

    def test_only_heavy_tails_go_to_their_quantile_form(self) -> None:
        scaler = fit_scaler(columns(GAUSSIAN, HEAVY, -HEAVY), schema(3))
        assert scaler.heavy.tolist() == [1, 2]

    def test_the_quantile_form_is_gaussian(self) -> None:
        table = columns(HEAVY)
        view = fit_scaler(table, schema(1)).view(table)
        normal = statistics.NormalDist()
        for quantile in (0.05, 0.25, 0.5, 0.75, 0.95):
            found = float(np.quantile(view, quantile))
            assert found == pytest.approx(normal.inv_cdf(quantile), abs=0.02)

    def test_the_quantile_form_keeps_the_order_beyond_the_data(self) -> None:
        scaler = fit_scaler(columns(HEAVY), schema(1))
        values = np.array([-1e6, -1, 0, 1, HEAVY.max(), 2 * HEAVY.max(), 1e9, 1e300])
        view = scaler.view(columns(values))
        assert (np.diff(view[:, 0]) > 0).all()

    def test_knots_are_bounded_and_hold_both_ends(self) -> None:
        scaler = fit_scaler(columns(HEAVY, RNG.integers(0, 3, ROWS) ** 9.0), schema(2))
        assert scaler.knots.shape[1] <= KNOTS_MAX
        assert (scaler.knots[0, 0], scaler.knots[0, -1]) == (HEAVY.min(), HEAVY.max())

    def test_two_values_never_make_a_heavy_tail(self) -> None:
        rare = np.zeros(ROWS)
        rare[:3] = 1
        assert fit_scaler(columns(rare), schema(1)).heavy.tolist() == []

    def test_maps_of_different_length_share_a_table(self) -> None:
        few = np.zeros(ROWS)
        few[:6] = [1, 1, 2, 2, 3, 3]
        scaler = fit_scaler(columns(HEAVY, few), schema(2))
        assert scaler.heavy.tolist() == [0, 1]
        assert scaler.knots[1, :4].tolist() == [0, 1, 2, 3]
        assert set(scaler.knots[1, 4:].tolist()) == {3}


class TestEdges:
    def test_a_column_that_does_not_vary_stays_finite(self) -> None:
        table = columns(np.full(ROWS, 7.0), np.full(ROWS, 1e12))
        scaler = fit_scaler(table, schema(2))
        assert (scaler.view(table) == 0).all()

    @pytest.mark.parametrize("value", [0.0, 7.0, -1e12, 3e-7])
    def test_any_change_of_a_number_that_never_changed_is_a_jump(self, value: float) -> None:
        scaler = fit_scaler(columns(np.full(ROWS, value)), schema(1))
        changed = columns(np.array([value, value + 0.01 * (abs(value) or 1), -value - 1]))
        view = scaler.view(changed)
        assert abs(view[0, 0]) < 1e-3
        assert abs(view[1, 0]) > 9
        assert abs(view[2, 0]) > abs(view[1, 0])

    @pytest.mark.parametrize("rows", [100, ROWS])
    @pytest.mark.parametrize("absurd", [1e30, -1e308, 1e6])
    def test_one_absurd_value_does_not_make_the_others_alike(
        self, rows: int, absurd: float
    ) -> None:
        values = GAUSSIAN[:rows].copy()
        values[3] = absurd
        view = fit_scaler(columns(values), schema(1)).view(columns(GAUSSIAN[:rows]))
        assert 0.3 < float(view.std()) <= 1

    def test_one_absurd_value_does_not_hide_a_change_of_what_is_else_constant(self) -> None:
        values = np.zeros(ROWS)
        values[3] = 1e30
        view = fit_scaler(columns(values), schema(1)).view(columns(np.array([0.0, 5.0])))
        assert float(view[1, 0] - view[0, 0]) > 9

    def test_columns_near_the_end_of_a_double_stay_finite(self) -> None:
        table = columns(np.where(GAUSSIAN > 0, 1e308, -1e308))
        scaler = fit_scaler(table, schema(1))
        assert np.isfinite(scaler.centre).all()
        assert np.isfinite(scaler.spread).all()
        assert np.isfinite(scaler.view(table)).all()

    def test_one_row_is_enough(self) -> None:
        table = columns(np.array([4.0]))
        assert fit_scaler(table, schema(1)).centre.tolist() == [4]

    def test_missing_values_count_neither_for_mean_nor_for_deviation(self) -> None:
        with_gaps = 5 + GAUSSIAN
        with_gaps[::2] = math.nan
        scaler = fit_scaler(columns(with_gaps), schema(1))
        assert scaler.centre[0] == pytest.approx(5 + GAUSSIAN[1::2].mean())
        assert scaler.spread[0] == pytest.approx(GAUSSIAN[1::2].std())


class TestMasks:
    @pytest.mark.parametrize(
        ("missing", "masked"), [(0, []), (1, []), (2, [0]), (1000, [0]), (1998, [0]), (1999, [])]
    )
    def test_being_missing_is_input_where_it_is_neither_never_nor_always(
        self, missing: int, masked: list[int]
    ) -> None:
        numbers = GAUSSIAN.copy()
        numbers[:missing] = math.nan
        assert fit_scaler(columns(numbers), schema(1)).masked.tolist() == masked

    def test_categories_come_after_numbers(self) -> None:
        codes = np.zeros((ROWS, 2), dtype=np.int64)
        codes[::5, 1] = MISSING_CODE
        scaler = fit_scaler(columns(GAUSSIAN, codes=codes), schema(1, categories=2))
        assert scaler.masked.tolist() == [2]
        assert scaler.width == 1 + 3 + 3 + 1
        assert scaler.owner.tolist() == [0, 1, 1, 1, 2, 2, 2, 2]
