"""A training run as lines for people."""

from __future__ import annotations

from dataclasses import replace

from tests.telemetry import readings
from training.backtest import Backtest, Oddity
from training.discover import LeftOut, discover
from training.retrain import Outcome
from training.summary import LEFT_OUT_SHOWN, discovery_lines, outcome_lines, outcome_table
from worker.model.artifact import RowCounts, Verdict
from worker.records import Anomaly, FeatureShare

SCHEMA = discover(readings(300)).schema

LEARNED = (
    "  learned from 297 of 500 records (2 unreadable, 3 skipped), calibrated on 99, judged on 99"
)
RATE = (
    "  alert rate 0.0001 of normal records; the 99 calibration records support 0.01, beyond that"
    " it is extrapolated"
)
ODDEST = (
    "     4.25  2026-01-01T00:00:00+00:00  load 900.1 (expected 51.25; 90%),"
    " mode eco (expected fast; 6%), site north (expected north; 3%)"
)


def oddity(value: object, time: str | None = "2026-01-01T00:00:00+00:00") -> Oddity:
    shares = (
        FeatureShare("load", value, 51.25, 0.9),
        FeatureShare("mode", "eco", "fast", 0.06),
        FeatureShare("site", "north", "north", 0.03),
        FeatureShare("heat.inlet", 20.5, 20.25, 0.01),
    )
    return Oddity("t-0-17", time, Anomaly(0, 4.25, "extreme", 1.0, 2.0, shares))


def outcome(backtest: Backtest | None = None) -> Outcome:
    assert SCHEMA is not None
    return Outcome(
        version="20260101T000000Z-abc",
        schema=SCHEMA,
        left_out=(LeftOut("at", "a time"), LeftOut("id", "a text")),
        types=None,
        rows=RowCounts(
            read=500, sampled=500, rejected=2, skipped=3, fit=297, calibrate=99, hold_out=99
        ),
        backtest=backtest or Backtest(99, 2, 6.06, [oddity(900.123456)]),
        verdict=Verdict(promoted=True, reasons=("first model",)),
        alert_rate=1e-4,
        supported_rate=1 / 99,
    )


def test_a_run_is_told_in_lines() -> None:
    assert outcome_lines(outcome(), "machine").splitlines() == [
        "model 20260101T000000Z-abc of machine: promoted",
        "  first model",
        LEARNED,
        "  5 features (4 numbers, 1 categories), 1 constants watched, 2 paths left out",
        "    - at: a time",
        "    - id: a text",
        RATE,
        "  backtest: 2 of 99 hold-out records flagged, about 6.1 a day; the oddest:",
        ODDEST,
    ]


def test_an_alert_rate_that_the_calibration_supports_is_told_beside_what_it_supports() -> None:
    lines = outcome_lines(replace(outcome(), alert_rate=0.02), "machine").splitlines()
    told = "  alert rate 0.02 of normal records; the 99 calibration records support 0.01"
    assert told in lines


def test_without_times_the_place_is_told_and_no_day() -> None:
    lines = outcome_lines(outcome(Backtest(99, 0, None, [oddity(1, time=None)])), "machine")
    assert "  backtest: 0 of 99 hold-out records flagged; the oddest:" in lines.splitlines()
    assert "     4.25  t-0-17  load 1 " in lines


def test_a_value_is_one_short_line_whatever_it_holds() -> None:
    for value in ("two\nlines", "x" * 500, "\x1b[31m", {"a": "\r"}):
        lines = outcome_lines(outcome(Backtest(99, 0, None, [oddity(value)])), "machine")
        assert len(lines.splitlines()) == 9
        assert max(map(len, lines.splitlines())) < 220
        assert "\x1b" not in lines


def test_of_many_paths_left_out_some_are_shown() -> None:
    many = tuple(LeftOut(f"p{n}", "a time") for n in range(LEFT_OUT_SHOWN + 3))
    lines = outcome_lines(replace(outcome(), left_out=many), "machine")
    assert "    - and 3 more (--dry-run shows them)" in lines.splitlines()
    assert lines.count("a time") == LEFT_OUT_SHOWN


def test_types_are_told_with_the_option_that_picks_one() -> None:
    mixed = replace(outcome(), types=("kind", ("cpu", "disk")))
    assert (
        "  records of several types, told apart by kind: cpu, disk; --where kind=cpu learns one of"
        " them alone"
    ) in outcome_lines(mixed, "machine").splitlines()


def test_for_programs_it_holds_the_backtest_whole() -> None:
    table = outcome_table(outcome())
    assert table["backtest"] == {
        "rows": 99,
        "flagged": 2,
        "per_day": 6.06,
        "oddest": [
            {
                "at": "t-0-17",
                "time": "2026-01-01T00:00:00+00:00",
                "anomaly": oddity(900.123456).anomaly,
            }
        ],
    }
    assert table["left_out"] == [
        {"path": "at", "reason": "a time"},
        {"path": "id", "reason": "a text"},
    ]


def test_a_path_is_one_line_whatever_it_holds() -> None:
    records = [{**reading, "a\nb": i * 7 % 13} for i, reading in enumerate(readings(300))]
    lines = discovery_lines(discover(records)).splitlines()
    assert len(lines) == 9
    assert [line for line in lines if line.startswith('"a\\nb" ')] != []
