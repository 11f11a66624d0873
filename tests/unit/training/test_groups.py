"""Which numbers have groups, and the figures of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.groups import CELLS_MAX, GROUP_ROWS_MIN, fit_groups
from training.scales import fit_scaler
from worker.model.schema import MISSING_CODE, Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.groups import Groups

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

ROWS = 3000
RNG = np.random.default_rng(3)
NOISE = RNG.normal(size=ROWS)
METRIC = RNG.integers(0, 4, ROWS)
HOST = RNG.integers(0, 6, ROWS)
LEVELS = np.array([1e-3, 1.0, 50.0, 1e9])
VALUE = LEVELS[METRIC] * (1 + 0.1 * NOISE)


def schema(*codes: Codes, kind: str = "number") -> FeatureSchema:
    names = [tuple(map(str, range(max(int(c.max()) + 1, 2)))) for c in codes]
    number = Feature(path="n", kind="number" if kind == "number" else "boolean")
    found = (Feature(path=f"c{i}", kind="category", categories=n) for i, n in enumerate(names))
    return FeatureSchema(features=(number, *found))


def columns(values: Floats, *codes: Codes) -> Columns:
    table = np.column_stack(codes) if codes else np.empty((len(values), 0), dtype=np.int64)
    return Columns(values[:, None], table, np.empty((len(values), 0), dtype=np.int64))


def fitted(values: Floats, *codes: Codes, kind: str = "number") -> Groups:
    return fit_groups(columns(values, *codes), schema(*codes, kind=kind))


def by(values: Floats, *codes: Codes) -> list[list[int]]:
    """The categories that make the groups, each number's."""
    return [list(map(int, pair)) for pair in fitted(values, *codes).by]


