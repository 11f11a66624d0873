"""What whole programs are built from, and what they run on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bench.stand.programs import latentwatch, succeed
from bench.stand.topics import Cluster
from tests.conftest import ROOT
from tests.end_to_end import fleet
from tests.end_to_end.stage import FLEET, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.demo.brokers import Broker, MavenBroker

FOLDERS = ("worker", "training", "workbench", "bench", "tests")
FILES = ("pyproject.toml", "README.md", "LICENSE", "latentwatch.py")
TRAINING_READINGS = 3_000


@pytest.fixture(scope="session")
def source_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources to build from: builds leave a folder that later ones would pack."""
    tree = tmp_path_factory.mktemp("tree")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    return tree


@pytest.fixture(scope="session")
def fleet_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the fleet's model, trained from a file; to be read only."""
    folder = tmp_path_factory.mktemp("fleet")
    readings = folder / "readings.jsonl"
    readings.write_bytes(fleet.lines(0, TRAINING_READINGS))
    store = folder / "models"
    arguments = ("train", str(readings), "--stream", FLEET, "--store", str(store))
    succeed(latentwatch(*arguments))
    return store


@pytest.fixture
def stage(broker: Broker, fleet_models: Path, tmp_path: Path) -> Iterator[Stage]:
    """On the broker that all tests share."""
    opened = Stage(Cluster(broker.bootstrap_servers), tmp_path, fleet_models)
    yield opened
    opened.close()


@pytest.fixture
def own_stage(own_broker: MavenBroker, fleet_models: Path, tmp_path: Path) -> Iterator[Stage]:
    """On a broker of the test's own, which it may hurt."""
    opened = Stage(Cluster(own_broker.bootstrap_servers), tmp_path, fleet_models)
    yield opened
    opened.close()
