"""Laws of explanations: shares, culprits, and the events that carry them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import jsonschema
import numpy as np
import pytest

import worker
from tests.machines import SCHEMA, changed, columns_of, detector, encoded, readings, values_of
from worker.events import EventEncoder, EventSettings
from worker.model.explain import FEATURES_SHOWN, anomalies, explain
from worker.model.schema import MISSING_CODE, Columns
from worker.records import ModelNote, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.machines import Reading
    from worker.records import Anomaly

NUMBERS: Final = [feature.path for feature in SCHEMA.numbers if feature.kind == "number"]
NOTE: Final = ModelNote("v1", "2026-01-02T03:04:05Z", 0.01, 2.0)


class StoppedClock:
    """Always the same time."""

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> float:
        return 1_767_225_600.0

    def sleep(self, seconds: float) -> None:
        """Nobody waits here."""


def explained(records: Sequence[Reading]) -> list[Anomaly]:
    columns = columns_of(records)
    scores = detector().score(columns)
    return anomalies(detector(), columns, scores, lambda row: values_of(records[row]))


def odd_readings() -> list[Reading]:
    """Spikes, changed constants, unseen categories, values left out, and combinations."""
    found: list[Reading] = []
    for at, reading in enumerate(readings(60, seed=9)):
        path = NUMBERS[at % len(NUMBERS)]
        odd = changed(reading, path, (-1) ** at * 10.0 ** (at % 300 + 2))
        if at % 3 == 0:
            odd = changed(odd, "state", "exploded")
        if at % 4 == 0:
            odd = changed(odd, "firmware", {"major": 2, "note": "x" * 3000})
        if at % 5 == 0:
            odd = changed(odd, "door_open", None)
        if at % 7 == 0:
            odd = changed(odd, "motor.poles", None)
        found.append(odd)
    return found


def test_contributions_are_shares_of_every_row_flagged_or_not() -> None:
    columns = columns_of([*readings(100, seed=7), *odd_readings()])
    contributions = explain(detector(), columns).contributions
    assert contributions.shape == (160, len(SCHEMA.names))
    assert (contributions >= 0).all()
    np.testing.assert_allclose(contributions.sum(axis=1), 1)


def test_listed_contributions_are_shares_with_the_largest_first() -> None:
    found = explained(odd_readings())
    assert len(found) == 60
    for anomaly in found:
        shares = [feature.contribution for feature in anomaly.features]
        assert shares == sorted(shares, reverse=True)
        assert 1 <= len(shares) <= FEATURES_SHOWN
        assert min(shares) > 0
        assert abs(sum(shares) - 1) < 1e-9


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("path", NUMBERS)
def test_the_culprit_of_a_big_spike_comes_first(path: str, sign: int) -> None:
    spiked = [
        changed(reading, path, sign * 1e12)
        for reading in readings(50, seed=9)
        if path != "humidity" or path in reading
    ]
    assert {anomaly.features[0].name for anomaly in explained(spiked)} == {path}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [("state", "exploded", {"idle", "run", "stop"}), ("firmware", 2, {"1.2"})],
)
def test_what_training_never_saw_comes_first_beside_what_was_expected(
    path: str, value: object, expected: set[object]
) -> None:
    found = explained([changed(reading, path, value) for reading in readings(50, seed=9)])
    assert len(found) == 50
    for anomaly in found:
        first = anomaly.features[0]
        assert (anomaly.kind, first.name, first.value) == ("watched", path, value)
        assert first.expected in expected
        assert first.contribution > 0.5 - 1e-9


def test_a_listed_value_is_that_of_the_record() -> None:
    (reading,) = readings(1, seed=9)
    (anomaly,) = explained([changed(reading, "load", 1e12)])
    values = dict(zip(SCHEMA.names, values_of(reading), strict=True))
    values["load"] = 1e12
    assert {f.name: f.value for f in anomaly.features} == {
        f.name: values[f.name] for f in anomaly.features
    }


def test_an_expected_number_shows_what_makes_a_difference_far_from_zero() -> None:
    """Values of 33.6e9 that vary by 1,000 are alike to six digits."""
    found = explained([changed(r, "bytes_sent", 33_600_100_000) for r in readings(20, seed=9)])
    expected = {anomaly.features[0].expected for anomaly in found}
    assert len(expected) > 1
    assert all(isinstance(e, float) and abs(e - 33.6e9) < 50_000 for e in expected)


def test_a_boolean_is_expected_as_one() -> None:
    names = {feature.name: feature for a in explained(odd_readings()) for feature in a.features}
    assert names["door_open"].expected in (True, False)


def test_a_new_value_that_has_come_to_stay_is_no_reason() -> None:
    """The scores are those of settled columns, the columns those of the record."""
    (reading,) = readings(1, seed=9)
    odd = changed(changed(reading, "firmware", "1.3"), "load", 1e12)
    columns = columns_of([odd])
    settled = Columns(columns.numbers, columns.codes, columns.watched * 0 + MISSING_CODE)
    scores = detector().score(settled)
    (anomaly,) = anomalies(detector(), columns, scores, lambda _: values_of(odd))
    assert anomaly.kind != "watched"
    assert [f.name for f in anomaly.features].count("firmware") == 0
    assert anomaly.features[0].name == "load"


def test_without_flagged_rows_nothing_is_explained() -> None:
    columns = columns_of(readings(30, seed=7))
    calm = columns.take(~detector().score(columns).flagged)
    assert anomalies(detector(), calm, detector().score(calm), lambda _: []) == []


@pytest.mark.parametrize("include_record", [True, False])
@pytest.mark.parametrize("timestamp", [-1, 1_767_225_600_123])
def test_every_event_is_as_its_schema_says(*, include_record: bool, timestamp: int) -> None:
    path = Path(str(worker.__file__)).parent / "schemas" / "anomaly.v1.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    settings = EventSettings("s", "g", "anomalies", "dlq", None, include_record, "0")
    encoder = EventEncoder(settings, StoppedClock())
    records = odd_readings()
    for anomaly in explained(records):
        value = encoded(records)[anomaly.row]
        record = Record("machines", 3, anomaly.row, timestamp, b"\xffkey", value)
        event = json.loads(encoder.anomaly(record, anomaly, NOTE).value or b"")
        validator.validate(event)
        assert ("record" in event) == include_record
        assert datetime.fromisoformat(event["detected_at"]).utcoffset() is not None
