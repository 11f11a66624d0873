"""A stretch as a table: the schema that it gains and the rows that can be learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from tests.telemetry import START_MS, encoded, readings
from training.dataset import (
    VALUES_MAX,
    Bounds,
    DataUnusable,
    Stretch,
    read_stretch,
    split_by_blocks,
)
from training.table import Look, Table, discovered, learnable, rows_max, table_of
from worker.adapters.memory import MemoryBroker, MemoryRecordHistory
from worker.codec import JsonCodec
from worker.model.schema import Feature, FeatureSchema, Where
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

CODEC = JsonCodec(record_bytes_max=10_000, depth_max=40, missing_share_max=0.5)


def stretch_of(values: Sequence[bytes | None]) -> Stretch:
    broker = MemoryBroker({"t": 1})
    broker.send([Output("t", None, v, (), START_MS + i) for i, v in enumerate(values)])
    return read_stretch(MemoryRecordHistory(broker, "t"), Bounds(), 100_000, CODEC.parse)


def table(values: Sequence[bytes | None], look: Look | None = None) -> Table:
    stretch = stretch_of(values)
    schema, _ = discovered(stretch, CODEC, look or Look())
    return table_of(stretch, CODEC, schema)


def number(path: str) -> Feature:
    return Feature(path=path, kind="number")


def holed(rows: int, features: int, share: float, seed: int) -> list[bytes]:
    """Records that lack each of their numbers in a share of the cases, whatever else is missing."""
    rng = np.random.default_rng(seed)
    numbers, there = rng.normal(size=(rows, features)), rng.random((rows, features)) >= share
    return encoded(
        [
            {f"f{j}": float(numbers[i, j]) for j in np.flatnonzero(there[i]).tolist()}
            for i in range(rows)
        ]
    )


class TestTable:
    def test_rows_know_their_places_in_the_stretch(self) -> None:
        made = table([b"{", None, *encoded(readings(200)), b"[]", *encoded(readings(5, seed=1))])
        assert made.records.tolist() == [*range(2, 202), *range(203, 208)]
        assert (made.rejected, made.skipped) == (2, 1)

    def test_a_category_that_stands_in_a_single_record_is_known(self) -> None:
        rare = {**readings(1)[0], "mode": "rare"}
        (mode,) = table(encoded([*readings(12_000), rare])).schema.categories
        assert set(mode.categories) == {"eco", "fast", "rare", "slow"}
        assert mode.categories[-1] == "rare"  # the commonest come first

    def test_missing_shares_are_of_the_rows_that_were_taken(self) -> None:
        made = [
            {"a": i * 7 % 13, "b": i * 5 % 11} | ({"c": i * 3 % 17} if i % 4 else {})
            for i in range(400)
        ]
        shares = {f.path: f.missing_share for f in table(encoded(made)).schema.features}
        assert shares == {"a": 0.0, "b": 0.0, "c": 0.25}

    def test_records_of_a_rare_type_are_not_refused(self) -> None:
        """Though they lack most of the features that are usual elsewhere."""
        usual = [{"kind": "u", "a": i * 7 % 13, "b": i * 5 % 11, "c": i % 9} for i in range(950)]
        rare = [{"kind": "r", "z": i * 3 % 7} for i in range(50)]
        made = table(
            encoded([r for i in range(50) for r in (*usual[i * 19 : i * 19 + 19], rare[i])])
        )
        assert made.rejected == 0
        assert len(made.columns) == 1000

    @pytest.mark.parametrize(("features", "share"), [(4, 0.1), (8, 0.2), (8, 0.3), (20, 0.3)])
    def test_fields_that_are_missing_at_random_make_no_record_a_damaged_one(
        self, features: int, share: float
    ) -> None:
        """Neither one that is learned from nor a new one, unless nothing is left of it."""
        values = holed(5000, features, share, seed=1)
        made = table(values)
        assert made.rejected == 0
        new = [value for value in holed(5000, features, share, seed=2) if value != b"{}"]
        assert CODEC.decode(new, made.schema).rejections == []

    def test_a_record_with_one_field_is_damaged_also_where_a_few_are_usually_missing(self) -> None:
        made = table(holed(5000, 20, 0.2, seed=1))
        (rejection,) = CODEC.decode([b'{"f3": 1.5}'], made.schema).rejections
        assert rejection.reason == "missing_features"

    def test_records_that_are_cut_off_now_and_then_make_that_not_usual(self) -> None:
        whole = [{f"f{j}": float(i * (j + 3) % 101) for j in range(12)} for i in range(2000)]
        for i in range(0, 2000, 125):
            whole[i] = {name: whole[i][name] for name in list(whole[i])[: i // 125 % 11 + 1]}
        made = table(encoded(whole))
        assert made.schema.missing_usual == 0
        assert made.rejected > 5

    def test_bounds_are_those_of_all_rows(self) -> None:
        made = table(encoded([{"x": float(i * 7 % 101)} for i in range(15_000)]))
        (x,) = made.schema.numbers
        assert (x.lower, x.upper) == (0.0, 100.0)


class TestSize:
    def test_a_wide_table_has_fewer_rows(self) -> None:
        narrow = FeatureSchema(features=tuple(number(f"x{i}") for i in range(100)))
        wide = FeatureSchema(features=tuple(number(f"x{i}") for i in range(1000)))
        assert (rows_max(narrow), rows_max(wide)) == (VALUES_MAX // 100, VALUES_MAX // 1000)

    def test_a_category_counts_by_its_values(self) -> None:
        names = tuple(map(str, range(99)))
        schema = FeatureSchema(features=(Feature(path="s", kind="category", categories=names),))
        assert rows_max(schema) == VALUES_MAX // 100


class TestDiscovered:
    def test_a_given_schema_is_narrowed_by_where(self) -> None:
        where = Where(path="site", value="north")
        given = FeatureSchema(features=(number("load"),))
        schema, found = discovered(
            stretch_of(encoded(readings(300))), CODEC, Look(where=where, schema=given)
        )
        assert schema == msgspec.structs.replace(given, where=where)
        assert found.schema == schema

    def test_a_stretch_without_features_is_unusable(self) -> None:
        with pytest.raises(DataUnusable, match="no usable features in 200 records of 200"):
            discovered(stretch_of([b'{"a": 1}'] * 200), CODEC, Look())

    def test_unless_a_schema_is_given(self) -> None:
        given = FeatureSchema(features=(number("a"),))
        stretch = stretch_of([b'{"a": 1}'] * 200)
        assert discovered(stretch, CODEC, Look(schema=given))[0] == given


def test_numbers_without_a_value_where_the_network_learns_are_left_out() -> None:
    made = table(encoded([{"a": i * 7 % 13, "b": i * 5 % 11} for i in range(400)]))
    made.columns.numbers[:, 0] = np.nan
    schema, split, blank = learnable(made.schema, split_by_blocks(made.columns, 400))
    assert [f.path for f in schema.features] == ["b"]
    assert blank == {"a": "no value in the records to learn from"}
    assert split.fit.numbers.shape[1] == split.hold_out.numbers.shape[1] == 1
