"""The loop: poll, decode, score, explain, deliver. Knows only ports; no Kafka, no files, no torch.

Its law: a position is committed only when every output of every record before it is acknowledged.
So whatever goes wrong, the answer is to rewind to what is committed and read again.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from worker.limits import DeadLetterGuard, FloodLimit
from worker.model.calibration import severity
from worker.ports import MembershipLost, OutputTooLarge, Retryable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.limits import Told
    from worker.model.detector import Scores
    from worker.ports import (
        Clock,
        Decoded,
        Delivery,
        Encoder,
        LatentwatchError,
        Metrics,
        Model,
        RecordCodec,
        RecordLog,
        Scorer,
    )
    from worker.records import Anomaly, Output, RawBatch, RawRecord

log = logging.getLogger(__name__)

BACK_OFF_FIRST_S = 0.1
BACK_OFF_LAST_S = 5.0


class Watcher(Protocol):
    """Told how the loop fares: for health checks and the watchdog."""

    def turned(self) -> None:
        """The loop is alive."""
        ...

    def flows(self, reason: str) -> None:
        """Records flow, or would if there were any."""
        ...

    def stuck(self, reason: str) -> None:
        """Records do not flow for now; why, for the operator."""
        ...

    def note(self, name: str, value: object) -> None:
        """A fact for the operator; `value` can be written as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Seams:
    """Everything that the loop works with."""

    log: RecordLog
    codec: RecordCodec
    scorer: Scorer
    encoder: Encoder
    delivery: Delivery
    metrics: Metrics
    clock: Clock
    watcher: Watcher


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """Bounds of a turn, of dead letters, and of events.

    Dead letters may be `dead_letter_share_max` of the last `dead_letter_window` records at most.
    """

    records_max: int
    poll_timeout_s: float
    dead_letter_share_max: float
    dead_letter_window: int
    events_per_s_max: float


@dataclass(frozen=True, slots=True)
class Processed:
    """What one model made of a batch; nothing has left yet."""

    model: Model
    decoded: Decoded
    scores: Scores
    anomalies: Sequence[Anomaly]


def process(
    records: Sequence[RawRecord],
    model: Model,
    codec: RecordCodec,
    took: Callable[[str], None] = lambda _stage: None,
) -> Processed:
    """Decode, score and explain records with one model; `took` is told when a stage is over."""
    decoded = codec.decode([record.value for record in records], model.schema)
    took("decode")
    scores = model.score(decoded.columns)
    took("score")

    def read(row: int) -> Sequence[object]:
        value = records[int(decoded.rows[row])].value
        return [] if value is None else codec.read(value, model.schema)

    anomalies = model.explain(decoded.columns, scores, read)
    took("explain")
    return Processed(model, decoded, scores, anomalies)


def outputs_of(
    records: Sequence[RawRecord], processed: Processed, told: Told, encoder: Encoder
) -> list[Output]:
    """All that is to be published of a batch: anomalies, dead letters, lines of scores."""
    decoded, note = processed.decoded, processed.model.note

    def record_of(found: Anomaly) -> RawRecord:
        return records[int(decoded.rows[found.row])]

    outputs = [encoder.anomaly(record_of(found), found, note) for found in told.singly]
    if told.summed_up:
        summed_up = [record_of(found) for found in told.summed_up]
        outputs.append(encoder.flood(summed_up, told.summed_up, note))
    outputs += [
        encoder.dead_letter(records[rejection.row], rejection, note)
        for rejection in decoded.rejections
    ]
    return outputs + encoder.scores(records, decoded, processed.scores)


