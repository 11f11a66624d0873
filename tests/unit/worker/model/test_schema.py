"""The feature schema: what is read from a record, and what each value becomes."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from worker.model.path import MISSING, PathInvalid
from worker.model.schema import (
    MISSING_CODE,
    Columns,
    Feature,
    FeatureSchema,
    SchemaInvalid,
    Watched,
    Where,
)
from worker.model.values import Parse, ValueRejected, category_text, json_type, parse_number

NUMBER = Feature(path="x", kind="number", absent=("", "n/a"))
TEXT = Feature(path="x", kind="number", parse="text")
BOOLEAN = Feature(path="x", kind="boolean")
CATEGORY = Feature(path="x", kind="category", categories=("a", "3", "true"), absent=("-",))


@pytest.mark.parametrize("feature", [NUMBER, TEXT, BOOLEAN])
@pytest.mark.parametrize("value", [MISSING, None])
def test_an_absent_number_is_nan(feature: Feature, value: object) -> None:
    assert math.isnan(feature.number(value))


def test_a_string_that_stands_for_nothing_is_nan() -> None:
    assert math.isnan(NUMBER.number("n/a"))


@pytest.mark.parametrize(
    ("feature", "value", "number"),
    [
        (NUMBER, 3, 3.0),
        (NUMBER, -0.5, -0.5),
        (NUMBER, 10**30, 1e30),
        (TEXT, "0.005", 0.005),
        (TEXT, " 1e3 ", 1000.0),
        (BOOLEAN, True, 1.0),
        (BOOLEAN, False, 0.0),
    ],
)
def test_a_value_becomes_a_number(feature: Feature, value: object, number: float) -> None:
    assert feature.number(value) == number


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (NUMBER, "3", "x: a number expected, a string found"),
        (NUMBER, True, "x: a number expected, a boolean found"),
        (NUMBER, [1], "x: a number expected, an array found"),
        (NUMBER, {}, "x: a number expected, an object found"),
        (NUMBER, math.inf, "x: the number is too large"),
        (NUMBER, 10**400, "x: the number is too large"),
        (TEXT, 3, "x: a number in a string expected, a number found"),
        (TEXT, "three", "x: a number in a string expected, a string found"),
        (BOOLEAN, 1, "x: true or false expected, a number found"),
    ],
)
def test_a_value_of_another_type_is_refused(feature: Feature, value: object, message: str) -> None:
    with pytest.raises(ValueRejected, match=f"^{message}$"):
        feature.number(value)


@pytest.mark.parametrize(
    ("text", "parse", "number"),
    [
        ("1.5", "text", 1.5),
        ("-.5", "text", -0.5),
        ("1,5", "text", None),
        ("1,5", "comma", 1.5),
        ("1.5", "comma", None),
        ("15", "comma", 15.0),
        ("1,5,0", "comma", None),
        ("1.234,5", "comma", 1234.5),
        ("-12.345.678,9", "comma", -12345678.9),
        ("1.234.567", "comma", 1234567.0),
        ("1.234", "comma", None),  # may as well be a bit more than one
        ("1 234,5", "comma", 1234.5),
        ("1\u00a0234", "comma", 1234.0),
        ("1\u202f234,5", "comma", 1234.5),
        ("1'234,5", "comma", 1234.5),
        ("12.34,5", "comma", None),
        ("1.234,5", "text", None),
        ("", "text", None),
        (" ", "text", None),
        ("1_0", "text", None),
        ("nan", "text", None),
        ("Infinity", "text", None),
        ("1e999", "text", None),
        ("--1", "text", None),
        ("\u0663", "text", None),
    ],
)
def test_a_string_writes_a_number_or_none(text: str, parse: Parse, number: float | None) -> None:
    assert parse_number(text, parse) == number


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("a", 0),
        (3, 1),
        (3.0, 1),
        (True, 2),
        ("true", 2),
        (None, MISSING_CODE),
        (MISSING, MISSING_CODE),
        ("-", MISSING_CODE),
    ],
)
def test_a_known_category_has_its_place_as_code(value: object, code: int) -> None:
    assert CATEGORY.code(value) == code


def test_unseen_categories_have_codes_of_their_own() -> None:
    codes = [CATEGORY.code(text) for text in ("b", "c", "b")]
    assert codes[0] == codes[2]
    assert codes[0] != codes[1]
    assert min(codes) >= len(CATEGORY.categories)


@pytest.mark.parametrize("value", [[], {}])
def test_a_nested_value_is_no_category(value: object) -> None:
    with pytest.raises(ValueRejected, match="a category expected"):
        CATEGORY.code(value)


@pytest.mark.parametrize(
    ("usual", "value", "is_usual"),
    [
        ("1.2", "1.2", True),
        ("1.2", "1.3", False),
        (4, 4, True),
        (4, 4.0, True),
        (4, 5, False),
        (True, True, True),
        (True, "true", False),
        (1, True, False),
        ("1.2", None, False),
        ("1.2", [], False),
        ("1.2", {"a": 1}, False),
        ("1.2", math.inf, False),
        (None, None, True),
    ],
)
def test_a_watched_value_is_usual_or_not(
    usual: str | float | bool | None,  # noqa: FBT001 - a value as JSON has it
    value: object,
    is_usual: bool,  # noqa: FBT001 - what is expected
) -> None:
    assert (Watched(path="w", value=usual).code(value) == 0) == is_usual


def test_an_absent_watched_value_has_the_code_of_what_is_missing() -> None:
    assert Watched(path="w", value=1).code(MISSING) == MISSING_CODE


def test_other_watched_values_have_codes_of_their_own() -> None:
    watched = Watched(path="w", value=1)
    others: tuple[object, ...] = (2, "2", 3, [], {})
    codes = [watched.code(value) for value in others]
    assert codes[0] == codes[1]
    assert len(set(codes)) == 4
    assert min(codes) >= 1


@pytest.mark.parametrize(
    ("record", "matches"),
    [
        ({"type": "3"}, True),
        ({"type": 3}, True),
        ({"type": "4"}, False),
        ({"type": [3]}, False),
        ({}, False),
        ([], False),
    ],
)
def test_where_picks_records_by_the_text_of_a_value(record: object, matches: bool) -> None:  # noqa: FBT001 - what is expected
    assert Where(path="type", value="3").matches(record) == matches


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (1e300, "1e+300"),
        (None, "null"),
        ([], None),
        ({}, None),
        (MISSING, None),
    ],
)
def test_a_scalar_names_a_category_by_its_text(value: object, text: str | None) -> None:
    assert category_text(value) == text


def test_what_is_no_json_has_no_type() -> None:
    assert json_type(MISSING) == "nothing"
    assert json_type(None) == "null"


def test_columns_come_in_the_order_numbers_categories_watched() -> None:
    schema = FeatureSchema(
        features=(CATEGORY, Feature(path="n", kind="number"), Feature(path="b", kind="boolean")),
        watched=(Watched(path="w.v", value=1),),
    )
    assert schema.names == ("n", "b", "x", "w.v")
    assert [str(steps) for steps in schema.steps] == ["n", "b", "x", "w.v"]
    assert [f.path for f in schema.numbers] == ["n", "b"]
    assert [f.path for f in schema.categories] == ["x"]


def test_a_schema_has_features() -> None:
    with pytest.raises(SchemaInvalid, match="at least one feature"):
        FeatureSchema(features=())


def test_a_path_stands_once_however_it_is_written() -> None:
    number = Feature(path="a.b", kind="number")
    with pytest.raises(SchemaInvalid, match=r"stand twice: a\.b$"):
        FeatureSchema(features=(number,), watched=(Watched(path='"a"."b"', value=1),))


@pytest.mark.parametrize("categories", [("a", "a"), ()])
def test_a_category_has_categories_each_once(categories: tuple[str, ...]) -> None:
    with pytest.raises(SchemaInvalid, match=r"^feature x: "):
        Feature(path="x", kind="category", categories=categories)


def test_a_number_has_no_categories() -> None:
    with pytest.raises(SchemaInvalid, match=r"^feature x: categories belong to"):
        Feature(path="x", kind="number", categories=("a",))


@pytest.mark.parametrize("unitless", [{"parse": "json"}, {"parse": "text", "kind": "boolean"}])
def test_a_unit_stands_beside_numbers_in_a_string_only(unitless: dict[str, str]) -> None:
    row = {"path": "x", "kind": "number", "unit": "ms", **unitless}
    with pytest.raises(msgspec.ValidationError, match="a unit stands beside"):
        msgspec.convert(row, Feature)


def test_a_schema_reads_objects_or_arrays() -> None:
    place, key = Feature(path="[0]", kind="number"), Feature(path="a", kind="number")
    assert FeatureSchema(features=(place,)).reads_arrays
    assert not FeatureSchema(features=(key,)).reads_arrays
    with pytest.raises(SchemaInvalid, match="some with a place"):
        FeatureSchema(features=(place, key))


@pytest.mark.parametrize("make", [Where, Watched])
def test_a_path_is_checked_at_once(make: type[Where | Watched]) -> None:
    with pytest.raises(PathInvalid):
        make(path="a..b", value="1")
    with pytest.raises(PathInvalid):
        Feature(path="a..b", kind="number")


def test_a_schema_is_the_same_after_json() -> None:
    schema = FeatureSchema(
        features=(CATEGORY, Feature(path="t", kind="number", parse="comma", lower=-1.5)),
        watched=(Watched(path="w", value=None), Watched(path="v", value=True, other_share=0.1)),
        where=Where(path="type", value="3"),
        empty_records=True,
    )
    assert msgspec.json.decode(msgspec.json.encode(schema), type=FeatureSchema) == schema


def test_rows_are_taken_in_the_order_asked_for() -> None:
    columns = Columns(
        np.arange(3.0).reshape(3, 1), np.arange(3).reshape(3, 1), np.zeros((3, 0), dtype=np.int64)
    )
    taken = columns.take(np.array([2, 0]))
    assert (len(taken), taken.numbers.tolist(), taken.codes.tolist()) == (
        2,
        [[2.0], [0.0]],
        [[2], [0]],
    )
