"""Limits on what a loop puts out: dead letters among the last records, anomaly events a second.

Plain arithmetic; knows nothing of topics or of how things are published.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.records import Anomaly

log = logging.getLogger(__name__)

BURST_S: Final = 10
"""So many seconds' worth of events may come at once before the rate holds."""


class DeadLetterGuard:
    """Counts dead letters among the last records, so that a bad deployment drains no topic."""

    def __init__(self, share_max: float, window: int) -> None:
        """At most `share_max` of the last `window` records, or of a larger batch, may be bad."""
        self._share_max = share_max
        self._window = window
        self._batches: deque[tuple[int, int]] = deque()

    def allows(self, records: int, rejected: int) -> bool:
        """Whether a batch may be delivered."""
        if not rejected:
            return True
        before, seen = 0, records
        for size, bad in reversed(self._batches):
            if seen >= self._window:
                break
            before, seen = before + bad, seen + size
        return before + rejected <= self._share_max * max(self._window, seen)

    def count(self, records: int, rejected: int) -> None:
        """A batch was delivered."""
        if not records:
            return
        self._batches.append((records, rejected))
        total = sum(size for size, _ in self._batches)
        while total - self._batches[0][0] >= self._window:
            total -= self._batches.popleft()[0]


@dataclass(frozen=True, slots=True)
class Told:
    """How the anomalies of a batch are to be told: each by itself, or summed up in one event."""

    singly: Sequence[Anomaly]
    summed_up: Sequence[Anomaly]


class FloodLimit:
    """Holds anomaly events to a rate: what is beyond is summed up, so nothing is left unsaid.

    The oddest of a batch are told singly. The first `BURST_S` seconds' worth is always free.
    """

    def __init__(self, events_per_s: float, now_s: float) -> None:
        """`now_s` here and below is a monotonic time."""
        self._rate = events_per_s
        self._left = events_per_s * BURST_S
        self._at = now_s
        self._summed_up = 0

    def split(self, anomalies: Sequence[Anomaly], now_s: float) -> Told:
        """Divide a batch's anomalies, each part in their order; changes nothing.

        A single one beyond the rate is told as it is: its summary would be an event as well.
        """
        free = int(self._refilled(now_s))
        if len(anomalies) <= free + 1:
            return Told(anomalies, ())
        ranked = sorted(range(len(anomalies)), key=lambda i: -anomalies[i].score)
        singly = set(ranked[:free])
        return Told(
            [anomaly for i, anomaly in enumerate(anomalies) if i in singly],
            [anomaly for i, anomaly in enumerate(anomalies) if i not in singly],
        )

    def count(self, told: Told, now_s: float) -> None:
        """A batch was delivered; says when a flood begins and when it is over."""
        self._left = max(0.0, self._refilled(now_s) - len(told.singly))
        self._at = now_s
        if told.summed_up:
            if not self._summed_up:
                log.warning(
                    "a flood: more than %g anomalies a second; those beyond are summed up",
                    self._rate,
                )
            self._summed_up += len(told.summed_up)
        elif self._summed_up and told.singly:
            log.warning("the flood is over: %d anomalies were summed up", self._summed_up)
            self._summed_up = 0

    def _refilled(self, now_s: float) -> float:
        return min(self._rate * BURST_S, self._left + self._rate * (now_s - self._at))
