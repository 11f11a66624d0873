"""Finds out what is a feature in a stream of JSON records, of which kind, and why the rest is not.

Decisions depend on the values, never on names. Memory is bounded by the number of paths, not of
records.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.model.path import Key, Path
from worker.model.schema import Feature, FeatureSchema, Watched, Where, category_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.model.schema import Kind, Scalar

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
"""A number that grows from record to record in this share of them is a time or a counter."""
PATHS_MAX: Final = 5_000
DISTINCT_MAX: Final = 64
_DEPTH_MAX: Final = 32


@dataclass(slots=True)
class _Seen:
    """What was seen at one path."""

    types: Counter[str] = field(default_factory=Counter)
    values: Counter[Scalar] = field(default_factory=Counter)
    overflowed: bool = False
    last: float | None = None
    rises: int = 0

    def add(self, value: Scalar) -> None:
        kind = _type_of(value)
        self.types[kind] += 1
        key = value if kind != "number" else float(value)  # type: ignore[arg-type]
        if key in self.values or len(self.values) < DISTINCT_MAX:
            self.values[key] += 1
        else:
            self.overflowed = True
        if kind == "number":
            number = float(value)  # type: ignore[arg-type]
            self.rises += self.last is not None and number > self.last
            self.last = number


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
        self._arrays: set[tuple[str, ...]] = set()
        self._records = 0
        self._empty = 0

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
        left_out = {str(_path(names)): "an array" for names in self._arrays}
        for names, seen in self._seen.items():
            path = _path(names)
            verdict = "the event time" if path == self._time else self._judge(path, seen)
            if isinstance(verdict, Feature):
                features.append(verdict)
            elif isinstance(verdict, Watched):
                watched.append(verdict)
            else:
                left_out[str(path)] = verdict
        schema = None
        if features:
            schema = FeatureSchema(
                features=tuple(features), watched=tuple(watched), where=self._where
            )
        return Discovery(schema, left_out, self._records)

    def _walk(self, value: dict[str, object], names: tuple[str, ...], depth: int) -> None:
        for name, child in value.items():
            path = (*names, name)
            if isinstance(child, dict):
                if depth < _DEPTH_MAX:
                    self._walk(child, path, depth + 1)
            elif isinstance(child, list):
                self._arrays.add(path)
            elif child is not None:
                seen = self._seen.get(path)
                if seen is None:
                    if len(self._seen) >= PATHS_MAX:
                        continue
                    seen = self._seen[path] = _Seen()
                seen.add(child)  # type: ignore[arg-type]  # JSON has no other type left

    def _judge(self, path: Path, seen: _Seen) -> Feature | Watched | str:
        present = seen.types.total()
        if present < PRESENT_SHARE_MIN * self._records:
            return f"present in {present} of {self._records} records only"
        kind, of_kind = seen.types.most_common(1)[0]
        if of_kind < TYPE_SHARE * present:
            return "of mixed types: " + ", ".join(sorted(seen.types))
        value, count = seen.values.most_common(1)[0]
        if count >= CONSTANT_SHARE * present:
            share = (present - count) / present
            return Watched(path=str(path), value=value, other_share=share)
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
    present = seen.types.total()
    if kind == "number":
        if seen.overflowed and seen.rises >= RISING_SHARE * (present - 1):
            return "grows from record to record: a time or a counter"
        return _of_kind(path, "number")
    if kind == "boolean":
        return _of_kind(path, "boolean")
    distinct = len(seen.values)
    if seen.overflowed or distinct > CATEGORIES_MAX:
        return f"a text with more than {CATEGORIES_MAX} values"
    if distinct * RECORDS_PER_CATEGORY_MIN > present:
        return "a text whose values hardly come again"
    texts = {category_text(value) for value in seen.values}
    return Feature(
        path=str(path), kind="category", categories=tuple(sorted(t for t in texts if t is not None))
    )


def _of_kind(path: Path, kind: Kind) -> Feature:
    return Feature(path=str(path), kind=kind)


def _type_of(value: Scalar) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def _path(names: tuple[str, ...]) -> Path:
    return Path(tuple(Key(name) for name in names))
