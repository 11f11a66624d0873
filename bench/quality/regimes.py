"""What trains and what is judged: clean, with a few per cent of anomalies, contaminated.

Knows the protocol and no method; the same seed always gives the same split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.quality.sources import Floats, Labelled, Labels

PROTOCOL: Final = 1
"""Counts the changes of splits, peers' input and measures that make kept results worthless."""

REGIMES: Final = ("clean", "p1", "p3", "contaminated")
SHARES: Final = {"p1": 0.01, "p3": 0.03}
"""Share of anomalies among the training rows; at most half of a set's anomalies are spent on it."""


@dataclass(frozen=True, slots=True)
class Caps:
    """At most so many rows; more are sampled by seed."""

    train: int
    test: int


FULL: Final = Caps(train=8_000, test=20_000)
QUICK: Final = Caps(train=5_000, test=20_000)


@dataclass(frozen=True, slots=True)
class Split:
    """Raw rows to learn from, raw rows to judge, their labels, and the peers' scale."""

    train: Floats
    test: Floats
    label: Labels
    centre: Floats
    spread: Floats

    def standardised(self) -> tuple[Floats, Floats]:
        """Training and test rows as z-scores, as the protocol feeds every peer."""
        return (self.train - self.centre) / self.spread, (self.test - self.centre) / self.spread


def split_of(table: Labelled, regime: str, seed: int, caps: Caps) -> Split:
    """The split of a set under a regime.

    clean: the first half of the normal rows, in file order, trains, all others are judged.
    p1, p3: as clean, with that share of anomalies among the training rows, taken out of the test.
    contaminated: a bootstrap of all rows trains, all rows are judged.
    """
    rng = np.random.default_rng(seed)
    if regime == "contaminated":
        every = np.arange(len(table.label))
        train = np.random.RandomState(seed).choice(every, len(every), replace=True)
        return _split(table, _capped(train, caps.train, rng), _capped(every, caps.test, rng), every)
    normal, anomalies = np.flatnonzero(table.label == 0), np.flatnonzero(table.label == 1)
    half = round(0.5 * len(normal))
    train, judged = normal[:half], normal[half:]
    if regime in SHARES:
        train, spent = _mixed(train, anomalies, SHARES[regime], caps.train, rng)
        anomalies = np.setdiff1d(anomalies, spent)
        reference = train
    else:
        reference = train  # of all of them, as the protocol does, before any are left out
        train = _capped(train, caps.train, rng)
    test = np.concatenate([judged, anomalies])
    return _split(table, train, _capped(test, caps.test, rng), reference)


def _mixed(
    normal: NDArray[np.intp],
    anomalies: NDArray[np.intp],
    share: float,
    rows_max: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Training rows with that share of anomalies, in random order, and which anomalies they are."""
    kept = _capped(normal, int(rows_max * (1 - share)), rng)
    wanted = round(len(kept) * share / (1 - share))
    spent = rng.permutation(anomalies)[: min(wanted, len(anomalies) // 2)]
    return rng.permutation(np.concatenate([kept, spent])), spent


def _capped(rows: NDArray[np.intp], rows_max: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most so many of the rows, in the order given."""
    if len(rows) <= rows_max:
        return rows
    return rows[np.sort(rng.permutation(len(rows))[:rows_max])]


def _split(
    table: Labelled,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    reference: NDArray[np.intp],
) -> Split:
    centre, spread = scale_of(table.rows[reference])
    return Split(table.rows[train], table.rows[test], table.label[test], centre, spread)


def scale_of(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each column, 1 for a constant one."""
    spread = rows.std(axis=0)
    return rows.mean(axis=0), np.where(spread == 0, 1.0, spread)
