"""Laws of values that are rare among normal records: they count, and cause no flood."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.fit import FitSettings, fit_detector
from training.networks import NetworkSettings
from worker.model.explain import explain
from worker.model.schema import Columns, Feature, FeatureSchema, Watched

if TYPE_CHECKING:
    from worker.model.detector import Detector

RATE = 1e-2
FLAGS = 10
FLAG_SHARE = 0.01
HOSTS = ("a", "b", "c")
UNSEEN_SHARE = 0.025
ROWS = 4000

SCHEMA = FeatureSchema(
    features=(
        Feature(path="x", kind="number"),
        Feature(path="y", kind="number"),
        Feature(path="host", kind="category", categories=HOSTS),
        Feature(path="unit", kind="category", categories=HOSTS),
    ),
    watched=(
        Watched(path="version", value=1),
        *(Watched(path=f"flag{i}", value=False, other_share=FLAG_SHARE) for i in range(FLAGS)),
    ),
)


def rows(count: int, seed: int) -> Columns:
    """Ten flags, each up in 1 %, and hosts of which 2.5 % are seen once; no other unit."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, len(HOSTS), (count, 2))
    is_new = rng.random(count) < UNSEEN_SHARE
    codes[is_new, 0] = len(HOSTS) + rng.integers(0, 1 << 30, count)[is_new]
    watched = np.zeros((count, 1 + FLAGS), dtype=np.int64)
    watched[:, 1:] = rng.random((count, FLAGS)) < FLAG_SHARE
    return Columns(rng.normal(size=(count, 2)), codes, watched)


def usual(count: int, seed: int) -> Columns:
    """The same without anything rare."""
    columns = rows(count, seed)
    codes = np.where(columns.codes < len(HOSTS), columns.codes, 0)
    return Columns(columns.numbers, codes, np.zeros_like(columns.watched))


@cache
def detector() -> Detector:
    settings = FitSettings(alert_rate=RATE, network=NetworkSettings(hidden=32, steps=100))
    return fit_detector(rows(ROWS, seed=1), rows(ROWS, seed=2), SCHEMA, settings)


def test_as_many_are_flagged_as_was_asked_for() -> None:
    assert detector().score(rows(20_000, seed=3)).flagged.mean() == pytest.approx(RATE, rel=0.5)


@pytest.mark.parametrize("score", [1.0, 2.0])
def test_a_score_is_a_tail_probability(score: float) -> None:
    found = (detector().score(rows(20_000, seed=3)).score >= score).mean()
    assert found == pytest.approx(10**-score, rel=0.5)


def test_a_rare_value_and_an_unseen_one_raise_the_score() -> None:
    columns = usual(200, seed=4)
    before = detector().score(columns).score
    columns.watched[:, 1] = 1
    with_flag = detector().score(columns).score
    assert (with_flag > before).all()
    columns.codes[:, 0] = len(HOSTS) + 5
    assert (detector().score(columns).score > with_flag).all()


def test_a_category_where_no_unseen_one_was_seen_is_an_alarm_by_itself() -> None:
    columns = usual(200, seed=4)
    columns.codes[:, 1] = len(HOSTS) + 5
    scores = detector().score(columns)
    assert (scores.score > detector().calibration.threshold + 1).all()
    assert {scores.kind(row) for row in range(200)} == {"watched"}


def test_a_changed_constant_is_an_alarm_by_itself() -> None:
    columns = usual(200, seed=4)
    columns.watched[:, 0] = 7
    scores = detector().score(columns)
    assert (scores.score > detector().calibration.threshold + 1).all()
    assert (explain(detector(), columns).contributions.argmax(axis=1) == 4).all()


def test_where_unseen_categories_are_usual_one_is_no_alarm_by_itself() -> None:
    columns = usual(200, seed=4)
    columns.codes[:, 0] = len(HOSTS) + 5
    assert detector().score(columns).flagged.mean() < 0.5
    shares = detector().unseen_shares
    assert shares == pytest.approx([*[0] * (len(shares) - 2), UNSEEN_SHARE, 0], abs=0.01)


def test_rare_values_that_make_the_alarm_are_named_first() -> None:
    columns = usual(200, seed=4)
    columns.watched[:, [2, 5, 7]] = 1
    scores = detector().score(columns)
    assert scores.flagged.all()
    contributions = explain(detector(), columns).contributions
    np.testing.assert_allclose(contributions.sum(axis=1), 1)
    is_watched = np.array([scores.kind(row) == "watched" for row in range(200)])
    assert is_watched.mean() > 0.9
    assert np.isin(contributions[is_watched].argmax(axis=1), [6, 9, 11]).mean() > 0.9
