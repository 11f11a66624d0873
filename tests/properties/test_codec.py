"""The codec is total, and its two readers agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties.records import SCHEMA, codec, values
from worker.codec import REASONS, RecordRejected, parse_record
from worker.codec.parse import depth_of
from worker.codec.typed import TypedReader
from worker.model.schema import FeatureSchema, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.ports import Decoded

batches = st.lists(values, max_size=6)
schemas = st.sampled_from(
    [
        SCHEMA,
        FeatureSchema(features=SCHEMA.features, empty_records=True),
        FeatureSchema(features=SCHEMA.features, where=Where(path="v", value="1.2")),
    ]
)


class FullCodec:
    """The codec with its short cut taken away: what defines the right answer."""

    def decode(self, batch: Sequence[bytes | None], schema: FeatureSchema) -> Decoded:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TypedReader, "compile", lambda *_: None)
            return codec().decode(batch, schema)


@given(batches, schemas, st.sampled_from([0.0, 0.5, 1.0]))
def test_each_row_is_decoded_or_skipped_or_rejected(
    batch: list[bytes | None], schema: FeatureSchema, share: float
) -> None:
    decoded = codec(share).decode(batch, schema)
    rejected = [rejection.row for rejection in decoded.rejections]
    assert sorted([*decoded.rows, *decoded.skipped, *rejected]) == list(range(len(batch)))
    assert [*decoded.rows] == sorted(decoded.rows)
    assert {rejection.reason for rejection in decoded.rejections} <= set(REASONS)


@given(batches, schemas)
def test_numbers_are_finite_or_missing(batch: list[bytes | None], schema: FeatureSchema) -> None:
    columns = codec().decode(batch, schema).columns
    assert not np.isinf(columns.numbers).any()
    assert int((columns.codes < -1).sum() + (columns.watched < -1).sum()) == 0


@given(batches)
@example([b"1", b'{"z":[[[[[]]]]]}'])
@example([b'{"z":' + b"9" * 5000 + b"}", b'{"a":' + b"9" * 5000 + b"}"])
@example([b'{"n":{"b":1},"n":{"on":true}}', b'{"a":1,"a":null}', b'{"a":null,"a":1}'])
@example([b'{"a":1,"z":"\xff"}', b'{"a":1,"z":"\\ud800"}', b'{"a":1,"z":"\x01"}'])
@example([b'{"a":1,"z":01}', b'{"a":1,"z":1e400}', b'{"a":1,"z":NaN}', b'{"a":1,"z":tru}'])
@example([b'{"v":{"x":1e400}}', b'{"v":[1,1]}', b'{"v":' + b"9" * 5000 + b"}"])
def test_the_compiled_reader_agrees_with_the_full_one(batch: list[bytes | None]) -> None:
    fast, full = codec().decode(batch, SCHEMA), FullCodec().decode(batch, SCHEMA)
    np.testing.assert_array_equal(fast.columns.numbers, full.columns.numbers)
    np.testing.assert_array_equal(fast.columns.codes, full.columns.codes)
    np.testing.assert_array_equal(fast.columns.watched, full.columns.watched)
    assert fast.rows.tolist() == full.rows.tolist()
    assert fast.rejections == full.rejections
    assert fast.skipped == full.skipped
    assert fast.missing == full.missing


@given(batches)
def test_a_record_is_read_alike_whatever_stands_beside_it(batch: list[bytes | None]) -> None:
    together = codec().decode(batch, SCHEMA)
    alone = [codec().decode([value], SCHEMA) for value in batch]
    kept = [row for row, decoded in enumerate(alone) if len(decoded.rows)]
    assert together.rows.tolist() == kept
    numbers = [alone[row].columns.numbers for row in kept]
    np.testing.assert_array_equal(together.columns.numbers, np.vstack([np.empty((0, 3)), *numbers]))


@given(batches)
def test_an_accepted_record_can_be_read_again(batch: list[bytes | None]) -> None:
    decoded = codec().decode(batch, SCHEMA)
    for row in decoded.rows:
        value = batch[row]
        assert value is not None
        assert len(codec().read(value, SCHEMA)) == len(SCHEMA.names)


@given(values.filter(lambda value: value is not None))
def test_a_record_is_what_python_reads_too(value: bytes) -> None:
    try:
        record = parse_record(value, 6000, 5)
    except RecordRejected:
        return
    assert record == json.loads(value[5:] if value[:1] == b"\0" else value, parse_int=_integer)


@given(st.text('{}[]"\\a\n', max_size=60).map(str.encode), st.integers(0, 8))
def test_depth_is_that_of_a_naive_counter_as_far_as_it_matters(text: bytes, enough: int) -> None:
    assert (depth_of(text, enough) > enough) == (_naive_depth(text) > enough)


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 4000 else float(text)


def _naive_depth(text: bytes) -> int:
    """Character by character, as JSON says where a string ends."""
    depth = deepest = at = 0
    while at < len(text):
        character = text[at : at + 1]
        if character == b'"':
            at += 1
            while at < len(text) and text[at : at + 1] != b'"':
                at += 2 if text[at : at + 1] == b"\\" else 1
        depth += (character in b"{[") - (character in b"}]")
        deepest = max(depth, deepest)
        at += 1
    return deepest
