"""The detector: schema, scaler, network, reference and calibration in one; columns to scores.

Four parts of a row's oddness are measured, each turned into its tail probability among the
training rows, and fused by their mean; the fused value is calibrated on held-out rows.

    input   distance to the nearest centre of the z view
    joint   the same in the space of reconstruction and doubled residual
    latent  distance of the code from the codes of normal rows      -> latent_distance
    error   root mean square of the residual                        -> reconstruction_error

Deterministic; a row's score does not depend on the rows beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.calibration import Calibration, TailCurve
    from worker.model.network import Network
    from worker.model.reference import Centres, Ellipsoid
    from worker.model.scaler import Scaler
    from worker.model.schema import Columns, FeatureSchema

    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]

PARTS: Final = ("input", "joint", "latent", "error")
"""The parts in the order in which PartTails and Parts hold them."""

KINDS: Final = ("borderline", "extreme", "inconsistent", "novel", "watched")
"""Kinds of a flagged record; Scores.kinds holds indices into this."""

_ROWS_AT_ONCE: Final = 2048
"""Rows measured together: large enough for the matrix products, small enough for the cache."""


@dataclass(frozen=True)
class Parts:
    """The four parts of each row, raw; each float64 (n,)."""

    input: Floats
    joint: Floats
    latent: Floats
    error: Floats


@dataclass(frozen=True)
class Scores:
    """What is known of each row: float64 (n,) unless said otherwise.

    score: -log10 tail probability; flagged: bool, score at or above the threshold; kinds: int8,
    index into KINDS, meaningful where flagged; extrapolated: bool, beyond what the calibration
    rows support.
    """

    score: Floats
    latent_distance: Floats
    reconstruction_error: Floats
    flagged: NDArray[np.bool_]
    kinds: NDArray[np.int8]
    extrapolated: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.score)

    def kind(self, row: int) -> str | None:
        """The kind of a flagged row, None for the others."""
        return KINDS[self.kinds[row]] if self.flagged[row] else None


class Views(NamedTuple):
    """What scaler and network make of n rows: both views (n, d), codes (n, k), rebuilt (n, d)."""

    t_view: Floats32
    z_view: Floats32
    codes: Floats32
    rebuilt: Floats32


def views_of(scaler: Scaler, network: Network, columns: Columns) -> Views:
    """Rows as the parts are measured on them.

    A missing number stands where the network expects it beside the others: what is not there
    deviates from nothing. (At the centre it would look like a broken relation.)
    """
    t_view, z_view = scaler.views(columns)
    codes = network.encode(t_view)
    rebuilt = network.decode(codes)
    missing = np.isnan(columns.numbers)
    rows = np.flatnonzero(missing.any(axis=1))
    if len(rows):
        row, column = np.nonzero(missing)
        t_view[row, column] = z_view[row, column] = rebuilt[row, column]
        codes[rows] = network.encode(t_view[rows])
        rebuilt[rows] = network.decode(codes[rows])
    return Views(t_view, z_view, codes, rebuilt)


@dataclass(frozen=True)
class Detector:
    """A trained model; `part_tails` are the curves of PARTS on the training rows."""

    schema: FeatureSchema
    scaler: Scaler
    network: Network
    inputs: Centres
    joints: Centres
    codes: Ellipsoid
    part_tails: tuple[TailCurve, TailCurve, TailCurve, TailCurve]
    calibration: Calibration

    def score(self, columns: Columns) -> Scores:
        """Score every row of `columns`, which must have this schema's layout."""
        parts = self.measure(columns)
        novel = self.novelties(columns).sum(axis=1)
        calibration = self.calibration
        score = calibration.score(self.fuse(parts))
        score = score + self._watched_rarity(columns) + novel * (calibration.threshold + 1)
        flagged = score >= calibration.threshold
        return Scores(
            score=score,
            latent_distance=parts.latent,
            reconstruction_error=parts.error,
            flagged=flagged,
            kinds=self._kinds(parts, novel, flagged),
            extrapolated=score > calibration.score.supported,
        )

    def measure(self, columns: Columns) -> Parts:
        """The raw parts of each row."""
        chunks = [
            self._measure(columns.take(slice(start, start + _ROWS_AT_ONCE)))
            for start in range(0, len(columns), _ROWS_AT_ONCE)
        ]
        if not chunks:
            return Parts(*(np.empty(0) for _ in PARTS))
        return Parts(*(np.concatenate(part) for part in zip(*chunks, strict=True)))

    def fuse(self, parts: Parts) -> Floats:
        """The mean rarity of the parts."""
        measured = (parts.input, parts.joint, parts.latent, parts.error)
        rarities = [tail(part) for tail, part in zip(self.part_tails, measured, strict=True)]
        fused: Floats = np.mean(rarities, axis=0)
        return fused

    def novelties(self, columns: Columns) -> NDArray[np.bool_]:
        """Bool (n, categories + watched): what training never saw; a signal by itself."""
        sizes = np.array([len(f.categories) for f in self.schema.categories], dtype=np.int64)
        constant = np.array([w.other_share == 0 for w in self.schema.watched], dtype=bool)
        return np.hstack([columns.codes >= sizes, (columns.watched > 0) & constant])

    def _watched_rarity(self, columns: Columns) -> Floats:
        """How rare the values of watched paths are by themselves, on the scale of the score.

        Added to it, as rarities of what has nothing to do with each other are: in the mean of the
        parts a value that stood in one training record of ten thousand would hardly count.
        """
        rarity = np.zeros(len(columns))
        for j, watched in enumerate(self.schema.watched):
            if watched.other_share > 0:
                rarity += (columns.watched[:, j] > 0) * -math.log10(watched.other_share)
        return rarity

    def joint_space(self, t_view: Floats32, rebuilt: Floats32) -> Floats32:
        """[reconstruction, 2 * residual], float32 (n, 2 d): what the joint centres live in."""
        return np.hstack([rebuilt, 2 * (t_view - rebuilt)])

    def _measure(self, columns: Columns) -> tuple[Floats, Floats, Floats, Floats]:
        t_view, z_view, codes, rebuilt = views_of(self.scaler, self.network, columns)
        residual = t_view - rebuilt
        squares = np.einsum("ij,ij->i", residual, residual).astype(np.float64)
        return (
            self.inputs.nearest(z_view)[0],
            self.joints.nearest(self.joint_space(t_view, rebuilt))[0],
            self.codes.distance(codes),
            np.sqrt(squares / self.scaler.width),
        )

    def _kinds(
        self, parts: Parts, novel: NDArray[np.int64], flagged: NDArray[np.bool_]
    ) -> NDArray[np.int8]:
        kinds = np.zeros(len(flagged), dtype=np.int8)
        rows = np.flatnonzero(flagged)
        if len(rows):
            threshold = self.calibration.threshold
            extreme = self.calibration.latent(parts.latent[rows]) >= threshold
            inconsistent = self.calibration.error(parts.error[rows]) >= threshold
            kinds[rows] = extreme * KINDS.index("extreme")
            kinds[rows] += (inconsistent * KINDS.index("inconsistent")).astype(np.int8)
            kinds[rows[novel[rows] > 0]] = KINDS.index("watched")
        return kinds
