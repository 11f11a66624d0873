"""What services say of themselves: access logs, log records, histograms, samples, events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from tests.shapes.shape import Shape, address, drift, iso, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record

MANY: Final = "too many different values"


def access_log(dice: Dice) -> Iterator[Record]:
    """A web server's access log: every value a text, a dash where nothing was asked upstream."""
    load = drift(dice, 0.0, 0.4)
    paths = ["/", "/cart", "/search", "/static/app.js", "/api/items"]
    for at in moments(0.5):
        path = dice.choice(paths)
        is_static = path.startswith("/static")
        took = math.exp(next(load) + dice.gauss(-4, 0.2))
        size = dice.gauss(90_000, 200) if is_static else 2_000 * math.exp(dice.gauss(0, 0.3))
        yield {
            "@timestamp": iso(at),
            "remote_addr": address(dice),
            "remote_user": "-",
            "request": f"GET {path}?q={dice.randrange(10**6)} HTTP/1.1",
            "request_uri": path,
            "status": dice.choices(["200", "304", "404"], [85, 10, 5])[0],
            "body_bytes_sent": str(int(size)),
            "request_time": f"{took + 0.001:.3f}",
            "upstream_response_time": "-" if is_static else f"{took:.3f}",
            "http_user_agent": f"Mozilla/5.0 ({dice.getrandbits(40):x})",
            "server_protocol": "HTTP/1.1",
        }


def _access_slow(record: Record, dice: Dice) -> None:
    record["request_time"] = f"{dice.uniform(20, 60):.3f}"


def _access_status(record: Record, _: Dice) -> None:
    record["status"] = "502"


def otlp_log(dice: Dice) -> Iterator[Record]:
    """A log record of a collector: typed attributes in any order, a body in free text."""
    for at in moments(1):
        took = math.exp(dice.gauss(3, 0.4))
        attributes: list[Record] = [
            {"key": "http.status_code", "value": {"intValue": dice.choice(["200", "200", "404"])}},
            {"key": "duration_ms", "value": {"doubleValue": round(took, 2)}},
            {"key": "bytes", "value": {"intValue": str(int(took * 40 + dice.gauss(0, 30)))}},
            {"key": "cache.hit", "value": {"boolValue": dice.random() < 0.7}},
        ]
        nanos = str(int(at.timestamp()) * 10**9 + dice.randrange(10**9))
        yield {
            "timeUnixNano": nanos,
            "observedTimeUnixNano": nanos,
            "severityNumber": dice.choices([9, 13, 17], [90, 7, 3])[0],
            "body": {"stringValue": f"handled request {uid(dice)} in {took:.0f} ms"},
            "attributes": dice.sample(attributes, len(attributes)),
            "traceId": f"{dice.getrandbits(128):032x}",
            "spanId": f"{dice.getrandbits(64):016x}",
            "flags": 1,
        }


def _attribute(record: Record, key: str) -> dict[str, Any]:
    (point,) = (point for point in record["attributes"] if point["key"] == key)
    value: dict[str, Any] = point["value"]
    return value


def _otlp_slow(record: Record, dice: Dice) -> None:
    _attribute(record, "duration_ms")["doubleValue"] = round(dice.uniform(4000, 9000), 2)


def _otlp_apart(record: Record, _: Dice) -> None:
    _attribute(record, "bytes")["intValue"] = "19000"


def remote_write(dice: Dice) -> Iterator[Record]:
    """A series as it is pushed: labels as pairs, one sample."""
    means = {"cpu_usage": 40.0, "disk_usage": 70.0, "mem_usage": 55.0}
    for at in moments(5):
        name = dice.choice(list(means))
        yield {
            "labels": [
                {"name": "__name__", "value": name},
                {"name": "instance", "value": f"10.1.0.{dice.randrange(1, 7)}:9100"},
                {"name": "job", "value": "node"},
            ],
            "samples": [
                {
                    "value": round(dice.gauss(means[name], 4), 3),
                    "timestamp": int(at.timestamp() * 1000),
                }
            ],
        }


def _write_jump(record: Record, dice: Dice) -> None:
    record["samples"][0]["value"] = round(dice.uniform(400, 900), 3)


def _write_new(record: Record, _: Dice) -> None:
    record["labels"][0]["value"] = "kernel_panics"


def histogram(dice: Dice) -> Iterator[Record]:
    """Request durations of ten seconds as counts of buckets whose bounds stay."""
    bounds = [5, 10, 25, 50, 100, 250]
    level = drift(dice, 3.0, 0.15)
    for at in moments(10):
        mean, count = next(level), dice.randrange(400, 600)
        inside = [(1 + math.erf((math.log(b) - mean) / 1.4)) / 2 for b in bounds]
        shares = [b - a for a, b in zip([0.0, *inside], [*inside, 1.0], strict=True)]
        counts = [max(0, round(dice.gauss(s * count, (s * count) ** 0.5))) for s in shares]
        yield {
            "metric": "http.server.duration",
            "service": dice.choice(["cart", "pay", "web"]),
            "start": iso(at),
            "explicitBounds": bounds,
            "bucketCounts": counts,
            "count": sum(counts),
            "sum": round(sum(counts) * math.exp(mean + 0.5), 1),
        }


