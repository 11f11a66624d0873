"""The simulated fleet: seeded, driven by its hidden factors, told as nested JSON."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from workbench.demo.fleet import (
    BLOCK,
    CHOICES,
    FACTORS,
    FIRMWARE,
    MACHINES,
    SENSORS,
    STEP_S,
    Fleet,
    Readings,
)

START_S = 1_790_000_000.0


@pytest.fixture(scope="module")
def readings() -> Readings:
    return Fleet(0, START_S).block(3)


def test_the_same_seed_gives_the_same_readings(readings: Readings) -> None:
    assert Fleet(0, START_S).block(3).values() == readings.values()


def test_another_seed_gives_others(readings: Readings) -> None:
    assert Fleet(1, START_S).block(3).values() != readings.values()


def test_times_rise_from_block_to_block(readings: Readings) -> None:
    times_s = np.concatenate([readings.times_s, Fleet(0, START_S).block(4).times_s])
    assert (np.diff(times_s) > 0).all()
    assert abs(times_s[0] - (START_S + 3 * BLOCK * STEP_S)) < STEP_S


def test_every_machine_reports_as_often(readings: Readings) -> None:
    assert set(np.bincount(readings.machines).tolist()) == {BLOCK // MACHINES}


def test_a_record_is_nested_and_says_who_and_when(readings: Readings) -> None:
    record = msgspec.json.decode(readings.values()[7])
    assert record["machine"].encode() == readings.keys()[7] == b"pump-07"
    assert record["timestamp"].endswith("Z")
    assert record["firmware"] == FIRMWARE
    assert set(record["motor"]) == {"speed_rpm", "current_a", "power_kw", "winding_c"}
    assert len(SENSORS) + len(CHOICES) == 14


def test_the_factors_drive_every_sensor(readings: Readings) -> None:
    f = readings.factors
    known = np.column_stack([f, f**2, f[:, :1] * f[:, 1:], np.ones(BLOCK)])
    known = np.column_stack([known, f[:, 1:2] * f[:, 2:], f[:, 2:3] * f[:, 3:]])
    for j in range(len(SENSORS)):
        there = ~np.isnan(readings.numbers[:, j])
        values = readings.numbers[there, j]
        weights, *_ = np.linalg.lstsq(known[there], values, rcond=None)
        left = values - known[there] @ weights
        assert left.std() < 0.1 * values.std()


def test_the_factors_are_told_apart(readings: Readings) -> None:
    assert readings.factors.shape == (BLOCK, len(FACTORS))
    between = np.corrcoef(readings.factors.T) - np.eye(len(FACTORS))
    assert np.abs(between).max() < 0.6


def test_a_category_goes_with_its_factor(readings: Readings) -> None:
    for j, choice in enumerate(CHOICES):
        factor = readings.factors[:, FACTORS.index(choice.factor)]
        low, high = (factor[readings.choices[:, j] == value] for value in choice.values)
        assert low.max() < high.min()
        assert min(len(low), len(high)) > BLOCK / 10


def test_ambient_follows_the_day() -> None:
    fleet = Fleet(0, START_S)
    hours = np.arange(0, 240, 0.5)
    ambient = fleet.factors(hours * 3600, np.zeros(len(hours), dtype=np.int64))[:, 1]
    by_hour = [ambient[hours % 24 == hour].mean() for hour in range(24)]
    assert np.argmax(by_hour) == 15
    assert np.argmin(by_hour) == 3


def test_values_are_missing_where_a_sensor_says_so(readings: Readings) -> None:
    shares = np.isnan(readings.numbers).mean(axis=0)
    expected = [sensor.missing for sensor in SENSORS]
    assert np.abs(shares - expected).max() < 0.006
    assert sum(share > 0 for share in expected) == 2
