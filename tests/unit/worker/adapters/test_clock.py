"""The real clock and the request to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from worker.adapters.clock import Stop, SystemClock

if TYPE_CHECKING:
    from types import FrameType

    from worker.ports import Clock

LONG_S = 60.0
AT_ONCE_S = 10.0


def test_tells_the_machines_time() -> None:
    clock: Clock = SystemClock(Stop())
    before = time.monotonic(), time.time()
    told = clock.monotonic(), clock.now()
    after = time.monotonic(), time.time()
    assert before[0] <= told[0] <= after[0]
    assert before[1] <= told[1] <= after[1]


def test_sleeps_for_as_long_as_asked() -> None:
    clock = SystemClock(Stop())
    start_s = clock.monotonic()
    clock.sleep(0.05)
    assert clock.monotonic() - start_s >= 0.05


def test_another_thread_ends_a_sleep_under_way() -> None:
    stop = Stop()
    clock = SystemClock(stop)
    sleeper = threading.Thread(target=clock.sleep, args=(LONG_S,), daemon=True)
    sleeper.start()
    stop.set()
    sleeper.join(AT_ONCE_S)
    assert not sleeper.is_alive()


def test_after_a_stop_no_sleep_waits() -> None:
    stop = Stop()
    stop.set()
    stop.set()
    start_s = time.monotonic()
    for _ in range(3):
        assert stop.wait(LONG_S)
    assert time.monotonic() - start_s < AT_ONCE_S


def test_a_signal_handler_ends_a_sleep() -> None:
    stop = Stop()

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        start_s = time.monotonic()
        assert stop.wait(LONG_S)
        assert time.monotonic() - start_s < AT_ONCE_S
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_is_set_only_after_somebody_asked() -> None:
    stop = Stop()
    assert not stop.is_set()
    assert not stop.wait(0)
    stop.set()
    assert stop.is_set()
