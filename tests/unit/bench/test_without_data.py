"""Benches on a folder that lacks data: one clear line, and what is there is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from bench import calibration, explanation
from bench.quality import __main__ as quality
from bench.quality.sources import NoData, require

if TYPE_CHECKING:
    from pathlib import Path

    import click


@pytest.mark.parametrize(
    ("command", "option", "lacking"),
    [
        (quality.main, "--data", "adbench, skab, smd, asd, smap, kddcup99"),
        (calibration.main, "--data", "adbench, smd, asd"),
        (explanation.main, "--shared", "adbench, smd"),
    ],
)
def test_a_folder_without_data_is_said_in_a_line(
    command: click.Command, option: str, lacking: str, tmp_path: Path
) -> None:
    found = CliRunner().invoke(command, [option, str(tmp_path)])
    assert found.exit_code == 2
    (line,) = found.output.splitlines()
    assert line.startswith("Error: no data: ")
    assert line.endswith(f"has nothing of {lacking}")


def put(data: Path, family: str) -> None:
    (data / family).mkdir()
    rows = np.zeros((20, 2))
    np.savez(data / family / "1_small.npz", X=rows, y=np.zeros(20, dtype=np.int64))


def test_what_is_there_is_taken_and_what_is_not_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "adbench")
    assert require(tmp_path, ("adbench", "kddcup99", "skab")) == ["adbench"]
    assert capsys.readouterr().err == f"left out: {tmp_path} has nothing of kddcup99, skab\n"
    with pytest.raises(NoData):
        require(tmp_path, ("kddcup99",))


def test_sets_that_are_too_small_to_be_explained_are_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    put(tmp_path / "data", "adbench")
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "faults.py").write_text("def inject(normal, count, seed): ...\n")
    found = CliRunner().invoke(explanation.main, ["--shared", str(tmp_path)])
    assert found.exit_code == 2
    assert "no set of at least 1000 rows" in found.output


def test_a_calibration_of_small_sets_alone_ends_well(tmp_path: Path) -> None:
    put(tmp_path, "adbench")
    found = CliRunner().invoke(calibration.main, ["--data", str(tmp_path)])
    assert found.exit_code == 0
    assert found.output.splitlines()[-1] == "calibration: sets=0"


def test_a_set_that_is_not_there_is_told(tmp_path: Path) -> None:
    put(tmp_path, "adbench")
    asked = ["--data", str(tmp_path), "--parts", "adbench", "--methods", "ours", "--sets", "cardio"]
    found = CliRunner().invoke(quality.main, asked)
    assert found.exit_code == 2
    assert "none of the sets asked for" in found.output
