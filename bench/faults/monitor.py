"""When the score of each record became visible to a reader of committed records."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from bench.faults.topics import reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HOLE_S = 1.0
"""A shorter pause between two scores of a partition is the normal pace of batches."""


class Line(msgspec.Struct):
    """A line of the scores topic, as far as the bench reads it."""

    id: str
    flagged: bool
    rejected: str | None


class Monitor:
    """Reads the scores topic along, from a thread of its own; by partition of the input."""

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int) -> None:
        self._reader = reader(bootstrap_servers, topic, range(partitions))
        self._partitions = partitions
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._arrivals: defaultdict[int, list[float]] = defaultdict(list)
        self._highest: defaultdict[int, int] = defaultdict(lambda: -1)
        self.lines = 0
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def is_past(self, ends: Mapping[int, int]) -> bool:
        """Whether scores of every partition have come from beyond these offsets."""
        with self._lock:
            return all(self._highest[partition] > end for partition, end in ends.items())

    def reaches(self, ends: Mapping[int, int]) -> bool:
        """Whether the score at each of these offsets has come."""
        return self.is_past({partition: end - 1 for partition, end in ends.items()})

    def recovery(self, steps: Sequence[float]) -> float:
        """See the function of that name; of all partitions."""
        with self._lock:
            return recovery(self._arrivals.values(), steps)

    def highest(self) -> dict[int, int]:
        """The last offset seen of each partition."""
        with self._lock:
            return {number: self._highest[number] for number in range(self._partitions)}

    def _run(self) -> None:
        while not self._stopped.is_set():
            messages = self._reader.consume(500, 0.05)
            now = time.monotonic()
            with self._lock:
                for message in messages:
                    if message.error() is None:
                        self._note(msgspec.json.decode(message.value() or b"", type=Line), now)

    def _note(self, line: Line, now: float) -> None:
        partition, offset = place_of(line.id)
        self.lines += 1
        self._arrivals[partition].append(now)
        self._highest[partition] = max(self._highest[partition], offset)

    def close(self) -> None:
        """Read no more; returns when its thread has ended."""
        self._stopped.set()
        self._thread.join()
        self._reader.close()


def place_of(record_id: str) -> tuple[int, int]:
    """Partition and offset out of a record's name."""
    _, partition, offset = record_id.rsplit("-", 2)
    return int(partition), int(offset)


def recovery(arrivals: Iterable[Sequence[float]], steps: Sequence[float]) -> float:
    """The longest time from a step to the end of a hole that it made, in seconds; 0 without.

    A hole is a pause longer than HOLE_S in the scores of one partition, whose arrivals are given in
    order; the last step before it, or so soon after its beginning, made it.
    """
    return max(
        (
            end - steps[max(0, bisect_right(steps, start + HOLE_S) - 1)]
            for times in arrivals
            for start, end in _holes(times, steps[0])
        ),
        default=0.0,
    )


def _holes(times: Sequence[float], since: float) -> Iterator[tuple[float, float]]:
    """Pauses longer than HOLE_S that reach beyond `since`, the latest first."""
    for end, start in pairwise(reversed(times)):
        if end <= since:
            return
        if end - start > HOLE_S and end - since > HOLE_S:
            yield start, end
