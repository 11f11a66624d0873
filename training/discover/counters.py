"""Counters of each key: numbers that only grow among the records of one host, device or place."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from training.discover.relations import values_by_row
from training.discover.series import grows_by_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from training.discover.columns import Flat
    from training.discover.judge import NumberFeature
    from worker.model.path import Path

KEYS_TRIED: Final = 8
"""Columns that are tried as a key, texts before numbers, those with the most values first."""
PAIRED: Final = 6
"""Of these so many are tried in pairs, those with the fewest values."""
KEY_ROWS: Final = 4
"""Records that a value stands in at least to be a key's."""
KEYED_MOST: Final = 0.8
"""So large a share of a key's values come again so often at least."""
MEASURES_MAX: Final = 64
"""Different numbers of a key at most; more are a measurement."""
_ABSENT: Final = -1


class _Order(NamedTuple):
    """All rows, sorted by a key, and the key's code in each of them."""

    rows: NDArray[np.int64]
    codes: NDArray[np.int64]


def counters_by_key(flat: Flat, numbers: Mapping[Path, NumberFeature]) -> set[Path]:
    """The numbers that only grow among the records of one key, whatever column is the key."""
    left = {path: values_by_row(flat, path, found) for path, found in numbers.items()}
    counters: set[Path] = set()
    for keys, order in _orders(flat):
        found = {p for p, values in left.items() if p not in keys and _counts(values, order)}
        counters |= found
        for path in found:
            del left[path]
    return counters


def _orders(flat: Flat) -> Iterator[tuple[tuple[Path, ...], _Order]]:
    keys = _keys(flat)
    for path, codes in keys:
        yield (path,), _order(codes)
    few = sorted(keys, key=lambda key: int(key[1].max()))[:PAIRED]
    for (one, ones), (other, others) in combinations(few, 2):
        both = np.where(
            (ones == _ABSENT) | (others == _ABSENT), _ABSENT, ones * (others.max() + 1) + others
        )
        if len(np.unique(both)) * KEY_ROWS <= len(both):
            yield (one, other), _order(both)


def _keys(flat: Flat) -> list[tuple[Path, NDArray[np.int64]]]:
    """Columns that may be a key, as the codes of their values by row."""
    found = []
    for path, column in flat.columns.items():
        counts = Counter(column.values)
        again = [value for value, count in counts.items() if count >= KEY_ROWS]
        covered = sum(counts[value] for value in again)
        texts = sum(count for value, count in counts.items() if isinstance(value, str))
        is_text = 2 * texts > len(column.values)
        most = len(column.values) if is_text else MEASURES_MAX
        if covered >= KEYED_MOST * len(column.values) and 2 <= len(again) <= most:  # noqa: PLR2004
            codes = {value: code for code, value in enumerate(again)}
            by_row = np.full(flat.records, _ABSENT, dtype=np.int64)
            by_row[column.rows] = [codes.get(value, _ABSENT) for value in column.values]
            found.append((not is_text, -len(codes), path, by_row))
    found.sort(key=lambda key: key[:2])
    return [(path, by_row) for _, _, path, by_row in found[:KEYS_TRIED]]


def _order(codes: NDArray[np.int64]) -> _Order:
    rows = np.argsort(codes, kind="stable")
    rows = rows[codes[rows] != _ABSENT]
    return _Order(rows, codes[rows])


def _counts(values: NDArray[np.float64], order: _Order) -> bool:
    ordered = values[order.rows]
    held = ~np.isnan(ordered)
    codes = order.codes[held]
    return len(codes) > 1 and grows_by_key(ordered[held], codes[1:] == codes[:-1])
