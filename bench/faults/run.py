"""One run of the bench: everything is set up, hurt as the schedule says, drained and judged."""

from __future__ import annotations

import random
import shutil
import time
import uuid
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.faults.feeder import Feeder
from bench.faults.kinds import KINDS, schedule
from bench.faults.monitor import Monitor
from bench.faults.oracle import judge
from bench.faults.records import training_line
from bench.faults.report import Outcome, Result
from bench.faults.stand import PARTITIONS, Fault, Names, Stand
from bench.faults.topics import Topics
from bench.faults.workers import Fleet
from bench.stand.programs import latentwatch, succeed
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.settings import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bench.stand.cluster import BrokerCluster

STREAM = "faults"
TRAINING_RECORDS = 2_000
RATE = 200.0
"""Records a second: many enough that every batch holds some, few enough for two cores."""
SESSION_S = 6
SETTINGS = {
    "kafka.session_timeout_s": str(SESSION_S),
    "kafka.heartbeat_s": "1.5",
    "kafka.max_poll_interval_s": "30",
    "kafka.poll_records_max": "500",
    "watchdog_s": "45",
    "model_check_s": "1",
    "output.scores": "all",
    "from_beginning": "true",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: faults of these kinds begin within `seconds`, in the order of the seed."""

    mode: str
    seconds: float
    seed: int
    kinds: Sequence[str]


def trained(folder: Path) -> Path:
    """A store with a small model, trained within seconds."""
    readings = folder / "readings.jsonl"
    readings.write_bytes(b"".join(map(training_line, range(TRAINING_RECORDS))))
    store = folder / "models"
    arguments = ("train", str(readings), "--stream", STREAM, "--store", str(store))
    succeed(latentwatch(*arguments))
    return store


def run(
    plan: Plan, cluster: BrokerCluster, store: Path, logs: Path, say: Callable[[str], None]
) -> Result:
    """Inject faults and judge; what workers say goes to `logs`, emptied first."""
    with opened(plan, cluster, store, logs) as stand:
        outcomes = list(_injected(stand, plan, say))
        say("draining")
        stand.feeder.stop()
        drained = stand.drains()
        stand.fleet.resize(0)
        events_count = all(each.fault.kind != "anomalies_topic_deleted" for each in outcomes)
        stand.is_whole()
        verdict = judge(stand.topics.read, stand.names, stand.feeder.fed, events_count=events_count)
        exits = Counter(stand.fleet.codes)
        return Result(plan.mode, outcomes, verdict, stand.feeder.fed, drained, exits)


@contextmanager
def opened(plan: Plan, cluster: BrokerCluster, store: Path, logs: Path) -> Iterator[Stand]:
    """Topics, workers, feeder and monitor, at work; all but the topics end with the context."""
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    names = Names(f"faults-{uuid.uuid4().hex[:8]}")
    servers = cluster.bootstrap_servers
    topics = Topics(servers)
    topics.create(names.all, min(3, cluster.size))

    def settings_of(slot: int) -> dict[str, str]:
        named = {
            **SETTINGS,
            "kafka.bootstrap_servers": servers,
            "topic": names.topic,
            "stream": STREAM,
            "store": str(store),
            "group": names.group,
            "delivery": plan.mode,
            **({"slot": names.slot(slot)} if plan.mode == "exactly_once" else {}),
        }
        return {variable(name): value for name, value in named.items()}

    with (
        closing(Fleet(settings_of, logs)) as fleet,
        closing(Feeder(servers, names.topic, PARTITIONS, RATE)) as feeder,
        closing(Monitor(servers, names.scores, PARTITIONS)) as monitor,
    ):
        rng = random.Random(plan.seed)
        models = DirectoryArtifactStore(store, STREAM)
        stand = Stand(names, plan.mode, cluster, topics, fleet, feeder, monitor, models, rng)
        fleet.resize(2)
        if not stand.flows():
            raise AssertionError(f"no scores come; the first worker said:\n{fleet.said()}")
        yield stand


def _injected(stand: Stand, plan: Plan, say: Callable[[str], None]) -> Iterator[Outcome]:
    kinds = schedule(plan.kinds, stand.rng)
    ends_at = time.monotonic() + plan.seconds
    while time.monotonic() < ends_at:
        fault = Fault(next(kinds))
        KINDS[fault.kind].inject(stand, fault)
        hung = not stand.flows()
        recovery_s = float("inf") if hung else stand.monitor.recovery(fault.steps)
        told = "HUNG" if hung else f"{recovery_s:.1f} s"
        say(f"{time.strftime('%H:%M:%S')} {fault.kind:24} {fault.detail:36} {told}")
        yield Outcome(fault, recovery_s, hung)
        stand.is_whole()
