"""Shapes that are odd for one reason each: maps, sparse and very many columns, near-constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.shapes.shape import Shape, drift, iso, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record

WIDE: Final = 1000


def sessions(dice: Dice) -> Iterator[Record]:
    """A map whose keys are ids that come and go, beside one whose keys stay."""
    known = [uid(dice) for _ in range(12)]
    for at in moments(10):
        known[dice.randrange(12)] = uid(dice)
        busy = [abs(dice.gauss(30, 6)) for _ in range(4)]
        yield {
            "at": iso(at),
            "sessions": {
                name: {"bytes": dice.randrange(9_000)} for name in known[: dice.randrange(2, 12)]
            },
            "cores": {f"cpu{n}": round(value, 1) for n, value in enumerate(busy)},
            "total": round(sum(busy), 1),
        }


def _sessions_total(record: Record, _: Dice) -> None:
    record["total"] = 380.0


def sparse(dice: Dice) -> Iterator[Record]:
    """Columns of which a record has few, one value in 99.9 %, names with dots beside nesting."""
    heat = drift(dice, 20, 2)
    for at in moments(1):
        warm = next(heat)
        record: Record = {
            "ts": at.timestamp(),
            "sensor.id": dice.choice(["s1", "s2", "s3"]),
            "sensor": {"id": dice.choice([1, 2, 3]), "temp": round(warm, 2)},
            "sensor.temp": round(warm * 1.8 + 32 + dice.gauss(0, 0.1), 2),
            "status": "degraded" if dice.random() < 0.001 else "ok",
            "flags": [dice.random() < 0.5, dice.random() < 0.5],
            "codes": [dice.choice([1, 2, 4, 8, 64])],
        }
        if dice.random() < 0.06:
            record["calibration"] = {"offset": round(dice.gauss(0.1, 0.02), 4)}
        if dice.random() < 0.3:
            record["note"] = dice.choice(["checked", "cleaned"])
        yield record


def _sparse_status(record: Record, _: Dice) -> None:
    record["sensor.temp"] = 20.0


def _sparse_offset(record: Record, _: Dice) -> None:
    record["calibration"] = {"offset": 4.0}


def wide(dice: Dice) -> Iterator[Record]:
    """A thousand columns that few factors drive."""
    factors = [drift(dice, 0, 1, 0.6) for _ in range(5)]
    weights = [[dice.gauss(0, 1) for _ in factors] for _ in range(WIDE)]
    for at in moments(60):
        now = [next(factor) for factor in factors]
        record: Record = {"time": iso(at)}
        for n, row in enumerate(weights):
            value = sum(w * f for w, f in zip(row, now, strict=True)) + dice.gauss(0, 0.1)
            record[f"c{n:04d}"] = round(value, 3)
        yield record


ODDITIES: Final = (
    Shape(
        name="sessions",
        make=sessions,
        found={**{f"cores.cpu{n}": "number" for n in range(4)}, "total": "number"},
        left_out={"at": "a time", "sessions": "a map whose keys come and go"},
        faults={"total": _sessions_total},
    ),
    Shape(
        name="sparse",
        make=sparse,
        found={
            '"sensor.id"': "category",
            "sensor.id": "number",
            "sensor.temp": "number",
            '"sensor.temp"': "number",
            "flags[0]": "boolean",
            "flags[1]": "boolean",
            "codes[0]": "category",
            "calibration.offset": "number",
            "note": "category",
        },
        left_out={"ts": "a time"},
        watched=("status",),
        faults={"temp": _sparse_status, "offset": _sparse_offset},
    ),
    Shape(
        name="wide",
        make=wide,
        found={f"c{n:04d}": "number" for n in range(WIDE)},
        left_out={"time": "a time"},
    ),
)
