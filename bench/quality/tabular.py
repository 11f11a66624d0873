"""ADBench: every set under every regime and seed, a cell a method."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.quality import methods, sources
from bench.quality.cells import Key
from bench.quality.metrics import auroc, average_precision
from bench.quality.problems import table_problem
from bench.quality.regimes import SHARES, split_of

if TYPE_CHECKING:
    from pathlib import Path

    from bench.quality.cells import Cells
    from bench.quality.regimes import Caps

PART = "adbench"


class Task(NamedTuple):
    """One split, and the methods that are to be tried on it."""

    path: Path
    name: str
    regime: str
    seed: int
    caps: Caps
    methods: tuple[str, ...]

    def key(self, method: str) -> Key:
        """Of the method's cell."""
        rows = capped_rows(self.path, self.regime, self.caps.train)
        return Key(PART, self.name, self.regime, self.seed, rows, method)

    def only(self, methods: tuple[str, ...]) -> Task:
        """The same split for these methods."""
        return self._replace(methods=methods)

    def compute(self, cells: Cells) -> None:
        """Fill in the cells of the methods."""
        table = sources.adbench(self.path, self.seed)
        split = split_of(table, self.regime, self.seed, self.caps)
        problem = table_problem(split.train, split.test, split.standardised())
        for method in self.methods:
            scored = methods.score(method, problem, self.seed)
            cell = {
                "auroc": auroc(split.label, scored.score),
                "auprc": average_precision(split.label, scored.score),
            }
            cells.put(self.key(method), cell | scored.cost())


@cache
def capped_rows(path: Path, regime: str, rows_max: int) -> str:
    """The cap on training rows where the set has more, else "all"."""
    with np.load(path) as archive:
        label = archive["y"].ravel()
    share = min(1.0, sources.ROWS_MAX / len(label))
    available = share * (len(label) if regime == "contaminated" else (label == 0).sum() / 2)
    return str(rows_max) if available / (1 - SHARES.get(regime, 0)) > rows_max else "all"
