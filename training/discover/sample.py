"""Which records of a stretch are looked at: whole runs of it, evenly spread, of bounded number.

Runs and not every n-th record: sources that take turns would fall in with such a step, and what
grows from record to record is seen only between neighbours.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.records import JsonRecord

    T = TypeVar("T")

RUNS: Final = 20
CELLS_MAX: Final = 2_000_000
"""Values that a sample may hold: paths times records."""
RECORDS_MIN: Final = 2_000
_DEPTH_MAX: Final = 24
_PROBED: Final = 100


def runs_of(items: Sequence[T], most: int) -> list[T]:
    """At most `most` items: RUNS runs of neighbours, evenly spread; all where there are no more."""
    if len(items) <= most:
        return list(items)
    bounds = [most * run // RUNS for run in range(RUNS + 1)]
    lengths = [end - start for start, end in pairwise(bounds)]
    starts = [run * (len(items) - lengths[-1]) // (RUNS - 1) for run in range(RUNS)]
    return [
        item
        for start, length in zip(starts, lengths, strict=True)
        for item in items[start : start + length]
    ]


def sample_size(records: Sequence[JsonRecord], most: int) -> int:
    """How many of the records to look at, so that the sample stays within CELLS_MAX."""
    probed = runs_of(records, _PROBED)
    leaves = sum(_leaf_count(record, 0) for record in probed)
    per_record = max(leaves / max(len(probed), 1), 1)
    return min(len(records), most, max(RECORDS_MIN, int(CELLS_MAX / per_record)))


def _leaf_count(value: object, depth: int) -> int:
    if depth > _DEPTH_MAX:
        return 0
    if isinstance(value, dict):
        return sum(_leaf_count(child, depth + 1) for child in value.values())
    if isinstance(value, list):
        return sum(_leaf_count(child, depth + 1) for child in value)
    return 1
