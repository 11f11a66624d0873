"""docker-compose.yml, started: broker, topics, training and workers in containers."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from tests.conftest import ROOT
from tests.end_to_end.engine import EngineMissing, open_engine
from tests.end_to_end.images import TORCH_PLACE, Images
from tests.waiting import wait_until
from workbench.demo.container import ContainerBroker
from workbench.demo.faults import CONTAMINATED
from workbench.demo.feed import EARLY_BLOCKS
from workbench.demo.fleet import BLOCK
from workbench.demo.node import free_ports
from workbench.demo.probe import answers
from workbench.demo.simulate import FAULT_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.end_to_end.engine import Engine

# Images are made and five containers started; where all is at hand it takes three minutes.
pytestmark = [
    pytest.mark.timeout(900),
    # The Docker client leaves its socket to the collector when nobody answers.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

REQUIRE_VARIABLE = "LATENTWATCH_REQUIRE_DOCKER"
COMMAND_S = 300
WAIT_S = 60.0
NORMAL = 3000
FILLED_S = 200.0  # a week of records on a machine that may be busy
EARLY_FAULTS = CONTAMINATED * EARLY_BLOCKS * BLOCK


@dataclass(frozen=True, slots=True)
class Project:
    """The project of docker-compose.yml, in a folder with only what a user of it needs."""

    name: str
    folder: Path
    environ: Mapping[str, str]
    broker_port: int

    def compose(self, *arguments: str) -> str:
        """Standard output of `docker compose`; AssertionError where it fails."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fails(self, *arguments: str) -> str:
        """What `docker compose` says when it fails; AssertionError where it does not."""
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stderr

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Every container of a service, those that ended included."""
        listed = self.compose("ps", "--all", "--format=json", service)
        return [json.loads(line) for line in listed.splitlines()]

    def addresses(self, service: str) -> list[str]:
        """Where the running containers of a service are published on this machine."""
        return [
            f"http://{publisher['URL']}:{publisher['PublishedPort']}"
            for container in self.containers(service)
            for publisher in container["Publishers"]
        ]

    @property
    def bootstrap_servers(self) -> str:
        """The broker, as a program on this machine reaches it."""
        return f"localhost:{self.broker_port}"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`docker compose` with the arguments, however it ends."""
        command = [str(Path(sys.executable).with_name("docker-compose")), "--progress=quiet"]
        options = ["--project-name", self.name, "--file=docker-compose.yml", "--file=tests.json"]
        return subprocess.run(
            [*command, *options, *arguments],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Started as the first line of docker-compose.yml says, with .env.example for settings."""
    folder = tmp_path_factory.mktemp("project")
    tag = f"test-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(open_engine())
            images = Images(engine.client, tmp_path_factory.mktemp("images"), tag)
            stack.callback(images.remove)
            images.provide()
        except EngineMissing as error:
            if os.environ.get(REQUIRE_VARIABLE) == "1":
                pytest.fail(f"{REQUIRE_VARIABLE}=1, but: {error}")
            pytest.skip(str(error))
        project = lay_out(folder, engine, tag)
        stack.callback(project.compose, "--profile=*", "down", "--volumes", "--timeout=5")
        up = project.run("up", "--detach", "--wait")
        assert up.returncode == 0, up.stderr + project.compose("logs", "--tail=20")
        yield project


def lay_out(folder: Path, engine: Engine, tag: str) -> Project:
    (folder / "deploy").mkdir()
    shutil.copytree(ROOT / "deploy" / "kafka", folder / "deploy" / "kafka")
    shutil.copy(ROOT / "docker-compose.yml", folder)
    shutil.copy(ROOT / ".env.example", folder / ".env")
    torch = find_spec("torch")
    assert torch is not None
    assert torch.origin is not None
    mount = f"{Path(torch.origin).parents[1]}:{TORCH_PLACE}:ro"
    override = {"services": {"training": {"volumes": [mount]}}}
    (folder / "tests.json").write_text(json.dumps(override), encoding="utf-8")
    broker_port, first = free_ports(2)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "IMAGE_TAG": tag,
        "BROKER_PORT": str(broker_port),
        "WORKER_PORTS": f"{first}-{first + 4}",
    }
    if engine.address is not None:
        environ["DOCKER_HOST"] = engine.address
    return Project(f"latentwatch-{tag}", folder, environ, broker_port)


@dataclass(frozen=True, slots=True)
class Trained:
    """What was seen on the way to the first model."""

    project: Project
    reason_before: str
    summary: str

    def worker(self) -> str:
        """Address of one worker."""
        return self.project.addresses("worker")[0]


@pytest.fixture(scope="module")
def trained(project: Project) -> Trained:
    """Normal readings on the topic, and a model of them made by the training container."""
    produce(project, [reading(seed) for seed in range(NORMAL)])
    worker = project.addresses("worker")[0]
    reason = wait_until(lambda: not_ready(worker, "model"), WAIT_S, "the worker lacks a model")
    return Trained(project, reason, project.compose("run", "--rm", "training"))


def reading(seed: int) -> dict[str, object]:
    """Power follows speed."""
    chance = random.Random(seed)
    speed = chance.gauss(50, 5)
    power = 2 * speed + chance.gauss(0, 1)
    return {"speed": speed, "power": power, "mode": chance.choice(["manual", "automatic"])}


def produce(project: Project, values: Sequence[object], key: str = "normal") -> None:
    """Write records from this machine; bytes as they are, all else as JSON."""
    producer = KafkaProducer(bootstrap_servers=project.bootstrap_servers)
    try:
        for value in values:
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            producer.send("readings", content, key=key.encode())
        producer.flush(WAIT_S)
    finally:
        producer.close()


def values_of(project: Project, topic: str, key: str) -> list[bytes]:
    """Values under a key that stand in a topic by now; waits for the first."""
    consumer = KafkaConsumer(
        topic, bootstrap_servers=project.bootstrap_servers, auto_offset_reset="earliest"
    )
    found: list[bytes] = []

    def some() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            found.extend(record.value for record in records if record.key == key.encode())
        return bool(found)

    try:
        wait_until(some, WAIT_S, f"a record of {key} in {topic}")
    finally:
        consumer.close()
    return found


def get(address: str) -> tuple[int, str]:
    """Status and body; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own http
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def not_ready(worker: str, word: str) -> str:
    """Why the worker is not ready, once the reason holds the word; nothing before."""
    status, reason = get(f"{worker}/readyz")
    return reason if status == 503 and word in reason else ""


def is_ready(worker: str) -> bool:
    return get(f"{worker}/readyz")[0] == 200


def test_the_topics_are_made(project: Project) -> None:
    client = KafkaAdminClient(bootstrap_servers=project.bootstrap_servers)
    try:
        names = ["readings", "readings.anomalies", "readings.dlq", "readings.scores"]
        found = {topic["name"]: len(topic["partitions"]) for topic in client.describe_topics(names)}
    finally:
        client.close()
    assert found == {
        "readings": 4,
        "readings.anomalies": 4,
        "readings.dlq": 1,
        "readings.scores": 4,
    }


def test_a_worker_without_a_model_lives_and_says_what_it_waits_for(trained: Trained) -> None:
    assert "train one first" in trained.reason_before
    (worker, *_) = trained.project.containers("worker")
    assert worker["Health"] == "healthy"


def test_the_worker_takes_up_what_training_made(trained: Trained) -> None:
    assert "promoted" in trained.summary
    wait_until(lambda: is_ready(trained.worker()), WAIT_S, "the worker is ready")


def test_what_is_odd_arrives_and_what_is_broken_is_put_aside(trained: Trained) -> None:
    odd = reading(NORMAL) | {"power": 0.0}
    produce(trained.project, [odd, b"{broken"], key="odd")
    (event,) = values_of(trained.project, "readings.anomalies", "odd")
    assert json.loads(event)["features"][0]["name"] == "power"
    assert values_of(trained.project, "readings.dlq", "odd") == [b"{broken"]


def test_the_worker_image_has_no_torch(project: Project) -> None:
    said = project.fails("exec", "-T", "worker", "python", "-c", "import torch")
    assert "No module named 'torch'" in said


@pytest.mark.parametrize("place", ["/", "/opt/latentwatch", "/etc/latentwatch", "/models"])
def test_a_worker_writes_nowhere(project: Project, place: str) -> None:
    said = project.fails("exec", "-T", "worker", "touch", f"{place}/mark")
    assert "Read-only file system" in said


def test_a_worker_is_nobody(project: Project) -> None:
    assert project.compose("exec", "-T", "worker", "id", "-u").strip() == "10001"


def test_workers_share_the_partitions(trained: Trained) -> None:
    project = trained.project
    project.compose("up", "--detach", "--no-recreate", "--scale=worker=2", "worker")
    workers = project.addresses("worker")
    assert len(set(workers)) == 2
    wait_until(lambda: all(is_ready(worker) for worker in workers), WAIT_S, "both are ready")
    wait_until(lambda: [shares(worker) for worker in workers] == [2, 2], WAIT_S, "two each")


def shares(worker: str) -> int:
    """How many partitions a worker has."""
    _, metrics = get(f"{worker}/metrics")
    lines = [line for line in metrics.splitlines() if line.startswith("latentwatch_assigned")]
    return round(float(lines[0].rpartition(" ")[2])) if lines else 0


def test_the_simulator_fills_a_topic_and_says_what_is_wrong(project: Project) -> None:
    """On a topic of its own, for the others know theirs by heart."""
    demo = {"LATENTWATCH_TOPIC": "fleet", "COMPOSE_PROFILES": "demo"}
    fleet = replace(project, environ={**project.environ, **demo})
    fleet.compose("up", "--detach", "simulator")
    consumer = KafkaConsumer(
        "fleet", bootstrap_servers=project.bootstrap_servers, auto_offset_reset="earliest"
    )
    faults: Counter[str] = Counter()

    def has_live_faults() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                faults.update(
                    value.decode() for name, value in record.headers if name == FAULT_HEADER
                )
        return faults.total() > EARLY_FAULTS  # those in the week before

    try:
        wait_until(has_live_faults, FILLED_S, "faults among the live records")
    finally:
        consumer.close()
    fleet.compose("stop", "simulator")
    (simulator,) = fleet.containers("simulator")
    assert simulator["ExitCode"] == 0
    assert "60,000 records of the past" in fleet.compose("logs", "simulator")


def test_a_stop_ends_a_worker_in_order(trained: Trained) -> None:
    trained.project.compose("stop", "worker")
    codes = {container["ExitCode"] for container in trained.project.containers("worker")}
    trained.project.compose("start", "worker")
    assert codes == {0}


def test_the_broker_of_tests_and_demo_runs_from_the_same_image(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "DOCKER_HOST" in project.environ:
        monkeypatch.setenv("DOCKER_HOST", project.environ["DOCKER_HOST"])
    with closing(ContainerBroker()) as broker:
        assert answers(broker.bootstrap_servers, timeout_s=5.0)
        servers = broker.bootstrap_servers
    assert not answers(servers, timeout_s=0.5)
