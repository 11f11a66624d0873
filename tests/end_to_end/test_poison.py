"""Every hostile record ends in exactly one place, and no record stops a worker.

Once through a real broker and a real worker, once through the log in memory, with the same model.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from tests.end_to_end import fleet
from tests.end_to_end.stage import FLEET, WAIT_S, body, group
from tests.loops import (
    ANOMALIES,
    DEAD_LETTERS,
    INPUT,
    SCORES,
    SETTINGS,
    FixedScorer,
    Worker,
    committed,
    new_broker,
)
from tests.poison import DEPTH_MAX, RECORD_BYTES_MAX, SCORED, SKIPPED, Poison, catalogue
from tests.waiting import wait_until
from tests.wire import Sent, send
from worker.adapters.artifact_store import DirectoryArtifactStore
from worker.app import current_model
from worker.codec import JsonCodec
from worker.letters import ERROR_PREFIX, VALUE_BYTES_KEPT, read_letter
from worker.pipeline import Pipeline
from worker.records import Output, Partition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.stand.topics import Cluster
    from tests.end_to_end.stage import Stage
    from worker.records import RawRecord

pytestmark = pytest.mark.timeout(300)

POISONS: Final = catalogue()
NORMAL: Final = [
    Sent(message.value, message.key) for message in fleet.messages(0, len(POISONS) + 1)
]
MIXED: Final = [
    each for pair in zip(NORMAL, (p.sent for p in POISONS), strict=False) for each in pair
]
STREAM: Final = [*MIXED, NORMAL[-1]]
"""A normal record before and after each hostile one."""
POISON_AT: Final = {2 * i + 1: poison for i, poison in enumerate(POISONS)}


class Outputs(NamedTuple):
    """All that was put out about a topic."""

    scores: Sequence[Mapping[str, Any]]
    letters: Sequence[RawRecord]
    events: Sequence[Mapping[str, Any]]


def fates(topic: str, outputs: Outputs) -> dict[str, list[str]]:
    """The places in which each record ended: a record's id to where it was told of."""
    found: dict[str, list[str]] = {}
    for line in outputs.scores:
        if line["rejected"] is None:
            found.setdefault(line["id"], []).append(SCORED)
    for record in outputs.letters:
        letter = read_letter(record)
        assert letter.topic == topic
        name = f"{letter.topic}-{letter.partition}-{letter.offset}"
        found.setdefault(name, []).append(letter.reason)
    return found


def expected(topic: str, offsets: Sequence[int]) -> dict[str, list[str]]:
    """By the catalogue; a normal record is scored."""
    by_place = {
        offset: POISON_AT[i].fate if i in POISON_AT else SCORED for i, offset in enumerate(offsets)
    }
    return {f"{topic}-0-{at}": [fate] for at, fate in by_place.items() if fate != SKIPPED}


def check(topic: str, offsets: Sequence[int], outputs: Outputs) -> None:
    """All that holds wherever the records went through."""
    assert fates(topic, outputs) == expected(topic, offsets)
    rejected = {line["id"]: line["rejected"] for line in outputs.scores}
    assert rejected == {
        name: None if fate == SCORED else fate for name, (fate,) in expected(topic, offsets).items()
    }
    names = [str(event["id"]) for event in outputs.events]
    flagged = [str(line["id"]) for line in outputs.scores if line["flagged"]]
    assert sorted(names) == sorted(flagged)
    sent = {offset: POISON_AT[i] for i, offset in enumerate(offsets) if i in POISON_AT}
    for record in outputs.letters:
        check_letter(sent[read_letter(record).offset], record)


