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


class TestUnits:
    """A number is the same number in another unit."""

    SHAPES = (
        pytest.param(GAUSSIAN, id="around zero"),
        pytest.param(2 + 0.1 * GAUSSIAN, id="beside zero"),
        pytest.param(1 + 1e-7 * GAUSSIAN, id="hardly moving"),
        pytest.param(HEAVY, id="heavy"),
        pytest.param(np.where(np.arange(ROWS) == 7, 1e9, GAUSSIAN), id="one absurd"),
        pytest.param(np.where(GAUSSIAN > 1.5, HEAVY, 0.0), id="mostly zero"),
    )

    @pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-37, 2.0**40, 2.0**900])
    @pytest.mark.parametrize("values", SHAPES)
    def test_the_view_does_not_depend_on_it(self, values: np.ndarray, unit: float) -> None:
        asked = np.append(values, [3 * values.max(), -values.max()])
        plain = fit_scaler(columns(values), schema(1)).view(columns(asked))
        other = fit_scaler(columns(unit * values), schema(1)).view(columns(unit * asked))
        np.testing.assert_allclose(other, plain, rtol=1e-6, atol=1e-6)

    def test_a_leak_in_a_small_unit_is_seen(self) -> None:
        values = 2e-10 * np.exp(0.1 * GAUSSIAN)
        view = fit_scaler(columns(values), schema(1)).view(columns(np.array([2e-10, 2e-7])))
        assert abs(view[0, 0]) < 0.2
        assert view[1, 0] > 9

    @pytest.mark.parametrize("values", [[0.1 + 0.2, 0.3], [1e15, 1e15 + 0.125], [1e-20, 1e-20]])
    def test_rounding_moves_nothing(self, values: list[float]) -> None:
        table = columns(np.resize(np.array(values), ROWS))
        assert np.abs(fit_scaler(table, schema(1)).view(table)).max() < 1e-3

    @pytest.mark.parametrize("value", [0.0, 5e-324, 1e-310, 1e-20, 1.7e308])
    def test_a_constant_of_any_size_stands_at_the_centre(self, value: float) -> None:
        scaler = fit_scaler(columns(np.full(ROWS, value)), schema(1))
        view = scaler.view(columns(np.array([value, 1.0])))
        assert abs(view[0, 0]) < 1e-3
        assert abs(view[1, 0]) > 9

    def test_a_number_that_moves_below_what_has_all_digits_is_seen(self) -> None:
        steps = 5e-324 * np.arange(ROWS)
        view = fit_scaler(columns(steps), schema(1)).view(columns(steps))
        assert float(view.std()) == pytest.approx(1, abs=1e-3)

    def test_a_few_small_values_among_zeros_set_the_size(self) -> None:
        values = np.zeros(ROWS)
        values[5] = 1e-10
        view = fit_scaler(columns(values), schema(1)).view(columns(np.array([0, 1e-10, 1e-7])))
        assert view[2, 0] - view[1, 0] > 5
