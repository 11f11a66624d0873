"""Telemetry in order of time: SKAB by its published split, SMD, ASD and SMAP row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from bench.quality import methods, sources
from bench.quality.cells import Key
from bench.quality.metrics import auroc, average_precision, best_f1, events_found
from bench.quality.problems import table_problem
from bench.quality.regimes import scale_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.quality.cells import Cell, Cells
    from bench.quality.methods import Alarmed
    from bench.quality.problems import Problem
    from bench.quality.sources import Floats, Labels, Stretches

FAMILIES: Final = ("skab", "smd", "asd", "smap")
ROWS_A_DAY: Final = {"smd": 1440, "asd": 288, "smap": 1440}
"""SMAP does not tell its interval; a row is counted as a minute."""
FALSE_ALARMS_A_DAY: Final = 1.0
Z_MAX: Final = 20.0
"""Peers see z-scores clipped here: a metric that stood still in training may be anywhere later."""


class Task(NamedTuple):
    """One entity, and the methods that are to be tried on it."""

    family: str
    stretches: Stretches
    seed: int
    rows_max: int
    methods: tuple[str, ...]

    def key(self, method: str) -> Key:
        """Of the method's cell."""
        rows = "all" if len(self.stretches.train) <= self.rows_max else str(self.rows_max)
        return Key(self.family, self.stretches.name, "own", self.seed, rows, method)

    def only(self, methods: tuple[str, ...]) -> Task:
        """The same entity for these methods."""
        return self._replace(methods=methods)

    def compute(self, cells: Cells) -> None:
        """Fill in the cells of the methods."""
        problem = _problem(self.stretches, self.rows_max)
        for method in self.methods:
            cells.put(self.key(method), _cell(self, problem, method))


def tasks(
    data: Path, families: tuple[str, ...], seed: int, rows_max: int, tried: tuple[str, ...]
) -> Iterator[Task]:
    """All entities of the families."""
    for family in families:
        found = sources.skab(data) if family == "skab" else sources.servers(data, family)
        for stretches in found:
            yield Task(family, stretches, seed, rows_max, tried)


def _problem(stretches: Stretches, rows_max: int) -> Problem:
    train = stretches.train
    if len(train) > rows_max:
        train = train[np.linspace(0, len(train) - 1, rows_max).astype(np.intp)]
    centre, spread = scale_of(train)

    def standardised(rows: Floats) -> Floats:
        return np.clip((rows - centre) / spread, -Z_MAX, Z_MAX)

    peers = (standardised(train), standardised(stretches.test))
    return table_problem(train, stretches.test, peers, in_time=True)


def _cell(task: Task, problem: Problem, method: str) -> Cell:
    label = task.stretches.label
    scored = methods.score(method, problem, task.seed)
    cell = scored.cost() | {
        "auroc": auroc(label, scored.score),
        "auprc": average_precision(label, scored.score),
        "best_f1": best_f1(label, scored.score),
    }
    if task.family == "skab":
        return cell | _alarms(label, methods.alarmed(method, problem, scored, task.seed))
    days = len(label) / ROWS_A_DAY[task.family]
    found = events_found(label, scored.score, FALSE_ALARMS_A_DAY * days)
    return cell | {"events": found.events, "found": found.found, "delay": found.delay}


def _alarms(label: Labels, alarmed: Alarmed) -> Cell:
    """Counts of rows, so that files can be pooled; those flagged for each alert rate."""
    counts = {"positive": float(label.sum()), "rows": float(len(label))}
    for rate, threshold in zip(methods.ALERT_RATES, alarmed.thresholds, strict=True):
        flagged = alarmed.score >= threshold
        counts[f"hits_{rate:g}"] = float((flagged & (label == 1)).sum())
        counts[f"false_{rate:g}"] = float((flagged & (label == 0)).sum())
    return counts
