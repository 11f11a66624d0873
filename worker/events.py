"""What the worker puts out, as bytes: anomaly events, dead letters, lines of the scores topic.

Anomalies follow CloudEvents' binary mode and schemas/anomaly.v1.json; trace context passes
through. Decides nothing: what is odd, and what is rejected, others have said.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from worker.letters import KEY_BYTES_KEPT, cut, error_headers, own_headers, with_short_key
from worker.model.calibration import severity
from worker.records import Output, payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.model.detector import Scores
    from worker.ports import Clock, Decoded
    from worker.records import Anomaly, Headers, ModelNote, RawRecord, Rejection

SCHEMA_VERSION: Final = 1
EVENT_TYPE: Final = "io.latentwatch.anomaly.detected.v1"
FLOOD_TYPE: Final = "io.latentwatch.anomaly.flood.v1"
TRACE_HEADERS: Final = ("traceparent", "tracestate")
TRACE_BYTES_MAX: Final = 1024
"""A longer one is passed on to nobody; the standard asks for half of it at most."""

TEXT_MAX: Final = 1024
"""Characters shown of a text or of a feature's value; the record itself is not touched."""

FEATURES_SHOWN: Final = 10
"""So many features stand in a summary, those that most often mattered most."""

_ENCODER: Final = msgspec.json.Encoder()
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Where outputs go and what they tell of us.

    scores_topic is None where only flagged records are published.
    """

    stream: str
    group: str
    anomalies_topic: str
    dead_letter_topic: str
    scores_topic: str | None
    include_record: bool
    worker_version: str


class EventEncoder:
    """Encodes outputs; the only state is its settings."""

    def __init__(self, settings: EventSettings, clock: Clock) -> None:
        """The clock tells when a record was found odd."""
        self._settings = settings
        self._clock = clock

    def anomaly(self, record: RawRecord, anomaly: Anomaly, model: ModelNote) -> Output:
        """The anomaly event of a record, under the record's own key."""
        found = anomaly_event(record, anomaly, model, detected_at=utc(self._clock.now()))
        if self._settings.include_record and record.value is not None:
            found["record"] = msgspec.Raw(payload(record.value))
        return Output(
            topic=self._settings.anomalies_topic,
            key=record.key,
            value=_ENCODER.encode(found),
            headers=self._cloud_event(record, found),
        )

    def dead_letter(self, record: RawRecord, rejection: Rejection, model: ModelNote) -> Output:
        """Key, value, timestamp and headers as they were, and our headers after them.

        Headers under our prefix, of a letter that somebody put back by hand, give way to ours.
        """
        errors = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "group": self._settings.group,
            "stage": rejection.stage,
            "reason": rejection.reason,
            "exception.message": rejection.detail[:TEXT_MAX],
            "worker.version": self._settings.worker_version,
            "model.version": model.version,
        }
        return Output(
            topic=self._settings.dead_letter_topic,
            key=record.key,
            value=record.value,
            headers=[*own_headers(record), *error_headers(errors)],
            timestamp=record.timestamp if record.timestamp >= 0 else None,
        )

    def scores(
        self, records: Sequence[RawRecord], decoded: Decoded, scores: Scores
    ) -> list[Output]:
        """A line for each record that was scored or rejected; [] where nobody asked for them."""
        topic = self._settings.scores_topic
        if topic is None:
            return []
        lines: list[tuple[int, dict[str, object]]] = [
            (int(row), score_line(float(scores.score[i]), scores.kind(i), None))
            for i, row in enumerate(decoded.rows)
        ]
        lines += [(r.row, score_line(None, None, r.reason)) for r in decoded.rejections]
        lines.sort(key=lambda line: line[0])
        return [
            Output(
                topic=topic,
                key=records[row].key,
                value=_ENCODER.encode({"id": record_id(records[row]), **line}),
            )
            for row, line in lines
        ]

    def flood(
        self, records: Sequence[RawRecord], anomalies: Sequence[Anomaly], model: ModelNote
    ) -> Output:
        """One event for all of these: how many, where, how odd; `records[i]` is of anomaly i."""
        found = flood_event(records, anomalies, model, detected_at=utc(self._clock.now()))
        return Output(
            topic=self._settings.anomalies_topic,
            key=None,
            value=_ENCODER.encode(found),
            headers=self._own_headers(FLOOD_TYPE, found["id"], found["detected_at"], None),
        )

    def shrunk(self, output: Output) -> Output | None:
        """A stand-in for an output that did not fit: a cut letter, or an event without record.

        The headers of a letter tell what was cut. None when nothing can be left out.
        """
        if output.topic == self._settings.dead_letter_topic:
            return cut(output)
        if output.topic == self._settings.anomalies_topic:
            return _without_record(output) or with_short_key(output)
        return with_short_key(output)

    def _cloud_event(self, record: RawRecord, event: dict[str, object]) -> Headers:
        at = event["event_time"] or event["detected_at"]
        own = self._own_headers(EVENT_TYPE, event["id"], at, key_text(record.key))
        return [*own, *_trace(record)]

    def _own_headers(self, kind: str, name: object, at: object, subject: str | None) -> Headers:
        fields = [
            ("ce_specversion", "1.0"),
            ("ce_id", name),
            ("ce_type", kind),
            ("ce_source", f"/latentwatch/{self._settings.stream}"),
            ("ce_time", at),
            ("ce_subject", subject),
            ("content-type", "application/json"),
        ]
        return [(field, str(value).encode()) for field, value in fields if value is not None]


