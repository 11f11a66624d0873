"""Parts that several words of the command put together: store, model, codec, connection."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import signal
from typing import TYPE_CHECKING

from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.adapters.kafka import KafkaConnection, KafkaTimings, topic_state
from worker.app.security import security_options
from worker.codec import JsonCodec
from worker.model.artifact import ArtifactRejected
from worker.ports import Unreachable
from worker.scorer import ScoringModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from worker.adapters.clock import Stop
    from worker.settings import Kafka, Limits, ScoreSettings, Settings

log = logging.getLogger(__name__)

VERSION = importlib.metadata.version("latentwatch")

LOOK_UP_S = 5.0
EXIT_SECOND_SIGNAL = 128 + signal.SIGTERM


def codec_for(limits: Limits) -> JsonCodec:
    """The codec within the limits that the settings give."""
    return JsonCodec(
        record_bytes_max=limits.record_bytes_max,
        depth_max=limits.depth_max,
        missing_share_max=limits.missing_share_max,
    )


def connection_of(kafka: Kafka) -> KafkaConnection:
    """Where the cluster is and who we are. Raises SettingsError for what cannot be used."""
    return KafkaConnection(
        kafka.bootstrap_servers, kafka.client_id, security_options(kafka.security)
    )


def timings_of(kafka: Kafka) -> KafkaTimings:
    """How long what may take."""
    return KafkaTimings(
        session_s=kafka.session_timeout_s,
        heartbeat_s=kafka.heartbeat_s,
        poll_interval_max_s=kafka.max_poll_interval_s,
        request_s=kafka.request_timeout_s,
        delivery_s=kafka.delivery_timeout_s,
        deadline_s=kafka.deliver_deadline_s,
        transaction_s=kafka.transaction_timeout_s,
    )


def store_of(settings: Settings | ScoreSettings) -> DirectoryArtifactStore:
    """Where the stream's models are."""
    return DirectoryArtifactStore(settings.store, settings.stream)


def current_model(store: DirectoryArtifactStore) -> ScoringModel:
    """The promoted model. Raises Unreachable where there is none, ArtifactRejected."""
    pointer = store.current()
    if pointer is None:
        msg = f"no promoted model in {store.place}: train one first"
        raise Unreachable(msg)
    return ScoringModel(store.load(pointer.version), pointer.version)


def model_to_start_with(store: DirectoryArtifactStore) -> ScoringModel:
    """The promoted model or, where that is damaged, the one before it, which is said loudly.

    Raises Unreachable where there is none, ArtifactRejected where both are damaged.
    """
    try:
        return current_model(store)
    except ArtifactRejected as error:
        damage = error
    pointer = store.current()
    if pointer is None or pointer.previous is None:
        raise damage
    try:
        previous = ScoringModel(store.load(pointer.previous), pointer.previous)
    except ArtifactRejected:
        raise damage from None
    log.error("starting with the previous model %s: %s", pointer.previous, damage)
    return previous


def require_topics(connection: KafkaConnection, names: Sequence[str]) -> None:
    """Raises Unreachable, naming the broker that does not answer or the topics that are missing."""
    found = topic_state(connection, names, LOOK_UP_S)
    absent = sorted(name for name in names if found.get(name) is None)
    if absent:
        msg = f"no topic {', '.join(absent)} at {connection.bootstrap_servers}"
        raise Unreachable(msg)


def stop_on_signals(stop: Stop) -> None:
    """SIGTERM and SIGINT ask to stop; a second one ends the process at once."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(EXIT_SECOND_SIGNAL)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
