"""What a run of numbers is: one that only grows, codes, or names made of digits.

Every rule looks at shares and ranks, so that a few damaged values among many change none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

MOST: Final = 0.97
"""What holds of this share of the values holds of the column."""
GROWING_SHARE: Final = 0.95
"""A counter falls in fewer than the rest of its steps: where it starts again, where one is late."""
KEYED_SHARE: Final = 0.98
KEYED_MOVES: Final = 0.3
"""Among the records of one key a counter moves in so large a share of the steps at least."""
RISES_MIN: Final = 20
"""Steps up that it takes to call a number that seldom moves a counter."""
RISING_CORRELATION: Final = 0.999
FALLING_SHARE: Final = 0.5
"""What is counted down falls from record to record; what is used up falls now and then."""
CATEGORIES_MAX: Final = 50
RECORDS_PER_CATEGORY: Final = 8
"""Values name something while each comes again so often on the average."""
AGAIN_SHARE: Final = 0.001
"""What stands in a smaller share of the values does not come again: damage repeats itself too."""
CODE_SHARE: Final = 0.005
"""What stands in a smaller share is no code: a single stray one far off would make for gaps."""
CODES_MAX: Final = 16
"""Different whole numbers of an enumeration at most, where its gaps are no wider than most."""
CODE_GAPS: Final = 2
"""An enumeration's numbers have gaps: they span more than so many times as many as there are."""
CODES_FEW: Final = 3
"""So few numbers without a 0 are taken as written: 200, 400 and 500 may well be a protocol's."""
NAME_GAPS: Final = 1_000
"""Numbers so far apart, on the average, name things however many there are of them."""
NAMES_LEFT_OUT_GAPS: Final = 10_000
RANDOM_MIN: Final = 500
"""Values that it takes to say that they are drawn at random."""
IDENTIFIER_SPAN: Final = 2.0**16
"""Identifiers drawn at random span more than so many numbers."""
EXACT_MAX: Final = 2.0**53
"""Whole numbers beyond this are not kept apart by a double: they name, they do not measure."""


def grows(values: Floats) -> bool:
    """Whether values follow the records' order, as times, sequence numbers and counters do."""
    if len(values) < RISES_MIN or len(np.unique(values)) < RISES_MIN:
        return False
    steps = np.diff(values)
    up = (steps >= 0).mean() >= GROWING_SHARE and (steps > 0).mean() >= 1 - GROWING_SHARE
    down = (steps <= 0).mean() >= GROWING_SHARE and (steps < 0).mean() >= FALLING_SHARE
    in_order = order_correlation(values) >= RISING_CORRELATION
    return bool(up or down or in_order or _creeps(values, np.ones(len(steps), dtype=bool)))


def grows_by_key(values: Floats, same: Flags) -> bool:
    """The same of values sorted by a key, then by order; `same[i]`: i + 1 has the key of i."""
    steps = np.diff(values)[same]
    if len(steps) < RISES_MIN:
        return False
    moves = (steps >= 0).mean() >= KEYED_SHARE and (steps > 0).mean() >= KEYED_MOVES
    return bool(moves or _creeps(values, same))


def _creeps(values: Floats, same: Flags) -> bool:
    """Whether values seldom move and then up; what stands out for one record does not count."""
    inner = same[:-1] & same[1:]
    middle = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    smooth = values.copy()
    smooth[1:-1] = np.where(inner, middle, values[1:-1])
    steps = np.diff(smooth)[same]
    ups, downs = int((steps > 0).sum()), int((steps < 0).sum())
    return ups >= RISES_MIN and downs <= (1 - GROWING_SHARE) * ups


def order_correlation(values: Floats) -> float:
    """Correlation of values with their own order, by the ranks, so that outliers do not count."""
    return _correlation(_ranks(values), np.arange(len(values), dtype=np.float64))


