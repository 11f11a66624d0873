"""The always-on program: settings to adapters to pipeline, and the order of start and stop."""

from __future__ import annotations

import logging
import os
import platform
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from worker.adapters.clock import Stop, SystemClock
from worker.adapters.http import Health, HttpServer
from worker.adapters.kafka import (
    KafkaAtLeastOnce,
    KafkaExactlyOnce,
    KafkaPublisher,
    KafkaRecordLog,
    quiet_client_logs,
)
from worker.adapters.prometheus import PrometheusMetrics
from worker.adapters.slots import Slot, take_slot
from worker.app.parts import (
    VERSION,
    codec_for,
    connection_of,
    model_to_start_with,
    require_topics,
    stop_on_signals,
    store_of,
    timings_of,
)
from worker.app.topics import outputs_of
from worker.codec import REASONS
from worker.events import EventEncoder, EventSettings
from worker.logs import configure
from worker.pipeline import LoopSettings, Pipeline, Seams
from worker.scorer import ReloadingScorer
from worker.settings import AUTO
from worker.waiting import StartWait, StopAsked
from worker.watchdog import Watchdog

if TYPE_CHECKING:
    from worker.adapters.kafka import KafkaConnection, KafkaTimings
    from worker.ports import Clock, Delivery
    from worker.records import ModelNote, StartRule
    from worker.scorer import ScoringModel
    from worker.settings import Settings

log = logging.getLogger(__name__)

POLL_TIMEOUT_S = 0.5
EXIT_STALLED = 70

DELIVERY_FAILURES = ("Retryable", "MembershipLost", "dead_letter_limit")
"""Reasons of failed deliveries, which are labels of a metric."""


def run(settings: Settings) -> None:
    """Watch the topic until SIGTERM or SIGINT; returns after a clean end.

    Raises Unreachable when broker, topics or model are not there in time, NotPermitted, Fenced.
    """
    configure({"service.name": "latentwatch", "service.version": VERSION, "topic": settings.topic})
    quiet_client_logs()
    stop = Stop()
    stop_on_signals(stop)
    clock = SystemClock(stop)
    with ExitStack() as closing:
        metrics = PrometheusMetrics(settings.topic, VERSION, clock, REASONS, DELIVERY_FAILURES)
        health = Health(clock, settings.watchdog_s)
        server = HttpServer(settings.http.host, settings.http.port, metrics.registry, health)
        closing.callback(server.close)
        log.info("metrics and health on port %d", server.port)
        dog = Watchdog(settings.watchdog_s, lambda: os._exit(EXIT_STALLED))
        closing.callback(dog.stop)
        watch = _Watch(health, dog, metrics)
        try:
            pipeline = _start(settings, clock, stop, metrics, watch, closing)
        except StopAsked:
            log.info("asked to stop before the start was over")
            return
        log.info("watching %s as %s", settings.topic, settings.group)
        pipeline.run(stop.is_set)
        log.info("stopped: what is not committed will be read again")


class _Watch:
    """pipeline.Watcher: passes on to health, watchdog and metrics."""

    def __init__(self, health: Health, dog: Watchdog, metrics: PrometheusMetrics) -> None:
        self._health = health
        self._dog = dog
        self._metrics = metrics

    def turned(self) -> None:
        """The loop is alive."""
        self._health.beat()
        self._dog.beat()

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

    def model(self, note: ModelNote) -> None:
        """The model in use, for /status; what was known of the calibration was another's."""
        self.note("model", asdict(note))
        self.note("calibration", None)


def _start(
    settings: Settings,
    clock: Clock,
    stop: Stop,
    metrics: PrometheusMetrics,
    watch: _Watch,
    closing: ExitStack,
) -> Pipeline:
    """Wait for what must be there, then put the loop together; `closing` ends it in order."""

    def waiting(reason: str) -> None:
        watch.turned()
        watch.stuck(reason)

    wait = StartWait(clock, settings.startup_timeout_s, stop.is_set, waiting)
    connection, timings = connection_of(settings.kafka), timings_of(settings.kafka)
    slot = slot_of(settings)
    if slot is not None:
        closing.callback(slot.release)
        connection = replace(connection, instance=slot.name if slot.returns else None)
    store = store_of(settings)
    topics = [settings.topic, *outputs_of(settings)]
    wait.until(lambda: require_topics(connection, topics))
    model = wait.until(lambda: model_to_start_with(store))
    scorer = ReloadingScorer(store, metrics, model, settings.model_check_s, watch.model)
    scorer.look()  # so that a promoted model that is refused shows in the metrics at once
    scorer.start()
    closing.callback(scorer.close)

    record_log = wait.until(
        lambda: KafkaRecordLog(
            connection,
            timings,
            settings.topic,
            settings.group,
            start_rule(settings, model),
            metrics,
        )
    )
    closing.callback(record_log.close)
    delivery = _delivery(settings, connection, timings, record_log, slot)
    closing.callback(delivery.close)
    watch.note("topic", settings.topic)
    watch.note("group", settings.group)
    watch.note("delivery", settings.delivery)
    watch.note("slot", slot.name if slot else None)
    watch.note("version", VERSION)
    return Pipeline(
        Seams(
            log=record_log,
            codec=codec_for(settings.limits),
            scorer=scorer,
            encoder=EventEncoder(_event_settings(settings), clock),
            delivery=delivery,
            metrics=metrics,
            clock=clock,
            watcher=watch,
        ),
        LoopSettings(
            records_max=settings.kafka.poll_records_max,
            poll_timeout_s=POLL_TIMEOUT_S,
            dead_letter_share_max=settings.limits.dead_letter_share_max,
            dead_letter_window=settings.limits.dead_letter_window,
            events_per_s_max=settings.limits.events_per_s_max,
        ),
    )


def slot_of(settings: Settings) -> Slot | None:
    """Under which name we run; none where it would be of no use."""
    if settings.slot != AUTO:
        return Slot(settings.slot, returns=True)
    if settings.delivery == "exactly_once":
        return take_slot(settings.slot_folder, settings.group, platform.node() or "worker")
    return None


def _delivery(
    settings: Settings,
    connection: KafkaConnection,
    timings: KafkaTimings,
    record_log: KafkaRecordLog,
    slot: Slot | None,
) -> Delivery:
    if settings.delivery == "at_least_once" or slot is None:
        return KafkaAtLeastOnce(KafkaPublisher(connection, timings), record_log, timings)
    transactional_id = f"{settings.group}-{slot.name}"
    log.info("delivering exactly once as %s", transactional_id)
    return KafkaExactlyOnce(connection, timings, record_log, transactional_id)


def start_rule(settings: Settings, model: ScoringModel) -> StartRule:
    """Where a partition without committed offset starts: where the model's training ended.

    For a model that was trained from elsewhere that is the end of the topic.
    """
    if settings.from_beginning:
        return "beginning"
    span = model.artifact.about.span
    if span.topic != settings.topic:
        return "end"
    return {partition.partition: partition.end for partition in span.partitions}


def _event_settings(settings: Settings) -> EventSettings:
    output = settings.output
    return EventSettings(
        stream=settings.stream,
        group=settings.group,
        anomalies_topic=output.topic,
        dead_letter_topic=output.dead_letter_topic,
        scores_topic=output.scores_topic if output.scores == "all" else None,
        include_record=output.include_record,
        worker_version=VERSION,
    )
