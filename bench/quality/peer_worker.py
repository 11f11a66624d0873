"""Runs a peer from PyOD on one split after another; a process of its own with its own libraries.

A line of JSON asks: method, seed, and the paths of .npy files to read (train, test) and to write
(out). A line answers: seconds of fitting and of scoring, or what went wrong. Imports nothing of
this project.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

# Class, and whether it takes a seed. All else is as the library has it.
PEERS = {
    "knn": ("pyod.models.knn", "KNN", False),
    "iforest": ("pyod.models.iforest", "IForest", True),
    "ecod": ("pyod.models.ecod", "ECOD", False),
    "lof": ("pyod.models.lof", "LOF", False),
    "pca": ("pyod.models.pca", "PCA", True),
    "mcd": ("pyod.models.mcd", "MCD", True),
    "autoencoder": ("pyod.models.auto_encoder", "AutoEncoder", True),
    "vae": ("pyod.models.vae", "VAE", True),
    "deepsvdd": ("pyod.models.deep_svdd", "DeepSVDD", True),
}


MCD_WIDTH_MAX = 1_000
"""In wider tables FastMCD starts once a subset of the rows and not 500 times, an hour of inverting
the same matrix: where columns outnumber rows, its subset is all rows whatever the start."""


@contextlib.contextmanager
def starts(once: bool) -> Iterator[None]:  # noqa: FBT001 - read at the one call
    """Where it applies, let FastMCD start once a subset for the while."""
    robust: Any = importlib.import_module("sklearn.covariance._robust_covariance")
    select = robust.select_candidates

    def selected(rows: Any, support: int, n_trials: Any, **options: Any) -> Any:  # noqa: ANN401
        if isinstance(n_trials, tuple):
            _, first = np.unique(n_trials[0], axis=0, return_index=True)
            return select(rows, support, (n_trials[0][first], n_trials[1][first]), **options)
        return select(rows, support, 1, **options)

    robust.select_candidates = selected if once else select
    try:
        yield
    finally:
        robust.select_candidates = select


def made(method: str, width: int, seed: int) -> Any:  # noqa: ANN401 - the libraries have no types
    """The peer at its defaults."""
    module, name, seeded = PEERS[method]
    options: dict[str, object] = {"random_state": seed} if seeded else {}
    if method == "deepsvdd":
        options["n_features"] = width
    return getattr(importlib.import_module(module), name)(**options)


def run(job: dict[str, Any]) -> dict[str, object]:
    """Fit, score, write the scores."""
    train, test = np.load(job["train"]), np.load(job["test"])
    peer = made(job["method"], train.shape[1], job["seed"])
    before = memory_held()
    began = time.process_time()
    with starts(job["method"] == "mcd" and train.shape[1] > MCD_WIDTH_MAX):
        peer.fit(train)
    fitted = time.process_time()
    scores = np.asarray(peer.decision_function(test), dtype=np.float64)
    scored = time.process_time()
    np.save(job["out"], np.nan_to_num(scores, nan=0.0, posinf=np.finfo(np.float64).max))
    grown = memory_peak() - before
    return {
        "fit_seconds": fitted - began,
        "score_seconds": scored - fitted,
        "memory_mb": grown,
    }


def memory_held() -> float:
    """Megabytes of this process now; its peak counts anew from here."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def memory_peak() -> float:
    """Megabytes that this process held at most."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    found = next(line for line in lines if line.startswith(f"{name}:"))
    return int(found.split()[1]) / 1024


def versions() -> dict[str, str]:
    """Of what the peers' results depend on."""
    names = ("pyod", "scikit-learn", "torch", "numpy", "scipy")
    return {name: importlib.metadata.version(name) for name in names}


@contextlib.contextmanager
def quiet() -> Iterator[Any]:
    """The way out for answers; whatever the libraries print goes to the error stream."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    try:
        yield answers
    finally:
        answers.close()


def main() -> None:
    """Say the versions, then answer until the input ends."""
    with quiet() as answers:
        print(json.dumps(versions()), file=answers, flush=True)
        for line in sys.stdin:
            try:
                answer = run(json.loads(line))
            except Exception as error:  # noqa: BLE001 - a library may raise anything; it is told
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
