"""What a model would have flagged in the hold-out: how many a day, and the oddest with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from worker.model.reasons import oddest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.dataset import Stretch
    from worker.model.detector import Detector
    from worker.model.schema import Columns, FeatureSchema
    from worker.records import Anomaly, RawRecord

SHOWN: Final = 10


class Reads(Protocol):
    """Whoever reads the values at a schema's names out of a record."""

    def read(self, value: bytes, schema: FeatureSchema) -> Sequence[object]:
        """The plain values at `schema.names`, None where absent."""
        ...


@dataclass(frozen=True, slots=True)
class Oddity:
    """One of the oddest records: where it stands, when it was (UTC, if known), and why."""

    at: str
    time: str | None
    anomaly: Anomaly


@dataclass(frozen=True, slots=True)
class Backtest:
    """rows, flagged: of the hold-out; per_day: alerts a day at the stretch's own traffic."""

    rows: int
    flagged: int
    per_day: float | None
    oddest: Sequence[Oddity]


def backtest(
    detector: Detector, hold_out: Columns, places: NDArray[np.intp], stretch: Stretch, reader: Reads
) -> Backtest:
    """Score the hold-out; `places[i]` is the place of row i in the stretch's records."""
    scores = detector.score(hold_out)
    flagged = int(scores.flagged.sum())
    traffic = stretch.per_day()

    def read(row: int) -> Sequence[object]:
        value = stretch.records[places[row]].value
        return [] if value is None else reader.read(value, detector.schema)

    found = oddest(detector, hold_out, scores, read, SHOWN)
    return Backtest(
        rows=len(scores),
        flagged=flagged,
        per_day=None if traffic is None else flagged / max(len(scores), 1) * traffic,
        oddest=[_oddity(anomaly, int(places[anomaly.row]), stretch) for anomaly in found],
    )


def _oddity(anomaly: Anomaly, place: int, stretch: Stretch) -> Oddity:
    record: RawRecord = stretch.records[place]
    at_ms = stretch.times_ms[place]
    time = None
    if not np.isnan(at_ms):
        time = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    return Oddity(f"{record.topic}-{record.partition}-{record.offset}", time, anomaly)
