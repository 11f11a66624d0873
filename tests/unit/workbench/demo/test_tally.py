"""The books of a run: what is lost, doubled, found and missed."""

from __future__ import annotations

import math

import msgspec
import pytest

from workbench.demo.faults import BROKEN, SPIKE, STUCK
from workbench.demo.feed import Item
from workbench.demo.poison import TOMBSTONE
from workbench.demo.stage import Topics
from workbench.demo.tally import Tally
from worker.letters import ERROR_PREFIX
from worker.records import Record

TOPICS = Topics("fleet")
SENT_MS = 1_767_225_600_000
SENT = "2026-01-01T00:00:00.000Z"


def book(*labels: str | None, judged: bool = True) -> Tally:
    """A tally of records with these labels, all of them in the topic, as fleet-0-0, fleet-0-1."""
    tally = Tally(TOPICS, judged)
    tally.send([Item(b"pump", b"{}", label) for label in labels])
    tally.arrive([f"fleet-0-{i}" for i in range(len(labels))])
    return tally


def scored(i: int, *, flagged: bool = False, rejected: str | None = None) -> Record:
    line = {"id": f"fleet-0-{i}", "score": 1.0, "flagged": flagged, "rejected": rejected}
    return Record(TOPICS.scores, 0, i, 0, b"pump", msgspec.json.encode(line))


def event(i: int) -> Record:
    value = {
        "id": f"fleet-0-{i}",
        "event_time": SENT,
        "score": 4.0,
        "severity": "warning",
        "kind": "extreme",
        "source": {"topic": "fleet", "partition": 0, "offset": i, "key": "pump"},
        "features": [{"name": "a", "value": 1, "expected": 2, "contribution": 1.0}],
    }
    return Record(TOPICS.anomalies, 0, i, 0, b"pump", msgspec.json.encode(value))


def dead(i: int) -> Record:
    where = {"topic": b"fleet", "partition": b"0", "offset": b"%d" % i}
    headers = [(ERROR_PREFIX + name, value) for name, value in where.items()]
    return Record(TOPICS.dead_letters, 0, i, 0, b"pump", b"", headers)


def hear(tally: Tally, *records: Record) -> Tally:
    for record in records:
        tally.receive(record, SENT_MS + 20)
    return tally


def test_a_record_with_a_score_is_accounted_for() -> None:
    tally = book(None, None)
    assert not tally.is_complete()
    hear(tally, scored(0), scored(1))
    assert tally.is_complete()
    assert (tally.summary().lost, tally.summary().duplicated) == (0, 0)


def test_a_record_without_a_score_is_lost() -> None:
    assert hear(book(None, None), scored(1)).summary().lost == 1


def test_a_flagged_record_without_its_event_is_lost() -> None:
    assert hear(book(None), scored(0, flagged=True)).summary().lost == 1
    assert hear(book(None), scored(0, flagged=True), event(0)).summary().lost == 0


def test_a_rejected_record_without_its_dead_letter_is_lost() -> None:
    assert hear(book("empty"), scored(0, rejected="empty")).summary().lost == 1
    assert hear(book("empty"), scored(0, rejected="empty"), dead(0)).summary().lost == 0


def test_a_record_that_never_reached_the_topic_is_lost() -> None:
    tally = Tally(TOPICS, judged=True)
    tally.send([Item(None, b"{}")])
    assert not tally.is_complete()
    assert tally.summary().lost == 1


def test_a_tombstone_leaves_no_trace_and_is_not_lost() -> None:
    tally = book(TOMBSTONE)
    assert tally.is_complete()
    assert (tally.lag, tally.summary().lost, tally.summary().tombstones) == (0, 0, 1)


def test_every_trace_beyond_the_first_is_doubled() -> None:
    tally = hear(book(None), scored(0, flagged=True), scored(0), event(0), event(0), event(0))
    assert tally.summary().duplicated == 3
    assert tally.summary().anomalies == 1


def test_a_trace_of_what_was_not_sent_live_is_doubled() -> None:
    assert hear(book(None), scored(0), scored(1)).summary().duplicated == 1


def test_lag_is_what_nothing_is_known_of() -> None:
    assert hear(book(None, None, TOMBSTONE, None), scored(0)).lag == 2


def test_recall_and_precision_are_of_the_kinds_that_one_record_shows() -> None:
    labels = [SPIKE, SPIKE, BROKEN, None, None, STUCK, STUCK, "empty"]
    tally = book(*labels)
    flagged = (0, 1, 3, 5)
    for i in range(7):
        hear(tally, scored(i, flagged=i in flagged))
    hear(tally, *(event(i) for i in flagged), scored(7, rejected="empty"), dead(7))
    summary = tally.summary()
    assert summary.recall == pytest.approx(2 / 3)
    assert summary.precision == pytest.approx(2 / 3)
    assert summary.stuck_recall == 0.5
    assert (summary.poison.sent, summary.poison.found) == (1, 1)
    assert (summary.sound.sent, summary.sound.found) == (2, 1)


def test_without_labels_nothing_is_said_of_recall_and_precision() -> None:
    summary = hear(book(None, judged=False), scored(0, flagged=True), event(0)).summary()
    shares = (summary.recall, summary.precision, summary.stuck_recall)
    assert [math.isnan(share) for share in shares] == [True] * 3


def test_latency_is_from_the_record_to_its_anomaly() -> None:
    summary = hear(book(None), scored(0, flagged=True), event(0)).summary()
    assert (summary.p50_ms, summary.p99_ms) == (20, 20)