def _histogram_moved(record: Record, _: Dice) -> None:
    record["bucketCounts"] = [0, 0, 0, 0, 0, 0, record["count"]]


def _histogram_bounds(record: Record, _: Dice) -> None:
    record["explicitBounds"] = [5, 10, 25, 50, 100, 500]


def cluster_event(dice: Dice) -> Iterator[Record]:
    """What a cluster's controllers report: names with random ends, a count, a message."""
    reasons = {"Scheduled": "Normal", "Pulled": "Normal", "Started": "Normal", "BackOff": "Warning"}
    for at in moments(3):
        reason = dice.choices(list(reasons), [30, 30, 30, 10])[0]
        app = dice.choice(["cart", "pay", "web"])
        pod = f"{app}-{dice.getrandbits(40):010x}"
        yield {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {
                "name": f"{pod}.{dice.getrandbits(64):016x}",
                "namespace": "shop",
                "uid": uid(dice),
                "resourceVersion": str(dice.randrange(10**8, 10**9)),
            },
            "involvedObject": {"kind": "Pod", "name": pod, "fieldPath": f"containers{{{app}}}"},
            "reason": reason,
            "type": reasons[reason],
            "message": f"{reason} {pod} on node-{dice.randrange(10**5)}",
            "count": 1 + int(dice.expovariate(0.2)) if reason == "BackOff" else 1,
            "source": {"component": "kubelet", "host": f"node-{dice.randrange(4)}"},
            "lastTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventTime": None,
        }


def _event_reason(record: Record, _: Dice) -> None:
    record["reason"], record["type"] = "OOMKilling", "Warning"


def _event_often(record: Record, _: Dice) -> None:
    record["count"] = 4_000


SERVICES: Final = (
    Shape(
        name="access log",
        make=access_log,
        found={
            "request_uri": "category",
            "status": "category",
            "body_bytes_sent": "number",
            "request_time": "number",
            "upstream_response_time": "number",
        },
        left_out={
            "@timestamp": "a time",
            "remote_addr": MANY,
            "request": MANY,
            "http_user_agent": MANY,
        },
        watched=("remote_user", "server_protocol"),
        faults={"slow": _access_slow, "status": _access_status},
    ),
    Shape(
        name="otlp log",
        make=otlp_log,
        found={
            "severityNumber": "category",
            'attributes[key="http.status_code"].value.intValue': "category",
            'attributes[key="duration_ms"].value.doubleValue': "number",
            'attributes[key="bytes"].value.intValue': "number",
            'attributes[key="cache.hit"].value.boolValue': "boolean",
        },
        left_out={
            "timeUnixNano": "a time",
            "observedTimeUnixNano": "a time",
            "body.stringValue": MANY,
            "traceId": MANY,
            "spanId": MANY,
        },
        watched=("flags",),
        faults={"slow": _otlp_slow, "apart": _otlp_apart},
    ),
    Shape(
        name="remote write",
        make=remote_write,
        found={
            'labels[name="__name__"].value': "category",
            'labels[name="instance"].value': "category",
            "samples[0].value": "number",
        },
        left_out={"samples[0].timestamp": "a time"},
        watched=('labels[name="job"].value',),
        faults={"jump": _write_jump, "new": _write_new},
    ),
    Shape(
        name="histogram",
        make=histogram,
        found={
            "service": "category",
            **{f"bucketCounts[{place}]": "number" for place in range(7)},
            "count": "number",
            "sum": "number",
        },
        left_out={"start": "a time"},
        watched=("metric", *(f"explicitBounds[{place}]" for place in range(6))),
        faults={"moved": _histogram_moved, "bounds": _histogram_bounds},
    ),
    Shape(
        name="cluster event",
        make=cluster_event,
        found={
            "involvedObject.fieldPath": "category",
            "reason": "category",
            "type": "category",
            "count": "number",
            "source.host": "category",
        },
        left_out={
            "metadata.name": MANY,
            "metadata.uid": MANY,
            "metadata.resourceVersion": "an identifier",
            "involvedObject.name": MANY,
            "message": MANY,
            "lastTimestamp": "a time",
            "eventTime": "always null",
        },
        watched=(
            "kind",
            "apiVersion",
            "metadata.namespace",
            "involvedObject.kind",
            "source.component",
        ),
        faults={"reason": _event_reason, "often": _event_often},
    ),
)
