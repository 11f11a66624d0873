"""The metrics of the worker."""

from __future__ import annotations

import platform
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from worker.adapters.prometheus import METRICS, PREFIX, PrometheusMetrics
from worker.adapters.prometheus.series import FEATURE_LABELS_MAX
from worker.records import Partition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.ports import Metrics

NOW_S = 1_788_220_800.0


class StandingClock:
    """A clock that stands."""

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> float:
        return NOW_S

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


@pytest.fixture
def metrics() -> PrometheusMetrics:
    return PrometheusMetrics("t", "1.2", StandingClock(), ["not_json"], ["retryable"])


def value(metrics: PrometheusMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(PREFIX + name, labels)


def series(metrics: PrometheusMetrics, name: str) -> dict[tuple[str, ...], float]:
    """Label values and value of each series of one name."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == PREFIX + name
    }


def floats(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


def everything(metrics: PrometheusMetrics) -> None:
    """Each event once."""
    port: Metrics = metrics
    port.batch_polled(3, 300, {Partition("t", 0): 5})
    port.batch_processed(normal=1, anomalies=1, invalid=1, skipped=0)
    port.anomaly("info", "cpu")
    port.summed_up(3)
    port.rejected("not_json")
    port.scores(floats(0.1, 3.0), floats(1.0, 2.0), floats(0.5, 0.25))
    port.calibration(4.5, is_broken=True)
    port.missing(1, 40)
    port.features_missing({"cpu": 1})
    port.event_lag(int(NOW_S * 1000) - 2500, NOW_S)
    port.stage("score", 0.2)
    port.delivery_failed("retryable")
    port.rebalanced("assigned", 1)
    port.offset_reset(Partition("t", 0))
    port.model_loaded("v1", "2026-09-01T00:00:00Z", 4.0)
    port.model_refused("v2", "hash")
    port.ready(is_ready=True)


def test_known_series_exist_at_0_from_the_start(metrics: PrometheusMetrics) -> None:
    assert series(metrics, "records_processed_total") == {
        ("normal",): 0,
        ("anomaly",): 0,
        ("invalid",): 0,
        ("skipped",): 0,
    }
    assert series(metrics, "anomalies_total") == {("info",): 0, ("warning",): 0, ("critical",): 0}
    assert series(metrics, "rebalances_total") == {("assigned",): 0, ("revoked",): 0, ("lost",): 0}
    assert series(metrics, "dead_letters_total") == {("not_json",): 0}
    assert series(metrics, "delivery_failures_total") == {("retryable",): 0}
    assert series(metrics, "records_consumed_total") == {("t",): 0}
    assert series(metrics, "score_count") == {(): 0}
    assert value(metrics, "ready") == 0


@pytest.mark.parametrize(
    "name", ["threshold", "model_loaded_timestamp_seconds", "last_commit_timestamp_seconds"]
)
def test_what_is_not_known_yet_is_absent_not_0(metrics: PrometheusMetrics, name: str) -> None:
    assert series(metrics, name) == {}


def test_every_metric_of_the_table_is_moved_by_some_event(metrics: PrometheusMetrics) -> None:
    everything(metrics)
    still = [
        metric.name
        for metric in METRICS
        if not any(
            series(metrics, metric.name + ("_count" if metric.kind == "histogram" else "")).values()
        )
    ]
    # The refusal came last, so the success before it is no longer told.
    assert still == ["model_last_reload_successful"]


def test_a_poll_counts_records_bytes_and_lag(metrics: PrometheusMetrics) -> None:
    metrics.batch_polled(3, 300, {Partition("t", 0): 5, Partition("t", 1): 6})
    assert value(metrics, "records_consumed_total", topic="t") == 3
    assert value(metrics, "records_consumed_bytes_total", topic="t") == 300
    assert series(metrics, "consumer_lag_records") == {("t", "0"): 5, ("t", "1"): 6}
    assert value(metrics, "batch_size_records_count") == 1


def test_an_empty_poll_is_no_batch(metrics: PrometheusMetrics) -> None:
    metrics.batch_polled(0, 0, {})
    assert value(metrics, "batch_size_records_count") == 0


def test_a_lost_partition_loses_its_lag(metrics: PrometheusMetrics) -> None:
    metrics.batch_polled(0, 0, {Partition("t", 0): 5, Partition("t", 1): 6})
    metrics.batch_polled(0, 0, {Partition("t", 1): 4})
    assert series(metrics, "consumer_lag_records") == {("t", "1"): 4}


def test_a_delivered_batch_is_counted_by_result(metrics: PrometheusMetrics) -> None:
    metrics.batch_processed(normal=10, anomalies=2, invalid=3, skipped=4)
    metrics.batch_processed(normal=1, anomalies=0, invalid=0, skipped=0)
    assert series(metrics, "records_processed_total") == {
        ("normal",): 11,
        ("anomaly",): 2,
        ("invalid",): 3,
        ("skipped",): 4,
    }
    assert value(metrics, "batches_total") == 2
    assert value(metrics, "last_processed_timestamp_seconds") == NOW_S
    assert value(metrics, "last_commit_timestamp_seconds") == NOW_S


def test_a_commit_without_records_processed_nothing(metrics: PrometheusMetrics) -> None:
    metrics.batch_processed(normal=0, anomalies=0, invalid=0, skipped=0)
    assert value(metrics, "last_commit_timestamp_seconds") == NOW_S
    assert series(metrics, "last_processed_timestamp_seconds") == {}


def test_scores_fall_into_the_bucket_whose_bound_they_reach(metrics: PrometheusMetrics) -> None:
    metrics.scores(floats(0.5, 0.6, 2.0, 99.0), floats(*[0.02] * 4), floats(*[0.0] * 4))
    assert value(metrics, "score_bucket", le="0.5") == 1
    assert value(metrics, "score_bucket", le="1.0") == 2
    assert value(metrics, "score_bucket", le="2.0") == 3
    assert value(metrics, "score_bucket", le="10.0") == 3
    assert value(metrics, "score_bucket", le="+Inf") == 4
    assert value(metrics, "score_count") == 4
    assert value(metrics, "score_sum") == pytest.approx(102.1)
    assert value(metrics, "latent_distance_bucket", le="0.03") == 4
    assert value(metrics, "reconstruction_error_bucket", le="0.01") == 4
    assert value(metrics, "records_above_score_2_total") == 2


def test_a_ratio_that_is_not_known_yet_is_absent(metrics: PrometheusMetrics) -> None:
    metrics.calibration(None, is_broken=False)
    assert series(metrics, "calibration_ratio") == {}
    assert value(metrics, "calibration_broken") == 0
    metrics.calibration(4.5, is_broken=True)
    assert value(metrics, "calibration_ratio") == 4.5
    assert value(metrics, "calibration_broken") == 1


def test_what_is_not_finite_is_counted_and_spoils_no_sum(metrics: PrometheusMetrics) -> None:
    metrics.scores(floats(1.0, np.inf, np.nan), floats(), floats())
    assert value(metrics, "score_count") == 3
    assert value(metrics, "score_bucket", le="10.0") == 1
    assert value(metrics, "score_sum") == 1.0


def test_an_empty_batch_of_scores_moves_nothing(metrics: PrometheusMetrics) -> None:
    metrics.scores(floats(), floats(), floats())
    assert value(metrics, "score_count") == 0


def test_records_without_a_feature_are_counted_by_feature(metrics: PrometheusMetrics) -> None:
    metrics.features_missing({"cpu": 2, "disk": 1})
    metrics.features_missing({"cpu": 3})
    metrics.features_missing({f"late-{number}": 1 for number in range(60)})
    found = series(metrics, "feature_missing_records_total")
    assert (found["cpu",], found["disk",], found["other",]) == (5, 1, 12)


def test_missing_values_are_a_share_and_no_values_are_none(metrics: PrometheusMetrics) -> None:
    metrics.missing(0, 0)
    assert series(metrics, "input_missing_ratio") == {}
    metrics.missing(5, 20)
    assert value(metrics, "input_missing_ratio") == 0.25


def test_event_lag_is_the_age_of_the_newest_record(metrics: PrometheusMetrics) -> None:
    metrics.event_lag(int(NOW_S * 1000) - 2500, NOW_S)
    assert value(metrics, "event_lag_seconds_sum") == 2.5
    assert value(metrics, "last_record_timestamp_seconds") == NOW_S - 2.5


def test_a_record_from_the_future_has_no_negative_age(metrics: PrometheusMetrics) -> None:
    metrics.event_lag(int(NOW_S * 1000) + 5000, NOW_S)
    assert value(metrics, "event_lag_seconds_sum") == 0
    assert value(metrics, "event_lag_seconds_count") == 1


def test_a_record_without_a_timestamp_has_no_age(metrics: PrometheusMetrics) -> None:
    metrics.event_lag(-1, NOW_S)
    assert value(metrics, "event_lag_seconds_count") == 0


def test_the_model_in_use_replaces_the_one_before(metrics: PrometheusMetrics) -> None:
    metrics.model_loaded("v1", "2026-08-01T00:00:00Z", 3.5)
    metrics.model_loaded("v2", "2026-09-01T00:00:00+00:00", 4.0)
    assert series(metrics, "model_info") == {("v2", "2026-09-01T00:00:00+00:00"): 1}
    assert value(metrics, "threshold") == 4.0
    assert value(metrics, "model_trained_timestamp_seconds") == NOW_S
    assert value(metrics, "model_loaded_timestamp_seconds") == NOW_S
    assert value(metrics, "model_last_reload_successful") == 1
    assert series(metrics, "model_reloads_total") == {("loaded",): 2, ("refused",): 0}


def test_a_refused_model_changes_nothing_but_the_news_of_it(metrics: PrometheusMetrics) -> None:
    metrics.model_loaded("v1", "2026-09-01T00:00:00Z", 3.5)
    metrics.model_refused("v2", "hash")
    assert series(metrics, "model_info") == {("v1", "2026-09-01T00:00:00Z"): 1}
    assert value(metrics, "threshold") == 3.5
    assert value(metrics, "model_last_reload_successful") == 0
    assert value(metrics, "model_reloads_total", result="refused") == 1


def test_a_confirmed_model_ends_the_news_of_trouble(metrics: PrometheusMetrics) -> None:
    metrics.model_refused("v2", "unreachable")
    metrics.model_confirmed()
    assert value(metrics, "model_last_reload_successful") == 1
    assert series(metrics, "model_reloads_total") == {("loaded",): 0, ("refused",): 1}


def test_features_beyond_the_limit_share_one_series(metrics: PrometheusMetrics) -> None:
    for i in range(FEATURE_LABELS_MAX + 10):
        metrics.anomaly("info", f"f{i}")
    metrics.anomaly("info", "f0")
    by_feature = series(metrics, "anomalies_by_feature_total")
    assert len(by_feature) == FEATURE_LABELS_MAX + 1
    assert by_feature[("f0",)] == 2
    assert by_feature[("other",)] == 10
    assert value(metrics, "anomalies_total", severity="info") == FEATURE_LABELS_MAX + 11


def test_the_assignment_is_counted_and_told(metrics: PrometheusMetrics) -> None:
    metrics.rebalanced("assigned", 4)
    metrics.rebalanced("revoked", 2)
    assert value(metrics, "assigned_partitions") == 2
    assert value(metrics, "rebalances_total", kind="revoked") == 1


def test_ready_is_1_and_0(metrics: PrometheusMetrics) -> None:
    metrics.ready(is_ready=True)
    assert value(metrics, "ready") == 1
    metrics.ready(is_ready=False)
    assert value(metrics, "ready") == 0


def test_the_build_is_told(metrics: PrometheusMetrics) -> None:
    assert series(metrics, "build_info") == {("1.2", platform.python_version()): 1}


def test_stages_are_timed_apart(metrics: PrometheusMetrics) -> None:
    metrics.stage("decode", 0.5)
    assert value(metrics, "process_duration_seconds_sum", stage="decode") == 0.5
    assert value(metrics, "process_duration_seconds_count", stage="score") == 0


def test_a_stage_that_is_new_gets_a_series_of_its_own(metrics: PrometheusMetrics) -> None:
    metrics.stage("dream", 0.5)
    assert value(metrics, "process_duration_seconds_count", stage="dream") == 1
    assert value(metrics, "process_duration_seconds_bucket", stage="dream", le="0.3") == 0


def test_an_anomaly_without_a_feature_counts_as_other(metrics: PrometheusMetrics) -> None:
    metrics.anomaly("info", "")
    assert series(metrics, "anomalies_by_feature_total") == {("other",): 1}


def test_no_created_series_are_exposed(metrics: PrometheusMetrics) -> None:
    everything(metrics)
    text = generate_latest(metrics.registry).decode()
    own = [line for line in text.splitlines() if line.startswith(PREFIX)]
    assert own
    assert [line for line in own if "_created" in line] == []


def test_openmetrics_is_valid_and_holds_every_metric(metrics: PrometheusMetrics) -> None:
    everything(metrics)
    text = openmetrics.generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call]
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    names = {family.name for family in families}
    expected = {PREFIX + metric.name.removesuffix("_total") for metric in METRICS}
    assert expected - names == set()


def test_names_keep_to_the_rules_of_their_kind() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name
        assert all(len(labels) == len(metric.labels) for labels in metric.known), metric.name
        assert metric.help.endswith("."), metric.name


def test_two_registries_do_not_share_counts() -> None:
    one = PrometheusMetrics("t", "1", StandingClock())
    two = PrometheusMetrics("t", "1", StandingClock())
    one.batch_processed(normal=1, anomalies=0, invalid=0, skipped=0)
    assert value(two, "batches_total") == 0


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing_to_say(metrics: PrometheusMetrics) -> None:
    everything(metrics)
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=generate_latest(metrics.registry),
        capture_output=True,
        timeout=30,
        check=False,
    )
    own = [line for line in checked.stderr.decode().splitlines() if line.startswith(PREFIX)]
    assert own == []
