"""What one column is: a feature and of which kind, a constant to watch, or nothing, and why.

Reasons hold no counts, so that a few damaged records change no line of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from training.discover.numbers import Numbers, boolean_markers, plain_numbers, text_numbers
from training.discover.series import (
    CATEGORIES_MAX,
    RECORDS_PER_CATEGORY,
    are_beyond_exact,
    are_codes,
    are_identifiers,
    are_whole,
    comes_again,
    grows,
)
from training.discover.times import are_clocks, are_dates, are_times, is_passing_day
from worker.model.schema import Feature, Watched
from worker.model.values import category_text, parse_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.discover.columns import Column
    from worker.model.path import Path
    from worker.model.values import Scalar

CONSTANT_SHARE: Final = 0.98
"""A value that stands in this share of the records is a constant, and watched."""
STRAY_SHARE: Final = 0.01
"""Up to this share of values that stand there once count neither for nor against a constant."""
TYPE_SHARE: Final = 0.97
"""A path whose values are of one type in a smaller share is no feature."""
TEXT_MAX: Final = 256
"""Characters of a constant at most; a longer one is a document."""
TOO_MANY: Final = "a text with too many different values"
TIME: Final = "a time"
IDENTIFIER: Final = "whole numbers that name and do not measure: an identifier"
GROWS: Final = "grows or falls from record to record: a time or a counter"


@dataclass(frozen=True, slots=True)
class NumberFeature:
    """A feature that is a number, with the values that relations between columns are read from."""

    feature: Feature
    numbers: Numbers


Verdict = Feature | NumberFeature | Watched | str


def judge(column: Column) -> Verdict:
    """The verdict on one column; a text is the reason why it is left out."""
    kind = _kind_of(column)
    if kind is None:
        return "values of several types"
    constant = _constant(column, [v for v in column.values if _type_of(v) == kind])
    if constant is not None:
        return constant
    if kind == "text":
        return _text(column)
    if kind == "boolean":
        absent = boolean_markers(column.values) or ()
        return Feature(path=str(column.path), kind="boolean", absent=absent)
    numbers = plain_numbers(column.values)
    return "numbers beyond a double's range" if numbers is None else _number(column, numbers)


def _kind_of(column: Column) -> str | None:
    """The type of (nearly) all values, markers of absence apart; None where there is none."""
    types = Counter(_type_of(value) for value in column.values)
    seen = len(column.values) + column.containers
    kind, count = types.most_common(1)[0]
    if count >= TYPE_SHARE * seen:
        return kind
    if column.containers > (1 - TYPE_SHARE) * seen:
        return None
    if types["boolean"] > types["number"]:
        return None if boolean_markers(column.values) is None else "boolean"
    return None if plain_numbers(column.values) is None else "number"


def _constant(column: Column, values: Sequence[Scalar]) -> Watched | str | None:
    counts = Counter(values)
    value, count = counts.most_common(1)[0]
    strays = sum(1 for other, n in counts.items() if n == 1 and not _is_written(other))
    if count < CONSTANT_SHARE * (len(values) - min(strays, int(STRAY_SHARE * len(values)))):
        return None
    if is_passing_day(value):
        return TIME
    if isinstance(value, str) and len(value) > TEXT_MAX:
        return "a long text that does not vary"
    held = len(column.values) + column.containers + column.nulls
    return Watched(path=str(column.path), value=value, other_share=(held - count) / held)


def _text(column: Column) -> Verdict:
    numbers = text_numbers(column.values)
    if numbers is not None and not (numbers.absent and _are_states(numbers)):
        return _number(column, numbers)
    values = [value for value in column.values if isinstance(value, str)]
    if are_dates(values) or are_clocks(values):
        return TIME
    counts = Counter(values)
    common = [v for v, count in counts.items() if count >= comes_again(len(values))]
    covered = sum(counts[value] for value in common)
    if len(common) > CATEGORIES_MAX or covered < TYPE_SHARE * len(values):
        return TOO_MANY
    if len(values) < RECORDS_PER_CATEGORY * len(common):
        return "a text whose values hardly come again"
    return _category(column.path, common)


def _number(column: Column, numbers: Numbers) -> Verdict:
    array = numbers.values
    if grows(array):
        return GROWS
    if are_times(array):
        return TIME
    written = [column.values[place] for place in numbers.places]
    if are_beyond_exact(array) and _are_digits(written):
        return IDENTIFIER
    if are_whole(array):
        if are_identifiers(array):
            return IDENTIFIER
        if are_codes(array):
            return _category(column.path, written, numbers.absent)
    path = str(column.path)
    feature = Feature(
        path=path,
        kind="number",
        parse=numbers.parse,
        unit=numbers.unit,
        absent=numbers.absent,
    )
    return NumberFeature(feature, numbers)


def _are_digits(written: Sequence[Scalar]) -> bool:
    """Whether numbers are written as digits alone; one that was measured has another form."""
    digits = sum(isinstance(v, int) or (isinstance(v, str) and v.isdigit()) for v in written)
    return digits >= TYPE_SHARE * len(written)


def _are_states(numbers: Numbers) -> bool:
    """Whether numbers beside markers are but one or two: states, like the markers."""
    common = Counter(numbers.values.tolist()).most_common(2)
    return sum(count for _, count in common) >= CONSTANT_SHARE * len(numbers.values)


def _category(path: Path, values: Sequence[Scalar], absent: tuple[str, ...] = ()) -> Feature:
    texts = {text for value in set(values) if (text := category_text(value)) is not None}
    return Feature(path=str(path), kind="category", categories=tuple(sorted(texts)), absent=absent)


def _is_written(value: Scalar) -> bool:
    """Whether a text writes a number: among markers of absence it is no damage."""
    return isinstance(value, str) and parse_number(value, "text") is not None


def _type_of(value: Scalar) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"
