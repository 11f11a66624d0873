"""Our detector as `latentwatch train` fits it, on a table of numbers and categories.

One setting for every table. Rows of a table are exchangeable, so they are put in random order
before they are cut into blocks; what training holds out to judge a model teaches here as well.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.quality.scored import Scored
from training.dataset import split_by_blocks
from training.fit import FitSettings, fit_detector
from training.networks import NetworkSettings
from worker.model.schema import Columns

if TYPE_CHECKING:
    from bench.quality.problems import Problem
    from worker.model.detector import Detector
    from worker.model.schema import FeatureSchema

_ROOT: Final = Path(__file__).resolve().parents[2]
_VARIATIONAL: Final = {f.name: True for f in fields(NetworkSettings) if f.name == "variational"}
OWN: Final = ("ours", "own_vae") if _VARIATIONAL else ("ours",)
"""own_vae is tried where training can be told to use the variational network."""
_SOURCES: Final = ("training/*.py", "worker/model/*.py", "bench/quality/own.py")


def stamp() -> str:
    """Names the code that the detector is made by: other code, other stamp."""
    files = sorted(path for pattern in _SOURCES for path in _ROOT.glob(pattern))
    digest = hashlib.sha256()
    for name in ("numpy", "torch"):
        digest.update(importlib.metadata.version(name).encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def fitted(columns: Columns, schema: FeatureSchema, seed: int, method: str = "ours") -> Detector:
    """A detector that learned these rows, in order of time or of nothing."""
    split = split_by_blocks(columns, len(columns))
    return fit_detector(
        _joined(split.fit, split.hold_out), split.calibrate, schema, settings_of(method, seed)
    )


def settings_of(method: str, seed: int) -> FitSettings:
    """The one setting, with the plain or the variational network."""
    network = NetworkSettings()
    if method == "own_vae":
        network = replace(network, **_VARIATIONAL)
    return FitSettings(seed=seed, network=network)


def score(method: str, problem: Problem, seed: int) -> Scored:
    """Learn the training rows and score the others, both as they are."""
    learned, judged = problem.train.columns, problem.test.columns
    if not problem.in_time:
        learned = learned.take(np.random.default_rng(seed).permutation(len(learned)))
    began = time.process_time()
    detector = fitted(learned, problem.schema, seed, method)
    done = time.process_time()
    scores = detector.score(judged).score
    seconds = time.process_time() - done
    return Scored(scores, done - began, len(judged) / max(seconds, 1e-6))


def _joined(first: Columns, second: Columns) -> Columns:
    """The rows of both."""
    return Columns(
        np.concatenate([first.numbers, second.numbers]),
        np.concatenate([first.codes, second.codes]),
        np.concatenate([first.watched, second.watched]),
    )
