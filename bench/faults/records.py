"""What the bench feeds: readings with a unique id, odd ones, and records that nobody can score."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from workbench.demo.poison import POISONS

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_MS: Final = 1_760_000_000_000
UNITS: Final = 32
ODD_EVERY: Final = 40
KEYLESS_EVERY: Final = 11
LARGE_BYTES: Final = 900_000

Kind = Literal["scored", "rejected", "skipped"]
"""What must become of a record: a score, a dead letter, or nothing (a tombstone)."""


class Record(NamedTuple):
    """A record to produce."""

    key: bytes | None
    value: bytes | None
    kind: Kind


def reading(number: int) -> Record:
    """The reading of that number; some are odd enough to be flagged, some have no key."""
    key = None if number % KEYLESS_EVERY == 5 else f"unit-{number % UNITS}".encode()
    return Record(key, _encoded(number, is_odd=number % ODD_EVERY == 7), "scored")


def training_line(number: int) -> bytes:
    """A normal reading as a line of a file."""
    return _encoded(number, is_odd=False) + b"\n"


def poison(number: int) -> Record:
    """A record of the hostile kind of that number, under a key of its own."""
    names = sorted(HOSTILE)
    name = names[number % len(names)]
    value = HOSTILE[name]
    kind: Kind = "rejected"
    if value is None:
        kind = "skipped"
    elif name in _ONLY_LOOK_HOSTILE:
        kind = "scored"
    return Record(f"poison-{number % UNITS}".encode(), value, kind)


def _encoded(number: int, *, is_odd: bool, **more: object) -> bytes:
    rng = random.Random(number)
    load = rng.uniform(0.2, 1.0)
    return msgspec.json.encode(
        {
            "id": f"r-{number:09d}-{rng.getrandbits(32):08x}",
            "at": FIRST_MS + 1000 * number,
            "flow": round(40 * load + rng.gauss(0, 0.3), 4),
            "pressure": round(3 + 2 * load + rng.gauss(0, 0.02), 5),
            "current": 90.0 if is_odd else round(12 * load + rng.gauss(0, 0.1), 4),
            **more,
        }
    )


_ONLY_LOOK_HOSTILE: Final = {"large", "deep but read"}
HOSTILE: Final[Mapping[str, bytes | None]] = {
    **POISONS,
    "large": _encoded(1, is_odd=False, note="x" * LARGE_BYTES),
    "deep but read": _encoded(2, is_odd=False, note=[[[[[[1]]]]]]),
    "large and not JSON": b"\xfe" * LARGE_BYTES,
    "not a number": b'{"flow": NaN, "pressure": 3.1, "current": 4.5}',
    "beyond all numbers": b'{"flow": 1e999, "pressure": 3.1, "current": 4.5}',
    "half a character": b'{"flow": 20.1, "pressure": "\\ud800", "current": 4.5}',
    "a list for a number": b'{"flow": [20.1], "pressure": 3.1, "current": 4.5}',
    "nothing known": b'{"some": "thing else"}',
    "nulls": b"\0" * 40,
}
"""Values that nobody may choke on, by name; those that only look hostile are scored."""
