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
    Outside the main thread there is nothing to hold back: Python handles no signals there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {ending: signal.signal(ending, note) for ending in ENDING}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)
        if came:
            signal.raise_signal(came[0])
