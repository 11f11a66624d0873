"""Does the explanation name the culprit? Faults with known culprits, put into normal rows.

Trains on the ADBench sets of at least 1,000 rows and on SMD, puts faults into rows held out, and
looks at the flagged ones: is a changed column the first reason, is it among the first three? Beside
it two plain answers: the largest z-score, and the largest residual of the network. `mended` is the
share of flagged rows that are no longer flagged once the first reason has its expected value.
The injector is read from a file, so that it shares no code with the detector.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import click
import numpy as np

from bench.quality.sources import ROWS_MIN, NoData, require
from bench.stand.learned import numbers, servers, tables
from bench.stand.programs import ROOT
from worker.model.reasons import anomalies
from worker.model.views import views_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.quality.sources import Floats
    from bench.stand.learned import Learned


FAULTS: Final = 1200
"""Faults put into each set."""
SHOWN: Final = 3


class Injected(Protocol):
    """What the injector gives: rows with one fault each, and the columns that were changed."""

    rows: Floats
    culprit: list[tuple[int, ...]]
    kind: list[str]


@dataclass(frozen=True)
class Found:
    """Of the flagged rows of a set: hits[way] bool (rows, 2): is a culprit first, among three."""

    name: str
    hits: dict[str, NDArray[np.bool_]]
    kinds: list[str]
    mended: float
    rows_a_second: float


WAYS: Final = ("ours", "z", "residual")


@click.command()
@click.option(
    "--shared",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT.parent / "shared",
    help="Folder with data/ and quality/faults.py, the injector.",
)
def main(shared: Path) -> None:
    """Whether the explanation of a flagged row names the column that was changed."""
    require(shared / "data", ("adbench", "smd"))
    inject = injector(shared / "quality" / "faults.py")
    found = []
    print(f"{'set':<18} {'rows':>5}{_head()} {'mended':>7} {'rows/s':>7}")
    for learned in chain(tables(shared / "data"), servers(shared / "data", "smd")):
        found.append(judge(learned, inject(learned.held_out.numbers, FAULTS, 0)))
        print(_line(found[-1]), flush=True)
    if not found:
        raise NoData(f"no set of at least {ROWS_MIN} rows in {shared / 'data'}")
    _print_mean(found)
    _print_kinds(found)
    print(last_line(found))


def injector(path: Path) -> Injector:
    """The function `inject` of a file."""
    spec = importlib.util.spec_from_file_location("faults", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise NoData(f"no injector at {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["faults"] = module  # a dataclass looks itself up there
    spec.loader.exec_module(module)
    inject: Injector = module.inject
    return inject


class Injector(Protocol):
    """Copies of normal rows, each with one fault."""

    def __call__(self, normal: Floats, count: int, seed: int) -> Injected:
        """`count` rows, the same ones for the same seed."""
        ...


def judge(learned: Learned, injected: Injected) -> Found:
    """Explain what is flagged, as the worker does, and compare with what was changed."""
    detector, columns = learned.detector, numbers(injected.rows)
    scores = detector.score(columns)
    rows = np.flatnonzero(scores.flagged)
    began = time.process_time()
    told = anomalies(detector, columns, scores, lambda row: injected.rows[row].tolist())
    seconds = time.process_time() - began
    names = {name: place for place, name in enumerate(detector.schema.names)}
    ours = [[names[f.name] for f in anomaly.features[:SHOWN]] for anomaly in told]
    culprits = [injected.culprit[row] for row in rows]
    mended = injected.rows[rows].copy()
    for i, anomaly in enumerate(told):
        mended[i, ours[i][0]] = float(str(anomaly.features[0].expected))
    return Found(
        name=learned.name,
        hits={
            "ours": hits(ours, culprits),
            "z": hits(_largest(z_scores(learned, injected.rows[rows])), culprits),
            "residual": hits(_largest(residuals(learned, injected.rows[rows])), culprits),
        },
        kinds=[injected.kind[row] for row in rows],
        mended=1 - float(detector.score(numbers(mended)).flagged.mean()),
        rows_a_second=len(rows) / max(seconds, 1e-6),
    )


def hits(named: Sequence[Sequence[int]], culprits: Sequence[tuple[int, ...]]) -> NDArray[np.bool_]:
    """Of each row: is the first name a culprit, is one of all."""
    pairs = zip(named, culprits, strict=True)
    return np.array([[n[0] in c, not set(n).isdisjoint(c)] for n, c in pairs]).reshape(-1, 2)


def z_scores(learned: Learned, rows: Floats) -> Floats:
    """How many deviations of the learned rows a value lies from their mean."""
    spread = learned.fit.numbers.std(axis=0)
    away: Floats = np.abs(rows - learned.fit.numbers.mean(axis=0))
    return away / np.where(spread > 0, spread, 1.0)


def residuals(learned: Learned, rows: Floats) -> Floats:
    """What the network does not give back, in the view that it was trained on."""
    views = views_of(learned.detector.scaler, learned.detector.network, numbers(rows))
    left: Floats = np.abs(views.t_view - views.rebuilt).astype(np.float64)
    return left


def _largest(values: Floats) -> list[list[int]]:
    listed: list[list[int]] = np.argsort(-values, axis=1, kind="stable")[:, :SHOWN].tolist()
    return listed


def _head() -> str:
    return "".join(f" {way + ' first/top3':>19}" for way in WAYS)


def _shares(hit: NDArray[np.bool_] | Floats) -> str:
    first, top = 100 * hit.mean(axis=0)
    return f" {first:>12.1f}/{top:>6.1f}"


def _line(found: Found) -> str:
    shares = "".join(_shares(found.hits[way]) for way in WAYS)
    cost = f" {found.mended:>7.2f} {found.rows_a_second:>7.0f}"
    return f"{found.name:<18} {len(found.kinds):>5}{shares}{cost}"


def _print_mean(found: Sequence[Found]) -> None:
    shares = "".join(
        _shares(np.mean([[one.hits[way].mean(axis=0)] for one in found], axis=0)) for way in WAYS
    )
    print(f"{'mean of sets':<18} {'':>5}{shares}")


def _print_kinds(found: Sequence[Found]) -> None:
    kinds = np.array(list(chain.from_iterable(one.kinds for one in found)))
    print(f"\n{'fault':<18} {'rows':>5}{_head()}")
    for kind in np.unique(kinds):
        at = kinds == kind
        shares = "".join(_shares(_pooled(found, way)[at]) for way in WAYS)
        print(f"{kind:<18} {at.sum():>5}{shares}")


def _pooled(found: Sequence[Found], way: str) -> NDArray[np.bool_]:
    return np.concatenate([one.hits[way] for one in found])


def last_line(found: Sequence[Found]) -> str:
    """All flagged rows together, in percent."""
    words = [f"rows={len(_pooled(found, 'ours'))}"]
    for way, prefix in zip(WAYS, ("", "z_", "residual_"), strict=True):
        first, top = 100 * _pooled(found, way).mean(axis=0)
        words += [f"{prefix}first={first:.1f}", f"{prefix}top3={top:.1f}"]
    return f"explanation: {' '.join(words)}"


if __name__ == "__main__":
    main()
