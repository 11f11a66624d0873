"""A sample of records as one column of values for each path."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from training.discover.shapes import MOST, ListShape, is_map, shape_of, shape_of_rows
from worker.model.path import Key, Path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from worker.model.path import Segment
    from worker.model.values import Scalar
    from worker.records import JsonRecord

    Segments = tuple[Segment, ...]

DEPTH_MAX: Final = 24
PRESENT_SHARE_MIN: Final = 0.02
"""A path that stands in a smaller share of the records is not looked at: damage looks like it."""


@dataclass(slots=True)
class Column:
    """What stands at one path: `rows[i]` is the record of `values[i]`.

    nulls, containers: in how many records null, and an object or a list, stands there instead.
    """

    path: Path
    rows: list[int] = field(default_factory=list)
    values: list[Scalar] = field(default_factory=list)
    nulls: int = 0
    containers: int = 0


@dataclass(frozen=True, slots=True)
class Flat:
    """A sample flattened: columns by path, in the order of its text, and what was not entered."""

    records: int
    columns: dict[Path, Column]
    not_entered: dict[Path, str]


def flatten(records: Sequence[JsonRecord]) -> Flat:
    """Every leaf of the records by path; rare paths are left away."""
    least = PRESENT_SHARE_MIN * len(records)
    shapes = _shapes(records, least)
    walk = _Walk(shapes)
    for row, record in enumerate(records):
        walk.go(row, record, ())
    kept = [column for column in walk.columns.values() if len(column.rows) >= least]
    refused = dict(shapes.refused)
    for at, count in walk.nulls.items():
        if count >= max(least, MOST * walk.seen(at)):
            refused[at] = "always null"
    for column in kept:
        column.nulls = walk.nulls[column.path.segments]
        column.containers = walk.containers[column.path.segments]
    # In the order of their texts: which path came first depends on the first record alone.
    return Flat(
        records=len(records),
        columns={c.path: c for c in sorted(kept, key=lambda column: str(column.path))},
        not_entered={Path(at): why for at, why in refused.items()},
    )


@dataclass(frozen=True, slots=True)
class _Shapes:
    """How lists are entered, which objects are maps, and why something is not entered."""

    lists: dict[Segments, ListShape] = field(default_factory=dict)
    closed: set[Segments] = field(default_factory=set)
    refused: dict[Segments, str] = field(default_factory=dict)

    def close(self, at: Segments, why: str) -> None:
        """Do not enter the objects there."""
        self.closed.add(at)
        self.refused[at] = why


class _Walk:
    """Goes through records along the decided shapes and gathers the columns."""

    def __init__(self, shapes: _Shapes) -> None:
        self._shapes = shapes
        self.columns: dict[Segments, Column] = {}
        self.nulls: Counter[Segments] = Counter()
        self.containers: Counter[Segments] = Counter()

    def go(self, row: int, value: object, at: Segments) -> None:
        """Take everything below one value."""
        if isinstance(value, dict | list):
            self.containers[at] += 1
            for segment, child in self._members(value, at):
                self.go(row, child, (*at, segment))
        elif value is None:
            self.nulls[at] += 1
        else:
            column = self.columns.get(at)
            if column is None:
                column = self.columns[at] = Column(Path(at))
            column.rows.append(row)
            column.values.append(value)  # type: ignore[arg-type]  # JSON has only scalars left

    def seen(self, at: Segments) -> int:
        """In how many records anything stands at a place, null too."""
        column = self.columns.get(at)
        return self.nulls[at] + self.containers[at] + (len(column.rows) if column else 0)

    def _members(
        self, value: dict[str, object] | list[object], at: Segments
    ) -> Iterator[tuple[Segment, object]]:
        if isinstance(value, list):
            shape = self._shapes.lists.get(at)
            return iter(()) if shape is None else shape.enter(value)
        if at in self._shapes.closed or len(at) >= DEPTH_MAX:
            return iter(())
        return ((Key(name), child) for name, child in value.items())


def _shapes(records: Sequence[JsonRecord], least: float) -> _Shapes:
    """Decide place by place from the top, since what a list holds is seen only once entered."""
    shapes = _Shapes()
    level: dict[Segments, list[object]] = {(): list(records)}
    while level:
        below: dict[Segments, list[object]] = defaultdict(list)
        for at, values in level.items():
            objects = [value for value in values if isinstance(value, dict)]
            arrays = [value for value in values if isinstance(value, list)]
            if len(objects) >= least:
                _decide_objects(at, objects, shapes, below)
            if len(arrays) >= least:
                _decide_arrays(at, arrays, shapes, below)
        level = below
    return shapes


def _decide_objects(
    at: Segments,
    objects: Sequence[dict[str, object]],
    shapes: _Shapes,
    below: dict[Segments, list[object]],
) -> None:
    if len(at) >= DEPTH_MAX:
        shapes.close(at, f"nested deeper than {DEPTH_MAX}")
    elif at and is_map(objects):
        shapes.close(at, "a map whose keys come and go")
    else:
        members = ((Key(n), child) for value in objects for n, child in value.items())
        _descend(at, members, below)


def _decide_arrays(
    at: Segments,
    arrays: Sequence[list[object]],
    shapes: _Shapes,
    below: dict[Segments, list[object]],
) -> None:
    shape: ListShape | str
    if not at:
        shape = shape_of_rows(arrays)
    else:
        shape = shape_of(arrays) if len(at) < DEPTH_MAX else f"nested deeper than {DEPTH_MAX}"
    if isinstance(shape, str):
        shapes.refused[at] = shape
        return
    shapes.lists[at] = shape
    _descend(at, (member for values in arrays for member in shape.enter(values)), below)


def _descend(
    at: Segments,
    members: Iterable[tuple[Segment, object]],
    below: dict[Segments, list[object]],
) -> None:
    for segment, child in members:
        if isinstance(child, dict | list):
            below[*at, segment].append(child)
