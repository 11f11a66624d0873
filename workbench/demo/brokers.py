"""The best Kafka broker that can be had here, for the demo, the tests and the benches.

`with closing(open_broker()) as broker:` gives one that is already there where the variable names
it, else starts Apache Kafka, in a container or from its jars, and stops it again. Another kind is
one more function in KINDS.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workbench.demo.container import ContainerBroker
from workbench.demo.errors import BrokerFailed, BrokerMissing
from workbench.demo.jars import jars
from workbench.demo.node import Node, NodeConfig, free_ports, new_cluster_id
from workbench.demo.probe import answers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SERVERS_VARIABLE = "LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS"
EXTERNAL_TIMEOUT_S = 30.0


class Broker(Protocol):
    """A broker to use, until it is closed."""

    @property
    def kind(self) -> str:
        """How it was had: `external`, `docker` or `maven`."""
        ...

    @property
    def bootstrap_servers(self) -> str:
        """Addresses for clients, separated by commas."""
        ...

    def close(self) -> None:
        """Give it back: what was started for it ends. Safe to call twice."""
        ...


class ExternalBroker:
    """A broker that somebody else runs: never stopped, never hurt."""

    kind = "external"

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    def close(self) -> None:
        """Nothing to give back."""


class MavenBroker:
    """Apache Kafka, one node, from its jars; runs when it is built, gone with its data when closed.

    `node` can be stopped and started again on the same data and port, killed, paused and resumed.
    """

    kind = "maven"

    def __init__(self, jars: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="latentwatch-broker-"))
        try:
            port, controller_port = free_ports(2)
            config = NodeConfig(node_id=1, port=port, voters={1: controller_port})
            self.node = Node(config, jars, self._folder, new_cluster_id())
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        try:
            self.node.start()
        except BaseException:  # Ctrl-C too: a half-started broker is nobody's
            self.close()
            raise

    @property
    def bootstrap_servers(self) -> str:
        """The one address; it stays the same over restarts."""
        return self.node.config.address

    def close(self) -> None:
        """End the process and remove its data. Safe to call twice."""
        self.node.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def external() -> Broker:
    """The broker that the variable names; BrokerFailed where that one does not answer."""
    servers = os.environ.get(SERVERS_VARIABLE)
    if not servers:
        message = f"{SERVERS_VARIABLE} is not set"
        raise BrokerMissing(message)
    if not answers(servers, EXTERNAL_TIMEOUT_S):
        message = f"no broker answers at {servers}, which {SERVERS_VARIABLE} names"
        raise BrokerFailed(message)
    return ExternalBroker(servers)


def docker() -> Broker:
    """A new broker in a container, running."""
    return ContainerBroker()


def maven() -> Broker:
    """A new broker from its Maven jars, running."""
    if shutil.which("java") is None:
        raise BrokerMissing("no java on the PATH to run a broker with")
    return MavenBroker(jars())


KINDS: Sequence[Callable[[], Broker]] = (external, docker, maven)
"""From the best; each gives a running broker or raises BrokerMissing with the reason."""


class Told(Protocol):
    """Hears how the choice goes."""

    def trying(self, kind: str) -> None:
        """A kind is tried now, which may take a while."""
        ...

    def missing(self, kind: str, reason: str) -> None:
        """It cannot be had, and why."""
        ...


class Nobody:
    """A Told that does not care."""

    def trying(self, kind: str) -> None:
        """Nothing to do."""

    def missing(self, kind: str, reason: str) -> None:
        """Nothing to do."""


def open_broker(kinds: Sequence[Callable[[], Broker]] = KINDS, told: Told | None = None) -> Broker:
    """The first kind that can be had, running.

    Raises BrokerMissing with every kind's reason, or BrokerFailed from the one that broke.
    """
    told = told or Nobody()
    reasons = []
    for kind in kinds:
        told.trying(kind.__name__)
        try:
            return kind()
        except BrokerMissing as error:
            told.missing(kind.__name__, str(error))
            reasons.append(str(error))
    raise BrokerMissing("; ".join(reasons))
