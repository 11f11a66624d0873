"""The live part: records go in at an even rate, what comes out is counted, until all is accounted.

Knows the stage only as its Protocol.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Final

from worker.records import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workbench.demo.feed import Feed, Item
    from workbench.demo.kept import Kept
    from workbench.demo.screen import Screen
    from workbench.demo.stage import Stage
    from workbench.demo.tally import Tally
    from worker.records import RawRecord

ACCOUNT_TIMEOUT_S: Final = 30.0
"""For the worker to deal with everything after the last record was sent."""
AT_ONCE_MAX: Final = 300
"""Records sent together at most, when we were held up."""
POLL_S: Final = 0.01


class Live:
    """One run of a feed over a stage whose worker is ready."""

    def __init__(self, stage: Stage, feed: Feed, tally: Tally, kept: Kept, screen: Screen) -> None:
        self._stage = stage
        self._feed = feed
        self._tally = tally
        self._kept = kept
        self._screen = screen

    def run(self, seconds: float) -> None:
        """Send for `seconds`, wait until all is accounted for, end the worker.

        The time runs once the first record has come through: till then the worker connects.
        What is not accounted for after ACCOUNT_TIMEOUT_S is lost.
        """
        items = self._feed.live()
        self._send(items, 1)
        self._wait_until_complete(lambda: None)
        began = time.monotonic()

        def show() -> None:
            self._screen.show(self._tally, time.monotonic() - began, seconds)

        while (elapsed := time.monotonic() - began) < seconds:
            if not self._send(items, int(self._feed.rate * elapsed) - self._tally.sent):
                break
            self._hear()
            show()
        self._wait_until_complete(show)
        self._count(self._stage.finish())

    def _wait_until_complete(self, show: Callable[[], None]) -> None:
        ended = time.monotonic()
        while not self._tally.is_complete() and time.monotonic() - ended < ACCOUNT_TIMEOUT_S:
            self._hear()
            show()

    def _send(self, items: Iterator[Item], due: int) -> bool:
        """Send so many, but not all at once; whether there may be more."""
        due = max(min(due, AT_ONCE_MAX), 0)
        batch = list(islice(items, due))
        stamp = _now_ms()
        topic = self._stage.topics.input
        self._stage.send([Output(topic, i.key, i.value, timestamp=stamp) for i in batch])
        self._tally.send(batch)
        self._kept.send(batch)
        return len(batch) >= due

    def _hear(self) -> None:
        ids = self._stage.arrived()
        self._tally.arrive(ids)
        self._kept.arrive(ids)
        self._count(self._stage.received(POLL_S))

    def _count(self, records: Sequence[RawRecord]) -> None:
        now_ms = _now_ms()
        for record in records:
            self._tally.receive(record, now_ms)
            if record.topic == self._tally.topics.anomalies:
                self._kept.event(record)


def _now_ms() -> int:
    return int(time.time() * 1000)
