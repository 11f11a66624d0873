"""One Kafka process of our own, from its jars: configured, formatted, started, stopped, hurt.

Its data and its log lie in the folder that it is given, a new one for it alone. Knows nothing of
how many nodes there are but what its NodeConfig says, so that a cluster is three of these.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.demo.errors import BrokerFailed, BrokerMissing
from workbench.demo.guard import dismiss, guard
from workbench.demo.interrupts import held_back
from workbench.demo.probe import answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
FORMAT_TIMEOUT_S = 60.0
OWNER_FLAG = "-Dlatentwatch.started_by="
"""A flag of every JVM started here, followed by our process id: how leftovers are found."""

_PORTS = range(20_000, 32_000)  # below the ports that the kernel gives to outgoing connections
_PORT_TRIES = 100
_POLL_S = 0.1
_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Who a node is. `voters` maps every node's id to its controller port, this one's included."""

    node_id: int
    port: int
    voters: dict[int, int]
    jvm: tuple[str, ...] = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC")
    """Options of the Java machine."""
    properties_besides: Mapping[str, object] = field(default_factory=dict)
    """Properties beside those that every node has, or instead of them."""

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    def properties(self, data: Path) -> str:
        """The server.properties of this node, its log segments in `data`."""
        nodes = len(self.voters)
        in_sync = max(1, nodes - 1)
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in self.voters.items())
        replicated = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        settings = {
            "process.roles": "broker,controller",
            "node.id": self.node_id,
            "controller.quorum.voters": voters,
            "log.dirs": data,
            "listeners": f"PLAINTEXT://{self.address},"
            f"CONTROLLER://127.0.0.1:{self.voters[self.node_id]}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "num.partitions": 4,
            "auto.create.topics.enable": "false",
            "default.replication.factor": nodes,
            "min.insync.replicas": in_sync,
            **{f"{topic}.replication.factor": nodes for topic in replicated},
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.min.isr": in_sync,
            # Groups form at once and dead members are noticed soon: nobody waits for the defaults.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
            "log.cleaner.dedupe.buffer.size": 20_000_000,
            **self.properties_besides,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def free_ports(count: int) -> list[int]:
    """As many different ports of 127.0.0.1 that nobody listens on right now."""
    picker = random.SystemRandom()
    found: list[int] = []
    for _ in range(_PORT_TRIES):
        port = picker.choice(_PORTS)
        if port not in found and _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    message = f"no {count} free ports between {_PORTS.start} and {_PORTS.stop}"
    raise BrokerFailed(message)


def new_cluster_id() -> str:
    """A random id in Kafka's own form; none that a command line would take for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


class Node:
    """A Kafka process: `start` returns once it answers, `close` leaves nothing running."""

    def __init__(self, config: NodeConfig, jars: Path, folder: Path, cluster_id: str) -> None:
        self.config = config
        self._folder = folder
        self._properties = folder / "server.properties"
        self._logging = folder / "log4j2.properties"
        self.log = folder / "broker.log"
        self._java = _java(jars, self._logging, config.jvm)
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._format(cluster_id)

    @property
    def pid(self) -> int | None:
        """Id of the running process; None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Run on the same data and ports as ever; returns once metadata requests are answered.

        Raises BrokerFailed with the end of the log where that takes longer than START_TIMEOUT_S.
        """
        if self._process is not None:
            raise BrokerFailed("the broker runs already")
        with self.log.open("ab") as log, held_back():
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the program that started us
            )
            pid = str(self._process.pid)
            self._guard = guard('kill -9 "$1"; rm -rf "$2"', pid, str(self._folder))
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        """End it as an operator would; killed where that takes longer than STOP_TIMEOUT_S."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would: nothing is flushed, nobody is told."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo pause."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BrokerFailed("the broker does not run")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a paused one would never see the first signal
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._guard is not None:
            dismiss(self._guard)
        self._guard = None

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(self.config.address, timeout_s=5.0):
            exit_code = process.poll()
            if exit_code is None and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            self.kill()
            why = "gave no answer in time" if exit_code is None else f"ended with {exit_code}"
            message = f"the broker {why}; its log ends:\n{self._log_tail()}"
            raise BrokerFailed(message)

    def _log_tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def _format(self, cluster_id: str) -> None:
        self._logging.write_text(_LOGGING, encoding="utf-8")
        self._properties.write_text(self.config.properties(self._folder / "data"), encoding="utf-8")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._properties)]
        done = subprocess.run(
            [*self._java, *tool],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FORMAT_TIMEOUT_S,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"the broker's folder could not be formatted:\n{done.stdout[-3000:]}"
            raise BrokerFailed(message)


def _java(jars: Path, logging: Path, options: Sequence[str]) -> Sequence[str]:
    if shutil.which("java") is None:
        raise BrokerMissing("no java on the PATH to run a broker with")
    owner = f"{OWNER_FLAG}{os.getpid()}"
    logs = f"-Dlog4j2.configurationFile=file:{logging}"
    return ["java", *options, owner, logs, "-cp", f"{jars}/*"]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
