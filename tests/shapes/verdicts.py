"""Short cuts into discovery: what became of one path among records that are otherwise usable."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from training.discover import Discovery, discover
from worker.model.schema import Feature, FeatureSchema, Watched

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1000


def noise(rows: int = ROWS, seed: int = 1) -> list[float]:
    """Normally distributed numbers, nearly all different."""
    dice = random.Random(seed)
    return [dice.gauss(0, 1) for _ in range(rows)]


def records(make: Callable[[int], object], rows: int = ROWS) -> list[dict[str, object]]:
    """Records with a number `x` that is always a feature, and what `make` gives as `y`."""
    return [{"x": x, "y": make(i)} for i, x in enumerate(noise(rows))]


def schema_of(found: Discovery) -> FeatureSchema:
    """The schema that was found; there is one."""
    assert found.schema is not None
    return found.schema


def kinds(found: Discovery) -> dict[str, str]:
    """The kind of each feature by its path."""
    return {feature.path: feature.kind for feature in schema_of(found).features}


def reasons(found: Discovery) -> dict[str, str]:
    """Why each path that is left out is."""
    return {item.path: item.reason for item in found.left_out}


def verdicts(found: Discovery) -> dict[str, Feature | Watched | str]:
    """What became of every path; none has two verdicts."""
    schema = schema_of(found)
    judged: dict[str, Feature | Watched | str] = {
        **{feature.path: feature for feature in schema.features},
        **{watched.path: watched for watched in schema.watched},
        **reasons(found),
    }
    assert len(judged) == len(schema.names) + len(found.left_out)
    return judged


def verdict(make: Callable[[int], object], rows: int = ROWS) -> Feature | Watched | str:
    """What became of `y`."""
    return verdicts(discover(records(make, rows)))["y"]


def number(path: str) -> Feature:
    """A feature that is a plain JSON number."""
    return Feature(path=path, kind="number")
