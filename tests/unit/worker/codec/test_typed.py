"""The compiled reader: for which schemas there is one, and which rows it takes."""

from __future__ import annotations

import numpy as np
import pytest

from worker.codec.typed import TypedReader
from worker.model.schema import MISSING_CODE, Columns, Feature, FeatureSchema, Watched, Where

NUMBER = Feature(path="a", kind="number")
SCHEMA = FeatureSchema(
    features=(
        NUMBER,
        Feature(path="n.b", kind="number"),
        Feature(path="s", kind="category", categories=("x",), absent=("-",)),
    ),
    watched=(Watched(path="n.v", value="1"),),
)
PLAIN = b'{"a":1,"n":{"b":2,"v":"1"},"s":"x"}'


def reader(schema: FeatureSchema = SCHEMA) -> TypedReader | None:
    return TypedReader.compile(schema, bytes_max=100, depth_max=3)


def read(*values: bytes | None, schema: FeatureSchema = SCHEMA) -> tuple[list[int], Columns]:
    """The rows left, and the columns."""
    columns = Columns(
        np.full((len(values), len(schema.numbers)), np.nan),
        np.full((len(values), len(schema.categories)), MISSING_CODE),
        np.full((len(values), len(schema.watched)), MISSING_CODE),
    )
    typed = reader(schema)
    assert typed is not None
    return list(typed.read(values, columns)), columns


@pytest.mark.parametrize(
    "schema",
    [
        FeatureSchema(features=(Feature(path="a[0]", kind="number"),)),
        FeatureSchema(features=(Feature(path="a", kind="number", parse="text"),)),
        FeatureSchema(features=(NUMBER,), where=Where(path="t", value="1")),
        FeatureSchema(features=(NUMBER,), watched=(Watched(path="a.b", value=1),)),
        FeatureSchema(features=(Feature(path='"a\\"b"', kind="number"),)),
        FeatureSchema(features=(Feature(path='"a\\nb"', kind="number"),)),
    ],
    ids=["index", "text", "where", "overlap", "quote", "control"],
)
def test_a_schema_that_no_type_can_express_has_no_compiled_reader(schema: FeatureSchema) -> None:
    assert reader(schema) is None


def test_plain_records_are_read_in_place() -> None:
    left, columns = read(PLAIN, PLAIN.replace(b"1", b"9"))
    assert left == []
    assert columns.numbers.tolist() == [[1.0, 2.0], [9.0, 2.0]]
    assert columns.codes.tolist() == [[0], [0]]
    assert columns.watched[0].tolist() == [0]
    assert columns.watched[1, 0] >= 1


def test_what_is_absent_stays_missing() -> None:
    left, columns = read(b'{"s":"-"}')
    assert left == []
    assert np.isnan(columns.numbers).all()
    assert columns.codes.tolist() == [[MISSING_CODE]]
    assert columns.watched.tolist() == [[MISSING_CODE]]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"oops",
        b"[]",
        b'{"a":null}',
        b'{"a":"1"}',
        b'{"n":null}',
        b'{"n":[]}',
        b'{"s":3}',
        b'{"a":1e400}',
        '{"s":"é"}'.encode(),
        b'{"s":"\\u0041"}',
        b'{"z":[[[]]]}',
        b'{"z":"' + b" " * 100 + b'"}',
        b'\x00\x00\x00\x00\x01{"a":1}',
    ],
)
def test_what_it_is_not_sure_of_is_left_whatever_stands_beside_it(value: bytes | None) -> None:
    assert read(value)[0] == [0]
    assert read(PLAIN, value, PLAIN)[0] == [1]
    assert read(b"1", value)[0] == [0, 1]


def test_numbers_of_watched_values_are_compared_one_by_one() -> None:
    schema = FeatureSchema(features=(NUMBER,), watched=(Watched(path="w", value=4),))
    _, columns = read(b'{"w":4}', b'{"w":5}', b'{"w":"4"}', b"{}", schema=schema)
    assert [int(code) > 0 for code in columns.watched[:, 0]] == [False, True, False, False]
    assert columns.watched[3, 0] == MISSING_CODE


def test_a_schema_without_numbers_is_read() -> None:
    schema = FeatureSchema(features=(SCHEMA.features[2],))
    left, columns = read(b'{"s":"x"}', schema=schema)
    assert (left, columns.codes.tolist()) == ([], [[0]])
