"""Hostile records: what may stand on a topic, by name, and where each has to end.

They are made for the fleet of tests/end_to_end/fleet.py: `scored` ones are readings that a model
of it can read, odd as they may be.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tests.end_to_end.fleet import reading
from tests.wire import Sent

if TYPE_CHECKING:
    from collections.abc import Iterator

SCORED: Final = "scored"
SKIPPED: Final = "skipped"
"""A tombstone: counted, told of nowhere. All other fates are reasons of a rejection."""

RECORD_BYTES_MAX: Final = 1 << 20
"""The worker's limit, and about what a producer sends at most by default."""
DEPTH_MAX: Final = 64
YEAR_2100_MS: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Poison:
    """A record and its fate."""

    name: str
    fate: str
    sent: Sent

    @property
    def header_names(self) -> list[str]:
        """As they read: a `?` for each byte that is none of UTF-8."""
        return [
            "".join("?" if "\udc80" <= c <= "\udcff" else c for c in text)
            for text in (name.decode("utf-8", "surrogateescape") for name, _ in self.sent.headers)
        ]


def _good(**changed: object) -> bytes:
    return json.dumps({**reading(3), **changed}).encode()


def _with(text: str) -> bytes:
    """A good reading whose `flow` is written so."""
    return _good(flow="@").replace(b'"@"', text.encode("utf-8", "surrogatepass"))


def _sized(size: int) -> bytes:
    """A good reading of exactly so many bytes."""
    return _good(note="x" * (size - len(_good(note=""))))


GOOD: Final = _good()
BAD: Final = b"{"

NOT_JSON: Final[dict[str, bytes]] = {
    "bad UTF-8": b'{"unit": "\xff\xfe", "flow": 1}',
    "overlong UTF-8": _good(note="@").replace(b"@", b"\xc0\xaf"),
    "a surrogate as UTF-8": _good(note="@").replace(b"@", b"\xed\xa0\x80"),
    "text": b"pump 3: all is well",
    "one brace": b"{",
    "blanks": b" \t\r\n ",
    "a null byte": b"\0",
    "null bytes": b"\0" * 100,
    "cut off": GOOD[: len(GOOD) // 2],
    "two objects": GOOD + GOOD,
    "lines of objects": GOOD + b"\n" + GOOD,
    "rubbish behind": GOOD + b"}",
    "single quotes": GOOD.replace(b'"', b"'"),
    "a comma too many": GOOD[:-1] + b",}",
    "a comment": b"/* pump */" + GOOD,
    "no quotes": b"{flow: 1}",
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "gzip": gzip.compress(GOOD, mtime=0),
    "a control character in a string": _good(note="@").replace(b"@", b"\x01"),
    "a lone surrogate": _with("1").replace(b"{", b'{"note": "\\ud800", ', 1),
    "a bad escape": _good(note="@").replace(b"@", b"\\q"),
    "NaN": _with("NaN"),
    "Infinity": _with("-Infinity"),
    "a leading zero": _with("01"),
    "a plus sign": _with("+1"),
    "hexadecimal": _with("0x10"),
    "half a number": _with("1."),
    "XML": b"<?xml version='1.0'?><pump flow='1'/>",
    "CSV": b"pump-3,1.5,2.5\n",
    "a pickle": b"\x80\x04\x95\x11\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93.",
    "Avro behind a registry's prefix": b"\0\0\0\0\x07\x06abc\x02",
}
NO_OBJECT: Final[dict[str, bytes]] = {
    "an array": b"[1, 2, 3]",
    "a reading in an array": b"[" + GOOD + b"]",
    "a number": b"17",
    "a string": json.dumps(GOOD.decode()).encode(),
    "null as text": b"null",
    "true": b"true",
}
WRONG_TYPE: Final[dict[str, bytes]] = {
    "an array for the object": _good(motor=[1, 2], flow=None, pressure=None, mode=None),
    "a number as string": _good(flow="12.5"),
    "text for a number": _good(flow="lots"),
    "an array for a number": _good(flow=[12.5]),
    "an object for a number": _good(flow={"value": 12.5}),
    "a boolean for a number": _good(flow=True),
    "a number for a boolean": _good(open=1),
    "an object for a category": _good(mode={"name": "run"}),
    "1e999": _with("1e999"),
    "-1e999": _with("-1e999"),
    "400 digits": _with("9" * 400),
    "9000 digits": _with("9" * 9000),
    "an array of arrays": _good(flow=[[[[]]]]),
}
TOO_DEEP: Final[dict[str, bytes]] = {
    "deep objects": b'{"a":' * 200 + b"1" + b"}" * 200,
    "deep arrays": _with("[" * 200 + "]" * 200),
    "arrays that never end": b"[" * 100_000,
    "a deep note": _good(note="@").replace(b'"@"', b"[" * 5000 + b"]" * 5000),
}
MISSING: Final[dict[str, bytes]] = {
    "an empty object": b"{}",
    "all null": json.dumps(dict.fromkeys(reading(3))).encode(),
    "other names": json.dumps({f"x{i}": i for i in range(10)}).encode(),
    "names of prototypes": b'{"__proto__": {"flow": 1}, "__class__": 1, "constructor": {}}',
}
READABLE: Final[dict[str, bytes]] = {
    "-0": _with("-0"),
    "-0.0e-999": _with("-0.0e-999"),
    "a denormal": _with("5e-324"),
    "the largest double": _with("1.7976931348623157e308"),
    "400 digits behind the point": _with("0." + "3" * 400),
    "the same key twice": GOOD[:-1] + b', "flow": 1}',
    "the same key a thousand times": GOOD[:-1] + b', "flow": 1' * 1000 + b"}",
    "an unseen category": _good(mode="\u202egnihton\u0000"),
    "a huge category": _good(mode="x" * 100_000),
    "a number for a category": _good(mode=10**30),
    "a constant of 30 digits": _good(firmware=10**30),
    "a constant of 1e999": _good(firmware="@").replace(b'"@"', b"1e999"),
    "a constant that is an object": _good(firmware={"a": [1, {"b": None}] * 500}),
    "a long string": _good(note="\U0001f600" * 50_000),
    "a very long key": _good(**{"k" * 200_000: 1}),
    "many keys": _good(**{f"key {i}": i for i in range(20_000)}),
    "many brackets in a string": _good(note="[{" * 50_000),
    "escapes": _good(note='\u0000\u001b[2J\u2028"\\'),
    "escaped names": GOOD.replace(b'"flow"', b'"\\u0066low"'),
    "blanks around": b"\r\n\t " + GOOD + b"\n" * 1000,
    "a registry's prefix": b"\0\0\0\0\x07" + GOOD,
    "half of it missing": json.dumps(
        {"flow": 1, "pressure": 2, "mode": "run", "unit": "pump-3"}
    ).encode(),
    "deep, but no deeper than allowed": _good(note="@").replace(
        b'"@"', b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1)
    ),
    "as large as allowed": _sized(RECORD_BYTES_MAX),
}

