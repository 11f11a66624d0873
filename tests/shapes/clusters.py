"""Traces and resources of services in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.shapes.shape import Shape, drift, moments, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record


def otlp_trace(dice: Dice) -> Iterator[Record]:
    """A span: attributes as lists of typed points, 64-bit integers as text."""
    for at in moments(0.5):
        start = int(at.timestamp() * 1e9)
        took = int(dice.lognormvariate(17, 0.4))
        route, status = (
            dice.choice(["/cart", "/pay", "/search"]),
            dice.choice(["200"] * 9 + ["404"]),
        )
        yield {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "shop"}},
                    {"key": "process.pid", "value": {"intValue": "4711"}},
                ]
            },
            "span": {
                "traceId": f"{dice.getrandbits(128):032x}",
                "spanId": f"{dice.getrandbits(64):016x}",
                "name": f"GET {route}",
                "kind": dice.choice([2, 2, 3]),
                "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + took),
                "attributes": [
                    {"key": "http.route", "value": {"stringValue": route}},
                    {"key": "http.status_code", "value": {"intValue": status}},
                    {"key": "duration.ms", "value": {"doubleValue": round(took / 1e6, 3)}},
                    {"key": "cache.hit", "value": {"boolValue": dice.random() < 0.7}},
                ],
                "status": {},
            },
        }


def _point(record: Record, key: str) -> dict[str, Any]:
    points: list[dict[str, Any]] = record["span"]["attributes"]
    value: dict[str, Any] = next(point["value"] for point in points if point["key"] == key)
    return value


def _span_slow(record: Record, dice: Dice) -> None:
    _point(record, "duration.ms")["doubleValue"] = round(dice.uniform(2e3, 9e3), 1)


def _span_error(record: Record, _: Dice) -> None:
    _point(record, "http.status_code")["intValue"] = "503"


def node_usage(dice: Dice) -> Iterator[Record]:
    """What a cluster says of its nodes: labels with dots and slashes, units beside values."""
    load = drift(dice, 0.5, 0.12)
    for at in moments(15):
        share = min(max(next(load), 0.02), 0.98)
        yield {
            "kind": "NodeMetrics",
            "apiVersion": "metrics.k8s.io/v1beta1",
            "metadata": {
                "name": dice.choice(["node-a", "node-b", "node-c"]),
                "creationTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "uid": uid(dice),
                "labels": {"kubernetes.io/arch": "amd64", "topology.kubernetes.io/zone": "z1"},
            },
            "usage": {
                "cpu": {"value": round(share * 8000), "unit": "m"},
                "memory": {
                    "value": round((3 + 9 * share + dice.gauss(0, 0.2)) * 2**30),
                    "unit": "B",
                },
            },
            "conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "DiskPressure", "status": dice.choice(["False"] * 9 + ["True"])},
            ],
        }


def _usage_leak(record: Record, _: Dice) -> None:
    record["usage"]["memory"]["value"] = 40 * 2**30


def _usage_unit(record: Record, _: Dice) -> None:
    record["usage"]["cpu"]["unit"] = "n"


_ATTRIBUTES: Final = "span.attributes[key="

CLUSTERS: Final = (
    Shape(
        name="otlp trace",
        make=otlp_trace,
        found={
            "span.name": "category",
            "span.kind": "number",
            f'{_ATTRIBUTES}"http.route"].value.stringValue': "category",
            f'{_ATTRIBUTES}"http.status_code"].value.intValue': "category",
            f'{_ATTRIBUTES}"duration.ms"].value.doubleValue': "number",
            f'{_ATTRIBUTES}"cache.hit"].value.boolValue': "boolean",
        },
        left_out={
            "span.traceId": "too many different values",
            "span.spanId": "too many different values",
            "span.startTimeUnixNano": "a time",
            "span.endTimeUnixNano": "a time",
        },
        watched=(
            'resource.attributes[key="service.name"].value.stringValue',
            'resource.attributes[key="process.pid"].value.intValue',
        ),
        faults={"slow": _span_slow, "error": _span_error},
    ),
    Shape(
        name="node usage",
        make=node_usage,
        found={
            "metadata.name": "category",
            "usage.cpu.value": "number",
            "usage.memory.value": "number",
            'conditions[type="DiskPressure"].status': "category",
        },
        left_out={
            "metadata.creationTimestamp": "a time",
            "metadata.uid": "too many different values",
        },
        watched=(
            "kind",
            "apiVersion",
            'metadata.labels."kubernetes.io/arch"',
            'metadata.labels."topology.kubernetes.io/zone"',
            "usage.cpu.unit",
            "usage.memory.unit",
            'conditions[type="Ready"].status',
        ),
        faults={"leak": _usage_leak, "unit": _usage_unit},
    ),
)
