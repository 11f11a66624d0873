"""Signals to end, which wait while a process is started: one that nobody knows of would stay."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held_back() -> Iterator[None]:
    """The first signal to end that comes meanwhile is dealt with at the end; it may be nested.

    Blocking the signals would not do: the process that is started would have them blocked, too.
    Signals that are ignored stay so. Outside the main thread there is nothing to hold back: Python
    handles no signals there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {ending: signal.getsignal(ending) for ending in ENDING}
    held = [ending for ending in ENDING if before[ending] not in (signal.SIG_IGN, None)]
    try:
        for ending in held:
            signal.signal(ending, note)
        yield
    finally:
        # One that comes from here on, to a handler that is back already, must not stop the rest.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        for ending in held:
            signal.signal(ending, before[ending])
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if came:
            signal.raise_signal(came[0])
