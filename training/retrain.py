"""The story of a training run, from a stretch of the log to a promoted model, in one function."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from training.dataset import Bounds, DataUnusable, read_stretch, split_by_blocks
from training.discover import discover
from training.evaluate import evaluate
from training.fit import FitSettings, fit_detector
from training.promotion import promote
from worker.model.artifact import About, Artifact, ArtifactRejected, RowCounts
from worker.model.schema import Columns
from worker.ports import RecordCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from training.dataset import Split, Stretch
    from training.discover import Discovery
    from worker.model.artifact import ArtifactStore, DataSpan, Evaluation, Pointer, Verdict
    from worker.model.schema import FeatureSchema, Where
    from worker.ports import RecordHistory

log = logging.getLogger(__name__)

EMPTY_SHARE_MIN = 0.001
"""Records without any feature are a shape of their own where at least this share is so."""
_ROWS_AT_ONCE = 4096


class Reader(RecordCodec, Protocol):
    """The worker's codec, which can also parse a single record."""

    def parse(self, value: bytes) -> dict[str, object]:
        """The JSON object in a value. Raises a ValueError."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What to learn from and how; `topic` is None for files."""

    stream: str
    topic: str | None
    bounds: Bounds = field(default_factory=Bounds)
    where: Where | None = None
    rows_max: int = 200_000
    alerts_per_day: float | None = None
    fit: FitSettings = field(default_factory=FitSettings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run; `left_out` holds each path that is no feature, and why."""

    version: str
    schema: FeatureSchema
    left_out: dict[str, str]
    rows: RowCounts
    evaluation: Evaluation
    verdict: Verdict
    alert_rate: float
    per_day: float | None
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

    Raises DataUnusable when the stretch gives no model, saying what was found; what the history
    and the store raise; PointerMoved when another run promoted meanwhile.
    """
    progress = progress or Progress()
    stretch = read_stretch(history, plan.bounds, plan.rows_max, reader.parse, progress.reading)
    schema, left_out = _schema(stretch, reader, plan)
    schema, columns, counts = _decoded(stretch, reader, schema)
    split = split_by_blocks(columns, stretch.read)
    schema, split, blank = _learnable(schema, split)
    settings = _resolved(plan, stretch)
    detector = fit_detector(split.fit, split.calibrate, schema, settings, progress.fitting)
    evaluation = evaluate(detector, split.hold_out)

    pointer = store.current()
    verdict = promote(evaluation, _usable(store, pointer))
    rows = _row_counts(stretch, split, counts)
    about = _about(plan, stretch, evaluation, verdict, rows)
    version = store.save(Artifact(detector, about))
    if verdict.promoted:
        expected = pointer.version if pointer else None
        store.promote(version, "; ".join(verdict.reasons), expected=expected)
    return Outcome(
        version=version,
        schema=schema,
        left_out={**left_out, **blank},
        rows=rows,
        evaluation=evaluation,
        verdict=verdict,
        alert_rate=settings.alert_rate,
        per_day=stretch.per_day(),
        supported_rate=1 / detector.calibration.score.rows,
    )


def _schema(stretch: Stretch, reader: Reader, plan: Plan) -> tuple[FeatureSchema, dict[str, str]]:
    found = discover(_parsed(stretch, reader), plan.where, plan.bounds.time)
    if found.schema is None:
        msg = f"no usable features in {found.records} records of {stretch.read}"
        raise DataUnusable(f"{msg}; found:\n{_what_was_found(found, plan.where)}")
    return found.schema, found.left_out


def _what_was_found(found: Discovery, where: Where | None) -> str:
    if found.left_out:
        return "\n".join(f"  {path}: {why}" for path, why in sorted(found.left_out.items()))
    if where is not None and not found.records:
        return f"  no record that holds {where.value} at {where.path}"
    return "  no JSON objects with values in them"


def _learnable(schema: FeatureSchema, split: Split) -> tuple[FeatureSchema, Split, dict[str, str]]:
    """Without the numbers that hold no value where the network learns, and those by path."""
    kept = np.asarray(~np.isnan(split.fit.numbers).all(axis=0))
    why = "no value in the records to learn from"
    blank = {f.path: why for f, is_kept in zip(schema.numbers, kept, strict=True) if not is_kept}
    features = tuple(feature for feature in schema.features if feature.path not in blank)
    if not features:
        raise DataUnusable(f"no usable features; found:\n  {', '.join(sorted(blank))}: {why}")
    narrower = msgspec.structs.replace(schema, features=features)
    return narrower, split.with_numbers(kept), blank


def _parsed(stretch: Stretch, reader: Reader) -> Iterator[dict[str, object]]:
    """Every record that can be parsed; the others are counted when they are decoded."""
    for record in stretch.records:
        if record.value is not None:
            try:
                yield reader.parse(record.value)
            except ValueError:
                continue


def _decoded(
    stretch: Stretch, reader: Reader, schema: FeatureSchema
) -> tuple[FeatureSchema, Columns, tuple[int, int]]:
    """The schema with what only the columns tell, the columns, and (rejected, skipped)."""
    lenient = msgspec.structs.replace(schema, empty_records=True)
    parts: list[Columns] = []
    rejected = skipped = empty = 0
    for start in range(0, len(stretch.records), _ROWS_AT_ONCE):
        values = [r.value for r in stretch.records[start : start + _ROWS_AT_ONCE]]
        decoded = reader.decode(values, lenient)
        parts.append(decoded.columns)
        rejected += len(decoded.rejections)
        skipped += len(decoded.skipped)
        empty += sum(1 for row in decoded.skipped if _is_ours(values[row], reader, schema))
    columns = Columns(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.watched for part in parts]),
    )
    described = _described(schema, columns)
    is_shape = empty >= max(1, EMPTY_SHARE_MIN * len(stretch.records))
    complete = msgspec.structs.replace(described, empty_records=is_shape)
    return complete, columns, (rejected, skipped)


def _is_ours(value: bytes | None, reader: Reader, schema: FeatureSchema) -> bool:
    """Whether a skipped record was skipped for having no feature at all."""
    if value is None:
        return False
    return schema.where is None or schema.where.matches(reader.parse(value))


def _described(schema: FeatureSchema, columns: Columns) -> FeatureSchema:
    """The schema with bounds and missing shares of its number features filled in."""
    if not len(columns):
        return schema
    missing = np.isnan(columns.numbers)
    lower = np.where(missing, np.inf, columns.numbers).min(axis=0)
    upper = np.where(missing, -np.inf, columns.numbers).max(axis=0)
    known = {
        feature.path: msgspec.structs.replace(
            feature,
            lower=float(lower[j]) if lower[j] <= upper[j] else None,
            upper=float(upper[j]) if lower[j] <= upper[j] else None,
            missing_share=float(missing[:, j].mean()),
        )
        for j, feature in enumerate(schema.numbers)
    }
    for j, feature in enumerate(schema.categories):
        share = float((columns.codes[:, j] < 0).mean())
        known[feature.path] = msgspec.structs.replace(feature, missing_share=share)
    features = tuple(known[feature.path] for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)


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


def _row_counts(stretch: Stretch, split: Split, counts: tuple[int, int]) -> RowCounts:
    return RowCounts(
        read=stretch.read,
        sampled=len(stretch.records),
        rejected=counts[0],
        skipped=counts[1],
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