class TestDecision:
    def test_a_category_that_decides_the_level_makes_the_groups(self) -> None:
        assert by(VALUE, HOST, METRIC) == [[1, 2]]

    def test_no_category_that_leaves_the_level_alone_does(self) -> None:
        assert by(NOISE, HOST, METRIC) == []
        assert by(NOISE) == []

    def test_a_category_that_explains_less_than_half_does_not(self) -> None:
        assert by(0.5 * METRIC + NOISE, METRIC) == []
        assert by(2.0 * METRIC + NOISE, METRIC) == [[0, 1]]

    def test_a_level_that_wanders_is_none(self) -> None:
        """Steps of a group's own, as prices take them: what was learned is not where it is now."""
        steps = np.cumsum(RNG.normal(size=(ROWS, 4)), axis=0)
        assert (
            by(1000.0 * METRIC + 0.3 * steps[np.arange(ROWS), METRIC] + 0.1 * NOISE, METRIC) == []
        )
        assert by(1000.0 * METRIC + 3 * NOISE, METRIC) == [[0, 1]]

    def test_two_that_decide_it_together_make_the_groups_together(self) -> None:
        factor = np.exp(RNG.normal(size=(4, 6)))[METRIC, HOST]
        assert by(VALUE * factor, HOST, METRIC) == [[1, 0]]

    def test_two_do_where_neither_explains_enough_alone(self) -> None:
        assert by(METRIC + 0.7 * HOST + 0.3 * NOISE, HOST % 3, METRIC, HOST // 3) == [[1, 2]]
        either = np.where(METRIC % 2 == HOST % 2, 10.0, 0.0) + NOISE
        assert sorted(by(either, METRIC % 2, HOST % 2)[0]) == [0, 1]

    def test_no_more_groups_are_made_than_have_room(self) -> None:
        factor = np.exp(RNG.normal(size=(4, 6)))[METRIC, HOST]
        host = np.where(np.arange(ROWS) == 0, CELLS_MAX, HOST)
        assert by(VALUE * factor, METRIC, host) == [[0, 2]]

    def test_a_level_of_a_few_rows_counts_as_much(self) -> None:
        rare = (np.arange(ROWS) % 40 == 0).astype(np.int64)
        assert by(NOISE + 100 * rare, rare) == [[0, 1]]

    def test_groups_by_chance_explain_nothing(self) -> None:
        many = RNG.integers(0, ROWS // (2 * GROUP_ROWS_MIN), ROWS)
        assert by(NOISE, many) == []

    def test_rows_outside_of_groups_may_not_be_the_most(self) -> None:
        few = np.where(np.arange(ROWS) < 0.6 * ROWS, MISSING_CODE, METRIC)
        most = np.where(np.arange(ROWS) < 0.4 * ROWS, MISSING_CODE, METRIC)
        assert by(VALUE, few) == []
        assert by(VALUE, most) == [[0, 1]]

    def test_neither_a_boolean_nor_a_number_of_two_values_has_a_level(self) -> None:
        split = (METRIC > 1).astype(np.float64)
        assert len(fitted(split, METRIC, kind="boolean")) == 0
        assert by(split, METRIC) == []

    def test_units_and_names_change_no_decision(self) -> None:
        named = np.array([2, 0, 3, 1])[METRIC]
        for values in (VALUE, 1e6 * VALUE, 1.8 * VALUE + 32, -VALUE):
            assert by(values, named) == [[0, 1]]

    def test_a_number_without_a_value_in_these_rows_has_no_groups(self) -> None:
        assert by(np.full(ROWS, np.nan), METRIC) == []


class TestFigures:
    def test_each_group_has_its_own_and_all_others_those_of_all_rows(self) -> None:
        groups = fitted(VALUE, METRIC)
        np.testing.assert_allclose(groups.centre[0, :4], LEVELS, rtol=0.02)
        np.testing.assert_allclose(groups.spread[0, :4], 0.1 * LEVELS, rtol=0.15)
        assert groups.centre[0, 4] == np.sort(VALUE)[round((ROWS - 1) / 2)]

    def test_a_group_of_few_rows_has_those_of_all(self) -> None:
        rare = METRIC.copy()
        rare[: GROUP_ROWS_MIN - 1] = 4
        groups = fitted(VALUE, rare)
        assert groups.centre[0, 4] == groups.centre[0, 5]

    def test_a_pair_of_few_rows_has_those_of_its_first_category(self) -> None:
        host = np.where((METRIC == 2) & (HOST == 5), 4, HOST)
        value = VALUE * np.exp(RNG.normal(size=(4, 6)))[METRIC, host]
        groups = fitted(value, METRIC, host)
        centre = groups.centre.reshape(5, 7)
        assert groups.by.tolist() == [[0, 1]]
        assert centre[2, 5] == centre[2, 6] == pytest.approx(np.median(value[METRIC == 2]), rel=0.1)
        assert len(set(centre[4])) == 1

    def test_wrong_values_of_a_group_do_not_make_the_others_alike(self) -> None:
        wrong = np.where(np.arange(ROWS) % 20 == 0, 1e12, VALUE)
        view = fit_scaler(columns(wrong, METRIC), schema(METRIC)).view(columns(VALUE, METRIC))
        assert 0.7 < float(view[:, 0].std()) < 1.3

    def test_any_change_in_a_group_that_never_changed_is_a_jump(self) -> None:
        groups = fitted(LEVELS[METRIC], METRIC)
        levelled = groups.level(1.01 * LEVELS[:, None], np.arange(4)[:, None], (4,))
        assert (levelled > 50).all()

    def test_a_group_that_hardly_changes_has_the_deviation_of_its_few_changes(self) -> None:
        values = np.where(METRIC == 0, (np.arange(ROWS) % 25 == 0) * 1.0, 100 + NOISE)
        assert fitted(values, METRIC).spread[0, 0] == pytest.approx(0.2, abs=0.05)

    def test_numbers_of_several_sizes_share_a_table(self) -> None:
        both = Columns(
            np.column_stack([VALUE, 9.0 * HOST + NOISE]),
            np.column_stack([METRIC, HOST]),
            np.empty((ROWS, 0), dtype=np.int64),
        )
        features = schema(METRIC, HOST).features
        wider = FeatureSchema(features=(Feature(path="m", kind="number"), *features))
        groups = fit_groups(both, wider)
        assert groups.by.tolist() == [[0, 2], [1, 2]]
        assert groups.centre.shape == (2, 7)

    def test_figures_near_the_end_of_a_double_are_finite(self) -> None:
        groups = fitted(np.where(METRIC > 1, 1.7e308, -1.7e308) * (1 - 1e-3 * HOST), METRIC, HOST)
        assert np.isfinite(groups.centre).all()
        assert np.isfinite(groups.spread).all()
        assert (groups.spread > 0).all()

    def test_the_scaler_leaves_the_figures_as_they_are(self) -> None:
        scaler = fit_scaler(columns(VALUE, METRIC), schema(METRIC))
        assert (scaler.centre[0], scaler.spread[0]) == (0, 1)
        deviation = scaler.deviations(np.arange(4)[:, None])[:, 0]
        np.testing.assert_array_equal(deviation, scaler.groups.spread[0, :4])
