"""The watchdog."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from tests.waiting import wait_until
from worker.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT_S = 0.2
WAIT_S = 20.0


class Stalls:
    """Counts calls, as the app's way to end the process would not."""

    def __init__(self) -> None:
        self.count = 0
        self.seen = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self.seen.set()


@pytest.fixture
def watch() -> Iterator[Callable[..., Watchdog]]:
    made: list[Watchdog] = []

    def make(limit_s: float, on_stall: Callable[[], None], report_s: float = 5.0) -> Watchdog:
        made.append(Watchdog(limit_s, on_stall, report_s=report_s))
        return made[-1]

    yield make
    for watchdog in made:
        watchdog.stop()


def test_a_loop_that_never_turns_is_a_stall_once(watch: Callable[..., Watchdog]) -> None:
    stalls = Stalls()
    watchdog = watch(LIMIT_S, stalls)
    assert stalls.seen.wait(WAIT_S)
    watchdog.stop()
    assert stalls.count == 1


def test_beats_keep_it_quiet_until_they_end(watch: Callable[..., Watchdog]) -> None:
    stalls = Stalls()
    watchdog = watch(1.0, stalls)
    other = Stalls()
    # The unbeaten twin fires after the same limit: by then the beaten one has outlived it too.
    watch(1.0, other)

    def beat_until_the_other_fell() -> bool:
        watchdog.beat()
        return other.seen.is_set()

    wait_until(beat_until_the_other_fell, WAIT_S)
    assert stalls.count == 0
    assert stalls.seen.wait(WAIT_S)


def test_a_stall_logs_where_every_thread_stands(
    watch: Callable[..., Watchdog], caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    def standing_here() -> None:
        release.wait(WAIT_S)

    thread = threading.Thread(target=standing_here, name="the-loop", daemon=True)
    thread.start()
    stalls = Stalls()
    with caplog.at_level(logging.CRITICAL):
        watch(LIMIT_S, stalls)
        assert stalls.seen.wait(WAIT_S)
    release.set()
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    assert "the loop has not turned for 0.2 s" in caplog.text
    assert "thread the-loop:" in caplog.text
    assert "in standing_here" in caplog.text


def test_a_log_that_blocks_does_not_keep_the_process_up(watch: Callable[..., Watchdog]) -> None:
    """A full pipe on standard error is a way to hang that must end, too."""
    release = threading.Event()
    blocked = threading.Event()

    class Blocking(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            blocked.set()
            release.wait(WAIT_S)

    handler = Blocking()
    logging.getLogger("worker.watchdog").addHandler(handler)
    try:
        stalls = Stalls()
        watch(LIMIT_S, stalls, report_s=0.1)
        assert stalls.seen.wait(WAIT_S)
        assert blocked.is_set()
        assert not release.is_set()
    finally:
        release.set()
        logging.getLogger("worker.watchdog").removeHandler(handler)


def test_a_stopped_watchdog_sees_nothing(watch: Callable[..., Watchdog]) -> None:
    stalls, twin = Stalls(), Stalls()
    watchdog = watch(LIMIT_S, stalls)
    watchdog.stop()
    watchdog.stop()
    watch(LIMIT_S, twin)
    assert twin.seen.wait(WAIT_S)
    assert stalls.count == 0


def test_it_may_be_stopped_from_on_stall() -> None:
    ended = threading.Event()

    def end() -> None:
        watchdog.stop()
        ended.set()

    watchdog = Watchdog(LIMIT_S, end)
    assert ended.wait(WAIT_S)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0 seconds, not 0"):
        Watchdog(0, Stalls())
