"""Is a score what it says? The share of normal rows that reach it, against the share asked for.

Exchangeable rows (ADBench) show what the calibration itself is worth: the p-values of rows held out
should be uniform, but for the chance in the rows. Where time moves on (SMD, ASD) the same figures
show how far a later stretch has moved, and after how many records the worker says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import numpy as np

from bench.quality.sources import require
from bench.stand.learned import servers, tables
from bench.stand.programs import ROOT
from worker.model.calibration_watch import BLOCK_RECORDS, SCORE, CalibrationWatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.quality.sources import Floats
    from worker.model.calibration import Calibration
    from worker.model.detector import Detector
    from worker.model.schema import Columns

RATES: Final = (1e-2, 1e-3)
ROWS_PER_RATE: Final = 10
"""So many rows must be expected above a score before its share tells anything."""
SEEDS: Final = (0, 1, 2)
DECIMALS: Final = 3
"""Scores alike to so many are the same: alike rows differ by the noise of single precision."""
SHIFT_RECORDS: Final = (200, 1000)
SHIFT_SHARE: Final = 0.06


@dataclass(frozen=True)
class Checked:
    """achieved / asked at each of RATES, None where too few rows; distance: KS of the p-values.

    chance: the distance that calibration and judged rows alone would give in the middle of cases.
    begins: the record at which a shift begins that must be noticed; noticed: records after which
    the worker calls the calibration broken; None for never.
    """

    name: str
    calibrated: int
    rows: int
    ratios: tuple[float | None, ...]
    distance: float
    chance: float
    begins: int | None
    noticed: int | None


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT.parent / "shared" / "data",
    help="Folder with adbench, smd and asd.",
)
def main(data: Path) -> None:
    """Whether as many normal rows reach a score as it says."""
    require(data, ("adbench", "smd", "asd"))
    head = f"{'KS':>6} {'chance':>6} begins noticed"
    print(f"{'set':<20} {'calibrated':>10} {'rows':>6} {_head()} {head}")
    tried = chain.from_iterable(tables(data, seed) for seed in SEEDS)
    still = list(shown(check(one.name, one.detector, one.held_out) for one in tried))
    moved: list[Checked] = []
    for one in chain(servers(data, "smd"), servers(data, "asd")):
        list(shown([check(f"{one.name} held", one.detector, one.held_out)]))
        moved += shown([check(f"{one.name} later", one.detector, one.later)])
    sets = len({one.name for one in still})
    words = (f"calibration: sets={sets}", summary(still), summary(moved, "moved_"))
    print(" ".join(word for word in words if word))


def shown(found: Iterable[Checked]) -> Iterator[Checked]:
    """Those with rows enough to tell anything, each printed."""
    for one in found:
        if one.ratios[0] is None:
            continue
        ratios = " ".join("      -" if r is None else f"{r:7.2f}" for r in one.ratios)
        fit = f"{one.distance:>6.3f} {one.chance:>6.3f}"
        told = " ".join(f"{'-' if n is None else n:>7}" for n in (one.begins, one.noticed))
        print(
            f"{one.name:<20} {one.calibrated:>10} {one.rows:>6} {ratios} {fit} {told}", flush=True
        )
        yield one


def check(name: str, detector: Detector, normal: Columns) -> Checked:
    """Scores of normal rows that the detector has not seen, against what they say."""
    score = detector.score(normal).score
    calibrated = detector.calibration.score.rows
    return Checked(
        name=name,
        calibrated=calibrated,
        rows=len(score),
        ratios=tuple(ratio(score, rate) for rate in RATES),
        distance=distance(10 ** -np.round(score, DECIMALS)),
        chance=0.83 * math.sqrt(1 / calibrated + 1 / len(score)),
        begins=begins(score),
        noticed=noticed(score, detector.calibration),
    )


def begins(score: Floats) -> int | None:
    """Where a shift begins that must be noticed: from there on 6 % of 200 and of 1,000 records."""
    reached = np.concatenate([[0], np.cumsum(score >= SCORE)])
    starts = len(score) - max(SHIFT_RECORDS)
    is_shift = np.ones(max(starts, 0), dtype=bool)
    for records in SHIFT_RECORDS:
        counts = reached[records : records + len(is_shift)] - reached[: len(is_shift)]
        is_shift &= counts >= SHIFT_SHARE * records
    return int(np.flatnonzero(is_shift)[0]) if is_shift.any() else None


def noticed(score: Floats, calibration: Calibration) -> int | None:
    """After how many records the worker first calls the calibration broken; None for never."""
    watch = CalibrationWatch(calibration)
    for start in range(0, len(score), BLOCK_RECORDS):
        if watch.saw(score[start : start + BLOCK_RECORDS]).broken is not None:
            return start + BLOCK_RECORDS
    return None


def ratio(score: Floats, rate: float) -> float | None:
    """Achieved over asked; None where too few rows are expected."""
    if len(score) < ROWS_PER_RATE / rate:
        return None
    return float((score >= -math.log10(rate)).mean()) / rate


def distance(p_values: Floats) -> float:
    """The largest difference between how many p-values are at most p, and p, over all p among them.

    Where many rows are alike, their p-value is that of all of them, and none lies below.
    """
    values, counts = np.unique(p_values, return_counts=True)
    return float(np.abs(np.cumsum(counts) / len(p_values) - values).max())


def summary(found: Sequence[Checked], prefix: str = "") -> str:
    """The median and the worst ratio at each rate, the median and the worst distance, if any."""
    words = []
    for place, rate in enumerate(RATES):
        ratios = [r for one in found if (r := one.ratios[place]) is not None]
        if not ratios:
            continue
        worst = max(ratios, key=lambda r: abs(math.log(max(r, 1e-9))))
        words.append(
            f"{prefix}at_{rate:g}={np.median(ratios):.2f} {prefix}worst_{rate:g}={worst:.2f}"
        )
    distances = [one.distance for one in found]
    if distances:
        words.append(f"{prefix}ks={np.median(distances):.3f} {prefix}ks_worst={max(distances):.3f}")
    return " ".join(words)


def _head() -> str:
    return " ".join(f"{f'x {rate:g}':>7}" for rate in RATES)


if __name__ == "__main__":
    main()
