"""Events and log lines of services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.shapes.shape import Shape, address, iso, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record

MANY: Final = "too many different values"


def cloudtrail(dice: Dice) -> Iterator[Record]:
    """Calls of a cloud's API: parameters that depend on the call, ids, addresses, rare errors."""
    calls = {
        "GetObject": ("s3.amazonaws.com", True, {"bucketName": "logs"}),
        "PutObject": ("s3.amazonaws.com", False, {"bucketName": "logs"}),
        "DescribeInstances": ("ec2.amazonaws.com", True, {"maxResults": 100}),
        "AssumeRole": ("sts.amazonaws.com", False, None),
    }
    for at in moments(2):
        name = dice.choices(list(calls), [60, 20, 14, 6])[0]
        source, is_read, parameters = calls[name]
        record: Record = {
            "eventVersion": "1.08",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": f"AROA{dice.getrandbits(60):015X}",
                "accountId": dice.choice(["111122223333", "444455556666"]),
            },
            "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": source,
            "eventName": name,
            "awsRegion": dice.choice(["eu-west-1"] * 4 + ["us-east-1"]),
            "sourceIPAddress": address(dice),
            "requestParameters": parameters,
            "responseElements": None,
            "additionalEventData": {"bytesTransferredOut": round(dice.lognormvariate(7, 0.5))},
            "requestID": uid(dice),
            "readOnly": is_read,
        }
        if dice.random() < 0.05:
            record["errorCode"] = "AccessDenied"
        yield record


def _trail_unread(record: Record, _: Dice) -> None:
    record["eventName"] = "DeleteTrail"


def _trail_huge(record: Record, dice: Dice) -> None:
    record["additionalEventData"]["bytesTransferredOut"] = dice.randrange(10**8, 10**9)


def orders(dice: Dice) -> Iterator[Record]:
    """Orders: money in cents, lines in a list of varying length, ids of many kinds."""
    number = 70_000
    for at in moments(20):
        number += dice.randrange(1, 3)
        count = dice.randrange(1, 6)
        lines = [round(dice.lognormvariate(7.5, 0.4)) for _ in range(count)]
        net, country = sum(lines), dice.choice(["DE", "DE", "FR", "AT"])
        yield {
            "id": number,
            "reference": f"ord_{dice.getrandbits(96):024x}",
            "customer": {
                "id": dice.getrandbits(31),
                "country": country,
                "vip": dice.random() < 0.1,
            },
            "created": int(at.timestamp()),
            "currency": "EUR",
            "net": net,
            "tax": round(net * {"DE": 0.19, "FR": 0.2, "AT": 0.2}[country]),
            "lines": [{"sku": f"{dice.getrandbits(24):06d}", "cents": cents} for cents in lines],
            "line_count": count,
            "card": {
                "brand": dice.choice(["visa", "mc", "amex"]),
                "last4": f"{dice.randrange(10**4):04d}",
            },
            "paid": 1 if dice.random() < 0.9 else 0,
        }


def _order_untaxed(record: Record, _: Dice) -> None:
    record["tax"] = record["net"] * 3


def _order_country(record: Record, _: Dice) -> None:
    record["customer"]["country"] = "KP"


def syslog(dice: Dice) -> Iterator[Record]:
    """Lines of syslog: levels as numbers and as text, a message, a constant that fails seldom."""
    levels = {3: "err", 4: "warning", 6: "info"}
    for at in moments(1):
        severity = dice.choices(list(levels), [1, 4, 20])[0]
        yield {
            "@timestamp": iso(at),
            "syslog": {"facility": 16, "severity": severity, "level": levels[severity]},
            "host.name": dice.choice(["web-1", "web-2", "db-1"]),
            "host": {"uptime": int(at.timestamp()) - 1_700_000_000},
            "program": dice.choice(["sshd", "nginx", "cron", "kernel"]),
            "message": f"session {dice.getrandbits(40):x} opened for user {dice.randrange(900)}",
            "took": "-" if severity == 3 else f"{abs(dice.gauss(0.3, 0.05)):.3f}",
            "dropped": dice.random() < 0.001,
        }


def _syslog_slow(record: Record, _: Dice) -> None:
    record["took"] = "8.250"


def _syslog_program(record: Record, _: Dice) -> None:
    record["program"] = "xmrig"


LOGS: Final = (
    Shape(
        name="cloudtrail",
        make=cloudtrail,
        found={
            "userIdentity.accountId": "category",
            "eventSource": "category",
            "eventName": "category",
            "awsRegion": "category",
            "additionalEventData.bytesTransferredOut": "number",
            "readOnly": "boolean",
        },
        left_out={
            "eventTime": "a time",
            "sourceIPAddress": MANY,
            "requestID": MANY,
            "userIdentity.principalId": MANY,
            "responseElements": "always null",
        },
        watched=(
            "eventVersion",
            "userIdentity.type",
            "errorCode",
            "requestParameters.bucketName",
            "requestParameters.maxResults",
        ),
        faults={"unread": _trail_unread, "huge": _trail_huge},
    ),
    Shape(
        name="orders",
        make=orders,
        found={
            "customer.country": "category",
            "customer.vip": "boolean",
            "net": "number",
            "tax": "number",
            "line_count": "number",
            "card.brand": "category",
            "paid": "number",
        },
        left_out={
            "id": "a time or a counter",
            "reference": MANY,
            "customer.id": "identifier",
            "created": "a time",
            "lines": "an array of varying length",
            "card.last4": MANY,
        },
        watched=("currency",),
        faults={"untaxed": _order_untaxed, "country": _order_country},
    ),
    Shape(
        name="syslog",
        make=syslog,
        found={
            "syslog.severity": "number",
            "syslog.level": "category",
            '"host.name"': "category",
            "program": "category",
            "took": "number",
        },
        left_out={"@timestamp": "a time", "host.uptime": "a time or a counter", "message": MANY},
        watched=("syslog.facility", "dropped"),
        faults={"slow": _syslog_slow, "program": _syslog_program},
    ),
)
