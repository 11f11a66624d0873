"""The peers' side of the bench: their process, asked split by split.

Their libraries stay in their own environment, so that versions never clash.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from bench.quality.scored import Scored

if TYPE_CHECKING:
    from bench.quality.sources import Floats

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
PEERS: Final = (
    "knn", "iforest", "ecod", "lof", "pca", "mcd", "autoencoder", "vae", "deepsvdd",
)  # fmt: skip
NETWORKS: Final = ("autoencoder", "vae", "deepsvdd")
"""Those that take minutes where the others take seconds."""


class PeerFailed(RuntimeError):  # noqa: N818 - reads as what it says
    """A peer raised on a split; the message is the library's."""


class PeerProcess:
    """A process that runs peers, until it is closed or ours ends, since its input ends then."""

    def __init__(self) -> None:
        """Start it. Raises FileNotFoundError where there is no environment for it."""
        if not PYTHON.exists():
            msg = "the peers have no environment: run `make setup-peers`"
            raise FileNotFoundError(msg)
        worker = Path(__file__).with_name("peer_worker.py")
        self._process = subprocess.Popen(
            [PYTHON, "-P", worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.versions: dict[str, str] = json.loads(self._line())
        self.stamp = hashlib.sha256(json.dumps(self.versions).encode()).hexdigest()[:8]

    def __enter__(self) -> Self:
        """To be closed at the end of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, after what it is at."""
        self._process.communicate()

    def score(self, method: str, train: Floats, test: Floats, seed: int) -> Scored:
        """Fit on standardised rows and score others. Raises PeerFailed."""
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: f"{folder}/{name}.npy" for name in ("train", "test", "out")}
            np.save(paths["train"], train)
            np.save(paths["test"], test)
            answer = self._ask({"method": method, "seed": seed, **paths})
            if "error" in answer:
                raise PeerFailed(f"{method}: {answer['error']}")
            return Scored(
                score=np.load(paths["out"]),
                fit_seconds=float(answer["fit_seconds"]),
                rows_per_second=len(test) / max(float(answer["score_seconds"]), 1e-6),
                memory_mb=float(answer["memory_mb"]),
            )

    def _ask(self, job: dict[str, object]) -> dict[str, str]:
        stream = self._process.stdin
        if stream is None:
            raise AssertionError("the process was started with a pipe")
        stream.write(json.dumps(job) + "\n")
        stream.flush()
        answer: dict[str, str] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        stream = self._process.stdout
        line = stream.readline() if stream is not None else ""
        if not line:
            msg = f"the peers' process ended with code {self._process.wait()}"
            raise RuntimeError(msg)
        return line


@cache
def peer_process() -> PeerProcess:
    """The one of this process."""
    return PeerProcess()
