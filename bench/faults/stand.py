"""What a fault may touch, and how it is known that all flows again after it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from bench.stand.waiting import wait_for

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from bench.faults.feeder import Feeder
    from bench.faults.monitor import Monitor
    from bench.faults.topics import Topics
    from bench.faults.workers import Fleet
    from bench.stand.cluster import BrokerCluster
    from worker.adapters.artifact_store import DirectoryArtifactStore

HUNG_S = 120.0
"""No progress for so long after a fault has ended is a hang."""
IN_FLIGHT_S = 1.0
"""What a worker had in its hands when it was hurt may still arrive for so long."""
WHOLE_S = 90.0

PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Names:
    """What the topics and the group are called."""

    topic: str

    @property
    def scores(self) -> str:
        """Where scores go."""
        return f"{self.topic}.scores"

    @property
    def anomalies(self) -> str:
        """Where anomaly events go."""
        return f"{self.topic}.anomalies"

    @property
    def dead_letters(self) -> str:
        """Where dead letters go."""
        return f"{self.topic}.dlq"

    @property
    def group(self) -> str:
        """The workers' consumer group."""
        return f"latentwatch.{self.topic}"

    def slot(self, number: int) -> str:
        """The name that a worker has again after a restart."""
        return f"worker-{number}"

    def transactional_id(self, number: int) -> str:
        """Under which name the worker of a slot delivers exactly once."""
        return f"{self.group}-{self.slot(number)}"

    @property
    def all(self) -> dict[str, int]:
        """Every topic with its number of partitions."""
        names = (self.topic, self.scores, self.anomalies, self.dead_letters)
        return dict.fromkeys(names, PARTITIONS)


@dataclass(frozen=True, slots=True)
class Stand:
    """Everything that runs, and the source of chance."""

    names: Names
    mode: str
    cluster: BrokerCluster
    topics: Topics
    fleet: Fleet
    feeder: Feeder
    monitor: Monitor
    store: DirectoryArtifactStore
    rng: random.Random

    def flows(self) -> bool:
        """Wait until every partition delivers what was fed from now on; whether it does in time."""
        time.sleep(IN_FLIGHT_S)
        highest = self.monitor.highest()
        mark = {p: max(end, highest[p]) for p, end in self.feeder.ends().items()}
        return _in_time(lambda: self.monitor.is_past(mark), HUNG_S)

    def is_whole(self) -> bool:
        """Wait until all replicas are in sync; whether they are in time."""
        return _in_time(lambda: self.topics.is_whole(self.cluster.size), WHOLE_S)

    def drains(self) -> bool:
        """Wait until all that was fed has come out; whether it has in time."""
        ends = self.feeder.ends()
        return _in_time(lambda: self.monitor.reaches(ends), HUNG_S)

    def workers(self, count: int) -> None:
        """Run that many workers, each at work."""
        if len(self.fleet.workers) != count:
            self.fleet.resize(count)
        if _in_time(lambda: all(each.is_at_work() for each in self.fleet.workers), HUNG_S):
            self.flows()


@dataclass(slots=True)
class Fault:
    """One injected fault: which of its kind it was, and when something was done to the system."""

    kind: str
    detail: str = ""
    steps: list[float] = field(default_factory=list)

    @property
    def began(self) -> float:
        """When the first thing was done."""
        return self.steps[0]

    def begins(self, detail: str) -> None:
        """All is prepared; from here on time counts."""
        self.detail = detail
        self.steps = [time.monotonic()]

    def goes_on(self) -> None:
        """The next thing is done: a return, or the next of several in turn."""
        self.steps.append(time.monotonic())


def _in_time(condition: Callable[[], bool], timeout_s: float) -> bool:
    def holds() -> bool:
        try:
            return condition()
        except KafkaException:
            return False

    try:
        return wait_for(holds, timeout_s, "it is so")
    except TimeoutError:
        return False
