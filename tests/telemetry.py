"""Made-up telemetry of a machine: related numbers, a mode, a switch, a constant, an id, a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from training.fit import FitSettings
from training.networks import NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z, the time of the first reading; one a second follows."""

SMALL: Final = FitSettings(
    alert_rate=1e-2, centres=16, network=NetworkSettings(hidden=16, latent_max=4, steps=60)
)
"""Fits in a fraction of a second, and well enough to tell the absurd from the usual."""

FEATURES: Final = ("load", "heat.inlet", "heat.outlet", "running", "mode")


def readings(rows: int, seed: int = 0) -> list[dict[str, object]]:
    """Normal readings, in order of time."""
    rng = np.random.default_rng(seed)
    load = 50 + 20 * np.sin(np.arange(rows) / 15) + rng.normal(scale=2, size=rows)
    modes = rng.choice(["eco", "fast", "slow"], size=rows)
    return [
        {
            "id": f"reading-{seed}-{i}",
            "at": START_MS + 1000 * i,
            "site": "north",
            "load": round(float(load[i]), 3),
            "heat": {
                "inlet": round(float(20 + rng.normal(scale=0.5)), 3),
                "outlet": round(float(20 + load[i] / 2 + rng.normal(scale=0.5)), 3),
            },
            "running": bool(load[i] > 35),
            "mode": str(modes[i]),
        }
        for i in range(rows)
    ]


def absurd(seed: int = 0) -> dict[str, object]:
    """A reading that no machine of this kind gives."""
    return {**readings(1, seed)[0], "load": -900.0, "heat": {"inlet": 400.0, "outlet": -50.0}}


def encoded(records: Iterable[object]) -> list[bytes]:
    """Each record as JSON."""
    return [msgspec.json.encode(record) for record in records]


def write_lines(path: Path, values: Iterable[bytes]) -> Path:
    """Values as a file of JSON lines."""
    path.write_bytes(b"".join(value + b"\n" for value in values))
    return path
