"""What a worker needs stays bounded, and it stays in its group, while nothing can be delivered.

The bound is the one that docs/limits.md states. Records of about 1 MB, good and bad.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from kafka import KafkaAdminClient

from bench.stand.proxy import Proxy
from bench.stand.topics import Cluster, Message
from tests.end_to_end import fleet
from tests.end_to_end.stage import Stage
from tests.waiting import wait_until
from workbench.demo.jars import jars
from workbench.demo.node import Node, NodeConfig, free_ports, new_cluster_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stand.programs import Worker
    from workbench.demo.brokers import Broker, MavenBroker

pytestmark = pytest.mark.timeout(300)

PARTITIONS: Final = 4
MIB: Final = 1024 * 1024
RSS_MAX: Final = 192 * MIB + 8 * PARTITIONS * 2 * MIB
"""docs/limits.md: what a worker needs by itself, and 8 times what is fetched at once."""
THREADS_MORE: Final = 4
FILES_MORE: Final = 10

IMPATIENT: Final = {
    "kafka.session_timeout_s": "6",
    "kafka.heartbeat_s": "1",
    "kafka.max_poll_interval_s": "12",
    "kafka.request_timeout_s": "1",
    "kafka.delivery_timeout_s": "2",
    "kafka.deliver_deadline_s": "3",
    "limits.dead_letter_share_max": "1",
}
STUCK_S: Final = 25.0
"""More than twice the time that a member may be silent."""
STILL_S: Final = 12.0


def test_stuck_delivery_of_large_records_leaves_memory_and_membership_as_they_are(
    stage: Stage,
) -> None:
    """One output topic is gone for longer than a member may stay away from its group."""
    topic = stage.topic(PARTITIONS)
    worker = stage.ready(topic, IMPATIENT, ["--from-beginning"])
    stage.cluster.produce(topic, fleet.messages(0, 20))
    stage.wait_done(topic)
    before = Needs(worker)
    with admin(stage.cluster) as client:
        client.delete_topics([f"{topic}.scores"])
    produce_large(stage.cluster, topic, 60)
    wait_until(lambda: worker.get("/readyz")[0] == 503, 60, "the worker says that it is stuck")
    before.watch(worker, STUCK_S)
    assert worker.metric("rebalances_total") == 1
    with admin(stage.cluster) as client:
        client.create_topics({f"{topic}.scores": {"num_partitions": 1}})
    stage.wait_done(topic)
    before.check(worker)
    assert worker.metric("rebalances_total") == 1
    told = {line["id"]: line["rejected"] for line in stage.scores(topic)}
    assert sorted(told.values(), key=str) == [*[None] * 30, *["not_json"] * 30]
    assert worker.stop() == 0


def test_a_broker_that_stands_still_costs_time_but_no_memory(
    own_broker: MavenBroker, fleet_models: Path, tmp_path: Path
) -> None:
    stage = Stage(Cluster(own_broker.bootstrap_servers), tmp_path, fleet_models)
    topic = stage.topic(PARTITIONS)
    worker = stage.ready(topic, IMPATIENT, ["--from-beginning"])
    try:
        before = Needs(worker)
        produce_large(stage.cluster, topic, 40)
        own_broker.node.pause()
        before.watch(worker, STILL_S)
        assert worker.get("/livez")[0] == 200
        own_broker.node.resume()
        stage.wait_done(topic, 120)
        before.check(worker)
        assert len({line["id"] for line in stage.scores(topic)}) == 40
        assert worker.stop() == 0
    finally:
        stage.close()


def test_waiting_on_a_broker_that_stands_still_costs_nothing(
    own_broker: MavenBroker, fleet_models: Path, tmp_path: Path
) -> None:
    """Nothing to read was there before, so that a fetch is out all the while."""
    stage = Stage(Cluster(own_broker.bootstrap_servers), tmp_path, fleet_models)
    worker = stage.ready(stage.topic(PARTITIONS), IMPATIENT)
    try:
        before = Needs(worker)
        memory, busy_s = _peak_bytes(worker), _busy_s(worker)
        own_broker.node.pause()
        before.watch(worker, STILL_S)
        assert _peak_bytes(worker) - memory < 16 * MIB
        assert _busy_s(worker) - busy_s < STILL_S / 4
        own_broker.node.resume()
        assert worker.stop() == 0
    finally:
        stage.close()


def test_on_a_slow_line_a_worker_keeps_up_its_membership(
    slow_stage: tuple[Stage, Proxy],
) -> None:
    """Round trips of a second, and a fetch of large records that takes several."""
    stage, line = slow_stage
    topic = stage.topic(PARTITIONS)
    slow = {
        **IMPATIENT,
        "kafka.request_timeout_s": "8",
        "kafka.delivery_timeout_s": "15",
        "kafka.deliver_deadline_s": "20",
        "kafka.max_poll_interval_s": "40",
    }
    worker = stage.ready(topic, slow, ["--from-beginning"])
    before = Needs(worker)
    line.delay_s, line.bytes_per_s = 0.25, 4 * MIB
    produce_large(stage.cluster, topic, 16)
    wait_until(
        lambda: worker.metric("records_processed_total") == 16,
        120,
        "all is delivered over the slow line",
    )
    before.check(worker)
    assert worker.metric("rebalances_total") == 1
    line.delay_s, line.bytes_per_s = 0.0, float("inf")
    assert len({each["id"] for each in stage.scores(topic)}) == 16
    assert worker.stop() == 0


class Needs:
    """Memory, threads and open files of a worker, held against what they were."""

    def __init__(self, worker: Worker) -> None:
        self.threads, self.files = _threads(worker), _files(worker)

    def watch(self, worker: Worker, seconds: float) -> None:
        """Check all the while."""
        ends_at = time.monotonic() + seconds

        def is_over() -> bool:
            self.check(worker)
            return time.monotonic() > ends_at

        wait_until(is_over, 2 * seconds)

    def check(self, worker: Worker) -> None:
        """It runs and needs no more than it may."""
        assert worker.code is None, worker.said()
        assert _peak_bytes(worker) < RSS_MAX
        assert _threads(worker) <= self.threads + THREADS_MORE
        assert _files(worker) <= self.files + FILES_MORE


def _status(worker: Worker, name: str) -> int:
    lines = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _peak_bytes(worker: Worker) -> int:
    """The largest resident set since its start."""
    return _status(worker, "VmHWM") * 1024


def _busy_s(worker: Worker) -> float:
    """Processor time that it has taken."""
    fields = Path(f"/proc/{worker.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _threads(worker: Worker) -> int:
    return _status(worker, "Threads")


def _files(worker: Worker) -> int:
    return len(list(Path(f"/proc/{worker.pid}/fd").iterdir()))


def produce_large(cluster: Cluster, topic: str, count: int) -> None:
    """Records of about 1 MB, every other one broken, spread over the partitions."""
    good = json.dumps({**fleet.reading(3), "note": "x" * 1_000_000}).encode()
    for first in range(0, count, 20):
        cluster.produce(
            topic,
            [
                Message(good if i % 2 else b"!" + good, b"pump-3", partition=i // 2 % PARTITIONS)
                for i in range(first, min(first + 20, count))
            ],
        )


@contextmanager
def admin(cluster: Cluster) -> Iterator[KafkaAdminClient]:
    """To make trouble with."""
    client = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def slow_stage(broker: Broker, fleet_models: Path, tmp_path: Path) -> Iterator[tuple[Stage, Proxy]]:
    """A stage on a broker of its own, behind a line that can be made slow."""
    del broker  # says that one can be had here
    told, behind, controller = free_ports(3)
    config = NodeConfig(
        node_id=1,
        port=behind,
        voters={1: controller},
        properties_besides={"advertised.listeners": f"PLAINTEXT://127.0.0.1:{told}"},
    )
    folder = Path(tempfile.mkdtemp(prefix="latentwatch-broker-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        line = stack.enter_context(closing(Proxy(told, behind)))
        node = Node(config, jars(), folder, new_cluster_id())
        stack.callback(node.stop)
        node.start()
        opened = Stage(Cluster(f"127.0.0.1:{told}"), tmp_path, fleet_models)
        stack.callback(opened.close)
        yield opened, line