def rank_correlation(one: Floats, other: Floats) -> float:
    """Correlation of the ranks of two columns, over the rows that hold both."""
    both = ~(np.isnan(one) | np.isnan(other))
    return _correlation(_ranks(one[both]), _ranks(other[both]))


def are_whole(values: Floats) -> bool:
    """Whether values are whole numbers; beyond EXACT_MAX each is, and that tells nothing."""
    whole = (values == np.round(values)) & (np.abs(values) <= EXACT_MAX)
    return bool(whole.mean() >= MOST)


def are_beyond_exact(values: Floats) -> bool:
    """Whether values are larger than a double tells whole numbers apart."""
    return float(np.median(np.abs(values))) > EXACT_MAX


def are_identifiers(values: Floats) -> bool:
    """Whether whole numbers name things and measure none: they come again far apart."""
    common = _common(values, comes_again(len(values)))
    return (
        common is not None and len(common) > CATEGORIES_MAX and _gap(common) > NAMES_LEFT_OUT_GAPS
    )


def are_codes(values: Floats) -> bool:
    """Whether whole numbers are a few that come again, with gaps between them: an enumeration.

    Counted in what divides all that come again: 0, 1, 2 s have no gaps, nor have 0, 1000, 2000 ms.
    """
    common = _common(values, CODE_SHARE * len(values))
    if common is None or not 2 <= len(common) <= CATEGORIES_MAX:  # noqa: PLR2004 - one is a constant
        return False
    as_written = len(common) <= CODES_FEW and common.all()
    unit = 1 if as_written else _divisor(_again(values, comes_again(len(values))))
    span = (common[-1] - common[0]) / unit + 1
    few = len(common) <= CODES_MAX and span > CODE_GAPS * len(common)
    return bool(few or _gap(common) > NAME_GAPS)


def are_random(values: Floats) -> bool:
    """Whether whole numbers nearly all differ, and lie evenly over a wide span in no order."""
    different = len(np.unique(values))
    if different < max(MOST * len(values), RANDOM_MIN) or not are_whole(values):
        return False
    low, high = np.quantile(values, [0.01, 0.99])
    if high - low < IDENTIFIER_SPAN:
        return False
    inner = np.sort(values[(values >= low) & (values <= high)])
    expected = (inner - low) / (high - low)
    distance = np.abs(np.arange(1, len(inner) + 1) / len(inner) - expected).max()
    tolerance = 2 / len(values) ** 0.5
    ranks = _ranks(values)
    return bool(distance <= tolerance and abs(_correlation(ranks[1:], ranks[:-1])) <= 2 * tolerance)


def comes_again(values: int) -> float:
    """How often a value stands among so many to be one of those that come again."""
    return max(2, AGAIN_SHARE * values)


def _common(values: Floats, least: float) -> Floats | None:
    """The values that stand `least` times or more, where these are (nearly) all."""
    common = _again(values, least)
    if np.isin(values, common).mean() < MOST or len(values) < RECORDS_PER_CATEGORY * len(common):
        return None
    return common


def _again(values: Floats, least: float) -> Floats:
    """The values that stand `least` times or more, and twice."""
    different, counts = np.unique(values, return_counts=True)
    again: Floats = different[counts >= max(least, 2)]
    return again


def _gap(common: Floats) -> float:
    """How far apart values are on the average, counted in their common step."""
    steps = np.diff(common)
    if not len(steps) or steps.max() > EXACT_MAX:
        return 0.0
    return float((common[-1] - common[0]) / _divisor(steps) / len(common))


def _divisor(values: Floats) -> int:
    """The greatest whole number that divides all of the values that are whole."""
    whole = values[(values == np.round(values)) & (np.abs(values) <= EXACT_MAX)]
    return max(int(np.gcd.reduce(whole.astype(np.int64))), 1) if len(whole) else 1


def _ranks(values: Floats) -> Floats:
    ranks: Floats = np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)
    return ranks


def _correlation(one: Floats, other: Floats) -> float:
    if len(one) < RISES_MIN or one.min() == one.max():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
