"""Finds out what is a feature in a stream of JSON records, of which kind, and why the rest is not.

Decisions depend on the values, never on names. Memory is bounded by the number of paths, not of
records.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.model.path import Key, Path
from worker.model.schema import Feature, FeatureSchema, Watched, Where, category_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.model.schema import Scalar

CONSTANT_SHARE: Final = 0.98
"""A value that stands in this share of the records is a constant, and watched."""
TYPE_SHARE: Final = 0.98
"""A path whose values are of one type in a smaller share is no feature."""
PRESENT_SHARE_MIN: Final = 0.05
"""A path that is present in a smaller share of the records is left out."""
CATEGORIES_MAX: Final = 50
RECORDS_PER_CATEGORY_MIN: Final = 10
"""A text is a category while its values come again so often on the average."""
RISING_SHARE: Final = 0.98
"""A number that grows in this share of its changes, or falls in it, is a time or a counter."""
CHANGES_MIN: Final = 32
"""Changes that it takes to say so."""
PATHS_MAX: Final = 5_000
DISTINCT_MAX: Final = 64
_DEPTH_MAX: Final = 32

_NO_FEATURE: Final = {
    "array": "an array",
    "object": "an object in most records",
    "deeper object": f"nested deeper than {_DEPTH_MAX}",
    "number without bounds": "numbers beyond a double's range",
}
"""Types that are no feature, and what is said of them."""


@dataclass(slots=True)
class _Seen:
    """What was seen at one path."""

    types: Counter[str] = field(default_factory=Counter)
    values: Counter[tuple[str, Scalar]] = field(default_factory=Counter)
    nulls: int = 0
    overflowed: bool = False
    last: float | None = None
    rises: int = 0
    falls: int = 0

    def add(self, kind: str, value: object) -> None:
        self.types[kind] += 1
        if isinstance(value, str | int | float):
            self._count((kind, value))  # the type beside it, as true equals 1 in Python
        if kind == "number":
            number = float(value)  # type: ignore[arg-type]
            self.rises += self.last is not None and number > self.last
            self.falls += self.last is not None and number < self.last
            self.last = number

    def _count(self, key: tuple[str, Scalar]) -> None:
        if key in self.values or len(self.values) < DISTINCT_MAX:
            self.values[key] += 1
        else:
            self.overflowed = True

    def runs_one_way(self) -> bool:
        """Whether the number only grows or only falls, record by record, where it changes."""
        changes = self.rises + self.falls
        one_way = max(self.rises, self.falls) >= RISING_SHARE * changes
        return changes >= CHANGES_MIN and one_way


@dataclass(frozen=True, slots=True)
class Discovery:
    """The schema, None where no feature was found, and the reason for each path not in it."""

    schema: FeatureSchema | None
    left_out: dict[str, str]
    records: int


class Discoverer:
    """Takes records one by one, then decides."""

    def __init__(self, where: Where | None = None, time: Path | None = None) -> None:
        """Only records that match `where` count; `time` names a path that is no feature."""
        self._where = where
        self._time = time
        self._seen: dict[tuple[str, ...], _Seen] = {}
        self._records = 0

    def add(self, record: dict[str, object]) -> None:
        """Look at one parsed record."""
        if self._where is not None and not self._where.matches(record):
            return
        self._records += 1
        self._walk(record, (), 0)

    def decide(self) -> Discovery:
        """The schema of what was seen."""
        features: list[Feature] = []
        watched: list[Watched] = []
        left_out: dict[str, str] = {}
        for names, seen in self._seen.items():
            path = _path(names)
            verdict = "the event time" if path == self._time else self._judge(path, seen)
            if isinstance(verdict, Feature):
                features.append(verdict)
            elif isinstance(verdict, Watched):
                watched.append(verdict)
            elif verdict is not None:
                left_out[str(path)] = verdict
        if not features:
            left_out |= {constant.path: "a constant" for constant in watched}
            return Discovery(None, left_out, self._records)
        schema = FeatureSchema(features=tuple(features), watched=tuple(watched), where=self._where)
        return Discovery(schema, left_out, self._records)

    def _walk(self, value: dict[str, object], names: tuple[str, ...], depth: int) -> None:
        for name, child in value.items():
            path = (*names, name)
            seen = self._seen.get(path)
            if seen is None:
                if len(self._seen) >= PATHS_MAX:
                    continue
                seen = self._seen[path] = _Seen()
            if child is None:
                seen.nulls += 1
            elif isinstance(child, dict) and depth >= _DEPTH_MAX:
                seen.add("deeper object", child)
            else:
                seen.add(_type_of(child), child)
                if isinstance(child, dict):
                    self._walk(child, path, depth + 1)

    def _judge(self, path: Path, seen: _Seen) -> Feature | Watched | str | None:
        """What becomes of a path; None for an object, whose members are judged."""
        present = seen.types.total()
        if set(seen.types) == {"object"}:
            return None
        if present < max(1, PRESENT_SHARE_MIN * self._records):
            return f"present in {present} of {self._records} records only"
        kind, of_kind = seen.types.most_common(1)[0]
        if of_kind < TYPE_SHARE * present:
            return "of mixed types: " + ", ".join(sorted(seen.types))
        if kind in _NO_FEATURE:
            return _NO_FEATURE[kind]
        (_, value), count = seen.values.most_common(1)[0]
        if count >= CONSTANT_SHARE * present:
            # A null is another value to whoever watches, and was one here.
            of = present + seen.nulls
            return Watched(path=str(path), value=value, other_share=(of - count) / of)
        return _feature(path, kind, seen)


def discover(
    records: Iterable[dict[str, object]], where: Where | None = None, time: Path | None = None
) -> Discovery:
    """What the records hold."""
    discoverer = Discoverer(where, time)
    for record in records:
        discoverer.add(record)
    return discoverer.decide()


def _feature(path: Path, kind: str, seen: _Seen) -> Feature | str:
    if kind == "number":
        if seen.runs_one_way():
            return "only grows or only falls from record to record: a time or a counter"
        return Feature(path=str(path), kind="number")
    if kind == "boolean":
        return Feature(path=str(path), kind="boolean")
    distinct = len(seen.values)
    if seen.overflowed or distinct > CATEGORIES_MAX:
        return f"a text with more than {CATEGORIES_MAX} values"
    if distinct * RECORDS_PER_CATEGORY_MIN > seen.types.total():
        return "a text whose values hardly come again"
    texts = {category_text(value) for _, value in seen.values}
    return Feature(
        path=str(path), kind="category", categories=tuple(sorted(t for t in texts if t is not None))
    )


def _type_of(value: object) -> str:
    """The JSON type of what is not null."""
    match value:
        case bool():
            return "boolean"
        case str():
            return "text"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "number" if _is_double(value) else "number without bounds"


def _is_double(value: object) -> bool:
    """Compared, not converted: converting an integer of 400 digits raises."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _path(names: tuple[str, ...]) -> Path:
    return Path(tuple(Key(name) for name in names))
