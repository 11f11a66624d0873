"""What only several columns together show: identifiers, and types of records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from training.discover.series import are_random, are_whole, rank_correlation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from training.discover.columns import Column, Flat
    from training.discover.judge import NumberFeature
    from worker.model.path import Path
    from worker.model.values import Scalar

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]

NAMED_BY: Final = 50
"""Different values that a number and a text have at least to name the same things."""
NAMED_AGAIN: Final = 2
"""Each of them stands in so many records on the average at least."""
RELATED_MIN: Final = 0.1
"""Numbers with a smaller rank correlation have nothing to do with each other."""
CHANCE: Final = 3
"""Standard deviations that a correlation of few rows has at least to be one."""
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
        if not any(
            _are_related(by_row[path], other) for name, other in by_row.items() if name != path
        )
    }


def _are_related(one: Floats, other: Floats) -> bool:
    """Whether ranks have to do with each other, and not by the chance of few rows in common."""
    rows = int((~(np.isnan(one) | np.isnan(other))).sum())
    chance = CHANCE / max(rows, 1) ** 0.5
    return bool(abs(rank_correlation(one, other)) >= max(RELATED_MIN, chance))


def naming(
    flat: Flat, numbers: Mapping[Path, NumberFeature], texts: Sequence[Path]
) -> dict[Path, Path]:
    """Whole numbers that name the same things as a text does, one to one, and that text."""
    found: dict[Path, Path] = {}
    for path, number in numbers.items():
        if are_whole(number.numbers.values) and _come_again(flat.columns[path]):
            same = (t for t in texts if _one_to_one(flat.columns[path], flat.columns[t]))
            if (text := next(same, None)) is not None:
                found[path] = text
    return found


def _come_again(column: Column) -> bool:
    different = len(set(column.values))
    return different >= NAMED_BY and len(column.values) >= NAMED_AGAIN * different


def _one_to_one(one: Column, other: Column) -> bool:
    """Whether a value of one stands with one value of the other alone, and the other way round."""
    if not _come_again(other):
        return False
    beside = dict(zip(other.rows, other.values, strict=True))
    pairs = Counter(
        (v, beside[row]) for row, v in zip(one.rows, one.values, strict=True) if row in beside
    )
    if pairs.total() < MOST * max(len(one.rows), len(other.rows)):
        return False
    commonest: dict[Scalar, int] = {}
    backwards: dict[Scalar, int] = {}
    for (value, name), count in pairs.items():
        commonest[value] = max(commonest.get(value, 0), count)
        backwards[name] = max(backwards.get(name, 0), count)
    least = MOST * pairs.total()
    return sum(commonest.values()) >= least and sum(backwards.values()) >= least


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
