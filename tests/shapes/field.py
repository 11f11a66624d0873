"""What vehicles, machines and sensors in the field send."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tests.shapes.shape import Shape, drift, iso, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record


def tracker(dice: Dice) -> Iterator[Record]:
    """A fleet of vehicles: device numbers of fifteen digits, places, a list of three."""
    imeis = [str(356_938_035_000_000 + dice.randrange(10**9)) for _ in range(24)]
    way = {imei: dice.uniform(0, 6) for imei in imeis}
    for at in moments(2):
        imei = dice.choice(imeis)
        way[imei] += dice.uniform(0, 0.05)
        speed = abs(60 + 25 * math.sin(5 * way[imei]) + dice.gauss(0, 3))
        yield {
            "imei": imei,
            "mmsi": int(imei[-9:]),
            "gps": {
                "lat": round(48 + 0.2 * math.sin(way[imei]), 6),
                "lon": round(11 + 0.3 * math.cos(way[imei]), 6),
                "speed": round(speed, 1),
            },
            "acc": [
                round(dice.gauss(0, 0.2), 3),
                round(dice.gauss(0, 0.2), 3),
                round(dice.gauss(9.81, 0.1), 3),
            ],
            "ignition": int(speed > 40),
            "event": dice.choice([1, 1, 1, 9, 240]),
            "time": at.strftime("%Y-%m-%d %H:%M:%S"),
        }


def _tracker_crash(record: Record, _: Dice) -> None:
    record["acc"][0] = 9.0


def _tracker_away(record: Record, _: Dice) -> None:
    record["gps"]["lat"] = 0.0


def press(dice: Dice) -> Iterator[Record]:
    """A German machine: decimal commas, thousands set apart, a dash where nothing was measured."""
    force = drift(dice, 2400, 220)
    for at in moments(3):
        kn = next(force)
        thousands, rest = divmod(round(abs(kn) * 100), 100_000)
        shown = f"{thousands}.{rest // 100:03d},{rest % 100:02d}" if thousands else f"{kn:.2f}"
        yield {
            "Zeit": at.strftime("%d.%m.%Y %H:%M:%S"),
            "Temperatur": f"{40 + kn / 100 + dice.gauss(0, 0.3):.1f}".replace(".", ","),
            "Presskraft": shown.replace(".", ".") if thousands else shown.replace(".", ","),
            "Hub": f"{dice.gauss(12, 0.4):.2f}".replace(".", ",") if dice.random() > 0.04 else "-",
            "Schicht": dice.choice(["Früh", "Spät", "Nacht"]),
            "Teil": uid(dice),
        }


def _press_hot(record: Record, _: Dice) -> None:
    record["Temperatur"] = "97,5"


def _press_weak(record: Record, _: Dice) -> None:
    record["Presskraft"] = "312,50"


def lorawan(dice: Dice) -> Iterator[Record]:
    """An uplink: a payload of numbers, gateways that come and go, a frame counter per device."""
    frames = {f"eui-{n:08x}": dice.randrange(1, 9000) for n in range(6)}
    damp = drift(dice, 35, 6)
    for at in moments(4):
        device = dice.choice(list(frames))
        frames[device] += 1
        wet = next(damp)
        gateways = dice.sample(["gw-a", "gw-b", "gw-c", "gw-d"], dice.randrange(1, 4))
        yield {
            "end_device_ids": {"device_id": device},
            "received_at": iso(at),
            "uplink_message": {
                "f_cnt": frames[device],
                "f_port": 2,
                "frm_payload": f"{dice.getrandbits(64):016x}",
                "decoded_payload": {
                    "soil_moisture": round(wet, 1),
                    "conductivity": round(wet * 21 + dice.gauss(0, 10)),
                    "battery": round(dice.gauss(3.6, 0.03), 2),
                },
                "rx_metadata": [
                    {
                        "gateway": name,
                        "rssi": round(dice.gauss(-90, 6)),
                        "snr": dice.randrange(-5, 12),
                    }
                    for name in gateways
                ],
            },
        }


def _lorawan_flat(record: Record, _: Dice) -> None:
    record["uplink_message"]["decoded_payload"]["battery"] = 2.4


def _lorawan_apart(record: Record, _: Dice) -> None:
    record["uplink_message"]["decoded_payload"]["conductivity"] = 40


_DECODED: Final = "uplink_message.decoded_payload"
_GATEWAYS: Final = tuple(f'uplink_message.rx_metadata[gateway="gw-{x}"]' for x in "abcd")

FIELD: Final = (
    Shape(
        name="tracker",
        make=tracker,
        found={
            "imei": "category",
            "mmsi": "category",
            "gps.lat": "number",
            "gps.lon": "number",
            "gps.speed": "number",
            "acc[0]": "number",
            "acc[1]": "number",
            "acc[2]": "number",
            "ignition": "number",
            "event": "category",
        },
        left_out={"time": "a time"},
        faults={"crash": _tracker_crash, "away": _tracker_away},
    ),
    Shape(
        name="press",
        make=press,
        found={
            "Temperatur": "number",
            "Presskraft": "number",
            "Hub": "number",
            "Schicht": "category",
        },
        left_out={"Zeit": "a time", "Teil": "too many different values"},
        faults={"hot": _press_hot, "weak": _press_weak},
    ),
    Shape(
        name="lorawan",
        make=lorawan,
        found={
            "end_device_ids.device_id": "category",
            f"{_DECODED}.soil_moisture": "number",
            f"{_DECODED}.conductivity": "number",
            f"{_DECODED}.battery": "number",
            **{f"{gateway}.{name}": "number" for gateway in _GATEWAYS for name in ("rssi", "snr")},
        },
        left_out={
            "received_at": "a time",
            "uplink_message.f_cnt": "a counter",
            "uplink_message.frm_payload": "too many different values",
        },
        watched=("uplink_message.f_port",),
        faults={"flat": _lorawan_flat, "apart": _lorawan_apart},
    ),
)
