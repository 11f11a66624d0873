"""Laws of refitting: what is written otherwise and means the same is scored the same."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from scipy.stats import spearmanr

import latentwatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Record = dict[str, object]

ALERT_RATE: Final = 1e-2
VIBRATION: Final = {"idle": 2.0, "run": 9.0, "stop": 0.5}
NAMES: Final = {"idle": "z9", "run": "Läuft", "stop": "0"}


def records(count: int, seed: int) -> list[Record]:
    """A pump: numbers that go together, a heavy-tailed one, one with a level for each state."""
    rng = np.random.default_rng(seed)
    made: list[Record] = []
    for _ in range(count):
        state = str(rng.choice(["idle", "run", "stop"], p=[0.3, 0.6, 0.1]))
        load = float(rng.lognormal()) * (1.0 if state == "run" else 0.2)
        temperature = 40 + 3 * math.log1p(load) + float(rng.normal())
        made.append(
            {
                "load": load,
                "temperature": temperature,
                "current": 0.2 * temperature + float(rng.normal(scale=0.1)),
                "pressure": float(rng.normal(3, 0.2)),
                "vibration": VIBRATION[state] + float(rng.normal(scale=0.1)),
                "state": state,
                "open": bool(rng.random() < 0.2),
            }
        )
    return made


def live() -> list[Record]:
    """Normal ones, and some with a fault that grows."""
    made = records(1500, seed=2)
    for at, record in enumerate(made[:200]):
        record["pressure"] = 3 + 0.01 * at
    return made


@cache
def scored(write: Callable[[Record], Record]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and flags of the live records, learned and scored as `write` writes them."""
    with TemporaryDirectory() as folder:
        store, learned = Path(folder), [write(record) for record in records(3000, seed=1)]
        latentwatch.train(learned, stream="pump", store=store, alert_rate=ALERT_RATE)
        lines = list(
            latentwatch.score([write(record) for record in live()], stream="pump", store=store)
        )
    scores = np.array([float(str(line["score"])) for line in lines])
    return scores, np.array([bool(line["flagged"]) for line in lines])


def as_it_is(record: Record) -> Record:
    return record


def in_other_units(record: Record) -> Record:
    """Kilowatts as watts, Celsius as Fahrenheit, bar as pascal, inches as millimetres."""
    load, temperature, pressure, vibration = (
        float(str(record[n])) for n in ("load", "temperature", "pressure", "vibration")
    )
    return record | {
        "load": load * 1000,
        "temperature": temperature * 1.8 + 32,
        "pressure": pressure * 1e5,
        "vibration": vibration * 25.4,
    }


def under_other_names(record: Record) -> Record:
    """In another alphabetical order, too."""
    return record | {"state": NAMES[str(record["state"])]}


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(spearmanr(one, other).statistic)


def assert_the_same(write: Callable[[Record], Record]) -> None:
    plain, plain_flags = scored(as_it_is)
    other, other_flags = scored(write)
    assert spearman(plain, other) >= 0.999
    assert 50 < plain_flags.sum() < 250
    np.testing.assert_array_equal(other_flags, plain_flags)


def test_another_unit_is_no_other_model() -> None:
    assert_the_same(in_other_units)


def test_another_name_for_a_category_is_no_other_model() -> None:
    assert_the_same(under_other_names)


KINDS: Final = (
    "count",
    "rare",
    "seconds",
    "halves",
    "measured",
    "heavy",
    "mostly zero",
    "hardly moving",
    "large",
)


def any_columns(rng: np.random.Generator, count: int) -> dict[str, NDArray[np.float64]]:
    """A few columns that go together, each of a kind that is drawn."""
    hidden = rng.normal(size=(count, 3))
    made: dict[str, NDArray[np.float64]] = {}
    for j, kind in enumerate(rng.choice(KINDS, size=5, replace=False)):
        z = hidden @ np.random.default_rng(j).normal(size=3) + 0.5 * rng.normal(size=count)
        made[str(kind)] = {
            "count": rng.poisson(np.exp(np.clip(z, -3, 2))).astype(float),
            "rare": rng.poisson(0.3, size=count).astype(float),
            "seconds": 1 + rng.poisson(4, size=count).astype(float),
            "halves": np.round(2 * z) / 2,
            "measured": 40 + 3 * z,
            "heavy": np.exp(z),
            "mostly zero": np.where(z > 1.5, z, 0),
            "hardly moving": 1 + 1e-7 * z,
            "large": 33.6e9 + 1000 * z,
        }[kind]
    return made


@cache
def scored_in(unit: float, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and flags where every number is told in that unit; a tenth of the records is odd."""
    rng = np.random.default_rng(seed)
    made = any_columns(rng, 3000)
    learned = {name: column[:2000] for name, column in made.items()}
    judged = {name: column[2000:].copy() for name, column in made.items()}
    for row, name in enumerate(rng.choice(list(judged), size=100)):
        judged[name][row] = 3 * judged[name][row] + 1
    with TemporaryDirectory() as folder:
        store = Path(folder)
        latentwatch.train(told(learned, unit), stream="u", store=store, alert_rate=ALERT_RATE)
        lines = list(latentwatch.score(told(judged, unit), stream="u", store=store))
    scores = np.array([float(str(line["score"])) for line in lines])
    return scores, np.array([bool(line["flagged"]) for line in lines])


def told(columns: dict[str, NDArray[np.float64]], unit: float) -> list[dict[str, object]]:
    """Records; a whole number is written as one wherever it is one."""
    values = ((unit * column).tolist() for column in columns.values())
    return [
        {n: int(v) if v.is_integer() else v for n, v in zip(columns, row, strict=True)}
        for row in zip(*values, strict=True)
    ]


@pytest.mark.parametrize("unit", [1000.0, 1e-3, 1e-13, 1e4])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_number_is_the_same_in_any_unit(seed: int, unit: float) -> None:
    """Counts and small whole numbers among them, which are none in a unit that is larger."""
    plain, plain_flags = scored_in(1.0, seed)
    other, other_flags = scored_in(unit, seed)
    assert spearman(plain, other) >= 0.999
    assert plain_flags.any()
    np.testing.assert_array_equal(other_flags, plain_flags)
