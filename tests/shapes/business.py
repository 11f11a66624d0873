"""Records of things that happen: rows that change, payments, positions, rooms, notices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tests.shapes.shape import Shape, drift, iso, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record

MANY: Final = "too many different values"
IMAGE: Final = "an earlier image"


def row_changes(dice: Dice) -> Iterator[Record]:
    """A table's changes with the row before and after; a delete has no row after."""
    rows: dict[int, Record] = {}
    for number, at in enumerate(moments(1)):
        before = rows.pop(dice.choice(list(rows))) if len(rows) > 40 else None
        is_delete = before is not None and dice.random() < 0.1
        after = None if is_delete else _stock(dice, before, number)
        if after is not None:
            rows[after["id"]] = after
        yield {
            "before": before,
            "after": after,
            "source": {
                "connector": "postgresql",
                "db": "shop",
                "table": "stock",
                "lsn": 24_000_000 + number * 136,
                "snapshot": "false",
            },
            "op": "d" if is_delete else "c" if before is None else "u",
            "ts_ms": int(at.timestamp() * 1000),
            "transaction": None,
        }


def _stock(dice: Dice, before: Record | None, number: int) -> Record:
    quantity = dice.randrange(5, 90)
    return {
        "id": number if before is None else before["id"],
        "sku": f"sku-{dice.randrange(10**6)}" if before is None else before["sku"],
        "quantity": quantity,
        "weight_kg": round(quantity * 1.5 + dice.gauss(0, 0.5), 2),
        "shelf": dice.choice("abcd") if before is None else before["shelf"],
    }


def _after(record: Record) -> Record:
    """The row after; of a delete a new one, as an update has."""
    if record["after"] is None:
        record["op"], record["after"] = "u", dict(record["before"])
    row: Record = record["after"]
    return row


def _row_negative(record: Record, _: Dice) -> None:
    _after(record)["quantity"] = -500


def _row_heavy(record: Record, _: Dice) -> None:
    _after(record)["weight_kg"] = 900.0


def payments(dice: Dice) -> Iterator[Record]:
    """A till's payments: amounts with a decimal comma and a currency, cards half hidden."""
    for at in moments(4):
        net = math.exp(dice.gauss(3, 0.5))
        yield {
            "belegNr": uid(dice),
            "zeit": at.strftime("%d.%m.%Y %H:%M:%S"),
            "betrag": f"{net * 1.19:.2f} €".replace(".", ","),
            "mwst": f"{net * 0.19:.2f} €".replace(".", ","),
            "rabatt": f"{dice.uniform(0, 9):.1f}%".replace(".", ","),
            "karte": f"**** {dice.randrange(10**4):04}",
            "plz": f"{dice.randrange(400):05}",
            "filiale": dice.choice(["Ulm", "Bonn", "Kiel"]),
            "art": dice.choices(["karte", "bar"], [70, 30])[0],
            "storno": dice.random() < 0.05,
        }


def _payment_untaxed(record: Record, _: Dice) -> None:
    record["betrag"], record["mwst"] = "60,00 €", "0,05 €"


def _payment_huge(record: Record, _: Dice) -> None:
    record["betrag"], record["mwst"] = "119000,00 €", "19000,00 €"


def positions(dice: Dice) -> Iterator[Record]:
    """Vessels as points on a map, speeds and depths with their units."""
    places = {f"v{n}": (7.0 + n / 10, 53.0 + n / 20) for n in range(6)}
    for at in moments(2):
        vessel = dice.choice(list(places))
        speed, (east, north) = abs(dice.gauss(9, 2)), places[vessel]
        yield {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [
                    round(east + dice.gauss(0, 0.01), 6),
                    round(north + dice.gauss(0, 0.01), 6),
                ],
            },
            "properties": {
                "vessel": vessel,
                "time": iso(at),
                "speed": f"{speed:.1f} kn",
                "fuel": f"{speed * 4 + dice.gauss(0, 0.5):.2f} l/h",
                "heading": f"{dice.randrange(360)}°",
                "fix": dice.choice(["2d", "3d", "3d"]),
            },
        }


def _position_away(record: Record, _: Dice) -> None:
    record["geometry"]["coordinates"] = [-20.5, 10.25]


def _position_leak(record: Record, _: Dice) -> None:
    record["properties"]["fuel"] = "140.00 l/h"


def rooms(dice: Dice) -> Iterator[Record]:
    """A building's sensors as a map of names to values, of which now and then one is silent."""
    outside = drift(dice, 12, 5)
    for at in moments(60):
        cold = next(outside)
        sensors = {f"room{n}.temp": round(21 + cold / 20 + dice.gauss(0, 0.2), 2) for n in range(4)}
        sensors |= {f"room{n}.co2": dice.randrange(420, 900) for n in range(4)}
        sensors["outside.temp"] = round(cold, 2)
        sensors["heating.power"] = round(900 - 30 * cold + dice.gauss(0, 8), 1)
        yield {
            "gateway": "gw-07",
            "at": int(at.timestamp()),
            "sensors": {name: v for name, v in sensors.items() if dice.random() > 0.03},
            "battery": f"{dice.randrange(60, 101)} %",
        }


