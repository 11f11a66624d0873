"""A small fleet of pumps: readings that a model can learn, odd ones, and values that are none."""

from __future__ import annotations

import json
import random

from bench.stand.topics import Message

FIRST_MS = 1_760_000_000_000
UNITS = 8
MODES = ("idle", "run", "boost")


def reading(number: int) -> dict[str, object]:
    """The reading of that number: always the same, related values, one a second."""
    rng = random.Random(number)
    load = rng.uniform(0.2, 1.0)
    return {
        "at": FIRST_MS + 1000 * number,
        "unit": f"pump-{number % UNITS}",
        "mode": MODES[min(int(load * 3), 2)],
        "open": load > 0.5,
        "firmware": "2.4.1",
        "flow": round(40 * load + rng.gauss(0, 0.3), 4),
        "pressure": round(3 + 2 * load * load + rng.gauss(0, 0.02), 5),
        "motor": {
            "current": round(12 * load + rng.gauss(0, 0.1), 4),
            "temperature": round(35 + 25 * load + rng.gauss(0, 0.4), 3),
        },
    }


def odd_reading(number: int) -> dict[str, object]:
    """The same with a motor that takes far more current than the flow explains."""
    found = reading(number)
    return {**found, "motor": {"current": 55.0, "temperature": 71.0}}


def message(number: int, found: dict[str, object] | None = None) -> Message:
    """A reading as a record under its unit's key."""
    body = found if found is not None else reading(number)
    return Message(json.dumps(body).encode(), f"pump-{number % UNITS}".encode())


def messages(first: int, count: int) -> list[Message]:
    """Readings one after another."""
    return [message(number) for number in range(first, first + count)]


def timed(first: int, count: int, first_ms: int) -> list[Message]:
    """Readings whose records carry their own rising timestamps."""
    return [
        each._replace(timestamp_ms=first_ms + 1000 * i)
        for i, each in enumerate(messages(first, count))
    ]


def lines(first: int, count: int) -> bytes:
    """Readings as JSON lines."""
    return b"".join(json.dumps(reading(i)).encode() + b"\n" for i in range(first, first + count))


RECORD_BYTES_MAX = 20_000
DEPTH_MAX = 64

POISON: dict[str, bytes] = {
    "not_json": b"\xff\xfe not json {",
    "not_an_object": b"[1, 2, 3]",
    "wrong_type": json.dumps({**reading(1), "flow": "lots"}).encode(),
    "not_json, NaN": json.dumps({**reading(2), "flow": float("nan")}).encode(),
    "not_json, Infinity": json.dumps({**reading(3), "flow": float("inf")}).encode(),
    "too_large": json.dumps({**reading(4), "note": "x" * RECORD_BYTES_MAX}).encode(),
    "too_deep": b'{"a":' * (DEPTH_MAX + 1) + b"1" + b"}" * (DEPTH_MAX + 1),
    "empty": b"",
    "missing_features": b'{"unit": "pump-1"}',
}
"""Each kind of value that cannot be scored; the text before a comma is its reason."""


def reason(kind: str) -> str:
    """The reason that a kind of POISON is rejected for."""
    return kind.partition(",")[0]
