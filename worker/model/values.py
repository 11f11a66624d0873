"""The values inside a record: what a number or a category is, and which text stands for one.

Knows nothing of features, paths or bytes: values are what a JSON parser gives.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Final, Literal

Parse = Literal["json", "text", "comma"]
"""json: as JSON types it; text: a number in a string ("0.005", "1,234.5"); comma: the same with a
decimal comma ("0,005", "1.234,5")."""

Scalar = str | int | float | bool | None

_INTEGERS_END: Final = 1 << 63
_NUMBER_CHARACTERS: Final = frozenset("0123456789+-.eE")
_GROUPED: Final = re.compile(
    r"[+-]?[0-9]{1,3}(?:(?:\.[0-9]{3})+,[0-9]+|(?:\.[0-9]{3}){2,}"
    "|(?:[ '\u00a0\u202f\u2019][0-9]{3})+(?:,[0-9]+)?)"
)
"""Thousands set apart, as where the comma is the decimal sign; '1.234' alone may be either."""
_COMMA_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}(?:(?:,[0-9]{3})+\.[0-9]+|(?:,[0-9]{3}){2,})")
"""The same where the point is the decimal sign; '1,234' alone may be either."""
_GROUPS: Final = re.compile("[. '\u00a0\u202f\u2019]")
_DIGITS: Final = "[+-]?[0-9](?:[0-9.,' \u00a0\u202f\u2019]*[0-9])?"
_LETTERS: Final = r"[^\W\d_]{1,12}"
_UNIT_AFTER: Final = re.compile(
    rf"{_DIGITS}(?:[eE][+-]?[0-9]+)?[ \u00a0\u202f]?"
    rf"(\u00b0?{_LETTERS}(?:/{_LETTERS})?[\u00b2\u00b3]?|[^\w\s.,:;'\"+\-])"
)
_UNIT_BEFORE: Final = re.compile(rf"([^\w\s]) ?{_DIGITS}")
_UNIT_SIGNS: Final = frozenset("%\u2030\u00b0")


class ValueRejected(ValueError):  # noqa: N818 - reads as what it says
    """A value is of a type that its feature cannot have."""


def category_text(value: object) -> str | None:
    """A JSON scalar as the text that names a category; None for objects, lists and MISSING."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            # 1e3 names the same as 1000; beyond 2^63 no exact integer is meant any more.
            is_integer = value.is_integer() and abs(value) < _INTEGERS_END
            return str(int(value)) if is_integer else repr(value)
        case None:
            return "null"
        case _:
            return None


def unit_of(text: str) -> str | None:
    """What a text writes beside a number as its unit ("12.5 ms", "37%", "$9.50"), or None.

    A unit is letters behind the number, or one sign: per cent, degrees, or, also before it, a
    currency. So neither a date nor a version, an address or "a12" has one.
    """
    plain = text.strip()
    if found := _UNIT_AFTER.fullmatch(plain):
        unit = found.group(1)
        return unit if unit[-1].isalnum() or unit in _UNIT_SIGNS or _is_currency(unit) else None
    if (found := _UNIT_BEFORE.fullmatch(plain)) and _is_currency(found.group(1)):
        return found.group(1)
    return None


def without_unit(text: str, unit: str) -> str | None:
    """The text less its unit, before or behind; None where it has not got it."""
    plain = text.strip()
    if plain.endswith(unit):
        return plain.removesuffix(unit).rstrip()
    return plain.removeprefix(unit).lstrip() if plain.startswith(unit) else None


def parse_number(text: str, parse: Parse, unit: str = "") -> float | None:
    """The finite number that a string writes, or None. Python's '1_0' and 'nan' are none.

    With a `unit` the text has it too, except for a zero, which is the same in all units.
    """
    if unit:
        bare = without_unit(text, unit)
        number = parse_number(text if bare is None else bare, parse)
        return number if bare is not None or number == 0 else None
    plain = text.strip()
    if parse == "comma":
        if _GROUPED.fullmatch(plain):
            plain = _GROUPS.sub("", plain)
        plain = plain.replace(",", ".") if plain.count(",") <= 1 and "." not in plain else ""
    elif "," in plain and _COMMA_GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    if not plain or not set(plain) <= _NUMBER_CHARACTERS:
        return None
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_currency(sign: str) -> bool:
    return unicodedata.category(sign) == "Sc"


def json_type(value: object) -> str:
    """The JSON name of a value's type, for messages."""
    names: dict[type, str] = {
        str: "a string", bool: "a boolean", int: "a number", float: "a number",
        list: "an array", dict: "an object", type(None): "null",
    }  # fmt: skip
    return names.get(type(value), "nothing")


def finite(value: float, path: str) -> float:
    """The number as a float. Raises ValueRejected, naming the path, beyond a double's range."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        msg = f"{path}: the number is too large"
        raise ValueRejected(msg)
    return number
