"""A bounded stretch of a log as training data: read, sampled, put in order of time, split.

However long the stretch, however wide its records: no more records are kept in memory than a
setting allows, nor more of them than hold VALUES_MAX values and BYTES_MAX bytes (docs/limits.md).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.artifact import DataSpan, PartitionSpan
from worker.model.times import time_ms
from worker.records import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from worker.model.path import Path as ValuePath
    from worker.model.schema import Columns
    from worker.ports import RecordHistory
    from worker.records import RawRecord

ROWS_MIN: Final = 100
"""Usable records that a model needs at least."""

VALUES_MAX: Final = 20_000_000
"""Values that the records kept of a stretch hold together at most: 200,000 records of 100 values.
So many numbers are a table of 160 MB, of which training has several at a time."""

BYTES_MAX: Final = 512 * 2**20
"""Bytes that they have together at most."""

SAMPLE_MIN: Final = 2 * ROWS_MIN
"""So few records are kept however large they are."""

BLOCKS: Final = 20
"""Blocks of time that the stretch is cut into; parts take turns, so each sees all of it."""

_TURNS: Final = ("fit", "fit", "calibrate", "fit", "hold_out")


class DataUnusable(ValueError):  # noqa: N818 - reads as what it says
    """Nothing can be learned from this stretch; the message says what was found."""

    exit_code = 65


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records kept of a stretch, in order of event time where it is known.

    read: records in the stretch; times_ms: event time of each kept record, NaN where unknown.
    """

    records: Sequence[RawRecord]
    times_ms: NDArray[np.float64]
    read: int
    span: DataSpan

    def rows_of(self, values: int) -> int:
        """How many of the records hold so many values together, SAMPLE_MIN at least."""
        held = sum(_values_in(record) for record in self.records)
        return max(int(values / max(held, 1) * len(self.records)), SAMPLE_MIN)

    def within(self, rows: int) -> Stretch:
        """At most so many of the records, evenly."""
        halvings = max(0, math.ceil(math.log2(len(self.records) / max(rows, 1))))
        places = [i for i in range(len(self.records)) if _is_kept(i, halvings)]
        return replace(
            self, records=[self.records[i] for i in places], times_ms=self.times_ms[places]
        )

    def per_day(self) -> float | None:
        """Records a day, None where times are unknown or all the same."""
        if self.span.first_ms is None or self.span.last_ms is None:
            return None
        days = (self.span.last_ms - self.span.first_ms) / 86_400_000
        return self.read / days if days > 0 else None


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn from, rows to calibrate on, rows to judge by.

    `hold_out_rows[i]` is the row of the whole table that row i of the hold-out was.
    """

    fit: Columns
    calibrate: Columns
    hold_out: Columns
    hold_out_rows: NDArray[np.intp]

    def with_numbers(self, kept: NDArray[np.bool_]) -> Split:
        """The same rows with the number columns that are kept."""

        def narrowed(columns: Columns) -> Columns:
            return replace(columns, numbers=columns.numbers[:, kept])

        return replace(
            self,
            fit=narrowed(self.fit),
            calibrate=narrowed(self.calibrate),
            hold_out=narrowed(self.hold_out),
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which stretch: [start, end) in milliseconds, None for open.

    `last_ms` begins it so long before its newest record, in place of `start_ms`. `time` names a
    field to take the event time from, in place of the record's own timestamp.
    """

    start_ms: int | None = None
    end_ms: int | None = None
    last_ms: int | None = None
    time: ValuePath | None = None


