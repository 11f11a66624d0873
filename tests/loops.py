"""The loop on the in-memory broker, with a model that anyone can follow, and all that it told."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from worker.adapters.memory import MemoryBroker, MemoryDelivery, MemoryRecordLog
from worker.codec import JsonCodec
from worker.events import EventEncoder, EventSettings
from worker.model.calibration_watch import CalibrationState
from worker.model.detector import Scores
from worker.model.schema import Feature, FeatureSchema
from worker.pipeline import LoopSettings, Pipeline, Seams
from worker.records import Anomaly, FeatureShare, ModelNote, Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from worker.model.schema import Columns
    from worker.ports import Delivery, Model, RecordLog
    from worker.records import Lags, Partition, Record

INPUT: Final = "in"
ANOMALIES: Final = "in.anomalies"
DEAD_LETTERS: Final = "in.dlq"
SCORES: Final = "in.scores"
GROUP: Final = "group"

FIRST_MS: Final = 1_767_225_000_000
"""Time of the record at offset 0; one a second follows."""

NORMAL: Final = b'{"x": 1}'
ODD: Final = b'{"x": 99}'
BROKEN: Final = b"{"
TOMBSTONE: Final = None

SETTINGS: Final = LoopSettings(
    records_max=100,
    poll_timeout_s=0,
    dead_letter_share_max=1,
    dead_letter_window=1000,
    events_per_s_max=1_000_000,
)


class ManualClock:
    """Time stands still but for sleeps, which pass at once and are written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return sum(self.slept)

    def now(self) -> float:
        return 1_767_225_600.0 + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class RecordingMetrics:
    """Every event in order, as its name and what was told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def of(self, name: str) -> list[tuple[object, ...]]:
        """What was told under a name."""
        return [event[1:] for event in self.told if event[0] == name]

    def batch_polled(self, records: int, size_bytes: int, lags: Lags) -> None:
        self.told.append(("batch_polled", records, size_bytes, dict(lags)))

    def batch_processed(self, *, normal: int, anomalies: int, invalid: int, skipped: int) -> None:
        self.told.append(("batch_processed", normal, anomalies, invalid, skipped))

    def anomaly(self, severity: str, feature: str) -> None:
        self.told.append(("anomaly", severity, feature))

    def summed_up(self, anomalies: int) -> None:
        self.told.append(("summed_up", anomalies))

    def rejected(self, reason: str) -> None:
        self.told.append(("rejected", reason))

    def scores(
        self,
        score: NDArray[np.float64],
        latent: NDArray[np.float64],
        error: NDArray[np.float64],
    ) -> None:
        self.told.append(("scores", score.tolist(), latent.tolist(), error.tolist()))

    def features_missing(self, records: Mapping[str, int]) -> None:
        self.told.append(("features_missing", dict(records)))

    def calibration(self, ratio: float | None, *, is_broken: bool) -> None:
        self.told.append(("calibration", ratio, is_broken))

    def missing(self, values: int, of_values: int) -> None:
        self.told.append(("missing", values, of_values))

    def event_lag(self, newest_ms: int, now_s: float) -> None:
        self.told.append(("event_lag", newest_ms, now_s))

    def stage(self, name: str, seconds: float) -> None:
        self.told.append(("stage", name, seconds))

    def delivery_failed(self, reason: str) -> None:
        self.told.append(("delivery_failed", reason))

    def rebalanced(self, kind: str, partitions: int) -> None:
        self.told.append(("rebalanced", kind, partitions))

    def offset_reset(self, partition: Partition) -> None:
        self.told.append(("offset_reset", partition))

    def model_loaded(self, version: str, trained_at: str, threshold: float) -> None:
        self.told.append(("model_loaded", version, trained_at, threshold))

    def model_refused(self, version: str, reason: str) -> None:
        self.told.append(("model_refused", version, reason))

    def model_confirmed(self) -> None:
        self.told.append(("model_confirmed",))

    def ready(self, *, is_ready: bool) -> None:
        self.told.append(("ready", is_ready))


@dataclass
class RecordingWatcher:
    """How the loop fared, turn by turn."""

    turns: int = 0
    told: list[tuple[bool, str]] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def flowing(self) -> bool:
        """What was told last."""
        return bool(self.told) and self.told[-1][0]

    def turned(self) -> None:
        self.turns += 1

    def flows(self, reason: str) -> None:
        self.told.append((True, reason))

    def stuck(self, reason: str) -> None:
        self.told.append((False, reason))

    def note(self, name: str, value: object) -> None:
        self.notes[name] = value


@dataclass
class ToyModel:
    """Reads the number `x`, which is the score as well; flags what reaches 10."""

    version: str = "v1"
    before_scoring: Callable[[], None] = lambda: None
    undone: int = 0
    broken: Literal["too many", "too few"] | None = None

    schema = FeatureSchema(features=(Feature(path="x", kind="number"),))

    @property
    def note(self) -> ModelNote:
        return ModelNote(self.version, "2026-01-01T00:00:00Z", alert_rate=1e-2, threshold=10)

    def score(self, columns: Columns) -> Scores:
        self.before_scoring()
        x = columns.numbers[:, 0]
        return Scores(
            score=x,
            latent_distance=x / 2,
            reconstruction_error=x / 4,
            flagged=x >= self.note.threshold,
            kinds=np.full(len(x), 3, dtype=np.int8),
            extrapolated=np.zeros(len(x), dtype=bool),
        )

    def explain(
        self, columns: Columns, scores: Scores, read: Callable[[int], Sequence[object]]
    ) -> list[Anomaly]:
        del columns
        return [
            Anomaly(
                row=int(row),
                score=float(scores.score[row]),
                kind="novel",
                latent_distance=float(scores.latent_distance[row]),
                reconstruction_error=float(scores.reconstruction_error[row]),
                features=(FeatureShare("x", read(int(row))[0], 1.0, 1.0),),
            )
            for row in np.flatnonzero(scores.flagged)
        ]

    def delivered(self, scores: Scores) -> CalibrationState:
        return CalibrationState(ratio=float(len(scores)), broken=self.broken)

    def undo(self) -> None:
        self.undone += 1


@dataclass
class ToyScorer:
    """Holds the model in use; a test swaps it."""

    model: ToyModel = field(default_factory=ToyModel)
    asked: int = 0

    def current(self) -> ToyModel:
        self.asked += 1
        return self.model


@dataclass
class FixedScorer:
    """Holds any one model."""

    model: Model

    def current(self) -> Model:
        return self.model


def new_broker(partitions: int = 1, record_bytes_max: int = 1 << 20) -> MemoryBroker:
    """A broker with the topics of the loop."""
    outputs = dict.fromkeys((ANOMALIES, DEAD_LETTERS, SCORES), 1)
    return MemoryBroker({INPUT: partitions, **outputs}, record_bytes_max)


def put(broker: MemoryBroker, values: Iterable[bytes | None], partition: int = 0) -> None:
    """Write records to one partition of the input, whatever troubles are ordered for senders."""
    partitions = broker.partitions(INPUT)
    key = _key(partition, len(partitions))
    with broker.lock:
        start = broker.journal(partitions[partition]).end
        broker._append(
            [
                Output(INPUT, key, value, (), FIRST_MS + 1000 * i)
                for i, value in enumerate(values, start)
            ]
        )


class Worker:
    """One member of the group: pipeline, log and delivery on a broker."""

    def __init__(
        self,
        broker: MemoryBroker,
        settings: LoopSettings = SETTINGS,
        scorer: ToyScorer | None = None,
        delivery: Callable[[MemoryBroker, MemoryRecordLog], Delivery] = MemoryDelivery,
    ) -> None:
        self.metrics = RecordingMetrics()
        self.watcher = RecordingWatcher()
        self.clock = ManualClock()
        self.scorer = scorer or ToyScorer()
        self.log = MemoryRecordLog(broker, INPUT, GROUP, "beginning", self.metrics)
        self.settings = settings
        self.pipeline = self.with_seams(self.log, delivery(broker, self.log))

    def with_seams(self, record_log: RecordLog, delivery: Delivery) -> Pipeline:
        """A loop with another log or delivery."""
        return Pipeline(
            Seams(
                log=record_log,
                codec=JsonCodec(record_bytes_max=100_000, depth_max=10, missing_share_max=0.5),
                scorer=self.scorer,
                encoder=EventEncoder(
                    EventSettings(
                        stream="in",
                        group=GROUP,
                        anomalies_topic=ANOMALIES,
                        dead_letter_topic=DEAD_LETTERS,
                        scores_topic=SCORES,
                        include_record=False,
                        worker_version="0",
                    ),
                    self.clock,
                ),
                delivery=delivery,
                metrics=self.metrics,
                clock=self.clock,
                watcher=self.watcher,
            ),
            self.settings,
        )

    def turn(self, times: int = 1) -> None:
        """Some turns of the loop."""
        for _ in range(times):
            self.pipeline.turn()


def committed(broker: MemoryBroker) -> Mapping[Partition, int]:
    """Positions of the group."""
    return broker.group(GROUP).committed


def lines(broker: MemoryBroker, topic: str) -> list[dict[str, object]]:
    """JSON values of a topic."""
    return [msgspec.json.decode(record.value or b"null") for record in broker.records(topic)]


def ids(broker: MemoryBroker, topic: str) -> list[str]:
    """Which records a topic tells of: the ids in its values."""
    return [str(line["id"]) for line in lines(broker, topic)]


def dead_letter_ids(broker: MemoryBroker) -> list[str]:
    """Which records the dead-letter topic tells of, by its headers."""
    return ["-".join(_origin(record)) for record in broker.records(DEAD_LETTERS)]


def _origin(record: Record) -> list[str]:
    headers = dict(record.headers)
    names = ("topic", "partition", "offset")
    return [(headers[f"__latentwatch.errors.{name}"] or b"").decode() for name in names]


def _key(partition: int, partitions: int) -> bytes:
    """A key that the broker puts into that partition."""
    keys = (b"key-%d" % number for number in itertools.count())
    return next(key for key in keys if zlib.crc32(key) % partitions == partition)
