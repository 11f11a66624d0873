"""Limits: dead letters among the last records, and floods of anomalies."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from worker.limits import BURST_S, DeadLetterGuard, FloodLimit, Told
from worker.records import Anomaly

if TYPE_CHECKING:
    import pytest


class TestGuard:
    def test_a_few_dead_letters_pass(self) -> None:
        guard = DeadLetterGuard(0.1, 100)
        assert guard.allows(50, 10)
        assert not guard.allows(50, 11)

    def test_those_before_count_within_the_window(self) -> None:
        guard = DeadLetterGuard(0.1, 100)
        guard.count(50, 6)
        assert guard.allows(50, 4)
        assert not guard.allows(50, 5)

    def test_those_beyond_it_do_not(self) -> None:
        guard = DeadLetterGuard(0.1, 100)
        guard.count(50, 10)
        guard.count(100, 0)
        assert guard.allows(50, 10)

    def test_a_batch_without_any_always_passes(self) -> None:
        guard = DeadLetterGuard(0, 100)
        assert guard.allows(50, 0)
        assert not guard.allows(50, 1)

    def test_a_batch_larger_than_the_window_is_judged_by_its_own_size(self) -> None:
        guard = DeadLetterGuard(0.1, 100)
        assert guard.allows(2000, 200)
        assert not guard.allows(2000, 201)

    def test_a_share_of_one_lets_everything_through(self) -> None:
        guard = DeadLetterGuard(1, 10)
        for size in (1, 5, 100, 3):
            assert guard.allows(size, size)
            guard.count(size, size)

    def test_what_it_remembers_is_bounded(self) -> None:
        guard = DeadLetterGuard(0.1, 100)
        for _ in range(1000):
            guard.count(10, 1)
            guard.count(0, 0)
        assert len(guard._batches) <= 11

    @given(
        st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), max_size=40),
        st.integers(1, 100),
    )
    def test_it_agrees_with_counting_by_hand(
        self, batches: list[tuple[int, int]], window: int
    ) -> None:
        guard = DeadLetterGuard(0.25, window)
        history: list[tuple[int, int]] = []
        for size, bad in ((size, min(bad, size)) for size, bad in batches):
            recent: list[tuple[int, int]] = [(size, bad)]
            for earlier in reversed(history):
                if sum(s for s, _ in recent) >= window:
                    break
                recent.append(earlier)
            total = max(window, sum(s for s, _ in recent))
            expected = bad == 0 or sum(b for _, b in recent) <= 0.25 * total
            assert guard.allows(size, bad) == expected
            guard.count(size, bad)
            history.append((size, bad))


def anomalies(*scores: float) -> list[Anomaly]:
    return [Anomaly(row, score, "novel", 0.0, 0.0, ()) for row, score in enumerate(scores)]


def rows(told: Told) -> tuple[list[int], list[int]]:
    return [each.row for each in told.singly], [each.row for each in told.summed_up]


class TestFlood:
    def test_a_few_are_told_singly(self) -> None:
        flood = FloodLimit(1, 0.0)
        assert rows(flood.split(anomalies(*[5.0] * BURST_S), 0.0)) == (list(range(BURST_S)), [])

    def test_beyond_the_burst_the_oddest_are_told_singly_in_their_order(self) -> None:
        flood = FloodLimit(1, 0.0)
        flood.count(flood.split(anomalies(*[5.0] * 8), 0.0), 0.0)
        assert rows(flood.split(anomalies(3, 9, 4, 5, 8), 0.0)) == ([1, 4], [0, 2, 3])

    def test_one_alone_is_never_summed_up(self) -> None:
        flood = FloodLimit(1, 0.0)
        flood.count(Told(anomalies(*[5.0] * BURST_S), ()), 0.0)
        assert rows(flood.split(anomalies(4), 0.0)) == ([0], [])
        assert rows(flood.split(anomalies(4, 5), 0.0)) == ([], [0, 1])

    def test_the_rate_gives_room_again_up_to_the_burst(self) -> None:
        flood = FloodLimit(2, 0.0)
        flood.count(Told(anomalies(*[5.0] * 2 * BURST_S), ()), 0.0)
        assert rows(flood.split(anomalies(1, 2, 3, 4, 5), 1.0)) == ([3, 4], [0, 1, 2])
        assert rows(flood.split(anomalies(*[1.0] * 22), 1e6))[0] == list(range(20))

    def test_what_was_not_delivered_does_not_count(self) -> None:
        flood = FloodLimit(1, 0.0)
        for _ in range(3):
            assert rows(flood.split(anomalies(*[5.0] * BURST_S), 0.0))[1] == []

    def test_begin_and_end_are_said_once(self, caplog: pytest.LogCaptureFixture) -> None:
        flood = FloodLimit(1, 0.0)
        with caplog.at_level(logging.WARNING):
            for at in range(3):
                flood.count(flood.split(anomalies(*[5.0] * 20), float(at)), float(at))
            flood.count(Told((), ()), 3.0)
            flood.count(flood.split(anomalies(5), 60.0), 60.0)
        assert [record.getMessage() for record in caplog.records] == [
            "a flood: more than 1 anomalies a second; those beyond are summed up",
            "the flood is over: 48 anomalies were summed up",
        ]

    @given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 30)), max_size=30), st.integers(1, 9))
    def test_all_are_told_and_singly_no_more_than_the_rate(
        self, batches: list[tuple[float, int]], rate: int
    ) -> None:
        flood, now, singly = FloodLimit(rate, 0.0), 0.0, 0
        for pause, count in batches:
            now += pause
            found = anomalies(*[float(i) for i in range(count)])
            told = flood.split(found, now)
            assert sorted([*rows(told)[0], *rows(told)[1]]) == list(range(count))
            assert len(told.summed_up) != 1
            flood.count(told, now)
            singly += len(told.singly)
        assert singly <= rate * (BURST_S + now) + len(batches)
