"""What a worker puts out: events, lines of scores, dead letters, metrics and health."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from bench.stand.topics import Message
from tests.end_to_end import fleet
from tests.end_to_end.stage import WAIT_S, body, group, ids
from tests.waiting import wait_until

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord

    from tests.end_to_end.stage import Stage

pytestmark = pytest.mark.timeout(180)

STAMP_MS = int(time.time()) * 1000 - 60_000 + 456
"""Not of now, but not so old that the broker would delete the record either."""
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FLOOD = b"io.latentwatch.anomaly.flood.v1"
PREFIX = "__latentwatch.errors."
SMALL = {"limits.record_bytes_max": str(fleet.RECORD_BYTES_MAX)}


def headers(record: ConsumerRecord) -> dict[str, bytes]:
    return dict(record.headers)


# --- dead letters


def test_every_kind_of_poison_arrives_as_it_was_and_the_stream_goes_on(stage: Stage) -> None:
    topic = stage.topic()
    poison = {
        kind: Message(value, f"key of {kind}".encode(), STAMP_MS, [("origin", kind.encode())])
        for kind, value in fleet.POISON.items()
    }
    normal = fleet.messages(0, 60)
    worker = stage.ready(topic, SMALL)
    places = stage.cluster.produce(topic, [*normal[:30], *poison.values(), *normal[30:]])
    stage.wait_done(topic)

    offsets = dict(zip(poison, (place.offset for place in places[30:]), strict=False))
    letters = stage.dead_letters(topic)
    assert {letter.key.decode() for letter in letters} == {f"key of {kind}" for kind in poison}
    for letter in letters:
        kind = letter.key.decode().removeprefix("key of ")
        assert letter.value == poison[kind].value
        assert letter.timestamp == STAMP_MS
        found = headers(letter)
        assert found["origin"] == kind.encode()
        assert {name: found[PREFIX + name].decode() for name in expected_headers()} == {
            "topic": topic,
            "partition": "0",
            "offset": str(offsets[kind]),
            "timestamp": str(STAMP_MS),
            "group": group(topic),
            "stage": "decode",
            "reason": fleet.reason(kind),
        }
    lines = {line["id"]: line for line in stage.scores(topic)}
    assert sorted(lines) == sorted(place.id for place in places)
    rejected = {f"{topic}-0-{offsets[kind]}": fleet.reason(kind) for kind in poison}
    assert {name: line["rejected"] for name, line in lines.items() if line["rejected"]} == rejected
    assert worker.metric("dead_letters_total") == len(poison)
    assert worker.metric("records_processed_total", result="invalid") == len(poison)


def expected_headers() -> tuple[str, ...]:
    return ("topic", "partition", "offset", "timestamp", "group", "stage", "reason")


def test_a_tombstone_is_counted_and_put_out_nowhere(stage: Stage) -> None:
    topic = stage.topic()
    worker = stage.ready(topic)
    first, _, last = stage.cluster.produce(
        topic, [fleet.message(0), Message(None, b"pump-1"), fleet.message(2)]
    )
    stage.wait_done(topic)
    assert ids(stage.scores(topic)) == [first.id, last.id]
    assert stage.dead_letters(topic) == []
    wait_until(
        lambda: worker.metric("records_processed_total", result="skipped") == 1.0,
        WAIT_S,
        "the tombstone is counted",
    )


def test_a_flood_of_poison_is_held_back_and_not_drained(stage: Stage) -> None:
    """The worker stays alive, says that it is not ready, and commits nothing of it."""
    topic = stage.topic()
    few = {"limits.dead_letter_window": "100", "limits.dead_letter_share_max": "0.2"}
    worker = stage.ready(topic, few)
    stage.cluster.produce(topic, fleet.messages(0, 10))
    stage.wait_done(topic)
    before = stage.cluster.committed(group(topic))
    stage.cluster.produce(topic, [Message(b"{", b"pump-1")] * 50)

    wait_until(lambda: worker.get("/readyz")[0] == 503, WAIT_S, "the worker is not ready")
    assert "dead letters would pass 20%" in worker.get("/readyz")[1]
    assert worker.get("/livez")[0] == 200
    assert stage.dead_letters(topic) == []
    assert stage.cluster.committed(group(topic)) == before
    assert worker.stop() == 0


# --- events


def test_an_anomaly_arrives_as_its_schema_says(stage: Stage) -> None:
    topic = stage.topic()
    stage.ready(topic)
    odd = fleet.message(7, fleet.odd_reading(7))
    traced = odd._replace(
        timestamp_ms=STAMP_MS,
        headers=[("traceparent", TRACE), ("tracestate", b"vendor=1"), ("private", b"stays here")],
    )
    places = stage.cluster.produce(topic, [*fleet.messages(0, 7), traced, fleet.message(8)])
    stage.wait_done(topic)

    (record,) = stage.cluster.read(f"{topic}.anomalies")
    event = body(record)
    jsonschema.validate(
        event, anomaly_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    place = places[7]
    assert event["id"] == place.id
    assert event["event_time"].endswith(".456Z")
    assert datetime.fromisoformat(event["event_time"]) == datetime.fromtimestamp(
        STAMP_MS / 1000, UTC
    )
    assert event["source"] == {
        "topic": topic,
        "partition": place.partition,
        "offset": place.offset,
        "key": "pump-7",
    }
    assert event["features"][0]["name"] in {"motor.current", "motor.temperature"}
    assert "record" not in event
    assert record.key == b"pump-7"
    assert headers(record) == {
        "ce_specversion": b"1.0",
        "ce_id": place.id.encode(),
        "ce_type": b"io.latentwatch.anomaly.detected.v1",
        "ce_source": b"/latentwatch/fleet",
        "ce_time": event["event_time"].encode(),
        "ce_subject": b"pump-7",
        "content-type": b"application/json",
        "traceparent": TRACE,
        "tracestate": b"vendor=1",
    }
    flagged = [line for line in stage.scores(topic) if line["flagged"]]
    assert [(line["id"], line["score"], line["kind"]) for line in flagged] == [
        (place.id, event["score"], event["kind"])
    ]


def test_a_flood_of_anomalies_is_summed_up_and_every_record_is_told_of(stage: Stage) -> None:
    """Ten seconds' worth of events is in hand; what is beyond is in the summaries."""
    topic = stage.topic()
    worker = stage.ready(topic, {"limits.events_per_s_max": "1"}, ["--from-beginning"])
    odd = [fleet.message(number, fleet.odd_reading(number)) for number in range(200)]
    stage.cluster.produce(topic, odd)
    stage.wait_done(topic)

    records = stage.cluster.read(f"{topic}.anomalies")
    floods = [body(record) for record in records if headers(record)["ce_type"] == FLOOD]
    schema = json.loads((files("worker") / "schemas" / "flood.v1.json").read_text("utf-8"))
    for flood in floods:
        jsonschema.validate(flood, schema)
    singly = len(records) - len(floods)
    assert floods != []
    assert 10 <= singly < 100
    assert singly + sum(flood["count"] for flood in floods) == 200
    assert sum(line["flagged"] for line in stage.scores(topic)) == 200
    wait_until(lambda: worker.metric("anomalies_total") == 200, WAIT_S, "all are counted")
    assert worker.metric("anomalies_summed_up_total") == 200 - singly
    assert "a flood: more than 1 anomalies a second" in worker.said()


