"""Real telemetry on a real topic: trained from it, watched by a real worker, read back, compared.

What comes out of the topics must be what `latentwatch score --all` says of the same records.
Prints a table and one last line.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
import uuid
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_auc_score

from bench.stand.programs import ROOT, Worker, latentwatch, succeed
from bench.stand.telemetry import own_telemetry, public_telemetry
from bench.stand.topics import Cluster, Message
from workbench.demo.brokers import open_broker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kafka.consumer.fetcher import ConsumerRecord

    from bench.stand.telemetry import Floats, Telemetry
    from bench.stand.topics import Place

PARTITIONS = 3
UNITS = 7
WATCH_TIMEOUT_S = 180.0

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one set.

    missing and doubled: records without a line of scores or, where flagged, without an event, and
    those with more than one; extra: lines and events of no such record. max_difference: of scores
    and distances, relative above 1; infinite where a verdict differs.
    """

    name: str
    records: int
    events: int
    missing: int
    extra: int
    doubled: int
    max_difference: float
    auroc: float


def watch(data: Telemetry, cluster: Cluster, folder: Path) -> Compared:
    """Bring one set through the product and compare."""
    topic = f"{data.name}-{uuid.uuid4().hex[:8]}"
    settings = {
        "LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        "LATENTWATCH_STORE": str(folder / "models"),
        "LATENTWATCH_TOPIC": topic,
        "LATENTWATCH_OUTPUT__SCORES": "all",
        "LATENTWATCH_LIMITS__EVENTS_PER_S_MAX": "1000000",  # each event is compared
    }
    cluster.create(topic, PARTITIONS)
    first_ms = int(time.time() - len(data.train) - len(data.test)) * 1000
    cluster.produce(topic, messages(data.columns, data.train, first_ms))
    succeed(latentwatch("train", "--topic", topic, settings=settings))

    tested = messages(data.columns, data.test, first_ms + 1000 * len(data.train))
    places = cluster.produce(topic, tested)
    with closing(Worker(settings, folder / f"{topic}.log")) as worker:
        worker.wait_ready()
        cluster.wait_committed(f"latentwatch.{topic}", cluster.ends(topic), WATCH_TIMEOUT_S)
        if (code := worker.stop()) != 0:
            raise AssertionError(f"the worker ended with {code}:\n{worker.said()}")

    lines = [decoded(record) for record in cluster.read(f"{topic}.scores")]
    events = [decoded(record) for record in cluster.read(f"{topic}.anomalies")]
    values = {place.id: message.value for place, message in zip(places, tested, strict=True)}
    expected = scored_by_hand([line["id"] for line in lines], values, settings)
    return compare(data, places, expected, lines, events)


def messages(columns: Sequence[str], rows: Floats, first_ms: int) -> list[Message]:
    """A record a row, a second apart, from a few units; every tenth has no key."""
    found = []
    for i, row in enumerate(rows.tolist()):
        at_ms = first_ms + 1000 * i
        unit = f"unit-{i % UNITS}".encode()
        value = json.dumps({"time": at_ms, **dict(zip(columns, row, strict=True))}).encode()
        found.append(Message(value, None if i % 10 == 0 else unit, at_ms))
    return found


def scored_by_hand(
    ids: Iterable[str], values: Mapping[str, bytes | None], settings: Mapping[str, str]
) -> dict[str, Line]:
    """What `latentwatch score --all` says of each record, in the worker's own order.

    The order matters where a watched constant changes: the new value may come to stand.
    """
    in_order = list(dict.fromkeys([*(each for each in ids if each in values), *values]))
    content = b"".join((values[each] or b"") + b"\n" for each in in_order)
    arguments = ("score", "-", "--stream", settings["LATENTWATCH_TOPIC"], "--all")
    printed = succeed(latentwatch(*arguments, settings=settings, stdin=content))
    found = [json.loads(line) for line in printed.splitlines()]
    return dict(zip(in_order, found, strict=True))


def compare(
    data: Telemetry,
    places: Sequence[Place],
    expected: Mapping[str, Line],
    lines: Sequence[Line],
    events: Sequence[Line],
) -> Compared:
    """Hold what was read back against what was expected."""
    flagged = {each for each, line in expected.items() if line["flagged"]}
    by_id, events_by_id = _by_id(lines), _by_id(events)
    differences = [0.0]
    for each, line in by_id.items():
        if each in expected:
            differences.append(_difference(line, expected[each]))
            if each in events_by_id:
                differences.append(_difference(events_by_id[each], expected[each]))
    score = [by_id[place.id]["score"] if place.id in by_id else 0.0 for place in places]
    return Compared(
        name=data.name,
        records=len(places),
        events=len(events),
        missing=len(expected.keys() - by_id.keys()) + len(flagged - events_by_id.keys()),
        extra=len(by_id.keys() - expected.keys()) + len(events_by_id.keys() - flagged),
        doubled=len(lines) - len(by_id) + len(events) - len(events_by_id),
        max_difference=max(differences),
        auroc=float(roc_auc_score(data.label, np.array(score))),
    )


def decoded(record: ConsumerRecord) -> Line:
    """The JSON object in a record that the worker put out."""
    found: Line = json.loads(record.value)
    return found


def summary(compared: Sequence[Compared]) -> str:
    """The last line."""
    total: Counter[str] = Counter()
    for each in compared:
        for name in ("records", "events", "missing", "extra", "doubled"):
            total[name] += getattr(each, name)
    counts = " ".join(f"{name}={count}" for name, count in total.items())
    worst = max(each.max_difference for each in compared)
    aurocs = " ".join(f"{each.name}_auroc={each.auroc:.4f}" for each in compared)
    return f"real_input: {counts} max_difference={worst:.1e} {aurocs}"


def main() -> None:
    """Both sets on the best broker that can be had."""
    with (
        closing(open_broker()) as broker,
        tempfile.TemporaryDirectory(prefix="latentwatch-") as name,
    ):
        folder = Path(name)
        public = public_telemetry(ROOT.parent / "shared")
        if public is None:
            print("the public sets are not here: small files of the bench's own stand in")
        sets = public or own_telemetry(folder / "data")
        compared = [watch(data, Cluster(broker.bootstrap_servers), folder) for data in sets]
    print(f"{'':6}{'records':>9}{'events':>8}{'difference':>12}{'AUROC':>8}")
    for each in compared:
        print(
            f"{each.name:6}{each.records:>9}{each.events:>8}"
            f"{each.max_difference:>12.1e}{each.auroc:>8.4f}"
        )
    print(summary(compared))


def _by_id(lines: Iterable[Line]) -> dict[str, Line]:
    found: dict[str, Line] = {}
    for line in lines:
        found.setdefault(line["id"], line)
    return found


def _difference(line: Line, expected: Line) -> float:
    """Between what the worker put out and the line of `score --all`, in all that both tell."""
    verdicts = [name for name in ("flagged", "kind", "rejected") if name in line]
    if any(line[name] != expected[name] for name in verdicts):
        return math.inf
    numbers = [
        (line[name], expected[name])
        for name in ("score", "latent_distance", "reconstruction_error")
        if name in line and expected[name] is not None
    ]
    return max((abs(a - b) / max(1.0, abs(b)) for a, b in numbers), default=0.0)


if __name__ == "__main__":
    main()
