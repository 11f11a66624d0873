"""The detector: schema, scaler, network, reference and calibration in one; columns to scores.

Six parts of a row's oddness are measured, each turned into its tail probability among the
training rows, and fused by the mean of the three largest: what several parts say counts, whichever
they are, and a part that is blind to this oddness does not dilute it. To the fused value the
rarities of rare watched values and of unseen categories are added; the sum is calibrated on
held-out rows.

    marginal  how rare its values are, each by itself
    nearest   distance to the nearest centre in the space of reconstruction and doubled residual
    joint     the same, where a centre costs the more the fewer rows lie around it
    dense     the same, at twice that cost
    latent    distance of the encoder's activations from normal ones  -> latent_distance
    error     root mean square of the residual                        -> reconstruction_error

What is new is far from every centre; what a few training rows looked like is far from the dense
ones. Nobody says which of the two the training data calls for, so both are asked.

Deterministic; a row's score does not depend on the rows beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from worker.model.schema import MISSING_CODE
from worker.model.views import views_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.model.calibration import Calibration, TailCurve
    from worker.model.marginals import Marginals
    from worker.model.network import Network
    from worker.model.reference import Centres, Ellipsoid
    from worker.model.scaler import Scaler
    from worker.model.schema import Columns, FeatureSchema

    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]

PARTS: Final = ("marginal", "nearest", "joint", "dense", "latent", "error")
"""The parts in the order in which Parts holds them."""

PENALTIES: Final = (0.0, 1.0, 2.0)
"""Of nearest, joint and dense: multiples of the centres' penalties."""

WEIGHTS: Final = (1.25, 0.6, 0.7, 1.0, 0.7, 1.0)
"""Of the parts' rarities, before the largest are taken (docs/experiments.md)."""

PARTS_FUSED: Final = 3
"""Parts whose weighted rarities make the score: the largest ones."""

KINDS: Final = ("borderline", "extreme", "inconsistent", "novel", "watched")
"""Kinds of a flagged record; Scores.kinds holds indices into this.

borderline: the score is less than BORDERLINE above the threshold. extreme: values that are rare by
themselves, or reach further than normal ones. inconsistent: values that do not go together.
novel: both. watched: a constant changed, or a category was never seen.
"""

BORDERLINE: Final = 0.5
"""Above the threshold: less than a factor of 3.2 in rarity."""

_ROWS_AT_ONCE: Final = 2048
"""Rows measured together: large enough for the matrix products, small enough for the cache."""


class Parts(NamedTuple):
    """The parts of each row, raw; each float64 (n,)."""

    marginal: Floats
    nearest: Floats
    joint: Floats
    dense: Floats
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


class Surprises(NamedTuple):
    """What rare and new values add: float64 (n, categories + watched), 0 where all is usual.

    rarities: -log10 of how many normal records hold such a value, part of what is calibrated;
    alarms: added to the score by itself.
    """

    rarities: Floats
    alarms: Floats


