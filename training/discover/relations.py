"""What only several columns together show: earlier images of an object, and types of records."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from training.discover.series import are_random, rank_correlation
from worker.model.path import Key, Path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from training.discover.columns import Column, Flat
    from training.discover.judge import NumberFeature
    from worker.model.schema import Scalar

    Flags = NDArray[np.bool_]

IMAGE_OVERLAP: Final = 0.8
"""Two objects hold the same thing where so large a share of their members have the same names."""
IMAGE_MEMBERS: Final = 2
IMAGE_PRESENT_MAX: Final = 0.9
"""An earlier image is missing from more than a tenth of the records: where there was none."""
IMAGE_KEPT: Final = 0.8
"""A change leaves some member as it was, the key, in so large a share of the changes."""
IMAGE_SAME: Final = 0.5
"""So large a share of the members is as it was, on the average: a common time alone is not."""
IMAGE_VALUES_MIN: Final = 8
"""A member that is left as it was tells that much only if it has so many different values."""
SIBLINGS_MAX: Final = 64
RELATED_MIN: Final = 0.1
"""Numbers with a smaller rank correlation have nothing to do with each other."""
TYPE_VALUES_MAX: Final = 12
TYPE_SHARE_MIN: Final = 0.02
"""A type is one where so large a share of the records is of it."""
MOST: Final = 0.97
"""What holds of this share of a type's records holds of the type."""


@dataclass(frozen=True, slots=True)
class Types:
    """A column that tells record types apart, and its values, in order.

    has_empty: whether records of some type hold none of the features that depend on the type.
    """

    column: Column
    values: tuple[Scalar, ...]
    has_empty: bool


def earlier_images(flat: Flat) -> dict[Path, Path]:
    """Objects that repeat a sibling as it was before, and that sibling: members of change events.

    Of two siblings with members of the same names, the one that is there less often.
    """
    objects = _objects(flat)
    found: dict[Path, Path] = {}
    for one, other in _siblings(list(objects)):
        older, newer = sorted((one, other), key=lambda path: objects[path].present)
        if (
            objects[older].present < min(IMAGE_PRESENT_MAX * flat.records, objects[newer].present)
            and _alike(objects[older], objects[newer])
            and _is_image(objects[older], objects[newer])
        ):
            found[older] = newer
    return found


def unrelated(flat: Flat, numbers: Mapping[Path, NumberFeature]) -> set[Path]:
    """Whole numbers drawn at random that have to do with no other number: identifiers."""
    random = {path for path, found in numbers.items() if are_random(found.numbers.values)}
    by_row = (
        {path: values_by_row(flat, path, found) for path, found in numbers.items()}
        if random
        else {}
    )
    return {
        path
        for path in random
        if all(
            abs(rank_correlation(by_row[path], other)) < RELATED_MIN
            for name, other in by_row.items()
            if name != path
        )
    }


def values_by_row(flat: Flat, path: Path, found: NumberFeature) -> NDArray[np.float64]:
    """The numbers of a column by row, NaN where a record has none."""
    values = np.full(flat.records, np.nan)
    values[np.asarray(flat.columns[path].rows)[found.numbers.places]] = found.numbers.values
    return values


def record_types(flat: Flat, features: Sequence[Column]) -> Types | None:
    """The feature whose values say which others a record has, where there is one."""
    has = np.zeros((flat.records, len(features)), dtype=bool)
    for j, column in enumerate(features):
        has[column.rows, j] = True
    rated = [found for j in range(len(features)) if (found := _rated(j, has, features))]
    return max(rated, key=lambda found: found[0])[1] if rated else None


@dataclass(slots=True)
class _Object:
    """The columns below one object by their path within it; `present`: records that hold it."""

    members: dict[str, Column] = field(default_factory=dict)
    present: int = 0


def _objects(flat: Flat) -> dict[Path, _Object]:
    found: dict[Path, _Object] = defaultdict(_Object)
    for path, column in flat.columns.items():
        for depth in range(1, len(path.segments)):
            if isinstance(path.segments[depth - 1], Key):
                above = found[Path(path.segments[:depth])]
                above.members[str(Path(path.segments[depth:]))] = column
                above.present = max(above.present, len(column.rows))
    return found


def _siblings(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    by_parent: dict[tuple[object, ...], list[Path]] = defaultdict(list)
    for path in paths:
        by_parent[path.segments[:-1]].append(path)
    for group in by_parent.values():
        yield from combinations(group[:SIBLINGS_MAX], 2)


def _alike(one: _Object, other: _Object) -> bool:
    shared = len(one.members.keys() & other.members.keys())
    union = len(one.members.keys() | other.members.keys())
    return shared >= IMAGE_MEMBERS and shared >= IMAGE_OVERLAP * union


def _is_image(older: _Object, newer: _Object) -> bool:
    """Whether, where both are there, most is as it was, and the key in nearly all: a change."""
    shares: list[float] = []
    has_key = False
    for name in older.members.keys() & newer.members.keys():
        before, after = older.members[name], newer.members[name]
        now = dict(zip(after.rows, after.values, strict=True))
        was = zip(before.rows, before.values, strict=True)
        pairs = [(value, now[row]) for row, value in was if row in now]
        share = sum(then == value for then, value in pairs) / max(len(pairs), 1)
        has_key |= share >= IMAGE_KEPT and len(set(pairs)) >= IMAGE_VALUES_MIN
        shares.append(share)
    return has_key and sum(shares) > IMAGE_SAME * len(shares)


def _rated(j: int, has: Flags, features: Sequence[Column]) -> tuple[int, Types] | None:
    """How many features come and go with the values of one; None where too few do."""
    column = features[j]
    counts = Counter(column.values)
    common = [value for value, n in counts.most_common() if n >= TYPE_SHARE_MIN * len(has)]
    covered = sum(counts[value] for value in common)
    if not 2 <= len(common) <= TYPE_VALUES_MAX or covered < MOST * len(column.values):  # noqa: PLR2004
        return None
    codes = {value: code for code, value in enumerate(common)}
    rows = np.asarray(column.rows)
    of_row = np.array([codes.get(value, -1) for value in column.values])
    share = np.array([has[rows[of_row == code]].mean(axis=0) for code in range(len(common))])
    absent, usual = share <= 1 - MOST, share >= MOST
    switched = absent.any(axis=0) & usual.any(axis=0)
    if switched.sum() < max(1, (len(features) - 1) / 2):
        return None
    has_empty = bool(absent[:, switched].all(axis=1).any())
    return int(switched.sum()), Types(column, tuple(sorted(common, key=str)), has_empty)
