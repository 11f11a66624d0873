"""What learning 50,000 rows of 40 numbers and scoring rows of 20 costs, each in a fresh process.

Seconds are CPU seconds of one thread; memory is what the process grew by at its peak.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from bench.quality import methods
from bench.quality.cells import Key
from bench.quality.peer_worker import memory_held, memory_peak
from bench.quality.peers import PEERS, ROOT, PeerProcess
from bench.quality.problems import table_problem
from bench.quality.regimes import scale_of

if TYPE_CHECKING:
    from bench.quality.cells import Cell, Cells
    from bench.quality.problems import Problem
    from bench.quality.scored import Scored

PART: Final = "cost"
LEARNED: Final = (50_000, 40)
SCORED: Final = (20_000, 20)
"""Rows learned and columns of the table whose rows are then scored."""
JUDGED: Final = 50_000
_RUNS: Final = 5


class Task(NamedTuple):
    """Both measurements, of these methods."""

    methods: tuple[str, ...]

    def key(self, method: str) -> Key:
        """Of the method's cell."""
        return Key(PART, PART, "made", 0, "all", method)

    def only(self, methods: tuple[str, ...]) -> Task:
        """The same for these methods."""
        return Task(methods)

    def compute(self, cells: Cells) -> None:
        """Fill in the cells of the methods."""
        for method in self.methods:
            cells.put(self.key(method), _peer(method) if method in PEERS else _ours(method))


def made(rows: int, columns: int, judged: int) -> Problem:
    """Numbers that hang together by five causes."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(5, columns))
    table = np.tanh(rng.normal(size=(rows + judged, 5)) @ causes) * 40 + 60
    table += rng.normal(size=table.shape)
    train, test = table[:rows], table[rows:]
    centre, spread = scale_of(train)
    peers = ((train - centre) / spread, (test - centre) / spread)
    return table_problem(train, test, peers)


def measure(method: str) -> Cell:
    """Of one of our own, in this process."""
    problem = made(*LEARNED, judged=1000)
    before = memory_held()
    learned = methods.score(method, problem, 0)
    grown = memory_peak() - before
    problem = made(*SCORED, judged=JUDGED)
    scored = [methods.score(method, problem, 0).rows_per_second for _ in range(_RUNS)]
    return {
        "fit_seconds": learned.fit_seconds,
        "rows_per_second": float(np.median(scored)),
        "memory_mb": grown,
    }


def _ours(method: str) -> Cell:
    command = [sys.executable, "-m", "bench.quality.cost", method]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    cell: Cell = json.loads(found.stdout)
    return cell


def _peer(method: str) -> Cell:
    learned = _fresh(method, made(*LEARNED, judged=1000))
    scored = _fresh(method, made(*SCORED, judged=JUDGED))
    return {
        "fit_seconds": learned.fit_seconds,
        "rows_per_second": scored.rows_per_second,
        "memory_mb": learned.memory_mb,
    }


def _fresh(method: str, problem: Problem) -> Scored:
    with PeerProcess() as process:
        return process.score(method, problem.train.standardised, problem.test.standardised, 0)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
