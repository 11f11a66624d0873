"""Events of several types on one topic: what a record holds depends on its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.shapes.shape import Shape, address, iso, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record

MANY: Final = "too many different values"


def cloud_events(dice: Dice) -> Iterator[Record]:
    """An envelope with a type, and data of that type under one key."""
    for at in moments(2):
        kind = dice.choice(["order.created", "order.paid", "user.login", "stock.low"])
        yield {
            "specversion": "1.0",
            "id": uid(dice),
            "source": "/shop",
            "type": kind,
            "time": iso(at),
            "data": _event_data(kind, dice),
        }


def _event_data(kind: str, dice: Dice) -> Record:
    if kind == "order.created":
        items = dice.randrange(1, 9)
        amount = round(items * 20 + dice.gauss(0, 2), 2)
        return {"amount": amount, "items": items, "coupon": dice.random() < 0.2}
    if kind == "order.paid":
        return {
            "method": dice.choice(["card", "cash"]),
            "fee": round(dice.gauss(1, 0.1), 3),
            "delay_s": round(dice.expovariate(0.1), 1),
        }
    if kind == "user.login":
        return {
            "tries": dice.randrange(1, 4),
            "mfa": dice.random() < 0.5,
            "agent": dice.choice("ab"),
        }
    return {"sku": dice.choice("xyz"), "left": dice.randrange(10), "warehouse": dice.choice("ns")}


def _event_amount(record: Record, _: Dice) -> None:
    record["type"] = "order.created"
    record["data"] = {"amount": 900.0, "items": 2, "coupon": False}


def _event_type(record: Record, _: Dice) -> None:
    record["type"] = "order.hacked"


def github(dice: Dice) -> Iterator[Record]:
    """Events of repositories: nulls, lists of varying length, a payload for each type."""
    kinds = ["PushEvent", "IssuesEvent", "WatchEvent", "PullRequestEvent"]
    for number, at in enumerate(moments(1)):
        kind = dice.choices(kinds, [50, 20, 15, 15])[0]
        yield {
            "id": str(30_000_000_000 + 7 * number),
            "type": kind,
            "actor": {"id": dice.randrange(10**7), "login": f"u{dice.randrange(10**7)}"},
            "payload": _payload(kind, number, dice),
            "public": True,
            "org": None,
            "created_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def _payload(kind: str, number: int, dice: Dice) -> Record:
    if kind == "PushEvent":
        size = dice.randrange(1, 9)
        commits = [{"sha": f"{dice.getrandbits(160):040x}", "distinct": True} for _ in range(size)]
        return {
            "push_id": 10**9 + 3 * number,
            "size": size,
            "ref": "refs/heads/main",
            "commits": commits,
        }
    action = dice.choice(["opened", "closed"])
    if kind == "IssuesEvent":
        return {"action": action, "issue": {"comments": dice.randrange(20), "labels": []}}
    if kind == "WatchEvent":
        return {"action": "started"}
    added = round(dice.lognormvariate(4, 0.7))
    return {
        "action": action,
        "pull_request": {
            "additions": added,
            "deletions": round(added / 3 + abs(dice.gauss(0, 2))),
            "merged": action == "closed" and dice.random() < 0.8,
        },
    }


def _github_action(record: Record, _: Dice) -> None:
    record["payload"]["action"] = "nuked"


def _github_huge(record: Record, _: Dice) -> None:
    record["type"] = "PullRequestEvent"
    record["payload"] = {
        "action": "opened",
        "pull_request": {"additions": 3, "deletions": 90_000, "merged": False},
    }


def suricata(dice: Dice) -> Iterator[Record]:
    """Events of a network sensor: what a record holds depends on its event_type."""
    for at in moments(0.3):
        kind = dice.choices(["flow", "dns", "http"], [5, 3, 2])[0]
        record: Record = {
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
            "flow_id": dice.randrange(10**14, 2 * 10**15),
            "in_iface": "eth0",
            "event_type": kind,
            "src_ip": address(dice),
            "proto": "UDP" if kind == "dns" else "TCP",
        }
        if kind == "flow":
            packets = round(dice.lognormvariate(3, 0.5))
            record["flow"] = {
                "pkts_toserver": packets,
                "bytes_toserver": packets * 400 + dice.randrange(200),
                "age": round(dice.expovariate(0.2)),
                "state": dice.choice(["closed", "closed", "established"]),
            }
        elif kind == "dns":
            name = f"{dice.getrandbits(32):08x}.example"
            record["dns"] = {
                "rrtype": dice.choice(["A", "AAAA", "TXT"]),
                "rrname": name,
                "ttl": dice.choice([60, 300, 3600]),
                "tx_ms": round(dice.gauss(20, 4), 2),
            }
        else:
            record["http"] = {
                "http_method": dice.choice(["GET", "GET", "POST"]),
                "status": dice.choice([200, 200, 304, 404]),
                "length": round(dice.lognormvariate(8, 0.6)),
                "url": f"/{dice.getrandbits(40):x}",
            }
        yield record


def _eve_exfiltration(record: Record, dice: Dice) -> None:
    if "flow" in record:
        record["flow"]["bytes_toserver"] = dice.randrange(10**8, 10**9)
    else:
        record["proto"] = "GRE"


def _eve_odd(record: Record, _: Dice) -> None:
    if "http" in record:
        record["http"]["http_method"] = "TRACE"
    else:
        record["in_iface"] = "tun7"


TYPED: Final = (
    Shape(
        name="suricata",
        make=suricata,
        found={
            "event_type": "category",
            "proto": "category",
            "flow.pkts_toserver": "number",
            "flow.bytes_toserver": "number",
            "flow.age": "number",
            "flow.state": "category",
            "dns.rrtype": "category",
            "dns.ttl": "category",
            "dns.tx_ms": "number",
            "http.http_method": "category",
            "http.status": "category",
            "http.length": "number",
        },
        left_out={
            "timestamp": "a time",
            "flow_id": "identifier",
            "src_ip": MANY,
            "dns.rrname": MANY,
            "http.url": MANY,
        },
        watched=("in_iface",),
        types=("event_type", ("dns", "flow", "http")),
        faults={"exfiltration": _eve_exfiltration, "odd": _eve_odd},
    ),
    Shape(
        name="cloud events",
        make=cloud_events,
        found={
            "type": "category",
            "data.amount": "number",
            "data.items": "number",
            "data.coupon": "boolean",
            "data.method": "category",
            "data.fee": "number",
            "data.delay_s": "number",
            "data.tries": "number",
            "data.mfa": "boolean",
            "data.agent": "category",
            "data.sku": "category",
            "data.left": "number",
            "data.warehouse": "category",
        },
        left_out={"id": MANY, "time": "a time"},
        watched=("specversion", "source"),
        types=("type", ("order.created", "order.paid", "stock.low", "user.login")),
        faults={"amount": _event_amount, "type": _event_type},
    ),
    Shape(
        name="github",
        make=github,
        found={
            "type": "category",
            "payload.action": "category",
            "payload.size": "number",
            "payload.issue.comments": "number",
            "payload.pull_request.additions": "number",
            "payload.pull_request.deletions": "number",
            "payload.pull_request.merged": "boolean",
        },
        left_out={
            "id": "a time or a counter",
            "actor.id": "an identifier",
            "actor.login": MANY,
            "payload.push_id": "a time or a counter",
            "payload.commits": "an array of varying length",
            "payload.issue.labels": "an array of varying length",
            "org": "always null",
            "created_at": "a time",
        },
        watched=("payload.ref", "public"),
        types=("type", ("IssuesEvent", "PullRequestEvent", "PushEvent", "WatchEvent")),
        faults={"action": _github_action, "huge": _github_huge},
    ),
)
