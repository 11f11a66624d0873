"""The stage in this process: the real training and the real pipeline over a log in memory.

For machines where no broker can be had; the only stand-in is the log itself.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from training.fit import FitSettings
from training.retrain import Plan, retrain
from training.summary import outcome_lines
from workbench.demo.errors import StepFailed
from workbench.demo.stage import ALERT_RATE, MODELS, PARTITIONS, Topics
from worker.adapters.clock import Stop, SystemClock
from worker.adapters.http import Health, HttpServer
from worker.adapters.memory import (
    MemoryBroker,
    MemoryDelivery,
    MemoryPublisher,
    MemoryRecordHistory,
    MemoryRecordLog,
)
from worker.adapters.prometheus import PrometheusMetrics
from worker.app import VERSION, codec_for, current_model, start_rule, store_of
from worker.codec import REASONS
from worker.events import EventEncoder, EventSettings
from worker.pipeline import LoopSettings, Pipeline, Seams
from worker.scorer import ReloadingScorer
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from worker.records import Output, Partition, RawRecord, Record
    from worker.settings import Settings

POLL_TIMEOUT_S: Final = 0.1
READY_TIMEOUT_S: Final = 60.0
FAILURES: Final = ("Retryable", "MembershipLost", "dead_letter_limit")
_POLL_S: Final = 0.02


class EmbeddedStage:
    """A stage that is gone with the process; `folder` takes the models."""

    def __init__(self, topics: Topics, folder: Path) -> None:
        self.topics = topics
        names = (topics.input, *topics.outputs)
        self._broker = MemoryBroker(dict.fromkeys(names, PARTITIONS))
        given = {"topic": topics.input, "store": folder / MODELS, "output.scores": "all"}
        self._settings: Settings = load_settings(given, config=None, environ={}).settings
        self._read: dict[Partition, int] = dict.fromkeys(
            (p for name in topics.outputs for p in self._broker.partitions(name)), 0
        )
        self._ids: list[str] = []
        self._stop = Stop()
        self._closing = ExitStack()
        self._loop: Future[None] | None = None

    def fill(self, outputs: Iterable[Output]) -> int:
        """As the Protocol says."""
        publisher = MemoryPublisher(self._broker)
        before = self._end_of_input()
        publisher.publish(outputs)
        publisher.flush(0)
        return self._end_of_input() - before

    def train(self, seed: int) -> str:
        """As the Protocol says."""
        plan = Plan(
            stream=self._settings.stream,
            topic=self.topics.input,
            fit=FitSettings(alert_rate=ALERT_RATE, seed=seed),
        )
        history = MemoryRecordHistory(self._broker, self.topics.input)
        codec = codec_for(self._settings.limits)
        outcome = retrain(history, codec, store_of(self._settings), plan)
        return outcome_lines(outcome, self._settings.stream)

    def watch(self) -> str:
        """As the Protocol says; the loop runs on a thread of its own."""
        clock = SystemClock(self._stop)
        metrics = PrometheusMetrics(self.topics.input, VERSION, clock, REASONS, FAILURES)
        health = Health(clock, self._settings.watchdog_s)
        server = HttpServer("127.0.0.1", 0, metrics.registry, health)
        self._closing.callback(server.close)
        pipeline = self._pipeline(metrics, clock, _Watcher(health, metrics))
        threads = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._closing.callback(threads.shutdown)
        self._closing.callback(self._stop.set)
        self._loop = threads.submit(pipeline.run, self._stop.is_set)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not health.ready()[0]:
            self._check()
            if time.monotonic() > deadline:
                raise StepFailed(f"the loop was not ready within {READY_TIMEOUT_S:.0f} s", 69)
            time.sleep(_POLL_S)
        return f"http://127.0.0.1:{server.port}/metrics"

    def send(self, outputs: Sequence[Output]) -> None:
        """As the Protocol says."""
        with self._broker.lock:
            partitions = self._broker.partitions(self.topics.input)
            for output in outputs:
                before = {p: self._broker.journal(p).end for p in partitions}
                self._broker.send([output])
                (grown,) = (p for p in partitions if self._broker.journal(p).end > before[p])
                self._ids.append(f"{grown.topic}-{grown.partition}-{before[grown]}")

    def arrived(self) -> Sequence[str]:
        """As the Protocol says."""
        ids, self._ids = self._ids, []
        return ids

    def received(self, timeout_s: float) -> Sequence[RawRecord]:
        """As the Protocol says."""
        self._check()
        with self._broker.lock:
            self._broker.lock.wait_for(self._has_come, timeout_s)
            return self._take()

    def finish(self) -> Sequence[RawRecord]:
        """As the Protocol says."""
        self.close()
        with self._broker.lock:
            return self._take()

    def close(self) -> None:
        """As the Protocol says."""
        self._closing.close()

    def _pipeline(
        self, metrics: PrometheusMetrics, clock: SystemClock, watcher: _Watcher
    ) -> Pipeline:
        settings = self._settings
        store = store_of(settings)
        model = current_model(store)
        scorer = ReloadingScorer(store, metrics, model, settings.model_check_s)
        scorer.start()
        self._closing.callback(scorer.close)
        start = start_rule(settings, model)
        log = MemoryRecordLog(self._broker, settings.topic, settings.group, start, metrics)
        self._closing.callback(log.close)
        seams = Seams(
            log=log,
            codec=codec_for(settings.limits),
            scorer=scorer,
            encoder=EventEncoder(_event_settings(settings), clock),
            delivery=MemoryDelivery(self._broker, log),
            metrics=metrics,
            clock=clock,
            watcher=watcher,
        )
        limits = settings.limits
        loop = LoopSettings(
            records_max=settings.kafka.poll_records_max,
            poll_timeout_s=POLL_TIMEOUT_S,
            dead_letter_share_max=limits.dead_letter_share_max,
            dead_letter_window=limits.dead_letter_window,
            events_per_s_max=limits.events_per_s_max,
        )
        return Pipeline(seams, loop)

    def _check(self) -> None:
        """Raises what ended the loop, if something did."""
        if self._loop is not None and self._loop.done():
            self._loop.result()

    def _end_of_input(self) -> int:
        partitions = self._broker.partitions(self.topics.input)
        return sum(self._broker.journal(partition).end for partition in partitions)

    def _has_come(self) -> bool:
        return any(self._broker.journal(p).end > at for p, at in self._read.items())

    def _take(self) -> list[Record]:
        taken: list[Record] = []
        for partition, at in self._read.items():
            journal = self._broker.journal(partition)
            taken += journal.between(at, journal.end)
            self._read[partition] = journal.end
        return taken


class _Watcher:
    """pipeline.Watcher: passes on to health and metrics."""

    def __init__(self, health: Health, metrics: PrometheusMetrics) -> None:
        self._health = health
        self._metrics = metrics

    def turned(self) -> None:
        """The loop is alive."""
        self._health.beat()

    def flows(self, reason: str) -> None:
        """Records flow."""
        self._health.set_ready(reason, is_ready=True)
        self._metrics.ready(is_ready=True)

    def stuck(self, reason: str) -> None:
        """Records do not flow for now."""
        self._health.set_ready(reason, is_ready=False)
        self._metrics.ready(is_ready=False)

    def note(self, name: str, value: object) -> None:
        """A fact for /status."""
        self._health.note(name, value)


def _event_settings(settings: Settings) -> EventSettings:
    return EventSettings(
        stream=settings.stream,
        group=settings.group,
        anomalies_topic=settings.output.topic,
        dead_letter_topic=settings.output.dead_letter_topic,
        scores_topic=settings.output.scores_topic,
        include_record=settings.output.include_record,
        worker_version=VERSION,
    )
