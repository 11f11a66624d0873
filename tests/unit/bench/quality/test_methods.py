"""Ours and the peers behind one call."""

from __future__ import annotations

import numpy as np
import pytest

from bench.quality import kdd, methods, own
from bench.quality.peers import PYTHON, PeerFailed, PeerProcess
from bench.quality.problems import table_problem

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(300, 3))
TEST = np.vstack([RNG.normal(size=(20, 3)), [[30.0, -30.0, 30.0]]])
PROBLEM = table_problem(TRAIN, TEST, (TRAIN, TEST))

needs_peers = pytest.mark.skipif(not PYTHON.exists(), reason="make setup-peers makes them")


class TestOurs:
    scored = methods.score("ours", PROBLEM, seed=0)

    def test_the_absurd_row_is_the_oddest(self) -> None:
        assert int(self.scored.score.argmax()) == len(TEST) - 1

    def test_thresholds_are_those_of_its_own_calibration(self) -> None:
        alarmed = methods.alarmed("ours", PROBLEM, self.scored, seed=0)
        assert alarmed.thresholds == pytest.approx([1.30103, 2, 3])

    def test_its_cost_is_told(self) -> None:
        assert all(value > 0 for value in self.scored.cost().values())

    def test_the_stamp_is_the_same_for_the_same_code(self) -> None:
        assert own.stamp() == own.stamp()


class TestConnections:
    """A row of KDD Cup 99 has 41 values, seven of them symbolic."""

    @staticmethod
    def row(protocol: str, number: str = "0") -> list[str]:
        return [number, protocol, *(["x"] * 2), *([number] * 2), "0", *([number] * 4), "1"] + [
            "0" if i in {20, 21} else number for i in range(12, 41)
        ]

    def test_symbols_are_categories_for_us_and_columns_for_peers(self) -> None:
        train = [self.row("tcp"), self.row("udp", "2")]
        problem = kdd.problem_of(train, [self.row("icmp")])
        assert problem.train.columns.numbers.shape == (2, 34)
        assert problem.train.columns.codes[:, 0].tolist() == [0, 1]
        assert problem.test.columns.codes[0, 0] > 1
        assert problem.train.standardised.shape == (2, 34 + 2 + 6)


@needs_peers
class TestPeers:
    def test_a_peer_scores_in_its_own_process(self) -> None:
        with PeerProcess() as process:
            assert "pyod" in process.versions
            scored = process.score("knn", TRAIN, TEST, seed=0)
        assert int(scored.score.argmax()) == len(TEST) - 1

    def test_what_a_peer_raises_is_told(self) -> None:
        with PeerProcess() as process, pytest.raises(PeerFailed, match="knn: ValueError"):
            process.score("knn", TRAIN[:2], TEST, seed=0)
