"""How lists and maps are entered: named points, fixed places, or not at all.

A shape is decided on all the lists that stand at one place of the sample's records.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from training.discover.dates import is_date_in_parts
from worker.model.path import Index, Named
from worker.model.values import parse_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from worker.model.path import Segment

MOST: Final = 0.97
"""A shape holds where this share of the records has it; the rest may be damaged ones."""
PLACES_MAX: Final = 64
"""Elements of a list that is entered by place at most."""
ROW_PLACES_MAX: Final = 4096
"""Elements of a record that is an array itself at most."""
NAMES_MAX: Final = 256
"""Different names of points at most."""
NAME_RECURS: Final = 5
"""Each name of a point stands in so many lists on the average, or the points are not named."""
MAP_KEYS_MIN: Final = 8
MAP_TURNOVER: Final = 3
"""An object is a map where so many times the keys of one record come and go over all of them."""
KEY_SETS: Final = 3
"""An object whose keys depend on its type has so many different sets of keys per key at most."""

Refusal = Literal[
    "an array of texts", "an array of varying length", "an array of mixed values", "a time"
]


class ListShape:
    """How the lists at one place are entered: by the name under `name_key`, or by place."""

    def __init__(self, name_key: str | None, places: int) -> None:
        """`places` elements by place, or, with a `name_key`, all of them by name."""
        self.name_key = name_key
        self.places = places

    def enter(self, values: Sequence[object]) -> Iterator[tuple[Segment, object]]:
        """The elements and the segments that lead to them; a name leads to its first point."""
        if self.name_key is None:
            for at, value in enumerate(values[: self.places]):
                yield Index(at), value
            return
        seen: set[str] = set()
        for point in values:
            if not isinstance(point, dict):
                continue
            name = point.get(self.name_key)
            if isinstance(name, str) and name not in seen:
                seen.add(name)
                rest = {key: value for key, value in point.items() if key != self.name_key}
                yield Named(self.name_key, name), rest


def shape_of(lists: Sequence[Sequence[object]]) -> ListShape | Refusal:
    """The shape of the lists at one place, or why they are not entered."""
    filled = [values for values in lists if values]
    if len(filled) <= (1 - MOST) * len(lists):
        return "an array of varying length"
    if _share(all(isinstance(v, dict) for v in values) for values in filled) >= MOST:
        name_key = _name_key(filled)
        if name_key is not None:
            return ListShape(name_key, 0)
        return _by_place(filled)
    if _share(is_date_in_parts(values) for values in filled) >= MOST:
        return "a time"
    return _shape_of_values(filled)


def _shape_of_values(filled: Sequence[Sequence[object]]) -> ListShape | Refusal:
    """The same of lists that hold something, and not points."""
    for is_uniform in (_is_measured, _is_list):
        if _share(all(is_uniform(v) for v in values) for values in filled) >= MOST:
            return _by_place(filled)
    if _share(all(isinstance(v, str) for v in values) for values in filled) >= MOST:
        return "an array of texts"
    shape = _by_place(filled)
    return shape if isinstance(shape, ListShape) and _is_row(filled) else "an array of mixed values"


def shape_of_rows(records: Sequence[Sequence[object]]) -> ListShape | str:
    """The shape of records that are arrays: rows, of whatever values, or a list of points."""
    shape = shape_of(records)
    if isinstance(shape, str):
        shape = _by_place([values for values in records if values], ROW_PLACES_MAX)
    if isinstance(shape, str):
        return f"{shape}: a record is read by place, or by the names of its points"
    return shape


def is_map(objects: Sequence[dict[str, object]]) -> bool:
    """Whether the keys of objects come and go, as ids do, so that none can be a feature.

    Keys of which an object has a few, always the same few together, are those of several types.
    """
    keys = Counter(name for value in objects for name in value)
    total = keys.total()
    if len(keys) < MAP_KEYS_MIN or len(keys) * len(objects) < MAP_TURNOVER * total:
        return False
    recurring = {name for name, count in keys.items() if count > (1 - MOST) * len(objects)}
    if 2 * sum(keys[name] for name in recurring) < total:
        return True
    if len(recurring) * len(objects) <= MAP_TURNOVER * total:
        return False
    sets = Counter(frozenset(recurring.intersection(value)) for value in objects)
    most = sets.most_common(KEY_SETS * len(recurring))
    return sum(count for _, count in most) < MOST * len(objects)


def _by_place(
    filled: Sequence[Sequence[object]], places_max: int = PLACES_MAX
) -> ListShape | Refusal:
    lengths = Counter(map(len, filled)).most_common(1)
    length, count = lengths[0] if lengths else (0, 0)
    if count < max(MOST * len(filled), 1) or length > places_max:
        return "an array of varying length"
    return ListShape(None, length)


def _is_row(filled: Sequence[Sequence[object]]) -> bool:
    """Whether lists are rows of a table: each place holds scalars of one type."""
    length, _ = Counter(map(len, filled)).most_common(1)[0]
    rows = [values for values in filled if len(values) == length]
    return all(
        Counter(map(_kind, places)).most_common(1)[0][1] >= MOST * len(rows)
        for places in zip(*rows, strict=True)
    )


def _kind(value: object) -> str:
    """The type of a scalar; of an object or a list a different one for each."""
    if isinstance(value, dict | list):
        return f"container {id(value)}"
    return "text" if isinstance(value, str) else "measured"


def _name_key(filled: Sequence[Sequence[object]]) -> str | None:
    """The member whose texts tell the points of a list apart and come again in other lists.

    Of several whose texts come again much alike, the one that is written first.
    """
    if _share(len(values) == 1 for values in filled) >= MOST:
        return None
    places: dict[str, list[int]] = defaultdict(list)
    for values in filled:
        for place, key in enumerate(_common_keys(values)):
            places[key].append(place)
    common = {key: found for key, found in places.items() if len(found) >= MOST * len(filled)}
    recurrence = {key: _recurrence(filled, key) for key in common}
    least = max(NAME_RECURS, max(recurrence.values(), default=0) / 2)
    names = [key for key in common if recurrence[key] >= least]
    return min(names, key=lambda key: sum(common[key]) / len(common[key]), default=None)


def _common_keys(values: Sequence[object]) -> list[str]:
    """The members that every point of a list has, in their order."""
    points = [value for value in values if isinstance(value, dict)]
    if len(points) < len(values):
        return []
    return [key for key in points[0] if all(key in point for point in points)]


def _recurrence(filled: Sequence[Sequence[object]], key: str) -> float:
    """In how many lists a text of this member stands on the average; 0 where it names nothing."""
    named = [_names(values, key) for values in filled]
    if _share(names is not None for names in named) < MOST:
        return 0
    counts = Counter(name for names in named if names for name in names)
    total = counts.total()
    numbers = sum(count for name, count in counts.items() if _is_digits(name))
    if numbers > (1 - MOST) * total:
        return 0
    covered = np.cumsum([count for _, count in counts.most_common()])
    different = int(np.searchsorted(covered, MOST * total)) + 1
    return total / different if different <= NAMES_MAX else 0


def _is_digits(text: str) -> bool:
    return parse_number(text, "text") is not None


def _names(values: Sequence[object], key: str) -> list[str] | None:
    """The names of a list's points, None where they do not tell them apart."""
    names = [point.get(key) if isinstance(point, dict) else None for point in values]
    texts = [name for name in names if isinstance(name, str)]
    return texts if len(texts) == len(names) == len(set(texts)) else None


def _is_measured(value: object) -> bool:
    """A number, also one written as text, true, false, or nothing."""
    return not isinstance(value, dict | list | str) or (
        isinstance(value, str) and _is_digits(value)
    )


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _share(holds: Iterable[bool]) -> float:
    found = list(holds)
    return sum(found) / len(found)
