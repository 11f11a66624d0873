"""What sensors, machines and vehicles send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.shapes.shape import Shape, drift, moments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record


def home(dice: Dice) -> Iterator[Record]:
    """States of a house as text: now and then a thing is unavailable or unknown."""
    warm = drift(dice, 21, 1.2)
    for at in moments(7):
        heat = next(warm)
        here = dice.random()
        gone = "unavailable" if here < 0.03 else "unknown" if here < 0.05 else None
        yield {
            "entity_id": "climate.living_room",
            "state": gone or f"{heat:.1f}",
            "attributes": {
                "unit_of_measurement": "°C",
                "humidity": gone or round(90 - 2 * heat + dice.gauss(0, 0.5), 1),
                "power": round(max(0.0, 23 - heat) * 300 + dice.uniform(0, 20), 1),
                "hvac_action": "heating" if heat < 21 else "idle",
            },
            "last_changed": at.isoformat(),
            "context": {"id": f"01K{dice.getrandbits(90):023X}", "user_id": None},
        }


def _home_cold(record: Record, _: Dice) -> None:
    record["state"] = "4.2"


def _home_burns(record: Record, _: Dice) -> None:
    record["attributes"]["power"] = 8_000.0


def plc_tags(dice: Dice) -> Iterator[Record]:
    """Tags of a controller as short-named points, in any order, of several types."""
    speed = drift(dice, 1450, 40)
    for at in moments(1):
        turns = next(speed)
        tags = [
            {"n": "temp", "v": round(30 + turns / 50 + dice.gauss(0, 0.3), 1), "q": "Good"},
            {"n": "speed", "v": round(turns), "q": "Good"},
            {"n": "running", "v": turns > 1380, "q": dice.choice(["Good"] * 9 + ["Uncertain"])},
            {"n": "mode", "v": dice.choice(["auto", "hand"]), "q": "Good"},
        ]
        dice.shuffle(tags)
        yield {"t": int(at.timestamp() * 1000), "device": "plc-1", "tags": tags}


def _tag(record: Record, name: str) -> Record:
    found: Record = next(tag for tag in record["tags"] if tag["n"] == name)
    return found


def _tags_hot(record: Record, _: Dice) -> None:
    _tag(record, "temp")["v"] = 96.0


def _tags_mode(record: Record, _: Dice) -> None:
    _tag(record, "mode")["v"] = "service"


def senml(dice: Dice) -> Iterator[Record]:
    """A pack of measurements: a value under v, vs or vb by its type."""
    volts = drift(dice, 230, 2)
    for at in moments(5):
        volt = next(volts)
        yield {
            "bn": "urn:dev:mac:0024befffe804ff1:",
            "bt": at.timestamp(),
            "bver": 5,
            "e": [
                {"n": "voltage", "u": "V", "v": round(volt, 2)},
                {"n": "current", "u": "A", "v": round(volt / 50 + dice.gauss(0, 0.02), 3)},
                {"n": "state", "vs": dice.choice(["on", "standby"])},
                {"n": "door", "vb": dice.random() < 0.3},
            ],
        }


def _senml_sag(record: Record, _: Dice) -> None:
    record["e"][0]["v"] = 180.0


def _senml_current(record: Record, _: Dice) -> None:
    record["e"][1]["v"] = 16.0


def sparkplug(dice: Dice) -> Iterator[Record]:
    """A pack of named metrics with a time each, and a sequence number that starts again."""
    flow, seq = drift(dice, 12, 1.5), 0
    for at in moments(1):
        ms, litres = int(at.timestamp() * 1000), next(flow)
        seq = (seq + 1) % 256
        metrics = [
            ("Flow/Rate", "Float", round(litres, 2)),
            ("Pump/Speed", "Int32", round(litres * 120 + dice.gauss(0, 8))),
            ("Pump/Running", "Boolean", litres > 9),
        ]
        yield {
            "timestamp": ms,
            "seq": seq,
            "metrics": [
                {"name": name, "timestamp": ms, "dataType": kind, "value": value}
                for name, kind, value in metrics
            ],
        }


def _sparkplug_dry(record: Record, _: Dice) -> None:
    record["metrics"][0]["value"] = 0.1


def _sparkplug_stopped(record: Record, _: Dice) -> None:
    record["metrics"][1]["value"] = 5


DEVICES: Final = (
    Shape(
        name="home",
        make=home,
        found={
            "state": "number",
            "attributes.humidity": "number",
            "attributes.power": "number",
            "attributes.hvac_action": "category",
        },
        left_out={
            "last_changed": "a time",
            "context.id": "too many different values",
            "context.user_id": "always null",
        },
        watched=("entity_id", "attributes.unit_of_measurement"),
        faults={"cold": _home_cold, "burns": _home_burns},
    ),
    Shape(
        name="plc tags",
        make=plc_tags,
        found={
            'tags[n="temp"].v': "number",
            'tags[n="speed"].v': "number",
            'tags[n="running"].v': "boolean",
            'tags[n="running"].q': "category",
            'tags[n="mode"].v': "category",
        },
        left_out={"t": "a time"},
        watched=(
            "device",
            'tags[n="temp"].q',
            'tags[n="speed"].q',
            'tags[n="mode"].q',
        ),
        faults={"hot": _tags_hot, "mode": _tags_mode},
    ),
    Shape(
        name="senml",
        make=senml,
        found={
            'e[n="voltage"].v': "number",
            'e[n="current"].v': "number",
            'e[n="state"].vs': "category",
            'e[n="door"].vb': "boolean",
        },
        left_out={"bt": "a time"},
        watched=("bn", "bver", 'e[n="voltage"].u', 'e[n="current"].u'),
        faults={"sag": _senml_sag, "current": _senml_current},
    ),
    Shape(
        name="sparkplug",
        make=sparkplug,
        found={
            'metrics[name="Flow/Rate"].value': "number",
            'metrics[name="Pump/Speed"].value': "number",
            'metrics[name="Pump/Running"].value': "boolean",
        },
        left_out={
            "timestamp": "a time",
            "seq": "a time or a counter",
            'metrics[name="Flow/Rate"].timestamp': "a time",
            'metrics[name="Pump/Speed"].timestamp': "a time",
            'metrics[name="Pump/Running"].timestamp': "a time",
        },
        watched=(
            'metrics[name="Flow/Rate"].dataType',
            'metrics[name="Pump/Speed"].dataType',
            'metrics[name="Pump/Running"].dataType',
        ),
        faults={"dry": _sparkplug_dry, "stopped": _sparkplug_stopped},
    ),
)
