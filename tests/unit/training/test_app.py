"""Training put together: on a topic, which the in-memory broker stands in for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import training.app
import worker.app.parts
from tests.telemetry import START_MS, encoded, readings
from training.dataset import Bounds
from training.retrain import Progress
from training.settings import TrainSettings, load_train_settings
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.adapters.memory import MemoryBroker, MemoryRecordHistory
from worker.model.artifact import DataSpan, PartitionSpan
from worker.ports import Unreachable
from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    broker = MemoryBroker({"readings": 2})
    stamped = enumerate(encoded(readings(400)))
    broker.send(
        [Output("readings", b"%d" % i, v, timestamp=START_MS + 1000 * i) for i, v in stamped]
    )

    def topic_state(_connection: object, names: Sequence[str], _timeout_s: float) -> dict[str, int]:
        return {name: 2 for name in names if name == "readings"}

    def history(_connection: object, _timings: object, topic: str) -> MemoryRecordHistory:
        return MemoryRecordHistory(broker, topic)

    monkeypatch.setattr(worker.app.parts, "topic_state", topic_state)
    monkeypatch.setattr(training.app, "KafkaRecordHistory", history)
    return broker


def settings(topic: str, store: Path) -> TrainSettings:
    given = {"topic": topic, "store": store, "training.alert_rate": 0.01}
    return load_train_settings(given, config=None, environ={}).settings


def test_a_topic_is_learned_from_and_named_with_its_offsets(
    broker: MemoryBroker, tmp_path: Path
) -> None:
    bounds = Bounds(end_ms=START_MS + 300_000)
    outcome = training.app.train(
        settings("readings", tmp_path), None, bounds, None, None, Progress()
    )
    span = DirectoryArtifactStore(tmp_path, "readings").load(outcome.version).about.span
    ends = [
        sum(record.timestamp < START_MS + 300_000 for record in journal.between(0, journal.end))
        for journal in map(broker.journal, broker.partitions("readings"))
    ]
    assert sum(ends) == 300
    assert span == DataSpan(
        source="readings",
        topic="readings",
        partitions=tuple(
            PartitionSpan(partition=i, start=0, end=end) for i, end in enumerate(ends)
        ),
        first_ms=START_MS,
        last_ms=START_MS + 299_000,
    )
    assert outcome.rows.read == 300


@pytest.mark.usefixtures("broker")
def test_a_topic_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = settings("readimgs", tmp_path)
    with pytest.raises(Unreachable, match=r"^no topic readimgs at localhost:9092$"):
        training.app.train(found, None, Bounds(), None, None, Progress())
