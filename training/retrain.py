"""The story of a training run, from a stretch of the log to a promoted model, in one function."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from training.backtest import Backtest, backtest
from training.dataset import Bounds, DataUnusable, read_stretch, split_by_blocks
from training.discover import LeftOut
from training.evaluate import evaluate
from training.fit import FitSettings, fit_detector
from training.promotion import promote
from training.table import Look, discovered, learnable, rows_max, table_of
from worker.model.artifact import About, Artifact, ArtifactRejected, RowCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.dataset import Split, Stretch
    from training.discover import Discovery
    from training.table import Reader, Table
    from worker.model.artifact import ArtifactStore, DataSpan, Evaluation, Pointer, Verdict
    from worker.model.schema import FeatureSchema, Where
    from worker.ports import RecordHistory


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to learn from and how; `topic` is None for files, `schema` to find it out."""

    stream: str
    topic: str | None
    bounds: Bounds = field(default_factory=Bounds)
    where: Where | None = None
    schema: FeatureSchema | None = None
    rows_max: int = 200_000
    alerts_per_day: float | None = None
    fit: FitSettings = field(default_factory=FitSettings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run; `left_out` holds each path that is no feature, and why."""

    version: str
    schema: FeatureSchema
    left_out: tuple[LeftOut, ...]
    types: tuple[str, tuple[str, ...]] | None
    rows: RowCounts
    backtest: Backtest
    verdict: Verdict
    alert_rate: float
    supported_rate: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Told of how far a run is: reading in offsets, fitting in steps."""

    reading: Callable[[int, int], None] = lambda _done, _of: None
    fitting: Callable[[int, int], None] = lambda _done, _of: None


def retrain(
    history: RecordHistory,
    reader: Reader,
    store: ArtifactStore,
    plan: Plan,
    progress: Progress | None = None,
) -> Outcome:
    """Learn from a stretch of the log, store the model, and promote it if the gate says so.

    Memory is bounded by the records that are kept (training.dataset), not by the stretch.

    Raises DataUnusable when the stretch gives no model, saying what was found; what the history
    and the store raise; PointerMoved when another run promoted meanwhile.
    """
    progress = progress or Progress()
    stretch = read_stretch(history, plan.bounds, plan.rows_max, reader.parse, progress.reading)
    schema, found = discovered(stretch, reader, _look(plan))
    stretch = stretch.within(rows_max(schema))
    table = table_of(stretch, reader, schema)
    split = split_by_blocks(table.columns, stretch.read)
    schema, split, blank = learnable(table.schema, split)
    settings = _resolved(plan, stretch)
    detector = fit_detector(split.fit, split.calibrate, schema, settings, progress.fitting)
    evaluation = evaluate(detector, split.hold_out)
    tried = backtest(detector, split.hold_out, table.records[split.hold_out_rows], stretch, reader)

    pointer = store.current()
    verdict = promote(evaluation, _usable(store, pointer))
    rows = _row_counts(stretch, split, table)
    about = _about(plan, stretch, evaluation, verdict, rows)
    version = store.save(Artifact(detector, about, plan.fit.network.kind))
    if verdict.promoted:
        expected = pointer.version if pointer else None
        store.promote(version, "; ".join(verdict.reasons), expected=expected)
    return Outcome(
        version=version,
        schema=schema,
        left_out=(*found.left_out, *(LeftOut(path, why) for path, why in blank.items())),
        types=found.types,
        rows=rows,
        backtest=tried,
        verdict=verdict,
        alert_rate=settings.alert_rate,
        supported_rate=detector.calibration.supported_rate,
    )


def _usable(store: ArtifactStore, pointer: Pointer | None) -> Artifact | None:
    """The model in use; None where there is none, or where what is stored is damaged.

    A damaged model is no reason to keep a good one out.
    """
    if pointer is None:
        return None
    try:
        return store.load(pointer.version)
    except ArtifactRejected as error:
        log.warning("the current model cannot be used, a new one takes its place: %s", error)
        return None


def inspect(
    history: RecordHistory, reader: Reader, plan: Plan, progress: Progress | None = None
) -> Discovery:
    """What training would learn from, without learning. Raises as retrain does."""
    reading = (progress or Progress()).reading
    stretch = read_stretch(history, plan.bounds, plan.rows_max, reader.parse, reading)
    return discovered(stretch, reader, _look(plan))[1]


def _look(plan: Plan) -> Look:
    return Look(plan.where, plan.bounds.time, plan.schema)


def _resolved(plan: Plan, stretch: Stretch) -> FitSettings:
    """The alert rate, from alerts a day where those were asked for."""
    if plan.alerts_per_day is None:
        return plan.fit
    per_day = stretch.per_day()
    if per_day is None:
        msg = "alerts a day need event times, and the stretch has none (see --time)"
        raise DataUnusable(msg)
    rate = min(plan.alerts_per_day / per_day, 0.5)
    return replace(plan.fit, alert_rate=rate)


def _row_counts(stretch: Stretch, split: Split, table: Table) -> RowCounts:
    return RowCounts(
        read=stretch.read,
        sampled=len(stretch.records),
        rejected=table.rejected,
        skipped=table.skipped,
        fit=len(split.fit),
        calibrate=len(split.calibrate),
        hold_out=len(split.hold_out),
    )


def _about(
    plan: Plan, stretch: Stretch, evaluation: Evaluation, verdict: Verdict, rows: RowCounts
) -> About:
    return About(
        stream=plan.stream,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        seed=plan.fit.seed,
        span=_span(plan, stretch),
        rows=rows,
        evaluation=evaluation,
        verdict=verdict,
        libraries=_libraries(),
    )


def _span(plan: Plan, stretch: Stretch) -> DataSpan:
    """Offsets only of a topic: a worker starts where they end."""
    if plan.topic is None:
        return msgspec.structs.replace(stretch.span, topic=None, partitions=())
    return msgspec.structs.replace(stretch.span, topic=plan.topic)


def _libraries() -> dict[str, str]:
    names = ("latentwatch", "torch", "numpy")
    return {
        "python": platform.python_version(),
        **{n: importlib.metadata.version(n) for n in names},
    }