def anomaly_schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (files("worker") / "schemas" / "anomaly.v1.json").read_text(encoding="utf-8")
    )
    return found


def test_the_record_itself_is_in_the_event_only_where_asked_for(stage: Stage) -> None:
    topic = stage.topic()
    stage.ready(topic, {"output.include_record": "true"})
    odd = fleet.odd_reading(3)
    stage.cluster.produce(topic, [fleet.message(3, odd)])
    stage.wait_done(topic)
    (event,) = stage.events(topic)
    assert event["record"] == odd


def test_scores_are_put_out_only_where_asked_for(stage: Stage) -> None:
    topic = stage.topic()
    stage.ready(topic, {"output.scores": "flagged"})
    stage.cluster.produce(topic, [*fleet.messages(0, 20), fleet.message(3, fleet.odd_reading(3))])
    stage.wait_done(topic)
    assert len(stage.events(topic)) == 1
    assert stage.scores(topic) == []


# --- metrics and health


def test_metrics_and_health_answer(stage: Stage) -> None:
    topic = stage.topic(2)
    worker = stage.ready(topic, arguments=["--from-beginning"])
    stage.cluster.produce(topic, [*fleet.messages(0, 500), fleet.message(5, fleet.odd_reading(5))])
    stage.wait_done(topic)

    wait_until(lambda: worker.metric("consumer_lag_records") == 0.0, WAIT_S, "there is no lag")
    assert worker.metric("records_consumed_total", topic=topic) == 501
    assert worker.metric("records_processed_total", result="anomaly") == 1
    assert worker.metric("anomalies_total") == 1
    assert worker.metric("assigned_partitions") == 2
    assert worker.metric("ready") == 1
    assert worker.get("/livez")[0] == 200
    assert worker.get("/readyz") == (200, "running\n")
    status = worker.status()
    assert {name: status[name] for name in ("alive", "ready", "topic", "group")} == {
        "alive": True,
        "ready": True,
        "topic": topic,
        "group": group(topic),
    }
    assert worker.get("/")[0] == 404
