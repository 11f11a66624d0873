"""The commands around a worker, as a user types them, on a real broker."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kafka import KafkaConsumer, TopicPartition

from tests.conftest import ROOT
from tests.waiting import wait_until
from workbench.demo.faults import KINDS
from workbench.demo.simulate import FAULT_HEADER

if TYPE_CHECKING:
    from pathlib import Path

    from kafka.consumer.fetcher import ConsumerRecord

    from tests.topics import TopicFactory
    from workbench.demo.brokers import Broker

pytestmark = pytest.mark.timeout(180)

STREAM = "pumps"
READINGS = 1500
FIRST_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Terminal:
    """Where commands are typed: a folder, and the broker that the environment names."""

    folder: Path
    servers: str = "127.0.0.1:1"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "latentwatch.py"), *arguments],
            cwd=self.folder,
            env={**os.environ, "LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS": self.servers},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def type(self, *arguments: str) -> Done:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same readings in three kinds of files, and a model that was trained on one of them."""
    folder = tmp_path_factory.mktemp("readings")
    rows = list(_readings())
    with (folder / "readings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    present = [{k: v for k, v in row.items() if v is not None} for row in rows]
    lines = "".join(json.dumps(row) + "\n" for row in present)
    (folder / "readings.jsonl").write_text(lines, encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), folder / "readings.parquet", row_group_size=400)
    done = Terminal(folder).type("train", "readings.csv", "--stream", STREAM, "--time", "at")
    assert done.code == 0, done.err
    return folder


def _readings() -> Any:  # noqa: ANN401 - rows of values of several types
    r = random.Random(0)
    for i in range(READINGS):
        load = r.random()
        yield {
            "at": FIRST_MS + 1000 * i,
            "pump": r.choice(["north", "south", "east"]),
            "open": load > 0.3,
            "flow": round(100 * load + r.gauss(0, 1), 3),
            "pressure": round(5 + 2 * load + r.gauss(0, 0.05), 4) if r.random() > 0.05 else None,
        }


@pytest.fixture
def terminal(folder: Path, broker: Broker) -> Terminal:
    return Terminal(folder, broker.bootstrap_servers)


def read(servers: str, topic: str) -> list[ConsumerRecord]:
    """All that is on a topic of one partition."""
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    records: list[ConsumerRecord] = []
    while len(records) < end:
        records += consumer.poll(timeout_ms=1000).get(partition, [])
    consumer.close()
    return records


# --- files


def test_a_model_scores_the_same_values_alike_whichever_kind_of_file_they_are_in(
    folder: Path,
) -> None:
    names = ("readings.csv", "readings.jsonl", "readings.parquet")
    scored = [Terminal(folder).type("score", n, "--stream", STREAM, "--all") for n in names]
    assert [done.code for done in scored] == [0, 0, 0]
    assert scored[0].out == scored[1].out == scored[2].out
    assert [line["index"] for line in scored[0].lines] == list(range(READINGS))
    assert all(line["rejected"] is None for line in scored[0].lines)


