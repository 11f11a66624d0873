"""Which values are times: texts that write a date, epochs, dates written as whole numbers.

Knows values alone, no names of paths; shares decide, so that a few damaged values change nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from training.discover.dates import DAY, YEARS, clock_of, day_of, is_day
from training.discover.series import MOST, are_whole, order_correlation
from worker.model.values import parse_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from worker.model.values import Scalar

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

TIME_CORRELATION: Final = 0.9
NEAR: Final = 2 * 365.25 * 86400
"""Seconds that a date lies at most from the records' own, to be told from a count by that alone."""
BLOCK: Final = 512
"""Sizes in bytes are multiples of it."""
ROUND: Final = (1000, 3600)
"""So are whole seconds in a finer unit, and whole hours, now and then."""
TIME_SHARE_MIN: Final = 0.05
"""Share of dates beside a marker of absence at least."""
_TRIED: Final = 500
_AGE: Final = (946_684_800.0, 4_102_444_800.0)
"""The years 2000 to 2099, in seconds."""
_FINE_UNITS: Final = (1e3, 1e6)
_NANOSECONDS: Final = 1e9
"""Too fine for a double, so that they come in blocks themselves; no size is as large."""
_UNITS: Final = (1.0, *_FINE_UNITS, _NANOSECONDS)


def are_dates(values: Sequence[Scalar]) -> bool:
    """Whether texts write dates, in whatever form, beside one text for an absent one at most."""
    return _are(values, day_of)


def are_clocks(values: Sequence[Scalar]) -> bool:
    """Whether texts are times of day: to the second, or to the minute and in the records' order."""
    if not _are(values, clock_of):
        return False
    texts = (text for text in values if isinstance(text, str))
    found = [match for text in texts if (match := clock_of(text))]
    if sum(match["second"] is not None for match in found) >= MOST * len(found):
        return True
    minutes = [60.0 * int(match["hour"]) + int(match["minute"]) for match in found]
    return order_correlation(np.array(minutes)) >= TIME_CORRELATION


def are_times(values: Floats) -> bool:
    """Whether numbers are dates by themselves: too fine for a count, in order, or in digits.

    Epochs in seconds are so only in the records' order: counts of bytes are as large. Zero and
    less stand for no date.
    """
    held = _held(values)
    if _lie_in(held, _NANOSECONDS):
        return True
    if _are_sizes(held):
        return False
    if _are_in_digits(held) or any(_lie_in(held, unit) for unit in _FINE_UNITS):
        return True
    return _lie_in(held, 1.0) and order_correlation(held) >= TIME_CORRELATION


def are_times_near(values: Sequence[Scalar], moments: Sequence[float]) -> bool:
    """Whether values are epochs, in any unit, about one of some moments (seconds)."""
    tried = _tried(values)
    numbers = _numbers_in(tried)
    held = _held(numbers)
    unit = next((unit for unit in _UNITS if _lie_in(held, unit)), None)
    if len(numbers) < MOST * len(tried) or unit is None or _are_sizes(held):
        return False
    return any((np.abs(held / unit - moment) <= NEAR).mean() >= MOST for moment in moments)


def is_passing_day(value: Scalar) -> bool:
    """Whether a value that stands still writes a whole day, which is soon over.

    An instant that stands still is when something began, and a change of it worth an alarm.
    """
    if isinstance(value, str) and is_day(value):
        return True
    return _are_in_digits(_numbers_in([value]))


def is_midnight(value: Scalar) -> bool:
    """Whether a value is an epoch, in any unit, at which a day begins."""
    numbers = _numbers_in([value])
    unit = next((unit for unit in _UNITS if _lie_in(numbers, unit)), None)
    return unit is not None and bool((numbers % (DAY * unit) == 0).all())


def moment_of(values: Sequence[Scalar]) -> float | None:
    """About when times are, in seconds; None where that is not seen."""
    tried = _tried(values)
    days = [day for v in tried if isinstance(v, str) and (day := day_of(v)) is not None]
    if days:
        return float(np.median(days))
    numbers = _held(_numbers_in(tried))
    for unit in _UNITS:
        if _lie_in(numbers, unit):
            middle = float(np.median(numbers)) / unit
            # A counter may be as large, but seldom lies so close together.
            is_close = (np.abs(numbers / unit - middle) <= NEAR).mean() >= MOST
            return middle if is_close else None
    return None


def _tried(values: Sequence[Scalar]) -> Sequence[Scalar]:
    return values[:: max(1, len(values) // _TRIED)]


def _numbers_in(values: Sequence[Scalar]) -> Floats:
    """The numbers among values, also those in texts, that are not too large for a time."""
    found = (parse_number(v, "text") if isinstance(v, str) else v for v in values)
    most = _AGE[1] * _NANOSECONDS
    return np.array([v for v in found if v is not None and abs(v) <= most], dtype=np.float64)


def _held(values: Floats) -> Floats:
    """The values above zero, where they are not too few to tell."""
    held = values[values > 0]
    return held if len(held) >= max(TIME_SHARE_MIN * len(values), 1) else held[:0]


def _are(values: Sequence[Scalar], read: Callable[[str], object]) -> bool:
    """Whether (nearly) all texts can be read, a single marker of absence apart."""
    tried = Counter(v for v in _tried(values) if isinstance(v, str))
    other = [count for text, count in tried.items() if read(text) is None]
    total = tried.total()
    marker = max(other, default=0)
    return total - sum(other) >= max(MOST * (total - marker), TIME_SHARE_MIN * total, 1)


def _lie_in(values: Floats, unit: float) -> bool:
    low, high = _AGE
    return len(values) > 0 and bool(
        ((values >= low * unit) & (values < high * unit)).mean() >= MOST
    )


def _are_sizes(values: Floats) -> bool:
    """Whether numbers come in blocks, as sizes in bytes do and times do not."""
    in_blocks, *are_round = (_are_multiples(values, of) for of in (BLOCK, *ROUND))
    return in_blocks and not any(are_round)


def _are_multiples(values: Floats, of: int) -> bool:
    return len(values) > 0 and bool((values % of == 0).mean() >= MOST)


def _are_in_digits(values: Floats) -> bool:
    """Whether whole numbers write dates: 20260901, 2026090113, 20260901130000."""
    if not len(values) or not are_whole(values):
        return False
    return any((_is_day(values // 100**n) & _is_rest(values, n)).mean() >= MOST for n in range(4))


def _is_day(values: Floats) -> Flags:
    """Which of whole numbers are a year, a month and a day: 20260901."""
    year, month, day = values // 10_000, values // 100 % 100, values % 100
    is_year = (year >= YEARS[0]) & (year <= YEARS[1])
    return is_year & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)  # noqa: PLR2004


def _is_rest(values: Floats, pairs: int) -> Flags:
    """Whether so many pairs of digits at the end are hours, minutes and seconds."""
    held = np.ones(len(values), dtype=bool)
    for place in range(pairs):
        end = 24 if place == pairs - 1 else 60
        held &= values // 100**place % 100 < end
    return held
