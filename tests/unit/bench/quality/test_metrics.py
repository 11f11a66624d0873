"""Measures against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.quality.metrics import (
    auroc,
    average_precision,
    best_f1,
    events_found,
    f1_at_count,
    false_alarms,
    mean_ranks_of,
    runs,
)

# In order of score: an anomaly, a normal row, an anomaly, two normal rows.
LABEL = np.array([0, 1, 0, 1, 0])
SCORE = np.array([0.1, 0.9, 0.8, 0.7, 0.2])


class TestRanking:
    def test_auroc_is_the_share_of_pairs_in_order(self) -> None:
        assert auroc(LABEL, SCORE) == pytest.approx(5 / 6)

    def test_equal_scores_are_half_a_pair(self) -> None:
        assert auroc(LABEL, np.ones(5)) == pytest.approx(0.5)

    def test_auroc_does_not_mind_a_monotonous_change(self) -> None:
        assert auroc(LABEL, np.exp(10 * SCORE)) == pytest.approx(auroc(LABEL, SCORE))

    def test_average_precision_adds_precision_where_an_anomaly_is_found(self) -> None:
        assert average_precision(LABEL, SCORE) == pytest.approx((1 + 2 / 3) / 2)

    def test_average_precision_of_equal_scores_is_the_share_of_anomalies(self) -> None:
        assert average_precision(LABEL, np.ones(5)) == pytest.approx(2 / 5)

    def test_best_f1_is_at_the_best_threshold(self) -> None:
        assert best_f1(LABEL, SCORE) == pytest.approx(2 * 2 / (3 + 2))

    def test_f1_at_count_flags_as_many_as_there_are(self) -> None:
        assert f1_at_count(LABEL, SCORE) == pytest.approx(1 / 2)

    def test_ranks_count_from_the_highest_and_share_ties(self) -> None:
        table = np.array([[0.9, 0.5, 0.5], [0.1, 0.2, 0.3]])
        assert mean_ranks_of(table).tolist() == [2.0, 2.25, 1.75]


class TestEvents:
    # Two events, rows 2-4 and 8-9.
    label = np.array([0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0])

    def test_runs_start_and_end(self) -> None:
        starts, ends = runs(self.label == 1)
        assert (starts.tolist(), ends.tolist()) == ([2, 8], [5, 10])

    def test_a_run_that_touches_an_event_is_no_false_alarm(self) -> None:
        flagged = np.zeros(12, dtype=bool)
        flagged[[0, 1, 4, 5, 7, 11]] = True
        assert false_alarms(self.label, flagged) == 3

    def test_an_event_counts_once_with_the_rows_until_it_is_seen(self) -> None:
        score = np.zeros(12)
        score[[3, 4, 9]] = 5
        assert events_found(self.label, score, 0) == (2, 2, 2)

    def test_what_only_more_false_alarms_would_find_is_not_found(self) -> None:
        score = np.zeros(12)
        score[[3, 0, 8]] = 5, 4, 3
        assert events_found(self.label, score, 0) == (2, 1, 1)
        assert events_found(self.label, score, 1) == (2, 2, 1)
