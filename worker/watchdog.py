"""Ends a process whose loop stands still, after writing down where it stands.

Knows nothing of the loop but that it beats.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_TICKS = 8
"""A stall is seen after the limit and at most an eighth more."""


class Watchdog:
    """Calls `on_stall` once when no beat came for `limit_s`; watches from construction to `stop`.

    Time is counted in own ticks, so a process that was frozen as a whole (a paused container, a
    suspended machine) finds one tick gone and not the limit. A loop stuck in native code that never
    releases the interpreter stops this thread too: what asks /livez sees that.

    The stacks of all threads are logged before `on_stall`, but waited for `report_s` at most: the
    loop may hang in logging itself, on a standard error that nobody reads.
    """

    def __init__(
        self, limit_s: float, on_stall: Callable[[], None], *, report_s: float = 5.0
    ) -> None:
        if limit_s <= 0:
            raise ValueError(f"the limit of a watchdog is above 0 seconds, not {limit_s}")
        self._limit_s = limit_s
        self._on_stall = on_stall
        self._report_s = report_s
        self._beats = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """The loop turned. For the loop's thread alone."""
        self._beats += 1

    def stop(self) -> None:
        """Watch no more. Bounded in time; safe to call twice, and from `on_stall`."""
        self._stopped.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(self._limit_s)

    def _watch(self) -> None:
        seen, quiet_ticks = self._beats, 0
        while not self._stopped.wait(self._limit_s / _TICKS):
            beats = self._beats
            quiet_ticks = quiet_ticks + 1 if beats == seen else 0
            seen = beats
            if quiet_ticks > _TICKS:
                self._stall()
                return

    def _stall(self) -> None:
        report = threading.Thread(target=self._report, name="watchdog-report", daemon=True)
        report.start()
        report.join(self._report_s)
        self._on_stall()

    def _report(self) -> None:
        log.critical(
            "the loop has not turned for %g s: ending the process\n%s", self._limit_s, _stacks()
        )


def _stacks() -> str:
    """Where each thread stands, as text; without the values of variables."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way
    )
