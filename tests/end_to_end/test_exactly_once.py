"""Whole workers that deliver exactly once: killed, twinned and stopped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end import fleet
from tests.end_to_end.stage import WAIT_S, group, ids
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.stage import Stage

pytestmark = pytest.mark.timeout(240)

EXACTLY_ONCE = {
    "delivery": "exactly_once",
    "kafka.session_timeout_s": "6",
    "kafka.heartbeat_s": "1",
    "kafka.poll_records_max": "200",
}
POISON = fleet.POISON["not_json"]
RECORDS = 6_000
KILLS = 3


def test_kills_lose_and_double_nothing(stage: Stage) -> None:
    """Scores and dead letters: each record once, in order."""
    topic, settings = stage.topic(2), {**EXACTLY_ONCE, "slot": "pump-house"}
    messages = [
        each._replace(value=POISON) if number % 100 == 7 else each
        for number, each in enumerate(fleet.messages(0, RECORDS))
    ]
    worker = stage.start(topic, settings, ["--from-beginning"])
    places = stage.cluster.produce(topic, messages)
    for kill in range(1, KILLS + 1):
        at_least = kill * RECORDS // (KILLS + 2)

        def has_moved(at_least: int = at_least) -> bool:
            return sum(stage.cluster.committed(group(topic)).values()) >= at_least

        wait_until(has_moved, WAIT_S, f"{at_least} records are committed")
        worker.kill()
        worker = stage.start(topic, settings, ["--from-beginning"])
    stage.wait_done(topic)
    assert worker.stop() == 0
    lines = stage.scores(topic)
    assert ids(lines) == sorted(place.id for place in places)
    letters = [record.value for record in stage.dead_letters(topic)]
    assert letters == [POISON] * (RECORDS // 100)
    for partition in range(2):
        own = [
            int(line["id"].rpartition("-")[2]) for line in lines if f"-{partition}-" in line["id"]
        ]
        assert own == sorted(own)


def test_a_twin_ends_the_older_one_with_75(stage: Stage) -> None:
    topic, settings = stage.topic(), {**EXACTLY_ONCE, "slot": "same"}
    older = stage.ready(topic, settings)
    stage.ready(topic, settings)

    def ended() -> bool:
        stage.cluster.produce(topic, fleet.messages(0, 10))
        return older.code is not None

    wait_until(ended, WAIT_S, "the older one has ended")
    assert older.code == 75
    assert "slot" in older.said()


def test_without_a_name_workers_of_a_host_take_slots_of_their_own(
    stage: Stage, tmp_path: Path
) -> None:
    """And the name of one that was killed is taken again."""
    topic, settings = stage.topic(2), {**EXACTLY_ONCE, "slot_folder": str(tmp_path / "slots")}
    first, second = stage.ready(topic, settings), stage.ready(topic, settings)
    slots = [worker.status()["slot"] for worker in (first, second)]
    host = os.uname().nodename
    assert slots == [f"{host}-0", f"{host}-1"]
    first.kill()
    assert stage.ready(topic, settings).status()["slot"] == f"{host}-0"
