"""A compiled parser for records that are plainly as the schema expects: typed, flat or nested.

It only ever accepts what records.py accepts, with the same values; whatever it is not sure of it
leaves alone. Knows nothing of rejections.
"""

from __future__ import annotations

from itertools import repeat
from operator import attrgetter
from struct import Struct
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from worker.model.path import MISSING, Key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.model.schema import Columns, Feature, FeatureSchema, Watched

_NAN = float("nan")


class TypedReader:
    """Reads whole batches with one typed decoder made for the schema."""

    def __init__(self, schema: FeatureSchema, bytes_max: int, depth_max: int) -> None:
        """Build the decoder; `compile` says for which schemas that can be done."""
        tree = _Tree()
        self._numbers = _getter([tree.add(f, *_number_type(f)) for f in schema.numbers])
        self._codes = [(f, _getter([tree.add(f, str | None, None)])) for f in schema.categories]
        self._watched = [(w, _getter([tree.add(w, Any, MISSING)])) for w in schema.watched]
        self._decode = msgspec.json.Decoder(tree.struct()).decode
        self._pack = Struct(f"{len(schema.numbers)}d").pack
        self._number_count = len(schema.numbers)
        self._bytes_max = bytes_max
        self._depth_max = depth_max

    @classmethod
    def compile(cls, schema: FeatureSchema, bytes_max: int, depth_max: int) -> TypedReader | None:
        """A reader, or None for a schema whose paths or parse kinds need the full one."""
        plain = all(isinstance(step, Key) for steps in schema.steps for step in steps.segments)
        typed = all(feature.parse == "json" for feature in schema.features)
        if not plain or not typed or schema.where is not None or _overlaps(schema):
            return None
        if not _nameable(schema):
            return None
        return cls(schema, bytes_max, depth_max)

    def read(self, values: Sequence[bytes | None], columns: Columns) -> Sequence[int]:
        """Fill the rows that it takes; the rows that are left for the full one."""
        records: list[Any] = []
        rows: list[int] = []
        left: list[int] = []
        decode, sure = self._decode, self._sure(values)
        for row, value in enumerate(values):
            try:
                if sure or self._sure_of(value):
                    records.append(decode(value))  # type: ignore[arg-type]
                    rows.append(row)
                    continue
            except (msgspec.MsgspecError, UnicodeDecodeError, TypeError, RecursionError):
                pass
            left.append(row)
        if records:
            self._fill(records, np.asarray(rows), columns)
        return left

    def _sure(self, values: Sequence[bytes | None]) -> bool:
        """Whether no value of the batch can hold what a typed decoder passes over unchecked."""
        try:
            joined = b"".join(values)  # type: ignore[arg-type]
        except TypeError:
            return False
        opening = joined.count(b"{") + joined.count(b"[")
        return (
            joined.isascii()
            and b"\\" not in joined
            and all(map(bytes.startswith, values, repeat(b"{")))  # type: ignore[arg-type]
            and opening < len(values) + self._depth_max  # so none alone has more than depth_max
            and max(map(len, values), default=0) <= self._bytes_max  # type: ignore[arg-type]
        )

    def _sure_of(self, value: bytes | None) -> bool:
        return (
            value is not None
            and len(value) <= self._bytes_max
            and value.isascii()
            and b"\\" not in value
            and value.count(b"{") + value.count(b"[") <= self._depth_max
        )

    def _fill(self, records: list[Any], rows: Any, columns: Columns) -> None:  # noqa: ANN401
        if self._number_count:
            pack, numbers = self._pack, self._numbers
            packed = b"".join([pack(*numbers(record)) for record in records])
            columns.numbers[rows] = np.frombuffer(packed).reshape(-1, self._number_count)
        for j, (feature, get) in enumerate(self._codes):
            columns.codes[rows, j] = _codes(feature, [get(record)[0] for record in records])
        for j, (watched, get) in enumerate(self._watched):
            columns.watched[rows, j] = _watch_codes(watched, [get(r)[0] for r in records])


class _Tree:
    """Fields gathered by path, then made into nested struct types."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str, Any, Any]] = []
        self.children: dict[str, tuple[str, _Tree]] = {}

    def add(self, item: Feature | Watched, kind: Any, default: Any) -> str:  # noqa: ANN401
        """Place a field; the dotted attribute path under which its value is then found."""
        names = [step.name for step in item.steps.segments if isinstance(step, Key)]
        tree, attributes = self, []
        for name in names[:-1]:
            attribute, tree = tree.children.setdefault(name, (f"c{len(tree.children)}", _Tree()))
            attributes.append(attribute)
        attribute = f"f{len(tree.fields)}"
        tree.fields.append((attribute, names[-1], kind, default))
        return ".".join([*attributes, attribute])

    def struct(self) -> type[msgspec.Struct]:
        """The struct type; an absent child object reads as one with all fields absent."""
        fields: list[tuple[str, Any, Any]] = []
        renamed: dict[str, str] = {}
        for attribute, name, kind, default in self.fields:
            fields.append((attribute, kind, default))
            renamed[attribute] = name
        for name, (attribute, tree) in self.children.items():
            child = tree.struct()
            fields.append((attribute, child, msgspec.field(default_factory=child)))
            renamed[attribute] = name
        return msgspec.defstruct("Observation", fields, rename=renamed, gc=False)


def _number_type(feature: Feature) -> tuple[Any, float]:
    return (bool, _NAN) if feature.kind == "boolean" else (float, _NAN)


def _getter(attributes: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives the attributes as a tuple, also where there is one or none."""
    if not attributes:
        return lambda _record: ()
    if len(attributes) == 1:
        get = attrgetter(attributes[0])
        return lambda record: (get(record),)
    return attrgetter(*attributes)


def _codes(feature: Feature, column: list[str | None]) -> list[int]:
    codes = {text: feature.code(text) for text in set(column)}
    return [codes[text] for text in column]


def _watch_codes(watched: Watched, column: list[object]) -> list[int] | int:
    first = column[0]
    if isinstance(first, str) and column.count(first) == len(column):
        return watched.code(first)
    return [watched.code(value) for value in column]


def _overlaps(schema: FeatureSchema) -> bool:
    """Whether one path leads through the value of another, which no struct can express."""
    paths = {steps.segments for steps in schema.steps}
    return any(path[:n] in paths for path in paths for n in range(1, len(path)))


def _nameable(schema: FeatureSchema) -> bool:
    """Whether every key may name a field: one that JSON has to escape may not."""
    keys = [step.name for path in schema.steps for step in path.segments if isinstance(step, Key)]
    return not any(character in _ESCAPED for key in keys for character in key)


_ESCAPED = frozenset('"\\') | frozenset(map(chr, range(0x20)))
