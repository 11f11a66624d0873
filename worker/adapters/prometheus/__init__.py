"""The worker's events as Prometheus metrics.

The only place that knows a metric's name; it does not know what the loop does between the events.
"""

from __future__ import annotations

import platform
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from worker.adapters.prometheus.series import Series
from worker.adapters.prometheus.table import METRICS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from worker.ports import Clock
    from worker.records import Lags, Partition

__all__ = ["METRICS", "PREFIX", "PrometheusMetrics"]


class PrometheusMetrics:
    """ports.Metrics over a registry of its own; a scrape sees every event whole or not at all.

    `reasons` are the dead-letter and `failures` the delivery-failure reasons known in advance, so
    that their series exist at 0.
    """

    def __init__(
        self,
        topic: str,
        version: str,
        clock: Clock,
        reasons: Sequence[str] = (),
        failures: Sequence[str] = (),
    ) -> None:
        self._topic = topic
        self._clock = clock
        self._series = Series()
        for name, values in [
            ("dead_letters_total", reasons),
            ("delivery_failures_total", failures),
        ]:
            for value in values:
                self._series.add(name, 0, value)
        for name in ("records_consumed_total", "records_consumed_bytes_total"):
            self._series.add(name, 0, topic)
        self._series.set("build_info", 1, version, platform.python_version())
        self.registry = CollectorRegistry()
        self.registry.register(self._series)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def batch_polled(self, records: int, size_bytes: int, lags: Lags) -> None:
        """A poll came back; partitions that are not in `lags` lose their series."""
        with self._series.lock:
            self._series.replace(
                "consumer_lag_records",
                {(at.topic, str(at.partition)): float(lag) for at, lag in lags.items()},
            )
            if records:
                self._series.add("records_consumed_total", records, self._topic)
                self._series.add("records_consumed_bytes_total", size_bytes, self._topic)
                self._series.observe("batch_size_records", [records])

    def batch_processed(self, *, normal: int, anomalies: int, invalid: int, skipped: int) -> None:
        """A batch was delivered and committed."""
        now_s = self._clock.now()
        with self._series.lock:
            self._series.add("batches_total", 1)
            self._series.add("records_processed_total", normal, "normal")
            self._series.add("records_processed_total", anomalies, "anomaly")
            self._series.add("records_processed_total", invalid, "invalid")
            self._series.add("records_processed_total", skipped, "skipped")
            self._series.set("last_commit_timestamp_seconds", now_s)
            if normal or anomalies or invalid or skipped:
                self._series.set("last_processed_timestamp_seconds", now_s)

    def anomaly(self, severity: str, feature: str) -> None:
        """One anomaly was published."""
        with self._series.lock:
            self._series.add("anomalies_total", 1, severity)
            name = "anomalies_by_feature_total"
            self._series.add(name, 1, self._series.bounded(name, feature))

    def summed_up(self, anomalies: int) -> None:
        """So many of a batch's anomalies were told in one event."""
        with self._series.lock:
            self._series.add("anomalies_summed_up_total", anomalies)

    def rejected(self, reason: str) -> None:
        """One record went to the dead-letter topic."""
        with self._series.lock:
            self._series.add("dead_letters_total", 1, reason)

    def scores(
        self,
        score: NDArray[np.float64],
        latent: NDArray[np.float64],
        error: NDArray[np.float64],
    ) -> None:
        """Scores, latent distances and reconstruction errors of a delivered batch."""
        above = int(np.count_nonzero(score >= 2))  # noqa: PLR2004 - as in its name
        with self._series.lock:
            self._series.observe("score", score)
            self._series.observe("latent_distance", latent)
            self._series.observe("reconstruction_error", error)
            self._series.add("records_above_score_2_total", above)

    def calibration(self, ratio: float | None, *, is_broken: bool) -> None:
        """Observed over expected share above score 2, None where not known yet."""
        with self._series.lock:
            if ratio is not None:
                self._series.set("calibration_ratio", ratio)
            self._series.set("calibration_broken", int(is_broken))

    def missing(self, values: int, of_values: int) -> None:
        """How many feature values of a batch had to be imputed."""
        if of_values:
            with self._series.lock:
                self._series.set("input_missing_ratio", values / of_values)

    def features_missing(self, records: Mapping[str, int]) -> None:
        """In how many records of a batch each feature was missing."""
        name = "feature_missing_records_total"
        with self._series.lock:
            for feature, count in records.items():
                self._series.add(name, count, self._series.bounded(name, feature))

    def event_lag(self, newest_ms: int, now_s: float) -> None:
        """Timestamp of the newest record of a delivered batch; negative means that it has none."""
        if newest_ms < 0:
            return
        with self._series.lock:
            self._series.set("last_record_timestamp_seconds", newest_ms / 1000)
            # A producer's clock may be ahead of ours; a histogram's sum must not fall.
            self._series.observe("event_lag_seconds", [max(0.0, now_s - newest_ms / 1000)])

    def stage(self, name: str, seconds: float) -> None:
        """Time spent in one stage of a batch."""
        with self._series.lock:
            self._series.observe("process_duration_seconds", [seconds], name)

    def delivery_failed(self, reason: str) -> None:
        """A batch was not delivered and will be read again."""
        with self._series.lock:
            self._series.add("delivery_failures_total", 1, reason)

    def rebalanced(self, kind: str, partitions: int) -> None:
        """The assignment changed; how many partitions we hold now."""
        with self._series.lock:
            self._series.add("rebalances_total", 1, kind)
            self._series.set("assigned_partitions", partitions)

    def offset_reset(self, partition: Partition) -> None:
        """A position was no longer in the log and had to be moved."""
        del partition  # the log line names it; a label would outlive the assignment
        with self._series.lock:
            self._series.add("offset_resets_total", 1)

    def model_loaded(self, version: str, trained_at: str, threshold: float) -> None:
        """A model is in use from now on; `trained_at` is ISO 8601."""
        trained_s = datetime.fromisoformat(trained_at).timestamp()
        now_s = self._clock.now()
        with self._series.lock:
            self._series.replace("model_info", {(version, trained_at): 1.0})
            self._series.set("threshold", threshold)
            self._series.set("model_trained_timestamp_seconds", trained_s)
            self._series.set("model_loaded_timestamp_seconds", now_s)
            self._series.set("model_last_reload_successful", 1)
            self._series.add("model_reloads_total", 1, "loaded")

    def model_refused(self, version: str, reason: str) -> None:
        """A promoted model failed its checks; log lines name version and reason."""
        del version, reason
        with self._series.lock:
            self._series.set("model_last_reload_successful", 0)
            self._series.add("model_reloads_total", 1, "refused")

    def model_confirmed(self) -> None:
        """The store answers, and the model in use is the promoted one."""
        with self._series.lock:
            self._series.set("model_last_reload_successful", 1)

    def ready(self, *, is_ready: bool) -> None:
        """Whether records flow."""
        with self._series.lock:
            self._series.set("ready", int(is_ready))
