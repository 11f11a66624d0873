"""What cannot work is refused with a code, a line that says what was found, and nothing lost."""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaProducer

from bench.stand.programs import Finished, Worker, latentwatch
from bench.stand.topics import Message
from tests.end_to_end import fleet
from tests.end_to_end.stage import FLEET, ids
from tests.waiting import wait_until
from workbench.demo.node import free_ports
from worker.settings import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.end_to_end.stage import Stage

pytestmark = pytest.mark.timeout(180)

SOON = {"startup_timeout_s": "1"}


def ended(worker: Worker, code: int) -> str:
    """What a worker said that has ended with `code`."""
    assert worker.wait(30) == code, worker.said()
    return worker.said()


# --- run


def test_without_a_broker_run_waits_alive_and_then_names_it(
    fleet_models: Path, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    named = {
        "kafka.bootstrap_servers": f"127.0.0.1:{port}",
        "topic": "pumps",
        "stream": FLEET,
        "store": str(fleet_models),
        "startup_timeout_s": "3",
    }
    settings = {variable(name): value for name, value in named.items()}
    with closing(Worker(settings, tmp_path / "log")) as worker:
        reason = f"no broker answers at 127.0.0.1:{port}"
        wait_until(lambda: worker.get("/readyz") == (503, f"{reason}\n"), what="it says why")
        assert worker.get("/livez")[0] == 200
        assert f"latentwatch: {reason}\n" in ended(worker, 69)


def test_without_its_topics_run_names_all_that_are_missing(stage: Stage) -> None:
    said = ended(stage.start("pumps-nowhere", SOON), 69)
    names = "pumps-nowhere, pumps-nowhere.anomalies, pumps-nowhere.dlq, pumps-nowhere.scores"
    assert f"latentwatch: no topic {names} at {stage.cluster.bootstrap_servers}\n" in said


def test_without_a_model_run_names_the_store(stage: Stage, tmp_path: Path) -> None:
    empty = {**SOON, "store": str(tmp_path / "empty")}
    said = ended(stage.start(stage.topic(), empty), 69)
    assert f"latentwatch: no promoted model in {tmp_path / 'empty' / FLEET}" in said


def test_a_worker_asked_to_stop_while_it_waits_ends_well(stage: Stage) -> None:
    worker = stage.start("pumps-nowhere")
    wait_until(lambda: "no topic" in worker.get("/readyz")[1], what="it waits")
    assert worker.stop(10) == 0


def test_topics_and_model_may_come_after_the_worker(
    stage: Stage, fleet_models: Path, tmp_path: Path
) -> None:
    topic, store = f"pumps-{uuid.uuid4().hex[:8]}", tmp_path / "models"
    worker = stage.start(topic, {"store": str(store)})
    wait_until(lambda: "no topic" in worker.get("/readyz")[1], what="it waits for the topics")
    stage.cluster.create(topic, 1)
    wait_until(lambda: "no promoted model" in worker.get("/readyz")[1], what="and for a model")
    shutil.copytree(fleet_models, store)
    worker.wait_ready()


def test_a_corrupted_artefact_is_refused_by_name_at_the_start(
    stage: Stage, fleet_models: Path, tmp_path: Path
) -> None:
    store = shutil.copytree(fleet_models, tmp_path / "models")
    (version,) = (store / FLEET / "versions").iterdir()
    weights = version / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    said = ended(stage.start(stage.topic(), {**SOON, "store": str(store)}), 65)
    assert version.name in said
    assert "weights.safetensors" in said


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    config = tmp_path / "latentwatch.toml"
    config.write_text('topic = "pumps"\nalert_rat = 0.1\n[kafka]\nbootstrap = "x"\n')
    settings = {
        "LATENTWATCH_KAFKA__SESSION_TIMEOUT": "5",
        "LATENTWATCH_HTTP__PORT": "eighty",
    }
    done = latentwatch("run", "--config", str(config), settings=settings)
    assert done.code == 78
    named = ("alert_rat", "kafka.bootstrap", "LATENTWATCH_KAFKA__SESSION_TIMEOUT", "http.port")
    assert [name for name in named if name.lower() not in done.stderr.lower()] == []
    assert "4 settings are wrong" in done.stderr


def test_an_unknown_flag_is_a_matter_of_usage() -> None:
    assert latentwatch("run", "--topic", "pumps", "--fast").code == 64


# --- train


def varied(make: Callable[[int], Mapping[str, object]], count: int = 300) -> list[Message]:
    """Records a second apart: in what order they came must be plain."""
    first_ms = int(time.time() - count) * 1000
    return [
        fleet.message(i, dict(make(i)))._replace(timestamp_ms=first_ms + 1000 * i)
        for i in range(count)
    ]


UNUSABLE: dict[str, tuple[list[Message], list[str]]] = {
    "empty": ([], ["the stretch is empty", "0..0"]),
    "too short": (fleet.messages(0, 30), ["the stretch is too short: 30 usable records"]),
    "constant": (
        varied(lambda _: {"flow": 1.5, "mode": "run"}),
        ["no usable features in 300 records", "flow: ", "mode: "],
    ),
    "no features": (
        varied(lambda i: {"id": f"{i:x}-{i * 7919:x}", "at": fleet.FIRST_MS + i, "tags": ["a"]}),
        ["no usable features in 300 records", "id: ", "at: ", "tags: "],
    ),
    "not JSON": ([Message(b"<xml/>")] * 300, ["no usable features", "no JSON objects"]),
    "tombstones": ([Message(None, b"k")] * 300, ["no usable features", "no JSON objects"]),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_stretch_without_anything_to_learn_says_what_was_found(stage: Stage, kind: str) -> None:
    made, found = UNUSABLE[kind]
    topic = stage.topic(2)
    stage.cluster.produce(topic, made)
    done = stage.train("--topic", topic, store=stage.folder / "models")
    assert done.code == 65, done.stderr
    assert [text for text in found if text not in done.stderr] == []
    assert not (stage.folder / "models" / topic / "current.json").exists()


def test_train_names_a_topic_that_is_not_there(stage: Stage) -> None:
    done = stage.train("--topic", "pumps-nowhere", store=stage.folder / "models")
    assert done.code == 69
    assert f"no topic pumps-nowhere at {stage.cluster.bootstrap_servers}" in done.stderr


def test_train_names_a_broker_that_is_not_there(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    arguments = ("--topic", "pumps", "--bootstrap-servers", address, "--store", str(tmp_path))
    done = latentwatch("train", *arguments)
    assert done.code == 69
    assert f"no broker answers at {address}" in done.stderr


def test_training_ends_while_a_producer_goes_on(stage: Stage) -> None:
    topic = stage.topic(2)
    stage.cluster.produce(topic, fleet.messages(0, 1_000))
    enough = threading.Event()

    def go_on() -> None:
        number = 1_000
        while not enough.is_set():
            stage.cluster.produce(topic, fleet.messages(number, 50))
            number += 50

    producer = threading.Thread(target=go_on)
    producer.start()
    try:
        done = stage.train("--topic", topic, "--json", store=stage.folder / "models")
    finally:
        enough.set()
        producer.join()
    assert done.code == 0, done.stderr
    assert (
        1_000 <= json.loads(done.stdout)["rows"]["read"] < sum(stage.cluster.ends(topic).values())
    )


def test_training_reads_committed_transactions_only_and_ends_on_their_markers(
    stage: Stage,
) -> None:
    topic = stage.topic(1)
    producer = KafkaProducer(
        bootstrap_servers=stage.cluster.bootstrap_servers, transactional_id=f"{topic}-producer"
    )
    producer.init_transactions()
    for first, is_kept in ((0, True), (500, False), (1_000, True), (1_500, False)):
        producer.begin_transaction()
        for message in fleet.messages(first, 500):
            producer.send(topic, value=message.value, key=message.key)
        producer.flush()
        (producer.commit_transaction if is_kept else producer.abort_transaction)()
    producer.close()

    done = stage.train("--topic", topic, "--json", store=stage.folder / "models")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["read"] == 1_000
    assert stage.cluster.ends(topic) == {0: 2_004}

    later = stage.cluster.produce(topic, fleet.messages(0, 5))
    stage.ready(topic, {"stream": topic, "store": str(stage.folder / "models")})
    stage.wait_done(topic)
    assert ids(stage.scores(topic)) == [place.id for place in later]


# --- score


def score(models: Path, content: bytes) -> Finished:
    arguments = ("score", "-", "--stream", FLEET, "--store", str(models), "--all")
    return latentwatch(*arguments, stdin=content)


def test_a_record_without_any_feature_is_rejected_and_the_rest_goes_on(fleet_models: Path) -> None:
    """As it stands, and with every value null."""
    normal = fleet.lines(0, 1)
    nothing = json.dumps(dict.fromkeys(fleet.reading(0))).encode() + b"\n"
    done = score(fleet_models, normal + b"{}\n" + nothing + normal)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.code == 0
    assert [line["index"] for line in lines] == [0, 1, 2, 3]
    assert [line["rejected"] for line in lines] == [
        None,
        "missing_features",
        "missing_features",
        None,
    ]
    assert lines[1]["score"] is None
    assert lines[0]["score"] == lines[3]["score"]


def test_an_all_missing_record_on_a_topic_goes_to_the_dead_letters(stage: Stage) -> None:
    topic = stage.topic()
    stage.ready(topic)
    nothing = Message(json.dumps(dict.fromkeys(fleet.reading(0))).encode(), b"pump-0")
    places = stage.cluster.produce(topic, [*fleet.messages(0, 10), nothing, fleet.message(11)])
    stage.wait_done(topic)
    (letter,) = stage.dead_letters(topic)
    assert letter.value == nothing.value
    assert {line["id"] for line in stage.scores(topic)} == {place.id for place in places}


def test_scoring_without_a_model_names_the_store(tmp_path: Path) -> None:
    done = score(tmp_path, fleet.lines(0, 1))
    assert done.code == 69
    assert f"no promoted model in {tmp_path / FLEET}" in done.stderr
