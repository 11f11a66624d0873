"""The real clock, and the request to stop that ends its sleeps early.

Knows nothing of signals: a program's app sets the request from its handler.
"""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue


class Stop:
    """A request to stop, once and for all; `set` is safe in a signal handler.

    threading.Event is not: a handler that interrupts `wait` while it holds the event's lock waits
    for itself for ever. A SimpleQueue's `put` is documented as reentrant.
    """

    def __init__(self) -> None:
        self._asked = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Ask to stop; a second time changes nothing."""
        self._asked = True
        self._wake.put(None)

    def is_set(self) -> bool:
        """Whether somebody asked."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """At most about `seconds`, less when asked to stop; whether that is so. For one thread."""
        if not self._asked and seconds > 0:
            try:
                self._wake.get(timeout=seconds)
            except Empty:
                return self._asked
        return self._asked


class SystemClock:
    """ports.Clock of the machine; its sleeps end when `stop` is set."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait; returns at once when the program was asked to stop, and early when it is."""
        self._stop.wait(seconds)
