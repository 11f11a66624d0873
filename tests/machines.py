"""Made-up readings of a machine, and detectors fitted to them once for the whole run."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from training.fit import FitSettings, fit_detector
from training.networks import NetworkSettings
from worker.codec import JsonCodec
from worker.model.artifact import (
    About,
    Artifact,
    DataSpan,
    Evaluation,
    PartitionSpan,
    RowCounts,
    Verdict,
)
from worker.model.schema import Feature, FeatureSchema, Watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.model.detector import Detector
    from worker.model.schema import Columns

Reading = dict[str, object]

SCHEMA = FeatureSchema(
    features=(
        Feature(path="motor.temperature", kind="number"),
        Feature(path="motor.current", kind="number"),
        Feature(path="load", kind="number"),
        Feature(path="bytes_sent", kind="number"),
        Feature(path="humidity", kind="number", missing_share=0.05),
        Feature(path="door_open", kind="boolean"),
        Feature(path="state", kind="category", categories=("idle", "run", "stop")),
        Feature(path="mode", kind="category", categories=("eco", "full"), missing_share=0.05),
    ),
    watched=(
        Watched(path="firmware", value="1.2"),
        Watched(path="motor.poles", value=4),
        Watched(path="site", value="north", other_share=0.001),
    ),
)
"""Numbers, light and heavy-tailed, one far from zero, a boolean, categories, missing values."""

ABOUT = About(
    stream="machines",
    trained_at="2026-01-02T03:04:05Z",
    seed=0,
    span=DataSpan(
        source="machines",
        topic="machines",
        partitions=(PartitionSpan(partition=0, start=0, end=1500),),
        first_ms=1_767_000_000_000,
        last_ms=1_767_086_400_000,
    ),
    rows=RowCounts(
        read=1500, sampled=1500, rejected=0, skipped=0, fit=1000, calibrate=500, hold_out=0
    ),
    evaluation=Evaluation(rows=500, flagged=1, mean_error=0.3),
    verdict=Verdict(promoted=True, reasons=("the first model of this stream",)),
    libraries={"numpy": "2"},
)

STEPS = 60
"""Steps of training: enough for every law, too few for quality."""


def readings(count: int, seed: int) -> list[Reading]:
    """Normal readings; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    return [_reading(rng) for _ in range(count)]


def changed(reading: Reading, path: str, value: object) -> Reading:
    """A copy of a reading with another value at a path of keys; None leaves it out."""
    name, _, rest = path.partition(".")
    copy = dict(reading)
    if rest:
        inner = copy[name]
        assert isinstance(inner, dict)
        copy[name] = changed(inner, rest, value)
    elif value is None:
        copy.pop(name, None)
    else:
        copy[name] = value
    return copy


def codec() -> JsonCodec:
    """The codec with the limits that the worker has by default."""
    return JsonCodec(record_bytes_max=1_000_000, depth_max=64, missing_share_max=0.5)


def encoded(records: Iterable[Reading]) -> list[bytes]:
    """Readings as they stand on a topic."""
    return [msgspec.json.encode(record) for record in records]


def values_of(reading: Reading) -> list[object]:
    """The plain values of a reading, in the order of the schema's names."""
    return codec().read(encoded([reading])[0], SCHEMA)


def columns_of(records: Iterable[Reading], schema: FeatureSchema = SCHEMA) -> Columns:
    """Readings as columns; every one of them must be accepted, however much is missing."""
    lenient = JsonCodec(record_bytes_max=1_000_000, depth_max=64, missing_share_max=1.0)
    decoded = lenient.decode(encoded(records), schema)
    assert decoded.rejections == []
    assert decoded.skipped == []
    return decoded.columns


@cache
def detector() -> Detector:
    """The detector of SCHEMA; alert_rate is 1 %."""
    return fitted(seed=0)


def fitted(seed: int) -> Detector:
    """A detector of SCHEMA, fitted anew."""
    return fit_detector(
        columns_of(readings(1000, seed=1)),
        columns_of(readings(500, seed=2)),
        SCHEMA,
        FitSettings(
            alert_rate=0.01, seed=seed, centres=64, network=NetworkSettings(hidden=32, steps=STEPS)
        ),
    )


def artifact() -> Artifact:
    """The detector with all that is told of it."""
    return Artifact(detector(), ABOUT)


def _reading(rng: np.random.Generator) -> Reading:
    state = rng.choice(["idle", "run", "stop"], p=[0.3, 0.6, 0.1])
    load = float(rng.lognormal(1.0, 1.0)) * (1.0 if state == "run" else 0.1)
    temperature = float(40 + 3 * np.log1p(load) + rng.normal())
    found: Reading = {
        "motor": {
            "temperature": temperature,
            "current": 0.2 * temperature + float(rng.normal(scale=0.1)),
            "poles": 4,
        },
        "load": load,
        "bytes_sent": 33_600_000_000 + int(rng.normal(scale=1000)),
        "door_open": bool(rng.random() < 0.1),
        "state": str(state),
        "firmware": "1.2",
        "site": "north" if rng.random() >= 0.001 else "south",
    }
    if rng.random() >= 0.05:
        found["humidity"] = float(rng.uniform(20, 80))
    if rng.random() >= 0.05:
        found["mode"] = str(rng.choice(["eco", "full"]))
    return found
