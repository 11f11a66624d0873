"""The stage beside a Kafka broker: training and worker are processes of their own."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from kafka import TopicPartition
from kafka.errors import KafkaError

from workbench.demo.children import Child, run_to_end
from workbench.demo.errors import StepFailed
from workbench.demo.interrupts import held_back
from workbench.demo.node import free_ports
from workbench.demo.stage import ALERT_RATE, MODELS, PARTITIONS, Topics
from worker.adapters.kafka import (
    KafkaConnection,
    KafkaPublisher,
    KafkaTimings,
    create_topics,
    quiet_client_logs,
)
from worker.adapters.kafka.client import abandon, open_consumer, open_producer
from worker.adapters.kafka.fetch import fetch
from worker.ports import Retryable
from worker.topics import TopicPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from kafka.producer.future import FutureRecordMetadata

    from worker.records import Output, RawRecord

TOPICS_TIMEOUT_S = 20.0
FLUSH_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 60.0
REST_TIMEOUT_S = 20.0
FILL_AT_ONCE: Final = 5000
FETCH_AT_ONCE: Final = 5000
FOR_EVER_MS: Final = -1
RECORD_BYTES_MAX: Final = 1 << 20
CONFIG: Final = "latentwatch.toml"
LOG: Final = "worker.log"
_POLL_S = 0.1


class BrokerStage:
    """A stage on a running broker; makes its topics, which must not be there yet.

    `folder` takes the models, the worker's configuration and its log. Raises Unreachable,
    NotPermitted.
    """

    def __init__(
        self, bootstrap_servers: str, topics: Topics, folder: Path, environ: Mapping[str, str]
    ) -> None:
        quiet_client_logs()
        self.topics = topics
        self._servers = bootstrap_servers
        self._folder = folder
        self._environ = environ
        self._connection = KafkaConnection(bootstrap_servers, "latentwatch-demo")
        self._timings = KafkaTimings()
        plans = [_plan(name) for name in (topics.input, *topics.outputs)]
        create_topics(self._connection, plans, TOPICS_TIMEOUT_S)
        self._producer = open_producer(self._connection, self._timings, RECORD_BYTES_MAX, "lz4")
        self._consumer = open_consumer(self._connection, self._timings, None)
        self._sent: deque[FutureRecordMetadata] = deque()
        self._worker: Child | None = None
        self._read_from_the_beginning()

    def fill(self, outputs: Iterable[Output]) -> int:
        """As the Protocol says."""
        publisher = KafkaPublisher(self._connection, self._timings)
        chunk: list[Output] = []
        count = 0
        try:
            for output in outputs:
                chunk.append(output)
                count += 1
                if len(chunk) == FILL_AT_ONCE:
                    publisher.publish(chunk)
                    publisher.flush(FLUSH_TIMEOUT_S)
                    chunk.clear()
            publisher.publish(chunk)
            publisher.flush(FLUSH_TIMEOUT_S)
        finally:
            publisher.close()
        return count

    def train(self, seed: int) -> str:
        """As the Protocol says; `latentwatch train` as its own process."""
        words = ["train", "--topic", self.topics.input, "--bootstrap-servers", self._servers]
        words += ["--store", str(self._folder / MODELS)]
        words += ["--alert-rate", f"{ALERT_RATE:g}", "--seed", str(seed)]
        return run_to_end(words, self._environ)

    def watch(self) -> str:
        """As the Protocol says; `latentwatch run` as its own process."""
        (port,) = free_ports(1)
        config = self._folder / CONFIG
        config.write_text(self._config(port), encoding="utf-8")
        words = ["run", "--config", str(config)]
        with held_back():  # till we know of it
            self._worker = Child(words, self._folder / LOG, self._environ)
        self._wait_until_ready(self._worker, f"http://127.0.0.1:{port}/readyz")
        return f"http://127.0.0.1:{port}/metrics"

    def send(self, outputs: Sequence[Output]) -> None:
        """As the Protocol says."""
        for output in outputs:
            self._sent.append(
                self._producer.send(
                    output.topic,
                    key=output.key,
                    value=output.value,
                    timestamp_ms=output.timestamp,
                )
            )

    def arrived(self) -> Sequence[str]:
        """As the Protocol says. Raises Retryable for a record that the broker did not take."""
        ids = []
        while self._sent and self._sent[0].is_done:
            try:
                found = self._sent.popleft().get(0)
            except KafkaError as error:
                raise Retryable(f"a record did not reach the topic: {error}") from error
            ids.append(f"{found.topic}-{found.partition}-{found.offset}")
        return ids

    def received(self, timeout_s: float) -> Sequence[RawRecord]:
        """As the Protocol says."""
        if self._worker is not None:
            self._worker.check()
        fetched = fetch(self._consumer, FETCH_AT_ONCE, timeout_s)
        return [record for records in fetched.values() for record in records]

    def finish(self) -> Sequence[RawRecord]:
        """As the Protocol says."""
        if self._worker is not None:
            self._worker.stop()
        self._worker = None
        deadline = time.monotonic() + REST_TIMEOUT_S
        rest: list[RawRecord] = []
        while not self._is_at_the_end() and time.monotonic() < deadline:
            rest += self.received(_POLL_S)
        return rest

    def close(self) -> None:
        """As the Protocol says."""
        if self._worker is not None:
            self._worker.stop()
        self._worker = None
        abandon(self._producer, self._timings.close_s)
        with suppress(KafkaError):
            self._consumer.close(autocommit=False)

    def _read_from_the_beginning(self) -> None:
        self._consumer.assign(
            [
                TopicPartition(name, number)
                for name in self.topics.outputs
                for number in range(PARTITIONS)
            ]
        )
        for partition in self._consumer.assignment():
            self._consumer.seek(partition, 0)

    def _is_at_the_end(self) -> bool:
        ends = self._consumer.end_offsets(list(self._consumer.assignment()))
        return all(self._consumer.position(partition) >= end for partition, end in ends.items())

    def _wait_until_ready(self, worker: Child, url: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not _answers(url):
            worker.check()
            if time.monotonic() > deadline:
                raise StepFailed(f"the worker was not ready within {READY_TIMEOUT_S:.0f} s", 69)
            time.sleep(_POLL_S)

    def _config(self, port: int) -> str:
        return f"""\
# What `latentwatch run` was started with; every line is also a variable, LATENTWATCH_...
topic = "{self.topics.input}"
store = "{self._folder / MODELS}"

[kafka]
bootstrap_servers = "{self._servers}"

[output]
scores = "all"

[http]
host = "127.0.0.1"
port = {port}
"""


def _plan(name: str) -> TopicPlan:
    return TopicPlan(name, PARTITIONS, replication=None, retention_ms=FOR_EVER_MS)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own worker's address
            return True
    except (urllib.error.URLError, OSError):
        return False
