"""Makes the stored artefact of the current format, once: `python -m tests.model.make_golden`.

Run it when the format changes, commit the new folder, and leave the old ones as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from tests.machines import codec
from training.fit import FitSettings, fit_detector
from training.networks import NetworkSettings
from worker.model.artifact import (
    FORMAT,
    About,
    Artifact,
    DataSpan,
    Evaluation,
    RowCounts,
    Verdict,
    write_artifact,
)
from worker.model.schema import Feature, FeatureSchema, Watched

FOLDER: Final = Path(__file__).parent / "golden"
RECORDED: Final = "recorded.json"

SCHEMA: Final = FeatureSchema(
    features=(
        Feature(path="pump.flow", kind="number"),
        Feature(path="power", kind="number", missing_share=0.1),
        Feature(path="pressure", kind="number"),
        Feature(path="valve", kind="category", categories=("closed", "open")),
    ),
    watched=(Watched(path="unit", value="bar"),),
)


class Recorded(msgspec.Struct, frozen=True):
    """Records as they stood on a topic, and what was said of each when the model was made."""

    values: list[str]
    scores: list[float]
    kinds: list[str | None]


def lines(count: int, seed: int) -> list[bytes]:
    """Synthetic records of a pump, whose pressure depends on the valve."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        flow = float(rng.normal(50, 5))
        power = float(0.1 * flow + rng.normal(scale=0.2))
        is_open = rng.random() < 0.7
        record: dict[str, object] = {
            "pump": {"flow": flow},
            "pressure": float(rng.normal(20 if is_open else 300, 2)),
            "valve": "open" if is_open else "closed",
            "unit": "bar",
        }
        found.append(record if rng.random() < 0.1 else {**record, "power": power})
    return [msgspec.json.encode(record) for record in found]


ODD: Final = (
    b'{"pump":{"flow":500.0},"power":5.0,"pressure":20.0,"valve":"open","unit":"bar"}',
    b'{"pump":{"flow":50.0},"power":-3.0,"pressure":20.0,"valve":"open","unit":"bar"}',
    b'{"pump":{"flow":50.0},"power":5.0,"pressure":300.0,"valve":"open","unit":"bar"}',
    b'{"pump":{"flow":50.0},"power":5.0,"pressure":20.0,"valve":"stuck","unit":"bar"}',
    b'{"pump":{"flow":50.0},"power":5.0,"pressure":20.0,"valve":"open","unit":"psi"}',
    b'{"pump":{"flow":50.0},"pressure":20.0,"valve":"open","unit":"bar"}',
)


def golden_artifact() -> Artifact:
    """A small model of the pump."""
    fit, calibrate = (
        codec().decode(lines(count, seed), SCHEMA).columns for count, seed in ((80, 1), (60, 2))
    )
    detector = fit_detector(
        fit,
        calibrate,
        SCHEMA,
        FitSettings(alert_rate=0.02, centres=8, network=NetworkSettings(hidden=8, steps=200)),
    )
    about = About(
        stream="pumps",
        trained_at="2026-01-02T03:04:05Z",
        seed=0,
        span=DataSpan(source="pumps"),
        rows=RowCounts(
            read=140, sampled=140, rejected=0, skipped=0, fit=80, calibrate=60, hold_out=0
        ),
        evaluation=Evaluation(rows=60, flagged=1, mean_error=0.3),
        verdict=Verdict(promoted=True, reasons=("the first model of this stream",)),
        libraries={},
    )
    return Artifact(detector, about)


def recorded(artifact: Artifact) -> Recorded:
    """What the model says of some records, normal and odd."""
    values = [*lines(15, 3), *ODD]
    scores = artifact.detector.score(codec().decode(values, SCHEMA).columns)
    return Recorded(
        values=[value.decode() for value in values],
        scores=scores.score.tolist(),
        kinds=[scores.kind(row) for row in range(len(scores))],
    )


def main() -> None:
    """Write the folder of the current format; FileExistsError where it is there already."""
    folder = FOLDER / f"format-{FORMAT}"
    folder.mkdir(parents=True)
    artifact = golden_artifact()
    write_artifact(artifact, folder)
    content = msgspec.json.format(msgspec.json.encode(recorded(artifact)), indent=1)
    (folder / RECORDED).write_bytes(content + b"\n")


if __name__ == "__main__":
    main()
