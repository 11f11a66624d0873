"""Change events of databases, and envelopes around records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.shapes.shape import Shape, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record


def maxwell(dice: Dice) -> Iterator[Record]:
    """Changes whose `old` holds only what changed; deletes hold the row as it was."""
    for xid, at in enumerate(moments(3)):
        kind = dice.choices(["insert", "update", "delete"], [6, 3, 1])[0]
        price = round(dice.lognormvariate(3, 0.4), 2)
        record: Record = {
            "database": "shop",
            "table": "items",
            "type": kind,
            "ts": int(at.timestamp()),
            "xid": 23_396 + xid,
            "data": {
                "id": dice.getrandbits(40),
                "price": price,
                "weight": round(price * 0.2 + dice.gauss(3, 0.2), 2),
                "stock": dice.randrange(0, 400),
                "colour": dice.choice(["red", "green", "blue"]),
            },
        }
        if kind == "update":
            record["old"] = {"price": round(price * dice.uniform(0.9, 1.1), 2)}
        yield record


def _maxwell_negative(record: Record, _: Dice) -> None:
    record["data"]["price"] = -5.0


def _maxwell_colour(record: Record, _: Dice) -> None:
    record["data"]["colour"] = "#ff"


def connect(dice: Dice) -> Iterator[Record]:
    """A record of Kafka Connect with its schema beside it, values as a registry-free converter."""
    fields: list[dict[str, Any]] = [
        {"type": "int64", "optional": False, "field": "id"},
        {"type": "double", "optional": False, "field": "temperature"},
        {"type": "double", "optional": True, "field": "pressure"},
        {"type": "string", "optional": False, "field": "line"},
    ]
    for number, at in enumerate(moments(1)):
        heat = dice.gauss(70, 3)
        yield {
            "schema": {"type": "struct", "fields": fields, "optional": False, "name": "reading"},
            "payload": {
                "id": number,
                "temperature": round(heat, 2),
                "pressure": round(heat / 20 + dice.gauss(0, 0.02), 3)
                if dice.random() > 0.1
                else None,
                "line": dice.choice(["A", "B"]),
                "taken": int(at.timestamp() * 1e6),
            },
        }


def _connect_hot(record: Record, _: Dice) -> None:
    record["payload"]["temperature"] = 130.0


def _connect_line(record: Record, _: Dice) -> None:
    record["payload"]["line"] = "Z"


def dynamo(dice: Dice) -> Iterator[Record]:
    """A table's stream: images new and old, each value under the letter of its type."""
    for at in moments(2):
        name = dice.choices(["INSERT", "MODIFY", "REMOVE"], [5, 4, 1])[0]
        score = round(dice.gauss(500, 60))

        def image(value: int, player: str = uid(dice)) -> Record:
            return {
                "player": {"S": player},
                "score": {"N": str(value)},
                "level": {"N": str(value // 100)},
                "tier": {"S": dice.choice(["gold", "iron"])},
            }

        changes: Record = {
            "ApproximateCreationDateTime": int(at.timestamp()),
            "SequenceNumber": str(10**22 + dice.getrandbits(60)),
        }
        if name != "REMOVE":
            changes["NewImage"] = image(score)
        if name != "INSERT":
            changes["OldImage"] = image(score - dice.randrange(50))
        yield {
            "eventID": uid(dice),
            "eventName": name,
            "awsRegion": "eu-west-1",
            "dynamodb": changes,
        }


def _dynamo_score(record: Record, dice: Dice) -> None:
    image = record["dynamodb"].setdefault("NewImage", {"tier": {"S": "gold"}, "level": {"N": "5"}})
    image["score"] = {"N": str(dice.randrange(9_000, 99_999))}


def _dynamo_tier(record: Record, _: Dice) -> None:
    image = record["dynamodb"].setdefault("NewImage", {"score": {"N": "480"}, "level": {"N": "4"}})
    image["tier"] = {"S": "admin"}


_FIELDS: Final = ("id", "temperature", "pressure", "line")

CHANGES: Final = (
    Shape(
        name="maxwell",
        make=maxwell,
        found={
            "type": "category",
            "data.price": "number",
            "data.weight": "number",
            "data.stock": "number",
            "data.colour": "category",
            "old.price": "number",
        },
        left_out={
            "ts": "a time",
            "xid": "a time or a counter",
            "data.id": "identifier",
        },
        watched=("database", "table"),
        faults={"negative": _maxwell_negative, "colour": _maxwell_colour},
    ),
    Shape(
        name="connect",
        make=connect,
        found={
            "payload.temperature": "number",
            "payload.pressure": "number",
            "payload.line": "category",
        },
        left_out={"payload.id": "a time or a counter", "payload.taken": "a time"},
        watched=(
            "schema.type",
            *(
                f'schema.fields[field="{name}"].{key}'
                for name in _FIELDS
                for key in ("type", "optional")
            ),
            "schema.optional",
            "schema.name",
        ),
        faults={"hot": _connect_hot, "line": _connect_line},
    ),
    Shape(
        name="dynamo",
        make=dynamo,
        found={
            "dynamodb.NewImage.score.N": "number",
            "dynamodb.NewImage.level.N": "number",
            "dynamodb.NewImage.tier.S": "category",
        },
        left_out={
            "eventName": "records of different types",
            "eventID": "too many different values",
            "dynamodb.ApproximateCreationDateTime": "a time",
            "dynamodb.SequenceNumber": "identifier",
            "dynamodb.NewImage.player.S": "too many different values",
            "dynamodb.OldImage.player.S": "an earlier image of dynamodb.NewImage",
            "dynamodb.OldImage.score.N": "an earlier image of dynamodb.NewImage",
            "dynamodb.OldImage.level.N": "an earlier image of dynamodb.NewImage",
            "dynamodb.OldImage.tier.S": "an earlier image of dynamodb.NewImage",
        },
        watched=("awsRegion",),
        types=("eventName", ("INSERT", "MODIFY", "REMOVE")),
        faults={"score": _dynamo_score, "tier": _dynamo_tier},
    ),
)
