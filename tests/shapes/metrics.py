"""Metrics as agents and monitoring services write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.shapes.shape import Shape, drift, iso, moments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shapes.shape import Dice, Record


def collectd(dice: Dice) -> Iterator[Record]:
    """Values, their kinds and their names as three lists."""
    load = drift(dice, 2.0, 0.6)
    five = fifteen = 2.0
    for at in moments(10):
        now = abs(next(load))
        five, fifteen = five + (now - five) / 30, fifteen + (now - fifteen) / 90
        yield {
            "values": [round(now, 2), round(five + dice.gauss(0, 0.01), 3), round(fifteen, 3)],
            "dstypes": ["gauge", "gauge", "gauge"],
            "dsnames": ["shortterm", "midterm", "longterm"],
            "time": at.timestamp(),
            "interval": 10.0,
            "host": dice.choice(["db1.example", "db2.example", "web1.example"]),
            "plugin": "load",
            "type": "load",
            "type_instance": "",
        }


def _collectd_jump(record: Record, dice: Dice) -> None:
    record["values"][0] = round(dice.uniform(18, 40), 2)


def _collectd_apart(record: Record, _: Dice) -> None:
    record["values"][2] = 9.0


def prometheus(dice: Dice) -> Iterator[Record]:
    """One sample a record, values as text, several metrics on one topic."""
    names = {"node_load1": (1.5, 0.4), "node_memory_free_ratio": (0.4, 0.1), "up_time_ms": (40, 8)}
    for at in moments(1):
        name = dice.choice(list(names))
        yield {
            "timestamp": iso(at),
            "value": repr(round(abs(dice.gauss(*names[name])), 4)),
            "name": name,
            "labels": {
                "__name__": name,
                "instance": f"10.0.0.{dice.randrange(1, 9)}:9100",
                "job": "node",
            },
        }


def _prometheus_jump(record: Record, dice: Dice) -> None:
    record["value"] = repr(round(dice.uniform(400, 900), 3))


def _prometheus_new(record: Record, _: Dice) -> None:
    record["name"] = record["labels"]["__name__"] = "node_panic"


def cloudwatch(dice: Dice) -> Iterator[Record]:
    """A metric stream: statistics of a minute for each instance, an account id as digits."""
    load = {f"i-0{n:07x}aa": drift(dice, 40 + 4 * n, 8) for n in range(5)}
    for at in moments(12):
        instance = dice.choice(list(load))
        mean, count = max(next(load[instance]), 1.0), dice.randrange(50, 70)
        low, high = mean - abs(dice.gauss(5, 1)), mean + abs(dice.gauss(9, 2))
        yield {
            "metric_stream_name": "all",
            "account_id": "123456789012",
            "region": "eu-central-1",
            "namespace": "AWS/EC2",
            "metric_name": "CPUUtilization",
            "dimensions": {"InstanceId": instance},
            "timestamp": int(at.timestamp() * 1000),
            "value": {"max": high, "min": low, "sum": mean * count, "count": float(count)},
            "unit": "Percent",
        }


def _cloudwatch_crossed(record: Record, _: Dice) -> None:
    record["value"]["min"] = record["value"]["max"] + 60.0


def _cloudwatch_gap(record: Record, _: Dice) -> None:
    record["value"]["count"] = 1.0


def node_counters(dice: Dice) -> Iterator[Record]:
    """Counters of each processor of each host, beside gauges; the reader takes differences."""
    busy = {(host, cpu): dice.uniform(1e3, 1e6) for host in ("a", "b", "c") for cpu in range(4)}
    errors = dict.fromkeys(("a", "b", "c"), 0)
    heat = drift(dice, 55, 4)
    for at in moments(1):
        host, cpu = dice.choice(list(busy))
        busy[host, cpu] += dice.uniform(0, 9)
        errors[host] += dice.random() < 0.02
        yield {
            "ts": int(at.timestamp()),
            "labels": {"host": host, "cpu": str(cpu)},
            "node_cpu_seconds_total": round(busy[host, cpu], 2),
            "node_network_receive_errs_total": errors[host],
            "node_hwmon_temp_celsius": round(next(heat), 1),
            "node_boot_time_seconds": 1_788_000_000,
        }


def _node_hot(record: Record, dice: Dice) -> None:
    record["node_hwmon_temp_celsius"] = round(dice.uniform(95, 110), 1)


METRICS: Final = (
    Shape(
        name="collectd",
        make=collectd,
        found={
            "values[0]": "number",
            "values[1]": "number",
            "values[2]": "number",
            "host": "category",
        },
        left_out={
            "time": "a time",
            "dstypes": "an array of texts",
            "dsnames": "an array of texts",
        },
        watched=("interval", "plugin", "type", "type_instance"),
        faults={"jump": _collectd_jump, "apart": _collectd_apart},
    ),
    Shape(
        name="prometheus",
        make=prometheus,
        found={
            "value": "number",
            "name": "category",
            "labels.__name__": "category",
            "labels.instance": "category",
        },
        left_out={"timestamp": "a time"},
        watched=("labels.job",),
        faults={"jump": _prometheus_jump, "new": _prometheus_new},
    ),
    Shape(
        name="cloudwatch",
        make=cloudwatch,
        found={
            "dimensions.InstanceId": "category",
            "value.max": "number",
            "value.min": "number",
            "value.sum": "number",
            "value.count": "number",
        },
        left_out={"timestamp": "a time"},
        watched=(
            "metric_stream_name",
            "account_id",
            "region",
            "namespace",
            "metric_name",
            "unit",
        ),
        faults={"crossed": _cloudwatch_crossed, "gap": _cloudwatch_gap},
    ),
    Shape(
        name="node counters",
        make=node_counters,
        found={
            "labels.host": "category",
            "labels.cpu": "number",
            "node_hwmon_temp_celsius": "number",
        },
        left_out={
            "ts": "a time",
            "node_cpu_seconds_total": "a counter",
            "node_network_receive_errs_total": "a counter",
        },
        watched=("node_boot_time_seconds",),
        faults={"hot": _node_hot},
    ),
)
