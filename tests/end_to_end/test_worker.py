"""How a worker begins, goes on and ends: alone, with a twin, with a new model or a sick broker."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end import fleet
from tests.end_to_end.stage import FLEET, WAIT_S, group, ids
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench.stand.programs import Worker
    from bench.stand.topics import Place
    from tests.end_to_end.stage import Stage
    from workbench.demo.brokers import MavenBroker

pytestmark = pytest.mark.timeout(240)

PATIENT = {"kafka.session_timeout_s": "30", "kafka.max_poll_interval_s": "60"}
"""A member that goes without leaving is missed for half a minute only."""
TAKEN_OVER_S = 10.0
PROMPT = {"model_check_s": "0.2"}


def names(places: Iterable[Place]) -> list[str]:
    return sorted(place.id for place in places)


# --- end


def test_sigterm_commits_and_leaves_the_group_to_the_next(stage: Stage) -> None:
    """The next one takes over long before the first would have been missed."""
    topic = stage.topic(2)
    first = stage.ready(topic, PATIENT)
    places = stage.cluster.produce(topic, fleet.messages(0, 2_000))
    wait_until(lambda: stage.scores(topic), WAIT_S, "the first scores are out")
    assert first.stop() == 0
    assert "stopped: " in first.said()
    committed = sum(stage.cluster.committed(group(topic)).values())
    assert committed == len(stage.scores(topic))

    places += stage.cluster.produce(topic, fleet.messages(2_000, 100))
    began = time.monotonic()
    second = stage.ready(topic, PATIENT)
    stage.wait_done(topic)
    assert time.monotonic() - began < TAKEN_OVER_S
    assert second.stop() == 0
    assert ids(stage.scores(topic)) == names(places)


def test_a_second_sigterm_ends_it_at_once(own_stage: Stage, own_broker: MavenBroker) -> None:
    """Even where the first one waits for a broker that does not answer."""
    topic = own_stage.topic()
    worker = own_stage.ready(topic)
    own_broker.node.pause()
    worker.terminate()

    def ended() -> bool:
        worker.terminate()
        return worker.code is not None

    wait_until(ended, 5.0, "the worker has ended")
    assert worker.code == 143


# --- begin


def test_a_worker_starts_where_the_models_training_ended(stage: Stage, tmp_path: Path) -> None:
    topic = stage.topic(3)
    first_ms = int(time.time() - 1_000) * 1000
    stage.cluster.produce(topic, fleet.timed(0, 900, first_ms))
    trained = stage.train("--topic", topic, store=tmp_path / "own")
    assert trained.code == 0, trained.stderr
    later = stage.cluster.produce(topic, fleet.messages(900, 100))
    stage.ready(topic, {"stream": topic, "store": str(tmp_path / "own")})
    stage.wait_done(topic)
    assert ids(stage.scores(topic)) == names(later)


def test_with_a_model_from_a_file_it_starts_at_the_topics_end(stage: Stage) -> None:
    topic = stage.topic(2)
    stage.cluster.produce(topic, fleet.messages(0, 100))
    stage.ready(topic)
    stage.wait_done(topic)
    later = stage.cluster.produce(topic, fleet.messages(100, 100))
    stage.wait_done(topic)
    assert ids(stage.scores(topic)) == names(later)


def test_from_the_beginning_where_that_is_asked_for(stage: Stage) -> None:
    topic = stage.topic(2)
    places = stage.cluster.produce(topic, fleet.messages(0, 100))
    stage.ready(topic, arguments=["--from-beginning"])
    stage.wait_done(topic)
    assert ids(stage.scores(topic)) == names(places)


# --- beside another


def test_two_workers_share_the_partitions_and_lose_nothing_when_one_leaves(stage: Stage) -> None:
    topic = stage.topic(4)
    begin = ["--from-beginning"]
    small = {**PATIENT, "kafka.poll_records_max": "100"}
    first, second = stage.ready(topic, small, begin), stage.ready(topic, small, begin)
    wait_until(lambda: held(first, second) == [2.0, 2.0], WAIT_S, "each holds two partitions")

    places = stage.cluster.produce(topic, fleet.messages(0, 4_000))
    wait_until(lambda: committed(stage, topic) > 500, WAIT_S, "records flow")
    assert first.stop() == 0
    places += stage.cluster.produce(topic, fleet.messages(4_000, 500))
    stage.wait_done(topic)
    assert held(second) == [4.0]
    assert {line["id"] for line in stage.scores(topic)} == set(names(places))


def held(*workers: Worker) -> list[float | None]:
    return [worker.metric("assigned_partitions") for worker in workers]


def committed(stage: Stage, topic: str) -> int:
    return sum(stage.cluster.committed(group(topic)).values())


# --- a new model


@pytest.fixture
def store(fleet_models: Path, tmp_path: Path) -> Path:
    """A copy of the fleet's store that the test may change."""
    return shutil.copytree(fleet_models, tmp_path / "models")


