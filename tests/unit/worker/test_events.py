"""What the worker puts out, byte by byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib.resources import files
from typing import Final

import jsonschema
import numpy as np
import pytest

from tests.loops import ManualClock
from worker.events import (
    TEXT_MAX,
    EventEncoder,
    EventSettings,
    key_text,
    record_id,
    score_line,
    utc,
)
from worker.letters import ERROR_PREFIX, VALUE_BYTES_KEPT
from worker.model.detector import KINDS, Scores
from worker.model.schema import Columns
from worker.ports import Decoded
from worker.records import Anomaly, FeatureShare, Headers, ModelNote, Output, Record, Rejection

SETTINGS: Final = EventSettings(
    stream="pumps",
    group="latentwatch.pumps",
    anomalies_topic="pumps.anomalies",
    dead_letter_topic="pumps.dlq",
    scores_topic="pumps.scores",
    include_record=False,
    worker_version="1.2.3",
)
WITH_RECORD: Final = replace(SETTINGS, include_record=True)
NOTE: Final = ModelNote("v7", "2026-01-02T03:04:05Z", alert_rate=0.001, threshold=3.0)
RECORD: Final = Record(
    topic="pumps",
    partition=2,
    offset=41,
    timestamp=1_767_225_600_123,
    key=b"pump-1",
    value=b'{"flow": 9}',
    headers=[("traceparent", b"00-ab-cd-01"), ("other", b"x"), ("tracestate", b"a=1")],
)
ANOMALY: Final = Anomaly(
    row=0,
    score=4.5,
    kind="novel",
    latent_distance=2.5,
    reconstruction_error=1.5,
    features=(FeatureShare("flow", 9, 5.0, 0.75), FeatureShare("mode", None, "eco", 0.25)),
)
WRONG: Final = Rejection(0, "decode", "wrong_type", "flow: a number expected, an array found")


def encoder(settings: EventSettings = SETTINGS) -> EventEncoder:
    return EventEncoder(settings, ManualClock())


def event(
    record: Record = RECORD, anomaly: Anomaly = ANOMALY, settings: EventSettings = SETTINGS
) -> dict[str, object]:
    found = json.loads(encoder(settings).anomaly(record, anomaly, NOTE).value or b"")
    assert isinstance(found, dict)
    return found


def texts(headers: Headers) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in headers}


def errors(headers: Headers) -> dict[str, str]:
    return {
        name.removeprefix(ERROR_PREFIX): value
        for name, value in texts(headers).items()
        if name.startswith(ERROR_PREFIX)
    }


def test_an_event_tells_what_was_odd_where_and_for_which_model() -> None:
    assert event() == {
        "schema_version": 1,
        "id": "pumps-2-41",
        "event_time": "2026-01-01T00:00:00.123Z",
        "detected_at": "2026-01-01T00:00:00.000Z",
        "source": {"topic": "pumps", "partition": 2, "offset": 41, "key": "pump-1"},
        "score": 4.5,
        "alert_rate": 0.001,
        "severity": "warning",
        "kind": "novel",
        "latent_distance": 2.5,
        "reconstruction_error": 1.5,
        "features": [
            {"name": "flow", "value": 9, "expected": 5.0, "contribution": 0.75},
            {"name": "mode", "value": None, "expected": "eco", "contribution": 0.25},
        ],
        "model": {"version": "v7", "trained_at": "2026-01-02T03:04:05Z"},
    }


def test_an_event_goes_under_the_key_of_its_record() -> None:
    output = encoder().anomaly(RECORD, ANOMALY, NOTE)
    assert (output.topic, output.key, output.timestamp) == ("pumps.anomalies", b"pump-1", None)


def test_an_event_is_a_cloud_event_with_the_trace_of_its_record() -> None:
    assert texts(encoder().anomaly(RECORD, ANOMALY, NOTE).headers) == {
        "ce_specversion": "1.0",
        "ce_id": "pumps-2-41",
        "ce_type": "io.latentwatch.anomaly.detected.v1",
        "ce_source": "/latentwatch/pumps",
        "ce_time": "2026-01-01T00:00:00.123Z",
        "ce_subject": "pump-1",
        "content-type": "application/json",
        "traceparent": "00-ab-cd-01",
        "tracestate": "a=1",
    }


def test_without_key_and_time_there_is_no_subject_and_the_time_is_that_of_detection() -> None:
    bare = RECORD._replace(key=None, timestamp=-1, headers=())
    headers = texts(encoder().anomaly(bare, ANOMALY, NOTE).headers)
    assert "ce_subject" not in headers
    assert headers["ce_time"] == "2026-01-01T00:00:00.000Z"
    assert event(bare)["event_time"] is None
    assert event(bare)["source"] == {
        "topic": "pumps",
        "partition": 2,
        "offset": 41,
        "key": None,
    }


@pytest.mark.parametrize("prefix", [b"", b"\x00\x00\x00\x00\x7b"])
def test_the_record_is_in_the_event_only_where_asked_for(prefix: bytes) -> None:
    """Without the prefix that schema-registry serialisers put first: it is no JSON."""
    record = RECORD._replace(value=prefix + b'{"flow": 9, "flow": 9}')
    assert "record" not in event(record)
    assert event(record, settings=WITH_RECORD)["record"] == {"flow": 9}


def test_a_record_without_value_is_left_out() -> None:
    assert "record" not in event(RECORD._replace(value=None), settings=WITH_RECORD)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * (TEXT_MAX + 1), "x" * TEXT_MAX),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([0] * TEXT_MAX, ("[" + "0," * TEXT_MAX)[:TEXT_MAX]),
        (10**30, 10**30),
        (float("inf"), None),
        (True, True),
    ],
)
def test_a_value_is_shown_as_it_is_but_cut(value: object, shown: object) -> None:
    anomaly = replace(ANOMALY, features=(FeatureShare("flow", value, 5.0, 1.0),))
    assert event(anomaly=anomaly)["features"] == [
        {"name": "flow", "value": shown, "expected": 5.0, "contribution": 1.0}
    ]


def test_a_dead_letter_is_the_record_with_the_fault_in_its_headers() -> None:
    output = encoder().dead_letter(RECORD, WRONG, NOTE)
    assert output.topic == "pumps.dlq"
    assert (output.key, output.value, output.timestamp) == (
        RECORD.key,
        RECORD.value,
        RECORD.timestamp,
    )
    assert list(output.headers[:3]) == list(RECORD.headers)
    assert errors(output.headers) == {
        "topic": "pumps",
        "partition": "2",
        "offset": "41",
        "timestamp": "1767225600123",
        "group": "latentwatch.pumps",
        "stage": "decode",
        "reason": "wrong_type",
        "exception.message": "flow: a number expected, an array found",
        "worker.version": "1.2.3",
        "model.version": "v7",
    }


def test_a_dead_letter_without_time_is_given_one_by_the_log() -> None:
    assert encoder().dead_letter(RECORD._replace(timestamp=-1), WRONG, NOTE).timestamp is None


def decoded(rows: list[int], *rejections: Rejection) -> Decoded:
    none = np.empty((len(rows), 0))
    columns = Columns(none, none.astype(np.int64), none.astype(np.int64))
    return Decoded(columns, np.array(rows, dtype=np.intp), rejections, skipped=(), missing=0)


def scores(*found: float) -> Scores:
    """Scores as given, flagged from 3 on."""
    score = np.array(found)
    kinds = np.full(len(found), KINDS.index("extreme"), dtype=np.int8)
    return Scores(score, score, score, score >= 3, kinds, score >= 9)


def test_every_scored_or_rejected_record_has_a_line_in_its_place() -> None:
    records = [RECORD._replace(offset=at, key=b"%d" % at) for at in range(4)]
    lines = encoder().scores(records, decoded([0, 3], replace(WRONG, row=2)), scores(2.5, 3.5))
    assert [(line.topic, line.key) for line in lines] == [
        ("pumps.scores", b"0"),
        ("pumps.scores", b"2"),
        ("pumps.scores", b"3"),
    ]
    assert [json.loads(line.value or b"") for line in lines] == [
        {"id": "pumps-2-0", "score": 2.5, "flagged": False, "kind": None, "rejected": None},
        {
            "id": "pumps-2-2",
            "score": None,
            "flagged": False,
            "kind": None,
            "rejected": "wrong_type",
        },
        {"id": "pumps-2-3", "score": 3.5, "flagged": True, "kind": "extreme", "rejected": None},
    ]


def test_without_a_scores_topic_there_are_no_lines() -> None:
    quiet = encoder(replace(SETTINGS, scores_topic=None))
    assert quiet.scores([RECORD], decoded([0]), scores(3.5)) == []


def test_a_score_line_of_a_normal_record_has_no_kind() -> None:
    assert score_line(1.0, None, None) == {
        "score": 1.0,
        "flagged": False,
        "kind": None,
        "rejected": None,
    }


def shrinkings(output: Output) -> list[Output]:
    """Every stand-in down to the smallest."""
    found = []
    smaller = encoder().shrunk(output)
    while smaller is not None:
        found.append(smaller)
        smaller = encoder().shrunk(smaller)
    return found


def test_an_event_too_large_loses_its_record_then_a_long_key() -> None:
    """Also where the record holds a number that no double holds."""
    record = RECORD._replace(key=b"k" * 5000, value=b'{"flow": 9, "z": 1e400}')
    output = encoder(WITH_RECORD).anomaly(record, ANOMALY, NOTE)
    first, second = shrinkings(output)
    assert json.loads(first.value or b"") == event(record)
    assert (first.key, first.headers) == (output.key, output.headers)
    assert second == replace(first, key=b"k" * TEXT_MAX)


def test_a_dead_letter_too_large_is_cut_with_hash_and_size_in_its_headers() -> None:
    value = bytes(range(256)) * 100
    record = RECORD._replace(key=b"k" * 5000, value=value)
    first, second, third = shrinkings(encoder().dead_letter(record, WRONG, NOTE))
    assert first.value == value[:VALUE_BYTES_KEPT]
    assert errors(first.headers)["truncated.value.bytes"] == "25600"
    assert errors(first.headers)["truncated.value.sha256"] == hashlib.sha256(value).hexdigest()
    assert set(texts(second.headers)) - set(texts(first.headers)) == {
        ERROR_PREFIX + "truncated.headers",
        ERROR_PREFIX + "truncated.headers.bytes",
    }
    assert [name for name, _ in second.headers if not name.startswith(ERROR_PREFIX)] == []
    assert errors(second.headers)["truncated.headers"] == "3"
    assert errors(second.headers)["truncated.headers.bytes"] == str(
        sum(len(name) + len(value or b"") for name, value in RECORD.headers)
    )
    assert errors(second.headers)["offset"] == "41"
    assert third.key == b"k" * TEXT_MAX
    assert errors(third.headers)["truncated.key.bytes"] == "5000"
    assert errors(third.headers)["truncated.key.sha256"] == hashlib.sha256(b"k" * 5000).hexdigest()


def test_headers_that_claim_to_be_ours_give_way() -> None:
    """Of a letter that somebody put back by hand; however large, they cannot fill the letter."""
    forged = [(ERROR_PREFIX + "reason", b"x" * 50_000), (ERROR_PREFIX + "other", b"y")]
    record = RECORD._replace(headers=[*forged, *RECORD.headers])
    letter = encoder().dead_letter(record, WRONG, NOTE)
    assert letter == encoder().dead_letter(RECORD, WRONG, NOTE)


def test_what_is_said_of_a_fault_is_bounded() -> None:
    letter = encoder().dead_letter(RECORD, replace(WRONG, detail="é" * 5000), NOTE)
    assert errors(letter.headers)["exception.message"] == "é" * TEXT_MAX


def test_one_trace_of_bounded_size_is_passed_on() -> None:
    many = [("tracestate", b"x" * 2000), ("traceparent", b"1"), ("traceparent", b"2")]
    headers = encoder().anomaly(RECORD._replace(headers=many), ANOMALY, NOTE).headers
    assert [header for header in headers if header[0].startswith("trace")] == [
        ("traceparent", b"1")
    ]


def test_a_flood_is_one_event_that_says_how_many_where_and_how_odd() -> None:
    records = [
        RECORD,
        RECORD._replace(offset=44, timestamp=-1),
        RECORD._replace(partition=0, offset=7, timestamp=RECORD.timestamp + 1000),
    ]
    found = [ANOMALY, replace(ANOMALY, score=9.0, kind="watched"), replace(ANOMALY, features=())]
    output = encoder().flood(records, found, NOTE)
    assert (output.topic, output.key) == ("pumps.anomalies", None)
    assert texts(output.headers) == {
        "ce_specversion": "1.0",
        "ce_id": "pumps-2-41..pumps-0-7",
        "ce_type": "io.latentwatch.anomaly.flood.v1",
        "ce_source": "/latentwatch/pumps",
        "ce_time": "2026-01-01T00:00:00.000Z",
        "content-type": "application/json",
    }
    summary = json.loads(output.value or b"")
    schema = (files("worker") / "schemas" / "flood.v1.json").read_text(encoding="utf-8")
    jsonschema.validate(summary, json.loads(schema))
    assert summary == {
        "schema_version": 1,
        "id": "pumps-2-41..pumps-0-7",
        "detected_at": "2026-01-01T00:00:00.000Z",
        "count": 3,
        "first_event_time": "2026-01-01T00:00:00.123Z",
        "last_event_time": "2026-01-01T00:00:01.123Z",
        "source": {
            "topic": "pumps",
            "partitions": [
                {"partition": 0, "first": 7, "last": 7, "count": 1},
                {"partition": 2, "first": 41, "last": 44, "count": 2},
            ],
        },
        "score_max": 9.0,
        "alert_rate": 0.001,
        "severities": {"warning": 2, "critical": 1},
        "kinds": {"novel": 2, "watched": 1},
        "features": {"flow": 2},
        "model": {"version": "v7", "trained_at": "2026-01-02T03:04:05Z"},
    }


def test_other_outputs_only_lose_a_long_key() -> None:
    output = Output("pumps.scores", b"k" * 5000, b"{}")
    assert shrinkings(output) == [replace(output, key=b"k" * TEXT_MAX)]


@pytest.mark.parametrize("topic", ["pumps.anomalies", "pumps.dlq", "pumps.scores"])
def test_what_is_small_already_cannot_be_shrunk(topic: str) -> None:
    assert encoder().shrunk(Output(topic, None, None)) is None
    assert encoder().shrunk(Output(topic, b"k", b"{}")) is None


def test_an_id_names_topic_partition_and_offset() -> None:
    assert record_id(RECORD) == "pumps-2-41"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (None, None),
        (b"", ""),
        ("é".encode(), "é"),
        (b"\xff\x00", "\\xff\x00"),
        (b"k" * 5000, "k" * TEXT_MAX),
    ],
)
def test_a_key_is_shown_as_text(key: bytes | None, text: str | None) -> None:
    assert key_text(key) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_225_600.9994, "2026-01-01T00:00:00.999Z"),
        (-5.0, "1970-01-01T00:00:00.000Z"),
        (1e15, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_times_are_utc_with_milliseconds(seconds: float, text: str) -> None:
    assert utc(seconds) == text
