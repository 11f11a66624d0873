"""What becomes a feature, what is watched, and what is left out for which reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from tests.telemetry import FEATURES, readings
from training.discover import CATEGORIES_MAX, PATHS_MAX, Discovery, discover
from worker.model.path import parse_path
from worker.model.schema import Feature, FeatureSchema, Watched, Where

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1000


def noise(rows: int = ROWS) -> list[float]:
    return [float(x) for x in np.random.default_rng(1).normal(size=rows)]


def records(make: Callable[[int], object], rows: int = ROWS) -> list[dict[str, object]]:
    """Records with a number `x` that is always a feature, and what `make` gives as `y`."""
    return [{"x": x, "y": make(i)} for i, x in enumerate(noise(rows))]


def schema_of(found: Discovery) -> FeatureSchema:
    assert found.schema is not None
    return found.schema


def verdict(make: Callable[[int], object], rows: int = ROWS) -> Feature | Watched | str:
    """What became of `y`."""
    found = discover(records(make, rows))
    schema = schema_of(found)
    judged: dict[str, Feature | Watched | str] = {
        **{feature.path: feature for feature in schema.features},
        **{watched.path: watched for watched in schema.watched},
        **found.left_out,
    }
    assert len(judged) == len(schema.names) + len(found.left_out)
    return judged["y"]


def number(path: str) -> Feature:
    return Feature(path=path, kind="number")


class TestFeatures:
    def test_telemetry_is_understood(self) -> None:
        found = discover(readings(600))
        schema = schema_of(found)
        assert tuple(feature.path for feature in schema.features) == FEATURES
        assert [feature.kind for feature in schema.features] == [
            "number",
            "number",
            "number",
            "boolean",
            "category",
        ]
        assert schema.watched == (Watched(path="site", value="north"),)
        assert found.left_out == {
            "at": "only grows or only falls from record to record: a time or a counter",
            "id": f"a text with more than {CATEGORIES_MAX} values",
        }
        assert found.records == 600

    def test_leaves_are_found_at_any_depth(self) -> None:
        found = discover([{"a": {"b": {"c": {"d": x}}}} for x in noise()])
        assert schema_of(found).features == (number("a.b.c.d"),)

    def test_a_key_with_a_dot_is_quoted_in_the_path(self) -> None:
        found = discover([{"id.orig_h": {"x": x}} for x in noise()])
        assert schema_of(found).features == (number('"id.orig_h".x'),)

    def test_the_empty_key_is_a_key(self) -> None:
        found = discover([{"": x} for x in noise()])
        assert schema_of(found).features == (number('""'),)

    def test_a_boolean_is_a_feature_of_its_own_kind(self) -> None:
        assert verdict(lambda i: i % 3 == 0) == Feature(path="y", kind="boolean")

    def test_a_text_whose_values_come_again_is_a_category(self) -> None:
        assert verdict(lambda i: "abc"[i % 3]) == Feature(
            path="y", kind="category", categories=("a", "b", "c")
        )

    def test_whole_and_broken_numbers_are_of_one_type(self) -> None:
        assert verdict(lambda i: i % 7 if i % 2 else i % 11 + 0.5) == number("y")

    def test_a_number_may_be_absent_from_most_records(self) -> None:
        found = discover(
            [{"x": x, **({"y": x} if i % 10 == 0 else {})} for i, x in enumerate(noise())]
        )
        assert schema_of(found).features == (number("x"), number("y"))

    def test_a_number_that_grows_only_now_and_then_is_a_feature(self) -> None:
        assert verdict(lambda i: 7 * i % 101) == number("y")

    def test_a_few_steps_up_do_not_make_a_counter(self) -> None:
        assert verdict(lambda i: i // 50) == number("y")

    @pytest.mark.parametrize("share", [1, 5])
    def test_null_counts_as_absent_for_a_number(self, share: int) -> None:
        assert verdict(lambda i: None if i % 10 < share else i % 13) == number("y")


class TestWatched:
    @pytest.mark.parametrize("value", ["north", 5, 2.5, True, False, 0], ids=repr)
    def test_a_constant_is_watched(self, value: object) -> None:
        found = verdict(lambda _: value)
        assert isinstance(found, Watched)
        assert (found.value, type(found.value)) == (value, type(value))
        assert found.other_share == 0

    def test_a_value_that_is_nearly_always_the_same_is_watched_with_the_others_share(self) -> None:
        found = verdict(lambda i: "late" if i % 100 == 0 else "on time")
        assert found == Watched(path="y", value="on time", other_share=0.01)

    def test_now_and_then_another_type_counts_as_another_value(self) -> None:
        found = verdict(lambda i: [] if i % 100 == 0 else 7)
        assert found == Watched(path="y", value=7, other_share=0.01)

    def test_true_is_not_taken_for_one(self) -> None:
        found = verdict(lambda i: True if i % 100 == 0 else 1)
        assert isinstance(found, Watched)
        assert (found.value, found.other_share) == (1, 0.01)
        assert found.value is not True

    @pytest.mark.parametrize("value", [1_700_000_000_000, 2**53 + 1, 2**64, 1e300, -3, 1e15])
    def test_the_constant_itself_is_no_other_value(self, value: float) -> None:
        found = verdict(lambda _: value)
        assert isinstance(found, Watched)
        stored = msgspec.json.decode(msgspec.json.encode(found), type=Watched)
        assert stored.code(value) == 0

    def test_a_null_beside_the_constant_was_seen_too(self) -> None:
        found = verdict(lambda i: None if i % 4 == 0 else "ok")
        assert found == Watched(path="y", value="ok", other_share=0.25)


class TestLeftOut:
    @pytest.mark.parametrize("step", [1, 3, -1])
    def test_a_number_that_runs_one_way_is_a_time_or_a_counter(self, step: int) -> None:
        assert verdict(lambda i: step * i) == (
            "only grows or only falls from record to record: a time or a counter"
        )

    def test_so_is_one_that_several_records_share(self) -> None:
        assert verdict(lambda i: 1_767_225_600 + i // 10) == (
            "only grows or only falls from record to record: a time or a counter"
        )

    def test_a_counter_may_start_again_once_in_a_while(self) -> None:
        assert verdict(lambda i: i % 200) == (
            "only grows or only falls from record to record: a time or a counter"
        )

    def test_a_text_of_many_values_is_no_category(self) -> None:
        assert verdict(lambda i: f"request {i}") == "a text with more than 50 values"

    def test_nor_is_one_of_a_few_too_many(self) -> None:
        assert verdict(lambda i: f"room {i % 51}") == "a text with more than 50 values"

    def test_nor_is_one_whose_values_are_rare(self) -> None:
        assert verdict(lambda i: f"room {i % 20}", rows=150) == (
            "a text whose values hardly come again"
        )

    def test_an_array_is_left_out(self) -> None:
        assert verdict(lambda i: [i]) == "an array"

    def test_mixed_types_are_named(self) -> None:
        kinds: list[object] = ["text", 1.5, True, [1], {"z": 1}]
        assert verdict(lambda i: kinds[i % 5]) == (
            "of mixed types: array, boolean, number, object, text"
        )

    def test_an_object_that_now_and_then_is_a_number_is_no_feature(self) -> None:
        found = discover(records(lambda i: 1 if i % 100 == 0 else {"z": noise()[i]}))
        assert found.left_out == {"y": "an object in most records"}
        assert schema_of(found).features == (number("x"), number("y.z"))

    def test_a_path_in_few_records_is_left_out_with_how_few(self) -> None:
        found = discover([{"x": x, **({"y": x} if i < 49 else {})} for i, x in enumerate(noise())])
        assert found.left_out == {"y": "present in 49 of 1000 records only"}

    def test_a_path_that_is_always_null_is_left_out(self) -> None:
        assert verdict(lambda _: None) == "present in 0 of 1000 records only"

    def test_numbers_beyond_a_double_are_left_out(self) -> None:
        assert verdict(lambda i: 10**400 + i) == "numbers beyond a double's range"
        assert verdict(lambda _: float("inf")) == "numbers beyond a double's range"

    def test_what_is_nested_too_deep_is_left_out(self) -> None:
        deep: dict[str, object] = {"z": 1}
        for _ in range(40):
            deep = {"z": deep}
        found = verdict_at_depth(deep)
        assert list(found.values()) == ["nested deeper than 32"]

    def test_the_event_time_is_no_feature(self) -> None:
        found = discover(records(lambda i: 13 * i % 997), time=parse_path("y"))
        assert found.left_out == {"y": "the event time"}


def verdict_at_depth(deep: dict[str, object]) -> dict[str, str]:
    return discover([{"x": x, "y": deep} for x in noise()]).left_out


class TestStreams:
    def test_where_narrows_what_is_looked_at_and_goes_into_the_schema(self) -> None:
        where = Where(path="type", value="cpu")
        cpu: list[dict[str, object]] = [{"type": "cpu", "usage": x} for x in noise()]
        disk: list[dict[str, object]] = [{"type": "disk", "free": x} for x in noise()]
        found = discover([*cpu, *disk], where=where)
        schema = schema_of(found)
        assert found.records == ROWS
        assert schema.where == where
        assert schema.features == (number("usage"),)
        assert schema.watched == (Watched(path="type", value="cpu"),)

    def test_mixed_shapes_give_what_each_of_them_holds(self) -> None:
        found = discover([{"a": x} if i % 2 else {"b": x} for i, x in enumerate(noise())])
        assert schema_of(found).features == (number("b"), number("a"))

    def test_poison_among_the_records_does_not_matter(self) -> None:
        poison: list[dict[str, object]] = [
            {"load": "high"},
            {"load": 10**400},
            {"load": float("inf")},
            {"load": [1]},
            {"heat": 7},
            {"heat": {"inlet": {"deeper": 1}}},
            {"running": "yes"},
            {},
        ]
        clean = schema_of(discover(readings(2000)))
        dirty = discover([*poison, *readings(2000)])
        assert set(schema_of(dirty).features) == set(clean.features)

    def test_no_feature_at_all_is_no_schema_but_reasons(self) -> None:
        found = discover([{"site": "north", "tags": [1], "at": i} for i in range(200)])
        assert found == Discovery(
            schema=None,
            left_out={
                "site": "a constant",
                "tags": "an array",
                "at": "only grows or only falls from record to record: a time or a counter",
            },
            records=200,
        )

    def test_no_records_are_no_schema(self) -> None:
        assert discover([]) == Discovery(schema=None, left_out={}, records=0)

    def test_keys_made_of_data_do_not_fill_the_memory(self) -> None:
        many = noise(PATHS_MAX + 500)
        found = discover([{"x": x, f"key {i}": 1} for i, x in enumerate(many)])
        assert len(found.left_out) == PATHS_MAX - 1
        assert schema_of(found).features == (number("x"),)
