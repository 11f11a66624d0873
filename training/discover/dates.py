"""Texts that write a date or a time of day, in the forms that programs and people use."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

YEARS: Final = (1900, 2099)
DAY: Final = 86400
_EPOCH_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_PARTS_MIN: Final = 3
_PARTS: Final = (YEARS, (1, 12), (1, 31), (0, 23), (0, 59), (0, 59), (0, 999_999_999))
_NAMES: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTHS: Final = {
    text: at for at, name in enumerate(_NAMES, start=1) for text in (name, name[:3], name[:4])
}

_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
_HALF: Final = r"(?:[ \u202f]?[AaPp]\.?[Mm]\.?)?"
_ZONE: Final = (
    r"(?: ?(?:Z|[A-Z]{3,5})?(?: ?[+-]\d{2}:?(?:\d{2})?)?(?: [A-Z]{3,5})?(?: \([\w .]+\))?)"
)
_TIME: Final = rf"{_CLOCK}{_HALF}{_ZONE}"
_WEEKDAY: Final = r"(?:[A-Z][a-z]{1,8}\.?,? +)?"
_YEAR: Final = r"(?:(?P<year>\d{4})|\d{2})"
_MONTH: Final = r"(?P<name>[A-Za-z]{3,9})\.?"
_DATES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # 2026-09-01 00:00:00 +0000 UTC, 2026/9/1; 2026.9.1 is a version, 2026.09.01 is not
        rf"(?P<year>\d{{4}})([-/])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}})(?:(?:T|,? ){_TIME})?",
        rf"(?P<year>\d{{4}})\.(?P<month>\d{{2}})\.(?P<day>\d{{2}})(?:(?:T|,? ){_TIME})?",
        # 01.09.2026, 9/1/2026, 1.9.2026, 12:00
        rf"(?P<day>\d{{1,2}})([-/.])(?P<month>\d{{1,2}})\2(?P<year>\d{{4}})(?:,? {_TIME})?",
        # 1.9.26 12:00: without a clock it is a version or an address
        rf"(?P<day>\d{{1,2}})([-/.])(?P<month>\d{{1,2}})\2\d{{2}},? {_TIME}",
        # Tue, 01 Sep 2026 00:00:00 GMT, 01-Sep-26, [01/Sep/2026:00:00:00 +0000]
        rf"\[?{_WEEKDAY}(?P<day>\d{{1,2}})([ /-]){_MONTH}\2{_YEAR}(?:(?::|,? ){_TIME})?\]?",
        # Sep 1, 2026, 12:00 PM, Tue Sep 01 2026 00:00:00 GMT+0000 (Coordinated Universal Time)
        rf"{_WEEKDAY}{_MONTH} +(?P<day>\d{{1,2}}),? (?P<year>\d{{4}})(?:,? {_TIME})?",
        # Tue Sep  1 00:00:00 UTC 2026, Sep  1 00:00:00
        rf"{_WEEKDAY}{_MONTH} +(?P<day>\d{{1,2}}) {_CLOCK}(?: [A-Z]{{3,5}})?(?: {_YEAR})?",
    )
)
_ANY_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?|T\d{2,6}")
_OF_DAY: Final = re.compile(rf"{_CLOCK}(?:Z|[+-]\d{{2}}:\d{{2}})?")


def clock_of(text: str) -> re.Match[str] | None:
    """The parts `hour`, `minute` and `second` (or None) of a time of day, or None."""
    found = _OF_DAY.fullmatch(text.strip())
    return found if found and _is_of_day(found) else None


def day_of(text: str) -> float | None:
    """The day that a text writes, in seconds, 0 without its year; None where it writes none."""
    plain = text.strip()
    try:
        iso = datetime.fromisoformat(plain.replace(",", ".", 1))
    except ValueError:
        pass
    else:
        # Eight digits alone are a number, unless they are a date of our age.
        is_ours = not plain.isdigit() or YEARS[0] <= iso.year <= YEARS[1]
        return float(DAY) * (iso.toordinal() - _EPOCH_DAY) if is_ours else None
    found = next((match for form in _DATES if (match := form.fullmatch(plain))), None)
    return None if found is None else _day_of(found.groupdict())


def is_date_in_parts(values: Sequence[object]) -> bool:
    """Whether values are the year, month, day of a date, and what more of a time: [2026, 9, 1]."""
    if not _PARTS_MIN <= len(values) <= len(_PARTS):
        return False
    parts = zip(values, _PARTS, strict=False)
    return all(type(v) is int and low <= v <= high for v, (low, high) in parts)


def is_day(text: str) -> bool:
    """Whether a text writes a date and no time of day, or that of midnight."""
    if day_of(text) is None:
        return False
    clock = _ANY_CLOCK.search(text)
    return clock is None or not clock.group().strip("T0:")


def _day_of(parts: dict[str, str | None]) -> float | None:
    """The same of a text's parts; day and month may stand the other way round."""
    if parts.get("hour") and not _is_of_day(parts):
        return None
    name = parts.get("name")
    month = _MONTHS.get(name.lower(), 0) if name else int(parts["month"] or 0)
    day = int(parts["day"] or 0)
    year = int(parts.get("year") or 0)
    if month > 12 >= day and not name:  # noqa: PLR2004 - months
        month, day = day, month
    try:
        moment = datetime(year or 2000, month, day, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() if year else 0.0


def _is_of_day(parts: re.Match[str] | dict[str, str | None]) -> bool:
    hour, minute, second = (int(parts[part] or 0) for part in ("hour", "minute", "second"))
    return hour < 24 and minute < 60 and second <= 60  # noqa: PLR2004 - a clock, leap seconds
