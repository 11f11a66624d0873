"""The product's programs as a user runs them: real processes, settings from the environment.

Knows nothing of what is on the topics.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.stand.waiting import wait_for
from workbench.demo.node import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "latentwatch")
RUN_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 60.0
HTTP_TIMEOUT_S = 10.0
SETTINGS = "LATENTWATCH_"


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has ended."""

    code: int
    stdout: str
    stderr: str


def latentwatch(
    *arguments: str,
    settings: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout_s: float = RUN_TIMEOUT_S,
) -> Finished:
    """Run `latentwatch` to its end. `settings` are variables by name; no others are seen."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(settings or {}),
        input=stdin or b"",
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def succeed(finished: Finished) -> str:
    """Its output; AssertionError with what it said where it failed."""
    if finished.code != 0:
        raise AssertionError(f"exit {finished.code}:\n{finished.stdout}{finished.stderr}")
    return finished.stdout


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our own environment, with `settings` in place of its settings of the product."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {**others, **settings}


class Worker:
    """A running `latentwatch run`; killed when it is closed and still runs."""

    def __init__(
        self,
        settings: Mapping[str, str],
        log: Path,
        arguments: Sequence[str] = (),
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Start it; everything that it says is appended to `log`.

        `command` is another installation's, which then must not find the checkout's modules.
        """
        (self.port,) = free_ports(1)
        self.log = log
        self._begins_at = log.stat().st_size if log.exists() else 0
        http = {"LATENTWATCH_HTTP__HOST": "127.0.0.1", "LATENTWATCH_HTTP__PORT": str(self.port)}
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                [*command, "run", *arguments],
                cwd=ROOT if command == COMMAND else log.parent,
                env=environment({**http, **settings}),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.poll()

    def said(self) -> str:
        """Its log so far."""
        with self.log.open("rb") as log:
            log.seek(self._begins_at)
            return log.read().decode(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of an HTTP answer; (0, reason) where nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=HTTP_TIMEOUT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def status(self) -> dict[str, object]:
        """What /status tells."""
        found: dict[str, object] = json.loads(self.get("/status")[1])
        return found

    def metric(self, name: str, **labels: str) -> float | None:
        """The sum of a metric's series that carry all of `labels`; None where there is none."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = None
        for line in self.get("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == f"latentwatch_{name}" and all(
                each in series for each in wanted
            ):
                found = float(value) + (found or 0.0)
        return found

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> Self:
        """Wait until records flow, or would if there were any."""
        try:
            wait_for(self._is_ready, timeout_s, "the worker is ready")
        except TimeoutError as error:
            raise AssertionError(f"{error}; it said:\n{self.said()}") from error
        return self

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); returns once it is gone."""
        self._process.kill()
        self._process.wait()

    def wait(self, timeout_s: float = 30.0) -> int:
        """The code it ends with; subprocess.TimeoutExpired where it does not."""
        return self._process.wait(timeout_s)

    def stop(self, timeout_s: float = 30.0) -> int:
        """Ask it to end and wait for it."""
        self.terminate()
        return self.wait(timeout_s)

    def close(self) -> None:
        """Kill it where it still runs."""
        if self.code is None:
            self.kill()

    def _is_ready(self) -> bool:
        if self.code is not None:
            raise AssertionError(f"the worker ended with {self.code}:\n{self.said()}")
        return self.get("/readyz")[0] == 200
