"""Every metric of the worker: name, type, help, labels and buckets.

Knows nothing of the events that move them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "latentwatch_"
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, named without the prefix.

    `known` are the label values that exist, at 0, before anything happened. A gauge without any is
    absent until it is first set, since 0 would be a claim.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    known: tuple[Labels, ...] = ()
    buckets: tuple[float, ...] = ()


def _each(*values: str) -> tuple[Labels, ...]:
    return tuple((value,) for value in values)


_ONE: tuple[Labels, ...] = ((),)
_SCORE = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 8, 10)
_DISTANCE = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
_RECORDS = (1, 3, 10, 30, 100, 300, 1000, 2000, 5000, 10000, 30000)
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_LAG_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3600, 21600, 86400)

METRICS = (
    # The stream.
    Metric(
        "records_consumed_total",
        "counter",
        "Records polled, again after each rewind.",
        ("topic",),
    ),
    Metric(
        "records_consumed_bytes_total",
        "counter",
        "Bytes of the values of polled records.",
        ("topic",),
    ),
    Metric(
        "records_processed_total",
        "counter",
        "Records delivered and committed, by what became of them.",
        ("result",),
        _each("normal", "anomaly", "invalid", "skipped"),
    ),
    Metric("batches_total", "counter", "Batches delivered and committed.", known=_ONE),
    Metric(
        "batch_size_records",
        "histogram",
        "Records of each poll that gave any.",
        known=_ONE,
        buckets=_RECORDS,
    ),
    Metric(
        "process_duration_seconds",
        "histogram",
        "Time that a stage took for one batch.",
        ("stage",),
        _each("poll", "decode", "score", "explain", "encode", "deliver"),
        _SECONDS,
    ),
    Metric(
        "event_lag_seconds",
        "histogram",
        "Age of the newest record of a batch when the batch was committed.",
        known=_ONE,
        buckets=_LAG_SECONDS,
    ),
    Metric(
        "consumer_lag_records",
        "gauge",
        "Records between the position and the end of the log, for partitions held now.",
        ("topic", "partition"),
    ),
    Metric("assigned_partitions", "gauge", "Partitions held now.", known=_ONE),
    Metric(
        "rebalances_total",
        "counter",
        "Changes of the assignment.",
        ("kind",),
        _each("assigned", "revoked", "lost"),
    ),
    Metric(
        "offset_resets_total",
        "counter",
        "Positions that were no longer in the log and were moved; records may be lost.",
        known=_ONE,
    ),
    Metric(
        "last_record_timestamp_seconds",
        "gauge",
        "Timestamp of the newest record in the latest committed batch.",
    ),
    Metric(
        "last_processed_timestamp_seconds",
        "gauge",
        "When a batch that held records was last committed.",
    ),
    Metric("last_commit_timestamp_seconds", "gauge", "When positions were last committed."),
    Metric(
        "input_missing_ratio",
        "gauge",
        "Share of feature values that were missing in the latest batch.",
    ),
    Metric(
        "feature_missing_records_total",
        "counter",
        "Records that lacked a feature, by feature, dead-lettered ones included; the features that"
        " came late under `other`.",
        ("feature",),
        _each("other"),
    ),
    Metric("ready", "gauge", "1 while records flow, else 0.", known=_ONE),
    # What comes out.
    Metric(
        "anomalies_total",
        "counter",
        "Anomalies published, each by itself or summed up.",
        ("severity",),
        _each("info", "warning", "critical"),
    ),
    Metric(
        "anomalies_by_feature_total",
        "counter",
        "Anomalies published, by the feature that contributed most; rare ones under `other`.",
        ("feature",),
        _each("other"),
    ),
    Metric(
        "anomalies_summed_up_total",
        "counter",
        "Anomalies in a flood that were published in a summary, not each by itself.",
        known=_ONE,
    ),
    Metric(
        "records_above_score_2_total",
        "counter",
        "Records with a score of at least 2: 1 % of the scored while the calibration holds, fewer "
        "where many records are alike.",
        known=_ONE,
    ),
    Metric(
        "calibration_ratio",
        "gauge",
        "Observed over expected share above score 2 among the last 1,000 records; 1 while the "
        "calibration holds.",
    ),
    Metric(
        "calibration_broken",
        "gauge",
        "1 while far more or fewer records reach score 2 than the calibration says, and not only "
        "in a wave. What so few calibration records leave open is not called broken; beyond that "
        "a false alarm comes at most once in 10,000,000 records on average.",
    ),
    Metric("dead_letters_total", "counter", "Records sent to the dead-letter topic.", ("reason",)),
    Metric(
        "delivery_failures_total",
        "counter",
        "Batches that were not delivered and are read again.",
        ("reason",),
    ),
    Metric(
        "score",
        "histogram",
        "Score of each record: minus log10 of its tail probability.",
        known=_ONE,
        buckets=_SCORE,
    ),
    Metric(
        "latent_distance",
        "histogram",
        "Distance of each record's code from the codes of normal records.",
        known=_ONE,
        buckets=_DISTANCE,
    ),
    Metric(
        "reconstruction_error",
        "histogram",
        "How badly each record is given back.",
        known=_ONE,
        buckets=_DISTANCE,
    ),
    # The model.
    Metric("threshold", "gauge", "Score from which a record is flagged."),
    Metric("model_trained_timestamp_seconds", "gauge", "When the model in use was trained."),
    Metric("model_loaded_timestamp_seconds", "gauge", "When the model in use was loaded."),
    Metric(
        "model_last_reload_successful",
        "gauge",
        "1 if the promoted model is the one in use, 0 if it was refused or out of reach.",
    ),
    Metric(
        "model_reloads_total",
        "counter",
        "Promoted models taken or refused.",
        ("result",),
        _each("loaded", "refused"),
    ),
    Metric("model_info", "gauge", "1 for the model in use.", ("version", "trained_at")),
    Metric("build_info", "gauge", "1 for the running build.", ("version", "python")),
)
