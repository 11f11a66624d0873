"""What `pip install .` brings, without extras, into an empty environment."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)  # everything is fetched from the package index

HEAVY = {"torch", "pyarrow", "confluent-kafka", "scikit-learn", "scipy", "pytest"}


@pytest.fixture(scope="module")
def python(source_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with nothing but latentwatch and what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", str(folder))
    interpreter = folder / "bin" / "python"
    pinned = ["--constraint", str(ROOT / "constraints.txt")]
    run(str(interpreter), "-m", "pip", "install", "--quiet", *pinned, str(source_tree))
    return interpreter


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_heavy_comes_with_the_worker(python: Path) -> None:
    listed = json.loads(run(str(python), "-m", "pip", "list", "--format", "json"))
    names = {package["name"].lower() for package in listed}
    assert "latentwatch" in names
    assert names & HEAVY == set()


def test_the_command_is_installed(python: Path) -> None:
    assert "Usage" in run(str(python.with_name("latentwatch")), "--help")
