"""Times are left out, however they are written; what only looks like one is not."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.shapes.verdicts import ROWS, number, records, verdict, verdicts
from training.discover import discover
from worker.model.path import parse_path
from worker.model.schema import Watched

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 9, 1, tzinfo=UTC)
EPOCH = 1_788_220_800
TIME = "a time"


def day(i: int) -> datetime:
    """Six days in all, in the records' order."""
    return START + timedelta(days=i * 6 // ROWS)


def beside(other: Callable[[int], object], make: Callable[[int], object]) -> object:
    """What becomes of `y` in records that hold another value as well."""
    rows = [{**r, "other": other(i)} for i, r in enumerate(records(make))]
    return verdicts(discover(rows))["y"]


class TestEpochs:
    @pytest.mark.parametrize("unit", [1_000, 1_000_000, 1_000_000_000])
    def test_fine_ones_are_times_in_any_order(self, unit: int) -> None:
        dice = random.Random(4)
        made = [(EPOCH - dice.randrange(10**8)) * unit + dice.randrange(unit) for _ in range(ROWS)]
        assert verdict(lambda i: made[i]) == TIME
        assert verdict(lambda i: str(made[i])) == TIME

    def test_a_zero_stands_for_none(self) -> None:
        dice = random.Random(4)
        made = [(EPOCH - dice.randrange(10**8)) * 1_000 for _ in range(ROWS)]
        assert verdict(lambda i: made[i] if i % 3 else 0) == TIME

    def test_sizes_as_large_are_numbers(self) -> None:
        dice = random.Random(4)
        made = [4096 * round(dice.gauss(5e8, 5e7)) for _ in range(ROWS)]
        assert verdict(lambda i: made[i]) == number("y")

    @pytest.mark.parametrize(
        "other",
        [
            lambda i: EPOCH + 4 * i,
            lambda i: (EPOCH + 4 * i) * 1_000,
            lambda i: (START + timedelta(seconds=4 * i)).isoformat(),
            lambda i: (START + timedelta(seconds=4 * i)).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        ],
    )
    def test_seconds_are_told_by_another_time(self, other: Callable[[int], object]) -> None:
        dice = random.Random(4)
        ends = [EPOCH + 4 * i + dice.choice([3_600, 86_400, 604_800]) for i in range(ROWS)]
        assert verdict(lambda i: ends[i]) == number("y")
        assert beside(other, lambda i: ends[i]) == TIME

    def test_or_by_the_event_time(self) -> None:
        dice = random.Random(4)
        ends = [EPOCH + dice.randrange(10**6) for i in range(ROWS)]
        rows = [{**r, "at": EPOCH + dice.randrange(600)} for r in records(lambda i: ends[i])]
        assert verdicts(discover(rows, time=parse_path("at")))["y"] == TIME

    def test_counts_of_bytes_beside_a_time_are_numbers(self) -> None:
        dice = random.Random(4)
        used = [round(dice.gauss(2.5e9, 4e8)) for _ in range(ROWS)]
        assert beside(lambda i: EPOCH + 4 * i, lambda i: used[i]) == number("y")

    def test_what_began_once_is_watched_and_a_day_is_not(self) -> None:
        assert beside(lambda i: EPOCH + 4 * i, lambda _: EPOCH - 1_234) == Watched(
            path="y", value=EPOCH - 1_234
        )
        assert beside(lambda i: EPOCH + 4 * i, lambda _: EPOCH) == TIME


class TestTexts:
    @pytest.mark.parametrize(
        "shown",
        [
            "%d.%m.%Y",
            "%m/%d/%Y",
            "%Y/%m/%d",
            "%Y.%m.%d",
            "%a, %d %b %Y %H:%M:%S GMT",
            "%A, %d-%b-%y %H:%M:%S GMT",
            "%d/%b/%Y:%H:%M:%S +0000",
            "[%d/%b/%Y:%H:%M:%S +0000]",
            "%Y-%m-%d %H:%M:%S UTC",
            "%Y-%m-%d %H:%M:%S +0000 UTC",
            "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)",
            "%a %b %d %H:%M:%S UTC %Y",
            "%b %d %H:%M:%S",
            "%B %d, %Y, %I:%M %p",
            "%d.%m.%y %H:%M",
        ],
    )
    def test_a_date_in_any_form_is_a_time_also_where_it_stands_still(self, shown: str) -> None:
        assert verdict(lambda i: day(i).strftime(shown)) == TIME
        assert verdict(lambda i: day(i).strftime(shown) if i % 3 else "-") == TIME

    @pytest.mark.parametrize("shown", ["%Y-%m-%d", "%d.%m.%Y", "%Y-%m-%dT00:00:00Z", "%Y%m%d"])
    def test_a_day_that_stands_still_is_one(self, shown: str) -> None:
        assert verdict(lambda _: START.strftime(shown)) == TIME

    def test_an_instant_that_stands_still_is_watched(self) -> None:
        assert verdict(lambda _: "2026-09-01T08:11:12Z") == Watched(
            path="y", value="2026-09-01T08:11:12Z"
        )

    def test_so_is_a_version_that_looks_like_a_date(self) -> None:
        assert verdict(lambda _: "2026.9.1") == Watched(path="y", value="2026.9.1")

    def test_a_time_of_day(self) -> None:
        moments = [START + timedelta(seconds=7 * i) for i in range(ROWS)]
        assert verdict(lambda i: moments[i].strftime("%H:%M:%S")) == TIME
        assert verdict(lambda i: moments[i // 30].strftime("%H:%M")) == TIME

    def test_hours_that_come_again_in_no_order_are_categories(self) -> None:
        dice = random.Random(4)
        shifts = [dice.choice(["06:00", "14:00", "22:00"]) for _ in range(ROWS)]
        assert verdicts(discover(records(lambda i: shifts[i])))["y"] != TIME

    @pytest.mark.parametrize("texts", [("31.02.2026", "30.02.2026"), ("10 marathon 2026", "a b")])
    def test_what_no_calendar_holds_is_none(self, texts: tuple[str, str]) -> None:
        assert verdict(lambda i: texts[i % 2]) != TIME


class TestNumbers:
    @pytest.mark.parametrize("shown", ["%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M%S"])
    def test_dates_in_digits(self, shown: str) -> None:
        assert verdict(lambda i: int(day(i).strftime(shown))) == TIME
        assert verdict(lambda i: day(i).strftime(shown)) == TIME

    def test_numbers_as_large_are_numbers(self) -> None:
        dice = random.Random(4)
        made = [round(dice.gauss(20_260_900, 5_000)) for _ in range(ROWS)]
        assert verdict(lambda i: made[i]) == number("y")


class TestLists:
    def test_a_date_in_parts(self) -> None:
        def made(i: int) -> list[int]:
            at = START + timedelta(seconds=15 * i)
            return [at.year, at.month, at.day, at.hour, at.minute, *([at.second] if i % 4 else [])]

        assert verdict(made) == TIME

    def test_three_measurements_are_none(self) -> None:
        dice = random.Random(4)
        rows = records(lambda _: [dice.randrange(1_000, 3_000), dice.randrange(9), 1.5])
        assert number("y[0]") in verdicts(discover(rows)).values()
