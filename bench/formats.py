"""Record shapes that people have: what discovery finds in each, and whether faults come out.

Reads every `<name>.expect.json` of a folder (the shared data, or the one named) with its
`<name>.train.jsonl` and `<name>.live.jsonl`; trains with no option but the stream's name. Prints a
row for each shape and one last line.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

import latentwatch
from worker.model.path import Index, Key, Named, parse_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from training.retrain import Outcome

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "formats"


@dataclass(frozen=True, slots=True)
class Shape:
    """What came of one shape; the lists name the paths that are not as expected."""

    name: str
    missed: tuple[str, ...]
    wrongly_taken: tuple[str, ...]
    unwatched: tuple[str, ...]
    auroc: float
    average_precision: float

    @property
    def is_schema_right(self) -> bool:
        """Whether discovery agrees with what was expected."""
        return not (self.missed or self.wrongly_taken or self.unwatched)


def main() -> None:
    """Run all shapes of a folder."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    names = sorted(path.name.removesuffix(".expect.json") for path in folder.glob("*.expect.json"))
    shapes = [examine(folder, name) for name in names]
    print(f"{'shape':<12} {'AUROC':>7} {'AP':>7}  missed / wrongly taken / not watched")
    for shape in shapes:
        wrong = [shape.missed, shape.wrongly_taken, shape.unwatched]
        shown = " / ".join(", ".join(paths) or "-" for paths in wrong)
        print(f"{shape.name:<12} {shape.auroc:7.4f} {shape.average_precision:7.4f}  {shown}")
    right = sum(shape.is_schema_right for shape in shapes)
    auroc = min((shape.auroc for shape in shapes), default=float("nan"))
    precision = min((shape.average_precision for shape in shapes), default=float("nan"))
    print(
        f"formats: shapes={len(shapes)} schema_ok={right} auroc_min={auroc:.4f}"
        f" ap_min={precision:.4f}"
    )


def examine(folder: Path, name: str) -> Shape:
    """Train on a shape's normal records, score its live ones, compare with what was expected."""
    expected = json.loads((folder / f"{name}.expect.json").read_text())
    with tempfile.TemporaryDirectory() as store:
        outcome = latentwatch.train(folder / f"{name}.train.jsonl", stream=name, store=store)
        lines = (folder / f"{name}.live.jsonl").read_bytes().splitlines()
        scored = list(latentwatch.score(lines, stream=name, store=store))
    score = np.array([-1.0 if s["score"] is None else float(str(s["score"])) for s in scored])
    is_fault = np.zeros(len(lines), dtype=bool)
    is_fault[[int(row) for row in expected["faults"]]] = True
    found, watched = _found(outcome)
    return Shape(
        name=name,
        missed=tuple(p for p in expected["features_found"] if not _has(found, p)),
        wrongly_taken=tuple(p for p in expected["features_left_out"] if _has(found, p)),
        unwatched=tuple(p for p in expected["constants_watched"] if not _has(watched, p)),
        auroc=float(roc_auc_score(is_fault, score)),
        average_precision=float(average_precision_score(is_fault, score)),
    )


def _found(outcome: Outcome) -> tuple[list[list[str]], list[list[str]]]:
    schema = outcome.schema
    return (
        [as_written(feature.path) for feature in schema.features],
        [as_written(watched.path) for watched in schema.watched],
    )


def as_written(path: str) -> list[str]:
    """A path as a person writes it, in parts: no places in lists, a named point by its name."""
    names: list[str] = []
    for segment in parse_path(path).segments:
        match segment:
            case Key(name):
                names.append(name)
            case Named(_, name):
                names.append(name)
            case Index():
                pass
    return [part for name in names for part in name.split(".")]


def _has(paths: Iterable[Sequence[str]], wanted: str) -> bool:
    """Whether a path equals the wanted one, or holds it as a run of its parts."""
    parts = wanted.split(".")
    runs = (list(path[i : i + len(parts)]) for path in paths for i in range(len(path)))
    return parts in runs


if __name__ == "__main__":
    main()
