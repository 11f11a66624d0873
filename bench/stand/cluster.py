"""Several Kafka nodes as one cluster, each of which can be killed, paused and started again.

Replication as a cluster of that size allows: three nodes keep three replicas, two in sync. Knows
nothing of topics.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.demo.node import Node, NodeConfig, free_ports, new_cluster_id

if TYPE_CHECKING:
    from collections.abc import Iterable

QUICK_JVM = ("-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""Starts fast and stays small; such nodes carry little."""


class BrokerCluster:
    """Nodes 1 to `size`, running once this is built, gone with their data when it is closed."""

    def __init__(self, size: int, jars: Path, jvm: tuple[str, ...] = QUICK_JVM) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="latentwatch-cluster-"))
        self.nodes: dict[int, Node] = {}
        ports = free_ports(2 * size)
        voters = {number: ports[size + number - 1] for number in range(1, size + 1)}
        cluster_id = new_cluster_id()

        def build(number: int) -> Node:
            config = NodeConfig(number, ports[number - 1], voters, jvm)
            folder = self._folder / str(number)
            folder.mkdir()
            return Node(config, jars, folder, cluster_id)

        try:
            with ThreadPoolExecutor(size) as pool:
                self.nodes.update(zip(voters, pool.map(build, voters), strict=True))
            self.start(self.nodes)
        except BaseException:  # Ctrl-C too: half a cluster is nobody's
            self.close()
            raise

    @property
    def size(self) -> int:
        """How many nodes there are, running or not."""
        return len(self.nodes)

    @property
    def bootstrap_servers(self) -> str:
        """All addresses, separated by commas; they stay the same over restarts."""
        return ",".join(node.config.address for node in self.nodes.values())

    def start(self, numbers: Iterable[int]) -> None:
        """Start nodes at once, since a majority needs one another; returns when each answers."""
        chosen = list(numbers)
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(lambda number: self.nodes[number].start(), chosen))

    def keep_logs(self, folder: Path) -> None:
        """Copy what each node has said to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, node in self.nodes.items():
            if node.log.exists():
                shutil.copy(node.log, folder / f"broker-{number}.log")

    def close(self) -> None:
        """End every node and remove the data. Safe to call twice."""
        for node in self.nodes.values():
            node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
