"""A process whose loop really hangs is ended by its watchdog, and says where it stood."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.machines import artifact
from tests.unit.worker.hanging import TOPIC
from worker.adapters.artifact_store import DirectoryArtifactStore

if TYPE_CHECKING:
    from pathlib import Path


def test_a_process_that_hangs_ends_with_70_and_the_stacks_of_its_threads(tmp_path: Path) -> None:
    store = DirectoryArtifactStore(tmp_path, TOPIC)
    store.promote(store.save(artifact()), "a test", expected=None)
    command = [sys.executable, "-m", "tests.unit.worker.hanging", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 70, ended.stderr
    assert "the loop has not turned for 2 s: ending the process" in ended.stderr
    assert "score_for_ever" in ended.stderr
    assert "thread MainThread" in ended.stderr