def anomaly_event(
    record: RawRecord, anomaly: Anomaly, model: ModelNote, *, detected_at: str
) -> dict[str, object]:
    """The value of an anomaly event, as plain values; schemas/anomaly.v1.json describes it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "id": record_id(record),
        "event_time": utc(record.timestamp / 1000) if record.timestamp >= 0 else None,
        "detected_at": detected_at,
        "source": {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": key_text(record.key),
        },
        "score": anomaly.score,
        "alert_rate": model.alert_rate,
        "severity": severity(anomaly.score, model.threshold),
        "kind": anomaly.kind,
        "latent_distance": anomaly.latent_distance,
        "reconstruction_error": anomaly.reconstruction_error,
        "features": [
            {
                "name": feature.name,
                "value": _shown(feature.value),
                "expected": feature.expected,
                "contribution": feature.contribution,
            }
            for feature in anomaly.features
        ],
        "model": {"version": model.version, "trained_at": model.trained_at},
    }


def flood_event(
    records: Sequence[RawRecord],
    anomalies: Sequence[Anomaly],
    model: ModelNote,
    *,
    detected_at: str,
) -> dict[str, object]:
    """The value of a summary, as plain values; schemas/flood.v1.json describes it."""
    features = Counter(found.features[0].name for found in anomalies if found.features)
    times = [record.timestamp / 1000 for record in records if record.timestamp >= 0]
    return {
        "schema_version": SCHEMA_VERSION,
        "id": f"{record_id(records[0])}..{record_id(records[-1])}",
        "detected_at": detected_at,
        "count": len(anomalies),
        "first_event_time": utc(min(times)) if times else None,
        "last_event_time": utc(max(times)) if times else None,
        "source": {"topic": records[0].topic, "partitions": _places(records)},
        "score_max": max(found.score for found in anomalies),
        "alert_rate": model.alert_rate,
        "severities": Counter(severity(found.score, model.threshold) for found in anomalies),
        "kinds": Counter(found.kind for found in anomalies),
        "features": dict(features.most_common(FEATURES_SHOWN)),
        "model": {"version": model.version, "trained_at": model.trained_at},
    }


def _places(records: Sequence[RawRecord]) -> list[dict[str, int]]:
    """Where the records lie: first and last offset, and how many, of each partition."""
    offsets: dict[int, list[int]] = {}
    for record in records:
        offsets.setdefault(record.partition, []).append(record.offset)
    return [
        {"partition": number, "first": min(found), "last": max(found), "count": len(found)}
        for number, found in sorted(offsets.items())
    ]


def score_line(score: float | None, kind: str | None, rejected: str | None) -> dict[str, object]:
    """A record's score without its identity; `kind` is None where it was not flagged."""
    return {"score": score, "flagged": kind is not None, "kind": kind, "rejected": rejected}


def record_id(record: RawRecord) -> str:
    """Names the observation for good: the same however often it is read."""
    return f"{record.topic}-{record.partition}-{record.offset}"


def key_text(key: bytes | None) -> str | None:
    """A key for people: UTF-8, other bytes as escapes, cut to KEY_BYTES_KEPT."""
    return None if key is None else key[:KEY_BYTES_KEPT].decode("utf-8", "backslashreplace")


def _shown(value: object) -> object:
    """A feature's value as it is, long texts and nested values cut to TEXT_MAX."""
    if isinstance(value, dict | list):
        value = _ENCODER.encode(value).decode()
    return value[:TEXT_MAX] if isinstance(value, str) else value


def utc(seconds: float) -> str:
    """ISO 8601 in UTC with milliseconds; years beyond 9999 are held at its end."""
    held = min(max(seconds, 0.0), _LAST_SECOND)
    return (
        datetime.fromtimestamp(held, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


_LAST_SECOND: Final = 253_402_300_799.0


def _without_record(output: Output) -> Output | None:
    event = _MEMBERS.decode(output.value or b"{}")
    if "record" not in event:
        return None
    del event["record"]
    return replace(output, value=_ENCODER.encode(event))


def _trace(record: RawRecord) -> Headers:
    """The first of each trace header; a record may bring any number of any size."""
    found: dict[str, bytes | None] = {}
    for name, value in record.headers:
        if name in TRACE_HEADERS and len(value or b"") <= TRACE_BYTES_MAX:
            found.setdefault(name, value)
    return list(found.items())
