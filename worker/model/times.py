"""When a record's own field says that it happened."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime

from worker.model.values import parse_number


def time_ms(value: object) -> float:
    """An event time as milliseconds since the epoch, NaN where the value is none.

    A number counts as seconds, milliseconds, microseconds or nanoseconds by its size; a string as
    such a number or as ISO 8601, UTC where it names no zone.
    """
    if isinstance(value, str):
        return _text_ms(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    size = abs(value)
    for limit, factor in ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3)):
        if size < limit:
            return value * factor
    # Compared, not converted: converting an integer of 400 digits raises.
    return value * 1e-6 if size <= sys.float_info.max else math.nan


def _text_ms(text: str) -> float:
    """Digits are a number, but for a date such as 20260131.

    Of longer ones some would pass for a date and a time of long ago.
    """
    number = parse_number(text, "text")
    if number is None or len(text) == len("YYYYMMDD"):
        try:
            return _iso_ms(text)
        except ValueError:
            pass
    return math.nan if number is None else time_ms(number)


def _iso_ms(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() * 1000
