"""Laws of discovery: damage changes no line, memory is bounded, nothing makes it fail."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shapes import SHAPES, WIDE
from tests.shapes.fuzz import with_damage
from training.dataset import Bounds, read_stretch
from training.discover import discover
from training.retrain import Plan, inspect
from training.summary import discovery_lines, discovery_table
from training.table import Look, discovered
from worker.adapters.files import ValuesHistory
from worker.codec import JsonCodec
from worker.records import Partition, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.shapes import Shape

CODEC = JsonCodec(record_bytes_max=1_000_000, depth_max=40, missing_share_max=0.5)
DAMAGE: Final = 0.01
KEPT: Final = 5_000

narrow = [shape for shape in SHAPES if len(shape.found) < WIDE]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("shape", narrow, ids=lambda shape: shape.name)
def test_one_percent_of_damaged_records_changes_no_line(shape: Shape, seed: int) -> None:
    clean = shape.records(2500, seed)
    dirty = with_damage(clean, DAMAGE, random.Random(seed))
    assert len(dirty) == 2525
    before, after = discover(clean), discover(dirty)
    assert discovery_lines(after).splitlines() == discovery_lines(before).splitlines()
    assert discovery_table(after) == discovery_table(before)


def test_nor_does_it_in_a_thousand_columns() -> None:
    (shape,) = (shape for shape in SHAPES if len(shape.found) >= WIDE)
    clean = shape.records(400)
    dirty = with_damage(clean, DAMAGE, random.Random(1))
    assert discovery_lines(discover(dirty)) == discovery_lines(discover(clean))


def test_damaged_bytes_are_passed_over() -> None:
    """Through the codec, as a training run sees them: cut off, not JSON, not UTF-8, no object."""
    dice = random.Random(5)
    (shape,) = (shape for shape in SHAPES if shape.name == "home")
    clean = [msgspec.json.encode(record) for record in shape.records(2500)]
    dirty: list[bytes | None] = [*clean]
    for _ in range(25):
        value = bytearray(dice.choice(clean))
        value[dice.randrange(len(value))] = dice.randrange(256)
        junk = [
            bytes(value[: dice.randrange(len(value))]),
            bytes(value),
            b"",
            b"[1]",
            b"\xff",
            None,
        ]
        dirty.insert(dice.randrange(len(dirty)), dice.choice(junk))
    tables = []
    for values in (clean, dirty):
        stretch = read_stretch(ValuesHistory(values, "s"), Bounds(), 100_000, CODEC.parse)
        tables.append(discovery_table(discovered(stretch, CODEC, Look())[1]))
    assert tables[1] == tables[0]


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.text(max_size=4), json_values, max_size=5), max_size=60))
def test_any_records_have_a_verdict_on_every_path(records: list[dict[str, object]]) -> None:
    found = discover(records)
    told = [item.path for item in found.left_out]
    if found.schema is not None:
        told += found.schema.names
        assert found.reasons.keys() == set(found.schema.names)
    assert len(told) == len(set(told))
    assert discovery_lines(found).count("\n") <= len(told)


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=4), json_values, min_size=1, max_size=5), st.integers(0, 9))
def test_whatever_is_found_can_be_read(record: dict[str, object], seed: int) -> None:
    """The same record again and again, beside a number: it is decoded or rejected, no more."""
    dice = random.Random(seed)
    records = [{**record, "x": dice.random()} for _ in range(100)]
    found = discover(records)
    assert found.schema is not None
    values = [_encoded(each) for each in records]
    decoded = CODEC.decode(values, found.schema)
    assert len(decoded.rows) + len(decoded.rejections) + len(decoded.skipped) == 100


def _encoded(record: dict[str, object]) -> bytes:
    try:
        return msgspec.json.encode(record)
    except (OverflowError, UnicodeEncodeError):  # beyond 64 bits, half a surrogate pair: no JSON
        return b"{}"


class LongTopic:
    """A history whose records are made as they are read; each has a key that never comes again."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def span(self, _start: int | None, _end: int | None) -> dict[Partition, tuple[int, int]]:
        return {Partition("t", 0): (0, self._rows)}

    def read(self, _span: Mapping[Partition, tuple[int, int]]) -> Iterator[list[Record]]:
        dice = random.Random(0)
        for i in range(self._rows):
            numbers = {f"n{n}": dice.random() for n in range(5)}
            value = {"at": i, f"key {dice.random()}": 1, "numbers": numbers}
            yield [Record("t", 0, i, i, None, msgspec.json.encode(value))]

    def close(self) -> None:
        """Nothing is open."""


def test_memory_does_not_grow_with_the_stretch() -> None:
    plan = Plan(stream="s", topic="t", rows_max=KEPT)
    peaks = []
    for rows in (20_000, 80_000):
        tracemalloc.start()
        found = inspect(LongTopic(rows), CODEC, plan)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.schema is not None
        assert found.records <= KEPT
    assert peaks[1] < 1.1 * peaks[0]
