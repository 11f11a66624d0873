"""A simulated fleet of pumps: what its sensors read, and the four hidden factors that drive them.

The same seed gives the same readings. Knows nothing of faults, brokers or detectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MACHINES: Final = 60
"""More than a category has values: a machine's name names it and measures nothing."""
STEP_S: Final = 10.0
"""Seconds of the fleet's time from record to record; each machine reports every ten minutes."""
ROUNDS: Final = 100
BLOCK: Final = ROUNDS * MACHINES
"""Records that are made at once: so many rounds in which every machine reports."""
NOISE: Final = 0.05
"""Of a sensor, in deviations of what it measures."""

FACTORS: Final = ("load", "ambient", "wear", "density")
"""What really goes on in a machine; each has mean 0 and deviation 1, about."""

DAY_S: Final = 86_400.0
_HOUR_S: Final = 3600.0
_DAILY: Final = {"load": (0.4, 12.0), "ambient": (0.95, 15.0)}
"""Share of the daily rhythm in a factor, and the hour at which it is highest."""
_FLICKER: Final = np.array([0.4, 0.4, 0.1, 0.4])
"""How far each factor may be away from its course for a moment."""
_LIMIT: Final = 1.55
"""Nothing is driven further than this, in deviations: there are no extremes that hardly occur."""
_WAVES: Final = 6
_PERIODS_H: Final = (2.0, 12.0)
_MAINTENANCE_H: Final = (12.0, 24.0)
"""Wear grows evenly, and is gone after maintenance, once in so many hours."""


class Sensor(NamedTuple):
    """One number of a record: where it stands, and how the factors move it.

    `centre` and `spread` in its own unit; `weights` in the order of FACTORS; `bend` makes a curve
    of a line; `missing` is the share of records without it.
    """

    path: tuple[str, str]
    centre: float
    spread: float
    weights: tuple[float, float, float, float]
    bend: float = 0.0
    missing: float = 0.0


SENSORS: Final = (
    Sensor(("motor", "speed_rpm"), 1480.0, 95.0, (1.0, 0.0, 0.0, 0.0)),
    Sensor(("motor", "current_a"), 62.0, 8.0, (0.7, 0.0, 0.3, 0.6), bend=0.08),
    Sensor(("motor", "power_kw"), 31.0, 4.5, (0.8, 0.0, 0.0, 0.6), bend=0.12),
    Sensor(("motor", "winding_c"), 78.0, 9.0, (0.6, 0.8, 0.0, 0.0)),
    Sensor(("bearing", "temperature_c"), 54.0, 7.0, (0.2, 0.7, 0.7, 0.0), missing=0.01),
    Sensor(("bearing", "vibration_mm_s"), 2.4, 0.7, (0.3, 0.0, 0.9, 0.0), bend=0.15),
    Sensor(("bearing", "noise_db"), 71.0, 4.0, (0.4, 0.0, 0.9, 0.0), missing=0.02),
    Sensor(("flow", "rate_m3_h"), 118.0, 16.0, (0.8, 0.0, -0.4, -0.4)),
    Sensor(("flow", "inlet_bar"), 2.1, 0.35, (-0.5, 0.0, 0.0, 0.9)),
    Sensor(("flow", "outlet_bar"), 7.8, 0.9, (0.6, 0.0, -0.2, 0.8)),
    Sensor(("oil", "temperature_c"), 61.0, 6.0, (0.3, 0.9, 0.2, 0.0)),
    Sensor(("oil", "viscosity_cst"), 46.0, 6.0, (0.0, -0.9, -0.5, 0.0), bend=0.08),
)


class Choice(NamedTuple):
    """One category of a record, and the factor that goes with it: in steps, a value for each."""

    path: tuple[str, ...]
    factor: str
    values: tuple[str, str]


CHOICES: Final = (
    Choice(("mode",), "load", ("normal", "boost")),
    Choice(("flow", "fluid"), "density", ("water", "brine")),
)

_STEP: Final = 1.2
"""From one value of a category to the other, in deviations of its factor: what lies between them
does not occur."""
_WITHIN: Final = 0.45
"""How far the factor's wave shows within a step."""

_STEPPED: Final = tuple(choice.factor for choice in CHOICES)

CONSTANT: Final = ("firmware",)
FIRMWARE: Final = "3.4.2"


