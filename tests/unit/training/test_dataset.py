"""A stretch of the log as training data."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from training import dataset
from training.dataset import (
    BLOCKS,
    ROWS_MIN,
    Bounds,
    DataUnusable,
    Stretch,
    read_stretch,
    split_by_blocks,
)
from worker.adapters.memory import MemoryBroker, MemoryRecordHistory
from worker.model.path import parse_path
from worker.model.schema import Columns
from worker.model.times import time_ms
from worker.records import Output, Partition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.records import RawRecord

NOON_MS = 1_767_268_800_000
"""2026-01-01T12:00:00Z."""


def history(values: Sequence[bytes], stamps: Sequence[int] | None = None) -> MemoryRecordHistory:
    broker = MemoryBroker({"t": 1})
    times = stamps if stamps is not None else [1000 + i for i in range(len(values))]
    broker.send([Output("t", None, v, timestamp=at) for v, at in zip(values, times, strict=True)])
    return MemoryRecordHistory(broker, "t")


def numbered(rows: int) -> list[bytes]:
    return [b"%d" % i for i in range(rows)]


def read(
    source: MemoryRecordHistory, rows_max: int = 1000, bounds: Bounds | None = None
) -> Stretch:
    return read_stretch(source, bounds or Bounds(), rows_max, msgspec.json.decode)


def numbers_in(stretch: Stretch) -> list[int]:
    return [int(record.value or b"-1") for record in stretch.records]


def columns(rows: int) -> Columns:
    none = np.empty((rows, 0), dtype=np.int64)
    return Columns(np.arange(rows, dtype=np.float64)[:, None], none, none)


class TestReading:
    def test_a_short_stretch_is_kept_whole(self) -> None:
        stretch = read(history(numbered(30)), rows_max=30)
        assert numbers_in(stretch) == list(range(30))
        assert stretch.read == 30

    def test_of_a_longer_one_an_even_sample_is_kept(self) -> None:
        stretch = read(history(numbered(10_000)), rows_max=300)
        kept = numbers_in(stretch)
        assert 150 <= len(kept) <= 300
        assert kept[0] == 0
        assert [place // 64 for place in kept] == list(range(len(kept)))
        assert kept[-1] >= 10_000 - 2 * 64
        assert stretch.read == 10_000

    @pytest.mark.parametrize("sources", [2, 4, 10, 64])
    def test_of_sources_in_turns_each_keeps_its_share(self, sources: int) -> None:
        kept = numbers_in(read(history(numbered(40_000)), rows_max=5_000))
        assert len(kept) == 5_000
        share = np.bincount([place % sources for place in kept], minlength=sources) / len(kept)
        assert (np.abs(share * sources - 1) < 0.5).all()

    @pytest.mark.parametrize("rows_max", [1, 2, 7])
    def test_the_sample_is_never_larger_than_asked_for(self, rows_max: int) -> None:
        assert 1 <= len(read(history(numbered(5000)), rows_max).records) <= rows_max

    def test_records_of_many_values_are_kept_in_so_much_smaller_a_number(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dataset, "VALUES_MAX", 30_000)
        wide = [b"[%d%s]" % (i, b",1" * 99) for i in range(5_000)]
        stretch = read(history(wide), rows_max=100_000)
        assert 150 <= len(stretch.records) <= 300
        assert stretch.read == 5_000
        assert len(read(history(numbered(5_000)), rows_max=100_000).records) == 5_000

    def test_so_are_long_ones(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dataset, "BYTES_MAX", 1_000_000)
        long = [b'"%d%s"' % (i, b"-" * 1000) for i in range(5_000)]
        kept = read(history(long), rows_max=100_000).records
        assert 500 <= len(kept) <= 1_000

    def test_a_few_records_are_kept_however_large_they_are(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dataset, "BYTES_MAX", 10)
        assert len(read(history(numbered(1_000)), rows_max=100_000).records) >= ROWS_MIN

    def test_a_stretch_can_be_thinned_out_evenly(self) -> None:
        stretch = read(history(numbered(1000))).within(130)
        places = numbers_in(stretch)
        assert len(places) == len(stretch.times_ms) == 125
        assert [place // 8 for place in places] == list(range(125))
        assert (
            read(history(numbered(1000))).within(1000).records
            == read(history(numbered(1000))).records
        )

    def test_the_records_come_in_order_of_their_timestamps(self) -> None:
        stretch = read(history(numbered(4), stamps=[4000, 1000, 3000, 2000]))
        assert numbers_in(stretch) == [1, 3, 2, 0]
        assert stretch.times_ms.tolist() == [1000, 2000, 3000, 4000]

    def test_records_without_a_time_stand_last_in_their_own_order(self) -> None:
        stretch = read(history(numbered(4), stamps=[-1, 2000, -1, 1000]))
        assert numbers_in(stretch) == [3, 1, 0, 2]
        assert np.isnan(stretch.times_ms).tolist() == [False, False, True, True]
        assert (stretch.span.first_ms, stretch.span.last_ms) == (1000, 2000)

    def test_a_field_can_give_the_time(self) -> None:
        values = [b'{"at": 1767268802}', b'{"at": "2026-01-01T12:00:00Z"}', b"{", b'{"at": []}']
        stretch = read(history(values), bounds=Bounds(time=parse_path("at")))
        assert [record.value for record in stretch.records] == [values[i] for i in (1, 0, 2, 3)]
        assert stretch.times_ms[:2].tolist() == [NOON_MS, NOON_MS + 2000]

    def test_a_tombstone_has_no_time_in_a_field(self) -> None:
        broker = MemoryBroker({"t": 1})
        broker.send([Output("t", b"k", None), Output("t", b"k", b'{"at": 1767268800}')])
        stretch = read(MemoryRecordHistory(broker, "t"), bounds=Bounds(time=parse_path("at")))
        assert np.isnan(stretch.times_ms).tolist() == [False, True]

    def test_a_field_that_never_holds_a_time_is_refused_by_name(self) -> None:
        with pytest.raises(DataUnusable, match=r"^no record holds a time at data\.at$"):
            read(history(numbered(3)), bounds=Bounds(time=parse_path("data.at")))

    def test_the_last_stretch_ends_with_the_newest_record(self) -> None:
        old = history(numbered(100))  # of 1970: nothing is of the last days
        assert numbers_in(read(old, bounds=Bounds(last_ms=9))) == list(range(90, 100))
        bounds = Bounds(last_ms=9, end_ms=1050)
        assert numbers_in(read(old, bounds=bounds)) == list(range(40, 50))

    def test_a_newest_record_that_is_dated_ahead_counts_as_of_now(self) -> None:
        now = round(time.time() * 1000)
        stamps = [now - 60_000, now - 10_000, now + 10**9]
        stretch = read(history(numbered(3), stamps=stamps), bounds=Bounds(last_ms=30_000))
        assert numbers_in(stretch) == [1, 2]

    def test_the_newest_record_of_all_partitions_counts(self) -> None:
        broker = MemoryBroker({"t": 2})
        for key, at in ((b"a", 1000), (b"b", 2000), (b"c", 3000), (b"d", 4000)):
            broker.send([Output("t", key, b"%d" % at, timestamp=at)])
        stretch = read(MemoryRecordHistory(broker, "t"), bounds=Bounds(last_ms=1500))
        assert numbers_in(stretch) == [3000, 4000]

    def test_of_an_empty_topic_there_is_no_last_stretch(self) -> None:
        with pytest.raises(DataUnusable, match="the stretch is empty"):
            read(history([]), bounds=Bounds(last_ms=1000))

    def test_only_what_lies_within_the_bounds_is_read(self) -> None:
        stretch = read(history(numbered(100)), bounds=Bounds(start_ms=1010, end_ms=1020))
        assert numbers_in(stretch) == list(range(10, 20))
        (partition,) = stretch.span.partitions
        assert (partition.partition, partition.start, partition.end) == (0, 10, 20)

    def test_an_empty_stretch_is_refused_with_what_it_was(self) -> None:
        with pytest.raises(
            DataUnusable, match=r"^the stretch is empty: no records in t\[0\] 3\.\.3$"
        ) as raised:
            read(history(numbered(3)), bounds=Bounds(start_ms=9000))
        assert raised.value.exit_code == 65

    def test_a_stretch_without_partitions_is_empty_too(self) -> None:
        class Nothing:
            def span(
                self, start_ms: int | None, end_ms: int | None
            ) -> dict[Partition, tuple[int, int]]:
                del start_ms, end_ms
                return {}

            def read(self, span: Mapping[Partition, tuple[int, int]]) -> list[list[RawRecord]]:
                return [[] for _ in span]

            def close(self) -> None:
                """Nothing to let go of."""

        with pytest.raises(DataUnusable, match="no records in no partitions"):
            read_stretch(Nothing(), Bounds(), 10, msgspec.json.decode)

    def test_progress_counts_up_to_all_offsets(self) -> None:
        told: list[tuple[int, int]] = []
        source = history(numbered(2500))
        read_stretch(source, Bounds(), 10, msgspec.json.decode, lambda *at: told.append(at))
        assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]

    def test_it_ends_full_where_offsets_have_no_records(self) -> None:
        told: list[tuple[int, int]] = []
        broker = MemoryBroker({"t": 1})
        broker.send([Output("t", None, b"1"), Output("t", None, b"2")])
        broker.skip(Partition("t", 0), 3)
        source = MemoryRecordHistory(broker, "t")
        read_stretch(source, Bounds(), 10, msgspec.json.decode, lambda *at: told.append(at))
        assert told == [(2, 5), (5, 5)]

    def test_the_source_names_the_topic(self) -> None:
        assert read(history(numbered(1))).span.source == "t"


class TestTraffic:
    def test_records_a_day_follow_from_all_that_were_read(self) -> None:
        hours = [NOON_MS + 3_600_000 * i for i in range(241)]
        hourly = history(numbered(241), stamps=hours)
        assert read(hourly, rows_max=241).per_day() == 24.1
        assert read(hourly, rows_max=60).per_day() == pytest.approx(24, rel=0.1)

    @pytest.mark.parametrize("stamps", [[-1, -1], [1000, 1000]])
    def test_without_times_apart_there_is_no_such_number(self, stamps: list[int]) -> None:
        assert read(history(numbered(2), stamps=stamps)).per_day() is None


class TestSplitting:
    def test_every_row_lands_in_exactly_one_part(self) -> None:
        split = split_by_blocks(columns(1003), 1003)
        parts = [split.fit, split.calibrate, split.hold_out]
        rows = np.concatenate([part.numbers[:, 0] for part in parts])
        assert sorted(rows.tolist()) == list(range(1003))

    def test_three_fifths_are_learned_from_and_one_fifth_each_calibrates_and_judges(self) -> None:
        split = split_by_blocks(columns(1000), 1000)
        assert [len(split.fit), len(split.calibrate), len(split.hold_out)] == [600, 200, 200]

    def test_the_parts_are_blocks_of_time_spread_over_the_stretch(self) -> None:
        rows = split_by_blocks(columns(1000), 1000).calibrate.numbers[:, 0]
        starts = rows[np.flatnonzero(np.diff(rows, prepend=-9) > 1)]
        assert starts.tolist() == [100, 350, 600, 850]
        assert len(rows) == 4 * 1000 // BLOCKS

    def test_the_least_number_of_rows_fills_every_part(self) -> None:
        split = split_by_blocks(columns(ROWS_MIN), ROWS_MIN)
        assert min(len(split.fit), len(split.calibrate), len(split.hold_out)) == 20

    def test_fewer_rows_are_refused_with_how_many_there_were(self) -> None:
        with pytest.raises(
            DataUnusable,
            match=r"^the stretch is too short: 99 usable records of 340 that were read, at least"
            r" 100 are needed$",
        ):
            split_by_blocks(columns(99), 340)

    def test_number_columns_can_be_left_out_of_every_part(self) -> None:
        table = Columns(
            np.ones((200, 3)), np.zeros((200, 1), np.int64), np.zeros((200, 0), np.int64)
        )
        split = split_by_blocks(table, 200).with_numbers(np.array([True, False, True]))
        assert {part.numbers.shape[1] for part in (split.fit, split.calibrate, split.hold_out)} == {
            2
        }
        assert len(split.fit) == 120


class TestTimes:
    @pytest.mark.parametrize(
        "value",
        [
            1_767_268_800,
            1_767_268_800.0,
            1_767_268_800_000,
            1_767_268_800_000_000,
            1_767_268_800_000_000_000,
            "1767268800",
            "1767268800000",
            " 1767268800 ",
            "2026-01-01T12:00:00Z",
            "2026-01-01T12:00:00",
            "2026-01-01T13:00:00+01:00",
            "2026-01-01 12:00:00",
        ],
    )
    def test_seconds_to_nanoseconds_and_iso_are_understood(self, value: object) -> None:
        assert time_ms(value) == NOON_MS

    @pytest.mark.parametrize("value", ["2026-01-01", "20260101"])
    def test_a_date_is_its_midnight(self, value: str) -> None:
        assert time_ms(value) == NOON_MS - 43_200_000

    def test_digits_that_would_pass_for_a_time_of_long_ago_are_a_number(self) -> None:
        assert time_ms("1612121200000") == 1_612_121_200_000

    def test_eight_digits_that_are_no_date_are_a_number(self) -> None:
        assert time_ms("12345678") == 12_345_678_000

    def test_times_before_1970_are_negative(self) -> None:
        assert time_ms(-1.5) == -1500

    @pytest.mark.parametrize(
        "value",
        [None, True, "", "soon", "nan", [], {}, math.nan, math.inf, -math.inf, 10**400, "1e400"],
        ids=repr,
    )
    def test_everything_else_is_no_time(self, value: object) -> None:
        assert math.isnan(time_ms(value))
