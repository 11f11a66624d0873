"""Programs that the demo starts as their own processes, and ends again however it ends itself."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from workbench.demo.errors import StepFailed
from workbench.demo.guard import dismiss, guard
from workbench.demo.interrupts import held_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STOP_TIMEOUT_S = 20.0
TAIL_CHARACTERS = 2000


class Child:
    """A `latentwatch` command that runs beside us; what it says goes to its log."""

    def __init__(self, words: Sequence[str], log: Path, environ: Mapping[str, str]) -> None:
        self._name = f"latentwatch {words[0]}"
        self._log = log
        with log.open("wb") as output, held_back():
            self._process = subprocess.Popen(
                [*PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,  # Ctrl-C is for us, who then end it in order
            )
            self._guard = guard('kill -9 "$1"', str(self._process.pid))

    def check(self) -> None:
        """Raises StepFailed, with the end of its log, once it has ended."""
        code = self._process.poll()
        if code is not None:
            said = self._log.read_text(encoding="utf-8", errors="replace")[-TAIL_CHARACTERS:]
            message = f"{self._name} ended with {code}; its log ends:\n{said}"
            raise StepFailed(message, _exit_code(code))

    def stop(self) -> None:
        """End it as an operator would; killed where that takes too long. Safe to call twice."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        dismiss(self._guard)


def run_to_end(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """What a `latentwatch` command prints; its errors and its progress go where ours go.

    Raises StepFailed with its exit code.
    """
    with ExitStack() as ending:
        with held_back():
            process = ending.enter_context(
                subprocess.Popen(
                    [*PROGRAM, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    env=dict(environ),
                    start_new_session=True,  # Ctrl-C is ours alone
                    text=True,
                )
            )
            ending.callback(dismiss, guard('kill -9 "$1"', str(process.pid)))
            ending.callback(process.kill)
        said, _ = process.communicate()
    code = process.returncode
    if code != 0:
        raise StepFailed(f"latentwatch {words[0]} ended with {code}", _exit_code(code))
    return said


def _exit_code(code: int) -> int:
    """Ours for a program that ended so: a signal, or an end that nobody asked for, is a defect."""
    return code if code > 0 else 70


PROGRAM = (sys.executable, "-m", "latentwatch")
