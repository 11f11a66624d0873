"""A schema that somebody wrote down, and categories that only all the records tell."""

from __future__ import annotations

import pytest

from tests.shapes.verdicts import noise, reasons, schema_of
from training.discover import CATEGORIES_PENDING, as_given, discover, with_all_categories
from worker.model.schema import Feature, FeatureSchema, Watched, Where

RECORDS: list[dict[str, object]] = [
    {"x": x, "kind": "ab"[i % 2], "level": i % 3, "site": "s"} for i, x in enumerate(noise())
]


def category(path: str) -> Feature:
    return Feature(path=path, kind="category", categories=CATEGORIES_PENDING)


class TestAsGiven:
    def test_the_given_schema_takes_the_place_of_what_was_found(self) -> None:
        schema = FeatureSchema(features=(Feature(path="x", kind="number"), category("level")))
        found = as_given(schema, discover(RECORDS), RECORDS)
        assert found.schema == schema
        assert found.reasons == {"x": "numbers", "level": "as given"}
        assert reasons(found) == dict.fromkeys(["kind", "site"], "not in the schema that was given")

    def test_a_path_that_discovery_did_not_take_is_given_that_reason(self) -> None:
        records = [{**record, "n": i} for i, record in enumerate(RECORDS)]
        schema = FeatureSchema(features=(Feature(path="n", kind="number"),))
        found = as_given(schema, discover(records), records)
        assert found.reasons == {"n": "as given"}
        assert "n" not in reasons(found)

    @pytest.mark.parametrize("path", ["x", '"x"'])
    def test_a_path_may_be_written_in_any_way(self, path: str) -> None:
        schema = FeatureSchema(features=(Feature(path=path, kind="number"),))
        found = as_given(schema, discover(RECORDS), RECORDS)
        assert found.reasons == {path: "numbers"}
        assert "x" not in reasons(found)

    def test_a_constant_without_a_value_is_given_the_commonest_and_the_share_of_others(
        self,
    ) -> None:
        records = [{**r, "ok": "no" if i % 10 == 0 else "yes"} for i, r in enumerate(RECORDS)]
        schema = FeatureSchema(
            features=(Feature(path="x", kind="number"),), watched=(Watched(path="ok", value=None),)
        )
        found = as_given(schema, discover(records), records)
        assert schema_of(found).watched == (Watched(path="ok", value="yes", other_share=0.1),)

    def test_a_constant_with_a_value_keeps_it(self) -> None:
        schema = FeatureSchema(
            features=(Feature(path="x", kind="number"),), watched=(Watched(path="kind", value="b"),)
        )
        found = as_given(schema, discover(RECORDS), RECORDS)
        assert schema_of(found).watched == (Watched(path="kind", value="b", other_share=0.5),)

    def test_a_number_that_no_record_holds_is_left_out(self) -> None:
        held = Feature(path="x", kind="number")
        schema = FeatureSchema(features=(held, Feature(path="none", kind="number")))
        found = as_given(schema, discover(RECORDS), RECORDS)
        assert schema_of(found).features == (held,)
        assert found.reasons == {"x": "numbers"}
        assert reasons(found)["none"] == "no value in the records to learn from"

    def test_only_records_that_match_count(self) -> None:
        schema = FeatureSchema(
            features=(Feature(path="x", kind="number"),),
            watched=(Watched(path="level", value=None),),
            where=Where(path="level", value="2"),
        )
        found = as_given(schema, discover(RECORDS, schema.where), RECORDS)
        assert schema_of(found).watched == (Watched(path="level", value=2),)


class TestCategories:
    schema = FeatureSchema(features=(category("kind"), Feature(path="x", kind="number")))

    def kinds_of(self, records: list[dict[str, object]], schema: FeatureSchema = schema) -> object:
        return with_all_categories(schema, records).categories[0].categories

    def test_every_category_is_taken_in(self) -> None:
        assert self.kinds_of([*RECORDS, {"kind": "rare"}]) == ("a", "b", "rare")

    def test_numbers_and_booleans_are_named_by_their_json_text(self) -> None:
        assert self.kinds_of([{"kind": 1}, {"kind": 2.5}, {"kind": True}]) == ("1", "2.5", "true")

    def test_null_objects_and_lists_are_none(self) -> None:
        assert self.kinds_of([{"kind": "a"}, {"kind": None}, {"kind": {}}, {"kind": []}]) == ("a",)

    def test_markers_of_absence_are_none(self) -> None:
        marked = Feature(path="kind", kind="category", categories=("a",), absent=("-",))
        schema = FeatureSchema(features=(marked,))
        assert self.kinds_of([{"kind": "-"}, {"kind": "b"}], schema) == ("b", "a")

    def test_records_of_another_type_do_not_count(self) -> None:
        schema = FeatureSchema(
            features=self.schema.features, where=Where(path="site", value="north")
        )
        records: list[dict[str, object]] = [
            {"kind": "a", "site": "north"},
            {"kind": "b", "site": "south"},
        ]
        assert self.kinds_of(records, schema) == ("a",)

    def test_of_very_many_those_that_stand_once_are_damage(self) -> None:
        junk: list[dict[str, object]] = [{"kind": f"junk {i}"} for i in range(100)]
        assert self.kinds_of([*RECORDS, *junk, {"kind": "c"}, {"kind": "c"}]) == ("a", "b", "c")

    def test_without_any_the_place_is_kept(self) -> None:
        assert self.kinds_of([{"x": 1}]) == CATEGORIES_PENDING
