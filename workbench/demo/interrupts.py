"""Signals to end: what they do to a program that has started others, which must not stay."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal to end raises KeyboardInterrupt; more of them do not disturb the tidying."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for ending in ENDING:
            signal.signal(ending, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(ENDING, interrupt):
        yield


@contextmanager
def held_back() -> Iterator[None]:
    """The first signal to end that comes meanwhile is dealt with at the end; it may be nested.

    For the start of a process, until it is known: one that nobody knows of would stay. Blocking the
    signals would not do, the process would have them blocked, too. Signals that are ignored stay
    so. Outside the main thread there is nothing to hold back: Python handles no signals there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    nobodys = (signal.SIG_IGN, None)
    try:
        with _handled(
            [ending for ending in ENDING if signal.getsignal(ending) not in nobodys],
            lambda number, _frame: came.append(number),
        ):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _handled(
    signals: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """These signals go to `handler`, and afterwards to whom they went before."""
    before = {number: signal.getsignal(number) for number in signals}
    try:
        for number in signals:
            signal.signal(number, handler)
        yield
    finally:
        # One that comes now, to a handler that is back already, must not keep the others away.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        for number in signals:
            signal.signal(number, before[number])
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
