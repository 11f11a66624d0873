"""Programs that the demo starts: what they say, how they end, and that they do end."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.waiting import wait_until
from workbench.demo import children
from workbench.demo.children import Child, run_to_end
from workbench.demo.errors import StepFailed
from workbench.demo.guard import guard
from workbench.demo.interrupts import held_back

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

RUN: Final = ["run", "--topic", "t", "--bootstrap-servers", "127.0.0.1:1"]


def test_what_a_program_prints_is_given_back() -> None:
    assert run_to_end(["--version"], os.environ).startswith("latentwatch ")


def test_a_program_that_fails_ends_the_step_with_its_code() -> None:
    with pytest.raises(StepFailed, match="latentwatch train ended with 64") as caught:
        run_to_end(["train"], os.environ)
    assert caught.value.exit_code == 64


def test_a_program_that_has_ended_is_noticed_and_its_log_shown(tmp_path: Path) -> None:
    child = Child(["run", "--no-such"], tmp_path / "log", os.environ)

    def has_ended() -> StepFailed | None:
        try:
            child.check()
        except StepFailed as error:
            return error
        return None

    error = wait_until(has_ended, 30.0, "the program has ended")
    child.stop()
    assert error is not None
    assert "--no-such" in str(error)
    assert error.exit_code == 64


def test_a_program_that_runs_is_ended(tmp_path: Path) -> None:
    environ = {**os.environ, "LATENTWATCH_HTTP__PORT": "0"}
    child = Child(RUN, tmp_path / "log", environ)
    wait_until(lambda: b"metrics" in (tmp_path / "log").read_bytes(), 30.0, "the program runs")
    child.check()
    child.stop()
    with pytest.raises(StepFailed):
        child.check()


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """Also where the tests were started in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the programs started: Ctrl-C comes when each runs and its guard does not yet."""
    started: list[int] = []

    def late(script: str, pid: str) -> subprocess.Popen[bytes]:
        started.append(int(pid))
        signal.raise_signal(signal.SIGINT)
        return guard(script, pid)

    monkeypatch.setattr(children, "guard", late)
    return started


def test_a_signal_at_the_start_of_a_step_ends_its_program(interrupted: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_to_end(RUN, os.environ)
    assert not Path(f"/proc/{interrupted[0]}").exists()


def test_a_signal_at_the_start_of_a_program_waits_until_it_is_known(
    interrupted: list[int], tmp_path: Path
) -> None:
    child = None
    with pytest.raises(KeyboardInterrupt), held_back():
        child = Child(RUN, tmp_path / "log", os.environ)
    assert child is not None
    child.stop()
    assert not Path(f"/proc/{interrupted[0]}").exists()


def test_a_signal_that_is_held_back_comes_once_and_to_whom_it_was_for() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        with held_back():
            with held_back():
                signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            assert came == []
        assert came == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert len(came) == 2
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_ignored_signal_does_not_take_the_place_of_another() -> None:
    def both() -> None:
        with held_back():
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            both()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_nothing_is_held_back() -> None:
    found: list[object] = []

    def look() -> None:
        with held_back():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(10)
    assert found == [signal.default_int_handler]
