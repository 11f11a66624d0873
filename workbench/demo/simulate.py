"""The simulated fleet on any topic: published at a rate, with what is wrong told in a header.

A detector that reads values alone, as ours does, never sees it; whoever judges one does.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from workbench.demo.feed import FleetFeed
from worker.adapters.clock import Stop, SystemClock
from worker.adapters.kafka import KafkaPublisher, quiet_client_logs
from worker.app import connection_of, require_topics, timings_of
from worker.app.parts import stop_on_signals
from worker.records import Output
from worker.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.demo.feed import Item
    from worker.settings import Settings

FAULT_HEADER: Final = "simulated-fault"
"""Stands only on a record with which something is wrong; its value says what."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is simulated: `rate` live records a second for `seconds`, None for without end.

    `faults`: their share of the live records; `history`: a week of sound records goes before.
    """

    seed: int
    rate: float
    seconds: float | None
    faults: float
    history: bool


@dataclass(slots=True)
class Published:
    """How many records were acknowledged, of the past and live; and what was wrong with some."""

    past: int = 0
    live: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def simulate(settings: Settings, simulation: Simulation) -> Published:
    """Publish to the settings' topic until it is over, or SIGINT or SIGTERM ends it in order.

    Records of the past carry their own time, live ones that of publishing. Raises Unreachable
    without broker or topic, NotPermitted, Retryable.
    """
    quiet_client_logs()
    connection, topic, stop = connection_of(settings.kafka), settings.topic, Stop()
    require_topics(connection, [topic])
    feed = FleetFeed(simulation.seed, simulation.rate, 0, time.time(), simulation.faults)
    published, clock = Published(), SystemClock(stop)
    with closing(KafkaPublisher(connection, timings_of(settings.kafka))) as publisher:

        def publish(items: Iterable[tuple[int | None, Item]], rate: float | None) -> int:
            def made(timed: tuple[int | None, Item]) -> Output:
                stamp_ms, item = timed
                published.faults.update([item.label] if item.label else [])
                return _output(topic, item, stamp_ms)

            done = 0
            for acknowledged in replay([items], made, publisher, clock, rate):
                done = acknowledged
                if stop.is_set():
                    break
            return done

        stop_on_signals(stop)
        if simulation.history:
            published.past = publish(feed.early(), None)
        if not stop.is_set():
            published.live = publish(_live(feed, simulation), simulation.rate)
    return published


def _live(feed: FleetFeed, simulation: Simulation) -> Iterator[tuple[None, Item]]:
    items = ((None, item) for item in feed.live())
    if simulation.seconds is None:
        return items
    return islice(items, round(simulation.rate * simulation.seconds))


def _output(topic: str, item: Item, stamp_ms: int | None) -> Output:
    headers = [(FAULT_HEADER, item.label.encode())] if item.label else []
    return Output(topic, item.key, item.value, headers, stamp_ms)