@dataclass(slots=True)
class Readings:
    """Records in order, as columns, and beside them what the records do not say.

    times_s: seconds since the epoch; numbers: float64 (n, SENSORS), NaN where missing; choices:
    text (n, CHOICES); factors: float64 (n, FACTORS), the truth behind each record; faults: what is
    wrong with each record, None where it is sound.
    """

    times_s: Floats
    machines: NDArray[np.int64]
    numbers: Floats
    choices: NDArray[np.object_]
    constant: NDArray[np.object_]
    factors: Floats
    faults: NDArray[np.object_]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.times_s)

    def keys(self) -> list[bytes]:
        """The machine of each record."""
        return [f"pump-{number:02d}".encode() for number in self.machines.tolist()]

    def values(self) -> list[bytes]:
        """Each record as JSON."""
        return [
            _ENCODER.encode(self._record(row, numbers))
            for row, numbers in enumerate(_rounded(self.numbers))
        ]

    def _record(self, row: int, numbers: list[float | None]) -> dict[str, object]:
        moment = datetime.fromtimestamp(float(self.times_s[row]), UTC)
        record: dict[str, object] = {
            "machine": f"pump-{self.machines[row]:02d}",
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        _put(record, CONSTANT, self.constant[row])
        for choice, text in zip(CHOICES, self.choices[row], strict=True):
            _put(record, choice.path, text)
        for sensor, number in zip(SENSORS, numbers, strict=True):
            _put(record, sensor.path, number)
        return record


class Fleet:
    """All machines from `start_s` on; any block of their readings can be asked for, in any order.

    The course of each factor of each machine is a sum of waves of its own, told for any time.
    """

    def __init__(self, seed: int, start_s: float) -> None:
        self._seed = seed
        self._start_s = start_s
        rng = np.random.default_rng(seed)
        shape = (len(FACTORS), MACHINES, _WAVES)
        self._rates = 2 * np.pi / (_HOUR_S * rng.uniform(*_PERIODS_H, shape))
        self._phases = rng.uniform(0, 2 * np.pi, shape)
        self._maintained_s = _HOUR_S * rng.uniform(*_MAINTENANCE_H, MACHINES)
        self._worn = rng.uniform(0, 1, MACHINES)

    def block(self, number: int) -> Readings:
        """The readings of one block, sound and with the sensors' noise."""
        rng = np.random.default_rng([self._seed, number])
        order = np.arange(number * BLOCK, (number + 1) * BLOCK)
        times_s = self._start_s + STEP_S * (order + rng.uniform(-0.4, 0.4, BLOCK))
        machines = order % MACHINES
        factors = self.factors(times_s, machines)
        factors += _FLICKER * rng.uniform(-1, 1, factors.shape)
        return Readings(
            times_s=times_s,
            machines=machines,
            numbers=_measured(factors, rng),
            choices=_chosen(factors),
            constant=np.full(BLOCK, FIRMWARE, dtype=object),
            factors=factors,
            faults=np.full(BLOCK, None, dtype=object),
        )

    def factors(self, times_s: Floats, machines: NDArray[np.int64]) -> Floats:
        """The course of the hidden factors of machines at times; float64 (n, FACTORS)."""
        columns = []
        for i, name in enumerate(FACTORS):
            if name == "wear":
                cycles = times_s / self._maintained_s[machines] + self._worn[machines]
                columns.append(np.sqrt(12) * (cycles % 1 - 0.5))
                continue
            angles = times_s[:, None] * self._rates[i, machines] + self._phases[i, machines]
            waves = np.sin(angles).sum(axis=1) * np.sqrt(2 / _WAVES)
            share, hour = _DAILY.get(name, (0.0, 0.0))
            daily = np.sqrt(2) * np.cos(2 * np.pi * (times_s - hour * _HOUR_S) / DAY_S)
            wave = _LIMIT * np.tanh(np.sqrt(1 - share) * waves + np.sqrt(share) * daily)
            columns.append(_stepped(wave) if name in _STEPPED else wave)
        return np.stack(columns, axis=1)


def _measured(factors: Floats, rng: np.random.Generator) -> Floats:
    """What the sensors say."""
    weights = np.array([sensor.weights for sensor in SENSORS]).T
    bend = np.array([sensor.bend for sensor in SENSORS])
    spread = np.array([sensor.spread for sensor in SENSORS])
    driven = factors @ (weights / np.linalg.norm(weights, axis=0))
    driven += bend * (driven**2 - 1) + NOISE * rng.standard_normal(driven.shape)
    numbers = np.array([sensor.centre for sensor in SENSORS]) + spread * driven
    missing = rng.uniform(size=numbers.shape) < [sensor.missing for sensor in SENSORS]
    return np.where(missing, np.nan, numbers)


def _stepped(wave: Floats) -> Floats:
    """A controller's two set points, and some of the wave on top."""
    return _STEP * ((wave > 0) - 0.5) + _WITHIN * wave


def _chosen(factors: Floats) -> NDArray[np.object_]:
    """The category of each step."""
    columns = []
    for choice in CHOICES:
        step = (factors[:, FACTORS.index(choice.factor)] > 0).astype(int)
        columns.append(np.array(choice.values, dtype=object)[step])
    return np.stack(columns, axis=1)


def _rounded(numbers: Floats) -> list[list[float | None]]:
    """Each sensor's numbers to a hundredth of its spread, about; None where missing."""
    digits = [2 - int(np.floor(np.log10(sensor.spread))) for sensor in SENSORS]
    columns = [np.round(numbers[:, j], digits[j]) for j in range(len(SENSORS))]
    rows: list[list[float]] = np.stack(columns, axis=1).tolist()
    return [[None if number != number else number for number in row] for row in rows]  # noqa: PLR0124


def _put(record: dict[str, object], path: tuple[str, ...], value: object) -> None:
    place = record
    for name in path[:-1]:
        inner = place.setdefault(name, {})
        assert isinstance(inner, dict)  # noqa: S101 - the paths above agree
        place = inner
    place[path[-1]] = value


_ENCODER: Final = msgspec.json.Encoder()
