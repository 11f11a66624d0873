"""Laws of explanations: shares, culprits, and the events that carry them."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
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
from worker.model.detector import BORDERLINE
from worker.model.explain import explain
from worker.model.reasons import FEATURES_SHOWN, anomalies
from worker.model.schema import SETTLED_CODE, Columns, Feature, FeatureSchema
from worker.records import ModelNote, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tests.machines import Reading
    from worker.model.detector import Detector
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


@cache
def related() -> Detector:
    """What learned them."""
    rows = related_rows(1500, seed=1)
    return fitted_to(rows[:1000], rows[1000:])


def broken_rows() -> tuple[Floats, NDArray[np.int64]]:
    """Such rows, where one column each has the other sign, and which one."""
    broken = related_rows(300, seed=2)
    culprit = np.arange(300) % 6
    broken[np.arange(300), culprit] *= -1
    odd = np.abs(broken[np.arange(300), culprit]) > 1
    return broken[odd], culprit[odd]


def switched_rows(count: int, seed: int) -> Floats:
    """Twenty columns that have nothing to do with each other, and a switch that is seldom on."""
    rng = np.random.default_rng(seed)
    return np.hstack([rng.normal(size=(count, 20)), rng.random((count, 1)) < 0.01])


def fitted_to(fit: Floats, calibrate: Floats) -> Detector:
    features = (Feature(path=f"x{i}", kind="number") for i in range(fit.shape[1]))
    schema = FeatureSchema(features=tuple(features))
    return fit_detector(numbers_only(fit), numbers_only(calibrate), schema, QUICK)


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
    broken, culprit = broken_rows()
    contributions = explain(related(), numbers_only(broken)).contributions
    assert (contributions.argmax(axis=1) == culprit).mean() > 0.9


def test_what_is_expected_of_its_neighbours_does_not_follow_a_culprit_of_usual_reach() -> None:
    """They vary by 0.2 about what they have in common, which the culprit contradicts."""
    broken, culprit = broken_rows()
    off = np.abs(explain(related(), numbers_only(broken)).expected - broken)
    off[np.arange(len(broken)), culprit] = 0
    assert off.max(axis=1).mean() < 0.6


@pytest.mark.parametrize("spike", [8.0, 1e12, -1e300])
@pytest.mark.parametrize("spiked", [[2], [2, 4]])
def test_spikes_change_nothing_in_what_is_expected_of_the_others(
    spiked: list[int], spike: float
) -> None:
    rows = related_rows(100, seed=3)
    kept = np.delete(np.arange(6), spiked)
    odd = rows.copy()
    odd[:, spiked] = spike
    off = np.abs(explain(related(), numbers_only(odd)).expected - rows)
    assert np.quantile(off[:, kept], 0.95) < 1.0
    assert np.quantile(off[:, spiked], 0.95) < 1.0


@pytest.mark.parametrize("spike", [8.0, 1e12, -1e300])
def test_the_neighbours_of_a_spike_have_no_share_for_what_it_spoils(spike: float) -> None:
    rows = related_rows(100, seed=3)
    rows[:, 2] = spike
    shares = explain(related(), numbers_only(rows)).contributions
    assert np.quantile(shares[:, 2], 0.05) > 0.9


def test_two_spikes_both_have_their_share() -> None:
    rows = related_rows(100, seed=3)
    rows[:, [2, 4]] = 1e6
    shares = explain(related(), numbers_only(rows)).contributions
    assert np.quantile(shares[:, [2, 4]], 0.05) > 0.25


def test_a_rare_value_is_tried_though_the_network_gives_it_back() -> None:
    """A switch that is on in one record of a hundred lies far from no centre."""
    rows = switched_rows(3000, seed=1)
    found = fitted_to(rows[:2000], rows[2000:])
    odd = switched_rows(50, seed=2)
    odd[:, -1] = 1
    shares = explain(found, numbers_only(odd)).contributions
    assert (shares.argmax(axis=1) == odd.shape[1] - 1).mean() > 0.7


def test_the_kind_tells_a_broken_relation_from_unusual_reach_and_from_both() -> None:
    broken, _ = broken_rows()
    far = related_rows(100, seed=3)
    far += np.sign(far.mean(axis=1, keepdims=True)) * 3
    spiked = related_rows(100, seed=3)
    spiked[:, 2] = 1e6
    for rows, kind in ((broken, "inconsistent"), (far, "extreme"), (spiked, "novel")):
        scores = related().score(numbers_only(rows))
        told = [scores.kind(row) for row in range(len(rows))]
        assert told.count(kind) > 0.8 * len(rows)


def test_a_missing_number_is_no_unusual_one() -> None:
    """Of a column with two modes and nothing between them, where what is missing stands."""
    rng = np.random.default_rng(5)
    rows = np.hstack([related_rows(1500, seed=1), rng.choice([-3.0, 3.0], size=(1500, 1))])
    rows[rng.random(1500) < 0.1, -1] = np.nan
    found = fitted_to(rows[:1000], rows[1000:])
    broken, _ = broken_rows()
    missing = np.hstack([broken, np.full((len(broken), 1), np.nan)])
    scores = found.score(numbers_only(missing))
    told = [scores.kind(row) for row in range(len(broken))]
    assert told.count("inconsistent") > 0.8 * len(broken)


def test_borderline_is_what_lies_less_than_half_above_the_threshold() -> None:
    steps = np.linspace(0, 1, 200)[:, None] * [0.0, 0.0, 4.0, 0.0, 0.0, 0.0]
    scores = related().score(numbers_only(steps))
    over = scores.score - related().calibration.threshold
    told = [scores.kind(row) for row in range(len(steps)) if scores.flagged[row]]
    is_near = over[over >= 0] < BORDERLINE
    assert 0 < is_near.sum() < len(told)
    assert [kind == "borderline" for kind in told] == is_near.tolist()


def test_what_is_expected_of_hostile_rows_lies_within_what_was_learned() -> None:
    rows = related_rows(1000, seed=1)
    hostile = np.random.default_rng(4).choice(
        [0.0, np.nan, 5e-324, 1e16, 1.7e308, -1.7e308, 0.5], size=(300, 6)
    )
    explanation = explain(related(), numbers_only(hostile))
    slack = 1e-5
    assert (explanation.expected >= rows.min(axis=0) - slack).all()
    assert (explanation.expected <= rows.max(axis=0) + slack).all()
    assert (explanation.contributions >= 0).all()
    np.testing.assert_allclose(explanation.contributions.sum(axis=1), 1)


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
