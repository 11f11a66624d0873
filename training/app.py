"""The composition root of training: settings to adapters to the story in retrain.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.fit import FitSettings
from training.networks import NetworkSettings
from training.retrain import Outcome, Plan, Progress, retrain
from training.retrain import inspect as inspect_stretch
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.adapters.files import FilesHistory, ValuesHistory
from worker.adapters.kafka import KafkaRecordHistory, quiet_client_logs
from worker.app import codec_for, connection_of, require_topics, timings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.dataset import Bounds
    from training.discover import Discovery
    from training.settings import TrainSettings
    from worker.model.schema import FeatureSchema, Where
    from worker.ports import RecordHistory


def train(
    settings: TrainSettings,
    source: Path | Sequence[bytes | None] | None,
    bounds: Bounds,
    where: Where | None,
    schema: FeatureSchema | None,
    progress: Progress,
) -> Outcome:
    """Train on a file, on values in memory, or, given neither, on the topic.

    `schema` says what to learn from, None to find it out.

    Raises DataUnusable, Unreachable, NotPermitted, ArtifactRejected, PointerMoved.
    """
    history = _history(settings, source)
    store = DirectoryArtifactStore(settings.store, settings.stream)
    plan = _plan(settings, source, bounds, where, schema)
    try:
        return retrain(history, codec_for(settings.limits), store, plan, progress)
    finally:
        history.close()


def inspect(
    settings: TrainSettings,
    source: Path | Sequence[bytes | None] | None,
    bounds: Bounds,
    where: Where | None,
    schema: FeatureSchema | None,
    progress: Progress,
) -> Discovery:
    """What `train` would learn from; nothing is stored. Raises as train does."""
    history = _history(settings, source)
    plan = _plan(settings, source, bounds, where, schema)
    try:
        return inspect_stretch(history, codec_for(settings.limits), plan, progress)
    finally:
        history.close()


def _plan(
    settings: TrainSettings,
    source: Path | Sequence[bytes | None] | None,
    bounds: Bounds,
    where: Where | None,
    schema: FeatureSchema | None,
) -> Plan:
    training = settings.training
    return Plan(
        stream=settings.stream,
        topic=settings.topic if source is None else None,
        bounds=bounds,
        where=where,
        schema=schema,
        rows_max=training.rows_max,
        alerts_per_day=training.alerts_per_day,
        fit=FitSettings(
            alert_rate=training.alert_rate,
            seed=training.seed,
            threads=training.threads,
            network=NetworkSettings(variational=training.network == "variational"),
        ),
    )


def _history(
    settings: TrainSettings, source: Path | Sequence[bytes | None] | None
) -> RecordHistory:
    if source is None:
        return _topic_history(settings)
    if isinstance(source, Path):
        return FilesHistory(source)
    return ValuesHistory(source, settings.stream)


def _topic_history(settings: TrainSettings) -> RecordHistory:
    quiet_client_logs()
    topic, connection = settings.topic or "", connection_of(settings.kafka)
    require_topics(connection, [topic])
    return KafkaRecordHistory(connection, timings_of(settings.kafka), topic)