def retrained(stage: Stage, store: Path) -> str:
    """Train and promote another model of the fleet; its version."""
    readings = stage.folder / "readings.jsonl"
    readings.write_bytes(fleet.lines(0, 1_000))
    before = versions(store)
    done = stage.train(str(readings), "--stream", FLEET, "--seed", "1", store=store)
    assert done.code == 0, done.stderr
    (version,) = versions(store) - before
    return version


def versions(store: Path) -> set[str]:
    return {path.name for path in (store / FLEET / "versions").iterdir()}


def wait_for_model(stage: Stage, worker: Worker, topic: str, version: str) -> None:
    """Keep records coming until the worker scores them with that version."""

    def is_in_use() -> bool:
        stage.cluster.produce(topic, fleet.messages(0, 1))
        return worker.metric("model_info", version=version) == 1.0

    wait_until(is_in_use, WAIT_S, f"model {version} is in use")


def test_a_promoted_model_is_taken_into_use_without_a_restart(stage: Stage, store: Path) -> None:
    topic = stage.topic()
    (old,) = versions(store)
    worker = stage.ready(topic, {**PROMPT, "store": str(store)})
    assert worker.metric("model_info", version=old) == 1.0
    new = retrained(stage, store)
    wait_for_model(stage, worker, topic, new)
    assert worker.metric("model_info", version=old) is None
    assert f"model {new} takes over from {old}" in worker.said()

    stage.cluster.produce(topic, [fleet.message(1, fleet.odd_reading(1))])
    stage.wait_done(topic)
    (event,) = stage.events(topic)
    assert event["model"]["version"] == new


def test_a_corrupted_model_is_refused_by_name_and_the_old_one_stays(
    stage: Stage, store: Path
) -> None:
    topic = stage.topic()
    (old,) = versions(store)
    worker = stage.ready(topic, {**PROMPT, "store": str(store)})
    bad = promote_corrupted(stage, store)

    wait_until(
        lambda: worker.metric("model_reloads_total", result="refused"), WAIT_S, "one is refused"
    )
    assert f"model {bad} is refused, {old} stays" in worker.said()
    assert worker.metric("model_last_reload_successful") == 0.0

    stage.cluster.produce(topic, [fleet.message(1, fleet.odd_reading(1))])
    stage.wait_done(topic)
    (event,) = stage.events(topic)
    assert event["model"]["version"] == old
    assert worker.metric("model_info", version=old) == 1.0
    assert worker.get("/readyz")[0] == 200


def promote_corrupted(stage: Stage, store: Path) -> str:
    """Put a version with a flipped byte in its weights into the store, and point to it."""
    elsewhere = shutil.copytree(store, stage.folder / "elsewhere")
    version = retrained(stage, elsewhere)
    made = elsewhere / FLEET / "versions" / version
    flip_a_byte(made / "weights.safetensors")
    shutil.copytree(made, store / FLEET / "versions" / version)
    pointer = store / FLEET / "current.json"
    shutil.copy(elsewhere / FLEET / "current.json", pointer.with_suffix(".new"))
    pointer.with_suffix(".new").rename(pointer)
    return version


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 0x40
    path.write_bytes(content)


# --- a sick broker


@pytest.mark.parametrize("trouble", ["restart", "kill", "pause"])
def test_a_worker_outlives_a_sick_broker_and_loses_nothing(
    own_stage: Stage, own_broker: MavenBroker, trouble: str
) -> None:
    topic = own_stage.topic(2)
    places = own_stage.cluster.produce(topic, fleet.messages(0, 6_000))
    worker = own_stage.start(topic, {"kafka.poll_records_max": "20"}, ["--from-beginning"])
    wait_until(lambda: worker.metric("batches_total"), WAIT_S, "records flow")

    node = own_broker.node
    {"restart": node.stop, "kill": node.kill, "pause": node.pause}[trouble]()
    wait_until(lambda: worker.get("/readyz")[0] == 503, WAIT_S, "the worker says it is not ready")
    assert worker.get("/livez")[0] == 200
    (node.resume if trouble == "pause" else node.start)()

    places += own_stage.cluster.produce(topic, fleet.messages(6_000, 200))
    own_stage.wait_done(topic)
    wait_until(lambda: worker.get("/readyz")[0] == 200, WAIT_S, "the worker is ready again")
    assert worker.code is None
    assert {line["id"] for line in own_stage.scores(topic)} == set(names(places))