def _room_hot(record: Record, _: Dice) -> None:
    record["sensors"]["room2.temp"] = 34.5


def _room_heated(record: Record, _: Dice) -> None:
    record["sensors"] |= {"outside.temp": 16.0, "heating.power": 900.0}


def notices(dice: Dice) -> Iterator[Record]:
    """An envelope of one event type, with extensions, around what a wind turbine measures."""
    wind = drift(dice, 8, 2)
    for number, at in enumerate(moments(10)):
        speed = max(next(wind), 0.5)
        yield {
            "specversion": "1.0",
            "id": f"A234-{dice.getrandbits(48):012x}",
            "source": f"/turbines/{dice.randrange(8)}",
            "type": "com.example.turbine.reading.v2",
            "datacontenttype": "application/json",
            "dataschema": "https://example.com/turbine.json",
            "subject": dice.choice(["north", "south"]),
            "time": iso(at),
            "traceparent": f"00-{dice.getrandbits(128):032x}-{dice.getrandbits(64):016x}-01",
            "sequence": f"{number:020}",
            "data": {
                "wind": round(speed, 2),
                "power_kw": round(4 * speed**2 + dice.gauss(0, 6), 1),
                "pitch": [round(2 + speed / 4 + dice.gauss(0, 0.1), 2) for _ in range(3)],
                "state": dice.choices(["run", "idle"], [80, 20])[0],
            },
        }


def _turbine_idle(record: Record, _: Dice) -> None:
    record["data"]["power_kw"] = 900.0


def _turbine_blade(record: Record, _: Dice) -> None:
    record["data"]["pitch"][1] = 12.0


BUSINESS: Final = (
    Shape(
        name="row changes",
        make=row_changes,
        found={
            "after.quantity": "number",
            "after.weight_kg": "number",
            "after.shelf": "category",
        },
        left_out={
            "before.id": IMAGE,
            "before.sku": IMAGE,
            "before.quantity": IMAGE,
            "before.weight_kg": IMAGE,
            "before.shelf": IMAGE,
            "after.id": "names the same things as after.sku",
            "after.sku": MANY,
            "op": "tells records of different types apart",
            "source.lsn": "a counter",
            "ts_ms": "a time",
            "transaction": "always null",
        },
        watched=("source.connector", "source.db", "source.table", "source.snapshot"),
        types=("op", ("c", "d", "u")),
        faults={"negative": _row_negative, "heavy": _row_heavy},
    ),
    Shape(
        name="payments",
        make=payments,
        found={
            "betrag": "number",
            "mwst": "number",
            "rabatt": "number",
            "filiale": "category",
            "art": "category",
            "storno": "boolean",
        },
        left_out={"belegNr": MANY, "zeit": "a time", "karte": MANY, "plz": MANY},
        faults={"untaxed": _payment_untaxed, "huge": _payment_huge},
    ),
    Shape(
        name="positions",
        make=positions,
        found={
            "geometry.coordinates[0]": "number",
            "geometry.coordinates[1]": "number",
            "properties.vessel": "category",
            "properties.speed": "number",
            "properties.fuel": "number",
            "properties.heading": "number",
            "properties.fix": "category",
        },
        left_out={"properties.time": "a time"},
        watched=("type", "geometry.type"),
        faults={"away": _position_away, "leak": _position_leak},
    ),
    Shape(
        name="rooms",
        make=rooms,
        found={
            **{f'sensors."room{n}.temp"': "number" for n in range(4)},
            **{f'sensors."room{n}.co2"': "number" for n in range(4)},
            'sensors."outside.temp"': "number",
            'sensors."heating.power"': "number",
            "battery": "number",
        },
        left_out={"at": "a time"},
        watched=("gateway",),
        faults={"hot": _room_hot, "heated": _room_heated},
    ),
    Shape(
        name="notices",
        make=notices,
        found={
            "source": "category",
            "subject": "category",
            "data.wind": "number",
            "data.power_kw": "number",
            "data.pitch[0]": "number",
            "data.pitch[1]": "number",
            "data.pitch[2]": "number",
            "data.state": "category",
        },
        left_out={
            "id": MANY,
            "time": "a time",
            "traceparent": MANY,
            "sequence": MANY,
        },
        watched=("specversion", "type", "datacontenttype", "dataschema"),
        faults={"idle": _turbine_idle, "blade": _turbine_blade},
    ),
)
