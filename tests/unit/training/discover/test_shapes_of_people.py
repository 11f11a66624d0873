"""What discovery finds in the shapes of records that people have."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.shapes import SHAPES, WIDE
from tests.shapes.verdicts import kinds, reasons, schema_of
from training.discover import discover
from worker.codec import JsonCodec

if TYPE_CHECKING:
    from tests.shapes import Shape
    from training.discover import Discovery

CODEC = JsonCodec(record_bytes_max=1_000_000, depth_max=40, missing_share_max=1)

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


def rows(shape: Shape) -> int:
    return 600 if len(shape.found) >= WIDE else 2500


@cache
def found_in(name: str) -> Discovery:
    (shape,) = (shape for shape in SHAPES if shape.name == name)
    return discover(shape.records(rows(shape)))


@every_shape
def test_the_features_are_these_and_no_others(shape: Shape) -> None:
    assert kinds(found_in(shape.name)) == dict(shape.found)


@every_shape
def test_the_constants_are_watched(shape: Shape) -> None:
    watched = [constant.path for constant in schema_of(found_in(shape.name)).watched]
    assert sorted(watched) == sorted(shape.watched)


@every_shape
def test_the_rest_is_left_out_for_its_reason(shape: Shape) -> None:
    left_out = reasons(found_in(shape.name))
    assert left_out.keys() == shape.left_out.keys()
    assert [p for p, words in shape.left_out.items() if words not in left_out[p]] == []


@every_shape
def test_types_of_records_are_told(shape: Shape) -> None:
    assert found_in(shape.name).types == shape.types


@every_shape
def test_every_feature_and_constant_has_a_reason(shape: Shape) -> None:
    found = found_in(shape.name)
    assert found.reasons.keys() == set(schema_of(found).names)
    assert "" not in found.reasons.values()


@every_shape
def test_the_order_of_members_does_not_matter(shape: Shape) -> None:
    dice = random.Random(7)
    shuffled = [shuffle(record, dice) for record in shape.records(rows(shape))]
    assert discover(shuffled) == found_in(shape.name)


@every_shape
def test_the_codec_reads_what_was_chosen(shape: Shape) -> None:
    """No record is rejected, and what discovery calls usual is never missing or unknown."""
    found = found_in(shape.name)
    schema = schema_of(found)
    decoded = CODEC.decode([msgspec.json.encode(r) for r in shape.records(rows(shape))], schema)
    assert decoded.rejections == []
    assert (decoded.columns.codes < [len(f.categories) for f in schema.categories]).all()
    for j, feature in enumerate(schema.numbers):
        held = [r for r in decoded.columns.numbers[:, j].tolist() if r == r]  # noqa: PLR0124 - NaN
        assert len(held) >= 0.02 * len(decoded.rows), feature.path


def shuffle(record: dict[str, object], dice: random.Random) -> dict[str, object]:
    """The same record with the members of its objects in another order."""
    items = list(record.items())
    dice.shuffle(items)
    return {k: shuffle(v, dice) if isinstance(v, dict) else v for k, v in items}