_VALUES: Final = {
    "not_json": NOT_JSON,
    "not_an_object": NO_OBJECT,
    "wrong_type": WRONG_TYPE,
    "too_deep": TOO_DEEP,
    "missing_features": MISSING,
    SCORED: READABLE,
    "empty": {"empty": b""},
    "too_large": {
        "a byte larger than allowed": _sized(RECORD_BYTES_MAX + 1),
        "a megabyte of rubbish more than allowed": b"\xff" * (2 * RECORD_BYTES_MAX),
    },
}

_KEYS: Final[dict[str, bytes | None]] = {
    "no key": None,
    "an empty key": b"",
    "a key that is no UTF-8": b"\xff\x00\xfe",
    "a key with line breaks": b"pump\r\nX-Evil: 1\x1b[2J",
    "a large key": b"k" * 200_000,
    "a key as large as a record": b"k" * (RECORD_BYTES_MAX - 200),
}

_HEADERS: Final[dict[str, list[tuple[bytes, bytes | None]]]] = {
    "a header with odd bytes": [(b"origin", bytes(range(256)))],
    "a header without value": [(b"origin", None)],
    "a header name twice": [(b"origin", b"1"), (b"origin", b"2")],
    "an empty header name": [(b"", b"1")],
    "a header name that is no UTF-8": [(b"\xff\xfeorigin\xc3", b"1"), (b"fine", b"2")],
    "a thousand headers": [(b"h%d" % i, b"x" * 50) for i in range(1000)],
    "a large header": [(b"origin", b"x" * 500_000)],
    "a header as large as a record": [(b"origin", b"x" * (RECORD_BYTES_MAX - 500))],
    "headers that claim to be ours": [
        (b"__latentwatch.errors.reason", b"x" * 900_000),
        (b"__latentwatch.errors.offset", b"-1"),
        (b"__latentwatch.replays", b"many"),
    ],
    "a huge trace": [(b"tracestate", b"x" * 900_000), (b"traceparent", b"\xff")],
    "a trace a thousand times": [(b"traceparent", b"00-ab-cd-01")] * 1000,
}

_STAMPS: Final = {
    "no timestamp": -1,
    "the epoch": 0,
    "the year 2100": YEAR_2100_MS,
    "the end of time": 2**62,
}


def catalogue() -> list[Poison]:
    """Every hostile record; names are unique."""
    found = [*_values(), *_around()]
    assert len({poison.name for poison in found}) == len(found)
    return found


def _values() -> Iterator[Poison]:
    for fate, values in _VALUES.items():
        for name, value in values.items():
            yield Poison(name, fate, Sent(value, b"pump-3"))


def _around() -> Iterator[Poison]:
    """What surrounds a value: around a good one, a bad one and none at all."""
    parts: list[tuple[str, dict[str, Any]]] = [
        *((name, {"key": key}) for name, key in _KEYS.items()),
        *((name, {"headers": headers}) for name, headers in _HEADERS.items()),
        *((name, {"timestamp_ms": stamp}) for name, stamp in _STAMPS.items()),
        *(
            (f"compressed by {codec}", {"codec": codec})
            for codec in ("gzip", "snappy", "lz4", "zstd")
        ),
    ]
    for name, part in parts:
        around = {"key": b"pump-3", **part}
        yield Poison(f"{name}, good", SCORED, Sent(_odd(), **around))
        yield Poison(f"{name}, bad", "not_json", Sent(BAD, **around))
        yield Poison(f"{name}, a tombstone", SKIPPED, Sent(None, **around))


def _odd() -> bytes:
    """A reading that is flagged: what surrounds it goes into an event as well."""
    return _good(motor={"current": 55.0, "temperature": 71.0})
