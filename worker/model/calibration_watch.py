"""Notices that a calibration no longer holds: too many or too few records reach score 2.

How many of the normal ones should is 1 % at most, and known only as well as so many calibration
rows tell. Records are looked at in blocks, a block counts once, however many of its records are
odd: so a wave of anomalies is not mistaken for a drift, which is seen everywhere.
Knows nothing of where scores come from or who is told.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from worker.model.calibration import SCORE_WATCHED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.calibration import Calibration

SCORE: Final = SCORE_WATCHED

BLOCK_RECORDS: Final = 20
WINDOW_BLOCKS: Final = 50
"""The ratio that is told is that of the last 1,000 records."""

DEVIATIONS: Final = 3.0
"""Of the number of calibration rows that reach SCORE, to either side: what it may be by chance."""
TOO_MANY: Final = 0.04
TOO_MANY_TIMES: Final = 2.5
TOO_FEW: Final = 0.0025
TOO_FEW_TIMES: Final = 0.25
"""Shares above SCORE that are told apart from the expected ones, or so many times the most and the
least that is expected, where that is further off."""

HIGH_MAX: Final = 0.2
"""The most that is taken to be expected, however few the calibration rows."""

FALSE_ALARM_RECORDS: Final = 10_000_000
"""While the share is an expected one, a false alarm comes at most once in so many records, on
average."""

_CERTAIN: Final = math.log(FALSE_ALARM_RECORDS / BLOCK_RECORDS)
"""A cumulative sum of log likelihood ratios passes log(n) at most once in n blocks by chance."""


@dataclass(frozen=True, slots=True)
class CalibrationState:
    """What is known of a calibration.

    ratio: observed over expected share above score 2 among the last records, None before any
    block is full; broken: None while the calibration holds.
    """

    ratio: float | None = None
    broken: Literal["too many", "too few"] | None = None


@dataclass(frozen=True, slots=True)
class ExpectedShare:
    """The share of normal records that reach SCORE: likeliest, and what else it may well be.

    low is 0 where the calibration rows do not show that any should.
    """

    low: float
    likely: float
    high: float

    @classmethod
    def by(cls, calibration: Calibration) -> ExpectedShare:
        """What the calibration rows tell.

        How many of them reach SCORE varies by chance, the root of their number by a half or so
        whatever it is. Where they do not show so rare a score, it is extrapolated: low is 0.
        """
        curve, usual = calibration.score, 10**-SCORE
        reached = calibration.reached if curve.supported > SCORE else 0.0
        apart = DEVIATIONS / 2
        low = max(math.sqrt(reached * curve.rows) - apart, 0) ** 2 / curve.rows
        high = (math.sqrt(max(reached, usual) * curve.rows) + apart) ** 2 / curve.rows
        return cls(low, reached or usual, min(high, HIGH_MAX))


class CalibrationWatch:
    """Follows the scores of one model: two sequential tests, and one more for the way back.

    From 2,000 calibration rows on, a share of 8 % and more is noticed within 1,000 records; with
    fewer, or at a smaller share, later. That none reaches SCORE takes some thousand, and cannot be
    noticed where no share as small as that is ruled out by the calibration rows. The end of it is
    noticed with the same certainty.
    """

    def __init__(self, calibration: Calibration) -> None:
        """Nothing was seen yet of scores that are calibrated so."""
        self.state = CalibrationState()
        expected = ExpectedShare.by(calibration)
        self._likely = expected.likely
        self._rest = np.empty(0, dtype=bool)
        self._recent: deque[int] = deque(maxlen=WINDOW_BLOCKS)
        self._many = _Evidence(max(TOO_MANY, TOO_MANY_TIMES * expected.high), expected.high)
        self._few = _Evidence(min(TOO_FEW, TOO_FEW_TIMES * expected.low), expected.low)

    def saw(self, scores: NDArray[np.float64]) -> CalibrationState:
        """Scores in the order of their records, however they are cut into batches."""
        reached = np.concatenate([self._rest, scores >= SCORE])
        full = len(reached) // BLOCK_RECORDS * BLOCK_RECORDS
        self._rest = reached[full:]
        counts = reached[:full].reshape(-1, BLOCK_RECORDS).sum(axis=1)
        broken = self.state.broken
        for count in counts.tolist():
            broken = self._next(broken, is_hit=count > 0)
        self._recent.extend(counts[-WINDOW_BLOCKS:].tolist())
        self.state = CalibrationState(self._ratio(), broken)
        return self.state

    def _ratio(self) -> float | None:
        if not self._recent:
            return None
        records = len(self._recent) * BLOCK_RECORDS
        return sum(self._recent) / (records * self._likely)

    def _next(
        self, broken: Literal["too many", "too few"] | None, *, is_hit: bool
    ) -> Literal["too many", "too few"] | None:
        """What is said after one more block."""
        if broken is not None:
            test = self._many if broken == "too many" else self._few
            return None if test.against(is_hit=is_hit) else broken
        if self._many.favours(is_hit=is_hit):
            return self._decided("too many")
        if self._few.favours(is_hit=is_hit):
            return self._decided("too few")
        return None

    def _decided(self, broken: Literal["too many", "too few"]) -> Literal["too many", "too few"]:
        self._many.reset()
        self._few.reset()
        return broken


class _Evidence:
    """Page's cumulative sum for a share against the expected one, over blocks hit or not.

    Never certain of either where the expected share is 0.
    """

    def __init__(self, share: float, expected_share: float) -> None:
        other, expected = _hit(share), _hit(expected_share)
        self._if_hit = math.log(other / expected) if expected else 0.0
        self._if_not = math.log((1 - other) / (1 - expected))
        self._sum = 0.0

    def reset(self) -> None:
        """Begin anew."""
        self._sum = 0.0

    def favours(self, *, is_hit: bool) -> bool:
        """Whether it is certain by now that the share is the other one."""
        return self._add(self._if_hit if is_hit else self._if_not)

    def against(self, *, is_hit: bool) -> bool:
        """Whether it is certain by now that the share is the expected one."""
        return self._add(-(self._if_hit if is_hit else self._if_not))

    def _add(self, amount: float) -> bool:
        self._sum = max(0.0, self._sum + amount)
        is_certain = self._sum >= _CERTAIN
        if is_certain:
            self._sum = 0.0
        return is_certain


def _hit(share: float) -> float:
    """How likely one record of a block or more reaches SCORE."""
    return float(1 - (1 - share) ** BLOCK_RECORDS)
