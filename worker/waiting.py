"""Waits for what a start depends on, alive but not ready, until it is there or time is up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from worker.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.ports import Clock

log = logging.getLogger(__name__)

PAUSE_FIRST_S = 0.2
PAUSE_LAST_S = 5.0

Found = TypeVar("Found")


class StopAsked(Exception):  # noqa: N818 - not an error
    """The program was asked to stop before it had started."""


class StartWait:
    """One deadline for everything that a start waits for."""

    def __init__(
        self,
        clock: Clock,
        timeout_s: float,
        should_stop: Callable[[], bool],
        on_waiting: Callable[[str], None],
    ) -> None:
        """`on_waiting` is told the reason of each vain try, and once a try is under way."""
        self._clock = clock
        self._ends_at = clock.monotonic() + timeout_s
        self._should_stop = should_stop
        self._on_waiting = on_waiting
        self._said = ""

    def until(self, look: Callable[[], Found]) -> Found:
        """What `look` gives once it no longer raises Unreachable.

        Raises the last Unreachable when the time is up, StopAsked when asked to stop.
        """
        pause = PAUSE_FIRST_S
        while True:
            if self._should_stop():
                raise StopAsked
            try:
                return look()
            except Unreachable as error:
                if self._clock.monotonic() >= self._ends_at:
                    raise
                self._tell(str(error))
            self._clock.sleep(min(pause, max(self._ends_at - self._clock.monotonic(), 0)))
            pause = min(pause * 2, PAUSE_LAST_S)

    def _tell(self, reason: str) -> None:
        self._on_waiting(reason)
        if reason != self._said:
            log.warning("waiting: %s", reason)
            self._said = reason
