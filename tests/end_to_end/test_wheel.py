"""The wheel holds the programs and their data, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def contents(source_tree: Path) -> set[str]:
    """Names of all files in a wheel that is built here and now."""
    with zipfile.ZipFile(build_wheel(source_tree)) as wheel:
        return set(wheel.namelist())


def build_wheel(tree: Path) -> Path:
    # Without isolation no registry is asked: setuptools is among the development tools.
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", "built", "."]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tree / "built").glob("*.whl")
    return wheel


def expected(program: str) -> set[str]:
    kinds = {".py", ".json", ".typed"}
    paths = (path for path in (ROOT / program).rglob("*") if path.suffix in kinds)
    return {str(path.relative_to(ROOT)) for path in paths}


@pytest.mark.parametrize("program", ["worker", "training", "workbench"])
def test_every_module_and_data_file_of_a_program_is_in_it(program: str, contents: set[str]) -> None:
    assert expected(program) - contents == set()


def test_the_command_is_in_it(contents: set[str]) -> None:
    assert "latentwatch.py" in contents


def test_benches_and_tests_are_not_in_it(contents: set[str]) -> None:
    parts = {name.partition("/")[0] for name in contents}
    assert {part for part in parts if not part.endswith(".dist-info")} == {
        "latentwatch.py",
        "training",
        "workbench",
        "worker",
    }
