"""Detectors that learned a public data set as `latentwatch train` does, and rows held out.

Knows nothing of what is measured with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.quality import sources
from training.dataset import split_by_blocks
from training.fit import FitSettings, fit_detector
from worker.model.schema import Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.quality.sources import Floats
    from worker.model.detector import Detector

ALERT_RATE: Final = 1e-2


@dataclass(frozen=True)
class Learned:
    """A detector, the rows that it learned, normal rows held out, and a later stretch of them."""

    name: str
    detector: Detector
    fit: Columns
    held_out: Columns
    later: Columns


def tables(data: Path, seed: int = 0) -> Iterator[Learned]:
    """ADBench sets of at least 1,000 rows: a random half of the normal rows trains.

    The other half is held out, and so is what training holds out; rows are exchangeable.
    """
    for name, path in sources.adbench_files(data).items():
        if sources.adbench_size(path) < sources.ROWS_MIN:
            continue
        table = sources.adbench(path, seed)
        normal = np.flatnonzero(table.label == 0)
        rows = table.rows[np.random.default_rng(seed).permutation(normal)]
        half = len(rows) // 2
        yield _learned(name, rows[:half], rows[half:], rows[:0])


def servers(data: Path, family: str) -> Iterator[Learned]:
    """Entities of smd or asd: what training holds out of their training stretch is held out.

    Later are the normal rows of their test stretch, in order of time.
    """
    for found in sources.servers(data, family):
        later = found.test[found.label == 0]
        yield _learned(f"{family}/{found.name}", found.train, found.train[:0], later)


def numbers(rows: Floats) -> Columns:
    """A table of numbers as columns."""
    none = np.empty((len(rows), 0), dtype=np.int64)
    return Columns(rows, none, none)


def _learned(name: str, train: Floats, held_out: Floats, later: Floats) -> Learned:
    features = (Feature(path=f"column_{i}", kind="number") for i in range(train.shape[1]))
    schema = FeatureSchema(features=tuple(features))
    split = split_by_blocks(numbers(train), len(train))
    settings = FitSettings(alert_rate=ALERT_RATE)
    detector = fit_detector(split.fit, split.calibrate, schema, settings)
    rest = numbers(np.concatenate([split.hold_out.numbers, held_out]))
    return Learned(name, detector, split.fit, rest, numbers(later))
