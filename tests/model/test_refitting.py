"""Laws of refitting: what is written otherwise and means the same is scored the same."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import numpy as np
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
