"""Objects that repeat a sibling as it was before: the earlier images of change events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final

from worker.model.path import Key, Path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.discover.columns import Column, Flat
    from worker.model.values import Scalar

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
IMAGE_REPEATS_MIN: Final = 8
IMAGE_REPEATS_MORE: Final = 4
"""So often, and so many times more often than the other way round, an image was new before."""
SIBLINGS_MAX: Final = 64


def earlier_images(flat: Flat) -> dict[Path, Path]:
    """Objects that repeat a sibling as it was before, and that sibling: members of change events.

    Of two siblings with members of the same names, the one that holds what the other held before,
    or, where no record shows that, the one that is there less often.
    """
    objects = _objects(flat)
    found: dict[Path, Path] = {}
    for one, other in _siblings(list(objects)):
        older, newer = sorted((one, other), key=lambda path: objects[path].present)
        if not (
            _alike(objects[older], objects[newer]) and _is_image(objects[older], objects[newer])
        ):
            continue
        follows, leads = _repeats(objects[older], objects[newer])
        if leads >= IMAGE_REPEATS_MIN and leads > IMAGE_REPEATS_MORE * follows:
            found[newer] = older
        elif (follows >= IMAGE_REPEATS_MIN and follows > IMAGE_REPEATS_MORE * leads) or objects[
            older
        ].present < min(IMAGE_PRESENT_MAX * flat.records, objects[newer].present):
            found[older] = newer
    return found


def _repeats(one: _Object, other: _Object) -> tuple[int, int]:
    """How often a changed object is what its sibling was in an earlier record, both ways."""
    names = sorted(one.members.keys() & other.members.keys())
    ones, others = _images(one, names), _images(other, names)
    seen_of_one: set[tuple[Scalar, ...]] = set()
    seen_of_other: set[tuple[Scalar, ...]] = set()
    follows = leads = 0
    for row in sorted(ones.keys() | others.keys()):
        image, sibling = ones.get(row), others.get(row)
        if image != sibling:
            follows += image in seen_of_other
            leads += sibling in seen_of_one
        seen_of_one.update([image] if image else [])
        seen_of_other.update([sibling] if sibling else [])
    return follows, leads


def _images(held: _Object, names: Sequence[str]) -> dict[int, tuple[Scalar, ...]]:
    """The values of the members by row."""
    found: dict[int, list[Scalar]] = {}
    for place, name in enumerate(names):
        column = held.members[name]
        for row, value in zip(column.rows, column.values, strict=True):
            found.setdefault(row, [None] * len(names))[place] = value
    return {row: tuple(values) for row, values in found.items()}


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
