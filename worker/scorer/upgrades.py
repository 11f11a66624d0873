"""New values that have come to stay: an upgrade changes a watched constant in every record.

The first such records are flagged; once the new value stands in most records it is announced
once, then listed and counted, and not flagged again until the next model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.schema import SETTLED_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.schema import Columns, FeatureSchema

    Codes = NDArray[np.int64]

WINDOW_RECORDS: Final = 200
"""A new value has come to stay when it stood in more than half of so many records in a row."""

_NEEDED: Final = WINDOW_RECORDS // 2


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A path whose new value was accepted, and the row of the batch in which it was."""

    path: str
    row: int


class Upgrades:
    """Follows the new values of one model's watched constants and categories."""

    def __init__(self, schema: FeatureSchema) -> None:
        """Start knowing only what training saw."""
        category_paths = [feature.path for feature in schema.categories]
        self._paths = [*category_paths, *(watched.path for watched in schema.watched)]
        self._known = [len(feature.categories) for feature in schema.categories]
        self._recent: list[Codes] = [np.empty(0, dtype=np.int64) for _ in self._paths]
        self._settled: list[set[int]] = [set() for _ in self._paths]
        self._before = self._state()

    def settle(self, columns: Columns) -> tuple[Columns, list[Upgrade]]:
        """The columns with accepted values made harmless, and what was accepted just now."""
        if not self._paths:
            return columns, []
        self._before = self._state()
        codes, watched = columns.codes.copy(), columns.watched.copy()
        accepted: list[Upgrade] = []
        for j, path in enumerate(self._paths):
            is_category = j < len(self._known)
            column = codes[:, j] if is_category else watched[:, j - len(self._known)]
            first_new = self._known[j] if is_category else 1
            rows = self._accept(j, column, first_new)
            accepted += [Upgrade(path, row) for row in rows]
        return replace(columns, codes=codes, watched=watched), accepted

    def undo(self) -> None:
        """What was settled last was never seen."""
        self._recent, self._settled = self._before
        self._before = self._state()

    def _state(self) -> tuple[list[Codes], list[set[int]]]:
        return [*self._recent], [{*settled} for settled in self._settled]

    def _accept(self, j: int, column: Codes, first_new: int) -> list[int]:
        """Clear settled values from a column in place; the rows at which a value settled."""
        recent = np.concatenate([self._recent[j], column])
        self._recent[j] = recent[-(WINDOW_RECORDS - 1) :].copy()
        column[np.isin(column, list(self._settled[j]))] = SETTLED_CODE
        rows: list[int] = []
        codes, counts = np.unique(recent[recent >= first_new], return_counts=True)
        for code in codes[counts > _NEEDED].tolist():
            if code not in self._settled[j]:
                start = _first_majority(recent == code, len(column))
                if start is not None:
                    self._settled[j].add(code)
                    rows.append(start)
                    column[start:][column[start:] == code] = SETTLED_CODE
        return rows


def _first_majority(is_value: NDArray[np.bool_], rows: int) -> int | None:
    """The first of the last `rows` places whose window holds the value in more than half."""
    counts = np.cumsum(is_value)
    before = np.concatenate([np.zeros(WINDOW_RECORDS, dtype=counts.dtype), counts])[: len(counts)]
    enough = np.flatnonzero((counts - before > _NEEDED)[-rows:])
    return int(enough[0]) if len(enough) else None
