"""Raw distances to tail probabilities, on one scale: -log10 of how rare a value is among normals.

3 means that one normal record in a thousand looks at least this odd. Fitting is training's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TAIL_START: Final = 0.1
"""Tail probability from which on the tail's form is read, at most."""
TAIL_END: Final = 0.005
"""Tail probability down to which rows are believed however few lie beyond, ROWS_MIN at least: so
that a handful of anomalies among some thousand rows sets no threshold."""
ROWS_MIN: Final = 5
"""Rows beyond the end of the empirical part, so that it is not one row's whim."""
ROWS_ENOUGH: Final = 50
"""Rows beyond the end that let it lie further out than TAIL_END: what fifty rows show is no
handful, and their number is known to a seventh."""

SCORE_WATCHED: Final = 2.0
"""How many records reach it tells whether a calibration holds."""

_LN10: Final = math.log(10)


def shown_share(rows: int) -> float:
    """The least tail probability that so many calibration rows show themselves.

    ROWS_MIN of them up to 1,000 rows, TAIL_END up to 10,000, then ROWS_ENOUGH of them. What is
    rarer is extrapolated.
    """
    return min(max(ROWS_MIN / rows, min(TAIL_END, ROWS_ENOUGH / rows)), TAIL_START / 2)


@dataclass(frozen=True)
class TailCurve:
    """A strictly increasing map from a raw value to -log10 of its tail probability.

    values, rarities: float64 (m,), the empirical part, both strictly increasing, linear between
    knots. Beyond the last knot a generalised Pareto tail with `scale` > 0 and `shape` >= 0; below
    the first one it falls towards 0 exponentially with the same scale.
    What lies beyond the rarity that `rows` calibration rows show is extrapolated.
    """

    values: Floats
    rarities: Floats
    scale: float
    shape: float
    rows: int

    def __call__(self, value: Floats) -> Floats:
        """-log10 tail probability, float64, >= 0 and finite for finite values."""
        body = np.interp(value, self.values, self.rarities)
        beyond = np.maximum(value - self.values[-1], 0) / self.scale
        short = np.maximum(self.values[0] - value, 0) / self.scale
        tail = beyond / _LN10
        if self.shape > 0:
            tail = np.log1p(self.shape * beyond) / (self.shape * _LN10)
        rarity: Floats = np.where(short > 0, self.rarities[0] * np.exp(-short), body + tail)
        return rarity

    @property
    def supported(self) -> float:
        """The largest rarity that the calibration rows themselves show."""
        return -math.log10(shown_share(self.rows))


@dataclass(frozen=True)
class Calibration:
    """The curves of one detector, and the alert rate that its threshold follows from.

    score is over the fused parts and the rare values together; latent and error are over the two
    distances, apart.
    alert_rate: the share of normal records that may be flagged, in (0, 1). reached: the share of
    calibration rows whose score is SCORE_WATCHED or more, less than 1 % where many rows are alike.
    """

    score: TailCurve
    latent: TailCurve
    error: TailCurve
    alert_rate: float
    reached: float = 10**-SCORE_WATCHED

    @property
    def threshold(self) -> float:
        """The score from which on a record is flagged."""
        return -math.log10(self.alert_rate)

    @property
    def supported_rate(self) -> float:
        """The smallest alert rate that the calibration rows themselves show (shown_share).

        Enough of them lie beyond its threshold; that of a smaller rate is extrapolated.
        """
        return shown_share(self.score.rows)

    @property
    def is_extrapolated(self) -> bool:
        """Whether the threshold lies beyond what the calibration rows support."""
        return self.alert_rate < self.supported_rate


def severity(score: float, threshold: float) -> str:
    """Info from the threshold on, warning a factor of 10 rarer, critical a factor of 100."""
    if score >= threshold + 2:
        return "critical"
    return "warning" if score >= threshold + 1 else "info"


SEVERITIES: Final = ("info", "warning", "critical")
"""What severity() gives, in rising order."""
