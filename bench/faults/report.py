"""What a run has shown, as a table of the kinds of faults and one last line."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.faults.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.faults.feeder import Fed
    from bench.faults.kinds import Hurts
    from bench.faults.oracle import Place, Verdict
    from bench.faults.stand import Fault

IN_HAND_S = 2.0
"""What was fed shortly before a fault was in the workers' hands when it came."""
COLUMNS = ("runs", "lost", "duplicated", "reordered", "hung", "p50 s", "max s")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault and what followed: seconds until all flowed again, or that it never did."""

    fault: Fault
    recovery_s: float
    hung: bool


@dataclass(frozen=True, slots=True)
class Result:
    """All of a run. `drained`: whether everything had come out in time in the end."""

    mode: str
    outcomes: Sequence[Outcome]
    verdict: Verdict
    fed: Mapping[Place, Fed]
    drained: bool
    exits: Mapping[int, int]

    @property
    def hung(self) -> int:
        """How often nothing went on."""
        return sum(outcome.hung for outcome in self.outcomes) + (not self.drained)

    @property
    def held(self) -> bool:
        """Whether the mode kept its promise."""
        verdict = self.verdict
        once = self.mode != "exactly_once" or not (verdict.duplicated or verdict.reordered)
        return once and not verdict.lost and not self.hung

    def recoveries(self, hurts: Hurts | None = None) -> list[float]:
        """Seconds of each fault that was recovered from."""
        return [
            outcome.recovery_s
            for outcome in self.outcomes
            if not outcome.hung and hurts in {None, KINDS[outcome.fault.kind].hurts}
        ]

    def last_line(self) -> str:
        """The figures of the whole run."""
        verdict = self.verdict
        return (
            f"faults: mode={self.mode} runs={len(self.outcomes)} records={verdict.records}"
            f" lost={len(verdict.lost)} duplicated={len(verdict.duplicated)}"
            f" reordered={len(verdict.reordered)} hung={self.hung}"
            f" worker_recovery_p50_s={_median(self.recoveries('worker'))}"
            f" broker_recovery_p50_s={_median(self.recoveries('broker'))}"
            f" recovery_max_s={_max(self.recoveries())}"
        )

    def table(self) -> list[str]:
        """A line for each kind that was injected."""
        lost, duplicated, reordered = (
            self._by_kind(places)
            for places in (self.verdict.lost, self.verdict.duplicated, self.verdict.reordered)
        )
        lines = [_row("fault", COLUMNS)]
        for kind in KINDS:
            of_kind = [each for each in self.outcomes if each.fault.kind == kind]
            times = [each.recovery_s for each in of_kind if not each.hung]
            counts = (
                len(of_kind),
                *(of.count(kind) for of in (lost, duplicated, reordered)),
                sum(each.hung for each in of_kind),
            )
            if of_kind:
                lines.append(_row(kind, [*map(str, counts), _median(times), _max(times)]))
        return lines

    def _by_kind(self, places: Iterable[Place]) -> list[str]:
        """For each record the kind of the fault in whose time it was fed; "" before the first."""
        began = [outcome.fault.began - IN_HAND_S for outcome in self.outcomes]
        kinds = ["", *(outcome.fault.kind for outcome in self.outcomes)]
        return [
            kinds[bisect_right(began, self.fed[place].at)] for place in places if place in self.fed
        ]


def _median(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.1f}" if times else "nan"


def _max(times: Sequence[float]) -> str:
    return f"{max(times):.1f}" if times else "nan"


def _row(name: str, cells: Iterable[str]) -> str:
    return f"{name:24}" + "".join(f"{cell:>12}" for cell in cells)
