"""Whatever comes first: a worker waits for broker, topics and model, and ends well at any time."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end import fleet
from tests.end_to_end.stage import FLEET, WAIT_S, group, ids
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from bench.stand.programs import Worker
    from tests.end_to_end.stage import Stage
    from workbench.demo.brokers import MavenBroker

pytestmark = pytest.mark.timeout(300)

LATE_S = 200
STOPPED_S = 30.0
"""What an orchestrator gives a process before it kills it."""


def waits_for(worker: Worker, what: str) -> None:
    """Until it says that this is what it waits for, alive and not ready."""
    wait_until(lambda: what in worker.get("/readyz")[1], LATE_S, f"it waits for {what}")
    assert (worker.get("/readyz")[0], worker.get("/livez")[0]) == (503, 200)


def test_a_worker_that_comes_first_waits_for_each_in_turn_and_may_be_stopped_meanwhile(
    own_stage: Stage, own_broker: MavenBroker, tmp_path: Path
) -> None:
    topic, store = "late", tmp_path / "models"
    settings = {
        "store": str(store),
        "startup_timeout_s": str(LATE_S),
        "delivery": "exactly_once",
        "slot_folder": str(tmp_path / "slots"),
        "kafka.session_timeout_s": "6",
        "kafka.heartbeat_s": "1",
    }
    own_broker.node.stop()
    worker = own_stage.start(topic, settings, ["--from-beginning"])
    waits_for(worker, "no broker answers")
    _stops_well(own_stage, topic, settings, "no broker answers")

    own_broker.node.start()
    waits_for(worker, f"no topic {topic}")
    own_stage.cluster.create(topic, 1)
    waits_for(worker, "no promoted model")
    _stops_well(own_stage, topic, settings, "no promoted model")

    places = own_stage.cluster.produce(topic, fleet.messages(0, 500))
    shutil.copytree(own_stage.store / FLEET, store / FLEET)
    own_stage.wait_done(topic)
    assert worker.wait_ready().get("/livez")[0] == 200

    own_broker.node.stop()
    wait_until(lambda: worker.get("/readyz")[0] == 503, WAIT_S, "it says that it is not ready")
    assert worker.stop(STOPPED_S) == 0
    own_broker.node.start()
    assert ids(own_stage.scores(topic)) == sorted(place.id for place in places)


def test_a_batch_in_hand_is_finished_before_the_end(stage: Stage) -> None:
    """Exactly what is committed has been scored, each record once."""
    topic = stage.topic()
    settings = {"delivery": "exactly_once", "slot": "last", "kafka.poll_records_max": "50"}
    stage.cluster.produce(topic, fleet.messages(0, 5_000))
    worker = stage.start(topic, settings, ["--from-beginning"])
    wait_until(lambda: stage.cluster.committed(group(topic)).get(0, 0), WAIT_S, "it is at work")
    assert worker.stop(STOPPED_S) == 0
    committed = stage.cluster.committed(group(topic))[0]
    assert ids(stage.scores(topic)) == sorted(f"{topic}-0-{i}" for i in range(committed))


def _stops_well(stage: Stage, topic: str, settings: dict[str, str], what: str) -> None:
    """Another worker that waits for the same ends with 0 when it is asked to."""
    other = stage.start(topic, settings)
    waits_for(other, what)
    assert other.stop(STOPPED_S) == 0