def test_a_model_may_be_trained_from_a_folder(folder: Path, tmp_path: Path) -> None:
    half = READINGS // 2
    head, *rows = (folder / "readings.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    lines = (folder / "readings.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    days = tmp_path / "days"
    days.mkdir()
    (days / "1.csv").write_text("".join([head, *rows[:half]]), encoding="utf-8")
    (days / "2.jsonl").write_text("".join(lines[half:]), encoding="utf-8")
    terminal = Terminal(tmp_path)
    trained = terminal.type("train", "days", "--stream", STREAM, "--time", "at", "--json")
    assert trained.code == 0, trained.err
    assert trained.lines[0]["rows"]["read"] == READINGS
    assert trained.lines[0]["rows"]["rejected"] == 0
    scored = terminal.type("score", "days", "--stream", STREAM, "--all").lines
    assert [line["index"] for line in scored] == list(range(READINGS))


# --- topics


def test_topics_are_made_once_and_shown(terminal: Terminal, topic_factory: TopicFactory) -> None:
    topic = topic_factory("pumps", partitions=2)
    first = terminal.type("topics", "create", "--topic", topic)
    assert first.out.splitlines() == [
        f"{topic}.anomalies (anomalies): made, 2 partitions, replication 1",
        f"{topic}.dlq (dead letters): made, 2 partitions, replication 1",
    ]
    again = terminal.type("topics", "create", "--topic", topic, "--scores", "all", "--json")
    (made,) = again.lines
    assert [(t["role"], t["made"]) for t in made] == [
        ("anomalies", False),
        ("dead letters", False),
        ("scores", True),
    ]
    shown = terminal.type("topics", "show", "--topic", topic).out.splitlines()
    assert [line.split()[0] for line in shown[1:]] == [topic, f"{topic}.anomalies", f"{topic}.dlq"]
    assert [line.split("  ")[-1].strip() for line in shown[2:]] == ["30 days", "14 days"]


def test_without_an_input_topic_the_partitions_are_to_be_named(terminal: Terminal) -> None:
    topic = f"absent-{random.randrange(10**9)}"
    done = terminal.type("topics", "create", "--topic", topic)
    assert (done.code, done.out) == (69, "")
    assert "give --partitions N" in done.err
    made = terminal.type("topics", "create", "--topic", topic, "--partitions", "3", "--json")
    assert [t["partitions"] for t in made.lines[0]] == [3, 3]


# --- replay


def test_replay_publishes_with_keys_and_times(
    terminal: Terminal, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("pumps")
    options = ("--topic", topic, "--key", "pump", "--time", "at")
    done = terminal.type("replay", "readings.parquet", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{READINGS} records of readings.parquet acknowledged on {topic} in")
    records = read(terminal.servers, topic)
    expected = list(_readings())
    assert [r.timestamp for r in records] == [row["at"] for row in expected]
    assert [r.key.decode() for r in records] == [row["pump"] for row in expected]
    assert [json.loads(r.value)["flow"] for r in records] == [row["flow"] for row in expected]


def test_an_interrupted_replay_says_how_far_it_came(
    terminal: Terminal, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("pumps")
    command = ("replay", "readings.csv", "--topic", topic, "--rate", "100", "--json")
    process = terminal.start(*command)
    wait_until(lambda: read(terminal.servers, topic), 30, "the first records are there")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    acknowledged = json.loads(out)["acknowledged"]
    assert 0 < acknowledged < READINGS
    assert len(read(terminal.servers, topic)) == acknowledged


def test_replay_makes_no_topic(terminal: Terminal) -> None:
    done = terminal.type("replay", "readings.csv", "--topic", "never-made")
    assert (done.code, done.out) == (69, "")
    assert "no topic never-made" in done.err


# --- simulate


def test_simulate_tells_in_a_header_what_is_wrong(
    terminal: Terminal, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("pumps")
    options = ("--topic", topic, "--rate", "2000", "--seconds", "1", "--faults", "0.1")
    done = terminal.type("simulate", *options)
    assert done.code == 0
    assert done.out.startswith(f"0 records of the past and 2,000 live ones acknowledged on {topic}")
    records = read(terminal.servers, topic)
    assert len(records) == 2000
    told = Counter(value.decode() for record in records for _, value in record.headers)
    assert set(told) > set(KINDS)
    said = done.out.strip().partition("wrong with them: ")[2].split(", ")
    assert sorted(f"{count} {kind}" for kind, count in told.items()) == sorted(said)
    assert {name for record in records for name, _ in record.headers} == {FAULT_HEADER}


def test_a_stopped_simulation_ends_in_order(
    terminal: Terminal, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("pumps")
    process = terminal.start("simulate", "--topic", topic, "--faults", "0")
    try:
        wait_until(lambda: read(terminal.servers, topic), 60, "the first records are there")
    finally:
        process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == f"publishing 100 records/s to {topic} until it is stopped\n"
    count = len(read(terminal.servers, topic))
    assert out == (
        f"0 records of the past and {count:,} live ones acknowledged on {topic};"
        " wrong with them: nothing\n"
    )


def test_simulate_makes_no_topic(terminal: Terminal) -> None:
    done = terminal.type("simulate", "--topic", "never-made")
    assert (done.code, done.out) == (69, "")
    assert "no topic never-made" in done.err


# --- check


def test_check_leads_to_a_worker_that_can_run(
    terminal: Terminal, topic_factory: TopicFactory
) -> None:
    """Every command that it names is typed as it stands, until nothing is left to mend."""
    topic = topic_factory("pumps")
    assert terminal.type("replay", "readings.jsonl", "--topic", topic, "--time", "at").code == 0
    typed = []
    while True:
        report = json.loads(terminal.type("check", "--topic", topic, "--json").out)
        failed = [point for point in report["points"] if point["status"] == "failed"]
        if not failed:
            break
        program, *arguments = failed[0]["mend"].split()
        assert program == "latentwatch"
        assert terminal.type(*arguments).code == 0
        typed.append(arguments[0])
    assert typed == ["topics", "train"]
    assert report["exit_code"] == 0
    assert terminal.type("check", "--topic", topic).out.endswith("a worker can run\n")


def test_check_sees_that_model_and_topic_do_not_fit(
    terminal: Terminal, topic_factory: TopicFactory, tmp_path: Path
) -> None:
    topic = topic_factory("others")
    terminal.type("topics", "create", "--topic", topic)
    (tmp_path / "others.jsonl").write_text('{"x":1}\n' * 100, encoding="utf-8")
    terminal.type("replay", str(tmp_path / "others.jsonl"), "--topic", topic)
    done = terminal.type("check", "--topic", topic, "--stream", STREAM)
    assert done.code == 65
    (line,) = [line for line in done.out.splitlines() if line.startswith("FAILED")]
    assert "features are in none of the newest 100 records" in line
    assert f"-> latentwatch train --topic {topic} --stream {STREAM}" in done.out


def test_check_names_a_topic_that_was_nearly_meant(
    terminal: Terminal, topic_factory: TopicFactory
) -> None:
    topic = topic_factory("pressure-readings")
    done = terminal.type("check", "--topic", topic.replace("ss", "s"))
    assert done.code == 69
    assert f"there is no such topic; there is {topic}" in done.out
    assert f"-> latentwatch check --topic {topic}\n" in done.out


def test_check_without_a_broker_is_soon_over(folder: Path) -> None:
    done = Terminal(folder).type("check", "--topic", "t", "--json")
    report = json.loads(done.out)
    assert done.code == report["exit_code"] == 69
    broker = next(point for point in report["points"] if point["name"] == "broker")
    assert broker["detail"] == "no broker answers at 127.0.0.1:1"
    assert broker["mend"] == "latentwatch check --topic t --bootstrap-servers HOST:PORT"