@dataclass(frozen=True)
class Detector:
    """A trained model; `part_tails` are the curves of PARTS on the training rows.

    unseen_shares: float64 (features,), the share of calibration rows that hold what training did
    not list; 0 where that is a signal by itself.
    """

    schema: FeatureSchema
    scaler: Scaler
    network: Network
    marginals: Marginals
    joints: Centres
    activations: Ellipsoid
    part_tails: tuple[TailCurve, ...]
    unseen_shares: Floats
    calibration: Calibration

    def score(self, columns: Columns) -> Scores:
        """Score every row of `columns`, which must have this schema's layout."""
        parts = self.measure(columns)
        calibration = self.calibration
        fused = self.fuse(parts)
        surprises = self.surprises(columns)
        alarm = surprises.alarms.sum(axis=1)
        rarity = surprises.rarities.sum(axis=1)
        score = calibration.score(fused + rarity) + alarm
        flagged = score >= calibration.threshold
        is_watched, rare = alarm > 0, np.flatnonzero(rarity > 0)
        is_watched[rare] |= calibration.score(fused[rare]) < calibration.threshold
        return Scores(
            score=score,
            latent_distance=parts.latent,
            reconstruction_error=parts.error,
            flagged=flagged,
            kinds=self._kinds(columns, parts, score, is_watched),
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
        """The mean of the three largest weighted rarities of the parts."""
        rarities = [
            weight * tail(part)
            for weight, tail, part in zip(WEIGHTS, self.part_tails, parts, strict=True)
        ]
        fused: Floats = np.sort(rarities, axis=0)[-PARTS_FUSED:].mean(axis=0)
        return fused

    def surprises(self, columns: Columns) -> Surprises:
        """What each of the schema's names adds.

        What no row of training held (an absence of what every record had, a new category, another
        constant) is an alarm by itself. A rare value is added to the fused rarity, as rarities of
        what has nothing to do with each other are added: in the mean of the parts one that stood in
        one training record of ten thousand would hardly count.
        """
        is_new = np.hstack([self.unseen(columns), columns.watched > 0])
        alarms: Floats = np.where(self._new_shares > 0, 0.0, self.calibration.threshold + 1)
        return Surprises(rarities=is_new * self._new_rarities, alarms=is_new.astype(float) * alarms)

    @cached_property
    def _new_shares(self) -> Floats:
        """Of normal records that hold something new at each of the schema's names."""
        return np.array([*self.unseen_shares, *(w.other_share for w in self.schema.watched)])

    @cached_property
    def _new_rarities(self) -> Floats:
        """-log10 of these shares; 0 where nothing new was seen, which is an alarm instead."""
        return -np.log10(np.where(self._new_shares > 0, self._new_shares, 1.0))

    def unseen(self, columns: Columns) -> NDArray[np.bool_]:
        """Bool (n, features): a category not listed, or the absence of what was always there.

        An absence that has come to stay, a NaN with its sign set, is not among them.
        """
        sizes = np.array([len(f.categories) for f in self.schema.categories], dtype=np.int64)
        is_gone = np.isnan(columns.numbers) & ~np.signbit(columns.numbers)
        absent = np.hstack([is_gone, columns.codes == MISSING_CODE]) & self.schema.always_there
        absent[:, is_gone.shape[1] :] |= columns.codes >= sizes
        return absent

    def joint_space(self, t_view: Floats32, rebuilt: Floats32) -> Floats32:
        """[reconstruction, 2 * residual], float32 (n, 2 d): what the joint centres live in."""
        return np.hstack([rebuilt, 2 * (t_view - rebuilt)])

    def _measure(self, columns: Columns) -> Parts:
        t_view, activations, rebuilt = views_of(self.scaler, self.network, columns)
        nearest, joint, dense = self.joints.distances(self.joint_space(t_view, rebuilt), PENALTIES)
        return Parts(
            marginal=self.marginals.summed(t_view),
            nearest=nearest,
            joint=joint,
            dense=dense,
            latent=self.activations.distance(activations),
            error=_root_mean_square(t_view - rebuilt),
        )

    def _kinds(
        self, columns: Columns, parts: Parts, score: Floats, is_watched: NDArray[np.bool_]
    ) -> NDArray[np.int8]:
        """An index into KINDS for each row, of meaning where its score flags it.

        A row whose values are not rare by themselves is odd by how they go together, whether or
        not the residual alone says so. The residual is taken in proportion to how far out the row
        is: there the network follows less well what it would follow in the middle. So only of
        rows of usual reach is it as rare as the threshold says.
        """
        threshold = self.calibration.threshold
        kinds = np.full(len(score), KINDS.index("borderline"), dtype=np.int8)
        rows = np.flatnonzero(score >= threshold + BORDERLINE)
        if len(rows):
            odd = columns.take(rows)
            view = self.scaler.view(odd)
            reach = np.maximum(_root_mean_square(view), 1)  # 1 is that of a usual row
            is_torn = self.calibration.error(parts.error[rows] / reach) >= threshold
            is_far = self.calibration.latent(parts.latent[rows]) >= threshold
            is_seldom = self.part_tails[0](parts.marginal[rows]) >= threshold
            is_rare = np.asarray(self._has_unseen(odd, view) | is_seldom)
            is_rare |= is_far & ~is_torn
            kinds[rows] = KINDS.index("inconsistent")
            kinds[rows[is_rare]] = KINDS.index("extreme")
            kinds[rows[is_rare & is_torn]] = KINDS.index("novel")
        kinds[is_watched & (score >= threshold)] = KINDS.index("watched")
        return kinds

    def _has_unseen(self, columns: Columns, view: Floats32) -> NDArray[np.bool_]:
        """Whether a number lies where training saw none: beyond all of its values, or in a gap."""
        count = self.scaler.number_count
        rarities = self.marginals.by_column(view)[:, :count]
        unseen = rarities >= self.marginals.rarities[:count, -1]
        return np.asarray((unseen & ~np.isnan(columns.numbers)).any(axis=1))


def _root_mean_square(rows: Floats32) -> Floats:
    """Of each of float32 rows (n, d)."""
    squares = np.einsum("ij,ij->i", rows, rows).astype(np.float64)
    return np.asarray(np.sqrt(squares / rows.shape[1]))
