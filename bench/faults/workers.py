"""Worker processes under a supervisor that starts each again, as an orchestrator would.

What they do with records is not known here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.stand.programs import Worker
from workbench.demo.guard import dismiss, guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

RESTART_S = 0.3
TRY_AGAIN = 75
"""The exit code of a worker that was fenced: the one that is started again ever more slowly."""
BACK_OFF_FIRST_S = 1.0
BACK_OFF_LAST_S = 8.0
LIVED_S = 15.0
"""A worker that ran for so long before it was fenced begins with the first back-off again."""
STOP_S = 30.0


class Supervised:
    """One worker that is started anew whenever it ends, until it is stopped."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self._settings = settings
        self._log = log
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._worker = self._start()
        self.codes: list[int] = []
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process id of the present one."""
        return self._worker.pid

    def kill(self) -> None:
        """End it as a crash would."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """It stands still; connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo freeze."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Ask it to end; the supervisor starts the next one."""
        self._signal(signal.SIGTERM)

    def ask_to_stop(self) -> None:
        """Ask it to end for good."""
        self._stopped.set()
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def stop(self) -> int:
        """Have it ended; its exit code, minus the signal where it had to be killed."""
        if not self._stopped.is_set():
            self.ask_to_stop()
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            self._signal(signal.SIGKILL)
            self._thread.join()
        return self.codes[-1]

    def is_at_work(self) -> bool:
        """Whether it has partitions to read."""
        return bool(self._worker.metric("assigned_partitions"))

    def said(self) -> str:
        """What the present one has said so far."""
        return self._worker.said()

    def _start(self) -> Worker:
        worker = Worker(self._settings, self._log)
        self._guard = guard('kill -9 "$1"', str(worker.pid))
        return worker

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self._worker.code is None:
                with suppress(ProcessLookupError):
                    os.kill(self._worker.pid, number)

    def _supervise(self) -> None:
        pause = BACK_OFF_FIRST_S
        while True:
            began = time.monotonic()
            code = _wait(self._worker)
            dismiss(self._guard)
            self.codes.append(code)
            if code != TRY_AGAIN or time.monotonic() - began > LIVED_S:
                pause = BACK_OFF_FIRST_S
            if self._stopped.wait(pause if code == TRY_AGAIN else RESTART_S):
                return
            pause = min(2 * pause, BACK_OFF_LAST_S) if code == TRY_AGAIN else pause
            with self._lock:
                if self._stopped.is_set():
                    return
                self._worker = self._start()


class Fleet:
    """Supervised workers in numbered slots; `settings_of` gives what is a slot's own."""

    def __init__(self, settings_of: Callable[[int], Mapping[str, str]], folder: Path) -> None:
        self._settings_of = settings_of
        self._folder = folder
        self.workers: list[Supervised] = []
        self.codes: list[int] = []

    def resize(self, count: int) -> None:
        """Run that many; those that are too many are asked to end, and have ended on return."""
        surplus = self.workers[count:]
        del self.workers[count:]
        for worker in surplus:
            worker.ask_to_stop()
        for worker in surplus:
            worker.stop()
            self.codes += worker.codes
        while len(self.workers) < count:
            self.workers.append(self.one_more(len(self.workers)))

    def one_more(self, slot: int, name: str = "worker") -> Supervised:
        """One more process for a slot, which the caller stops."""
        return Supervised(self._settings_of(slot), self._folder / f"{name}-{slot}.log")

    def said(self) -> str:
        """What the first worker has said."""
        return self.workers[0].said()

    def close(self) -> None:
        """Stop every worker."""
        self.resize(0)


def _wait(worker: Worker) -> int:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return worker.wait(60)
