"""The workbench's words."""

from __future__ import annotations

import subprocess
import sys


def test_the_simulator_needs_no_torch() -> None:
    """It runs beside workers, where none is installed."""
    program = """
import sys
sys.modules["torch"] = None
from latentwatch import main
sys.exit(main(["simulate", "--help"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--history" in done.stdout
