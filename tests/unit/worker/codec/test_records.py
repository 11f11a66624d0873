"""A batch of values to columns: what is accepted, skipped and rejected."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worker.codec import STAGE, JsonCodec
from worker.model.schema import MISSING_CODE, Feature, FeatureSchema, Watched, Where
from worker.records import Rejection

SCHEMA = FeatureSchema(
    features=(
        Feature(path="a", kind="number"),
        Feature(path="b.c", kind="number"),
        Feature(path="on", kind="boolean"),
        Feature(path="s", kind="category", categories=("x", "y")),
    ),
    watched=(Watched(path="v", value="1"),),
)
FULL = b'{"a": 1, "b": {"c": 2.5}, "on": true, "s": "y", "v": "1"}'


def codec(depth_max: int = 4) -> JsonCodec:
    return JsonCodec(record_bytes_max=200, depth_max=depth_max, missing_share_max=0.5)


def reasons(*values: bytes | None, schema: FeatureSchema = SCHEMA) -> list[tuple[int, str, str]]:
    rejections = codec().decode(values, schema).rejections
    return [(rejection.row, rejection.reason, rejection.detail) for rejection in rejections]


def test_a_record_becomes_a_row() -> None:
    decoded = codec().decode([FULL], SCHEMA)
    assert decoded.columns.numbers.tolist() == [[1.0, 2.5, 1.0]]
    assert decoded.columns.codes.tolist() == [[1]]
    assert decoded.columns.watched.tolist() == [[0]]
    assert (decoded.rejections, decoded.skipped, decoded.missing) == ([], [], 0)


def test_an_empty_batch_has_columns_without_rows() -> None:
    decoded = codec().decode([], SCHEMA)
    assert decoded.columns.numbers.shape == (0, 3)
    assert decoded.columns.codes.shape == (0, 1)
    assert decoded.columns.watched.shape == (0, 1)


def test_each_row_is_decoded_skipped_or_rejected_in_its_place() -> None:
    decoded = codec().decode([b"oops", FULL, None, b"", FULL], SCHEMA)
    assert decoded.rows.tolist() == [1, 4]
    assert decoded.skipped == [2]
    assert [(r.row, r.stage, r.reason) for r in decoded.rejections] == [
        (0, STAGE, "not_json"),
        (3, STAGE, "empty"),
    ]
    assert len(decoded.columns) == 2


def test_missing_features_are_nan_or_the_missing_code_and_counted() -> None:
    decoded = codec().decode([b'{"a": 1, "on": false}', b'{"b": {"c": 1}, "s": "x"}'], SCHEMA)
    np.testing.assert_array_equal(
        decoded.columns.numbers, [[1, math.nan, 0], [math.nan, 1, math.nan]]
    )
    assert decoded.columns.codes.tolist() == [[MISSING_CODE], [0]]
    assert decoded.columns.watched.tolist() == [[MISSING_CODE], [MISSING_CODE]]
    assert decoded.missing == 4


def test_more_missing_features_than_allowed_reject_the_record() -> None:
    assert reasons(b'{"a": 1}') == [(0, "missing_features", "3 of 4 features are missing")]


def test_a_record_may_lack_as_many_features_as_training_records_commonly_did() -> None:
    schema = FeatureSchema(features=SCHEMA.features, missing_usual=3)
    decoded = codec().decode([b'{"a": 1}', b'{"v": "1"}'], schema)
    assert decoded.rows.tolist() == [0]
    assert [r.detail for r in decoded.rejections] == ["4 of 4 features are missing"]


def test_each_feature_tells_in_how_many_records_it_is_missing() -> None:
    """Those that are rejected for it included, those that are rejected for something else not."""
    found = codec().decode([b'{"a": 1}', FULL, b"no json"], SCHEMA).missing_by_feature
    names = {feature.path for feature in SCHEMA.features}
    assert found == dict.fromkeys(names - {"a"}, 1)


def test_records_that_have_everything_miss_nothing() -> None:
    assert codec().decode([FULL], SCHEMA).missing_by_feature == {}


def test_rejected_rows_do_not_count_as_missing() -> None:
    assert codec().decode([b'{"a": 1}', FULL], SCHEMA).missing == 0


def test_a_watched_value_alone_makes_no_record() -> None:
    assert reasons(b'{"v": "1"}') == [(0, "missing_features", "4 of 4 features are missing")]


def test_a_record_without_features_is_skipped_where_training_saw_such() -> None:
    schema = FeatureSchema(features=SCHEMA.features, empty_records=True)
    decoded = codec().decode([b"{}", b'{"a": 1}'], schema)
    assert decoded.skipped == [0]
    assert [rejection.row for rejection in decoded.rejections] == [1]


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (b'{"a": "1"}', "a: a number expected, a string found"),
        (b'{"a": 1e400}', "a: the number is too large"),
        (b'{"a": 1, "on": 1}', "on: true or false expected, a number found"),
        (b'{"a": 1, "s": []}', "s: a category expected, an array found"),
    ],
)
def test_a_value_of_another_type_rejects_the_record(value: bytes, detail: str) -> None:
    assert reasons(value) == [(0, "wrong_type", detail)]


ROWS = FeatureSchema(
    features=(
        Feature(path="[0]", kind="number"),
        Feature(path="[1]", kind="category", categories=("x", "y")),
    ),
    watched=(Watched(path="[2].v", value=1),),
)


def test_a_record_may_be_an_array_of_which_the_places_are_read() -> None:
    decoded = codec().decode([b'[1.5, "y", {"v": 1}, "more"]', b"[2]"], ROWS)
    assert decoded.columns.numbers.tolist() == [[1.5], [2]]
    assert decoded.columns.codes.tolist() == [[1], [MISSING_CODE]]
    assert decoded.columns.watched.tolist() == [[0], [MISSING_CODE]]
    assert codec().read(b'[1.5, "y"]', ROWS) == [1.5, "y", None]


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        (b"[1]", SCHEMA, "not_an_object"),
        (b"7", SCHEMA, "not_an_object"),
        (b'{"a": 1}', ROWS, "not_an_array"),
    ],
)
def test_a_record_is_an_object_or_an_array_as_the_schema_says(
    value: bytes, schema: FeatureSchema, reason: str
) -> None:
    wanted = reason.removeprefix("not_")
    why = f"the value is JSON but not {wanted.replace('_', ' ')}"
    assert reasons(value, schema=schema) == [(0, reason, why)]


def nested(missing_share: float) -> FeatureSchema:
    return FeatureSchema(
        features=(
            Feature(path="a", kind="number"),
            Feature(path="b.c[0]", kind="number", missing_share=missing_share),
        )
    )


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (b'{"a": 1, "b": 7}', "b.c[0]: a number found at b, which leads to it"),
        (b'{"a": 1, "b": []}', "b.c[0]: an array found at b, which leads to it"),
        (b'{"a": 1, "b": {"c": {}}}', "b.c[0]: an object found at b.c, which leads to it"),
    ],
)
def test_what_stands_in_the_way_of_a_feature_is_a_wrong_type(value: bytes, detail: str) -> None:
    assert reasons(value, schema=nested(0.02)) == [(0, "wrong_type", detail)]
    assert reasons(value, schema=nested(0.03)) == []


@pytest.mark.parametrize("value", [b'{"a": 1, "b": null}', b'{"a": 1, "b": {"c": []}}'])
def test_what_is_not_there_is_in_nobodys_way(value: bytes) -> None:
    assert codec().decode([value], nested(0)).missing == 1


def test_a_number_with_a_unit_is_read_and_one_without_is_a_wrong_type() -> None:
    schema = FeatureSchema(features=(Feature(path="t", kind="number", parse="text", unit="ms"),))
    decoded = codec().decode([b'{"t": "1.5 ms"}', b'{"t": "1.5"}', b'{"t": 1.5}'], schema)
    assert decoded.columns.numbers.tolist() == [[1.5]]
    assert [rejection.detail for rejection in decoded.rejections] == [
        "t: a number in a string with ms expected, a string found",
        "t: a number in a string expected, a number found",
    ]


def test_a_record_of_another_type_is_skipped() -> None:
    schema = FeatureSchema(features=SCHEMA.features, where=Where(path="type", value="m"))
    other, ours = b'{"type": "n", "a": "no number"}', FULL.replace(b"{", b'{"type": "m", ', 1)
    decoded = codec().decode([other, ours], schema)
    assert (decoded.skipped, decoded.rows.tolist(), decoded.rejections) == ([0], [1], [])


def test_a_deep_record_is_rejected_whatever_stands_beside_it() -> None:
    deep = FULL.replace(b"{", b'{"z": [[[[]]]], ', 1)
    rejection = Rejection(0, STAGE, "too_deep", "nested deeper than 4")
    for beside in ([], [b"1"], [b"1", b"2"], [None], [FULL]):
        decoded = codec().decode([deep, *beside], SCHEMA)
        assert decoded.rejections[0] == rejection


def test_a_schema_of_categories_alone_is_read() -> None:
    schema = FeatureSchema(features=(SCHEMA.features[3],))
    decoded = codec().decode([b'{"s": "x"}', b'{"s": 3}'], schema)
    assert decoded.columns.numbers.shape == (2, 0)
    assert decoded.columns.codes[0].tolist() == [0]
    assert decoded.columns.codes[1, 0] >= 2


def test_plain_values_are_read_in_the_order_of_names_none_where_absent() -> None:
    assert SCHEMA.names == ("a", "b.c", "on", "s", "v")
    assert codec().read(b'{"s": "q", "a": 1, "v": [1]}', SCHEMA) == [1, None, None, "q", [1]]


def test_another_schema_is_read_with_readers_of_its_own() -> None:
    both = codec()
    other = FeatureSchema(features=(Feature(path="b.c", kind="number"),))
    assert both.decode([FULL], SCHEMA).columns.numbers.shape == (1, 3)
    assert both.decode([FULL], other).columns.numbers.tolist() == [[2.5]]
    assert both.decode([FULL], SCHEMA).columns.numbers.tolist() == [[1.0, 2.5, 1.0]]
