"""What a model would have flagged in the hold-out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.telemetry import SMALL, START_MS, absurd, encoded, readings
from training.backtest import SHOWN, Backtest, backtest
from training.dataset import Bounds, Stretch, read_stretch, split_by_blocks
from training.fit import fit_detector
from training.table import Look, discovered, table_of
from worker.adapters.memory import MemoryBroker, MemoryRecordHistory
from worker.codec import JsonCodec
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

CODEC = JsonCodec(record_bytes_max=10_000, depth_max=40, missing_share_max=0.5)
ROWS = 1000
ODD = [210, 460, 980]
"""Places in hold-out blocks, where something is planted."""


def stretch_of(values: Sequence[bytes], *, stamped: bool = True) -> Stretch:
    broker = MemoryBroker({"t": 1})
    stamps = [START_MS + 1000 * i if stamped else -1 for i in range(len(values))]
    broker.send([Output("t", None, v, (), at) for v, at in zip(values, stamps, strict=True)])
    history = MemoryRecordHistory(broker, "t")
    return read_stretch(history, Bounds(), 10_000, CODEC.parse)


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    records = readings(ROWS)
    for place in ODD:
        records[place] = {**absurd(), "running": True, "mode": "slow"}
    records[5] = {}  # rejected: rows of the table are no places in the stretch
    return encoded(records)


def tried(stretch: Stretch) -> Backtest:
    schema, _ = discovered(stretch, CODEC, Look())
    table = table_of(stretch, CODEC, schema)
    split = split_by_blocks(table.columns, stretch.read)
    detector = fit_detector(split.fit, split.calibrate, table.schema, SMALL)
    places = table.records[split.hold_out_rows]
    return backtest(detector, split.hold_out, places, stretch, CODEC)


@pytest.fixture(scope="module")
def stamped(values: list[bytes]) -> Backtest:
    return tried(stretch_of(values))


def test_the_ten_oddest_come_first_flagged_or_not(stamped: Backtest) -> None:
    scores = [oddity.anomaly.score for oddity in stamped.oddest]
    assert len(scores) == SHOWN == 10
    assert scores == sorted(scores, reverse=True)
    assert {oddity.at for oddity in stamped.oddest[:3]} == {f"t-0-{place}" for place in ODD}


def test_each_says_when_it_was(stamped: Backtest) -> None:
    times = {oddity.at: oddity.time for oddity in stamped.oddest}
    assert times["t-0-210"] == "2026-01-01T00:03:30+00:00"


def test_each_says_why_with_the_values_of_the_record(stamped: Backtest) -> None:
    for oddity in stamped.oddest[:3]:
        told = {feature.name: feature.value for feature in oddity.anomaly.features}
        assert {"load", "heat.inlet", "heat.outlet"} <= told.keys()
        assert (told["load"], told["heat.inlet"], told["heat.outlet"]) == (-900.0, 400.0, -50.0)
        assert told.get("running", True) is True
        assert told.get("mode", "slow") == "slow"
        assert sum(f.contribution for f in oddity.anomaly.features) == pytest.approx(1)


def test_alerts_a_day_follow_from_the_traffic_of_the_stretch(stamped: Backtest) -> None:
    assert stamped.rows == 199
    assert stamped.flagged >= len(ODD)
    per_day = ROWS / ((ROWS - 1) / 86_400)
    assert stamped.per_day == pytest.approx(stamped.flagged / stamped.rows * per_day)


def test_without_times_no_day_is_told(values: list[bytes]) -> None:
    without = tried(stretch_of(values, stamped=False))
    assert without.per_day is None
    assert [oddity.time for oddity in without.oddest] == [None] * SHOWN


def test_a_changed_constant_is_told_with_the_value_that_it_had(values: list[bytes]) -> None:
    changed = [*values]
    changed[460] = changed[460].replace(b'"north"', b'"moon"')
    stretch = stretch_of(changed)
    (moved,) = (oddity for oddity in tried(stretch).oddest if oddity.at == "t-0-460")
    told = {feature.name: feature.value for feature in moved.anomaly.features}
    assert told.get("site", "moon") == "moon"


def test_a_stretch_of_one_moment_has_no_day(values: list[bytes]) -> None:
    stretch = replace(stretch_of(values), times_ms=np.full(ROWS, math.nan))
    assert [oddity.time for oddity in tried(stretch).oddest] == [None] * SHOWN