def read_stretch(
    history: RecordHistory,
    bounds: Bounds,
    rows_max: int,
    parse: Callable[[bytes], object],
    on_progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Stretch:
    """Read a stretch of the log. Raises DataUnusable when there is no record in it.

    Beyond `rows_max` records, VALUES_MAX values or BYTES_MAX bytes one of every two, four ... is
    kept, evenly over the stretch.
    `on_progress(done, of)` counts records of as many offsets, and ends full on a topic with gaps.
    """
    span = history.span(_start(history, bounds), bounds.end_ms)
    total = sum(end - start for start, end in span.values())
    sample, done = _Sample(rows_max), 0
    for chunk in history.read(span):
        for record in chunk:
            sample.add(record)
        done += len(chunk)
        on_progress(done, total)
    if done < total:
        on_progress(total, total)
    kept = sample.records
    if not kept:
        msg = f"the stretch is empty: no records in {_shown(span)}"
        raise DataUnusable(msg)
    times = _event_times(kept, bounds.time, parse)
    order = np.argsort(times, kind="stable")  # NaN last, in their own order
    return Stretch(
        records=[kept[i] for i in order],
        times_ms=times[order],
        read=sample.read,
        span=_data_span(span, times),
    )


def _values_in(record: RawRecord) -> int:
    """A comma stands between any two values; one inside of a text counts as well."""
    return 0 if record.value is None else record.value.count(b",") + 1


class _Sample:
    """The records kept of those read so far; half of them go whenever they are too many."""

    def __init__(self, rows_max: int) -> None:
        self.records: list[RawRecord] = []
        self.read = 0
        self._rows_max = rows_max
        self._halvings = 0
        self._values = self._bytes = 0

    def add(self, record: RawRecord) -> None:
        """Keep the record if it is one of those that are kept."""
        if _is_kept(self.read, self._halvings):
            self.records.append(record)
            self._count(record)
            while self._are_too_many():
                self._halve()
        self.read += 1

    def _count(self, record: RawRecord) -> None:
        self._values += _values_in(record)
        self._bytes += len(record.value or b"")

    def _are_too_many(self) -> bool:
        is_large = self._values > VALUES_MAX or self._bytes > BYTES_MAX
        rows = len(self.records)
        return rows > self._rows_max or (is_large and rows > SAMPLE_MIN)

    def _halve(self) -> None:
        pairs = range((len(self.records) + 1) // 2)
        picks = [2 * pair + _pick(pair, self._halvings) for pair in pairs]
        self.records = [self.records[pick] for pick in picks if pick < len(self.records)]
        self._halvings += 1
        self._values = self._bytes = 0
        for record in self.records:
            self._count(record)


def _start(history: RecordHistory, bounds: Bounds) -> int | None:
    """Where the stretch begins. A newest record that is dated ahead counts as of now."""
    if bounds.last_ms is None:
        return bounds.start_ms
    newest = _newest_ms(history, bounds.end_ms)
    return None if newest is None else min(newest, round(time.time() * 1000)) - bounds.last_ms


def _newest_ms(history: RecordHistory, end_ms: int | None) -> int | None:
    """The time of the newest record before `end_ms`, of the last in each partition; None if none.

    The last offsets may hold no record (transaction markers, gaps): then it is looked further back.
    """
    left = {p: span for p, span in history.span(None, end_ms).items() if span[0] < span[1]}
    newest: int | None = None
    back = 1
    while left:
        tails = {p: (max(start, end - back), end) for p, (start, end) in left.items()}
        for chunk in history.read(tails):
            for record in chunk:
                left.pop(Partition(record.topic, record.partition), None)
                newest = max(newest or record.timestamp, record.timestamp)
        left = {p: span for p, span in left.items() if span[0] < span[1] - back}
        back *= 16
    return newest


def _is_kept(place: int, halvings: int) -> bool:
    """Whether the record at a place is the one that is kept of its 2 ** halvings neighbours."""
    return all((place >> n) & 1 == _pick(place >> (n + 1), n) for n in range(halvings))


def _pick(pair: int, halvings: int) -> int:
    """Which of a pair is kept, 0 or 1: not always the same, or of two sources in turn one is lost.

    Of the first it is the first, so that something is always kept.
    """
    return (pair * 0x9E3779B1 + halvings * 0x85EBCA6B) >> 17 & 1 if pair else 0


def split_by_blocks(columns: Columns, read: int) -> Split:
    """Cut rows in order of time into blocks that take turns as fit, calibrate and hold-out.

    Raises DataUnusable with fewer than ROWS_MIN rows; `read` is how many records they come from.
    """
    rows = len(columns)
    if rows < ROWS_MIN:
        msg = (
            f"the stretch is too short: {rows} usable records of {read} that were read, at least"
            f" {ROWS_MIN} are needed"
        )
        raise DataUnusable(msg)
    turn = (np.arange(rows) * BLOCKS // rows) % len(_TURNS)
    part = np.array(_TURNS)[turn]
    return Split(
        fit=columns.take(part == "fit"),
        calibrate=columns.take(part == "calibrate"),
        hold_out=columns.take(part == "hold_out"),
        hold_out_rows=np.flatnonzero(part == "hold_out"),
    )


def _event_times(
    records: Sequence[RawRecord], time: ValuePath | None, parse: Callable[[bytes], object]
) -> NDArray[np.float64]:
    if time is None:
        stamps = np.array([record.timestamp for record in records], dtype=np.float64)
        return np.where(stamps >= 0, stamps, np.nan)
    found = np.array([_field_time(record, time, parse) for record in records])
    if np.isnan(found).all():
        msg = f"no record holds a time at {time}"
        raise DataUnusable(msg)
    return found


def _field_time(record: RawRecord, time: ValuePath, parse: Callable[[bytes], object]) -> float:
    if record.value is None:
        return math.nan
    try:
        return time_ms(time.resolve(parse(record.value)))
    except ValueError:  # what cannot be parsed is counted when it is decoded
        return math.nan


def _data_span(span: Mapping[Partition, tuple[int, int]], times: NDArray[np.float64]) -> DataSpan:
    known = times[~np.isnan(times)]
    topics = {partition.topic for partition in span}
    return DataSpan(
        source=", ".join(sorted(topics)),
        partitions=tuple(
            PartitionSpan(partition=partition.partition, start=start, end=end)
            for partition, (start, end) in sorted(span.items())
        ),
        first_ms=int(known.min()) if len(known) else None,
        last_ms=int(known.max()) if len(known) else None,
    )


def _shown(span: Mapping[Partition, tuple[int, int]]) -> str:
    parts = [f"{p.topic}[{p.partition}] {start}..{end}" for p, (start, end) in sorted(span.items())]
    return ", ".join(parts) or "no partitions"
