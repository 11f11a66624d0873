"""Planted faults in the shapes of records that people have come out on top, with no option set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import latentwatch
from tests.shapes import SHAPES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.shapes import Shape

AUROC_MIN = 0.98
PRECISION_MIN = 0.8

broken = [shape for shape in SHAPES if shape.faults]


@pytest.mark.parametrize("shape", broken, ids=lambda shape: shape.name)
def test_planted_faults_come_out(
    shape: Shape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be scored ranks lowest."""
    monkeypatch.chdir(tmp_path)
    normal, live, places = shape.lives(2500, 900)
    outcome = latentwatch.train(normal, stream="shape", store=tmp_path)
    assert outcome.rows.rejected == 0
    scored = list(latentwatch.score(live, stream="shape", store=tmp_path))
    scores = np.array([-1.0 if s["score"] is None else float(str(s["score"])) for s in scored])
    is_fault = np.isin(np.arange(len(live)), sorted(places))
    assert is_fault.sum() == 8 * len(shape.faults)
    assert roc_auc_score(is_fault, scores) >= AUROC_MIN
    assert average_precision_score(is_fault, scores) >= PRECISION_MIN
