"""What an end-to-end test works on: a cluster, topics of its own, workers that never outlive it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.stand.programs import Finished, Worker, latentwatch
from tests.waiting import wait_until
from worker.settings import variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kafka.consumer.fetcher import ConsumerRecord

    from bench.stand.topics import Cluster

FLEET = "fleet"
"""The stream of the model that is trained once, from a file."""

WAIT_S = 60.0


@dataclass
class Stage:
    """Settings are named as in the product (`kafka.session_timeout_s`) and given as text."""

    cluster: Cluster
    folder: Path
    store: Path
    workers: list[Worker] = field(default_factory=list)

    def topic(self, partitions: int = 1) -> str:
        """A new topic and its output topics."""
        name = f"pumps-{uuid.uuid4().hex[:8]}"
        self.cluster.create(name, partitions)
        return name

    def settings(self, topic: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Variables for a worker that scores all of `topic` with the fleet's model."""
        named = {
            "kafka.bootstrap_servers": self.cluster.bootstrap_servers,
            "topic": topic,
            "stream": FLEET,
            "store": str(self.store),
            "group": group(topic),
            "output.scores": "all",
            **(more or {}),
        }
        return {variable(name): value for name, value in named.items()}

    def start(
        self, topic: str, more: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
    ) -> Worker:
        """A worker that has been started."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = Worker(self.settings(topic, more), log, arguments)
        self.workers.append(worker)
        return worker

    def ready(
        self, topic: str, more: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
    ) -> Worker:
        """A worker that is ready and holds partitions."""
        worker = self.start(topic, more, arguments).wait_ready()
        wait_until(lambda: worker.metric("assigned_partitions"), WAIT_S, "partitions are assigned")
        return worker

    def train(self, *arguments: str, store: Path | None = None) -> Finished:
        """Run `latentwatch train`."""
        named = {
            "kafka.bootstrap_servers": self.cluster.bootstrap_servers,
            "store": str(store or self.store),
        }
        return latentwatch(
            "train", *arguments, settings={variable(name): value for name, value in named.items()}
        )

    def wait_done(self, topic: str, timeout_s: float = WAIT_S) -> None:
        """Wait until the topic's group has dealt with all that is on it now."""
        self.cluster.wait_committed(group(topic), self.cluster.ends(topic), timeout_s)

    def scores(self, topic: str) -> list[dict[str, Any]]:
        """All lines of the scores topic."""
        return [body(record) for record in self.cluster.read(f"{topic}.scores")]

    def events(self, topic: str) -> list[dict[str, Any]]:
        """All anomaly events."""
        return [body(record) for record in self.cluster.read(f"{topic}.anomalies")]

    def dead_letters(self, topic: str) -> list[ConsumerRecord]:
        """All records of the dead-letter topic."""
        return self.cluster.read(f"{topic}.dlq")

    def close(self) -> None:
        """Nothing that was started here goes on."""
        for worker in self.workers:
            if worker.code is None:
                worker.kill()


def group(topic: str) -> str:
    """The consumer group of a topic's workers."""
    return f"latentwatch.{topic}"


def body(record: ConsumerRecord) -> dict[str, Any]:
    """The JSON object in a record."""
    found: dict[str, Any] = json.loads(record.value)
    return found


def ids(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """The records that lines of scores or events are about, in order of their names."""
    return sorted(line["id"] for line in lines)
