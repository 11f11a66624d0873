"""The composition root: settings to adapters to pipeline, signals, and the order of start and stop.

The one file of the worker that names concrete parts.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.adapters.clock import Stop, SystemClock
from worker.adapters.files import ValuesHistory, read_lines
from worker.adapters.http import Health, HttpServer
from worker.adapters.kafka import (
    KafkaAtLeastOnce,
    KafkaConnection,
    KafkaPublisher,
    KafkaRecordLog,
    KafkaTimings,
    quiet_client_logs,
    topic_state,
)
from worker.adapters.prometheus import PrometheusMetrics
from worker.codec import REASONS, JsonCodec
from worker.events import EventEncoder, EventSettings, anomaly_event, utc
from worker.logs import configure
from worker.pipeline import LoopSettings, Pipeline, Processed, Seams, process
from worker.ports import Unreachable
from worker.scorer import ReloadingScorer, ScoringModel
from worker.waiting import StartWait, StopAsked
from worker.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import BufferedReader
    from types import FrameType

    from worker.ports import Clock
    from worker.records import RawRecord, StartRule
    from worker.settings import Kafka, Limits, ScoreSettings, Settings

log = logging.getLogger(__name__)

VERSION = importlib.metadata.version("latentwatch")

POLL_TIMEOUT_S = 0.5
LOOK_UP_S = 5.0
EXIT_STALLED = 70
EXIT_SECOND_SIGNAL = 128 + signal.SIGTERM

DELIVERY_FAILURES = ("Retryable", "MembershipLost", "dead_letter_limit")
"""Reasons of failed deliveries, which are labels of a metric."""


def run(settings: Settings) -> None:
    """Watch the topic until SIGTERM or SIGINT; returns after a clean end.

    Raises Unreachable when broker, topics or model are not there in time, NotPermitted, Fenced.
    """
    configure({"service.name": "latentwatch", "service.version": VERSION, "topic": settings.topic})
    quiet_client_logs()
    stop = Stop()
    _stop_on_signals(stop)
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


def score_records(
    settings: ScoreSettings, chunks: Iterable[Sequence[RawRecord]], *, every_record: bool
) -> Iterator[dict[str, object]]:
    """Score records with the stream's current model: events, or a line for every record.

    Raises Unreachable without a model, ArtifactRejected.
    """
    model = _current_model(DirectoryArtifactStore(settings.store, settings.stream))
    codec = codec_for(settings.limits)
    clock = SystemClock(Stop())
    for records in chunks:
        processed = process(records, model, codec)
        yield from (
            _lines(records, processed) if every_record else _events(records, processed, clock)
        )


def score_stream(
    settings: ScoreSettings, stream: BufferedReader, name: str, *, every_record: bool
) -> Iterator[dict[str, object]]:
    """Score JSON lines as they come; see score_records."""
    return score_records(settings, read_lines(stream, name), every_record=every_record)


def score_values(
    settings: ScoreSettings, values: Sequence[bytes | None], *, every_record: bool
) -> Iterator[dict[str, object]]:
    """Score values in memory; see score_records."""
    history = ValuesHistory(values, settings.stream)
    chunks = history.read(history.span(None, None))
    return score_records(settings, chunks, every_record=every_record)


def codec_for(limits: Limits) -> JsonCodec:
    """The codec within the limits that the settings give."""
    return JsonCodec(
        record_bytes_max=limits.record_bytes_max,
        depth_max=limits.depth_max,
        missing_share_max=limits.missing_share_max,
    )


def connection_of(kafka: Kafka) -> KafkaConnection:
    """Where the cluster is and who we are."""
    return KafkaConnection(kafka.bootstrap_servers, kafka.client_id)


def timings_of(kafka: Kafka) -> KafkaTimings:
    """How long what may take."""
    return KafkaTimings(
        session_s=kafka.session_timeout_s,
        heartbeat_s=kafka.heartbeat_s,
        poll_interval_max_s=kafka.max_poll_interval_s,
        request_s=kafka.request_timeout_s,
        delivery_s=kafka.delivery_timeout_s,
        deadline_s=kafka.deliver_deadline_s,
    )


def require_topics(connection: KafkaConnection, names: Sequence[str]) -> None:
    """Raises Unreachable, naming the broker that does not answer or the topics that are missing."""
    found = topic_state(connection, names, LOOK_UP_S)
    absent = sorted(name for name in names if found.get(name) is None)
    if absent:
        msg = f"no topic {', '.join(absent)} at {connection.bootstrap_servers}"
        raise Unreachable(msg)


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
    store = DirectoryArtifactStore(settings.store, settings.stream)
    wait.until(lambda: require_topics(connection, _topics(settings)))
    model = wait.until(lambda: _current_model(store))
    scorer = ReloadingScorer(store, metrics, model, settings.model_check_s)
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
    delivery = KafkaAtLeastOnce(KafkaPublisher(connection, timings), record_log, timings)
    closing.callback(delivery.close)
    watch.note("topic", settings.topic)
    watch.note("group", settings.group)
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
        ),
    )


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


def _current_model(store: DirectoryArtifactStore) -> ScoringModel:
    pointer = store.current()
    if pointer is None:
        msg = f"no promoted model in {store.place}: train one first"
        raise Unreachable(msg)
    return ScoringModel(store.load(pointer.version), pointer.version)


def _topics(settings: Settings) -> list[str]:
    names = [settings.topic, settings.output.topic, settings.output.dead_letter_topic]
    return [*names, settings.output.scores_topic] if settings.output.scores == "all" else names


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


def _stop_on_signals(stop: Stop) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(EXIT_SECOND_SIGNAL)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def _events(
    records: Sequence[RawRecord], processed: Processed, clock: Clock
) -> Iterator[dict[str, object]]:
    for found in processed.anomalies:
        record = records[int(processed.decoded.rows[found.row])]
        note = processed.model.note
        yield anomaly_event(record, found, note, detected_at=utc(clock.now()))


def _lines(records: Sequence[RawRecord], processed: Processed) -> Iterator[dict[str, object]]:
    """One line for each record, in order; a skipped one has no score and no reason."""
    decoded, scores = processed.decoded, processed.scores
    at = {int(row): i for i, row in enumerate(decoded.rows)}
    reasons = {rejection.row: rejection.reason for rejection in decoded.rejections}
    for row, record in enumerate(records):
        i = at.get(row)
        yield {
            "index": record.offset,
            "score": None if i is None else float(scores.score[i]),
            "flagged": i is not None and bool(scores.flagged[i]),
            "latent_distance": None if i is None else float(scores.latent_distance[i]),
            "reconstruction_error": None if i is None else float(scores.reconstruction_error[i]),
            "kind": None if i is None else scores.kind(i),
            "rejected": reasons.get(row),
        }
