"""A worker that is killed again and again while records flow loses none of them."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bench.stand.topics import Message, Reader
from tests.end_to_end import fleet
from tests.end_to_end.stage import body, group
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.stand.programs import Worker
    from tests.end_to_end.stage import Stage

RECORDS = 50_000
PARTITIONS = 4
KILLS = 10
CHUNK_RECORDS = 2_500
STEP_RECORDS_MAX = 3_500
"""Less than a tenth of all by a margin, so that the last kill still hits a flowing stream."""
SETTINGS = {
    "kafka.session_timeout_s": "6",
    "kafka.heartbeat_s": "1",
    "kafka.poll_records_max": "300",
}
POISON = [fleet.POISON[kind] for kind in ("not_json", "wrong_type", "missing_features")]


class Flow:
    """Produces all records from a thread of its own; where each stands, by what it is."""

    def __init__(self, stage: Stage, topic: str) -> None:
        self._stage = stage
        self._topic = topic
        self.scored: set[str] = set()
        self.rejected: set[str] = set()
        self.tombstones: set[str] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the last acknowledgement."""
        self._thread.join(120)
        assert len(self.scored | self.rejected | self.tombstones) == RECORDS

    def _run(self) -> None:
        for first in range(0, RECORDS, CHUNK_RECORDS):
            made = [record(number) for number in range(first, first + CHUNK_RECORDS)]
            for message, place in zip(
                made, self._stage.cluster.produce(self._topic, made), strict=True
            ):
                self._place_for(message).add(place.id)

    def _place_for(self, message: Message) -> set[str]:
        if message.value is None:
            return self.tombstones
        return self.rejected if message.value in POISON else self.scored


class Outputs:
    """What the worker has put out so far."""

    def __init__(self, stage: Stage, topic: str) -> None:
        self._reader = Reader(stage.cluster.bootstrap_servers, f"{topic}.scores")
        self.times: Counter[str] = Counter()
        self.rejected: set[str] = set()

    def read_on(self) -> None:
        """Take in what came since the last time."""
        for line in map(body, self._reader.read_on()):
            self.times[line["id"]] += 1
            if line["rejected"] is not None:
                self.rejected.add(line["id"])

    def close(self) -> None:
        self._reader.close()


def record(number: int) -> Message:
    """Mostly a reading; one in a hundred is poison, one in two hundred a tombstone."""
    key = f"pump-{number % 64}".encode()
    if number % 100 == 7:
        return Message(POISON[number % len(POISON)], key)
    if number % 200 == 11:
        return Message(None, key)
    return fleet.message(number % 5_000)._replace(key=key)


def below(committed: Mapping[int, int], topic: str) -> set[str]:
    """Names of all records before the committed offsets."""
    return {
        f"{topic}-{partition}-{offset}"
        for partition, end in committed.items()
        for offset in range(end)
    }


def dead_letter_ids(stage: Stage, topic: str) -> set[str]:
    """Which records the dead letters are about."""
    prefix = "__latentwatch.errors."
    found = set()
    for letter in stage.dead_letters(topic):
        headers = {name: value.decode(errors="replace") for name, value in letter.headers}
        parts = (headers[prefix + name] for name in ("topic", "partition", "offset"))
        found.add("-".join(parts))
    return found


@pytest.mark.timeout(420)
def test_nothing_is_lost_by_ten_kills(stage: Stage) -> None:
    """After each, all before the committed offsets is out; in the end, all is."""
    topic = stage.topic(PARTITIONS)
    rng = random.Random(3)
    outputs = Outputs(stage, topic)
    worker = stage.start(topic, SETTINGS, ["--from-beginning"])
    flow = Flow(stage, topic)
    committed: dict[int, int] = {}
    for _ in range(KILLS):
        kill_midway(worker, stage, topic, rng.randint(1, STEP_RECORDS_MAX))
        committed = stage.cluster.committed(group(topic))
        outputs.read_on()
        unseen = below(committed, topic) - outputs.times.keys()
        worker = stage.start(topic, SETTINGS, ["--from-beginning"])
        settle_tombstones(flow, unseen)
        assert unseen <= flow.tombstones
    assert sum(committed.values()) < RECORDS, "the last kill came when all was done"

    flow.join()
    stage.wait_done(topic, 120)
    assert worker.stop() == 0
    outputs.read_on()
    outputs.close()
    assert outputs.times.keys() == flow.scored | flow.rejected
    assert outputs.rejected == flow.rejected
    assert dead_letter_ids(stage, topic) == flow.rejected


def kill_midway(worker: Worker, stage: Stage, topic: str, step: int) -> None:
    """Kill once `step` more records are committed, whatever the worker is doing then."""
    cluster = stage.cluster
    start = sum(cluster.committed(group(topic)).values())

    def has_moved() -> bool:
        assert worker.code is None, worker.said()
        return sum(cluster.committed(group(topic)).values()) >= start + step

    wait_until(has_moved, 60, f"{step} records more are committed")
    worker.kill()


def settle_tombstones(flow: Flow, unseen: set[str]) -> None:
    """A record may be consumed before the producer's thread has noted what it was."""
    wait_until(
        lambda: unseen <= flow.tombstones | flow.rejected | flow.scored,
        60,
        "the producer knows where its records stand",
    )
