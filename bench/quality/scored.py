"""What a method gives back for a split, whoever it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.quality.cells import Cell
    from bench.quality.sources import Floats


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of the judged rows, higher is odder; CPU seconds of one thread behind the rates.

    memory_mb: what a peer's process had grown by, meaningful when it was fresh.
    """

    score: Floats
    fit_seconds: float
    rows_per_second: float
    memory_mb: float = math.nan

    def cost(self) -> Cell:
        """The part of a cell that tells what it took."""
        return {"fit_seconds": self.fit_seconds, "rows_per_second": self.rows_per_second}
