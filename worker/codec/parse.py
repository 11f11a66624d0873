"""One value's bytes to a JSON object, within limits of size and depth."""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

import msgspec

from worker.records import JsonRecord, payload

REASONS: Final = (
    "empty",
    "too_large",
    "too_deep",
    "not_json",
    "not_an_object",
    "not_an_array",
    "wrong_type",
    "missing_features",
)
"""Every reason that a record can be rejected for; they are labels of a metric."""

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))
_DECODER: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()


class RecordRejected(ValueError):  # noqa: N818 - reads as what it says
    """One record cannot be scored; `reason` is one of REASONS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Keep the reason apart from what is said to people."""
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


def parse_record(value: bytes, bytes_max: int, depth_max: int) -> JsonRecord:
    """The JSON object or array in a value. Raises RecordRejected.

    Of a key that stands twice the last counts. A number beyond a double's range reads as infinite:
    whether that matters depends on whether a feature reads it.
    """
    if len(value) > bytes_max:
        raise RecordRejected("too_large", f"{len(value)} bytes")
    if not value:
        raise RecordRejected("empty", "the value has no bytes")
    plain = payload(value)
    if depth_of(plain, depth_max) > depth_max:
        raise RecordRejected("too_deep", f"nested deeper than {depth_max}")
    record = _parse(plain)
    if not isinstance(record, dict | list):
        raise RecordRejected("not_an_object", "the value is JSON but not an object")
    return record


def depth_of(value: bytes, enough: int) -> int:
    """How deep brackets nest outside of strings, as far as it matters: beyond `enough` or not.

    A cheap bound first: a text cannot nest deeper than it has opening brackets.
    """
    opening = value.count(b"{") + value.count(b"[")
    if opening <= enough:
        return opening
    depth = deepest = 0
    for bracket in _STRING.sub(b"", value).translate(None, _NO_BRACKETS):
        if bracket in b"{[":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > enough:
                break
        else:
            depth -= 1
    return deepest


def _parse(plain: bytes) -> object:
    try:
        try:
            return _DECODER.decode(plain)
        except msgspec.ValidationError:  # a number beyond its type; the rest is not looked at yet
            return _parse_unbounded(plain)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordRejected("not_json", str(error)) from None
    except RecursionError:
        raise RecordRejected("too_deep", "nested too deep to parse") from None


def _parse_unbounded(plain: bytes) -> object:
    """Any JSON, numbers beyond a double as infinite. Raises ValueError where it is none."""
    record = json.loads(plain.decode(), parse_int=_integer, parse_constant=_no_constant)
    _ENCODER.encode(record)  # half a surrogate pair, which this parser lets pass, is refused here
    return record


def _integer(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:  # thousands of digits, which Python reads as an integer only when told to
        return float(text)


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)
