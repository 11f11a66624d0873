"""New values that have come to stay: an upgrade changes a watched constant in every record.

The first such records are flagged; once the new value stands in most records it is announced
once, then listed and counted, and not flagged again until the next model. So is the absence of what
every training record had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.schema import MISSING_CODE, SETTLED_CODE, SETTLED_NUMBER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.schema import Columns, FeatureSchema

    Codes = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    State = tuple[list[Codes], list[set[int]], Flags, Flags]

WINDOW_RECORDS: Final = 200
"""A new value has come to stay when it stood in more than half of so many records in a row."""

_NEEDED: Final = WINDOW_RECORDS // 2
_ABSENT_CODE: Final = 1 << 40
"""Beyond the code of any value: that a category is absent, where it never was."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A path whose new value was accepted, and the row of the batch in which it was.

    is_absence: what was accepted is that there is no value any more.
    """

    path: str
    row: int
    is_absence: bool = False


class Upgrades:
    """Follows the new values of one model's watched constants and features."""

    def __init__(self, schema: FeatureSchema) -> None:
        """Start knowing only what training saw."""
        category_paths = [feature.path for feature in schema.categories]
        self._paths = [*category_paths, *(watched.path for watched in schema.watched)]
        self._known = [len(feature.categories) for feature in schema.categories]
        self._always = [feature.is_always_there for feature in schema.categories]
        self._recent: list[Codes] = [np.empty(0, dtype=np.int64) for _ in self._paths]
        self._settled: list[set[int]] = [set() for _ in self._paths]
        self._numbers = [feature.path for feature in schema.numbers]
        self._always_numbers = schema.always_there[: len(self._numbers)]
        self._gone: Flags = np.empty((0, len(self._numbers)), dtype=bool)
        self._settled_gone: Flags = np.zeros(len(self._numbers), dtype=bool)
        self._before = self._state()

    def settle(self, columns: Columns) -> tuple[Columns, list[Upgrade]]:
        """The columns with accepted values made harmless, and what was accepted just now."""
        self._before = self._state()
        accepted: list[Upgrade] = []
        numbers = self._settle_absent(columns.numbers, accepted)
        if not self._paths and numbers is columns.numbers:
            return columns, accepted
        codes, watched = columns.codes.copy(), columns.watched.copy()
        for j, path in enumerate(self._paths):
            is_category = j < len(self._known)
            column = codes[:, j] if is_category else watched[:, j - len(self._known)]
            first_new = self._known[j] if is_category else 1
            if is_category and self._always[j]:
                column[column == MISSING_CODE] = _ABSENT_CODE
            taken = self._accept(j, column, first_new)
            accepted += [Upgrade(path, row, code == _ABSENT_CODE) for row, code in taken]
            column[column == _ABSENT_CODE] = MISSING_CODE
        return replace(columns, numbers=numbers, codes=codes, watched=watched), accepted

    def undo(self) -> None:
        """What was settled last was never seen."""
        self._recent, self._settled, self._gone, self._settled_gone = self._before
        self._before = self._state()

    def _state(self) -> State:
        settled = [{*settled} for settled in self._settled]
        return [*self._recent], settled, self._gone, self._settled_gone.copy()

    def _settle_absent(
        self, numbers: NDArray[np.float64], accepted: list[Upgrade]
    ) -> NDArray[np.float64]:
        """The numbers, with those marked whose absence was accepted, just now or before."""
        gone = np.isnan(numbers) & self._always_numbers
        recent = np.vstack([self._gone, gone])
        self._gone = recent[-(WINDOW_RECORDS - 1) :].copy()
        is_settled = gone & self._settled_gone
        for j in np.flatnonzero((recent.sum(axis=0) > _NEEDED) & ~self._settled_gone):
            start = _first_majority(recent[:, j], len(gone))
            if start is not None:
                self._settled_gone[j] = True
                is_settled[start:, j] = gone[start:, j]
                accepted.append(Upgrade(self._numbers[j], start, is_absence=True))
        return np.where(is_settled, SETTLED_NUMBER, numbers) if is_settled.any() else numbers

    def _accept(self, j: int, column: Codes, first_new: int) -> list[tuple[int, int]]:
        """Clear settled values from a column in place; the rows at which one settled, and its code.

        A settled value is never accepted again.
        """
        recent = np.concatenate([self._recent[j], column])
        self._recent[j] = recent[-(WINDOW_RECORDS - 1) :].copy()
        column[np.isin(column, list(self._settled[j]))] = SETTLED_CODE
        taken: list[tuple[int, int]] = []
        codes, counts = np.unique(recent[recent >= first_new], return_counts=True)
        for code in codes[counts > _NEEDED].tolist():
            if code not in self._settled[j]:
                start = _first_majority(recent == code, len(column))
                if start is not None:
                    self._settled[j].add(code)
                    taken.append((start, code))
                    column[start:][column[start:] == code] = SETTLED_CODE
        return taken


def _first_majority(is_value: Flags, rows: int) -> int | None:
    """The first of the last `rows` places whose window holds the value in more than half."""
    counts = np.cumsum(is_value)
    before = np.concatenate([np.zeros(WINDOW_RECORDS, dtype=counts.dtype), counts])[: len(counts)]
    enough = np.flatnonzero((counts - before > _NEEDED)[-rows:])
    return int(enough[0]) if len(enough) else None
