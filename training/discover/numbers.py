"""Reads a column of texts or numbers as numbers, where that is what it holds."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from worker.model.values import parse_number, unit_of, without_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from worker.model.values import Parse, Scalar

MOST: Final = 0.97
"""Share of a column's values that must read as numbers, markers of absence apart."""
MARKERS_MAX: Final = 8
"""Different texts that stand for an absent number at most."""
MARKER_SHARE_MIN: Final = 0.005
"""A text that stands in a smaller share of the values is damage and no marker."""
NUMBER_SHARE_MIN: Final = 0.02
"""A column that hardly holds numbers beside its one marker is none of numbers."""
NUMBERS_AMONG_MARKERS: Final = 0.5
"""Nor is one that holds fewer beside several: those are states, and the numbers some of them."""
CODE_SHARE_MAX: Final = 0.01
"""Texts of digits that begin with a zero are damage up to this share, beyond it they are codes."""
UNIT_VALUES_MIN: Final = 5
"""Fewer different numbers with letters behind ("2d" and "3d") are names."""
_TRIED: Final = 500


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column as numbers: `places[i]` is the place in the column of `values[i]`."""

    values: NDArray[np.float64]
    places: NDArray[np.int64]
    parse: Parse
    absent: tuple[str, ...]
    unit: str = ""


def plain_numbers(values: Sequence[Scalar]) -> Numbers | None:
    """The JSON numbers of a column, or None where it does not hold numbers.

    A few texts that come again and again among them stand for absent ones.
    """
    found = [
        (float(value), place)
        for place, value in enumerate(values)
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max  # an integer may be larger than any double
    ]
    texts = Counter(value for value in values if isinstance(value, str))
    return _among(found, texts, len(values), "json")


def text_numbers(values: Sequence[Scalar]) -> Numbers | None:
    """The numbers that the texts of a column write, or None where they are not numbers.

    A few texts that come again and again among numbers stand for absent ones. All numbers may have
    one and the same unit beside them.
    """
    texts = [(value, place) for place, value in enumerate(values) if isinstance(value, str)]
    different = Counter(text for text, _ in texts)
    plain = _best(texts, different, "")
    if plain is not None:
        return plain
    unit = _common_unit(list(different))
    found = None if unit is None else _best(texts, different, unit)
    return found if found is not None and len(np.unique(found.values)) >= UNIT_VALUES_MIN else None


def boolean_markers(values: Sequence[Scalar]) -> tuple[str, ...] | None:
    """The texts that stand for absent among true and false, or None where it is not these."""
    found = [(1.0, place) for place, value in enumerate(values) if isinstance(value, bool)]
    texts = Counter(value for value in values if isinstance(value, str))
    numbers = _among(found, texts, len(values), "json")
    return None if numbers is None else numbers.absent


def _common_unit(different: Sequence[str]) -> str | None:
    """The unit that most of some texts write beside a number, where there is one."""
    tried = different[:: max(1, len(different) // _TRIED)]
    units = Counter(unit_of(text) for text in tried).most_common(1)
    return units[0][0] if units and 2 * units[0][1] > len(tried) else None


def _best(texts: Sequence[tuple[str, int]], different: Counter[str], unit: str) -> Numbers | None:
    """Read as what makes the most of the texts numbers."""
    best: Numbers | None = None
    for parse in ("text", "comma"):
        found = _read(texts, different, parse, unit)
        if found is not None and (best is None or len(found.values) > len(best.values)):
            best = found
    return None if best is None else replace(best, unit=unit)


def _read(
    texts: Sequence[tuple[str, int]], different: Counter[str], parse: Parse, unit: str
) -> Numbers | None:
    read = {text: parse_number(text, parse, unit) for text in different}
    codes = sum(n for text, n in different.items() if _is_code(without_unit(text, unit) or ""))
    if codes > CODE_SHARE_MAX * len(texts):
        return None
    other = Counter({text: n for text, n in different.items() if read[text] is None})
    numbers = [(value, place) for text, place in texts if (value := read[text]) is not None]
    return _among(numbers, other, len(texts), parse)


def _among(
    numbers: list[tuple[float, int]], other: Counter[str], total: int, parse: Parse
) -> Numbers | None:
    """Numbers among other texts, where those are few or markers of absence."""
    least = max(MARKER_SHARE_MIN * total, 2)
    markers = [text for text, n in other.most_common(MARKERS_MAX) if n >= least]
    rest = total - sum(other[text] for text in markers)
    least_share = NUMBER_SHARE_MIN if len(markers) <= 1 else NUMBERS_AMONG_MARKERS
    if len(numbers) < max(MOST * rest, least_share * total, 1):
        return None
    return _numbers(numbers, parse, tuple(sorted(markers)))


def _is_code(text: str) -> bool:
    """Digits with a leading zero name something (a postal code, a part) and measure nothing."""
    return len(text) > 1 and text[0] == "0" and text.isdigit()


def _numbers(found: list[tuple[float, int]], parse: Parse, absent: tuple[str, ...]) -> Numbers:
    return Numbers(
        values=np.array([value for value, _ in found], dtype=np.float64),
        places=np.array([place for _, place in found], dtype=np.int64),
        parse=parse,
        absent=absent,
    )
