"""What the worker puts out, as bytes: anomaly events, dead letters, lines of the scores topic.

Anomalies follow CloudEvents' binary mode and schemas/anomaly.v1.json; trace context passes
through. Decides nothing: what is odd, and what is rejected, others have said.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from worker.model.calibration import severity
from worker.records import Output, payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.model.detector import Scores
    from worker.ports import Clock, Decoded
    from worker.records import Anomaly, Headers, ModelNote, RawRecord, Rejection

SCHEMA_VERSION: Final = 1
EVENT_TYPE: Final = "io.latentwatch.anomaly.detected.v1"
ERROR_PREFIX: Final = "__latentwatch.errors."
TRACE_HEADERS: Final = ("traceparent", "tracestate")

CUT_BYTES: Final = 16 * 1024
"""Bytes kept of a dead letter's value that did not fit whole."""

TEXT_MAX: Final = 1024
"""Characters shown of a key or of a feature's value; the record itself is not touched."""

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
        """Key, value, timestamp and headers as they were, and our headers after them."""
        errors = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "group": self._settings.group,
            "stage": rejection.stage,
            "reason": rejection.reason,
            "exception.message": rejection.detail,
            "worker.version": self._settings.worker_version,
            "model.version": model.version,
        }
        return Output(
            topic=self._settings.dead_letter_topic,
            key=record.key,
            value=record.value,
            headers=[*record.headers, *_error_headers(errors)],
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

    def shrunk(self, output: Output) -> Output | None:
        """A stand-in for an output that did not fit: the value cut, or an event without record.

        A cut value's hash and full size are in the headers. None when nothing can be left out.
        """
        cuts = {
            self._settings.anomalies_topic: (_without_record, _with_short_key),
            self._settings.dead_letter_topic: (
                _with_short_value,
                _without_headers,
                _with_short_key,
            ),
        }
        for cut in cuts.get(output.topic, (_with_short_key,)):
            smaller = cut(output)
            if smaller is not None:
                return smaller
        return None

    def _cloud_event(self, record: RawRecord, event: dict[str, object]) -> Headers:
        source = f"/latentwatch/{self._settings.stream}"
        fields = [
            ("ce_specversion", "1.0"),
            ("ce_id", event["id"]),
            ("ce_type", EVENT_TYPE),
            ("ce_source", source),
            ("ce_time", event["event_time"] or event["detected_at"]),
            ("ce_subject", key_text(record.key)),
            ("content-type", "application/json"),
        ]
        own = [(name, str(value).encode()) for name, value in fields if value is not None]
        return [*own, *(h for h in record.headers if h[0] in TRACE_HEADERS)]


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


def score_line(score: float | None, kind: str | None, rejected: str | None) -> dict[str, object]:
    """A record's score without its identity; `kind` is None where it was not flagged."""
    return {"score": score, "flagged": kind is not None, "kind": kind, "rejected": rejected}


def record_id(record: RawRecord) -> str:
    """Names the observation for good: the same however often it is read."""
    return f"{record.topic}-{record.partition}-{record.offset}"


def key_text(key: bytes | None) -> str | None:
    """A key for people: UTF-8, other bytes as escapes, cut to TEXT_MAX."""
    return None if key is None else key[:TEXT_MAX].decode("utf-8", "backslashreplace")


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


def _error_headers(fields: dict[str, object]) -> Headers:
    return [
        (ERROR_PREFIX + name, str(value).encode("utf-8", "backslashreplace"))
        for name, value in fields.items()
    ]


def _with_short_value(output: Output) -> Output | None:
    value = output.value or b""
    if len(value) <= CUT_BYTES:
        return None
    note = {"truncated.bytes": len(value), "truncated.sha256": hashlib.sha256(value).hexdigest()}
    headers = [*output.headers, *_error_headers(note)]
    return replace(output, value=value[:CUT_BYTES], headers=headers)


def _without_record(output: Output) -> Output | None:
    event = _MEMBERS.decode(output.value or b"{}")
    if "record" not in event:
        return None
    del event["record"]
    return replace(output, value=_ENCODER.encode(event))


def _without_headers(output: Output) -> Output | None:
    """Our own headers only: those that came with the record may be what is too large."""
    own = [header for header in output.headers if header[0].startswith(ERROR_PREFIX)]
    return replace(output, headers=own) if len(own) < len(output.headers) else None


def _with_short_key(output: Output) -> Output | None:
    key = output.key or b""
    return replace(output, key=key[:TEXT_MAX]) if len(key) > TEXT_MAX else None
