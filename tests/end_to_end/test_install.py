"""What `pip install .` brings, without extras, into an empty environment, and that it works so."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bench.stand.programs import Worker
from tests.conftest import ROOT
from tests.end_to_end import fleet
from tests.end_to_end.stage import FLEET
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.stage import Stage

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
    # From the root of the file system: beside the checkout its modules would be found first.
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_heavy_comes_with_the_worker(python: Path) -> None:
    listed = json.loads(run(str(python), "-m", "pip", "list", "--format", "json"))
    names = {package["name"].lower() for package in listed}
    assert "latentwatch" in names
    assert names & HEAVY == set()


def test_the_command_is_installed(python: Path) -> None:
    command = str(python.with_name("latentwatch"))
    assert "Usage" in run(command, "--help")
    version = run(
        str(python), "-c", "from importlib import metadata as m; print(m.version('latentwatch'))"
    )
    assert run(command, "--version") == f"latentwatch {version}"


def test_it_scores_with_a_stored_model(python: Path, fleet_models: Path, tmp_path: Path) -> None:
    readings = tmp_path / "readings.jsonl"
    readings.write_bytes(fleet.lines(0, 20))
    command = [str(python.with_name("latentwatch")), "score", str(readings)]
    printed = run(*command, "--stream", FLEET, "--store", str(fleet_models), "--all")
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [line["index"] for line in lines] == list(range(20))
    assert all(0 <= line["score"] < 10 for line in lines)


def test_it_says_what_training_lacks(python: Path, tmp_path: Path) -> None:
    readings = tmp_path / "readings.jsonl"
    readings.write_bytes(fleet.lines(0, 20))
    command = [str(python.with_name("latentwatch")), "train", str(readings), "--stream", FLEET]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "pip install 'latentwatch[training]'" in done.stderr


def test_it_watches_a_topic(python: Path, stage: Stage) -> None:
    topic = stage.topic()
    settings, log = stage.settings(topic), stage.folder / "installed.log"
    command = [str(python.with_name("latentwatch"))]
    with closing(Worker(settings, log, command=command)) as worker:
        worker.wait_ready()
        wait_until(lambda: worker.metric("assigned_partitions"), 30, "partitions are assigned")
        stage.cluster.produce(topic, [fleet.message(1, fleet.odd_reading(1))])
        stage.wait_done(topic)
        assert worker.stop() == 0
    assert len(stage.events(topic)) == 1
