"""The consumer of docs/quickstart.md, as it stands there, on a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.stand.topics import Cluster, Message
from tests.docs.test_pages import ROOT, blocks
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.demo.brokers import MavenBroker

PAGE = ROOT / "docs" / "quickstart.md"
ADDRESS = '"localhost:9092"'


def test_the_consumer_says_each_anomaly_once(own_broker: MavenBroker, tmp_path: Path) -> None:
    """Only the address is another one. What it reads is the event that the README explains."""
    (snippet,) = blocks(PAGE, "python")
    assert snippet.count(ADDRESS) == 1
    (text,) = blocks(ROOT / "README.md", "json")
    event = json.loads(text)
    later = {**event, "id": "a later one", "severity": "info"}
    cluster = Cluster(own_broker.bootstrap_servers)
    cluster.create("telemetry", 1)
    messages = [Message(json.dumps(each).encode()) for each in (event, event, later)]
    cluster.produce("telemetry.anomalies", messages)
    said = tmp_path / "said"
    with said.open("wb") as output:
        consumer = subprocess.Popen(
            [
                sys.executable,
                "-u",
                "-c",
                snippet.replace(ADDRESS, f'"{cluster.bootstrap_servers}"'),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: said.read_text().count("\n") >= 4, 60, "what the consumer says")
    finally:
        consumer.kill()
        consumer.wait()
    why = event["features"][0]
    line = f"  {why['name']} is {why['value']}, expected {why['expected']}"
    who = f"{event['source']['key']} at {event['event_time']}:"
    assert said.read_text().splitlines() == [
        f"{event['severity']}: {who}",
        line,
        f"{later['severity']}: {who}",
        line,
    ]
