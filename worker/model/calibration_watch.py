"""Notices that a calibration no longer holds: too many or too few records reach score 2.

1 % of normal records should. Records are looked at in blocks, a block counts once, however many of
its records are odd: so a wave of anomalies is not mistaken for a drift, which is seen everywhere.
Knows nothing of where scores come from or who is told.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCORE: Final = 2.0
EXPECTED_SHARE: Final = 10**-SCORE

BLOCK_RECORDS: Final = 20
WINDOW_BLOCKS: Final = 50
"""The ratio that is told is that of the last 1,000 records."""

TOO_MANY: Final = 0.04
TOO_FEW: Final = 0.0025
"""Shares above SCORE that are told apart from EXPECTED_SHARE. What lies between is not called
broken: a small calibration is not more exact than that."""

FALSE_ALARM_RECORDS: Final = 10_000_000
"""While the calibration holds, a false alarm comes at most once in so many records, on average;
solved numerically, once in 70 million."""

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


class CalibrationWatch:
    """Follows the scores of one model: two sequential tests, and one more for the way back.

    A share of 6 % and more is noticed within 1,000 records (430 on average at 6 %, 240 when all
    reach it), none at all within 1,740; and the end of it with the same certainty.
    """

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.state = CalibrationState()
        self._rest = np.empty(0, dtype=bool)
        self._recent: deque[int] = deque(maxlen=WINDOW_BLOCKS)
        self._many = _Evidence(TOO_MANY)
        self._few = _Evidence(TOO_FEW)

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
        return sum(self._recent) / (records * EXPECTED_SHARE)

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
    """Page's cumulative sum for a share against the expected one, over blocks hit or not."""

    def __init__(self, share: float) -> None:
        other, expected = _hit(share), _hit(EXPECTED_SHARE)
        self._if_hit = math.log(other / expected)
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
