"""Publishing the records of a file or a folder to a topic."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from worker.adapters.clock import Stop, SystemClock
from worker.adapters.files import read_files
from worker.adapters.kafka import KafkaPublisher, quiet_client_logs
from worker.app.parts import (
    codec_for,
    connection_of,
    require_topics,
    stop_on_signals,
    timings_of,
)
from worker.replay import output_maker, replay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.replay import Addressing
    from worker.settings import Settings


def replay_files(
    settings: Settings, place: Path, addressing: Addressing, rate: float | None
) -> Iterator[tuple[int, bool]]:
    """Publish all records; after each slice how many are acknowledged, and whether it was stopped.

    SIGINT and SIGTERM stop it after the slice in hand. Raises Unreachable without broker or topic,
    NotPermitted, Retryable, Unreadable, and what reading the files raises.
    """
    quiet_client_logs()
    stop = Stop()
    connection = connection_of(settings.kafka)
    require_topics(connection, [addressing.topic])
    make = output_maker(addressing, codec_for(settings.limits).parse)
    with closing(KafkaPublisher(connection, timings_of(settings.kafka))) as publisher:
        stop_on_signals(stop)
        for done in replay(read_files(place), make, publisher, SystemClock(stop), rate):
            is_stopped = stop.is_set()
            yield done, is_stopped
            if is_stopped:
                return
