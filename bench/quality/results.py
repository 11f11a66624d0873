"""Means and ranks over kept cells, and the one last line. Computes nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from bench.quality import cost, tabular
from bench.quality.methods import ALERT_RATE
from bench.quality.metrics import mean_ranks_of
from bench.quality.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.quality.cells import Cell, Cells
    from bench.quality.plan import Task

RANKED: Final = ("ours", *PEERS)


@dataclass(frozen=True)
class Results:
    """Cells by part, name, regime and method; a list over seeds."""

    cells: dict[tuple[str, str, str, str], list[Cell]]

    @classmethod
    def of(cls, tasks: Iterable[Task], cells: Cells) -> Results:
        """All cells of the tasks that are there."""
        found: dict[tuple[str, str, str, str], list[Cell]] = {}
        for task in tasks:
            for method in task.methods:
                key = task.key(method)
                cell = cells.get(key)
                if cell is not None:
                    found.setdefault((key.part, key.name, key.regime, method), []).append(cell)
        return cls(found)

    def mean(self, part: str, name: str, regime: str, method: str, number: str) -> float:
        """Over seeds; NaN where there is none."""
        cells = self.cells.get((part, name, regime, method), [])
        values = [cell[number] for cell in cells if number in cell]
        return float(np.mean(values)) if values else math.nan

    def over_names(self, part: str, regime: str, method: str, number: str) -> list[float]:
        """Its mean for each name of the part, NaN where there is none."""
        return [self.mean(part, name, regime, method, number) for name in self.names(part)]

    def names(self, part: str) -> list[str]:
        """What the part has cells of."""
        return list(dict.fromkeys(key[1] for key in self.cells if key[0] == part))

    def methods(self, part: str, regime: str | None = None) -> list[str]:
        """Which methods have cells in the part."""
        keys = [key for key in self.cells if key[0] == part and regime in {None, key[2]}]
        return list(dict.fromkeys(key[3] for key in keys))


@dataclass(frozen=True)
class Tabular:
    """The ADBench part: percent over the sets that count, and ranks there."""

    results: Results
    large: Sequence[str]

    def mean(self, regime: str, method: str, number: str) -> float:
        """Percent, over the sets with at least 1,000 rows."""
        return _percent(self.values(self.large, regime, method, number))

    def mean_of_all(self, regime: str, method: str, number: str) -> float:
        """Percent, over all sets."""
        names = self.results.names(tabular.PART)
        return _percent(self.values(names, regime, method, number))

    def ranks(self, regime: str, number: str) -> dict[str, float]:
        """Mean rank of ours and the peers; NaN where one has not been tried on every set."""
        columns = [self.values(self.large, regime, method, number) for method in RANKED]
        values = np.array(columns).T
        if not values.size or np.isnan(values).any():
            return dict.fromkeys(RANKED, math.nan)
        return dict(zip(RANKED, map(float, mean_ranks_of(values)), strict=True))

    def values(self, names: Iterable[str], regime: str, method: str, number: str) -> list[float]:
        """Of each set, mean over seeds."""
        return [self.results.mean(tabular.PART, name, regime, method, number) for name in names]


class Pooled(NamedTuple):
    """Alarms over all files of SKAB: F1 as a share, the two rates in percent."""

    f1: float
    false_rate: float
    missed_rate: float


def skab_alarms(results: Results, method: str, rate: float = ALERT_RATE) -> Pooled:
    """Labels of all files pooled, mean over seeds; NaN where a file has not been tried."""
    files = [results.cells.get(("skab", n, "own", method), []) for n in results.names("skab")]
    if not files or not all(files):
        return Pooled(math.nan, math.nan, math.nan)
    numbers = [_pooled(seed, rate) for seed in zip(*files, strict=True)]
    return Pooled(*(float(mean) for mean in np.mean(numbers, axis=0)))


def flag_everything(results: Results) -> Pooled:
    """What flagging every row of SKAB gives."""
    method = results.methods("skab")[0]
    cells = [results.cells["skab", name, "own", method][0] for name in results.names("skab")]
    positive = sum(cell["positive"] for cell in cells)
    return _pool(positive, sum(cell["rows"] for cell in cells) - positive, cells)


def last_line(part: Tabular) -> str:
    """The bench in one line: percent, sets with at least 1,000 rows, clean where not said."""
    ranks = part.ranks("clean", "auroc")
    numbers = {
        "auroc": part.mean("clean", "ours", "auroc"),
        "auprc": part.mean("clean", "ours", "auprc"),
        "knn_auroc": part.mean("clean", "knn", "auroc"),
        "knn_auprc": part.mean("clean", "knn", "auprc"),
        "own_vae_auroc": part.mean("clean", "own_vae", "auroc"),
        "p1_auroc": part.mean("p1", "ours", "auroc"),
        "p1_auprc": part.mean("p1", "ours", "auprc"),
        "p3_auroc": part.mean("p3", "ours", "auroc"),
        "p3_auprc": part.mean("p3", "ours", "auprc"),
        "contaminated_auroc": part.mean("contaminated", "ours", "auroc"),
        "contaminated_auprc": part.mean("contaminated", "ours", "auprc"),
        "iforest_contaminated_auroc": part.mean("contaminated", "iforest", "auroc"),
        "iforest_contaminated_auprc": part.mean("contaminated", "iforest", "auprc"),
        "mcd_contaminated_auroc": part.mean("contaminated", "mcd", "auroc"),
        "skab_f1": 100 * skab_alarms(part.results, "ours").f1,
        "rank": ranks["ours"],
        "best_peer_rank": min(ranks[peer] for peer in PEERS),
    }
    fields = " ".join(f"{name}={number:.2f}" for name, number in numbers.items())
    return f"quality: sets={len(part.large)} {fields}"


def cost_line(results: Results) -> str:
    """What ours costs, in one line."""
    fit, rate, memory = (
        results.mean(cost.PART, cost.PART, "made", "ours", name)
        for name in ("fit_seconds", "rows_per_second", "memory_mb")
    )
    return f"cost: fit_seconds={fit:.1f} rows_per_s={rate:.0f} memory_mb={memory:.0f}"


def _pooled(cells: Sequence[Cell], rate: float) -> Pooled:
    hits = sum(cell[f"hits_{rate:g}"] for cell in cells)
    return _pool(hits, sum(cell[f"false_{rate:g}"] for cell in cells), cells)


def _pool(hits: float, false: float, cells: Sequence[Cell]) -> Pooled:
    positive = sum(cell["positive"] for cell in cells)
    negative = sum(cell["rows"] for cell in cells) - positive
    f1 = 2 * hits / max(hits + false + positive, 1)
    return Pooled(f1, 100 * false / negative, 100 * (1 - hits / positive))


def _percent(values: Sequence[float]) -> float:
    return 100 * float(np.mean(values)) if values else math.nan
