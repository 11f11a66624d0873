"""Labelled telemetry with a training stretch of its own: two public sets, or small stand-ins.

Both are files of the same form, read by the same code: a table of a test bed's sensors (SKAB) and
a server's metrics (SMD).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]

VALVE = "skab/valve1/10.csv"
SERVER = "smd/machine-1-6.npz"
VALVE_TRAINING_ROWS = 400
"""The published split."""
VALVE_NOT_SENSORS = ("datetime", "anomaly", "changepoint")


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Rows in order of time, one sample a second; label 1 = anomalous."""

    name: str
    columns: tuple[str, ...]
    train: Floats
    test: Floats
    label: Labels


def public_telemetry(shared: Path | None) -> tuple[Telemetry, Telemetry] | None:
    """SKAB valve1/10 and SMD 1-6 out of a folder `data`; None where they are not there."""
    if shared is None or not all((shared / "data" / name).is_file() for name in (VALVE, SERVER)):
        return None
    return read_telemetry(shared / "data")


def own_telemetry(folder: Path) -> tuple[Telemetry, Telemetry]:
    """Stand-ins, small and easier, written to `folder` and read back."""
    rng = np.random.default_rng(10)
    _write_valve(folder / VALVE, *_stretch(rng, rows=1_000, width=8, clean=500))
    _write_server(folder / SERVER, *_stretch(rng, rows=4_000, width=12, clean=2_000))
    return read_telemetry(folder)


def read_telemetry(folder: Path) -> tuple[Telemetry, Telemetry]:
    """The test bed and the server."""
    return _valve(folder / VALVE), _server(folder / SERVER)


def _valve(path: Path) -> Telemetry:
    with path.open(newline="", encoding="utf-8") as lines:
        table = list(csv.DictReader(lines, delimiter=";"))
    columns = tuple(name for name in table[0] if name not in VALVE_NOT_SENSORS)
    rows = np.array([[float(row[name]) for name in columns] for row in table])
    label = np.array([int(float(row["anomaly"])) for row in table])
    cut = VALVE_TRAINING_ROWS
    return Telemetry("skab", columns, rows[:cut], rows[cut:], label[cut:])


def _server(path: Path) -> Telemetry:
    with np.load(path) as archive:
        train, test = archive["train"].astype(float), archive["test"].astype(float)
        label = archive["label"].astype(int)
    columns = tuple(f"metric_{i:02d}" for i in range(train.shape[1]))
    return Telemetry("smd", columns, train, test, label)


def _stretch(
    rng: np.random.Generator, *, rows: int, width: int, clean: int
) -> tuple[Floats, Labels]:
    """Related sensors that swing together; after `clean` rows some stretches come apart."""
    phase = np.arange(rows) / 10
    causes = np.stack([np.sin(phase), np.sign(np.sin(phase / 3)), rng.normal(size=rows)], axis=1)
    values = causes @ rng.normal(size=(3, width)) + rng.normal(size=(rows, width)) * 0.1
    label = np.zeros(rows, dtype=np.int64)
    for start in range(clean + 40, rows - 40, 120):
        label[start : start + 40] = 1
        values[start : start + 40, start % width] += 4 + rng.normal(size=40)
    return values, label


def _write_valve(path: Path, rows: Floats, label: Labels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"Sensor{i}" for i in range(rows.shape[1])]
    first = datetime(2024, 1, 1, tzinfo=UTC)
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, delimiter=";")
        writer.writerow(["datetime", *names, "anomaly", "changepoint"])
        for i, row in enumerate(rows):
            at = (first + timedelta(seconds=i)).strftime("%Y-%m-%d %H:%M:%S")
            values = [f"{value:.6g}" for value in row]
            writer.writerow([at, *values, float(label[i]), 0.0])


def _write_server(path: Path, rows: Floats, label: Labels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = len(rows) // 2
    np.savez(path, train=rows[:half], test=rows[half:], label=label[half:])
