"""Laws of numbers whose level depends on a category: one sample a record, price per symbol."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import latentwatch
from tests.machines import ABOUT
from training.fit import FitSettings, fit_detector
from training.networks import NetworkSettings
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.model.artifact import Artifact
from worker.model.explain import explain
from worker.model.reasons import anomalies
from worker.model.schema import MISSING_CODE, SETTLED_CODE, Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from worker.model.detector import Detector

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

LEVELS: Final = np.array([35.0, 8e9, 1.2e6, 0.02])
METRICS: Final = ("cpu", "memory", "disk", "latency")
HOSTS: Final = tuple(f"host-{i}" for i in range(6))
SCHEMA: Final = FeatureSchema(
    features=(
        Feature(path="value", kind="number"),
        Feature(path="metric", kind="category", categories=METRICS),
        Feature(path="host", kind="category", categories=HOSTS),
    )
)
SETTINGS: Final = FitSettings(alert_rate=0.01, network=NetworkSettings(hidden=32, steps=200))
REACH: Final = np.concatenate([np.arange(10, 50), np.geomspace(50, 1e200, 200)])


def levels() -> Floats:
    """Of each metric on each host."""
    factors: Floats = np.exp(np.random.default_rng(5).normal(0, 0.5, size=(4, 6)))
    return LEVELS[:, None] * factors


def samples(count: int, seed: int) -> Columns:
    """One value a record, within a tenth of what its metric and host have."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(0, 4, count), rng.integers(0, 6, count)])
    values = levels()[codes[:, 0], codes[:, 1]] * np.exp(0.1 * rng.normal(size=count))
    return Columns(values[:, None], codes, np.empty((count, 0), dtype=np.int64))


def in_unit(columns: Columns, unit: float, offset: float) -> Columns:
    """The same rows with their values in another unit."""
    return replace(columns, numbers=columns.numbers * unit + offset)


@cache
def detector() -> Detector:
    return fit_detector(samples(2000, 1), samples(1000, 2), SCHEMA, SETTINGS)


def test_metric_and_host_together_make_the_groups() -> None:
    assert detector().scaler.groups.by.tolist() == [[0, 1]]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "code", [(0, 1), (1, 5), (3, 0), (2, MISSING_CODE), (1, 6), (0, SETTLED_CODE)]
)
def test_a_growing_spike_of_a_group_never_scores_lower(sign: int, code: tuple[int, int]) -> None:
    rows = samples(len(REACH), 3)
    codes = np.tile(np.array(code), (len(REACH), 1))
    levelled = sign * REACH[:, None]
    numbers = detector().scaler.groups.restore(levelled, codes, (4, 6))
    score = detector().score(replace(rows, numbers=numbers, codes=codes)).score
    assert (np.diff(score) >= -1e-5).all()
    assert score[-1] > score[0] + 10


@pytest.mark.parametrize("metric", range(4))
def test_a_value_of_another_metric_is_flagged_under_this_one(metric: int) -> None:
    rows = samples(400, 4)
    of_others = rows.take(rows.codes[:, 0] != metric)
    codes = of_others.codes.copy()
    codes[:, 0] = metric
    assert detector().score(replace(of_others, codes=codes)).flagged.all()


@pytest.mark.parametrize("category", [0, 1])
def test_a_category_that_has_settled_may_have_any_level_that_others_have(category: int) -> None:
    rows = samples(400, 4)
    codes = rows.codes.copy()
    codes[:, category] = SETTLED_CODE
    assert detector().score(replace(rows, codes=codes)).flagged.mean() < 0.1


def test_where_the_category_is_missing_now_and_then_any_of_its_levels_is_normal() -> None:
    def with_gaps(columns: Columns) -> Columns:
        codes = columns.codes.copy()
        codes[::25, 0] = MISSING_CODE
        return replace(columns, codes=codes)

    features = tuple(
        msgspec.structs.replace(feature, missing_share=0.04) for feature in SCHEMA.features
    )
    schema = FeatureSchema(features=features)
    found = fit_detector(with_gaps(samples(2000, 1)), with_gaps(samples(1000, 2)), schema, SETTINGS)
    assert found.scaler.groups.by.tolist() == [[0, 1]]
    rows = with_gaps(samples(2000, 4))
    flagged = found.score(rows).flagged[::25]
    assert flagged.mean() < 0.2


def test_an_expected_value_is_one_of_the_rows_own_category_in_its_own_unit() -> None:
    rows = samples(200, 4)
    tripled = replace(rows, numbers=3 * rows.numbers)
    expected = explain(detector(), tripled).expected[:, 0]
    ratio = expected / levels()[rows.codes[:, 0], rows.codes[:, 1]]
    assert (np.abs(ratio - 1) < 0.25).all()


def test_the_value_is_the_first_reason_and_is_told_to_the_digits_of_its_level() -> None:
    rows = samples(200, 4)
    tripled = replace(rows, numbers=3 * rows.numbers)
    scores = detector().score(tripled)
    values = tripled.numbers[:, 0]
    found = anomalies(
        detector(), tripled, scores, lambda row: [float(values[row]), "metric", "host"]
    )
    assert len(found) == 200
    assert {anomaly.features[0].name for anomaly in found} == {"value"}
    for anomaly in found:
        metric = rows.codes[anomaly.row, 0]
        expected = float(str(anomaly.features[0].expected))
        assert 0.1 < expected / LEVELS[metric] < 10
        assert float(f"{expected:.7g}") == expected


@pytest.mark.parametrize("unit", [(1e3, 0.0), (1.8, 32.0)])
def test_another_unit_changes_no_score(unit: tuple[float, float]) -> None:
    learned, calibrated = (in_unit(samples(n, seed), *unit) for n, seed in ((2000, 1), (1000, 2)))
    other = fit_detector(learned, calibrated, SCHEMA, SETTINGS)
    rows = samples(400, 4)
    rows.numbers[::10] *= 2
    again = other.score(in_unit(rows, *unit)).score
    np.testing.assert_allclose(again, detector().score(rows).score, atol=1e-2)


def test_what_is_loaded_has_the_same_groups_and_scores(tmp_path: Path) -> None:
    store = DirectoryArtifactStore(tmp_path, "samples")
    loaded = store.load(store.save(Artifact(detector(), ABOUT))).detector
    rows = samples(400, 4)
    np.testing.assert_array_equal(loaded.score(rows).score, detector().score(rows).score)
    np.testing.assert_array_equal(
        explain(loaded, rows).expected, explain(detector(), rows).expected
    )


def test_faults_of_one_metric_among_others_come_out(tmp_path: Path) -> None:
    """From records: a value tripled, or one of another metric. All are ordinary among all rows."""
    normal, live = samples(3000, 1), samples(1500, 4)
    rng = np.random.default_rng(6)
    places = rng.permutation(1500)[:40]
    live.numbers[places[:20]] *= 3
    live.codes[places[20:], 0] = (live.codes[places[20:], 0] + 1) % 4
    latentwatch.train(records(normal), stream="samples", store=tmp_path)
    scored = list(latentwatch.score(records(live), stream="samples", store=tmp_path))
    scores = np.array([float(str(line["score"])) for line in scored])
    is_fault = np.isin(np.arange(1500), places)
    assert roc_auc_score(is_fault, scores) > 0.98
    assert average_precision_score(is_fault, scores) > 0.9


def records(columns: Columns) -> list[dict[str, object]]:
    """Rows as somebody would send them."""
    return [
        {"metric": METRICS[metric], "host": HOSTS[host], "value": float(value)}
        for (metric, host), (value,) in zip(columns.codes, columns.numbers, strict=True)
    ]
