"""Programs that the demo starts: what they say, how they end, and that they do end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.waiting import wait_until
from workbench.demo.children import Child, run_to_end
from workbench.demo.errors import StepFailed

if TYPE_CHECKING:
    from pathlib import Path


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
    words = ["run", "--topic", "t", "--bootstrap-servers", "127.0.0.1:1"]
    environ = {**os.environ, "LATENTWATCH_HTTP__PORT": "0"}
    child = Child(words, tmp_path / "log", environ)
    wait_until(lambda: b"metrics" in (tmp_path / "log").read_bytes(), 30.0, "the program runs")
    child.check()
    child.stop()
    with pytest.raises(StepFailed):
        child.check()