class Pipeline:
    """Runs turns until it is told to stop; a turn either commits a batch or changes nothing."""

    def __init__(self, seams: Seams, settings: LoopSettings) -> None:
        """Take the seams into use; nothing is read before the first turn."""
        self._seams = seams
        self._settings = settings
        self._guard = DeadLetterGuard(settings.dead_letter_share_max, settings.dead_letter_window)
        self._flood = FloodLimit(settings.events_per_s_max, seams.clock.monotonic())
        self._failures = 0
        self._held_by: str | None = None
        self._held_because = ""

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Turn until `should_stop()`; the batch in hand is always finished.

        Raises what no retry mends: NotPermitted, Fenced, Unreadable, and defects.
        """
        while not should_stop():
            self.turn()

    def turn(self) -> None:
        """One poll and what follows from it."""
        self._seams.watcher.turned()
        try:
            batch = self._poll()
            if self._held_by is not None:
                self._stay_held(batch)
            elif batch.records or batch.positions:
                self._handle(batch)
            else:  # on an idle topic, too, a promoted model takes over
                self._seams.scorer.current()
        except (Retryable, MembershipLost) as error:
            self._recover(error)
        else:
            if batch.membership is not None:  # without one the log was only finding its place
                self._failures = 0
                self._tell()

    def _poll(self) -> RawBatch:
        seams, stages = self._seams, _Stages(self._seams)
        batch = seams.log.poll(self._settings.records_max, self._settings.poll_timeout_s)
        size = sum(len(record.value) for record in batch.records if record.value is not None)
        seams.metrics.batch_polled(len(batch.records), size, seams.log.lags())
        stages.took("poll")
        return batch

    def _handle(self, batch: RawBatch) -> None:
        seams, stages = self._seams, _Stages(self._seams)
        processed = process(batch.records, seams.scorer.current(), seams.codec, stages.took)
        rejected = len(processed.decoded.rejections)
        if not self._guard.allows(len(batch.records), rejected):
            self._hold(processed, rejected)
            return
        told = self._flood.split(processed.anomalies, seams.clock.monotonic())
        outputs = outputs_of(batch.records, processed, told, seams.encoder)
        stages.took("encode")
        try:
            self._deliver(outputs, batch)
        except (Retryable, MembershipLost):
            processed.model.undo()
            raise
        stages.took("deliver")
        self._guard.count(len(batch.records), rejected)
        self._flood.count(told, seams.clock.monotonic())
        self._account(batch, processed, told)

    def _deliver(self, outputs: list[Output], batch: RawBatch) -> None:
        """Deliver, with stand-ins for outputs that do not fit; each output shrinks finitely."""
        while True:
            try:
                self._seams.delivery.deliver(outputs, batch.positions, batch.membership)
            except OutputTooLarge as error:
                if not self._shrink(outputs, outputs[error.index]):
                    raise
                log.warning("outputs are cut to fit: %s", error)
            else:
                return

    def _shrink(self, outputs: list[Output], refused: Output) -> bool:
        """Shrink the one that was refused, and all for its topic that are no smaller.

        One at a time would deliver a batch of large records as often as it has records.
        """
        size, found = refused.size, False
        for i, output in enumerate(outputs):
            if output.topic == refused.topic and output.size >= size:
                smaller = self._seams.encoder.shrunk(output)
                if smaller is not None:
                    outputs[i] = smaller
                found |= output is refused and smaller is not None
        return found

    def _account(self, batch: RawBatch, processed: Processed, told: Told) -> None:
        """Tell the metrics of a batch that is committed."""
        metrics, decoded, scores = self._seams.metrics, processed.decoded, processed.scores
        flagged = len(processed.anomalies)
        metrics.batch_processed(
            normal=len(scores) - flagged,
            anomalies=flagged,
            invalid=len(decoded.rejections),
            skipped=len(decoded.skipped),
        )
        for found in processed.anomalies:
            level = severity(found.score, processed.model.note.threshold)
            metrics.anomaly(level, found.features[0].name if found.features else "")
        if told.summed_up:
            metrics.summed_up(len(told.summed_up))
        for rejection in decoded.rejections:
            metrics.rejected(rejection.reason)
        if decoded.missing_by_feature:
            metrics.features_missing(decoded.missing_by_feature)
        if len(scores):
            metrics.scores(scores.score, scores.latent_distance, scores.reconstruction_error)
            calibration = processed.model.delivered(scores)
            metrics.calibration(calibration.ratio, is_broken=calibration.broken is not None)
            self._seams.watcher.note("calibration", asdict(calibration))
            values = len(scores) * len(processed.model.schema.features)
            metrics.missing(decoded.missing, values)
        if batch.records:
            newest = max(record.timestamp for record in batch.records)
            metrics.event_lag(newest, self._seams.clock.now())

    def _hold(self, processed: Processed, rejected: int) -> None:
        """Stop before a topic drains into the dead letters; another model may lift it."""
        version = processed.model.note.version
        reason = (
            f"dead letters would pass {self._settings.dead_letter_share_max:.0%} of the last "
            f"{self._settings.dead_letter_window} records ({rejected} in this batch, first: "
            f"{processed.decoded.rejections[0].reason}); held until another model than {version}"
        )
        log.error("%s", reason)
        self._held_by, self._held_because = version, reason
        self._seams.log.rewind()
        self._seams.log.pause()
        self._seams.metrics.delivery_failed("dead_letter_limit")
        if processed.decoded.missing_by_feature:
            self._seams.metrics.features_missing(processed.decoded.missing_by_feature)

    def _stay_held(self, batch: RawBatch) -> None:
        if batch.records:  # a rebalance forgets that we had paused
            self._seams.log.rewind()
            self._seams.log.pause()
        if self._seams.scorer.current().note.version != self._held_by:
            self._held_by = None
            self._seams.log.rewind()
            self._seams.log.resume()

    def _tell(self) -> None:
        """Say whether records flow after a turn in which nothing failed."""
        if self._held_by is None:
            self._seams.watcher.flows("running")
        else:
            self._seams.watcher.stuck(self._held_because)

    def _recover(self, error: LatentwatchError) -> None:
        self._failures += 1
        self._seams.metrics.delivery_failed(type(error).__name__)
        self._seams.watcher.stuck(str(error))
        self._seams.log.rewind()
        wait = min(BACK_OFF_FIRST_S * 2 ** min(self._failures - 1, 10), BACK_OFF_LAST_S)
        log.warning("nothing committed, reading again in %.1f s: %s", wait, error)
        self._seams.clock.sleep(wait)


class _Stages:
    """Tells the metrics how long each stage of a turn took."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams
        self._since = seams.clock.monotonic()

    def took(self, stage: str) -> None:
        """The stage that began when the one before it ended is over."""
        now = self._seams.clock.monotonic()
        self._seams.metrics.stage(stage, now - self._since)
        self._since = now
