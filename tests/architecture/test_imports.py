"""Who may import whom: the contracts of pyproject.toml hold, and each of them would notice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("worker", "training", "workbench", "bench", "tests")
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# What is planted where, and the start of the contract's name that must notice it.
BREACHES = {
    "workbench > training > worker": ("worker/records.py", "import training"),
    "Inside worker": ("worker/utils.py", '"""A module without a room."""'),
    "Inside workbench": ("workbench/helpers.py", '"""A module without a room."""'),
    "Inside training": ("training/helpers.py", '"""A module without a room."""'),
    "Only an app": ("training/dataset.py", "import worker.adapters"),
    "The worker's loop": ("training/fit.py", "import worker.pipeline"),
    "The worker's settings": ("training/evaluate.py", "import worker.settings"),
    "The Kafka client": ("worker/pipeline.py", "import kafka"),
    "prometheus-client": ("worker/scorer.py", "import prometheus_client"),
    "pydantic": ("worker/watchdog.py", "import pydantic"),
    "The worker never reaches torch": ("worker/model/network.py", "import torch"),
    "No import cycles": ("worker/records.py", "import worker.ports"),
}


def lint(folder: Path) -> dict[str, bool]:
    """Whether each contract is kept, by its name."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        # A wide terminal, or names are broken over lines.
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = re.findall(r"^(.+) (KEPT|BROKEN)\b", done.stdout, flags=re.MULTILINE)
    assert verdicts, done.stdout + done.stderr
    return {name: verdict == "KEPT" for name, verdict in verdicts}


@pytest.fixture(scope="module")
def breached(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    """The verdicts on a copy of the tree with every breach planted."""
    folder = tmp_path_factory.mktemp("breached")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    for path, line in BREACHES.values():
        with (folder / path).open("a", encoding="utf-8") as module:
            module.write(f"\n{line}\n")
    return lint(folder)


def test_every_contract_is_kept() -> None:
    broken = [name for name, kept in lint(ROOT).items() if not kept]
    assert broken == []


@pytest.mark.parametrize("contract", BREACHES)
def test_a_planted_breach_is_noticed(contract: str, breached: dict[str, bool]) -> None:
    (kept,) = [kept for name, kept in breached.items() if name.startswith(contract)]
    assert not kept


def test_every_contract_has_a_planted_breach(breached: dict[str, bool]) -> None:
    untried = [name for name in breached if not name.startswith(tuple(BREACHES))]
    assert untried == []
