"""Reads the public data sets from a folder, as their publishers cut them.

Knows nothing of methods. Rows are float64, labels 0 or 1, 1 for an anomaly.
"""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING, Final, NamedTuple

import click
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]

ROWS_MAX: Final = 50_000
ROWS_MIN: Final = 1_000
"""A larger table is sampled down, a smaller one drawn up with repetition (the DTE protocol)."""
SKAB_TRAINING_ROWS: Final = 400
KDD_SYMBOLIC: Final = (1, 2, 3, 6, 11, 20, 21)
"""protocol, service, flag, land, logged_in, is_host_login, is_guest_login."""
KDD_WIDTH: Final = 41
KDD_FILE: Final = "kddcup99/kddcup.data_10_percent.gz"


class NoData(click.ClickException):
    """There is nothing to compute anything from; ends a command with 2."""

    exit_code = 2


class Labelled(NamedTuple):
    """Rows in file order and what they are."""

    rows: Floats
    label: Labels


class Stretches(NamedTuple):
    """A stretch to learn from and a later one to judge by, both in order of time."""

    name: str
    train: Floats
    test: Floats
    label: Labels


def adbench_files(data: Path) -> dict[str, Path]:
    """The ADBench sets in the folder by lower-case name: 5_campaign.npz is campaign."""
    files = sorted((data / "adbench").glob("*.npz"))
    return {path.stem.partition("_")[2].lower(): path for path in files}


def adbench_size(path: Path) -> int:
    """Rows that the set has in its file."""
    with np.load(path) as archive:
        return len(archive["y"])


def adbench(path: Path, seed: int) -> Labelled:
    """One set, sampled to ROWS_MIN..ROWS_MAX rows as the protocol draws them for this seed."""
    with np.load(path) as archive:
        rows = archive["X"].astype(np.float64)
        label = archive["y"].astype(np.int64).ravel()
    draw = np.random.RandomState(seed)
    if len(label) < ROWS_MIN:
        picked = draw.choice(np.arange(len(label)), ROWS_MIN, replace=True)
    elif len(label) > ROWS_MAX:
        picked = draw.choice(np.arange(len(label)), ROWS_MAX, replace=False)
    else:
        picked = np.arange(len(label))
    return Labelled(rows[picked], label[picked])


def skab(data: Path) -> Iterator[Stretches]:
    """The labelled files of SKAB: the first 400 rows of each train, the others are judged."""
    for path in sorted((data / "skab").glob("*/*.csv")):
        with path.open(encoding="utf-8") as lines:
            header, *table = csv.reader(lines, delimiter=";")
        if "anomaly" not in header:
            continue
        sensors = [
            i for i, n in enumerate(header) if n not in {"datetime", "anomaly", "changepoint"}
        ]
        rows = np.array([[float(row[i]) for i in sensors] for row in table])
        label = np.array([int(float(row[header.index("anomaly")])) for row in table])
        cut = SKAB_TRAINING_ROWS
        yield Stretches(f"{path.parent.name}/{path.stem}", rows[:cut], rows[cut:], label[cut:])


def servers(data: Path, family: str) -> Iterator[Stretches]:
    """The entities of smd, asd or smap, each with its own training stretch."""
    for path in sorted((data / family).glob("*.npz")):
        with np.load(path) as archive:
            yield Stretches(
                path.stem,
                archive["train"].astype(np.float64),
                archive["test"].astype(np.float64),
                archive["label"].astype(np.int64),
            )


def lacking(data: Path, families: Iterable[str]) -> list[str]:
    """Those of the families, among them kddcup99, of which the folder has no file."""
    files = {"skab": "skab/*/*.csv", "kddcup99": KDD_FILE}
    return [name for name in families if not any(data.glob(files.get(name, f"{name}/*.npz")))]


def require(data: Path, families: Iterable[str]) -> list[str]:
    """Those of the families that are there; says which are not. Raises NoData where none is."""
    wanted = list(families)
    absent = lacking(data, wanted)
    if absent == wanted:
        raise NoData(f"no data: {data} has nothing of {', '.join(absent)}")
    if absent:
        click.echo(f"left out: {data} has nothing of {', '.join(absent)}", err=True)
    return [name for name in wanted if name not in absent]


def kddcup99(data: Path) -> tuple[list[list[str]], Labels]:
    """All connections of the 10 % file as text, 41 values each; 1 is an attack."""
    with gzip.open(data / KDD_FILE, "rt", encoding="ascii") as lines:
        table = list(csv.reader(lines))
    label = np.array([row[KDD_WIDTH] != "normal." for row in table], dtype=np.int64)
    return [row[:KDD_WIDTH] for row in table], label
