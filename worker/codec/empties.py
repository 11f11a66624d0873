"""Says when records without any feature, which are skipped where training saw such, are too many.

A producer that renames its fields would otherwise be skipped in silence, record by record.
"""

from __future__ import annotations

import logging
from typing import Final

log = logging.getLogger(__name__)

SHARE_MAX: Final = 0.5
"""Of the records that are the model's business a larger share without any feature is told of."""
WINDOW: Final = 1000
"""Records that the share is taken of."""


class EmptyRecords:
    """Counts records in windows; says once that most are empty, and once that this is over."""

    def __init__(self) -> None:
        self._empty = 0
        self._records = 0
        self._is_told = False

    def count(self, empty: int, records: int) -> None:
        """So many of so many more records hold none of the features."""
        self._empty += empty
        self._records += records
        if self._records < WINDOW:
            return
        is_much = self._empty > SHARE_MAX * self._records
        if is_much and not self._is_told:
            log.warning(
                "%d of the last %d records hold none of the model's features and were skipped: has"
                " their shape changed?",
                self._empty,
                self._records,
            )
        if self._is_told and not is_much:
            log.info("most records hold the model's features again")
        self._is_told = is_much
        self._empty = self._records = 0