def check_letter(poison: Poison, record: RawRecord) -> None:
    """It is the record as it was, or says what is missing of it."""
    sent, letter = poison.sent, read_letter(record)
    assert letter.reason == poison.fate
    if sent.timestamp_ms is not None:
        assert letter.timestamp == sent.timestamp_ms
    value, key = sent.value or b"", sent.key or b""
    if letter.cut:
        assert letter.cut.get("truncated.value.bytes", str(len(value))) == str(len(value))
        assert letter.cut.get("truncated.key.bytes", str(len(key))) == str(len(key))
        assert record.value in (value, value[:VALUE_BYTES_KEPT])
        assert key.startswith(record.key or b"")
        return
    theirs = zip(poison.header_names, (value for _, value in sent.headers), strict=True)
    assert (record.value, record.key) == (sent.value, sent.key)
    assert [(name, value or b"") for name, value in record.headers if not is_ours(name)] == [
        (name, value or b"") for name, value in theirs if not is_ours(name)
    ]


def is_ours(name: str) -> bool:
    return name.startswith(ERROR_PREFIX)


def test_the_catalogue_is_large_and_of_every_kind() -> None:
    assert len(POISONS) >= 60
    kinds = Counter(poison.fate for poison in POISONS)
    assert set(kinds) == {
        SCORED,
        SKIPPED,
        "empty",
        "missing_features",
        "not_an_object",
        "not_json",
        "too_deep",
        "too_large",
        "wrong_type",
    }


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_worker_on_a_broker_puts_every_record_in_one_place(stage: Stage, delivery: str) -> None:
    topic = stage.topic()
    allow_anything(stage.cluster, topic)
    worker = stage.ready(topic, {"delivery": delivery}, ["--from-beginning"])
    offsets = send(stage.cluster.bootstrap_servers, topic, STREAM)
    stage.wait_done(topic, 2 * WAIT_S)
    assert worker.code is None, worker.said()
    check(
        topic,
        offsets,
        Outputs(stage.scores(topic), stage.dead_letters(topic), stage.events(topic)),
    )
    skipped = sum(poison.fate == SKIPPED for poison in POISONS)
    wait_until(
        lambda: worker.metric("records_processed_total", result="skipped") == skipped,
        WAIT_S,
        "every tombstone is counted",
    )
    assert worker.stop() == 0
    assert stage.cluster.committed(group(topic)) == {0: len(STREAM)}


def allow_anything(cluster: Cluster, topic: str) -> None:
    """The topic takes records larger than a worker reads, and of any time."""
    configs = {
        "max.message.bytes": str(4 << 20),
        "message.timestamp.after.max.ms": str(2**63 - 1),
        "retention.ms": "-1",
    }
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])
    finally:
        admin.close()


def test_a_loop_in_memory_puts_every_record_in_one_place(fleet_models: Path) -> None:
    broker = new_broker()
    names = {2 * i + 1: poison.header_names for i, poison in enumerate(POISONS)}
    broker._append(
        [
            Output(
                INPUT,
                sent.key,
                sent.value,
                list(zip(names.get(i, []), (value for _, value in sent.headers), strict=True)),
                sent.timestamp_ms,
            )
            for i, sent in enumerate(STREAM)
        ]
    )
    model = current_model(DirectoryArtifactStore(fleet_models, FLEET))
    worker = Worker(broker)
    codec = JsonCodec(record_bytes_max=RECORD_BYTES_MAX, depth_max=DEPTH_MAX, missing_share_max=0.5)
    seams = replace(worker.pipeline._seams, scorer=FixedScorer(model), codec=codec)
    loop, end = Pipeline(seams, SETTINGS), {Partition(INPUT, 0): len(STREAM)}

    def is_done() -> bool:
        loop.turn()
        return dict(committed(broker)) == end

    wait_until(is_done, WAIT_S, "all is committed")
    outputs = Outputs(
        [body(record) for record in broker.records(SCORES)],
        broker.records(DEAD_LETTERS),
        [body(record) for record in broker.records(ANOMALIES)],
    )
    check(INPUT, list(range(len(STREAM))), outputs)
    skipped = [counts[3] for counts in worker.metrics.of("batch_processed")]
    assert sum(int(str(count)) for count in skipped) == sum(
        poison.fate == SKIPPED for poison in POISONS
    )
