"""The broker that tests, demo and benches stand on: it keeps its data, and nothing survives it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kafka import KafkaAdminClient

from tests.conftest import ROOT
from tests.topics import TopicFactory
from tests.waiting import wait_until
from workbench.demo.probe import answers

if TYPE_CHECKING:
    from workbench.demo.brokers import Broker, MavenBroker

ABANDONED = """
import os, signal
from workbench.demo.brokers import maven
node = maven().node
print(node.pid, node.log.parent, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def partitions(bootstrap_servers: str, topic: str) -> int:
    client = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        (described,) = client.describe_topics([topic])
        return len(described["partitions"])
    finally:
        client.close()


def test_a_new_topic_is_ready_when_it_is_handed_out(
    broker: Broker, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("readings", partitions=3)
    assert partitions(broker.bootstrap_servers, topic) == 3


def test_a_broker_can_be_hurt_and_keeps_port_and_data(own_broker: MavenBroker) -> None:
    node, servers = own_broker.node, own_broker.bootstrap_servers
    topics = TopicFactory(servers)
    topic = topics("kept", partitions=2)
    topics.close()

    node.pause()
    assert not answers(servers, timeout_s=0.5)
    node.resume()
    assert answers(servers, timeout_s=5.0)

    node.stop()
    assert not answers(servers, timeout_s=0.5)
    node.start()
    assert partitions(servers, topic) == 2

    node.kill()
    assert not answers(servers, timeout_s=0.5)
    node.start()
    assert partitions(servers, topic) == 2


def test_a_closed_broker_leaves_neither_process_nor_data(own_broker: MavenBroker) -> None:
    pid, folder = own_broker.node.pid, own_broker.node.log.parent
    own_broker.close()
    assert not Path(f"/proc/{pid}").exists()
    assert not folder.exists()


def test_a_broker_ends_with_a_program_that_was_killed(own_broker: MavenBroker) -> None:
    """`own_broker` only makes sure that a broker can be had at all."""
    done = subprocess.run(
        [sys.executable, "-c", ABANDONED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    pid, folder = done.stdout.split()
    assert int(pid) != own_broker.node.pid
    wait_until(lambda: not is_running(int(pid)), what=f"process {pid} has ended")
    wait_until(lambda: not Path(folder).exists(), what=f"{folder} is gone")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
