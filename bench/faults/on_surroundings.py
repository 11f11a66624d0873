"""Faults around workers and brokers: hostile records, a topic gone, a bad or unreachable model."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from bench.faults.records import HOSTILE
from bench.stand.waiting import wait_for
from worker.model.artifact import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from bench.faults.stand import Fault, Stand

POISON_ROUNDS = 4
POISON_S = 60.0
TOPIC_GONE_S = 6.0
STORE_GONE_S = 6.0
REFUSED_S = 30.0


def poison(stand: Stand, fault: Fault) -> None:
    """Hostile records of every kind among the others."""
    count = POISON_ROUNDS * len(HOSTILE)
    fault.begins(f"{count} records")
    stand.feeder.poison(count)
    wait_for(lambda: not stand.feeder.poison_left, POISON_S, "all poison is fed")


def anomalies_topic_deleted(stand: Stand, fault: Fault) -> None:
    """An output topic is deleted under the workers and made again."""
    topic = stand.names.anomalies
    fault.begins(f"gone for {TOPIC_GONE_S:g} s")
    stand.topics.delete(topic)
    time.sleep(TOPIC_GONE_S)
    fault.goes_on()
    stand.topics.create({topic: stand.names.all[topic]}, min(3, stand.cluster.size))


def bad_artefact(stand: Stand, fault: Fault) -> None:
    """A version whose numbers are broken is promoted: it is refused, the present one stays."""
    pointer = stand.store.current()
    if pointer is None:
        raise RuntimeError("the workers run without a promoted model")
    stand.workers(2)
    source = stand.store.path(pointer.version)
    bad = stand.store.save_files(lambda folder: _damaged(source, folder))
    fault.begins("tensors cut")
    stand.store.promote(bad, "the bench wants it refused", expected=pointer.version)
    try:
        wait_for(lambda: _refused(stand, bad), REFUSED_S, f"every worker refuses {bad}")
    finally:
        stand.store.promote(pointer.version, "back to a good one", expected=bad)


def store_unreadable(stand: Stand, fault: Fault) -> None:
    """A file stands where the store's folder was; a worker may die meanwhile."""
    stand.workers(2)
    place = stand.store.place
    aside = place.with_name(f"{place.name}.aside")
    dies = stand.rng.choice([True, False])
    fault.begins("and a worker dies" if dies else "all workers up")
    place.rename(aside)
    place.touch()
    try:
        if dies:
            stand.rng.choice(stand.fleet.workers).kill()
        time.sleep(STORE_GONE_S)
    finally:
        fault.goes_on()
        place.unlink()
        aside.rename(place)


def _damaged(source: Path, target: Path) -> None:
    """A copy, its manifest whole and its largest other file cut in half."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    others = [path for path in target.rglob("*") if path.is_file() and path.name != MANIFEST]
    largest = max(others, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])


def _refused(stand: Stand, version: str) -> bool:
    return all(f"model {version} is refused" in worker.said() for worker in stand.fleet.workers)
