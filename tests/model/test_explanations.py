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
from training.fit import FitSettings, fit_detector
from training.networks import NetworkSettings
from worker.events import EventEncoder, EventSettings
from worker.model.explain import FEATURES_SHOWN, anomalies, explain
from worker.model.schema import SETTLED_CODE, Columns, Feature, FeatureSchema
from worker.records import ModelNote, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tests.machines import Reading
    from worker.records import Anomaly

    Floats = NDArray[np.float64]

NUMBERS: Final = [feature.path for feature in SCHEMA.numbers if feature.kind == "number"]
QUICK: Final = FitSettings(alert_rate=0.01, network=NetworkSettings(steps=200))
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


def related_rows(count: int, seed: int) -> Floats:
    """Six columns that follow from one hidden value."""
    rng = np.random.default_rng(seed)
    rows: Floats = rng.normal(size=(count, 1)) + 0.2 * rng.normal(size=(count, 6))
    return rows


def numbers_only(rows: Floats) -> Columns:
    none = np.empty((len(rows), 0), dtype=np.int64)
    return Columns(rows, none, none)


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


def test_a_rare_value_of_a_watched_path_is_the_reason_where_it_makes_the_alarm() -> None:
    """Training saw it once in a thousand records, which adds 3 to the score."""
    found = explained([changed(reading, "site", "south") for reading in readings(50, seed=9)])
    assert len(found) == 50
    for anomaly in found:
        first = anomaly.features[0]
        assert (anomaly.kind, first.name, first.value) == ("watched", "site", "south")
        assert first.expected == "north"


def test_a_rare_value_beside_a_fault_is_one_of_the_reasons_with_its_part_of_the_score() -> None:
    (reading,) = readings(1, seed=9)
    odd = columns_of([changed(changed(reading, "load", 1e12), "site", "south")])
    contributions = explain(detector(), odd).contributions[0]
    site = contributions[SCHEMA.names.index("site")]
    fused = detector().fuse(detector().measure(odd))[0]
    assert site == pytest.approx(3 / (fused + 3))
    assert SCHEMA.names[int(contributions.argmax())] == "load"


def test_what_is_as_expected_is_no_reason() -> None:
    columns = columns_of([*readings(200, seed=7), *odd_readings()])
    explanation = explain(detector(), columns)
    given = np.hstack([columns.numbers, columns.codes])
    is_expected = given == explanation.expected
    is_expected[:, -2:] &= columns.codes < [3, 2]
    assert is_expected[:, -3:].any(axis=0).all()  # the switch and both categories
    assert explanation.contributions[:, : given.shape[1]][is_expected].max() < 1e-12


@pytest.mark.parametrize("path", NUMBERS)
def test_the_expected_value_makes_a_spiked_row_normal(path: str) -> None:
    column = NUMBERS.index(path)
    columns = columns_of([reading for reading in readings(200, seed=7) if "humidity" in reading])
    columns = columns.take(~detector().score(columns).flagged)
    columns.numbers[:, column] = detector().scaler.centre[column] * 3 + 1e12
    assert detector().score(columns).flagged.all()
    columns.numbers[:, column] = explain(detector(), columns).expected[:, column]
    assert detector().score(columns).flagged.mean() < 0.1


def test_a_broken_relation_is_not_blamed_on_the_columns_that_kept_it() -> None:
    """Six columns that vary together: a network gives all of them back wrong where one is odd."""
    rows = related_rows(1500, seed=1)
    schema = FeatureSchema(
        features=tuple(Feature(path=f"x{i}", kind="number") for i in range(rows.shape[1]))
    )
    found = fit_detector(numbers_only(rows[:1000]), numbers_only(rows[1000:]), schema, QUICK)
    broken = related_rows(300, seed=2)
    culprit = np.arange(300) % 6
    broken[np.arange(300), culprit] *= -1
    odd = np.abs(broken[np.arange(300), culprit]) > 1
    contributions = explain(found, numbers_only(broken[odd])).contributions
    assert (contributions.argmax(axis=1) == culprit[odd]).mean() > 0.9


def test_an_explanation_does_not_depend_on_the_rows_beside_it() -> None:
    columns = columns_of([*readings(150, seed=7), *odd_readings()])
    whole = explain(detector(), columns)
    for row in (0, 127, 128, 209):
        (alone,) = explain(detector(), columns.take(slice(row, row + 1))).contributions
        np.testing.assert_allclose(alone, whole.contributions[row], atol=1e-4)


def test_no_rows_have_no_explanation() -> None:
    explanation = explain(detector(), columns_of(readings(1, seed=7)).take(slice(0)))
    assert explanation.contributions.shape == (0, len(SCHEMA.names))


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
    (reading,) = readings(1, seed=9)
    odd = changed(changed(changed(reading, "firmware", "1.3"), "state", "exploded"), "load", 1e12)
    columns = columns_of([odd])
    columns.codes[:, 0] = columns.watched[:, 0] = SETTLED_CODE
    scores = detector().score(columns)
    (anomaly,) = anomalies(detector(), columns, scores, lambda _: values_of(odd))
    assert anomaly.kind != "watched"
    assert anomaly.features[0].name == "load"
    assert {"firmware", "state"}.isdisjoint(f.name for f in anomaly.features)


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
