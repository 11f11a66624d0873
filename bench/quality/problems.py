"""What is to be learned and judged, for ours as columns and for peers as standardised numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from worker.model.schema import Columns, Feature, FeatureSchema

if TYPE_CHECKING:
    from bench.quality.sources import Floats


class Rows(NamedTuple):
    """The same rows for us and for the peers."""

    columns: Columns
    standardised: Floats


@dataclass(frozen=True)
class Problem:
    """Rows to learn and rows to judge; `in_time`: they are in order of time."""

    schema: FeatureSchema
    train: Rows
    test: Rows
    in_time: bool = False


def table_problem(
    train: Floats, test: Floats, peers: tuple[Floats, Floats], *, in_time: bool = False
) -> Problem:
    """Of rows that are all numbers; `peers`: the same, standardised."""
    features = tuple(Feature(path=f"column_{i}", kind="number") for i in range(train.shape[1]))
    return Problem(
        FeatureSchema(features=features),
        Rows(numbers(train), peers[0]),
        Rows(numbers(test), peers[1]),
        in_time,
    )


def numbers(rows: Floats) -> Columns:
    """A table of numbers as columns."""
    none = np.empty((len(rows), 0), dtype=np.int64)
    return Columns(np.ascontiguousarray(rows, dtype=np.float64), none, none)
