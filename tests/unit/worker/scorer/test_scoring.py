"""One version of the model in use."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tests.machines import SCHEMA, artifact, changed, columns_of, detector, readings, values_of
from worker.records import ModelNote
from worker.scorer import ScoringModel
from worker.scorer.upgrades import WINDOW_RECORDS

if TYPE_CHECKING:
    import pytest


def upgraded(count: int) -> list[dict[str, object]]:
    return [changed(reading, "firmware", "1.3") for reading in readings(count, seed=11)]


def test_it_tells_its_version_and_how_it_was_made() -> None:
    model = ScoringModel(artifact(), "v1")
    assert model.note == ModelNote(
        "v1", "2026-01-02T03:04:05Z", alert_rate=0.01, threshold=2.0, supported_rate=5 / 500
    )
    assert model.schema == SCHEMA


def test_it_scores_as_its_detector_does() -> None:
    columns = columns_of(readings(100, seed=7))
    scores = ScoringModel(artifact(), "v1").score(columns)
    np.testing.assert_array_equal(scores.score, detector().score(columns).score)


def test_an_upgrade_is_flagged_announced_and_then_quiet(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = ScoringModel(artifact(), "v1")
    with caplog.at_level(logging.WARNING):
        flagged = model.score(columns_of(upgraded(400))).flagged
    half = WINDOW_RECORDS // 2
    assert flagged[:half].all()
    assert flagged[half:].mean() < 0.1
    (message,) = caplog.messages
    assert message.startswith("a new value of firmware stands in most records now; it is not")


def test_what_is_flagged_after_an_upgrade_is_explained_without_it() -> None:
    model = ScoringModel(artifact(), "v1")
    model.score(columns_of(upgraded(400)))
    odd = changed(upgraded(1)[0], "load", 1e12)
    columns = columns_of([odd])
    (anomaly,) = model.explain(columns, model.score(columns), lambda _: values_of(odd))
    assert anomaly.features[0].name == "load"
    assert "firmware" not in {feature.name for feature in anomaly.features}


def test_a_broken_calibration_is_said_once_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = ScoringModel(artifact(), "v1")
    scores = detector().score(columns_of(readings(1000, seed=7)))
    odd = replace(scores, score=scores.score + 2)
    calm = replace(scores, score=scores.score % 1)
    with caplog.at_level(logging.INFO):
        found = [model.delivered(each).broken for each in (scores, odd, odd, calm)]
    assert found == [None, "too many", "too many", None]
    assert [message.partition(": ")[0] for message in caplog.messages] == [
        "the calibration of model v1 no longer holds",
        "the calibration of model v1 holds again",
    ]
