"""One value's bytes to a JSON object, within limits of size and depth."""

from __future__ import annotations

from typing import Final

import msgspec

REASONS: Final = (
    "empty",
    "too_large",
    "too_deep",
    "not_json",
    "not_an_object",
    "wrong_type",
    "missing_features",
)
"""Every reason that a record can be rejected for; they are labels of a metric."""

_REGISTRY_PREFIX_BYTES: Final = 5
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_DECODER: Final = msgspec.json.Decoder()
_UNBOUNDED: Final = msgspec.json.Decoder(float_hook=float)


class RecordRejected(ValueError):  # noqa: N818 - reads as what it says
    """One record cannot be scored; `reason` is one of REASONS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Keep the reason apart from what is said to people."""
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


def parse_record(value: bytes, bytes_max: int, depth_max: int) -> dict[str, object]:
    """The JSON object in a value. Raises RecordRejected.

    Of a key that stands twice the last counts. A number beyond a double's range reads as infinite:
    whether that matters depends on whether a feature reads it.
    """
    if len(value) > bytes_max:
        raise RecordRejected("too_large", f"{len(value)} bytes")
    if not value:
        raise RecordRejected("empty", "the value has no bytes")
    plain = _without_registry_prefix(value)
    if depth_of(plain, depth_max) > depth_max:
        raise RecordRejected("too_deep", f"nested deeper than {depth_max}")
    record = _parse(plain)
    if not isinstance(record, dict):
        raise RecordRejected("not_an_object", "the value is JSON but not an object")
    return record


def depth_of(value: bytes, enough: int) -> int:
    """How deep brackets nest outside of strings; stops counting beyond `enough`.

    A cheap bound first: a text cannot nest deeper than it has opening brackets.
    """
    opening = value.count(b"{") + value.count(b"[")
    if opening <= enough:
        return opening
    depth = deepest = 0
    in_string = escaped = False
    for byte in value:
        if in_string:
            in_string = escaped or byte != _QUOTE
            escaped = byte == _BACKSLASH and not escaped
        elif byte == _QUOTE:
            in_string, escaped = True, False
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > enough:
                break
        elif byte in b"}]":
            depth -= 1
    return deepest


def _parse(plain: bytes) -> object:
    try:
        return _DECODER.decode(plain)
    except msgspec.ValidationError:
        return _UNBOUNDED.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordRejected("not_json", str(error)) from None
    except RecursionError:
        raise RecordRejected("too_deep", "nested too deep to parse") from None


def _without_registry_prefix(value: bytes) -> bytes:
    """Drop the five bytes that schema-registry serialisers put first; JSON never starts so."""
    return value[_REGISTRY_PREFIX_BYTES:] if value[:1] == b"\0" else value
