"""Every method behind one call, and where each of them would raise an alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from bench.quality import own
from bench.quality.peers import PEERS, peer_process
from bench.quality.problems import numbers
from training.dataset import split_by_blocks

if TYPE_CHECKING:
    from bench.quality.problems import Problem
    from bench.quality.scored import Scored
    from bench.quality.sources import Floats

METHODS: Final = (*own.OWN, *PEERS)
ALERT_RATES: Final = (0.05, 0.01, 0.001)
"""The share of normal rows that any method may flag, as far as its training rows can tell."""
ALERT_RATE: Final = 0.01
"""The one of them that headlines are at."""


class Alarmed(NamedTuple):
    """Scores of judged rows, and the threshold for each of ALERT_RATES."""

    score: Floats
    thresholds: Floats


def score(method: str, problem: Problem, seed: int) -> Scored:
    """Learn all training rows and score the others."""
    if method in PEERS:
        train, test = problem.train.standardised, problem.test.standardised
        return peer_process().score(method, train, test, seed)
    return own.score(method, problem, seed)


def alarmed(method: str, problem: Problem, scored: Scored, seed: int) -> Alarmed:
    """Thresholds from calibration rows, which the method did not learn, and from nothing else.

    Ours has calibrated itself; a peer learns again from the blocks that ours learned from.
    """
    if method not in PEERS:
        return Alarmed(scored.score, -np.log10(ALERT_RATES))
    rows = problem.train.standardised
    split = split_by_blocks(numbers(rows), len(rows))
    learned = np.concatenate([split.fit.numbers, split.hold_out.numbers])
    judged = np.concatenate([split.calibrate.numbers, problem.test.standardised])
    found = peer_process().score(method, learned, judged, seed).score
    count = len(split.calibrate)
    thresholds = np.quantile(found[:count], 1 - np.array(ALERT_RATES))
    return Alarmed(found[count:], thresholds)
